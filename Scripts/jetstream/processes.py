"""Processes that outlive the command that began them, and are known again by a later one.

A process is kept as its number together with when it began (in ticks since this machine booted) and which boot that was.
A number is used again once its process is gone, so the number alone could name somebody else's process.
"""

import os
import signal
import subprocess
import time
from pathlib import Path


def _boot():
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _status(pid):
    """The process's state letter and its time of beginning; nothing where there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, in parentheses, may hold anything; behind it stand the fields from the third on.
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[19])


def begin(command, log):
    """Begins a process in a session of its own, so that no Ctrl-C meant for a command reaches it."""
    with open(log, "ab") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
    # A child stays known to the system until its parent has asked how it ended, so its status is there.
    return {"pid": child.pid, "began": _status(child.pid)[1], "boot": _boot()}


def runs(process):
    """Whether it is still there. One that has ended and waits for its parent to notice is not."""
    return process is not None and _state(process) is not None


def is_paused(process):
    return process is not None and _state(process) == "T"


def _state(process):
    status = _status(process["pid"])
    if status is None or status[0] in "ZX":
        return None
    if status[1] != process["began"] or _boot() != process["boot"]:
        return None
    return status[0]


def send(process, *numbers):
    """Sends signals to this process and no other. Says whether it was there."""
    if process is None:
        return False
    try:
        handle = os.pidfd_open(process["pid"])
    except ProcessLookupError:
        return False
    try:
        # The handle keeps meaning the process it was opened for. So the question comes after the opening.
        if not runs(process):
            return False
        for number in numbers:
            signal.pidfd_send_signal(handle, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)


def wait(process, seconds):
    """Waits until it has ended. Says whether it has."""
    deadline = time.monotonic() + seconds
    while runs(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def end_all(group, patience):
    """Asks all of them to end, side by side, and kills those that have not done so after `patience` seconds."""
    deadline = time.monotonic() + patience
    # A paused process takes notice once it goes on.
    asked = [process for process in group if send(process, signal.SIGTERM, signal.SIGCONT)]
    for process in asked:
        if not wait(process, max(0, deadline - time.monotonic())):
            kill(process)


def kill(process):
    if send(process, signal.SIGKILL):
        wait(process, 30)

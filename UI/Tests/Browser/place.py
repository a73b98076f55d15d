"""The server, the browser and the logs that all tests use, and what a test says of them."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile

import chromium
from chromium import Failed

MANY = 1_000_000
SHOWN = "document.querySelectorAll('.row').length > 0"


class Server:
    """immuta-ui, as a process; a restart has the same port and token."""

    def __init__(self, program, directory, port=0):
        # By a short path, as a person would: the page shows it.
        self._folder, name = os.path.split(directory)
        self._command = [os.path.abspath(program), "--dir", name, "--token-file", "token"]
        self.port = port
        self.start()

    def start(self):
        self._process = subprocess.Popen(
            self._command + ["--port", str(self.port)], cwd=self._folder, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline()
        found = re.search(r"at (http://127\.0\.0\.1:(\d+)/\?token=[0-9a-f]{32})$", line.strip())
        if not found:
            raise Failed(f"the server says: {line}")
        self.address, self.port = found.group(1), int(found.group(2))

    def stop(self):
        """Ends it as a person would; it must end by itself, and soon."""
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise Failed("the server does not end after SIGTERM") from None
        if status != 0:
            raise Failed(f"the server ends with {status}")

    def memory(self):
        """The most that it has used, in bytes."""
        with open(f"/proc/{self._process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) << 10


class Place:
    """What all tests use: the server, the browser, and a program that appends."""

    def __init__(self, program, logs):
        self.work = tempfile.mkdtemp(prefix="immuta-ui-test-")
        self.directory = os.path.join(self.work, "shop")
        self.program, self.logs = program, logs
        subprocess.run([logs, "make", self.directory, str(MANY)], check=True)
        self.server = Server(program, self.directory)
        self.browser = chromium.Browser()
        self.pages = []

    def close(self):
        self.browser.close()
        with contextlib.suppress(Failed):
            self.server.stop()
        shutil.rmtree(self.work, ignore_errors=True)

    def page(self, where="", **options):
        page = self.browser.page(**options)
        page.open(self.server.address + where)
        page.wait("document.querySelector('#namespaces a')", "the list of logs")
        self.pages.append(page)
        return page

    @contextlib.contextmanager
    def store(self):
        """A server that shows a store of partitions, with its own address."""
        directory = os.path.join(self.work, "chat")
        if not os.path.exists(directory):
            subprocess.run([self.logs, "store", directory], check=True)
        server = Server(self.program, directory)
        try:
            yield server
        finally:
            server.stop()

    @contextlib.contextmanager
    def writer(self, name):
        process = subprocess.Popen([self.logs, "append", self.directory, name], stdin=subprocess.PIPE, text=True)

        def append(text):
            process.stdin.write(text + "\n")
            process.stdin.flush()

        try:
            yield append
        finally:
            process.stdin.close()
            process.wait(20)


def check(condition, what):
    if not condition:
        raise Failed(what)


def equal(found, expected, what):
    check(found == expected, f"{what}: {found!r}, expected {expected!r}")


def sequences(page):
    return page.run("Array.from(document.querySelectorAll('.row'), (row) => Number(row.dataset.sequence))")


def detail(page):
    return page.wait("document.querySelector('.record:not([hidden]) pre')?.textContent", "a record that is shown")

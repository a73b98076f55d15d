"""As much of a client as the test of the cluster needs: requests, one at a time."""

import json
import socket
import time


class Client:
    def __init__(self, url, seconds=10):
        host, _, port = url.removeprefix("nats://").rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=seconds)
        self.file = self.socket.makefile("rb")
        self.server = json.loads(self._line().removeprefix("INFO "))
        self.requests = 0
        self._send('CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nSUB answers.%s.* 1\r\n' % id(self))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()
        self.socket.close()

    def _send(self, text):
        self.socket.sendall(text.encode())

    def _line(self):
        line = self.file.readline()
        if not line:
            raise OSError("the server closed the connection")
        return line.decode().rstrip("\r\n")

    def request(self, subject, text="", seconds=2):
        """The answer; nothing where there is none in time, or nobody to give one."""
        self.requests += 1
        reply = f"answers.{id(self)}.{self.requests}"
        payload = text.encode()
        self._send(f"PUB {subject} {reply} {len(payload)}\r\n{text}\r\n")
        deadline = time.monotonic() + seconds
        try:
            while True:
                self.socket.settimeout(max(0.001, deadline - time.monotonic()))
                words = self._line().split()
                if words[0] == "PING":
                    self._send("PONG\r\n")
                elif words[0] in ("MSG", "HMSG"):
                    body = self.file.read(int(words[-1]) + 2)
                    if words[1] == reply:
                        return json.loads(body) if words[0] == "MSG" else None
        except TimeoutError:
            # What has come of a line is lost with it: this connection is of no more use.
            return None


def eventually(url, subject, text="", seconds=40, accepts=lambda answer: "error" not in answer):
    """Asks again and again, each time over a new connection, until there is an answer that is accepted."""
    deadline = time.monotonic() + seconds
    answer = None
    while time.monotonic() < deadline:
        try:
            with Client(url) as client:
                answer = client.request(subject, text)
        except OSError:
            answer = None
        if answer is not None and accepts(answer):
            return answer
        time.sleep(0.1)
    raise AssertionError(f"{subject} {text}: no answer that is accepted within {seconds} seconds; the last: {answer}")

"""A headless Chromium, driven by the DevTools protocol.

It listens on no port: the protocol goes over two pipes, so only this process can drive it.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

PATIENCE = 60


class Failed(Exception):
    pass


def path():
    """Where Chromium is; None where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        found = shutil.which(name)
        if found:
            return found
    return None


class Browser:
    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="immuta-ui-browser-")
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()

        def take_pipes():
            # Where Chromium expects them. Neither may be closed by the moves: so both go out of the way first.
            first, second = os.dup(commands), os.dup(answers)
            while first <= 4:
                first = os.dup(first)
            while second <= 4:
                second = os.dup(second)
            os.dup2(first, 3)
            os.dup2(second, 4)

        self._process = subprocess.Popen(
            [path(), "--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--disable-gpu",
             "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--disable-extensions",
             "--disable-sync", "--disable-component-update", "--no-proxy-server", "--mute-audio", "--hide-scrollbars",
             "--font-render-hinting=none", f"--user-data-dir={self.profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=take_pipes, close_fds=False)
        os.close(commands)
        os.close(answers)
        self._buffer = b""
        self._number = 0
        self.events = []
        self._targets = []

    def close(self):
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._commands)
        os.close(self._answers)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, session=None, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + PATIENCE
        while True:
            answer = self._receive(until)
            if answer.get("id") != self._number:
                self.events.append(answer)
                continue
            if "error" in answer:
                raise Failed(f"{method}: {answer['error']['message']}")
            return answer["result"]

    def _receive(self, until):
        while b"\0" not in self._buffer:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._answers], [], [], left)[0]:
                raise Failed("the browser does not answer")
            piece = os.read(self._answers, 1 << 20)
            if not piece:
                raise Failed("the browser has ended")
            self._buffer += piece
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def page(self, **options):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._targets.append(target)
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, session, **options)

    def close_pages(self):
        """Pages that nobody looks at any more still take time."""
        for target in self._targets:
            self.call("Target.closeTarget", targetId=target)
        self._targets = []
        self.events = []


class Page:
    def __init__(self, browser, session, width=1280, height=800, dark=False, scale=1):
        self.browser, self.session = browser, session
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        # As if its window had the focus: keys go to it, and it is drawn.
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        self.call("Page.bringToFront")
        self.resize(width, height, scale)
        self.colours(dark)

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def resize(self, width, height, scale=1):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale,
                  mobile=width < 600)

    def colours(self, dark):
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, url):
        self.call("Page.navigate", url=url)

    def run(self, script):
        """What an expression comes to; promises are waited for."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise Failed(f"{script}: {json.dumps(result['exceptionDetails'])[:500]}")
        return result["result"].get("value")

    def wait(self, script, what=None, seconds=PATIENCE):
        """Waits until an expression is true, and returns what it comes to."""
        until = time.monotonic() + seconds
        while True:
            value = self.run(script)
            # An element comes over as an empty object.
            if value or value == {}:
                return value
            if time.monotonic() > until:
                raise Failed(f"this did not become true: {what or script}; the page says: "
                             + str(self.run("document.body.innerText"))[:600])
            time.sleep(0.05)

    def key(self, key, text=None):
        """Presses a key, as a person would."""
        text = key if text is None and len(key) == 1 else text
        code = {"Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38, "Tab": 9}.get(key, ord(key[0].upper()))
        event = {"key": key, "windowsVirtualKeyCode": code}
        if key == "Enter":
            text = "\r"
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **event,
                  **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def click(self, selector):
        box = self.run(f"""(() => {{
            const element = document.querySelector({json.dumps(selector)});
            if (!element) return null;
            element.scrollIntoView({{block: "nearest"}});
            const box = element.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        }})()""")
        if not box:
            raise Failed(f"there is no {selector}")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def screenshot(self, file):
        data = self.call("Page.captureScreenshot", format="png")["data"]
        with open(file, "wb") as output:
            output.write(base64.b64decode(data))

    def complaints(self):
        """What the browser wrote to its console of this page: exceptions, refused scripts, missing files."""
        found = []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            details = event.get("params", {})
            if event["method"] == "Runtime.exceptionThrown":
                found.append(json.dumps(details["exceptionDetails"])[:400])
            elif event["method"] == "Log.entryAdded" and details["entry"]["level"] == "error":
                found.append(f"{details['entry']['text']} {details['entry'].get('url', '')}")
            elif event["method"] == "Page.javascriptDialogOpening":
                found.append(f"a dialog: {details['message']}")
        return found

    def requests(self):
        """The addresses that the page asked for."""
        return [event["params"]["request"]["url"] for event in self.browser.events
                if event.get("sessionId") == self.session and event["method"] == "Network.requestWillBeSent"]

"""Headless browsers, driven through the socket that they open for it: Chromium by CDP, Firefox by WebDriver BiDi.

No driver is needed beside the browser, and nothing is downloaded.
"""

import base64
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import websocket

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
PATIENCE = 20
"""Seconds that anything may take on a machine that does other things as well."""
_ADDRESS = re.compile(r"listening on (ws://[\w.:/-]+)")


class BrowserError(Exception):
    """The browser refused what it was asked, or the page raised."""


class Browser:
    """A running browser: what it is asked and answers, as JSON over a socket."""

    def __init__(self, command: list[str], log: Path, address_path: str = "") -> None:
        with log.open("wb") as stream:
            self._process = subprocess.Popen(command, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL)
        address = until(lambda: _ADDRESS.search(log.read_text(errors="replace")), "an address")[1]
        self._socket = websocket.create_connection(
            address + address_path, timeout=PATIENCE, suppress_origin=True
        )
        self._asked = 0
        self.events: list[dict[str, Any]] = []

    def ask(self, method: str, session: str | None = None, **params: Any) -> Any:
        """Send a command and return its result; events that come in between are kept."""
        self._asked += 1
        command = {"id": self._asked, "method": method, "params": params}
        self._socket.send(json.dumps(command | ({"sessionId": session} if session else {})))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") != self._asked:
                self.events.append(answer)
            elif "result" in answer:
                return answer["result"]
            else:
                raise BrowserError(f"{method}: {answer.get('error')} {answer.get('message', '')}")

    def close(self) -> None:
        """End the browser that was started here."""
        self._socket.close()
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Tab:
    """A tab of Chromium."""

    def __init__(self, browser: Browser, width: int = 1280, height: int = 900) -> None:
        self.browser = browser
        self._target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.ask("Target.attachToTarget", targetId=self._target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")
        self.resize(width, height)

    def ask(self, method: str, **params: Any) -> Any:
        """Send a command to the tab."""
        return self.browser.ask(method, self._session, **params)

    def open(self, address: str) -> None:
        """Go to an address and wait until the page there can be used."""
        self.ask("Page.navigate", url=address)
        self.until("document.readyState === 'complete' && document.getElementById('main')?.hidden === false")

    def visit(self, address: str) -> None:
        """Go to the address of any page, and wait until all of it is there."""
        self.ask("Page.navigate", url=address)
        self.until(f"location.href === {json.dumps(address)} && document.readyState === 'complete'")

    def run(self, expression: str) -> Any:
        """Return the value of an expression in the page, awaited where it is a promise."""
        found = self.ask(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in found:
            raise BrowserError(json.dumps(found["exceptionDetails"])[:2000])
        return found["result"].get("value")

    def until(self, expression: str) -> Any:
        """Wait until an expression is true in the page and return it."""
        return until(lambda: self.run(expression), expression)

    def text(self, name: str) -> str:
        """Return the text of the element of an id."""
        found: str = self.run(f"document.getElementById({json.dumps(name)}).textContent")
        return found

    def click(self, name: str) -> None:
        """Click the element of an id."""
        self.run(f"document.getElementById({json.dumps(name)}).click()")

    def box(self, name: str) -> tuple[float, float, float, float]:
        """Return x, y, width and height of the element of an id, scrolled to where it is seen."""
        found = self.run(
            f"(() => {{ const e = document.getElementById({json.dumps(name)}); e.scrollIntoView({{block: 'center'}});"
            "const b = e.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })()"
        )
        return tuple(found)

    def mouse(self, points: Iterable[tuple[float, float]]) -> None:
        """Press the mouse at the first point, drag it through the others and let it go."""
        kind, last = "mousePressed", (0.0, 0.0)
        for x, y in points:
            self._mouse(kind, x, y)
            kind, last = "mouseMoved", (x, y)
        self._mouse("mouseReleased", *last)

    def _mouse(self, kind: str, x: float, y: float) -> None:
        self.ask(
            "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1, force=0.5
        )

    def touch(self, *fingers: list[tuple[float, float]]) -> None:
        """Draw with one finger or several at once, each along as many points."""
        for step, places in enumerate(zip(*fingers, strict=True)):
            points = [{"x": x, "y": y, "id": finger, "force": 0.6} for finger, (x, y) in enumerate(places)]
            kind = "touchMove" if step else "touchStart"
            self.ask("Input.dispatchTouchEvent", type=kind, touchPoints=points)
        self.ask("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def key(self, key: str, modifiers: int = 0, times: int = 1) -> None:
        """Press a key; modifiers as in CDP: 1 Alt, 2 Ctrl, 4 Meta, 8 Shift."""
        for _ in range(times):
            for kind in ("keyDown", "keyUp"):
                self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, modifiers=modifiers)

    def choose(self, name: str, *files: Path) -> None:
        """Choose files in the input of an id."""
        document = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=document, selector=f"#{name}")["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def resize(self, width: int, height: int) -> None:
        """Have a screen of another size, with fingers where it is a phone's."""
        is_phone = width < 600
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=is_phone,
        )
        self.ask("Emulation.setTouchEmulationEnabled", enabled=is_phone, maxTouchPoints=5)

    def colours(self, scheme: str) -> None:
        """Prefer ``dark`` or ``light``."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", features=features)

    def screenshot(self, file: Path) -> None:
        """Write a PNG of the whole page."""
        found = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(found["data"]))

    def complaints(self) -> list[str]:
        """Return what the page raised, and errors that the browser noted, since it was opened."""
        kinds = ("Runtime.exceptionThrown", "Log.entryAdded")
        mine = [event for event in self.browser.events if event.get("sessionId") == self._session]
        found = [event["params"] for event in mine if event.get("method") in kinds]
        return [json.dumps(each) for each in found if each.get("entry", {}).get("level", "error") == "error"]

    def requests(self) -> list[str]:
        """Return the addresses that the page asked for."""
        mine = [event for event in self.browser.events if event.get("sessionId") == self._session]
        return [
            event["params"]["request"]["url"]
            for event in mine
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def close(self) -> None:
        """Close the tab."""
        self.browser.ask("Target.closeTarget", targetId=self._target)


def start_chromium(folder: Path, *flags: str) -> Browser:
    """Start Chromium with a fresh profile in a folder."""
    assert CHROMIUM
    return Browser(
        [
            CHROMIUM,
            "--headless=new",
            "--no-sandbox",  # as root, in a container
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--remote-debugging-port=0",
            f"--user-data-dir={folder / 'chromium'}",
            *flags,
            "about:blank",
        ],
        folder / "chromium.log",
    )


def start_firefox(folder: Path) -> tuple[Browser, str]:
    """Start Firefox with a fresh profile in a folder; also return the context of its first tab."""
    assert FIREFOX
    profile = folder / "firefox"
    profile.mkdir()
    command = [FIREFOX, "--headless", "--remote-debugging-port=0", "--profile", str(profile), "about:blank"]
    browser = Browser(command, folder / "firefox.log", "/session")
    browser.ask("session.new", capabilities={})
    context = browser.ask("browsingContext.getTree")["contexts"][0]["context"]
    return browser, context


def until(found: Callable[[], Any], what: str) -> Any:
    """Wait until a function returns something, and return it."""
    deadline = time.monotonic() + PATIENCE
    while not (value := found()):
        if time.monotonic() > deadline:
            raise BrowserError(f"waited {PATIENCE} s for {what}")
        time.sleep(0.02)
    return value

"""A small driver for headless Chromium over its own debugging protocol.

Made for our tests: start a browser with a fresh profile, open pages in contexts of their own, wait
for what a person would wait for, click and type as trusted input, look at pictures. All that a page
complains about (exceptions, console errors, refusals by content policy) is kept in `Page.errors`.
Calls block; from a test with a running loop use `asyncio.to_thread(page.wait_for, …)`.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SHELL = "chromium-headless-shell"
"""Chromium without a window around its pages, which are the same, with less work."""
SHELLS_FOLDER = "/usr/lib/chromium"
"""Debian's. Its script in /usr/bin stays beside what it starts: a signal ends the script alone."""
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--mute-audio",
    "--allow-loopback-in-peer-connection",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-port=0",
)
START_S = 30.0  # a cold start on a busy two-core machine takes up to 10 s
CALL_S = 30.0  # no single command takes longer unless the browser hangs
WAIT_S = 40.0  # what a page does takes milliseconds, unless the machine is busy with other tests
STILL_S = 0.03  # two pictures; what has moved by then is moving
KEYS = {
    "Enter": ("Enter", 13, "\r"),
    "Tab": ("Tab", 9, ""),
    "Escape": ("Escape", 27, ""),
    "Space": ("Space", 32, " "),
    "ArrowDown": ("ArrowDown", 40, ""),
    "ArrowUp": ("ArrowUp", 38, ""),
    "Backspace": ("Backspace", 8, ""),
}
# Finds what a person sees under a name: role and text as assistive software would read them.
FIND_JS = """
(text, role) => {
  const plain = (s) => (s || "").replace(/[\\u2066-\\u2069]/g, "").replace(/\\s+/g, " ").trim();
  const roles = {BUTTON: "button", A: "link", SUMMARY: "button", TEXTAREA: "textbox"};
  const roleOf = (e) => e.getAttribute("role") || (e.tagName === "INPUT"
    ? ({checkbox: "checkbox", radio: "radio", submit: "button"}[e.type] || "textbox")
    : roles[e.tagName] || "");
  const nameOf = (e) => plain(e.getAttribute("aria-label")
    || (e.labels && e.labels[0] && e.labels[0].textContent) || e.textContent || e.value);
  const seen = (e) => e.checkVisibility({visibilityProperty: true}) && !e.disabled;
  const all = [...document.querySelectorAll("button,a[href],summary,input,textarea,[role]")]
    .filter((e) => seen(e) && (!role || roleOf(e) === role));
  return all.find((e) => nameOf(e) === text) || all.find((e) => nameOf(e).includes(text)) || null;
}
"""


class BrowserError(Exception):
    """The browser is missing, refused a command, or did not get there in time."""


class Browser:
    """One Chromium process with a profile that is thrown away; use it in a `with` block."""

    LISTENS = "DevTools listening on "
    CLOSE = "Browser.close"

    def __init__(self, *flags: str, whole: bool = True) -> None:
        """Start Chromium with `flags` added. Raises BrowserError when there is none.

        Where its shell is, that does when it need not be `whole`: to lay out and draw pages and to
        run their scripts. Notices, installing, and WebRTC on this machine alone are not of it.
        """
        self._is_whole = whole
        self._folder = tempfile.TemporaryDirectory(
            prefix="telcon-browser-", ignore_cleanup_errors=True
        )
        self._process = subprocess.Popen(
            self._command(Path(self._folder.name), flags),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()
        self._lock = threading.RLock()
        self._ids = itertools.count(1)
        self._listeners: dict[str, Callable[[str, dict[str, Any]], None]] = {}
        self._socket: ClientConnection | None = None
        self._open = contextlib.ExitStack()
        try:
            link = connect(
                self._address(), max_size=None, compression=None, proxy=None, ping_interval=None
            )
            self._socket = self._open.enter_context(link)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The process id of the browser's first process."""
        return self._process.pid

    def new_page(self, url: str = "about:blank", *, beside: Page | None = None) -> Page:
        """Open `url` with cookies of its own, or `beside` another page with that page's."""
        if beside is None:
            context = self.call("Target.createBrowserContext")["browserContextId"]
        else:
            context = beside.context
        page = Page(self, context)
        if url != "about:blank":
            page.goto(url)
        return page

    def call(self, method: str, params: dict[str, Any] | None = None, session: str = "") -> Any:
        """Send one command and wait for its result; events that come meanwhile are handed out."""
        message: dict[str, Any] = {"id": next(self._ids), "method": method, "params": params or {}}
        if session:
            message["sessionId"] = session
        with self._lock:
            if self._socket is None:
                raise BrowserError(f"{method}: the browser is closed")
            self._socket.send(json.dumps(message))
            deadline = time.monotonic() + CALL_S
            while True:
                got = self._receive(method, deadline)
                if got.get("id") == message["id"]:
                    return _result_of(method, got)

    def pump(self, seconds: float) -> None:
        """Hand out events for so long; for tests that only listen."""
        deadline = time.monotonic() + seconds
        with self._lock:
            while time.monotonic() < deadline:
                try:
                    self._receive("pump", deadline)
                except BrowserError:
                    return

    def listen(self, session: str, listener: Callable[[str, dict[str, Any]], None]) -> None:
        """Give the events of `session` to `listener` from now on."""
        self._listeners[session] = listener

    def close(self) -> None:
        """End the browser and wait until it is gone; may be called twice."""
        if self._socket is not None:
            socket, self._socket = self._socket, None
            with contextlib.suppress(ConnectionClosed):  # it may have ended by itself
                socket.send(json.dumps({"id": 0, "method": self.CLOSE, "params": {}}))
            self._open.close()
        else:
            self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(10)
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._folder.cleanup()

    def _command(self, profile: Path, flags: Sequence[str]) -> list[str]:
        return [
            find_chromium(whole=self._is_whole),
            *FLAGS,
            *flags,
            f"--user-data-dir={profile}",
            "about:blank",
        ]

    def _drain(self) -> None:
        stream: IO[str] | None = self._process.stderr
        for line in stream or ():
            if line.startswith(self.LISTENS):
                self._lines.put(line.removeprefix(self.LISTENS).strip())

    def _address(self) -> str:
        try:
            return self._lines.get(timeout=START_S)
        except queue.Empty as error:
            raise BrowserError(f"the browser did not listen within {START_S:.0f} s") from error

    def _receive(self, method: str, deadline: float) -> dict[str, Any]:
        if self._socket is None:
            raise BrowserError(f"{method}: the browser is closed")
        try:
            got = json.loads(self._socket.recv(timeout=max(0.0, deadline - time.monotonic())))
        except TimeoutError as error:
            raise BrowserError(f"{method}: no answer within {CALL_S:.0f} s") from error
        except ConnectionClosed as error:
            raise BrowserError(f"{method}: the browser went away") from error
        listener = self._listeners.get(self._about(got))
        if "method" in got and listener is not None:
            listener(got["method"], got["params"])
        return dict(got)

    def _about(self, got: dict[str, Any]) -> str:
        """Return whose event this is, as `listen` names it."""
        return str(got.get("sessionId", ""))


class Page:
    """One tab. `errors` holds every complaint since it was opened, content policy included."""

    def __init__(self, browser: Browser, context: str) -> None:
        """Open an empty tab in `context`; use `Browser.new_page`."""
        self.browser = browser
        self.context = context
        self.errors: list[str] = []
        self.requests: list[str] = []
        made = browser.call(
            "Target.createTarget", {"url": "about:blank", "browserContextId": context}
        )
        self._target = str(made["targetId"])
        attached = browser.call(
            "Target.attachToTarget", {"targetId": self._target, "flatten": True}
        )
        self._session = str(attached["sessionId"])
        browser.listen(self._session, self._event)
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        """Send a command of the debugging protocol to this tab."""
        return self.browser.call(method, params, self._session)

    def goto(self, url: str) -> None:
        """Load `url` and wait until its scripts have run; an address apart only by # reloads."""
        got = self.call("Page.navigate", url=url)
        if got.get("errorText"):
            raise BrowserError(f"{url}: {got['errorText']}")
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def inject(self, script: str) -> None:
        """Run `script` in every document of this tab before its own scripts."""
        self.call("Page.addScriptToEvaluateOnNewDocument", source=script)

    def evaluate(self, expression: str) -> Any:
        """Return the value of `expression`; a promise is waited for."""
        got = self.call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=False,
        )
        if "exceptionDetails" in got:
            raise BrowserError(f"{expression[:200]}: {_words(got['exceptionDetails'])}")
        return got["result"].get("value")

    def wait_for(self, expression: str, deadline_s: float = WAIT_S) -> Any:
        """Return the value of `expression` once it is truthy.

        Raises BrowserError with the page's text when that takes longer than `deadline_s`.
        """
        until = time.monotonic() + deadline_s
        last = "never true"
        while time.monotonic() < until:
            try:
                value = self.evaluate(_poll(expression))
            except BrowserError as error:  # a navigation took the document away
                last = str(error)
                continue
            if value:
                return value
        raise BrowserError(
            f"waited {deadline_s} s for {expression}: {last}; errors {self.errors}; "
            f"the page says {self.text()[:1500]!r}"
        )

    def reload(self) -> None:
        """Load the page anew; it asks whether that is meant, and the person confirms it."""
        self.evaluate("void (window.before = true)")
        self.call("Page.reload")
        until = time.monotonic() + WAIT_S
        while True:
            try:
                self.call("Page.handleJavaScriptDialog", accept=True)
                break
            except BrowserError:  # it has not asked yet
                if time.monotonic() > until:
                    raise
                self.browser.pump(0.05)
        self.wait_for("!window.before && document.readyState === 'complete'")

    def text(self) -> str:
        """Return the visible text, spaces folded, direction marks removed."""
        return str(
            self.evaluate(
                "(document.body ? document.body.innerText : '')"
                ".replace(/[\\u2066-\\u2069]/g, '').replace(/\\s+/g, ' ').trim()"
            )
        )

    def wait_text(self, words: str, deadline_s: float = WAIT_S) -> None:
        """Wait until the visible text holds `words`, wherever lines break and in any case."""
        needle = json.dumps(" ".join(words.split()).lower())
        self.wait_for(
            "(document.body ? document.body.innerText : '').replace(/[\\u2066-\\u2069]/g, '')"
            f".replace(/\\s+/g, ' ').toLowerCase().includes({needle})",
            deadline_s,
        )

    def click(self, text: str, role: str = "", deadline_s: float = WAIT_S) -> None:
        """Click, as a person would, what is visible under `text` (and has `role`).

        A person does not tap at what still moves: it has to be found twice at one place.
        """
        found = f"({FIND_JS})({json.dumps(text)}, {json.dumps(role)})"
        where = (
            f"(() => {{ const e = {found}; if (!e) return null;"
            " e.scrollIntoView({block: 'center', behavior: 'instant'});"
            " const r = e.getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        until = time.monotonic() + deadline_s
        spot, before = self.wait_for(where, deadline_s), None
        while spot != before:
            if time.monotonic() > until:
                raise BrowserError(f"{text!r} does not stand still")
            self.browser.pump(STILL_S)
            spot, before = self.wait_for(where, deadline_s), spot
        self.click_at(spot[0], spot[1])

    def click_at(self, x: float, y: float) -> None:
        """Click at a place, in CSS pixels from the upper left corner of what is visible."""
        where = {"x": x, "y": y, "button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.call("Input.dispatchMouseEvent", type="mousePressed", **where)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", **where)

    def has(self, text: str, role: str = "") -> bool:
        """Tell whether something visible and usable bears `text`."""
        return bool(self.evaluate(f"!!({FIND_JS})({json.dumps(text)}, {json.dumps(role)})"))

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press and release one of `KEYS`."""
        code, number, text = KEYS[key]
        base = {"key": " " if key == "Space" else key, "code": code}
        base_n = {"windowsVirtualKeyCode": number, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **base, **base_n)
        self.call("Input.dispatchKeyEvent", type="keyUp", **base, **base_n)

    def tab_to(self, text: str, most: int = 40) -> None:
        """Press Tab until what has the focus bears `text`."""
        for _ in range(most):
            self.press("Tab")
            if text in self.focused():
                return
        raise BrowserError(f"no way to {text!r} by {most} times Tab; last: {self.focused()!r}")

    def focused(self) -> str:
        """Return the name of what has the keyboard focus; empty when nothing has it."""
        return str(
            self.evaluate(
                "(document.activeElement === document.body ? ''"
                " : document.activeElement.getAttribute('aria-label')"
                " || document.activeElement.innerText || '')"
                ".replace(/[\\u2066-\\u2069]/g, '').replace(/\\s+/g, ' ').trim()"
            )
        )

    def type(self, text: str) -> None:
        """Put `text` where the cursor is."""
        self.call("Input.insertText", text=text)

    def set_viewport(self, width: int, height: int, *, scale: float = 1) -> None:
        """Give the tab this size in CSS pixels; below 600 px it is a phone."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )

    def prefer(self, scheme: Literal["light", "dark"] = "light", *, still: bool = True) -> None:
        """Set the colours a person prefers, and whether motion is unwanted."""
        motion = "reduce" if still else "no-preference"
        self.call(
            "Emulation.setEmulatedMedia",
            features=[
                {"name": "prefers-color-scheme", "value": scheme},
                {"name": "prefers-reduced-motion", "value": motion},
            ],
        )

    def go_offline(self, *, offline: bool = True) -> None:
        """Cut this tab's network, or mend it; streams between peers stay."""
        self.call(
            "Network.emulateNetworkConditions",
            offline=offline,
            latency=0,
            downloadThroughput=-1,
            uploadThroughput=-1,
        )

    def screenshot(self, path: Path) -> None:
        """Write what is visible as a PNG to `path`."""
        got = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(got["data"]))

    def close(self) -> None:
        """Close the tab as a person would."""
        self.browser.call("Target.closeTarget", {"targetId": self._target})

    def _event(self, method: str, params: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.errors.append(_words(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.errors.append(" ".join(str(a.get("value", a)) for a in params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            entry = params["entry"]
            if entry.get("url") == "about:blank":
                return  # the tab has left the page; its icon was still on its way
            self.errors.append(f"{entry['source']}: {entry['text']} {entry.get('url', '')}".strip())
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])


def find_chromium(*, whole: bool = True) -> str:
    """Return the path of a Chromium; of its shell, where there is one, if it need not be `whole`.

    Raises BrowserError that says what to install.
    """
    if not whole and (shell := shutil.which(SHELL, path=SHELLS_FOLDER)):
        return shell
    for name in NAMES:
        path = shutil.which(name)
        if path is not None:
            return path
    raise BrowserError("no Chromium here: apt-get install chromium")


def _poll(expression: str) -> str:
    # Waits inside the page, so that a state of a few milliseconds is not missed between two calls.
    return (
        "new Promise((done, fail) => { const end = performance.now() + 500; const look = () => {"
        f" let v; try {{ v = ({expression}); }} catch (e) {{ return fail(e); }}"
        " if (v || performance.now() > end) return done(v || null);"
        " setTimeout(look, 10); }; look(); })"
    )


def _result_of(method: str, got: dict[str, Any]) -> Any:
    if "error" in got:
        error = got["error"]  # an object here; in WebDriver BiDi a name with words beside it
        words = error.get("message") if isinstance(error, dict) else f"{error}: {got['message']}"
        raise BrowserError(f"{method}: {words}")
    return got["result"]


def _words(details: dict[str, Any]) -> str:
    exception = details.get("exception", {})
    return str(exception.get("description") or exception.get("value") or details.get("text"))

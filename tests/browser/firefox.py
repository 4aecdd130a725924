"""A small driver for headless Firefox over WebDriver BiDi, with the same hands as `browser.cdp`.

What a test does with a page of Chromium it does with one of Firefox: go, click, wait, read. Only
what is needed for that is here. The preferences let Firefox reach a node on this machine alone
(it leaves 127.0.0.1 out of ICE otherwise) and open a microphone without asking. Its clock of audio
is a sound server with a sink that nobody hears: without one Firefox plays nothing.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from browser.cdp import Browser, BrowserError, Page

__all__ = ["Firefox", "FirefoxPage", "address_in_ice"]

NAMES = ("firefox-esr", "firefox")
FLAGS = (
    "--headless",
    "--no-remote",
    "--remote-debugging-port=0",
    "--remote-allow-system-access",  # for the permission alone
)
PREFERENCES: dict[str, bool | int | str] = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.autoplay.default": 0,
    "network.dns.disableIPv6": True,
    "network.proxy.type": 0,
    "app.update.auto": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
}
# A permission holds for the cookies that it was given beside: for those of every tab, then.
ALLOW_JS = """
(origin) => {
  for (const { userContextId } of gBrowser.tabs) {
    const principal = Services.scriptSecurityManager.createContentPrincipal(
      Services.io.newURI(origin), { userContextId });
    Services.perms.addFromPrincipal(principal, "microphone", Services.perms.ALLOW_ACTION);
  }
}
"""
SOUND_S = 20  # in which a sound server has to listen
KEYS = {
    "Enter": "\ue007",
    "Tab": "\ue004",
    "Escape": "\ue00c",
    "Space": " ",
    "ArrowDown": "\ue015",
    "ArrowUp": "\ue013",
    "Backspace": "\ue003",
}
SHIFT = "\ue008"


class Firefox(Browser):
    """One Firefox process with a profile that is thrown away; use it in a `with` block."""

    LISTENS = "WebDriver BiDi listening on "
    CLOSE = "browser.close"

    def __init__(self, *flags: str) -> None:
        """Start Firefox with `flags` added. Raises BrowserError when there is none."""
        self._sound: subprocess.Popen[bytes] | None = None
        super().__init__(*flags)
        try:
            self.call("session.new", {"capabilities": {}})
            self.call("session.subscribe", {"events": ["log.entryAdded"]})
        except BaseException:
            self.close()
            raise

    def new_page(self, url: str = "about:blank", *, beside: Page | None = None) -> Page:
        """Open `url` with cookies of its own, or `beside` another page with that page's."""
        if beside is None:
            context = self.call("browser.createUserContext")["userContext"]
        else:
            context = beside.context
        page = FirefoxPage(self, context)
        if url != "about:blank":
            page.goto(url)
        return page

    def allow_microphone(self, origin: str) -> None:
        """Let the pages of `origin` open a microphone, as a person does who has allowed it once."""
        (chrome, *_) = self.call("browsingContext.getTree", {"moz:scope": "chrome"})["contexts"]
        self.call(
            "script.evaluate",
            {
                "expression": f"({ALLOW_JS})({json.dumps(origin)})",
                "target": {"context": chrome["context"]},
                "awaitPromise": False,
            },
        )

    def _command(self, profile: Path, flags: Sequence[str]) -> list[str]:
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
        (profile / "user.js").write_text("\n".join(lines))
        firefox = [find_firefox(), *FLAGS, *flags, "--profile", str(profile)]
        sound = profile / "sound" / "native"
        self._sound = start_sound(sound)
        return ["env", f"PULSE_SERVER=unix:{sound}", *firefox]

    def close(self) -> None:
        """End the browser and its sound server; may be called twice."""
        super().close()
        if self._sound is not None:
            self._sound.terminate()
            self._sound.wait()

    def _address(self) -> str:
        return super()._address() + "/session"

    def _about(self, got: dict[str, Any]) -> str:
        params = got.get("params", {})
        return str(params.get("source", params).get("context", ""))


def address_in_ice() -> str:
    """Return an address of this machine from which Firefox reaches a node on it.

    Newer builds never put 127.0.0.1 into ICE, and from another address they do not try it. What
    goes to the machine's own address does not leave it either.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # asks for the route, sends nothing
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def start_sound(path: Path) -> subprocess.Popen[bytes]:
    """Start a sound server that listens on `path`. Raises BrowserError when it does not."""
    path.parent.mkdir(mode=0o700)
    told = {"HOME": str(path.parent), "PULSE_RUNTIME_PATH": str(path.parent)}
    try:
        sound = subprocess.Popen(
            [
                *("pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"),
                *("--disable-shm", "--realtime=no", "--high-priority=no"),
                *("-L", "module-null-sink rate=48000"),
                *("-L", f"module-native-protocol-unix auth-anonymous=1 socket={path}"),
            ],
            env={**os.environ, **told},
            stderr=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise BrowserError("pulseaudio is not installed") from error
    until = time.monotonic() + SOUND_S
    while not path.exists():
        if sound.poll() is not None or time.monotonic() > until:
            sound.kill()
            sound.wait()
            raise BrowserError("the sound server does not listen")
        with contextlib.suppress(subprocess.TimeoutExpired):
            sound.wait(0.02)
    return sound


class FirefoxPage(Page):
    """One tab of Firefox. `errors` holds every complaint since it was opened."""

    def __init__(self, browser: Firefox, context: str) -> None:
        """Open an empty tab in the user context `context`; use `Firefox.new_page`."""
        self.browser: Firefox = browser
        self.context = context
        self.errors = []
        self.requests = []
        made = browser.call("browsingContext.create", {"type": "tab", "userContext": context})
        self._tab = str(made["context"])
        browser.listen(self._tab, self._event)

    def call(self, method: str, **params: Any) -> Any:
        """Send a command of WebDriver BiDi about this tab."""
        return self.browser.call(method, {"context": self._tab, **params})

    def goto(self, url: str) -> None:
        """Load `url` and wait until its scripts have run; an address apart only by # reloads."""
        # As Chromium's flags do. Without it Firefox would also keep 127.0.0.1 out of ICE.
        self.browser.allow_microphone("://".join(urlsplit(url)[:2]))
        self.call("browsingContext.navigate", url=url, wait="complete")

    def inject(self, script: str) -> None:
        """Firefox may run it in the window of the document before, which is gone by then."""
        raise NotImplementedError

    def evaluate(self, expression: str) -> Any:
        """Return the value of `expression`; a promise is waited for."""
        got = self.browser.call(
            "script.evaluate",
            {
                "expression": f"(async () => JSON.stringify([await ({expression})]))()",
                "target": {"context": self._tab},
                "awaitPromise": True,
            },
        )
        if got["type"] == "exception":
            raise BrowserError(f"{expression[:200]}: {got['exceptionDetails']['text']}")
        return json.loads(got["result"]["value"])[0]

    def click_at(self, x: float, y: float) -> None:
        """Click at a place, in CSS pixels from the upper left corner of what is visible."""
        self._perform(
            "pointer",
            {"type": "pointerMove", "x": round(x), "y": round(y)},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        )

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press and release one of `KEYS`."""
        held = [SHIFT, KEYS[key]] if shift else [KEYS[key]]
        self._perform(
            "key",
            *({"type": "keyDown", "value": value} for value in held),
            *({"type": "keyUp", "value": value} for value in reversed(held)),
        )

    def type(self, text: str) -> None:
        """Type `text` where the cursor is."""
        strokes = [{"type": kind, "value": c} for c in text for kind in ("keyDown", "keyUp")]
        self._perform("key", *strokes)

    def set_viewport(self, width: int, height: int, *, scale: float = 1) -> None:
        """Give the tab this size in CSS pixels."""
        self.call(
            "browsingContext.setViewport",
            viewport={"width": width, "height": height},
            devicePixelRatio=scale,
        )

    def prefer(self, scheme: Literal["light", "dark"] = "light", *, still: bool = True) -> None:
        """Firefox takes these from its preferences: not to be chosen for one tab."""
        raise NotImplementedError

    def go_offline(self, *, offline: bool = True) -> None:
        """Not to be had over WebDriver BiDi yet."""
        raise NotImplementedError

    def screenshot(self, path: Path) -> None:
        """Write what is visible as a PNG to `path`."""
        got = self.call("browsingContext.captureScreenshot")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(got["data"]))

    def close(self) -> None:
        """Close the tab as a person would."""
        self.call("browsingContext.close")

    def _perform(self, kind: Literal["pointer", "key"], *actions: dict[str, Any]) -> None:
        self.call("input.performActions", actions=[{"type": kind, "id": kind, "actions": actions}])

    def _event(self, method: str, params: dict[str, Any]) -> None:
        if method == "log.entryAdded" and params["level"] == "error":
            frames = (params.get("stackTrace") or {}).get("callFrames", ())
            where = (f"{one['url']}:{one['lineNumber']}" for one in frames)
            self.errors.append(" at ".join([str(params["text"]), *where]))


def find_firefox() -> str:
    """Return the path of a Firefox. Raises BrowserError that says what to install."""
    for name in NAMES:
        path = shutil.which(name)
        if path is not None:
            return path
    raise BrowserError("no Firefox here: apt-get install firefox-esr")

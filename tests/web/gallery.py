"""Every screen in one browser tab: snapshots are pushed into it, and a careful eye looks at each.

The eye (`sight.js`) and other tools run in a world of their own inside the page, put there by the
debugging protocol: the page's content policy stays in force, and nothing of theirs is seen by it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from browser.cdp import Browser
from fakes.desk import CALL, SCREENS, STEPS, idle, in_call, screen
from web.serving import Served, served

HERE = Path(__file__).parent
SIGHT = (HERE / "sight.js").read_text(encoding="utf-8")
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
PHONE, DESK, NARROW = (360, 640), (1280, 800), (320, 568)
READY = """document.fonts.ready.then(() => new Promise((done) =>
  requestAnimationFrame(() => requestAnimationFrame(() => done(true)))))"""


class Gallery:
    """One tab that shows any screen of `SCREENS`."""

    def __init__(self, browser: Browser, pages: Served, *, language: str = "") -> None:
        """Open the page signed in; `language` is the one asked for, or the node's own."""
        self.pages = pages
        self.tab = browser.new_page()
        self.tab.set_viewport(*PHONE)
        self.tab.prefer("light")
        name, _, value = pages.signed_in().partition("=")
        self.tab.call("Network.setCookie", name=name, value=value, url=pages.address)
        self._world: int | None = None
        self._shown = 0
        self.open(language)

    def open(self, language: str = "") -> None:
        """Load the page anew."""
        self._world = None
        self.pages.show(idle())
        self.tab.goto(f"{self.pages.address}/{f'?lang={language}' if language else ''}")
        self.tab.wait_for("document.documentElement.dataset.screen === 'contacts'")

    def show(self, name: str) -> None:
        """Bring screen `name` before the eye, and wait for its words."""
        self._put_away()
        _, where, words = SCREENS[name]
        snapshot = self._fresh(name)
        call = snapshot["call"]
        if call and call["ended"]:
            self.pages.show(in_call("ringing", call["side"], call=call["call"]))
            self.tab.wait_for(
                "['ringing', 'incoming'].includes(document.documentElement.dataset.call)"
            )
        self.tab.evaluate(f"void (location.hash = {json.dumps(where)})")
        self.pages.show(snapshot)
        for step in STEPS.get(name, ()):
            self.tab.click(step)
        for sentence in words:
            self.tab.wait_text(sentence)

    def look(self, size: tuple[int, int] = PHONE, scheme: Scheme = "light") -> None:
        """Give the tab this size and these colours, and wait until they are drawn."""
        self.tab.set_viewport(*size)
        self.tab.prefer(scheme)
        self.tab.evaluate(READY)

    def ask(self, expression: str) -> Any:
        """Return the value of `expression` with the eye's tools at hand."""
        if self._world is None:
            self._world = self.new_world("sight", SIGHT)
        return self.in_world(self._world, expression)

    def new_world(self, name: str, script: str) -> int:
        """Return a world beside the page's own in which `script` has run."""
        frame = self.tab.call("Page.getFrameTree")["frameTree"]["frame"]["id"]
        made = self.tab.call("Page.createIsolatedWorld", frameId=frame, worldName=name)
        world = int(made["executionContextId"])
        self.in_world(world, f"{script}\n;0")
        return world

    def in_world(self, world: int, expression: str) -> Any:
        """Return the value of `expression` in `world`; a promise is waited for."""
        got = self.tab.call(
            "Runtime.evaluate",
            expression=expression,
            contextId=world,
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in got:
            raise AssertionError(f"{expression[:80]}: {got['exceptionDetails']}")
        return got["result"].get("value")

    def picture(self, path: Path) -> None:
        """Write what is visible as a PNG to `path`; quick rather than small."""
        got = self.tab.call("Page.captureScreenshot", format="png", optimizeForSpeed=True)
        path.write_bytes(base64.b64decode(got["data"]))

    def _fresh(self, name: str) -> dict[str, Any]:
        # The page remembers which calls it has put away: each showing has a call of its own.
        self._shown += 1
        text = json.dumps(screen(name)).replace(CALL, f"{self._shown:032x}")
        return dict(json.loads(text))

    def _put_away(self) -> None:
        if self.tab.evaluate("document.documentElement.dataset.call") == "ended":
            self.tab.press("Escape")
        self.tab.evaluate("void (location.hash = '')")
        self.pages.show(idle())
        self.tab.wait_for("document.documentElement.dataset.screen === 'contacts'")


@contextmanager
def gallery(browser: Browser) -> Iterator[Gallery]:
    """Give a gallery with pages of its own."""
    with served() as pages:
        opened = Gallery(browser, pages)
        yield opened
        opened.tab.close()

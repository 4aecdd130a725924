"""Every screen in one browser tab: snapshots are pushed into it, and a careful eye looks at each.

The eye (`sight.js`) and other tools run in a world of their own inside the page, put there by the
debugging protocol: the page's content policy stays in force, and nothing of theirs is seen by it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from browser.cdp import Browser
from fakes.desk import (
    ARABIC,
    CALL,
    GOOD_SECRET,
    LINE,
    LONG,
    PEER,
    SCREENS,
    STEPS,
    course,
    course_of_a_record,
    idle,
    in_call,
    message,
    screen,
)
from telcon.errors import LinkDownError
from web.serving import Served, served

SIGHT = (Path(__file__).parent / "sight.js").read_text(encoding="utf-8")
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
PHONE, DESK, NARROW = (360, 640), (1280, 800), (320, 568)
# The page asks before it is left in a call; nobody is here to answer that.
LEAVE_JS = "addEventListener('beforeunload', (event) => event.stopImmediatePropagation())"
READY = """document.fonts.ready.then(() => new Promise((done) =>
  requestAnimationFrame(() => requestAnimationFrame(() => done(true)))))"""


class Gallery:
    """One tab that shows any screen of `SCREENS`."""

    def __init__(self, browser: Browser, pages: Served, language: str = "en") -> None:
        """Open the page, signed in, in `language`; words are waited for in English alone."""
        self.pages = pages
        self.language = language
        self.knows_words = language == "en"
        """Whether whoever looks on can tell how an English sentence reads here."""
        self.tab = browser.new_page()
        self.tab.set_viewport(*PHONE)
        self.tab.prefer("light")
        self.tab.inject(LEAVE_JS)
        # The worker brings nothing to a screen, and all that is loaded would go through it.
        self.tab.call("Network.setBypassServiceWorker", bypass=True)
        self._worlds: dict[str, int] = {}
        self._loads = 0
        self._shown = 0
        self._elsewhere = False
        self.open()

    def open(self, path: str = "/") -> None:
        """Load the page anew, signed in and with the desk at rest; or `path` of the node."""
        self._worlds.clear()
        self._loads += 1
        self.pages.desk.answers.pop("ring", None)
        self.pages.show(idle())
        name, _, value = self.pages.signed_in().partition("=")
        self.tab.call("Network.setCookie", name=name, value=value, url=self.pages.address)
        cookie = {"name": "telcon-language", "value": self.language, "url": self.pages.address}
        self.tab.call("Network.setCookie", **cookie)
        where, _, fragment = path.partition("#")
        self.tab.goto(f"{self.pages.address}{where}?{self._loads}#{fragment}")
        if path == "/":
            self.tab.wait_for("document.documentElement.dataset.screen === 'contacts'")

    def show(self, name: str) -> None:
        """Bring a screen of `SCREENS` or a place of `PLACES` before the eye, with all its words."""
        self.tab.errors.clear()
        if name in SCREENS:
            return self._show_screen(name)
        self._elsewhere = True
        self.open()
        PLACES[name](self)
        return None

    def words(self, *sentences: str) -> None:
        """Wait until all `sentences` are seen."""
        known = [sentence for sentence in sentences if self.knows_words or is_a_name(sentence)]
        for sentence in known:
            self.tab.wait_text(sentence)

    def _show_screen(self, name: str) -> None:
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
        self.words(*words)

    def look(self, size: tuple[int, int] = PHONE, scheme: Scheme = "light") -> None:
        """Give the tab this size and these colours, and wait until they are drawn."""
        self.tab.set_viewport(*size)
        self.tab.prefer(scheme)
        self.tab.evaluate(READY)

    def ask(self, expression: str) -> Any:
        """Return the value of `expression` with the eye's tools at hand."""
        return self.in_world("sight", SIGHT, expression)

    def in_world(self, name: str, script: str, expression: str) -> Any:
        """Return the value of `expression` in a world beside the page's own, where `script` ran."""
        if name not in self._worlds:
            frame = self.tab.call("Page.getFrameTree")["frameTree"]["frame"]["id"]
            made = self.tab.call("Page.createIsolatedWorld", frameId=frame, worldName=name)
            self._worlds[name] = int(made["executionContextId"])
            self._evaluate(name, f"{script}\n;0")
        return self._evaluate(name, expression)

    def _evaluate(self, name: str, expression: str) -> Any:
        got = self.tab.call(
            "Runtime.evaluate",
            expression=expression,
            contextId=self._worlds[name],
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in got:
            raise AssertionError(f"{expression[:80]}: {got['exceptionDetails']}")
        return got["result"].get("value")

    def picture(self, folder: Path | None, name: str) -> None:
        """Write what is visible as a PNG to `folder`, if any; quick rather than small."""
        if folder is not None:
            got = self.tab.call("Page.captureScreenshot", format="png", optimizeForSpeed=True)
            (folder / name).write_bytes(base64.b64decode(got["data"]))

    def _fresh(self, name: str) -> dict[str, Any]:
        # The page remembers which calls it has put away: each showing has a call of its own.
        self._shown += 1
        text = json.dumps(screen(name)).replace(CALL, f"{self._shown:032x}")
        return dict(json.loads(text))

    def _put_away(self) -> None:
        if self._elsewhere:
            self._elsewhere = False
            self.open()
        if self.tab.evaluate("document.documentElement.dataset.call") == "ended":
            self.tab.press("Escape")
        self.tab.evaluate("void (location.hash = '')")
        self.pages.show(idle())
        self.tab.wait_for("document.documentElement.dataset.screen === 'contacts'")


def is_a_name(words: str) -> bool:
    """Tell whether `words` are the same in every language."""
    return any(words in name for name in (*PEER.values(), *LONG.values(), *ARABIC.values()))


@contextmanager
def gallery(browser: Browser, language: str = "en") -> Iterator[Gallery]:
    """Give a gallery with pages of its own."""
    with served() as pages:
        opened = Gallery(browser, pages, language)
        yield opened
        opened.tab.close()


def _sign_in(shown: Gallery) -> None:
    shown.open(f"/sign-in#{GOOD_SECRET}")
    shown.words("This link signs you in")


def _used_link(shown: Gallery) -> None:
    shown.open(f"/sign-in#{'x' * 22}")
    shown.tab.click("Sign in", "button")
    shown.words("This link does not open any more")
    shown.tab.errors.clear()  # the browser's own words about the refusal


def _signed_out(shown: Gallery) -> None:
    shown.tab.click("This device", "button")
    shown.tab.click("Sign out", "button")
    shown.words("You are signed out")
    shown.tab.errors.clear()  # the browser's own words about what is refused from now on


def _no_microphone(shown: Gallery) -> None:
    refuse = "() => Promise.reject(new DOMException('not here', 'NotAllowedError'))"
    shown.tab.evaluate(f"void (navigator.mediaDevices.getUserMedia = {refuse})")
    shown.tab.click("Call Elena Voss", "button")
    shown.words("The microphone is blocked", "Try again")


def _no_contact(shown: Gallery) -> None:
    deaf = "class extends EventTarget { send() {} close() {} }"  # opens for ever
    shown.tab.evaluate(f"void (WebSocket = {deaf}, dispatchEvent(new Event('offline')))")
    shown.words("No contact with your own node since")


def _refused(shown: Gallery) -> None:
    shown.pages.desk.answers["ring"] = LinkDownError("no path")
    shown.tab.click("Call Elena Voss", "button")
    shown.words("The line is down just now")


def _aside(shown: Gallery) -> None:
    shown.pages.show(in_call("live"))
    shown.tab.click("Messages", "button")
    shown.words("Nothing written yet", "Back to the call")


# What no snapshot brings about: name → how to get there from the page at rest.
def _timeline(shown: Gallery) -> None:
    shown.pages.desk.courses[CALL] = course()
    shown.open(f"/calls/{CALL}")
    shown.words("Call with Elena Voss", "Ines Roth joined", "Print")


def _timeline_of_a_record(shown: Gallery) -> None:
    shown.pages.desk.courses[CALL] = course_of_a_record()
    shown.open(f"/calls/{CALL}")
    shown.words("Their node says that it destroyed its record", "The minister asked")


def _not_found(shown: Gallery) -> None:
    shown.open("/nowhere")
    shown.words("There is nothing at this address", "Back to the lines")
    shown.tab.errors.clear()  # the browser's own words about the refusal


def _found(shown: Gallery) -> None:
    hit = message(0, "The Élysée at noon, then the élysée again.", ours=False)
    shown.pages.desk.answers["search"] = {"found": [hit], "next": 0, "of": 90}
    shown.pages.show(screen("messages-older"))
    shown.tab.evaluate(f"void (location.hash = 'messages/{LINE}')")
    shown.tab.click("Search", "button")
    shown.tab.wait_for("!!document.querySelector('input[type=search]:focus')")
    shown.tab.type("elysee")
    shown.tab.press("Enter")
    shown.words("1 message found")


PLACES: dict[str, Callable[[Gallery], None]] = {
    "sign-in": _sign_in,
    "sign-in-used": _used_link,
    "signed-out": _signed_out,
    "no-microphone": _no_microphone,
    "no-contact": _no_contact,
    "refused": _refused,
    "messages-in-call": _aside,
    "messages-found": _found,
    "timeline": _timeline,
    "timeline-of-a-record": _timeline_of_a_record,
    "not-found": _not_found,
}
ALL = (*SCREENS, *PLACES)

"""The page's media leg against a second browser page in the node's place: real ICE, DTLS, SRTP."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from browser.audio import LISTENING_JS, voice
from browser.cdp import Browser, Page
from fakes.desk import CALL, GOOD_SECRET, THEIRS, in_call, quality
from telcon.errors import OperatorError
from web.serving import Served

pytestmark = pytest.mark.browser

# Answers an offer as a node does: hears the one line in, speaks a tone on the first of four out.
NODE_JS = """
window.node = new RTCPeerConnection({iceServers: []});
node.addEventListener("track", ({track}) => {  // Chromium decodes only what some element plays
  const player = new Audio();
  player.srcObject = new MediaStream([track]);
  player.play();
});
window.answer = async (sdp) => {
  await node.setRemoteDescription({type: "offer", sdp});
  const [from, ...to] = node.getTransceivers();
  for (const slot of to) slot.direction = "sendonly";
  if (!window.spoken) await to[0].sender.replaceTrack(tests.tone(660).getTracks()[0]);
  window.spoken = true;
  await node.setLocalDescription();
  while (node.iceGatheringState !== "complete") {
    await new Promise((done) => node.addEventListener("icegatheringstatechange", done));
  }
  return node.localDescription.sdp;
};
"""


class NodePage:
    """Takes the offers of the page under test to the other page, and its answers back."""

    def __init__(self, page: Page, pages: Served) -> None:
        self.page = page
        self.pages = pages
        self._answer: Future[str] = Future()
        pages.desk.hold = self._hold

    def answer(self, kind: str = "offer") -> None:
        """Answer the next message of `kind`."""
        number = len(self.pages.desk.asked(kind))
        assert self.pages.desk.wait(lambda: len(self.pages.desk.asked(kind)) > 0), number
        sdp = self.pages.desk.asked(kind)[-1]["sdp"]
        self.pages.desk.answers[kind] = {"sdp": self.page.evaluate(f"answer({json.dumps(sdp)})")}
        self._answer.set_result("")

    async def _hold(self, message: Mapping[str, Any]) -> None:
        if message["do"] in ("offer", "restart"):
            await asyncio.wrap_future(self._answer)


@pytest.fixture(scope="module")
def near() -> Iterator[Browser]:
    """Give a browser that tells its addresses: names would not be found without multicast."""
    with Browser("--disable-features=WebRtcHideLocalIpsWithMdns") as browser:
        yield browser


@pytest.fixture
def talking(near: Browser, pages: Served) -> Iterator[tuple[Page, NodePage]]:
    """Give a page with a voice of 880 Hz, and the page in the node's place with one of 660 Hz."""
    other = near.new_page()
    other.inject(LISTENING_JS)
    other.goto(f"{pages.address}/sign-in")
    other.evaluate(f"{NODE_JS}; 0")
    page = near.new_page()
    page.inject(voice(880))
    page.goto(f"{pages.address}/sign-in#{GOOD_SECRET}")
    page.click("Sign in", "button")
    page.wait_text("Elena Voss")
    yield page, NodePage(other, pages)
    assert page.errors == []
    page.close()
    other.close()


def answer(page: Page, node: NodePage, pages: Served, **changes: Any) -> None:
    """Bring about a live call in which both hear each other; `changes` are of its snapshot."""
    pages.show(in_call("ringing", "theirs"))
    node.answer()
    page.wait_for("tests.connections[0].connectionState === 'connected'")
    pages.desk.after["answer"] = in_call("live", "theirs", **changes)
    page.click("Answer", "button")
    page.wait_for("tests.hears(660)")
    node.page.wait_for("tests.hears(880)")


def test_a_call_from_ring_to_end(talking: tuple[Page, NodePage], pages: Served) -> None:
    page, node = talking
    pages.show(in_call("ringing", "theirs"))
    node.answer()
    page.wait_for("tests.connections[0].connectionState === 'connected'")
    assert page.evaluate("tests.opened") == 0  # armed: connected without a microphone
    pages.desk.after["answer"] = in_call("live", "theirs")
    page.click("Answer", "button")
    node.page.wait_for("tests.hears(880)")
    page.wait_for("tests.hears(660)")
    page.wait_for("!document.body.innerText.includes('Connecting the sound')")
    slots = {"call": CALL, "slots": [{"slot": 0, "handle": THEIRS, "name": "Elena Voss"}]}
    pages.call(lambda: pages.desk.pass_by({"slots": slots}))
    page.wait_text("their side, principal speaks")
    page.click("Mute", "button")
    node.page.wait_for("!tests.hears(880)")
    page.click("Unmute", "button")
    node.page.wait_for("tests.hears(880)")
    assert page.evaluate("tests.remote") == 1
    page.click("End call", "button")
    page.wait_for("tests.connections[0].connectionState === 'closed'")
    node.page.wait_for("!tests.hears(880)")
    assert page.evaluate("document.querySelectorAll('audio').length") == 0


def test_the_sound_is_judged_and_its_security_named(
    talking: tuple[Page, NodePage], pages: Served
) -> None:
    page, node = talking
    answer(page, node, pages)
    page.wait_for("document.querySelector('[data-part=quality-word]').textContent === 'good'")
    slots = {"call": CALL, "slots": [{"slot": 0, "handle": THEIRS, "name": "Elena Voss"}]}
    pages.call(lambda: pages.desk.pass_by({"slots": slots}))
    page.wait_for(f"{BAR}('ours') > 0.3 && {BAR}('theirs') > 0.3")
    keep_pictures(page, "live-talking")
    page.set_viewport(360, 720)
    page.click("Security", "button")
    page.wait_text("This device to arcadia.example Encrypted, AES with a key of")
    page.click("Quality", "button")
    page.wait_text("To your node and back")


BAR = (
    "(side => Math.max(...[...document.querySelectorAll(`.bars .${side} i`)]"
    ".map((bar) => +bar.style.getPropertyValue('--l'))))"
)


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"missed": 0.2}, "weak: they may miss words"),
        ({"trunk_silent_ms": 9000}, "Nothing comes from borealis.example since"),
    ],
)
def test_what_the_node_knows_of_the_sound_is_said(
    known: dict[str, Any], words: str, talking: tuple[Page, NodePage], pages: Served
) -> None:
    page, node = talking
    answer(page, node, pages, quality=quality(**known))
    page.wait_text(words)


def test_a_lost_path_is_said_and_looked_for(talking: tuple[Page, NodePage], pages: Served) -> None:
    page, node = talking
    answer(page, node, pages)
    node.page.evaluate("window.node.close()")
    page.wait_text("The sound is interrupted since", 30)
    page.wait_text("interrupted", 30)
    assert pages.desk.wait(lambda: bool(pages.desk.asked("restart")))


def test_a_device_that_has_slept_looks_for_a_path_at_once(
    talking: tuple[Page, NodePage], pages: Served
) -> None:
    page, node = talking
    answer(page, node, pages)
    page.evaluate("void document.dispatchEvent(new Event('resume'))")
    assert pages.desk.wait(lambda: bool(pages.desk.asked("restart")))


def test_a_leg_that_the_node_gave_up_is_built_anew(
    talking: tuple[Page, NodePage], pages: Served
) -> None:
    page, node = talking
    answer(page, node, pages)
    pages.desk.answers["restart"] = OperatorError("This device's connection is gone.")
    page.evaluate("void document.dispatchEvent(new Event('resume'))")
    assert pages.desk.wait(lambda: len(pages.desk.asked("offer")) > 1)
    assert page.evaluate("tests.tracks[0].readyState") == "live"  # the microphone stays open
    assert page.evaluate("tests.opened") == 1


def test_a_microphone_that_the_device_silences_is_not_said_to_be_heard(
    talking: tuple[Page, NodePage], pages: Served
) -> None:
    page, node = talking
    answer(page, node, pages)
    page.evaluate(
        "void Object.defineProperty(tests.tracks[0], 'muted', {value: true, writable: true})"
    )
    page.evaluate("void tests.tracks[0].dispatchEvent(new Event('mute'))")
    page.wait_text("This device keeps the microphone silent: nobody hears you")
    page.evaluate("void (tests.tracks[0].muted = false)")
    page.evaluate("void tests.tracks[0].dispatchEvent(new Event('unmute'))")
    page.wait_for("!document.body.innerText.includes('keeps the microphone silent')")


def test_an_unplugged_microphone_is_replaced_and_heard(
    talking: tuple[Page, NodePage], pages: Served
) -> None:
    page, node = talking
    answer(page, node, pages)
    page.click("Mute", "button")
    page.evaluate("tests.tracks[0].stop(), tests.tracks[0].dispatchEvent(new Event('ended'))")
    page.wait_for("tests.tracks[1]?.readyState === 'live'")
    node.page.wait_for("!tests.hears(880)")  # muted stays muted
    page.click("Unmute", "button")
    page.wait_text("Your microphone was unplugged; the device’s own is used now")
    node.page.wait_for("tests.hears(880)")


def keep_pictures(page: Page, name: str) -> None:
    """Keep pictures of what cannot be shown without a call, where they are wanted."""
    folder = os.environ.get("TELCON_SCREENSHOTS")
    for size, (width, height) in {"phone": (360, 720), "desk": (1280, 800)}.items():
        for scheme in ("light", "dark"):
            page.set_viewport(width, height)
            page.prefer(scheme)
            if folder:
                page.screenshot(Path(folder) / f"{name}-{size}-{scheme}.png")

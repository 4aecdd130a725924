"""The page's media leg against a second browser page in the node's place: real ICE, DTLS, SRTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from typing import Any

import pytest

from browser.audio import LISTENING_JS, voice
from browser.cdp import Browser, Page
from fakes.desk import CALL, GOOD_SECRET, THEIRS, in_call
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


@pytest.fixture
def talking(pages: Served) -> Iterator[tuple[Page, NodePage]]:
    """Give a page with a voice of 880 Hz, and the page in the node's place with one of 660 Hz."""
    # One machine without multicast: names instead of addresses would not be found.
    with Browser("--disable-features=WebRtcHideLocalIpsWithMdns") as browser:
        other = browser.new_page()
        other.inject(LISTENING_JS)
        other.goto(f"{pages.address}/sign-in")
        other.evaluate(f"{NODE_JS}; 0")
        page = browser.new_page()
        page.inject(voice(880))
        page.goto(f"{pages.address}/sign-in#{GOOD_SECRET}")
        page.click("Sign in", "button")
        page.wait_text("Elena Voss")
        yield page, NodePage(other, pages)
        assert page.errors == []


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

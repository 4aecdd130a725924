"""A real call between two real browsers through two real nodes."""

from itertools import pairwise
from pathlib import Path

import pytest

from browser.audio import voice
from browser.cdp import Browser, Page
from browser.payloads import PAYLOADS_JS
from demo.nodes import DemoNode
from e2e.recordings import pitch
from fakes.red import read_red

pytestmark = [pytest.mark.browser, pytest.mark.process]

CHROMIUMS_OPUS = 111
ARCADIAN_HZ, BOREALIAN_HZ, THIRD_HZ = 440, 880, 1320
THEIR_VOICE_IS_DRAWN = (
    "[...document.querySelectorAll('.bars .theirs i')]"
    ".some((bar) => bar.style.getPropertyValue('--l') > 0.3)"
)
NO_CODECS = ("libopus", "libav", "libspeex", "libmp3lame")


def signed_in(browser: Browser, node: DemoNode, hz: int, beside: Page | None = None) -> Page:
    """Open the page of a node's principal, whose microphone is a tone."""
    page = browser.new_page(beside=beside)
    page.inject(voice(hz))
    if beside is None:
        page.goto(node.sign_in_link())
        page.click("Sign in", "button")
    else:
        page.goto(f"http://{node.party.host}:{node.web_port}/")
    return page


def test_two_browsers_hear_each_other_and_a_third_joins(
    nodes: tuple[DemoNode, DemoNode], tmp_path: Path
) -> None:
    arcadia, borealis = nodes
    with Browser() as browser:
        caller = signed_in(browser, arcadia, ARCADIAN_HZ)
        callee = signed_in(browser, borealis, BOREALIAN_HZ)
        callee.wait_text("Adrian Rey")
        caller.click("Call Elena Voss", "button")
        callee.wait_text("Incoming call")
        callee.wait_text("arcadia.example")
        callee.click("Answer", "button")
        caller.wait_for(f"tests.hears({BOREALIAN_HZ})")
        callee.wait_for(f"tests.hears({ARCADIAN_HZ})")
        for page in (caller, callee):
            page.wait_for(THEIR_VOICE_IS_DRAWN)

        third = signed_in(browser, borealis, THIRD_HZ, beside=callee)
        third.click("Join on this device", "button")
        third.wait_for(f"tests.hears({ARCADIAN_HZ}) && tests.hears({BOREALIAN_HZ})")
        third.wait_text("You are listening on this device")
        assert [page.evaluate("tests.remote") for page in (caller, callee, third)] == [1, 1, 1]

        for node in nodes:
            loaded = Path(f"/proc/{node.pid}/maps").read_text()
            assert not [name for name in NO_CODECS if name in loaded]
        caller.click("End call", "button")
        callee.wait_for(f"!tests.hears({ARCADIAN_HZ})")
        for page in (caller, callee, third):
            assert page.errors == []

    for node in nodes:
        node.telcon("line", "list")
        assert node.stop() == 0
        node.telcon("export", "--last", "--out", str(tmp_path / node.party.node))
        recordings = tmp_path / node.party.node / "recordings"
        assert pitch(recordings / "arcadia.example-1.opus") == pytest.approx(ARCADIAN_HZ, abs=20)
        assert pitch(recordings / "borealis.example-1.opus") == pytest.approx(BOREALIAN_HZ, abs=20)


def test_what_one_browser_encodes_arrives_at_the_other_byte_for_byte(
    nodes: tuple[DemoNode, DemoNode],
) -> None:
    with Browser() as browser:
        caller, callee = browser.new_page(), browser.new_page()
        for page, node, hz in ((caller, nodes[0], 440), (callee, nodes[1], 880)):
            page.inject(voice(hz))
            page.inject(PAYLOADS_JS)
            page.goto(node.sign_in_link())
            page.click("Sign in", "button")
        caller.click("Call Elena Voss", "button")
        callee.click("Answer", "button")
        for listener, hz in ((caller, 880), (callee, 440)):
            listener.wait_for(f"tests.hears({hz}) && tests.arrived.length > 100")
        for speaker, listener in ((caller, callee), (callee, caller)):
            arrived = blocks(listener.evaluate("tests.arrived.slice(0, 100)"))
            sent = blocks(speaker.evaluate("tests.sent"))
            first = [own for *_, own in sent].index(arrived[0][-1])
            assert len({own for *_, own in arrived}) > 10
            assert [own for *_, own in arrived] == [own for *_, own in sent[first : first + 100]]
            # RED both ways: the one before rides along, but for a stream's first.
            assert [len(one) for one in arrived] == [1, *([2] * 99)]
            assert all(len(one) == 2 for one in sent[1:])
            assert all(later[0] == before[-1] for before, later in pairwise(arrived))


def blocks(packets: list[str]) -> list[list[bytes]]:
    """Return the Opus payloads in each packet, its own last; a packet may be plain Opus."""
    found = []
    for packet in map(bytes.fromhex, packets):
        is_red = packet[0] & 0x7F == CHROMIUMS_OPUS  # as Opus' first octet it would be SILK, mono
        found.append([data for *_, data in read_red(packet)] if is_red else [packet])
    return found

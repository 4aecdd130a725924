"""The call between two browsers again, with Firefox on each side of it in turn."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from browser.audio import voice
from browser.cdp import Browser, Page
from browser.firefox import Firefox, address_in_ice
from demo.nodes import DemoNode
from e2e.recordings import pitch

pytestmark = [pytest.mark.browser, pytest.mark.process]

ARCADIAN_HZ, BOREALIAN_HZ = 440, 880


def restarted_for_firefox(node: DemoNode) -> None:
    """Restart a node with its media where Firefox looks for it."""
    assert node.stop() == 0
    file = node.folder / "node.toml"
    head, mark, media = file.read_text().partition("[media]")
    file.write_text(head + mark + media.replace("127.0.0.1", address_in_ice()))
    node.start()


def signed_in(browser: Browser, node: DemoNode, other: str, hz: int) -> Page:
    """Open the page of a node's principal, who can call `other`, and whose microphone is a tone."""
    page = browser.new_page()
    page.goto(node.sign_in_link())
    page.click("Sign in", "button")
    page.wait_text(other)
    page.evaluate(f"(() => {{ {voice(hz)} }})()")
    return page


@pytest.mark.parametrize(
    ("kinds"),
    [(Firefox, Browser), (Browser, Firefox)],
    ids=["firefox-rings-chromium", "chromium-rings-firefox"],
)
def test_a_call_of_firefox_is_heard_written_and_recorded(
    kinds: tuple[type[Browser], type[Browser]],
    nodes: tuple[DemoNode, DemoNode],
    tmp_path: Path,
) -> None:
    for node in nodes:
        restarted_for_firefox(node)
    with ExitStack() as open_browsers:
        browsers = [open_browsers.enter_context(kind()) for kind in kinds]
        caller = signed_in(browsers[0], nodes[0], "Elena Voss", ARCADIAN_HZ)
        callee = signed_in(browsers[1], nodes[1], "Adrian Rey", BOREALIAN_HZ)
        talk(caller, callee)
        write(caller, callee, "Read me the second paragraph.")
        caller.click("Back to the call", "button")
        caller.click("End call", "button")
        for page in (caller, callee):
            page.wait_text("Call ended")
            page.wait_for("tests.tracks.every((track) => track.readyState === 'ended')")
            assert page.evaluate("tests.remote") == 1
            assert page.errors == []
    for node in nodes:
        assert node.stop() == 0
        node.telcon("export", "--last", "--out", str(tmp_path / node.party.node))
        recordings = tmp_path / node.party.node / "recordings"
        assert pitch(recordings / "arcadia.example-1.opus") == pytest.approx(ARCADIAN_HZ, abs=20)
        assert pitch(recordings / "borealis.example-1.opus") == pytest.approx(BOREALIAN_HZ, abs=20)


def talk(caller: Page, callee: Page) -> None:
    """Ring, answer, and wait until each hears the other."""
    caller.click("Call Elena Voss", "button")
    caller.wait_for("document.documentElement.dataset.call === 'ringing'")
    callee.wait_text("Incoming call")
    callee.click("Answer", "button")
    caller.wait_for(f"tests.hears({BOREALIAN_HZ})", deadline_s=20)
    callee.wait_for(f"tests.hears({ARCADIAN_HZ})", deadline_s=20)


def write(writer: Page, reader: Page, text: str) -> None:
    """Write a message in the call, and see it signed by both and read."""
    for page in (writer, reader):
        page.click("Messages", "button")
    writer.click("Write to", "textbox")
    writer.type(text)
    writer.click("Send", "button")
    writer.wait_text("signed by both")
    reader.wait_text(text)

"""Makes docs/pictures/: a real call between two nodes, photographed as it goes.

.venv/bin/python scripts/pictures.py
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browser.audio import voice  # noqa: E402 -- the paths above come first
from browser.cdp import Browser, Page  # noqa: E402
from demo.nodes import ARCADIA, BOREALIS, DemoNode, pair  # noqa: E402
from demo.ports import free_ports  # noqa: E402

WIDTH, HEIGHT = 360, 720
SCALE = 2
PICTURES = ROOT / "docs" / "pictures"
TALK = (
    (0, "Can you talk before the council meets?"),
    (1, "Yes. I will be at my desk at ten, just us and interpreters."),
    (0, "Thank you, Elena."),
)
LAST_WORDS = "The draft is with your sherpa."


def main() -> None:
    """Run the call and write the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        nodes = [
            DemoNode(party, Path(folder) / party.organisation) for party in (ARCADIA, BOREALIS)
        ]
        ports = free_ports(8)
        try:
            for number, node in enumerate(nodes):
                node.set_up(ports[4 * number : 4 * number + 4])
                node.start()
            pair(nodes[0], nodes[1], Path(folder) / "invitation")
            for node, other in (nodes, nodes[::-1]):
                node.telcon("line", "test", other.party.node)
            with Browser() as browser:
                photograph(*(open_page(browser, node) for node in nodes))
        finally:
            for node in nodes:
                node.stop()


def photograph(caller: Page, callee: Page) -> None:
    """Take the four pictures, light on the caller's phone and dark on the other."""
    callee.prefer("dark")
    for page in (caller, callee):
        to_the_messages(page)
    for who, words in TALK:
        write((caller, callee)[who], words)
        (caller, callee)[1 - who].wait_text(words)
    to_the_lines(caller)
    take(caller, "contacts")
    caller.click("Call Elena Voss", "button")
    callee.wait_text("Answer")
    take(callee, "incoming")
    callee.click("Answer", "button")
    callee.wait_for("tests.hears(440)")
    callee.wait_text("00:21", deadline_s=60)
    take(callee, "live")
    caller.click("End call", "button")
    caller.click("Done", "button")
    to_the_messages(caller)
    write(caller, LAST_WORDS)
    caller.wait_for("!document.querySelector('.mark[data-state=waiting]')")
    take(caller, "messages")


def write(page: Page, words: str) -> None:
    """Send `words` on the line whose messages are open."""
    page.click("Write to", "textbox")
    page.type(words)
    page.click("Send", "button")
    page.wait_text(words)


def to_the_messages(page: Page) -> None:
    """Open the messages of the only line."""
    page.click("tested", "link", deadline_s=60)
    page.click("Messages", "link")
    page.wait_text("Messages, kept by both sides")


def to_the_lines(page: Page) -> None:
    """Go to the screen that a page begins with."""
    page.evaluate("void (location.hash = '')")
    page.wait_for("document.documentElement.dataset.screen === 'contacts'")


def take(page: Page, name: str) -> None:
    """Photograph `page` when its letters are there."""
    page.evaluate("void document.activeElement.blur()")
    page.evaluate("document.fonts.ready.then(() => new Promise(requestAnimationFrame))")
    page.screenshot(PICTURES / f"{name}.png")


def open_page(browser: Browser, node: DemoNode) -> Page:
    """Sign in as the principal of `node`, on a screen like a phone's."""
    page = browser.new_page()
    page.set_viewport(WIDTH, HEIGHT, scale=SCALE)
    page.prefer("light")
    page.inject(voice(440 if node.party is ARCADIA else 880))
    page.goto(node.sign_in_link())
    page.click("Sign in", "button")
    page.wait_for("document.documentElement.dataset.screen === 'contacts'")
    return page


if __name__ == "__main__":
    main()

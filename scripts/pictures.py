"""Makes docs/pictures/call.png: a real call between two nodes, photographed as it goes.

.venv/bin/python scripts/pictures.py
"""

import base64
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
SHELF = """<style>
body{{margin:0;padding:24px;background:#cfd4d6;display:flex;gap:20px;width:max-content}}
img{{width:{width}px;border-radius:28px;box-shadow:0 8px 24px #0003}}</style>{images}"""


def main() -> None:
    """Run the call and write the picture."""
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
            photograph(nodes, Path(folder))
        finally:
            for node in nodes:
                node.stop()


def photograph(nodes: list[DemoNode], folder: Path) -> None:
    """Take the pictures and put them on one shelf."""
    taken: list[Path] = []

    def take(page: Page, name: str) -> None:
        taken.append(folder / f"{name}.png")
        page.screenshot(taken[-1])

    with Browser() as browser:
        caller, callee = (open_page(browser, node) for node in nodes)
        callee.prefer("dark")
        caller.wait_text("Elena Voss")
        take(caller, "contacts")
        caller.click("Call Elena Voss", "button")
        caller.wait_text("Ringing")
        callee.wait_text("Incoming call")
        take(callee, "incoming")
        callee.click("Answer", "button")
        callee.wait_for("tests.hears(440)")
        callee.wait_text("00:03")
        take(callee, "live")
        caller.click("End call", "button")
        caller.wait_text("Call ended")
        take(caller, "ended")
        shelf = browser.new_page()
        images = "".join(
            f'<img src="data:image/png;base64,{base64.b64encode(p.read_bytes()).decode()}">'
            for p in taken
        )
        shelf.set_viewport((WIDTH + 20) * len(taken) + 28, HEIGHT + 48)
        shelf.call(
            "Page.setDocumentContent",
            frameId=frame(shelf),
            html=SHELF.format(width=WIDTH, images=images),
        )
        browser.pump(0.5)
        shelf.screenshot(ROOT / "docs" / "pictures" / "call.png")


def frame(page: Page) -> str:
    """Return the id of the page's only frame."""
    return str(page.call("Page.getFrameTree")["frameTree"]["frame"]["id"])


def open_page(browser: Browser, node: DemoNode) -> Page:
    """Sign in as the principal of `node`, on a screen like a phone's."""
    page = browser.new_page()
    page.set_viewport(WIDTH, HEIGHT, scale=2)
    page.inject(voice(440 if node.party is ARCADIA else 880))
    page.goto(node.sign_in_link())
    page.click("Sign in", "button")
    return page


if __name__ == "__main__":
    main()

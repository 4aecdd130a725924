"""Signing in: from the tap on the page of a one-time link until the lines can be used.

Each time with a browser that has just been installed, so to speak: a fresh profile, nothing cached.
Read in the page: the tap, then the first frame in which the button that calls the other side can be
pressed, which it cannot be before the live connection has brought the first snapshot. Beside it
stands what the same browser takes to load one small picture of the node a second time.
"""

import tempfile
from pathlib import Path

from bench.figures import Row, at_most, every, median, spread
from bench.two_nodes import paired_nodes
from browser.cdp import FIND_JS, Browser
from demo.nodes import DemoNode

__all__ = ["run"]

TIMES = 7
LIMIT_MS = 1000.0
WATCH_JS = f"""
(() => {{
  const find = {FIND_JS};
  addEventListener("click", () => {{ sessionStorage.tapped = Date.now(); }}, {{capture: true}});
  const look = () => {{
    const there = document.body && find("Call Elena Voss", "button");
    if (!there) return requestAnimationFrame(look);
    window.ready = Date.now() - sessionStorage.tapped;
  }};
  if (sessionStorage.tapped) look();
}})();
"""


def sign_in(node: DemoNode) -> float:
    """Return the milliseconds from tap to ready, in a new browser."""
    with Browser() as browser:
        page = browser.new_page()
        page.inject(WATCH_JS)
        page.goto(node.sign_in_link())
        page.click("Sign in", "button")
        took: float = page.wait_for("window.ready", deadline_s=60)
        return took


def picture(node: DemoNode) -> float:
    """Return the milliseconds that one small picture takes, until it is drawn."""
    with Browser() as browser:
        page = browser.new_page()
        page.inject(
            "const began = sessionStorage.began;"
            "if (began) requestAnimationFrame(() => { window.ready = Date.now() - began; });"
        )
        page.goto(f"http://{node.party.host}:{node.web_port}/static/line.svg")
        page.evaluate("(sessionStorage.began = Date.now(), location.reload(), 1)")
        took: float = page.wait_for("window.ready", deadline_s=60)
        return took


def run() -> list[Row]:
    """Print all times, and return the row."""
    with (
        tempfile.TemporaryDirectory(prefix="telcon-bench-") as place,
        paired_nodes(Path(place)) as (node, _),
    ):
        found = [(sign_in(node), picture(node)) for _ in range(TIMES)]
    times, floor = ([pair[at] for pair in found] for at in (0, 1))
    print(f"tap on Sign in to ready, cold browser, ms\n{every(times, digits=0)}")
    print(f"  {spread(times, digits=0)}")
    print(f"  a picture of the same node alone\n{every(floor, digits=0)}")
    beside = f"a picture alone {median(floor):.0f} ms; worst {max(times):.0f} ms"
    name = "sign-in page to ready, cold browser"
    return [at_most(name, median(times), "ms", LIMIT_MS, beside, times)]

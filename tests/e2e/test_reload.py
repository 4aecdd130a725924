"""A page that is loaded anew in a call between two real nodes keeps its seat and its key."""

import contextlib

import pytest

from browser.cdp import Browser, BrowserError, Page
from demo.nodes import DemoNode
from e2e.test_chromium_call import ARCADIAN_HZ, BOREALIAN_HZ, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.process]


def test_a_reloaded_page_goes_on_with_a_tap(nodes: tuple[DemoNode, DemoNode]) -> None:
    with Browser() as browser:
        caller = signed_in(browser, nodes[0], ARCADIAN_HZ)
        callee = signed_in(browser, nodes[1], BOREALIAN_HZ)
        callee.wait_text("Adrian Rey")
        caller.click("Call Elena Voss", "button")
        callee.click("Answer", "button")
        caller.wait_for(f"tests.hears({BOREALIAN_HZ})")
        callee.wait_for(f"tests.hears({ARCADIAN_HZ})")
        reload(caller)
        caller.wait_text("You were on this call before the page was loaded anew")
        caller.wait_for(f"tests.hears({BOREALIAN_HZ})")
        callee.wait_for(f"!tests.hears({ARCADIAN_HZ})")  # nothing is heard before the tap
        caller.click("Go on speaking", "button")
        callee.wait_for(f"tests.hears({ARCADIAN_HZ})")
        callee.wait_text("2 people")
        assert callee.errors == caller.errors == []


def reload(page: Page) -> None:
    """Load the page anew; the browser asks whether that is meant, and the person confirms it."""
    page.evaluate("void (window.before = true)")
    page.call("Page.reload")
    for _ in range(100):
        with contextlib.suppress(BrowserError):  # it has not asked yet
            page.call("Page.handleJavaScriptDialog", accept=True)
            break
    page.wait_for("!window.before && document.readyState === 'complete'")

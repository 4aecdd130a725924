"""A page that is loaded anew in a call between two real nodes keeps its seat and its key."""

import pytest

from browser.cdp import Browser
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
        caller.reload()
        caller.wait_text("You were on this call before the page was loaded anew")
        caller.wait_for(f"tests.hears({BOREALIAN_HZ})")
        callee.wait_for(f"!tests.hears({ARCADIAN_HZ})")  # nothing is heard before the tap
        caller.click("Go on speaking", "button")
        callee.wait_for(f"tests.hears({ARCADIAN_HZ})")
        callee.wait_text("2 people")
        assert callee.errors == caller.errors == []

"""What came while nobody looked: it stands on the line until somebody has seen it."""

from __future__ import annotations

from typing import Any

import pytest

from browser.cdp import Page
from fakes.desk import LINE, idle, in_call, line, message, past, people
from web.serving import Served

pytestmark = pytest.mark.browser


def said(*items: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return idle(line(), messages={LINE: list(items)}, **changes)


def test_a_message_shows_on_the_line_until_it_was_looked_at(page: Page, pages: Served) -> None:
    pages.show(said(message(0, "Noon?", ours=False), message(1, "At noon.", ours=True)))
    page.wait_text("1 new message")
    page.evaluate(f"void (location.hash = 'line/{LINE}')")
    page.click("Messages, 1 new", "link")
    page.wait_text("Noon?")
    page.evaluate("void (location.hash = '')")
    page.wait_text("Good morning")
    assert not page.evaluate("document.body.innerText.includes('new message')")


def test_what_stood_there_when_the_device_was_new_is_no_news(tab: Page, pages: Served) -> None:
    pages.show(said(message(0, "Noon?", ours=False)))
    tab.goto(pages.address)
    tab.wait_text("Elena Voss")
    assert "new message" not in tab.text()


def test_what_was_seen_stays_seen_after_a_reload(page: Page, pages: Served) -> None:
    pages.show(said(message(0, "Noon?", ours=False)))
    page.evaluate(f"void (location.hash = 'messages/{LINE}')")
    page.wait_text("Noon?")
    page.goto(f"{pages.address}/?again")
    page.wait_text("Elena Voss")
    assert "new message" not in page.text()


def test_a_call_that_nobody_answered_stands_on_the_line(page: Page, pages: Served) -> None:
    missed = past(1, phase="missed", side="theirs", by=None, answered_us=None)
    pages.show(idle(line(), history={LINE: [missed]}))
    page.wait_text("1 missed call")
    page.evaluate(f"void (location.hash = 'line/{LINE}')")
    page.click("History, 1 missed", "link")
    page.wait_text("nobody answered here")
    page.evaluate("void (location.hash = '')")
    page.wait_text("Good morning")
    assert not page.evaluate("document.body.innerText.includes('missed')")


def test_a_message_that_comes_in_a_call_shows_there(page: Page, pages: Served) -> None:
    snapshot = in_call("live")
    snapshot["messages"] = {LINE: [message(0, "Page two, please.", ours=False)]}
    pages.show(snapshot)
    page.wait_text("1 new message")


def test_a_person_with_two_devices_is_one_person(page: Page, pages: Served) -> None:
    ours, theirs = people()
    pages.show(in_call("live", people=[ours, theirs, {**ours, "handle": "ab" * 8}]))
    page.wait_text("2 people")
    page.wait_text("2 devices")


def test_a_device_that_only_listened_can_speak(spoken: Page, pages: Served) -> None:
    pages.show(in_call("live", mine=False))
    pages.desk.after["join"] = in_call("live")
    spoken.click("Join on this device", "button")
    spoken.click("Speak here", "button")
    spoken.wait_text("Mute")
    assert spoken.evaluate("tests.opened") == 1
    assert not spoken.has("Stop listening")


def test_the_browser_asks_before_a_page_with_a_call_is_left(page: Page, pages: Served) -> None:
    left = "dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    assert page.evaluate(left) is True
    pages.show(in_call("live"))
    page.wait_text("End call")
    assert page.evaluate(left) is False
    pages.show(idle())
    page.wait_text("Good morning")
    assert page.evaluate(left) is True

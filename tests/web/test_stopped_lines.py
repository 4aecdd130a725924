"""A line on which nothing more is signed: all of it can be read, and it says which line goes on."""

from __future__ import annotations

from typing import Any

import pytest

from browser.cdp import Page
from fakes.desk import LINE, LINES, PEER, idle, line, message
from web.serving import Served

pytestmark = pytest.mark.browser
OLD, NEW = LINES[1], LINE
SAID = message(0, "Noon?", ours=False)
STOPPED: dict[str, dict[str, Any]] = {
    "frozen": {"frozen": True},
    "broken": {"broken": "It cannot go on."},
    "forked": {"frozen": True, "broken": "x", "forked": "theirs", "noted": False},
}


@pytest.mark.parametrize("how", STOPPED)
def test_a_message_that_came_before_a_line_stopped_is_opened_from_its_row(
    how: str, page: Page, pages: Served
) -> None:
    pages.show(idle(line()))
    page.wait_text("tested")
    other = {**PEER, "name": "Nour Al-Hadi"}
    pages.show(idle(line(1, other), line(**STOPPED[how]), messages={LINE: [SAID]}))
    page.click("1 new message")
    page.click("Messages, 1 new", "link")
    page.wait_text("Noon?")
    page.wait_text("Nothing more can be written on this line")
    assert not page.has("Send", "button")
    page.press("Escape")
    page.wait_text("Messages")
    assert "1 new" not in page.text()


def test_a_renewed_line_alarms_nobody_and_leads_to_the_newer(page: Page, pages: Served) -> None:
    old = line(1, frozen=True, renewed_by=NEW)
    pages.show(idle(old, line(), messages={OLD: [SAID]}))
    page.wait_text("replaced by a newer line")
    page.evaluate(f"void (location.hash = 'line/{OLD}')")
    page.wait_text("This line has new keys")
    assert "Ask whoever runs" not in page.text()
    page.click("Messages", "link")
    page.wait_text("Noon?")
    page.wait_text("a newer line with")
    page.click("Go to the newer line", "link")
    page.wait_for(f"location.hash === '#messages/{NEW}'")
    assert page.has("Send", "button")


def test_a_line_stopped_for_another_reason_names_the_one_set_up_since(
    page: Page, pages: Served
) -> None:
    pages.show(idle(line(1, frozen=True), line()))
    page.evaluate(f"void (location.hash = 'line/{OLD}')")
    page.wait_text("A newer line has taken its place")
    page.click("Go to the newer line", "link")
    page.wait_text("The line is up")


@pytest.mark.parametrize("named", [None, "0" * 32, LINES[2]])
def test_words_of_a_newer_line_count_only_where_it_is_there(
    named: str | None, page: Page, pages: Served
) -> None:
    elsewhere = line(2, {**PEER, "node": "cassia.example"})  # a line, but not with this node
    pages.show(idle(line(1, frozen=True, renewed_by=named), elsewhere))
    page.evaluate(f"void (location.hash = 'line/{OLD}')")
    page.wait_text("One side has stopped this line")
    assert not page.has("Go to the newer line", "link")


def test_two_histories_alarm_though_a_newer_line_is_there(page: Page, pages: Served) -> None:
    pages.show(idle(line(1, **STOPPED["forked"]), line()))
    page.evaluate(f"void (location.hash = 'line/{OLD}')")
    page.wait_text("The other node has signed two histories")


def test_words_begun_before_the_line_stopped_can_be_copied_and_not_sent(
    page: Page, pages: Served
) -> None:
    page.evaluate(f"void (location.hash = 'messages/{LINE}')")
    page.wait_text("Nothing written yet")
    page.evaluate("document.querySelector('.messages textarea').focus()")
    page.type("Half a sen")
    pages.show(idle(line(frozen=True)))
    page.wait_text("Nothing was written on this line")
    page.press("Enter")
    field = "document.querySelector('.messages textarea')"
    assert page.evaluate(f"[{field}.value, {field}.readOnly]") == ["Half a sen", True]
    assert not page.has("Send", "button")
    assert pages.desk.asked("message") == []

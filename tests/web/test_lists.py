"""Lines, tests, messages and history: what a person does there, and what the node is asked."""

from __future__ import annotations

from typing import Any

import pytest

from browser.cdp import Page
from fakes.desk import (
    LINE,
    MINUTE_US,
    NOW_US,
    by_the_hour,
    gap,
    idle,
    line,
    message,
    missed_one,
    past,
)
from telcon.errors import OperatorError
from web.serving import Served

pytestmark = pytest.mark.browser
PLACE = f"borealis.example/line/{LINE}#7"


def go(page: Page, where: str) -> None:
    page.evaluate(f"void (location.hash = '{where}')")


def down(**changes: Any) -> dict[str, Any]:
    return line(up=False, since_us=NOW_US - 6 * MINUTE_US, **changes)


def talk(count: int, first: int = 0) -> list[dict[str, Any]]:
    said = (message(number, f"message {number}", ours=False) for number in range(first, count))
    return [{**one, "time_us": NOW_US - (count - n) * MINUTE_US} for n, one in enumerate(said)]


def test_a_wish_is_kept_said_when_it_comes_true_and_put_away(page: Page, pages: Served) -> None:
    pages.show(idle(down()))
    go(page, f"line/{LINE}")
    page.tab_to("Tell me when it is back")
    page.press("Enter")
    page.wait_text("You will be told when it is back")
    wish = {"do": "wish", "line": LINE, "wanted": True}
    assert pages.desk.wait(lambda: pages.desk.asked("wish") == [wish])
    pages.show(idle(line(wished=True)))
    page.wait_text("The line to Elena Voss is back")
    said = "document.getElementById('said').textContent"
    assert "is back" in page.wait_for(said)
    page.click("Close", "button")
    assert pages.desk.wait(lambda: pages.desk.asked("wish")[-1] == {**wish, "wanted": False})
    assert page.wait_for("document.getElementById('is-back').hidden") is True


def test_a_wish_outlives_a_node_that_forgot_it(page: Page, pages: Served) -> None:
    pages.show(idle(down()))
    go(page, f"line/{LINE}")
    page.click("Tell me when it is back")
    assert pages.desk.wait(lambda: len(pages.desk.asked("wish")) >= 1)
    page.goto(f"{pages.address}/?again")
    page.wait_text("Elena Voss")
    assert pages.desk.wait(lambda: len(pages.desk.asked("wish")) >= 2)
    pages.show(idle(line()))  # started anew, and the line is back at once
    page.wait_text("is back")


def test_the_strip_says_in_words_what_it_draws(page: Page, pages: Served) -> None:
    tests = by_the_hour("m" + "a" * 9, ".lla" + "a" * 6, missed_one(9))
    pages.show(idle(line(tests=tests)))
    go(page, f"line/{LINE}")
    page.wait_text("was never answered")
    words = "[...document.querySelectorAll('.strip ol .unseen')].map((one) => one.textContent)"
    told = page.wait_for(words)
    assert len(told) == 7
    assert "1 missed" in told[-1]
    assert "2 missed" in told[-1]
    counts = "(kind) => document.querySelectorAll(`.strip ol .${kind}`).length"
    held, missed, none = page.evaluate(f"['held', 'missed', 'none'].map({counts})")
    assert held > 250
    assert (missed, none) == (4, 1)  # a cross and its frame, two frames; one without a test


def test_a_day_without_any_test_says_so(page: Page, pages: Served) -> None:
    empty = {**by_the_hour(), "ours": "." * 192, "theirs": "." * 192, "last": None}
    pages.show(idle(line(tests=empty)))
    page.wait_text("up")
    go(page, f"line/{LINE}")
    page.wait_text("Tests of this line")
    words = "document.querySelector('.strip ol').textContent"
    assert "no test of ours" in page.wait_for(words)


def test_older_messages_are_fetched_and_what_is_read_stays_in_view(
    page: Page, pages: Served
) -> None:
    pages.show(idle(messages={LINE: talk(60, 10)}))
    pages.desk.answers["messages"] = {"messages": talk(10), "older": 0}
    go(page, f"messages/{LINE}")
    page.wait_text("message 59")
    page.tab_to("Show older messages")
    page.press("Enter")
    page.wait_text("message 0")
    first = f"borealis.example/line/{LINE}#10"
    asked = {"do": "messages", "line": LINE, "place": first, "from": "before"}
    assert pages.desk.asked("messages") == [asked]
    assert page.wait_for("document.activeElement.textContent.includes('message 10')")
    assert not page.has("Show older messages", "button")
    assert page.evaluate("document.querySelectorAll('.bubble').length") == 60


def test_new_messages_join_those_that_were_fetched(page: Page, pages: Served) -> None:
    pages.show(idle(messages={LINE: talk(60, 10)}))
    pages.desk.answers["messages"] = {"messages": talk(10), "older": 0}
    go(page, f"messages/{LINE}")
    page.wait_text("message 59")
    page.click("Show older messages", "button")
    page.wait_text("message 0")
    pages.show(idle(messages={LINE: talk(75, 25)}))
    page.wait_text("message 74")
    assert page.evaluate("document.querySelectorAll('.bubble').length") == 75


def found(*items: dict[str, Any], after: int = 0, of: int = 90) -> dict[str, Any]:
    return {"found": list(items), "next": after, "of": of}


def search(page: Page, words: str) -> None:
    page.click("Search", "button")
    page.evaluate(f"void (document.querySelector('input[type=search]').value = '{words}')")
    page.press("Enter")


def test_search_marks_what_was_found_and_jumps_to_it(page: Page, pages: Served) -> None:
    pages.show(idle(messages={LINE: talk(90, 40)}))
    hit = {**message(7, "The Élysée at noon", ours=False), "id": PLACE}
    pages.desk.answers["search"] = found(hit)
    pages.desk.answers["messages"] = {"messages": [hit, *talk(30, 8)], "older": 7, "newer": 60}
    go(page, f"messages/{LINE}")
    page.wait_text("message 89")
    search(page, "elysee")
    page.wait_text("1 message found")
    assert page.evaluate("document.querySelector('.results mark').textContent") == "Élysée"
    page.tab_to("Élysée")
    page.press("Enter")
    page.wait_text("Back to the newest")
    asked = {"do": "messages", "line": LINE, "place": PLACE, "from": "around"}
    assert pages.desk.asked("messages") == [asked]
    assert page.wait_for("document.activeElement.textContent.includes('Élysée')")
    assert page.has("Show older messages", "button")
    assert page.has("Show newer messages", "button")
    page.click("Back to the newest")
    page.wait_text("message 89")


def test_one_message_has_a_bounded_number_of_marks(page: Page, pages: Served) -> None:
    pages.show(idle(messages={LINE: talk(3)}))
    pages.desk.answers["search"] = found(message(7, "e\u0301\ufb01" * 2_000, ours=False))
    go(page, f"messages/{LINE}")
    page.wait_text("message 2")
    search(page, "e")
    page.wait_text("1 message found")
    marks = page.evaluate("document.querySelectorAll('.results mark').length")
    assert 0 < marks <= 100
    said = "document.querySelector('.results [data-part=text]').textContent"
    assert page.evaluate(f"{said}.length") == 6_000


def test_search_says_how_far_it_is_and_what_it_did_not_find(page: Page, pages: Served) -> None:
    pages.show(idle(messages={LINE: talk(90, 40)}))
    pages.desk.answers["search"] = found(after=60)
    go(page, f"messages/{LINE}")
    page.wait_text("message 89")

    async def last(act: Any) -> None:
        if act["do"] == "search" and act.get("before") == 60:
            pages.desk.answers["search"] = found()

    pages.desk.hold = last
    search(page, "treaty")
    page.wait_text("No message with")
    assert [one.get("before") for one in pages.desk.asked("search")] == [None, 60]
    page.press("Escape")
    page.wait_text("message 89")
    assert page.wait_for("document.activeElement.textContent") == "Search"


def test_a_search_that_fails_is_explained_and_can_be_tried_again(page: Page, pages: Served) -> None:
    pages.show(idle(messages={LINE: talk(3)}))
    pages.desk.answers["search"] = OperatorError("The store cannot be read.")
    go(page, f"messages/{LINE}")
    page.wait_text("message 2")
    search(page, "noon")
    page.wait_text("The store cannot be read.")
    page.wait_text("Search further back")


def test_the_days_stand_between_the_messages(page: Page, pages: Served) -> None:
    day = 1440 * MINUTE_US
    said = [
        {**message(n, f"day {n}", ours=True), "time_us": NOW_US - (3 - n) * day} for n in range(4)
    ]
    pages.show(idle(messages={LINE: said}))
    go(page, f"messages/{LINE}")
    page.wait_text("day 3")
    days = page.evaluate("[...document.querySelectorAll('.said .day')].map((d) => d.textContent)")
    assert days[-2:] == ["Yesterday", "Today"]
    assert len(days) == 4


def test_gaps_stand_where_they_were_and_missed_calls_can_be_picked(
    page: Page, pages: Served
) -> None:
    calls = [past(0), past(2, phase="missed", side="theirs", by=None, answered_us=None)]
    pages.show(idle(history={LINE: calls}, gaps={LINE: [gap("down.ours", 1.5, 190, 3)]}))
    go(page, f"history/{LINE}")
    page.wait_text("The line was down for")
    rows = "[...document.querySelectorAll('.history .row b')].map((row) => row.textContent)"
    told = page.evaluate(rows)
    assert [words.split()[0] for words in told] == ["Call,", "The", "Missed"]
    page.tab_to("Missed")
    page.press("Space")
    assert page.wait_for(f"{rows}.length === 1 && {rows}[0]") == "Missed call"
    page.click("All", "button")
    assert page.wait_for(f"{rows}.length") == 3


def test_two_gaps_that_say_the_same_leave_nothing_behind(page: Page, pages: Served) -> None:
    same = [gap("unanswered.theirs", 1.5, 190, 3)] * 2  # what the other side states is its own
    rows = "document.querySelectorAll('.history .row').length"
    go(page, f"history/{LINE}")
    for number in range(1, 5):
        pages.show(idle(history={LINE: [past(one) for one in range(number)]}, gaps={LINE: same}))
        assert page.wait_for(f"{rows} >= {number + 2} && {rows}") == number + 2
    pages.show(idle(history={LINE: []}, gaps={LINE: same}))
    assert page.wait_for(f"{rows} < 6 && {rows}") == 2


def test_older_calls_are_asked_for_behind_the_last_one_shown(page: Page, pages: Served) -> None:
    pages.show(idle(history={LINE: [past(number) for number in range(50)]}))
    pages.desk.answers["history"] = {"history": [past(77)], "gaps": [gap("untested", 70, 4000)]}
    go(page, f"history/{LINE}")
    page.click("Show older calls", "button")
    page.wait_text("The line was not tested for")
    asked = {"do": "history", "line": LINE, "before": past(49)["call"]}
    assert pages.desk.asked("history") == [asked]
    assert not page.has("Show older calls", "button")


def test_a_row_leads_to_the_timeline_of_its_call(page: Page, pages: Served) -> None:
    pages.show(idle(history={LINE: [past(3)]}))
    go(page, f"history/{LINE}")
    page.wait_text("Timeline")
    link = "document.querySelector('a.link')"
    assert page.evaluate(f"{link}.pathname") == f"/calls/{past(3)['call']}"
    assert page.evaluate(f"{link}.rel") == "noopener"

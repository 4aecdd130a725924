"""The page of one call: who may see it, what stands on it, and what it draws."""

from __future__ import annotations

import threading
from copy import deepcopy
from typing import Any

import pytest

from browser.cdp import Page
from fakes.desk import CALL, LINE, MINUTE_US, NOW_US, course, course_of_a_record
from telcon.errors import StorageError
from telcon.web import course as course_page
from telcon.web.course import LEAST, MARGIN, WIDTH, draw
from web.asking import request
from web.serving import Served

PATH = f"/calls/{CALL}"


def get(pages: Served, path: str = PATH) -> tuple[int, str]:
    response = request(pages, "GET", path, Cookie=pages.signed_in())
    return response.status, response.text  # type: ignore[attr-defined]


def body(pages: Served) -> str:
    """Return what is seen of the page, without the words that it bears for its scripts."""
    return get(pages)[1].partition("<body")[2]


def test_nobody_sees_a_call_without_a_session(pages: Served) -> None:
    response = request(pages, "GET", PATH)
    assert response.status == 303
    assert response.headers["Location"] == "/"
    assert "Elena" not in response.text  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["/calls/" + "0" * 32, "/calls/x", "/calls/" + "G" * 32])
def test_a_call_that_is_not_there_is_not_found(pages: Served, path: str) -> None:
    status, text = get(pages, path)
    assert status == 404
    assert "nothing at this address" in text
    assert 'name="viewport"' in text
    assert 'href="/static/parts.css"' in text


def test_an_address_of_nothing_is_a_page_in_the_readers_language(pages: Served) -> None:
    response = request(pages, "GET", "/nowhere", **{"Accept-Language": "ar"})
    assert response.status == 404
    text = response.text  # type: ignore[attr-defined]
    assert 'dir="rtl"' in text
    assert 'name="viewport"' in text
    assert 'href="/"' in text


def test_whose_node_says_that_it_destroyed_its_record_stands_there_with_why_and_when(
    pages: Served,
) -> None:
    told = course_of_a_record()
    pages.desk.courses[CALL] = told
    text = body(pages)
    row = text.partition("destroyed its record of this call")
    assert row[0].endswith("<b>Their node says that it ")
    assert "The time for keeping it is over" in row[2].partition("</tr>")[0]
    assert "2026-04-23 09:47:00 UTC" in row[0][-400:]  # weeks later: with its day
    assert "Their node says that it destroyed its record of this call.</p>" in text
    told["facts"][-1] |= {"side": "ours"}
    assert "<b>Our node says that it destroyed its record of this call" in body(pages)


def test_a_recorder_that_was_switched_off_is_named_with_what_the_sides_hold(
    pages: Served,
) -> None:
    told = course_of_a_record()
    pages.desk.courses[CALL] = told
    text = body(pages)
    row = text.partition("<b>Our recorder stopped</b>")[2].partition("</tr>")[0]
    assert "The minister asked" in row
    sentences = text.partition("do not hold the same recording.")[2]
    first, second = sentences.split("<p ")[1:3]
    assert "For part of the call our recorder was off" in first
    assert "lacks \u2068830\u2069 pieces" in second
    for fact in told["facts"]:
        fact["stops_recorder"] = False
    assert "recorder was off" not in body(pages)


def test_what_is_cut_says_so_and_leads_to_the_whole(pages: Served) -> None:
    told = course()
    told["facts"][6] |= {"detail": "so much …", "cut": True}
    pages.desk.courses[CALL] = told
    _, text = get(pages)
    assert f'href="/#messages/{LINE}"' in text.partition("so much …")[2].partition("</tr>")[0]


def test_a_store_that_cannot_be_read_is_said_in_words(pages: Served) -> None:
    pages.desk.courses[CALL] = StorageError("the disk refused")
    status, text = get(pages)
    assert status == 503
    assert "disk may be full" in text


def test_what_others_wrote_cannot_become_markup_or_turn_the_text(pages: Served) -> None:
    told = deepcopy(course())
    told["facts"][6]["detail"] = "<script>alert(1)</script>\u202eevil"
    told["facts"][6]["who"] = "<b>Voss</b>"
    told["peer"]["name"] = "Elena \u202essoV"
    pages.desk.courses[CALL] = told
    _, text = get(pages)
    assert "<script>alert" not in text
    assert "<b>Voss" not in text
    assert "\u202e" not in text
    assert "style=" not in text


def test_a_person_who_writes_what_a_node_would_say_is_quoted(pages: Served) -> None:
    told = course()
    message = next(fact for fact in told["facts"] if fact["kind"] == "message")
    message["detail"] = "link lost"
    pages.desk.courses[CALL] = told
    _, text = get(pages)
    assert ">link lost<" in text
    assert ">The link between the nodes was lost" not in text


def test_a_page_is_written_beside_the_loop_in_the_readers_language(
    pages: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def told(*args: Any) -> dict[str, Any]:
        threads.append(threading.current_thread())
        return real(*args)

    real = course_page._told
    monkeypatch.setattr(course_page, "_told", told)
    headers = {"Cookie": pages.signed_in(), "Accept-Language": "fr"}
    response = request(pages, "GET", PATH, **headers)
    assert 'lang="fr"' in response.text  # type: ignore[attr-defined]
    assert threads
    assert all(thread.name.startswith("asyncio_") for thread in threads)


def test_the_page_is_kept_by_no_cache(pages: Served) -> None:
    response = request(pages, "GET", PATH, Cookie=pages.signed_in())
    assert response.headers["Cache-Control"] == "no-store"


def test_our_side_is_above_the_stroke_and_theirs_below() -> None:
    drawing = draw(course())
    above = [bar for bar in drawing.bars if bar.y + drawing.bar < drawing.middle]
    assert sorted(bar.kind for bar in above) == ["person", "person", "recorder", "recorder"]
    assert len({bar.y for bar in above if bar.kind == "recorder"}) == 1  # one row, with a gap
    assert sorted(bar.kind for bar in drawing.bars if bar not in above) == ["person", "recorder"]
    assert all(0 <= bar.y <= drawing.height - drawing.bar for bar in drawing.bars)
    assert all(MARGIN <= bar.x <= WIDTH - MARGIN for bar in drawing.bars)
    assert [mark.kind for mark in drawing.marks] == ["ring", "answer", "message", "mode", "end"]


def test_what_is_short_can_be_seen_and_what_is_open_goes_to_the_end() -> None:
    begin = NOW_US - 13 * MINUTE_US
    (short, still) = draw(course(unsigned=[[begin, begin + 1], [begin + 1, None]])).unsigned
    assert short.width == LEAST
    assert still.x + still.width == pytest.approx(WIDTH - MARGIN, abs=0.2)


def test_a_call_of_a_single_moment_can_be_drawn() -> None:
    told = course(to_us=NOW_US - 13 * MINUTE_US)
    assert all(mark.x == MARGIN for mark in draw(told).marks[:1])


def test_who_opened_or_exported_it_is_listed_and_that_it_was_opened_now_is_written(
    pages: Served,
) -> None:
    _, text = get(pages)
    section = text.partition('<section aria-labelledby="readings">')[2].partition("</section>")[0]
    assert section.count("<tr>") == 3
    assert 'Opened on a page</b> <span class="soft">by the principal' in section
    assert 'Exported</b> <span class="soft">by the node&#39;s operator' in section
    opened = [fields for name, fields in pages.audit.events if name == "audit.record.opened"]
    assert opened == [{"call": CALL}]
    pages.desk.courses[CALL] = course(readings=[])
    assert "Nobody, before now." in get(pages)[1]


def test_a_page_that_shows_nothing_is_no_reading(pages: Served) -> None:
    request(pages, "GET", PATH)
    get(pages, "/calls/" + "0" * 32)
    assert not [name for name, _ in pages.audit.events if name == "audit.record.opened"]


@pytest.mark.browser
def test_the_page_says_what_it_draws_and_fits_a_phone(tab: Page, pages: Served) -> None:
    tab.goto(f"{pages.address}{PATH}")
    for words in ("Call with Elena Voss", "Ines Roth joined", "Page two, please.", "hung up"):
        tab.wait_text(words)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    drawn = "document.querySelector('svg[role=img]')"
    assert "3 people" in tab.evaluate(
        f"{drawn}.querySelector('desc').textContent.replace(/[\\u2066-\\u2069]/gu, '')"
    )
    assert tab.evaluate("document.querySelectorAll('.facts:not(.readings) tbody tr').length") == 12
    assert "UTC" not in tab.evaluate("document.querySelector('.facts tbody time').textContent")


@pytest.mark.browser
def test_clocks_that_are_apart_are_named(tab: Page, pages: Served) -> None:
    pages.desk.courses[CALL] = course(moved_us=-7_200_000_000)
    tab.goto(f"{pages.address}{PATH}")
    tab.wait_text("about 7200 s apart")

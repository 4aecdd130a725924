"""Coverage: the hours of a week as people write them, and which statement speaks for which time."""

import pytest
from msgspec import UNSET

from telcon.core.coverage import (
    ALWAYS,
    DAY_MINUTES,
    WEEK_MINUTES,
    Hours,
    Statement,
    hours_in_words,
    read_hours,
    stretches,
)
from telcon.core.entry import LineCoverage
from telcon.errors import OperatorError

NONCE, HASH = "0" * 32, "0" * 64


def statement(index: int, since: int, until: int | None = None) -> Statement:
    return Statement(
        index,
        LineCoverage(
            nonce=NONCE,
            time=since,
            seen=(0, HASH),
            since=since,
            until=UNSET if until is None else until,
            hours=ALWAYS,
            modes=("audio",),
            persons=HASH,
        ),
    )


def spoken(*statements: Statement) -> list[tuple[int, int, int]]:
    """Return what is covered of the time 100 to 200: from, to, by which statement."""
    return [(one.from_us, one.to_us, one.index) for one in stretches(statements, 100, 200)]


def test_without_a_statement_nothing_is_covered() -> None:
    assert spoken() == []


@pytest.mark.parametrize(
    ("since", "until", "covered"),
    [
        (50, None, (100, 200)),
        (150, None, (150, 200)),
        (50, 150, (100, 150)),
        (120, 130, (120, 130)),
        (199, None, (199, 200)),
    ],
)
def test_one_statement_speaks_from_since_to_until(
    since: int, until: int | None, covered: tuple[int, int]
) -> None:
    assert spoken(statement(7, since, until)) == [(*covered, 7)]


@pytest.mark.parametrize(("since", "until"), [(200, None), (10, 100)])
def test_a_statement_of_another_time_says_nothing(since: int, until: int | None) -> None:
    assert spoken(statement(7, since, until)) == []


def test_a_later_statement_takes_the_place_of_an_earlier_one_also_where_it_says_less() -> None:
    both = statement(7, 50), statement(9, 120, 140)
    assert spoken(*both) == [(100, 120, 7), (120, 140, 9)]
    assert spoken(statement(7, 130), statement(9, 110)) == [(110, 200, 9)]


@pytest.mark.parametrize(
    ("texts", "hours"),
    [
        (["Mon-Sun 00:00-24:00"], ALWAYS),
        (["Mon 00:00-00:01"], ((0, 1),)),
        (["Sun 23:59-24:00"], ((WEEK_MINUTES - 1, WEEK_MINUTES),)),
        (["Tue 08:00-12:00", "Tue 12:00-18:00"], ((1920, 2520),)),
        (["Tue 08:00-12:00", "Tue 13:00-18:00"], ((1920, 2160), (2220, 2520))),
        (["Mon 22:00-02:00"], ((1320, DAY_MINUTES + 120),)),
        (["Sun 22:00-02:00"], ((0, 120), (WEEK_MINUTES - 120, WEEK_MINUTES))),
        (["Sat-Mon 10:00-11:00"], ((600, 660), (7800, 7860), (9240, 9300))),
    ],
)
def test_hours_are_read_in_utc(texts: list[str], hours: Hours) -> None:
    assert read_hours(texts) == hours


@pytest.mark.parametrize(
    "text", ["", "always", "Mon 8-18", "Mon 08:00-08:00", "Mon 24:00-01:00", "Mon 00:00-24:01"]
)
def test_what_is_no_hours_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(OperatorError) as caught:
        read_hours([text])
    assert "Mon-Fri 08:00-18:00" in caught.value.advice()


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["Mon-Sun 00:00-24:00"], "at all hours"),
        (["Mon-Fri 08:00-18:00"], "Mon-Fri 08:00-18:00 UTC"),
        (["Mon-Fri 08:00-18:00", "Sun 10:00-12:00"], "Mon-Fri 08:00-18:00, Sun 10:00-12:00 UTC"),
        (["Mon 22:00-02:00"], "Mon 22:00-24:00, Tue 00:00-02:00 UTC"),
    ],
)
def test_hours_are_written_as_they_are_read(texts: list[str], words: str) -> None:
    assert hours_in_words(read_hours(texts)) == words

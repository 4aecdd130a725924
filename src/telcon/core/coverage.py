"""Coverage: what a side's `line.coverage` entries say its log covers, and from when to when.

A log without an act shows that none was logged. That nothing happened follows only where the author
had stated that the log covers that time (docs/protocol.md §2). The statement stands in the author's
own log, so the other side's cosignature fixes when it was made.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import UNSET

from telcon.core.entry import LineCoverage, Mode
from telcon.errors import OperatorError

__all__ = [
    "ALWAYS",
    "DAY_MINUTES",
    "WEEK_MINUTES",
    "Hours",
    "Statement",
    "Stretch",
    "hours_in_words",
    "read_hours",
    "stretches",
]

DAY_MINUTES: Final = 24 * 60
WEEK_MINUTES: Final = 7 * DAY_MINUTES

Hours = tuple[tuple[int, int], ...]
"""Spans of the week in minutes after Monday 00:00 UTC, each `[from, to)`; they rise and never
touch."""

ALWAYS: Final[Hours] = ((0, WEEK_MINUTES),)

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY: Final = "|".join(_DAYS)
_SPAN: Final = re.compile(
    rf"({_DAY})(?:-({_DAY}))? ([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9])"
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A `line.coverage` that took effect."""

    index: int
    """Where it stands in its author's log."""
    entry: LineCoverage


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time for which one statement speaks."""

    from_us: int
    to_us: int
    """Not itself part of it."""
    hours: Hours
    modes: tuple[Mode, ...]
    index: int
    """Of the statement."""


def stretches(statements: Iterable[Statement], from_us: int, to_us: int) -> list[Stretch]:
    """Return what the statements of one log, in its order, cover of the time `from_us` to `to_us`.

    Each speaks from its `since` on, up to its `until` or to the `since` of a later one: a later
    statement takes the place of all before it from there on, also where it says less.
    """
    found: list[Stretch] = []
    end_us = to_us
    for one in reversed(list(statements)):
        entry = one.entry
        first = max(entry.since, from_us)
        last = end_us if entry.until is UNSET else min(entry.until, end_us)
        if first < last:
            found.append(Stretch(first, last, entry.hours, entry.modes, one.index))
        end_us = min(end_us, entry.since)
    return found[::-1]


def read_hours(texts: Sequence[str]) -> Hours:
    """Read what an operator types: each `Mon-Fri 08:00-18:00` or `Sat 20:00-02:00`, in UTC.

    Raises:
        OperatorError: one of them reads otherwise.
    """
    minutes = sorted(span for text in texts for span in _read_spans(text))
    merged: list[tuple[int, int]] = []
    for first, last in minutes:
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return tuple(merged)


def hours_in_words(hours: Hours) -> str:
    """Return the hours as `read_hours` takes them, those alike on following days together."""
    if hours == ALWAYS:
        return "at all hours"
    by_day: list[list[str]] = [[] for _ in _DAYS]
    for first, last in hours:
        for day in range(first // DAY_MINUTES, (last - 1) // DAY_MINUTES + 1):
            start = max(first - day * DAY_MINUTES, 0)
            end = min(last - day * DAY_MINUTES, DAY_MINUTES)
            by_day[day].append(f"{_clock(start)}-{_clock(end)}")
    words: list[str] = []
    day = 0
    while day < len(_DAYS):
        last_day = day
        while last_day + 1 < len(_DAYS) and by_day[last_day + 1] == by_day[day]:
            last_day += 1
        days = _DAYS[day] if day == last_day else f"{_DAYS[day]}-{_DAYS[last_day]}"
        words += [f"{days} {span}" for span in by_day[day]]
        day = last_day + 1
    return ", ".join(words) + " UTC"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _read_spans(text: str) -> Iterable[tuple[int, int]]:
    match = _SPAN.fullmatch(text.strip())
    start = end = 0
    if match is not None:
        start = int(match[3]) * 60 + int(match[4])
        end = int(match[5]) * 60 + int(match[6])
    if match is None or start >= DAY_MINUTES or end > DAY_MINUTES or start == end:
        raise OperatorError(
            f"{text!r} are no hours of a week",
            advice='Give them as "Mon-Fri 08:00-18:00", in UTC; several times if need be.',
        )
    length = (end - start) % DAY_MINUTES or DAY_MINUTES
    first = _DAYS.index(match[1])
    count = (_DAYS.index(match[2] or match[1]) - first) % len(_DAYS) + 1
    for day in range(first, first + count):
        begin = day % len(_DAYS) * DAY_MINUTES + start
        yield begin, min(begin + length, WEEK_MINUTES)
        if begin + length > WEEK_MINUTES:  # into Monday
            yield 0, begin + length - WEEK_MINUTES

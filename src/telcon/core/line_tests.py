"""Line tests: when one is due, and which were answered, late or missed, as the two logs tell it.

Each side tests by itself (`line.test`), the other answers (`line.tested`). Whether an answer came
in time is read from the tester's own log alone, for two clocks may be hours apart: it came late if
the tester's next entry, `ANSWER_WITHIN_US` or more after the test, had not yet seen it. That is why
a side tests at once when the link is back after a test without answer: that entry bears witness.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

__all__ = [
    "ANSWER_WITHIN_US",
    "Exchange",
    "LineTests",
    "Outcome",
    "Rhythm",
    "Silence",
    "silences",
]

ANSWER_WITHIN_US: Final = 30_000_000
"""An answer takes milliseconds; this long, and somebody who rang would have thought it dead."""

KEPT_EXCHANGES: Final = 10_080
"""Of each side, 32 octets each: more than a year of hourly tests."""

SPREAD_US: Final = 60_000_000  # a node's lines are not all tested in one second
START_US: Final = 60_000_000  # after a start, the link has this long to come before a test is lost


class Outcome(StrEnum):
    """What became of a test."""

    ANSWERED = "answered"
    LATE = "late"  # the answer came, but only when the link was back
    MISSED = "missed"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One test and what came of it."""

    index: int  # of the test, in the tester's log
    time_us: int  # tester's clock
    answer: int | None  # index of the answer, in the other log
    seen_later: int | None
    """What the tester's first entry after the time for an answer had seen of the other log."""

    def outcome(self, now_us: int) -> Outcome:
        """Return what became of it by `now_us` of the tester's clock."""
        if self.answer is not None:
            is_late = self.seen_later is not None and self.answer >= self.seen_later
            return Outcome.LATE if is_late else Outcome.ANSWERED
        is_over = self.seen_later is not None or now_us - self.time_us >= ANSWER_WITHIN_US
        return Outcome.MISSED if is_over else Outcome.WAITING


@dataclass(slots=True)
class _Side:
    """The tests of one side, oldest first; arrays, for there may be thousands."""

    index: "array[int]" = field(default_factory=lambda: array("Q"))
    time_us: "array[int]" = field(default_factory=lambda: array("Q"))
    answer: "array[int]" = field(default_factory=lambda: array("Q"))  # plus one; 0: none
    seen_later: "array[int]" = field(default_factory=lambda: array("Q"))  # plus one; 0: none
    first_open: int = 0  # position of the first test that no later entry bears witness to

    def columns(self) -> "tuple[array[int], ...]":
        return (self.index, self.time_us, self.answer, self.seen_later)


class LineTests:
    """The tests of both sides that the fold keeps. Live, and not to be changed by readers."""

    def __init__(self, origins: tuple[str, str]) -> None:
        """Begin without tests of the two logs `origins`."""
        self._sides = {origin: _Side() for origin in origins}
        self.changes = 0
        """Grows with each change: who draws from here knows whether to draw anew."""

    def add(self, origin: str, index: int, time_us: int) -> None:
        """Add a test that took effect."""
        side = self._sides[origin]
        for column, value in zip(side.columns(), (index, time_us, 0, 0), strict=True):
            column.append(value)
        excess = len(side.index) - KEPT_EXCHANGES
        if excess > KEPT_EXCHANGES // 4:  # many at once: each removal moves all that stay
            for column in side.columns():
                del column[:excess]
            side.first_open = max(0, side.first_open - excess)
        self.changes += 1

    def answer(self, test: tuple[str, int], index: int) -> None:
        """Note that the entry `index` of the other log answers `test`; the first answer counts."""
        origin, tested = test
        side = self._sides[origin]
        at = bisect_left(side.index, tested)
        if at < len(side.index) and side.index[at] == tested and not side.answer[at]:
            side.answer[at] = index + 1
            self.changes += 1

    def witness(self, origin: str, time_us: int, seen: int) -> None:
        """Note that an entry of `origin`, of `time_us`, had seen so much of the other log.

        A clock that was set back by more than an answer takes bears witness as well: else one test
        from far ahead would keep all later ones from being found late.
        """
        side = self._sides[origin]
        while side.first_open < len(side.index):
            if abs(time_us - side.time_us[side.first_open]) < ANSWER_WITHIN_US:
                return
            side.seen_later[side.first_open] = seen + 1
            side.first_open += 1
            self.changes += 1

    def newest(self, origin: str) -> Exchange | None:
        """Return the last test of one side."""
        side = self._sides[origin]
        return _exchange(side, len(side.index) - 1) if side.index else None

    def of(self, origin: str, count: int = KEPT_EXCHANGES) -> Iterator[Exchange]:
        """Return the newest `count` tests of one side, oldest first."""
        side = self._sides[origin]
        first = max(0, len(side.index) - count)
        return (_exchange(side, at) for at in range(first, len(side.index)))


def _exchange(side: _Side, at: int) -> Exchange:
    answer, seen = side.answer[at], side.seen_later[at]
    return Exchange(
        side.index[at],
        side.time_us[at],
        answer - 1 if answer else None,
        seen - 1 if seen else None,
    )


@dataclass(frozen=True, slots=True)
class Silence:
    """A time for which one side's log shows that its tests were not answered."""

    from_us: int  # the first test that was not, by the tester's clock
    to_us: int | None  # the next that was; None: none yet
    tests: int
    was_down: bool  # whether an answer came when the link was back; else none came at all


def silences(exchanges: Iterable[Exchange], now_us: int) -> list[Silence]:
    """Return the times without answers, oldest first; they touch no test that was answered."""
    found: list[Silence] = []
    run: list[Outcome] = []
    from_us = 0
    for one in exchanges:
        outcome = one.outcome(now_us)
        if outcome in (Outcome.LATE, Outcome.MISSED):
            from_us = from_us if run else one.time_us
            run.append(outcome)
        elif outcome is Outcome.ANSWERED and run:
            found.append(Silence(from_us, one.time_us, len(run), Outcome.LATE in run))
            run = []
    if run:
        found.append(Silence(from_us, None, len(run), Outcome.LATE in run))
    return found


class Rhythm:
    """When one side tests: in each slot of its clock once, half a slot away from the other side.

    A clock that jumps, either way, lands in another slot: one test, and the rhythm goes on.
    """

    def __init__(self, every_us: int, *, line: str, is_first: bool, now_us: int) -> None:
        """Test each `every_us` from `now_us` on (0: never).

        `line` spreads the lines of a node, `is_first` says which of the two sides this is.
        """
        self.every_us = every_us
        self._started_us = now_us
        spread = int(line[:8], 16) % max(1, min(SPREAD_US, every_us // 4))
        self._offset_us = spread + (0 if is_first else every_us // 2)
        self._came_up = False

    def came_up(self) -> None:
        """Hear that the link stands again."""
        self._came_up = True

    def is_due(self, now_us: int, newest: Exchange | None, *, is_up: bool) -> bool:
        """Return whether to write a test now; `newest` is the last of this side.

        One is written while the link is down too: it stays in the log as what nobody answered.
        """
        if not self.every_us:
            return False
        came_up, self._came_up = self._came_up, False
        if newest is not None and newest.answer is None and came_up:
            return newest.outcome(now_us) is Outcome.MISSED
        if not is_up and 0 <= now_us - self._started_us < START_US:
            return False
        last_us = newest.time_us if newest is not None else self._started_us
        return self._slot(now_us) != self._slot(last_us)

    def next_us(self, now_us: int) -> int:
        """Return when the next slot begins."""
        return (self._slot(now_us) + 1) * self.every_us + self._offset_us

    def _slot(self, time_us: int) -> int:
        return (time_us - self._offset_us) // self.every_us

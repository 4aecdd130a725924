"""What a line's tests say to people: the strip of the last days, each way, and the gaps.

Drawn from the fold alone. Times are those of the side that tested, as the entries state them.
"""

from collections.abc import Iterable
from itertools import pairwise
from math import inf

from telcon.core.line_tests import Exchange, Outcome, silences
from telcon.node.call_desk import View
from telcon.node.line import Line, now

__all__ = ["Strip"]

SHOWN_HOURS = 8 * 24  # seven days of whatever time zone the reader is in
SHOWN_TESTS = 2_400  # of each side: eight days at one in five minutes, a hundred by the hour
SHOWN_MISSED = 20
HOUR_US = 3_600_000_000
MINUTE_US = 60_000_000
REDRAWN_US = 2_000_000  # at most; a peer that tests without end costs no more than this
UNTESTED_SLOTS = 3  # so much longer than a slot without a test was no accident of a minute

# The worst of an hour is what is seen of it.
_LETTERS = {
    Outcome.ANSWERED: "a",
    Outcome.WAITING: "w",
    Outcome.LATE: "l",
    Outcome.MISSED: "m",
}
_RANK = ".awlm"


class Strip:
    """The tests of one line, each way, drawn anew when they have changed."""

    def __init__(self, line: Line, every_minutes: int) -> None:
        """Show the tests of `line`; this side tests each `every_minutes`, 0: only when asked."""
        self._line = line
        self._every_minutes = every_minutes
        own, peer = line.identity.own_card.log.name, line.identity.peer_card.log.name
        self._sides = {"ours": own, "theirs": peer}
        self._key: tuple[int, int, int] = (-1, -1, -1)
        self._drawn_us = 0
        self._view: View = {}
        self._gaps: list[View] = []

    def view(self) -> View:
        """Return how often is tested, the last test, the strip and what was missed, newest first.

        A cell of the strip is one hour of UTC: `a` answered, `w` waits for its answer, `l` answered
        only when the line was back, `m` missed, `.` not tested; of several the worst.
        """
        self._draw()
        return self._view

    def gaps(self) -> list[View]:
        """Return the times without answer or without tests, newest first."""
        self._draw()
        return self._gaps

    def _draw(self) -> None:
        now_us = now().utc_us
        changes = self._line.machine.fold.tests.changes
        # By quarters of a minute: a test that waits becomes one that was missed by time alone.
        key = (id(self._line.machine.fold), changes, now_us // (MINUTE_US // 4))
        if key == self._key or 0 <= now_us - self._drawn_us < REDRAWN_US:
            return
        self._key, self._drawn_us = key, now_us
        tests = self._line.machine.fold.tests
        each = {side: list(tests.of(name, SHOWN_TESTS)) for side, name in self._sides.items()}
        from_us = (now_us // HOUR_US - SHOWN_HOURS + 1) * HOUR_US
        self._view = {
            "every_minutes": self._every_minutes,
            "last": _last(each, now_us),
            "from_us": from_us,
            **{side: _cells(of, from_us, now_us) for side, of in each.items()},
            "missed": _missed(each, from_us, now_us),
        }
        self._gaps = self._find_gaps(each, now_us)

    def _find_gaps(self, each: dict[str, list[Exchange]], now_us: int) -> list[View]:
        ours, theirs = (_silent(side, each[side], now_us) for side in ("ours", "theirs"))
        # Both sides' logs tell of one cut; ours is told, theirs only where ours knows of none.
        found = ours + _apart(theirs, ours) + self._untested(each["ours"])
        return sorted(found, key=lambda one: (one["from_us"], one["kind"]), reverse=True)

    def _untested(self, ours: list[Exchange]) -> list[View]:
        least = UNTESTED_SLOTS * self._every_minutes * MINUTE_US
        if not least:
            return []
        spans = ((one.time_us, other.time_us) for one, other in pairwise(ours))
        return [
            {"kind": "untested", "from_us": one, "to_us": other, "tests": 0}
            for one, other in spans
            if other - one >= least
        ]


def _last(each: dict[str, list[Exchange]], now_us: int) -> View | None:
    """Return the newest test of which it is known what became of it; none from a time to come."""
    told = [
        (one.time_us, side, one.outcome(now_us))
        for side, of in each.items()
        for one in of[-2:]
        if one.outcome(now_us) is not Outcome.WAITING and one.time_us <= now_us + MINUTE_US
    ]
    if not told:
        return None
    time_us, side, outcome = max(told)
    return {"time_us": time_us, "side": side, "outcome": str(outcome)}


def _cells(exchanges: Iterable[Exchange], from_us: int, now_us: int) -> str:
    cells = ["."] * SHOWN_HOURS
    for one in exchanges:
        at = (one.time_us - from_us) // HOUR_US
        if 0 <= at < SHOWN_HOURS:
            cells[at] = max(cells[at], _LETTERS[one.outcome(now_us)], key=_RANK.index)
    return "".join(cells)


def _missed(each: dict[str, list[Exchange]], from_us: int, now_us: int) -> list[View]:
    told: list[View] = [
        {"side": side, "time_us": one.time_us, "outcome": str(outcome)}
        for side, of in each.items()
        for one in of
        if from_us <= one.time_us <= now_us + MINUTE_US
        and (outcome := one.outcome(now_us)) in (Outcome.MISSED, Outcome.LATE)
    ]
    return sorted(told, key=lambda one: one["time_us"], reverse=True)[:SHOWN_MISSED]


def _silent(side: str, exchanges: Iterable[Exchange], now_us: int) -> list[View]:
    return [
        {
            "kind": ("down" if one.was_down else "unanswered") + f".{side}",
            "from_us": one.from_us,
            "to_us": one.to_us,
            "tests": one.tests,
        }
        for one in silences(exchanges, now_us)
    ]


def _apart(gaps: Iterable[View], others: Iterable[View]) -> list[View]:
    """Return those of `gaps` that lie in the time of none of `others`, give or take an hour.

    That is what clocks differ by. Both may be a thousand, so each is looked at once, in time.
    """
    rest = sorted(others, key=lambda one: one["from_us"], reverse=True)
    found: list[View] = []
    until = -1.0  # the latest end of the others that begin before the gap's end
    for gap in sorted(gaps, key=_end_of):
        while rest and rest[-1]["from_us"] - HOUR_US <= _end_of(gap):
            until = max(until, _end_of(rest.pop()) + HOUR_US)
        if gap["from_us"] > until:
            found.append(gap)
    return found


def _end_of(gap: View) -> float:
    return inf if gap["to_us"] is None else gap["to_us"]

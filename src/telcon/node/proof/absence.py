"""Whether two whole logs of a line have a call in a time, when neither clock can be believed alone.

An entry bears its author's time, which may be a lie or a mistake. So each call is placed on both
sides' clocks, and counts as outside the time only where both put it there:

- A side's own acts stand where their times say.
- An end that the other side wrote was there before the time if this side had cosigned it by then
  (`before`), or had `seen` it by then in an entry of its own.
- A ring that the other side wrote came after the time if this side had cosigned less by then
  (`after`), if the ring has `seen` an entry that this side wrote by then, or if this side's word
  that it rings here (or was answered or declined) is of after the time.

Both logs reach beyond the time on both clocks as well: the author has an entry of after it, and the
other side has cosigned after it. So a log that was cut off, by its author or by who mirrors it,
does not reach so far. It follows: if one of the two nodes is honest and its clock was right, a call
that it took part in stands in these logs, at a time of its clock, and is found.
"""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from telcon.core.call import CallState, Place
from telcon.core.entry import CallRing, Entry, LineFrozen, LineTest, LineTested, Void, call_of
from telcon.core.fold import Applied, LineFold
from telcon.core.stored import StoredLog
from telcon.core.transitions import ENDS
from telcon.ledger import root_at
from telcon.node.proof.coverage import Statements
from telcon.node.proof.selection import fold_line
from telcon.node.proof.steps import QUIET, Progress

__all__ = ["Bounds", "Exchange", "Findings", "Touch", "Until", "survey"]

_SPAN: Final = frozenset(
    {"call.ring", "call.ringing", "call.answer", "call.decline", "call.cancel", "call.missed"}
    | {"call.join", "call.leave", "call.mode", "call.hang-up", "call.fail"}
)
"""Acts of a call while it rings or lives. Recordings are closed, and messages written, after it."""

_REACHED: Final = frozenset({"call.ringing", "call.answer", "call.decline"})
"""Acts by which the rung side says that the ring is there."""

_WAITING_TESTS: Final = 10_000  # a hostile log may hold nothing but tests


@dataclass(frozen=True, slots=True)
class Until:
    """How long a log was by a time of its cosigner's clock."""

    size: int
    time_s: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the other side had cosigned of one log."""

    before: Until | None
    """The last known of before the time; None: none is known."""
    after: Until
    """The first known of after it."""


@dataclass(frozen=True, slots=True)
class Touch:
    """A call that cannot be placed outside the time on both clocks."""

    ring: Place
    phase: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """A line test and its answer: two entries of one moment, on two clocks."""

    tester: str  # origin
    asked_us: int
    answered_us: int


@dataclass(slots=True)
class Findings:
    """What both logs tell of the time."""

    touching: list[Touch] = field(default_factory=list)
    """By origin and index of the ring."""
    short: list[str] = field(default_factory=list)
    """Origins of logs that do not reach beyond the time on their author's clock."""
    unread: dict[str, int] = field(default_factory=dict)
    """How many entries of that time are of types that this version does not know, by origin."""
    void_rings: int = 0
    """Rings of that time that had no effect."""
    tests: int = 0
    """Answered within the time, on both clocks."""
    test_before: Exchange | None = None
    """The last answered before the time on both clocks."""
    test_after: Exchange | None = None
    """The first answered after it on both clocks."""
    withheld: dict[tuple[str, str], int] = field(default_factory=dict)
    """By author and other log: how much of that an entry of before the end of the time has seen,
    where the author is shown to have cosigned less after it, and the entry is not shown to lie."""
    unseen: dict[str, int] = field(default_factory=dict)
    """By origin of a log: how much of it the other claims to have seen, where that is not here."""
    statements: Statements = field(default_factory=Statements)


def survey(
    ours: StoredLog,
    theirs: StoredLog,
    bounds: Mapping[str, Bounds],
    from_us: int,
    to_us: int,
    progress: Progress = QUIET,
) -> Findings:
    """Fold both logs and find what they tell of the time from `from_us` up to `to_us`.

    `bounds`: by origin. Memory grows with the number of calls, not of entries.

    Raises:
        StorageError: the entries of a log are not those of its tree.
    """
    reader = _Survey({log.origin: log for log in (ours, theirs)}, bounds, from_us, to_us)
    fold = fold_line(ours, theirs, reader.hear, progress)
    return reader.conclude(fold)


@dataclass(slots=True)
class _Side:
    """What is remembered of one log while it is read."""

    first_after: int | None = None
    """Index of its first entry of after the time, on its author's clock."""
    seen_before: int = 0
    """How much of the other log it had seen in its last entry of before the time."""
    last_before: int = -1
    """Index of its last entry before any that is not of before the time, on its author's clock."""
    has_begun: bool = False
    """Whether such a one was read."""
    unread: "array[int]" = field(default_factory=lambda: array("Q"))


class _Survey:
    def __init__(
        self, logs: Mapping[str, StoredLog], bounds: Mapping[str, Bounds], from_us: int, to_us: int
    ) -> None:
        first, second = logs
        self._logs = logs
        self._sizes = {origin: log.size for origin, log in logs.items()}
        self._other = {first: second, second: first}
        self._bounds = bounds
        self._from_us, self._to_us = from_us, to_us
        self._sides = {origin: _Side() for origin in logs}
        self._acts: dict[str, dict[Place, tuple[int, str]]] = {}  # by call: time and type
        self._times: dict[Place, int] = {}  # of what can end a call
        self._rings: dict[Place, int] = {}  # how much each ring has seen
        self._asked: dict[Place, int] = {}
        self._found = Findings()

    def hear(self, origin: str, index: int, applied: Applied) -> None:
        entry, side = applied.entry, self._sides[origin]
        if entry is None:
            if applied.void is Void.UNKNOWN_TYPE:
                side.unread.append(index)
            return
        self._hear_time(side, index, entry.time)
        if entry.seen[0] > self._sizes[self._other[origin]]:
            other = self._other[origin]
            self._found.unseen[other] = max(self._found.unseen.get(other, 0), entry.seen[0])
        if entry.time < self._to_us:
            self._hear_seen(origin, entry)
        if applied.void is not None:
            is_within = self._from_us <= entry.time < self._to_us
            self._found.void_rings += isinstance(entry, CallRing) and is_within
            return
        if entry.time < self._from_us:
            side.seen_before = entry.seen[0]
        self._found.statements.hear(origin, index, applied)
        self._hear_test(origin, index, entry)
        self._hear_act(origin, index, entry)

    def _hear_seen(self, origin: str, entry: Entry) -> None:
        """Notice who has seen more of the other log than they are shown to hold by later.

        Nobody who is honest can, but a node that was set back and has cosigned what its backup
        holds. What is seen here under another root is a lie, and shows nothing.
        """
        other = self._other[origin]
        size, root = entry.seen
        if size <= self._bounds[other].after.size:
            return
        log = self._logs[other]
        if size > log.size or root_at(size, log.hash).hex() == root:
            known = self._found.withheld.get((origin, other), 0)
            self._found.withheld[origin, other] = max(known, size)

    def _hear_time(self, side: _Side, index: int, time_us: int) -> None:
        if time_us < self._from_us:
            side.last_before = side.last_before if side.has_begun else index
            return
        side.has_begun = True
        if time_us >= self._to_us and side.first_after is None:
            side.first_after = index

    def _hear_test(self, origin: str, index: int, entry: Entry) -> None:
        if isinstance(entry, LineTest):
            self._asked[origin, index] = entry.time
            if len(self._asked) > _WAITING_TESTS:
                del self._asked[next(iter(self._asked))]
        elif isinstance(entry, LineTested) and entry.re[0] in self._asked:
            asked_us = self._asked.pop(entry.re[0])
            exchange = Exchange(self._other[origin], asked_us, entry.time)
            first, last = sorted((asked_us, entry.time))
            if last < self._from_us:
                self._found.test_before = exchange
            elif first >= self._to_us:
                self._found.test_after = self._found.test_after or exchange
            elif first >= self._from_us and last < self._to_us:
                self._found.tests += 1

    def _hear_act(self, origin: str, index: int, entry: Entry) -> None:
        if isinstance(entry, LineFrozen):
            self._times[origin, index] = entry.time
        call = call_of(entry)
        if call is None or entry.TYPE not in _SPAN:
            return
        self._acts.setdefault(call, {})[origin, index] = (entry.time, entry.TYPE)
        self._times[origin, index] = entry.time
        if isinstance(entry, CallRing):
            self._rings[origin, index] = entry.seen[0]

    def conclude(self, fold: LineFold) -> Findings:
        found = self._found
        found.short = [origin for origin, side in self._sides.items() if side.first_after is None]
        for origin, side in self._sides.items():
            count = self._unread_within(origin, side)
            if count:
                found.unread[origin] = count
        outside = (self._is_before, self._is_after)
        found.touching = sorted(
            (
                Touch(state.rung, str(state.phase))
                for state in fold.calls.values()
                if not any(all(on_clock(state, one) for one in self._sides) for on_clock in outside)
            ),
            key=lambda touch: touch.ring,
        )
        return found

    def _unread_within(self, origin: str, side: _Side) -> int:
        """Count what nobody here can read, from the first bound of the time to the last.

        Either clock bounds it. What was said of the line itself before may have let a ring of the
        time have effect.
        """
        bounds = self._bounds[origin]
        first = min(0 if bounds.before is None else bounds.before.size, side.last_before + 1)
        reached = self._sizes[origin] if side.first_after is None else side.first_after
        last = max(bounds.after.size, reached)
        return sum(
            index < last and (index >= first or self._is_of_line(origin, index))
            for index in side.unread
        )

    def _is_of_line(self, origin: str, index: int) -> bool:
        return self._logs[origin].entries(index, 1)[0].startswith(b'{"type":"line.')

    def _is_before(self, state: CallState, origin: str) -> bool:
        """Say whether a call was over before the time on the clock of the side `origin`."""
        if state.phase not in ENDS:
            return False
        other = self._other[origin]
        before = self._bounds[other].before
        known = max(self._sides[origin].seen_before, 0 if before is None else before.size)
        own = [time for place, (time, _) in self._acts[state.call].items() if place[0] == origin]
        own += [self._times[place] for place in state.ended_by if place[0] == origin]
        theirs = [index for place, index in state.ended_by if place == other]
        return all(time < self._from_us for time in own) and all(at < known for at in theirs)

    def _is_after(self, state: CallState, origin: str) -> bool:
        """Say whether a call began after the time on the clock of the side `origin`."""
        acts = self._acts[state.call]
        own = [act for place, act in acts.items() if place[0] == origin]
        if not all(time >= self._to_us for time, _ in own):
            return False
        rings = [place for place, (_, kind) in acts.items() if kind == "call.ring"]
        is_reached = any(kind in _REACHED for _, kind in own)
        return all(
            ring[0] == origin or is_reached or self._is_later(ring, origin) for ring in rings
        )

    def _is_later(self, ring: Place, origin: str) -> bool:
        """Say whether the side `origin` cannot have held a ring of the other's within the time."""
        first_after = self._sides[origin].first_after
        has_seen = first_after is not None and self._rings[ring] > first_after
        return has_seen or ring[1] >= self._bounds[ring[0]].after.size

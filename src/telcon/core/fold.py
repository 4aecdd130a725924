"""The fold: what two logs of one line mean (docs/protocol.md §4).

The state is a function of a pair of prefixes, one of each log, whatever the order in which they
were read, as long as that order respects `seen`. Two rules make it so: an entry is judged by its
causal past alone (its own log before it, and as much of the other log as it has `seen`), and acts
that took effect without knowing of each other are settled by `telcon.core.settle`. Void entries are
named with their reason and change nothing.

An entry's reasons are looked for in this order: its bytes, its `seen`, the line's opening, the
line's freezing, both sides' terms, the table of transitions, then what its own type asks for.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from msgspec import UNSET, Struct

from telcon.core.call import CallState, Past, Place
from telcon.core.entry import (
    CallAnswer,
    CallRing,
    Entry,
    LineAcknowledged,
    LineFrozen,
    LineOpened,
    LineTerms,
    LineTest,
    LineTested,
    Message,
    Ref,
    Void,
    call_of,
    read_entry_untrusted,
)
from telcon.core.guards import guard
from telcon.core.line import Kind, LineState, Log, Messages, MessageState, Terms, kind_of, terms_of
from telcon.core.line_tests import LineTests
from telcon.core.picture import state_of
from telcon.core.settle import Act, Acts, settle, side_of
from telcon.core.transitions import ENDS, TABLE, Phase, Side
from telcon.errors import MisuseError
from telcon.ledger.merkle import EMPTY_ROOT

__all__ = ["Applied", "LineFold", "LineState", "MessageState", "Terms"]

_SEEN_REASONS: Final = frozenset({Void.SEEN_FELL, Void.SEEN_BEYOND, Void.WRONG_SEEN_ROOT})

# Who takes these out of its terms in the middle of a call could keep the other side in it for ever,
# or have it acknowledge nothing.
_CLOSING: Final = frozenset(
    {
        "line.frozen",
        "line.acknowledged",
        "call.decline",
        "call.cancel",
        "call.missed",
        "call.leave",
        "call.hang-up",
        "call.fail",
        "call.record-off",
    }
)

_Verdict: TypeAlias = Void | Phase
"""Why an entry is void, or the phase it leads to (`NONE` if it is of no call)."""


class Applied(Struct, frozen=True):
    """What became of one entry."""

    entry: Entry | None  # None if the bytes cannot be read
    void: Void | None  # None if it took effect


class _Calls(Mapping[str, CallState]):
    """The calls by id; each picture is drawn when first looked at after a change."""

    def __init__(self, draw: Callable[[str], CallState]) -> None:
        self._draw = draw
        self._drawn: dict[str, CallState | None] = {}
        self._moved: set[str] = set()  # touched since last found to be over

    def __getitem__(self, call: str) -> CallState:
        drawn = self._drawn[call]
        if drawn is None:
            drawn = self._drawn[call] = self._draw(call)
        return drawn

    def __iter__(self) -> Iterator[str]:
        return iter(self._drawn)

    def __reversed__(self) -> Iterator[str]:
        """Return the calls in reversed order: the one that was first seen last comes first."""
        return reversed(self._drawn)

    def __len__(self) -> int:
        return len(self._drawn)

    def touch(self, call: str) -> None:
        """Draw `call` anew when next asked."""
        self._drawn[call] = None
        self._moved.add(call)

    def touch_all(self) -> None:
        """Draw every call anew when next asked."""
        self._drawn = dict.fromkeys(self._drawn)
        self._moved.update(self._drawn)

    def going_on(self) -> list[CallState]:
        """Return the calls that ring or live, without a look at all that are over."""
        states = [self[call] for call in self._moved]
        found = [state for state in states if state.phase not in ENDS]
        self._moved = {state.call for state in found}
        return sorted(found, key=lambda state: (state.rung_us, state.call))


class LineFold:
    """The state of one line, grown entry by entry.

    Give each log's entries in order. An entry may be given once as much of the other log as it has
    `seen` was given (`is_ready`); one that claims to have seen more than exists is void for good.
    """

    def __init__(
        self, origins: frozenset[str], root_of: Callable[[str, int], bytes | None]
    ) -> None:
        """Fold the two logs `origins`; `root_of` gives a log's root at a size, None if unknown.

        Raises:
            MisuseError: `origins` are not two.
        """
        if len(origins) != 2:
            msg = f"a line has two logs, not {len(origins)}"
            raise MisuseError(msg)
        self._root_of = root_of
        self._logs = {origin: Log() for origin in sorted(origins)}
        first, second = sorted(origins)
        self._other = {first: second, second: first}
        self._calls: dict[str, Acts] = {}
        self._rings: dict[Place, Acts] = {}
        self.wrong_seen: dict[str, int] = {}
        """By origin: the first entry that claims another history of the other log than there is."""
        self.calls = _Calls(self._draw)
        self.messages = Messages((first, second))
        self.tests = LineTests((first, second))

    @property
    def line(self) -> LineState:
        """The state of the line itself."""
        return LineState(
            frozenset(origin for origin, log in self._logs.items() if log.is_open),
            frozenset(origin for origin, log in self._logs.items() if log.frozen is not None),
            {origin: log.terms[-1] for origin, log in self._logs.items() if log.terms},
            {origin: frozenset(log.acknowledged) for origin, log in self._logs.items()},
        )

    @property
    def is_stated(self) -> bool:
        """Whether both sides have stated their terms."""
        return all(log.terms for log in self._logs.values())

    @property
    def is_frozen(self) -> bool:
        """Whether either side has frozen the line."""
        return any(log.frozen is not None for log in self._logs.values())

    def frozen_at(self, origin: str) -> int | None:
        """Return where the log `origin` freezes the line; None if it does not."""
        return self._logs[origin].froze_at

    def going_on(self) -> list[CallState]:
        """Return the calls that ring or live, the first rung first."""
        return self.calls.going_on()

    def size(self, origin: str) -> int:
        """Return how many entries of the log `origin` were applied."""
        return self._logs[origin].size

    def has_effect(self, origin: str, index: int) -> bool:
        """Return whether the entry at `index` of the log `origin` was applied and is not void."""
        log = self._logs[origin]
        return index < log.size and log.kinds[index] != Kind.VOID

    def is_ready(self, origin: str, data: bytes) -> bool:
        """Return whether all that the entry `data` of `origin` has seen was applied."""
        read = read_entry_untrusted(data)
        return isinstance(read, Void) or read.seen[0] <= self._logs[self._other[origin]].size

    def apply(self, origin: str, index: int, data: bytes) -> Applied:
        """Add the entry `data`, which stands at `index` of the log `origin`.

        Raises:
            MisuseError: `origin` is not of this line, or `index` is not the next.
        """
        return self.apply_read(origin, index, read_entry_untrusted(data))

    def apply_read(self, origin: str, index: int, read: Entry | Void) -> Applied:
        """Add what was read at `index` of the log `origin`, as `apply` does."""
        log = self._logs.get(origin)
        if log is None or index != log.size:
            msg = f"entry {index} of {origin} is not the next of this line"
            raise MisuseError(msg)
        if isinstance(read, Void):
            log.count(Kind.VOID)
            return Applied(None, read)
        verdict = self._judge(origin, read)
        if verdict not in _SEEN_REASONS:
            log.seen = read.seen
        if isinstance(verdict, Void):
            if verdict is Void.WRONG_SEEN_ROOT:
                self.wrong_seen.setdefault(origin, index)
            log.count(Kind.VOID)
            return Applied(read, verdict)
        self._take(origin, read, verdict)
        return Applied(read, None)

    def judge(self, origin: str, data: bytes) -> Void | None:
        """Return why `data` would be void as the next entry of `origin`; None if it would not."""
        read = read_entry_untrusted(data)
        verdict = read if isinstance(read, Void) else self._judge(origin, read)
        return verdict if isinstance(verdict, Void) else None

    def try_apply(self, origin: str, entry: Entry) -> Void | None:
        """Add `entry` as the next of the log `origin` if it has effect.

        Returns:
            None if it was added; else why it would be void, and nothing has changed.
        """
        verdict = self._judge(origin, entry)
        if isinstance(verdict, Void):
            return verdict
        self._logs[origin].seen = entry.seen
        self._take(origin, entry, verdict)
        return None

    def _draw(self, call: str) -> CallState:
        past = {origin: log.size for origin, log in self._logs.items()}
        return state_of(self._calls[call], past, self._frozen(past))

    # Judging: the causal past alone.

    def _judge(self, origin: str, entry: Entry) -> _Verdict:
        log = self._logs[origin]
        void = self._judge_seen(origin, entry.seen) or _judge_opening(log, entry)
        if void is not None:
            return void
        past = {origin: log.size, self._other[origin]: entry.seen[0]}
        if self._frozen(past) and not _has_a_say(log, entry):
            return Void.LINE_FROZEN
        if isinstance(entry, LineOpened | LineTerms):
            return Phase.NONE
        if entry.TYPE not in _CLOSING and not self._in_terms(entry.TYPE, past):
            return Void.NOT_IN_TERMS
        return self._judge_act(origin, entry, past)

    def _judge_seen(self, origin: str, seen: tuple[int, str]) -> Void | None:
        log, other = self._logs[origin], self._other[origin]
        if seen == log.seen:
            return None
        size, root = seen
        if size < log.seen[0]:
            return Void.SEEN_FELL
        if size > self._logs[other].size:
            return Void.SEEN_BEYOND
        known = self._root_of(other, size) if size else EMPTY_ROOT
        if known is None:
            return Void.SEEN_BEYOND
        return None if known.hex() == root else Void.WRONG_SEEN_ROOT

    def _frozen(self, past: Past) -> tuple[Act, ...]:
        acts = [log.frozen for log in self._logs.values() if log.frozen is not None]
        return tuple(act for act in acts if act.index < past[act.origin])

    def _in_terms(self, kind: str, past: Past) -> bool:
        for origin, log in self._logs.items():
            newest = log.terms_within(past[origin])
            if newest is None or kind not in newest.types:
                return False
        return True

    def _judge_act(self, origin: str, entry: Entry, past: Past) -> _Verdict:
        phase = Phase.NONE
        call_id = call_of(entry)
        if call_id is not None:
            verdict = self._judge_call(origin, entry, call_id, past)
            if isinstance(verdict, Void):
                return verdict
            phase = verdict
        if isinstance(entry, LineTested) and not self._refers(origin, entry.re[0], Kind.TEST, past):
            return Void.REFERS_TO_NOTHING
        if isinstance(entry, Message) and entry.re is not UNSET:
            known = self._refers(None, entry.re[0], Kind.MESSAGE, past)
            return phase if known else Void.REFERS_TO_NOTHING
        return phase

    def _judge_call(self, origin: str, entry: Entry, call_id: str, past: Past) -> _Verdict:
        call = self._calls.get(call_id)
        phase, side = Phase.NONE, Side.ANY
        if call is not None:
            phase = settle(call, past, ()).phase  # a frozen line was found before
        if call is not None and phase is not Phase.NONE:
            side = side_of(call, origin, past)
        cell = TABLE[phase, side][entry.TYPE]
        if isinstance(cell, Void) or call is None:
            return cell
        return guard(origin, entry, call, past, self._rings) or cell

    def _refers(self, author: str | None, place: Ref, kind: Kind, past: Past) -> bool:
        """Return whether `place` is an entry of `kind` within `past` and not of `author`."""
        origin, index = place
        if origin == author or index >= past.get(origin, 0):
            return False
        return self._logs[origin].kinds[index] == kind

    # Taking effect.

    def _take(self, origin: str, entry: Entry, to: Phase) -> None:
        log = self._logs[origin]
        self.tests.witness(origin, entry.time, entry.seen[0])
        if isinstance(entry, Message):
            self.messages.add(origin, log.size, entry.time)
        elif isinstance(entry, LineOpened):
            log.is_open = True
        elif isinstance(entry, LineTerms):
            log.terms.append(terms_of(entry, log.size))
        elif isinstance(entry, LineAcknowledged):
            log.acknowledged.add(entry.evidence)
        elif isinstance(entry, LineTest):
            self.tests.add(origin, log.size, entry.time)
        elif isinstance(entry, LineTested):
            self.tests.answer(entry.re[0], log.size)
        else:
            self._take_move(origin, entry, to)
        log.count(kind_of(entry))

    def _take_move(self, origin: str, entry: Entry, to: Phase) -> None:
        """Let an entry take effect that moves calls, if it is one."""
        act = Act(origin, self._logs[origin].size, entry.seen[0], entry.TYPE, to, entry.time)
        if isinstance(entry, LineFrozen):
            log = self._logs[origin]
            log.froze_at = act.index
            if not self._frozen({origin: act.index, self._other[origin]: act.seen}):
                log.frozen = act
                self.calls.touch_all()
        elif isinstance(entry, CallRing):
            self._take_ring(entry, act)
        elif (call_id := call_of(entry)) is not None:
            self._take_act(self._calls[call_id], entry, act)

    def _take_ring(self, entry: CallRing, act: Act) -> None:
        call = self._calls.setdefault(entry.call, Acts(entry.call))
        call.rings[act.origin] = act
        call.take_seat(act, entry)
        call.state_mode(act.origin, act.index, entry.mode)
        self._rings[act.place] = call
        self.calls.touch(call.id)

    def _take_act(self, call: Acts, entry: Entry, act: Act) -> None:
        if isinstance(entry, CallAnswer):
            self._take_answer(call, entry, act)
        else:
            call.take(entry, act)
        self.calls.touch(call.id)
        if call.own_ring is not None:  # whether that ring is merged hangs on this call's acts
            self.calls.touch(self._rings[call.own_ring].id)

    def _take_answer(self, call: Acts, entry: CallAnswer, act: Act) -> None:
        call.answer = act
        call.take_seat(act, entry)
        call.state_mode(act.origin, act.index, entry.mode)
        if entry.glare:
            call.own_ring = entry.re[1]
            self._rings[call.own_ring].merges.append((act, call))


def _has_a_say(log: Log, entry: Entry) -> bool:
    """Return whether `entry` has effect on a frozen line; it frees nothing there.

    Each side may freeze once, also where the other has: so that it can say why, or to what end.
    """
    if isinstance(entry, LineFrozen):
        return log.froze_at is None
    return isinstance(entry, LineAcknowledged)


def _judge_opening(log: Log, entry: Entry) -> Void | None:
    if not isinstance(entry, LineOpened):
        return None if log.is_open else Void.LINE_NOT_OPENED
    return Void.LINE_ALREADY_OPENED if log.size else None

"""The course of one call, as its entries tell it: who did what when, and what was signed when.

Read beside the loop, from the store: a call of an hour is some thousand entries. Each time is that
of whoever wrote the entry. Two clocks may be apart; how far is bounded by what each entry had seen
of the other log, and the other side's times are moved only if they could not be true as they stand.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from telcon.core.call import CallState
from telcon.core.entry import Entry, call_of, read_entry_untrusted
from telcon.core.void import Void
from telcon.ledger import VerifierKey, cosignature_time, parse_note_untrusted
from telcon.node.store import Store
from telcon.node.store.log import HeldLog

__all__ = ["Course", "Fact", "read_course"]

MAX_ENTRIES: Final = 20_000  # of one side; ten hours of recording and talk
READ_OCTETS: Final = 256 * 1024
AFTER_KNOWN: Final = 256
"""The fold does not keep where a call's messages stand; the last ones come soon after the rest."""
LATE_US: Final = 5_000_000
"""A countersignature comes within a round trip; so much later, and the link was away."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One entry of a call."""

    origin: str
    index: int
    entry: Entry
    time_us: int
    """On this node's clock, as far as can be told; the entry's own time is its author's."""


@dataclass(frozen=True, slots=True)
class Course:
    """All entries of a call that have effect, in time."""

    facts: tuple[Fact, ...]
    moved_us: int
    """By how much the other side's times were moved; 0 if they can be true as they stand."""
    unsigned: tuple[tuple[int, int | None], ...]
    """Times for which what we wrote was not countersigned; None: it is not yet."""


def read_course(
    folder: Path,
    own: str,
    peer: str,
    mirror: VerifierKey,
    state: CallState,
    now_us: int,
    *,
    has_effect: Callable[[str, int], bool],
) -> Course:
    """Read the call of `state` from the logs `own` and `peer` in the store of `folder`.

    `mirror` is the key by which the other side countersigns our log, `now_us` our clock;
    `has_effect` says of an entry whether it is none of those that are void.

    Raises:
        StorageError: the database or the disk refused.
    """
    first = {peer: state.rung_seen, own: state.rung_seen} | {state.rung[0]: state.rung[1]}
    with Store.open_read_only(folder) as store:
        facts = {
            origin: [
                fact
                for fact in _facts(store.stored_log(origin), first[origin], state)
                if has_effect(origin, fact.index)
            ]
            for origin in (own, peer)
        }
        unsigned = _unsigned_of(list(_waits(store.stored_log(own), facts[own], mirror)), now_us)
    moved = _moved(facts[own], facts[peer])
    theirs = [replace(fact, time_us=fact.time_us + moved) for fact in facts[peer]]
    return Course(tuple(sorted([*facts[own], *theirs], key=_order)), moved, tuple(unsigned))


def _facts(log: HeldLog, first: int, state: CallState) -> Iterator[Fact]:
    last = min(_last_of(log.origin, state, log.size), first + MAX_ENTRIES)
    index = first
    while index < last:
        for data in log.entries(index, READ_OCTETS):
            if index < last:
                yield from _fact(log.origin, index, data, state)
            index += 1
    for index in _long_after(log.origin, state):
        if last <= index < log.size:  # years later, perhaps: what lies between is not read
            yield from _fact(log.origin, index, log.entries(index, 0)[0], state)


def _fact(origin: str, index: int, data: bytes, state: CallState) -> Iterator[Fact]:
    entry = read_entry_untrusted(data)
    if not isinstance(entry, Void) and call_of(entry) == state.call:
        yield Fact(origin, index, entry, entry.time)


def _long_after(origin: str, state: CallState) -> list[int]:
    """Return where `origin` says what became of its record once the call was over, rising."""
    agreed = {author: at for author, (at, _) in state.agreed.items()}
    told = (agreed, state.sealed, state.destroyed)
    return sorted({places[origin] for places in told if origin in places})


def _last_of(origin: str, state: CallState, size: int) -> int:
    """Return up to where entries of the call may stand, some beyond what is known if it is over."""
    if state.ended_us is None:
        return size
    places = [*state.ended_by, *((late.origin, late.index) for late in state.late)]
    known = [index for author, index in places if author == origin]
    known += [seat.left or seat.opening for seat in state.roster.values() if seat.origin == origin]
    known += [one.off or one.on for one in state.recordings if one.author == origin]
    known += [chunk.last for (author, _), chunk in state.chunks.items() if author == origin]
    if origin == state.rung[0]:
        known.append(state.rung[1])
    return min(size, max(known, default=0) + 1 + AFTER_KNOWN)


def _order(fact: Fact) -> tuple[int, str, int]:
    return (fact.time_us, fact.origin, fact.index)


def _moved(ours: Iterable[Fact], theirs: Iterable[Fact]) -> int:
    """Return what to add to their times: nothing, or the middle of what the logs leave open."""
    least, most = _after_seen(ours, theirs), _after_seen(theirs, ours)
    if least is None or most is None:
        return 0
    low, high = -least, most  # what we had seen came before; what they had seen as well
    low, high = min(low, high), max(low, high)
    return 0 if low - LATE_US <= 0 <= high + LATE_US else (low + high) // 2


def _after_seen(seen: Iterable[Fact], readers: Iterable[Fact]) -> int | None:
    """Return the least time from an entry of `seen` to an entry of `readers` that had seen it."""
    found = None
    newest: Fact | None = None
    waiting = iter(seen)
    upcoming = next(waiting, None)
    for reader in readers:
        while upcoming is not None and upcoming.index < reader.entry.seen[0]:
            newest, upcoming = upcoming, next(waiting, None)
        if newest is not None:
            apart = reader.time_us - newest.time_us
            found = apart if found is None else min(found, apart)
    return found


def _unsigned_of(
    waits: Sequence[tuple[int, int | None]], now_us: int
) -> Iterator[tuple[int, int | None]]:
    """Return when our entries waited long for the other side's signature, by our clock.

    `waits` are the entries' times and how long each waited, None if it still does. Their clock
    stamps the signature; the shortest wait of the call tells how the clocks differ.
    """
    shortest = min((wait for _, wait in waits if wait is not None), default=0)
    open_until = 0
    for time_us, wait in waits:
        # By their clock, which may say anything: nothing was signed later than now.
        late = None if wait is None else min(wait - shortest, now_us - time_us)
        if time_us < open_until or (now_us - time_us if late is None else late) < LATE_US:
            continue
        yield (time_us, None if late is None else time_us + late)
        if late is None:
            return
        open_until = time_us + late


def _waits(
    log: HeldLog, facts: Iterable[Fact], mirror: VerifierKey
) -> Iterator[tuple[int, int | None]]:
    covered, stamp_us = 0, 0
    for fact in facts:
        if fact.index >= covered:
            found = log.cosigned_note_over(fact.index)
            if found is None:
                yield (fact.time_us, None)
                return
            covered, stamp_us = found[0], _stamp_us(found[1], mirror)
        yield (fact.time_us, stamp_us - fact.time_us)


def _stamp_us(note: bytes, mirror: VerifierKey) -> int:
    """Return when the other side countersigned; it was verified before it was stored."""
    signatures = parse_note_untrusted(note).signatures
    (own,) = (one for one in signatures if one.name == mirror.name)
    return cosignature_time(mirror, own) * 1_000_000

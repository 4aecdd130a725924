"""The acts of one call that took effect, and what they make of each other.

`Acts` keeps them; `settle` says which phase they make within a causal past, by the table of
concurrent acts of docs/protocol.md §4. Whether an entry takes effect at all is judged in
`telcon.core.fold`.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from telcon.core.call import AgreedTracks, ChunkSum, Held, Past, Place, Recording, Seat, TrackRef
from telcon.core.entry import (
    MODES,
    CallAnswer,
    CallJoin,
    CallLeave,
    CallMode,
    CallRing,
    CallRinging,
    Entry,
    Mode,
    RecordAgreed,
    RecordChunk,
    RecordDestroyed,
    RecordGap,
    RecordHeld,
    RecordOff,
    RecordOn,
    RecordSealed,
    Role,
)
from telcon.core.transitions import ENDS, PRECEDENCE, Phase, Side

__all__ = [
    "Act",
    "Acts",
    "Outcome",
    "mode_of",
    "settle",
    "side_of",
    "stated_modes",
    "stricter",
    "within",
]

_RANK: Final = {phase: rank for rank, phase in enumerate(PRECEDENCE)}
_NOTHING_HELD: Final = Held(0, 0, 0, 0)
_STRICTNESS: Final = {mode: rank for rank, mode in enumerate(MODES)}


@dataclass(frozen=True, slots=True)
class Act:
    """An entry that took effect and moves a call's phase."""

    origin: str
    index: int
    seen: int  # how much of the other log its author had cosigned
    type: str
    to: Phase  # where it leads, by the table of transitions
    time_us: int  # author's clock

    @property
    def place(self) -> Place:
        """Where the entry stands."""
        return (self.origin, self.index)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call's acts make of each other within one past."""

    phase: Phase
    by: tuple[Act, ...] = ()  # the acts that decide the phase
    answer: Act | None = None  # an answer that holds
    late: Act | None = None  # an answer that lost
    idle: tuple[Act, ...] = ()  # ends without effect: what they end was lost or merged


@dataclass(slots=True)
class Acts:
    """The acts of one call that took effect, in the order in which they were applied."""

    id: str
    rings: dict[str, Act] = field(default_factory=dict)  # by origin
    answer: Act | None = None
    own_ring: Place | None = None  # the other ring, if the answer is a glare answer
    ends: list[Act] = field(default_factory=list)
    merges: list[tuple[Act, "Acts"]] = field(default_factory=list)  # glare answers naming our ring
    seats: dict[tuple[str, str], Seat] = field(default_factory=dict)  # by origin and handle
    tracks: dict[TrackRef, int] = field(default_factory=dict)  # index of the opening entry
    modes: dict[str, list[tuple[int, Mode]]] = field(default_factory=dict)  # by origin, rising
    devices: int = 0
    recordings: dict[str, list[Recording]] = field(default_factory=dict)  # by author, rising
    newest: dict[tuple[str, TrackRef], int] = field(default_factory=dict)  # where in these lists
    chunks: dict[TrackRef, ChunkSum] = field(default_factory=dict)
    told: dict[TrackRef, int] = field(default_factory=dict)  # index after what is in chunk or gap
    chunk_entries: dict[str, list[tuple[int, tuple[int, ...]]]] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)  # by who holds
    agreed: dict[str, tuple[int, AgreedTracks]] = field(default_factory=dict)  # by author
    stated: dict[str, set[AgreedTracks]] = field(default_factory=dict)  # all of them, by author
    sealed: dict[str, int] = field(default_factory=dict)  # by author: where it says so first
    destroyed: dict[str, int] = field(default_factory=dict)  # the same

    def take(self, entry: Entry, act: Act) -> None:
        """Add the effect of `entry`, neither ring nor answer."""
        if isinstance(entry, CallJoin):
            self.take_seat(act, entry)
        elif isinstance(entry, CallLeave):
            seat = self.seats[act.origin, entry.by]
            self.seats[act.origin, entry.by] = replace(seat, left=act.index)
        elif isinstance(entry, CallMode):
            self.state_mode(act.origin, act.index, entry.mode)
        elif isinstance(entry, CallRinging):
            self.devices = entry.devices
        elif isinstance(entry, RecordOn):
            mine = self.recordings.setdefault(act.origin, [])
            self.newest[act.origin, entry.track] = len(mine)
            mine.append(Recording(act.origin, entry.track, act.index))
        elif isinstance(entry, RecordChunk):
            numbers = tuple(track[0] for track in entry.tracks)
            self.chunk_entries.setdefault(act.origin, []).append((act.index, numbers))
            for track, first, count, _ in entry.tracks:
                known = self.chunks.get((act.origin, track))
                total = count if known is None else known.count + count
                end = self.told[act.origin, track] = first + count
                self.chunks[act.origin, track] = ChunkSum(total, end, act.index, act.time_us)
        elif isinstance(entry, RecordGap):
            for track, first, count in entry.tracks:
                self.told[act.origin, track] = first + count
        elif isinstance(entry, RecordHeld):
            self.held[act.origin] = _add_held(self.holds(act.origin), entry)
        elif isinstance(entry, RecordAgreed):
            self.agreed[act.origin] = (act.index, entry.tracks)
            self.stated.setdefault(act.origin, set()).add(entry.tracks)
        elif isinstance(entry, RecordSealed):
            self.sealed.setdefault(act.origin, act.index)
        elif isinstance(entry, RecordDestroyed):
            self.destroyed.setdefault(act.origin, act.index)
        elif isinstance(entry, RecordOff):
            mine, at = self.recordings[act.origin], self.newest[act.origin, entry.track]
            mine[at] = replace(mine[at], off=act.index, off_us=act.time_us)
        else:
            self.ends.append(act)

    def take_seat(self, act: Act, entry: CallRing | CallAnswer | CallJoin) -> None:
        """Put the person whom `entry` declares on the roster."""
        role: Role = entry.role if isinstance(entry, CallJoin) else "principal"
        seat = Seat(act.origin, entry.by, role, entry.track, act.index)
        self.seats[act.origin, entry.by] = seat
        self.tracks[act.origin, entry.track] = act.index

    def state_mode(self, origin: str, index: int, mode: Mode) -> None:
        """Note what a side states may be recorded."""
        self.modes.setdefault(origin, []).append((index, mode))

    def has_track(self, track: TrackRef, past: Past) -> bool:
        """Return whether somebody on the roster, perhaps gone again, speaks on `track`."""
        opening = self.tracks.get(track)
        return opening is not None and opening < past[track[0]]

    def has_handle(self, handle: str, past: Past) -> bool:
        """Return whether `handle` was given to anybody of either side."""
        seats = ((self.seats.get((origin, handle)), bound) for origin, bound in past.items())
        return any(seat is not None and seat.opening < bound for seat, bound in seats)

    def was_answered(self, past: Past) -> bool:
        """Return whether an answer is within `past`, even one that lost to a cancel."""
        return self.answer is not None and self.answer.index < past[self.answer.origin]

    def spoken(self, origin: str, track: int) -> int:
        """Return the index after what the chunks and gaps of an own track tell of."""
        return self.told.get((origin, track), 0)

    def holds(self, origin: str) -> Held:
        """Return what the side `origin` has stated that it holds of the other's chunks."""
        return self.held.get(origin, _NOTHING_HELD)

    def is_agreed(self) -> bool:
        """Return whether both sides have stated the same record; what was agreed stays agreed."""
        stated = list(self.stated.values())
        return len(stated) == 2 and not stated[0].isdisjoint(stated[1])

    def is_recording(self, author: str, track: TrackRef) -> bool:
        """Return whether the author's newest recording of `track` is unclosed."""
        at = self.newest.get((author, track))
        return at is not None and self.recordings[author][at].off is None


def _add_held(held: Held, entry: RecordHeld) -> Held:
    """Return `held` with one chunk more."""
    repaired, absent, differing = held.repaired, held.absent, held.differing
    for _, _, came, lacks, differs in entry.tracks:
        repaired += sum(count for _, count in came)
        absent += sum(count for _, count in lacks)
        differing += sum(count for _, count in differs)
    return Held(held.chunks + 1, repaired, absent, differing)


def side_of(call: Acts, origin: str, past: Past) -> Side:
    """Return on which side of the ring the log `origin` stands."""
    ring = call.rings.get(origin)
    return Side.RINGER if ring is not None and ring.index < past[origin] else Side.RUNG


def settle(call: Acts, past: Past, frozen: tuple[Act, ...]) -> Outcome:
    """Return what the acts of `call` within `past` make of each other.

    `frozen`: the entries within `past` that froze the line.
    """
    rings = within(call.rings.values(), past)
    if not rings:
        return Outcome(Phase.NONE)
    answer, late, ends, idle = _answered(call, past)
    merging = tuple(act for act, target in call.merges if _merges(act, target, past))
    if merging:
        return Outcome(Phase.MERGED, merging, None, answer or late, (*idle, *ends))
    if len(rings) > 1:  # one id from both sides: nobody can say whose call it is
        return Outcome(Phase.FAILED, rings)
    acts = (*rings, *ends) if answer is None else (*rings, answer, *ends)
    phase = min((act.to for act in acts), key=_RANK.__getitem__)
    if phase not in ENDS and frozen:
        return Outcome(Phase.FAILED, frozen, answer, late, idle)
    by = tuple(act for act in acts if act.to == phase)
    return Outcome(phase, by, answer, late, idle)


def _answered(
    call: Acts, past: Past
) -> tuple[Act | None, Act | None, tuple[Act, ...], tuple[Act, ...]]:
    """Return answer that holds, answer that lost, ends that count, ends that followed the lost."""
    ends = within(call.ends, past)
    answer = call.answer
    if answer is None or answer.index >= past[answer.origin]:
        return None, None, ends, ()
    if not any(end.type == "call.cancel" for end in ends):
        return answer, None, ends, ()
    # A cancel that took effect knew of no answer, and an answer of no cancel: they are concurrent.
    followed = tuple(end for end in ends if end.origin == answer.origin)
    return None, answer, tuple(end for end in ends if end not in followed), followed


def _merges(glare: Act, target: Acts, past: Past) -> bool:
    """Return whether a glare answer to `target` is within `past` and holds there."""
    if glare.index >= past[glare.origin]:
        return False
    return not any(end.type == "call.cancel" for end in within(target.ends, past))


def mode_of(call: Acts, past: Past, late: Act | None = None) -> Mode:
    """Return the stricter of what each side last stated within `past`; `late`: a lost answer."""
    return stricter(stated_modes(call, past, late).values())


def stated_modes(call: Acts, past: Past, late: Act | None = None) -> dict[str, Mode]:
    """Return by origin what each side last stated within `past`; `late`: a lost answer."""
    stated = {}
    for origin, modes in call.modes.items():
        bound = past[origin]
        if late is not None and late.origin == origin:
            bound = min(bound, late.index)
        position = bisect_left(modes, bound, key=lambda item: item[0])
        if position:
            stated[origin] = modes[position - 1][1]
    return stated


def stricter(modes: Iterable[Mode]) -> Mode:
    """Return the strictest of `modes`, the loosest of all if there is none."""
    return max(modes, key=_STRICTNESS.__getitem__, default=MODES[0])


def within(acts: Iterable[Act], past: Past) -> tuple[Act, ...]:
    """Return those of `acts` that lie within `past`."""
    return tuple(act for act in acts if act.index < past[act.origin])

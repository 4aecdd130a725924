"""The picture of a call that the rest of telcon reads, drawn from its acts.

Here stands what comes of acts that were lawful when written and yet have no effect: an answer that
lost to a cancel, a join that lost to a hang-up. Both sides see them as *late*.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from telcon.core.call import (
    Act,
    Call,
    ChunkSum,
    Outcome,
    Past,
    Place,
    Recording,
    Seat,
    TrackRef,
    mode_of,
    settle,
)
from telcon.core.entry import Mode
from telcon.core.transitions import ENDS, Phase

__all__ = ["CallState", "Late", "LateAct", "state_of"]


class LateAct(StrEnum):
    """Why an act that was lawful when written has no effect all the same."""

    ANSWERED = "answered too late"
    JOINED = "joined too late"
    IDLE = "without effect"


@dataclass(frozen=True, slots=True, order=True)
class Late:
    """An act that lost to one it knew nothing of."""

    origin: str
    index: int
    why: LateAct


@dataclass(frozen=True, slots=True)
class CallState:
    """A call as the whole of two logs tells it."""

    call: str
    phase: Phase
    initiated_by: frozenset[str]  # both sides after glare
    rung: Place  # the ring; of two rings with one id, that of the origin that sorts first
    rung_us: int  # this and the other times: the author's clock
    roster: Mapping[tuple[str, str], Seat]  # by origin and handle; who left stays, with `left`
    mode: Mode
    devices: int  # how many devices rang, as the rung side last said
    answered: Place | None  # the answer, if it holds
    answered_us: int | None
    own_ring: Place | None  # the ring that merged into this call, if both sides rang at once
    merged_into: str | None  # the call that goes on in this one's stead
    ended_by: tuple[Place, ...]  # the acts that ended it, by origin
    ended_us: int | None  # the earliest of theirs
    recordings: tuple[Recording, ...]
    chunks: Mapping[TrackRef, ChunkSum]  # by origin and track number
    late: tuple[Late, ...]  # acts without effect, by origin and index

    def active(self, origin: str) -> tuple[Seat, ...]:
        """Return the people of one side who are on the roster now."""
        seats = self.roster.values()
        return tuple(seat for seat in seats if seat.origin == origin and seat.left is None)


def state_of(call: Call, past: Past, frozen: tuple[Act, ...]) -> CallState:
    """Return the picture of `call` within `past`, the whole of both logs."""
    outcome = settle(call, past, frozen)
    ring = call.rings[min(call.rings)]
    roster, late = _roster(call, outcome)
    answer = outcome.answer
    over = outcome.phase in ENDS
    target = next((to for act, to in call.merges if act in outcome.by), None)
    return CallState(
        call=call.id,
        phase=outcome.phase,
        initiated_by=_initiators(call, answer),
        rung=ring.place,
        rung_us=ring.time_us,
        roster=roster,
        mode=mode_of(call, past, outcome.late),
        devices=call.devices,
        answered=None if answer is None else answer.place,
        answered_us=None if answer is None else answer.time_us,
        own_ring=None if answer is None else call.own_ring,
        merged_into=None if target is None else target.id,
        ended_by=tuple(sorted(act.place for act in outcome.by)) if over else (),
        ended_us=min(act.time_us for act in outcome.by) if over else None,
        recordings=_by_author(call) if answer is not None else (),
        chunks=dict(call.chunks) if answer is not None else {},
        late=late,
    )


def _initiators(call: Call, answer: Act | None) -> frozenset[str]:
    both = call.own_ring is not None and answer is not None
    return frozenset(call.rings) | (frozenset({answer.origin}) if both and answer else frozenset())


def _by_author(call: Call) -> tuple[Recording, ...]:
    recordings = chain.from_iterable(call.recordings.values())
    return tuple(sorted(recordings, key=lambda recording: (recording.author, recording.on)))


def _roster(call: Call, outcome: Outcome) -> tuple[dict[tuple[str, str], Seat], tuple[Late, ...]]:
    """Return who counts as on the call, and the acts that came too late for it."""
    late = [Late(act.origin, act.index, LateAct.IDLE) for act in outcome.idle]
    lost = outcome.late
    if lost is not None:
        late.append(Late(lost.origin, lost.index, LateAct.ANSWERED))
    roster = {}
    for key, seat in call.seats.items():
        if lost is not None and (seat.origin, seat.opening) == lost.place:
            continue
        if _too_late(call, seat, outcome):
            late.append(Late(seat.origin, seat.opening, LateAct.JOINED))
        else:
            roster[key] = seat
    return roster, tuple(sorted(late))


def _too_late(call: Call, seat: Seat, outcome: Outcome) -> bool:
    """Return whether `seat` is a join concurrent with the end of the call."""
    openings = [*call.rings.values(), *([call.answer] if call.answer else [])]
    if outcome.phase not in ENDS or any(
        (seat.origin, seat.opening) == act.place for act in openings
    ):
        return False
    return any(end.origin != seat.origin and seat.opening >= end.seen for end in outcome.by)

"""Draws the picture of a call (`telcon.core.call.CallState`) from its acts."""

from itertools import chain

from telcon.core.call import CallState, Late, LateAct, Past, Recording, Seat
from telcon.core.settle import Act, Acts, Outcome, mode_of, settle, stated_modes
from telcon.core.transitions import ENDS

__all__ = ["state_of"]


def state_of(call: Acts, past: Past, frozen: tuple[Act, ...]) -> CallState:
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
        rung_seen=ring.seen,
        rung_us=ring.time_us,
        roster=roster,
        mode=mode_of(call, past, outcome.late),
        stated=stated_modes(call, past, outcome.late),
        devices=call.devices,
        answered=None if answer is None else answer.place,
        answered_us=None if answer is None else answer.time_us,
        own_ring=None if answer is None else call.own_ring,
        merged_into=None if target is None else target.id,
        ended_by=tuple(sorted(act.place for act in outcome.by)) if over else (),
        ended_us=min(act.time_us for act in outcome.by) if over else None,
        recordings=_by_author(call) if answer is not None else (),
        chunks=dict(call.chunks) if answer is not None else {},
        told=dict(call.told) if answer is not None else {},
        chunk_entries=_chunk_entries(call) if answer is not None else {},
        held=dict(call.held) if answer is not None else {},
        agreed=dict(call.agreed) if answer is not None else {},
        is_agreed=answer is not None and call.is_agreed(),
        sealed=dict(call.sealed) if answer is not None else {},
        destroyed=dict(call.destroyed) if answer is not None else {},
        late=late,
    )


def _initiators(call: Acts, answer: Act | None) -> frozenset[str]:
    both = call.own_ring is not None and answer is not None
    return frozenset(call.rings) | (frozenset({answer.origin}) if both and answer else frozenset())


def _by_author(call: Acts) -> tuple[Recording, ...]:
    return tuple(chain.from_iterable(call.recordings[author] for author in sorted(call.recordings)))


def _chunk_entries(call: Acts) -> dict[str, tuple[int, ...]]:
    return {
        author: tuple(index for index, _ in entries)
        for author, entries in call.chunk_entries.items()
    }


def _roster(call: Acts, outcome: Outcome) -> tuple[dict[tuple[str, str], Seat], tuple[Late, ...]]:
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


def _too_late(call: Acts, seat: Seat, outcome: Outcome) -> bool:
    """Return whether `seat` is a join concurrent with the end of the call."""
    openings = [*call.rings.values(), *([call.answer] if call.answer else [])]
    if outcome.phase not in ENDS or any(
        (seat.origin, seat.opening) == act.place for act in openings
    ):
        return False
    return any(end.origin != seat.origin and seat.opening >= end.seen for end in outcome.by)

"""Who may be heard: the gate in front of every packet of a call.

Audio of this side goes to the trunk when (a) the fold says live, (b) the peer's cosignature covers
our opening entry, (c) the peer's opening entry is stored and cosigned here; arriving audio is
played from (a) and (c) on. So nobody is heard before both sides have signed that they are on the
call. The same holds handle by handle for who joins later. A link that is lost takes nothing away
that was covered before.
"""

from dataclasses import dataclass

from telcon.core.call import CallState, Seat
from telcon.core.fold import LineFold
from telcon.core.transitions import Phase

__all__ = ["CLOSED", "Gate", "gate_of", "is_countersigned"]


@dataclass(frozen=True, slots=True)
class Gate:
    """Who may be heard right now, by handle; all empty while a call is not live."""

    send: frozenset[str] = frozenset()  # own people whose audio may go to the trunk
    play: frozenset[str] = frozenset()  # the peer's people whose audio may be played
    local: frozenset[str] = frozenset()  # own people who may hear each other


CLOSED = Gate()
"""Nobody may be heard."""


def gate_of(
    fold: LineFold, call: str, own_origin: str, cosigned_by_peer: int, cosigned_here: int
) -> Gate:
    """Return who may be heard in `call`.

    `cosigned_by_peer`: how much of our log the peer's cosignature, verified here, covers;
    `cosigned_here`: how much of theirs is stored and cosigned by us.
    """
    state = fold.calls.get(call)
    if state is None or state.phase is not Phase.LIVE:
        return CLOSED
    ours, theirs = _sides(state, own_origin)
    known = frozenset(seat.handle for seat in theirs if seat.opening < cosigned_here)
    covered = frozenset(seat.handle for seat in ours if seat.opening < cosigned_by_peer)
    has_c = _opening(state, own_origin, own=False) < cosigned_here
    has_b = is_countersigned(state, own_origin, cosigned_by_peer)
    return Gate(
        send=covered if has_b and has_c else frozenset(),
        play=known if has_c else frozenset(),
        local=covered if has_b else frozenset(),
    )


def is_countersigned(state: CallState, own_origin: str, cosigned_by_peer: int) -> bool:
    """Return whether the peer's cosignature covers our ring or answer of an answered call."""
    return _opening(state, own_origin, own=True) < cosigned_by_peer


def _opening(state: CallState, own_origin: str, *, own: bool) -> int:
    """Return the index of the ring or answer of one side; after glare the answer stands."""
    places = [place for place in (state.rung, state.answered) if place is not None]
    (index,) = (index for origin, index in places if (origin == own_origin) is own)
    return index


def _sides(state: CallState, own_origin: str) -> tuple[list[Seat], list[Seat]]:
    active = [seat for seat in state.roster.values() if seat.left is None]
    ours = [seat for seat in active if seat.origin == own_origin]
    return ours, [seat for seat in active if seat.origin != own_origin]

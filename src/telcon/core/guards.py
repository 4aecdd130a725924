"""What an entry of a call must bring beyond being lawful in its phase: references, handles, tracks.

Each rule looks at the entry's causal past alone: the caller has found, by the table of transitions,
that the entry may happen at all in the phase which that past shows.
"""

from collections.abc import Mapping

from telcon.core.call import Past, Place
from telcon.core.entry import (
    CallAnswer,
    CallCancel,
    CallDecline,
    CallHangUp,
    CallJoin,
    CallLeave,
    CallMissed,
    CallMode,
    CallRinging,
    Entry,
    RecordAgreed,
    RecordChunk,
    RecordDestroyed,
    RecordGap,
    RecordHeld,
    RecordOff,
    RecordOn,
    RecordSealed,
    Void,
)
from telcon.core.settle import Acts, mode_of, settle, within
from telcon.core.transitions import Phase

__all__ = ["guard", "name_of"]

_OF_RECORDS = RecordHeld | RecordAgreed | RecordSealed | RecordDestroyed


def name_of(origin: str) -> str:
    """Return the node's name in the name of its log; names, not origins, say who sorts first."""
    return origin.partition("/")[0]


def guard(
    origin: str, entry: Entry, call: Acts, past: Past, rings: Mapping[Place, Acts]
) -> Void | None:
    """Return why `entry` of the log `origin` has no effect on `call`; None if it has.

    `rings`: every ring that took effect and its call.
    """
    if isinstance(entry, CallAnswer):
        return _answer(origin, entry, call, past, rings)
    if isinstance(entry, CallRinging | CallDecline | CallCancel | CallMissed):
        return _refers_to_ring(entry.re[0], call, past)
    if isinstance(entry, CallJoin):
        return _new_person(origin, entry, call, past)
    if isinstance(entry, CallLeave | CallMode | CallHangUp):
        seat = call.seats.get((origin, entry.by))
        return Void.NOT_ON_ROSTER if seat is None or seat.left is not None else None
    if isinstance(entry, RecordOn):
        if mode_of(call, past) != "audio":
            return Void.MODE_DOES_NOT_RECORD
        return None if call.has_track(entry.track, past) else Void.NO_SUCH_TRACK
    if isinstance(entry, RecordChunk):
        return _chunk(origin, entry, call, past)
    if isinstance(entry, RecordGap):
        return _follows(origin, entry, call, past)
    if isinstance(entry, _OF_RECORDS) and not call.was_answered(past):
        return Void.NOT_LIVE
    if isinstance(entry, RecordHeld):
        return _held(origin, entry, call, past)
    if isinstance(entry, RecordAgreed):
        known = all(call.has_track(track[:2], past) for track in entry.tracks)
        return None if known else Void.NO_SUCH_TRACK
    if isinstance(entry, RecordOff):
        if not call.was_answered(past):
            return Void.NOT_LIVE
        return None if call.is_recording(origin, entry.track) else Void.NO_SUCH_TRACK
    return None


def _answer(
    origin: str, entry: CallAnswer, call: Acts, past: Past, rings: Mapping[Place, Acts]
) -> Void | None:
    void = _refers_to_ring(entry.re[0], call, past)
    if void is None and entry.glare:
        void = _glare(origin, entry.re[1], call, past, rings)
    return void or _new_person(origin, entry, call, past)


def _refers_to_ring(place: Place, call: Acts, past: Past) -> Void | None:
    known = any(ring.place == place for ring in within(call.rings.values(), past))
    return None if known else Void.REFERS_TO_NOTHING


def _glare(
    origin: str, own: Place, call: Acts, past: Past, rings: Mapping[Place, Acts]
) -> Void | None:
    """Both sides rang at once: the own ring must still ring, and the name must sort first."""
    own_call = rings.get(own)
    if own_call is None or own[0] != origin or own_call is call:
        return Void.REFERS_TO_NOTHING
    if settle(own_call, past, ()).phase is not Phase.RINGING:
        return Void.NOT_RINGING
    ours = own_call.rings[origin]
    (theirs,) = (ring for ring in call.rings.values() if ring.origin != origin)
    at_once = theirs.seen <= ours.index and ours.seen <= theirs.index
    first = (name_of(origin), origin) < (name_of(theirs.origin), theirs.origin)
    return None if at_once and first else Void.NOT_YOURS


def _new_person(origin: str, entry: CallAnswer | CallJoin, call: Acts, past: Past) -> Void | None:
    if call.has_handle(entry.by, past):
        return Void.HANDLE_IN_USE
    return Void.TRACK_IN_USE if call.has_track((origin, entry.track), past) else None


def _chunk(origin: str, entry: RecordChunk, call: Acts, past: Past) -> Void | None:
    if not call.was_answered(past):
        return Void.NOT_LIVE
    if origin not in call.recordings and mode_of(call, past) != "audio":
        return Void.MODE_DOES_NOT_RECORD
    return _follows(origin, entry, call, past)


def _follows(origin: str, entry: RecordChunk | RecordGap, call: Acts, past: Past) -> Void | None:
    """Chunks and gaps tell of every packet of a track once, in order."""
    if not call.was_answered(past):
        return Void.NOT_LIVE
    if not all(call.has_track((origin, track[0]), past) for track in entry.tracks):
        return Void.NO_SUCH_TRACK
    if origin in call.agreed:  # it has stated what all its chunks come to
        return Void.CHUNK_DOES_NOT_FOLLOW
    follows = all(track[1] == call.spoken(origin, track[0]) for track in entry.tracks)
    return None if follows else Void.CHUNK_DOES_NOT_FOLLOW


def _held(origin: str, entry: RecordHeld, call: Acts, past: Past) -> Void | None:
    """Chunks are answered for in their order, each once, and all their tracks."""
    other = next(one for one in past if one != origin)
    chunks = call.chunk_entries.get(other, ())
    answered = call.holds(origin).chunks
    if answered >= len(chunks) or chunks[answered][0] >= past[other]:
        return Void.REFERS_TO_NOTHING
    index, numbers = chunks[answered]
    if entry.re[0] != (other, index):
        return Void.REFERS_TO_NOTHING
    same = tuple(track[0] for track in entry.tracks) == numbers
    return None if same else Void.NO_SUCH_TRACK

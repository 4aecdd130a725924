"""What the rest of telcon reads of a call: who is on it, where it stands, what was recorded.

These pictures are drawn by `telcon.core.picture` from the acts that took effect; nobody changes
them. Acts that were lawful when written and yet have no effect (an answer that lost to a cancel, a
join that lost to a hang-up) stand in a picture as *late*, for both sides to see.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from telcon.core.entry import Mode, Role
from telcon.core.transitions import Phase

__all__ = [
    "AgreedTracks",
    "CallState",
    "ChunkSum",
    "Held",
    "Late",
    "LateAct",
    "Past",
    "Place",
    "Recording",
    "Seat",
    "TrackRef",
]

Place: TypeAlias = tuple[str, int]
"""Where an entry stands: origin and index."""

TrackRef: TypeAlias = tuple[str, int]
"""A track: whose (origin), and its number there."""

AgreedTracks: TypeAlias = tuple[tuple[str, int, int, str, int], ...]
"""Of each track: origin, number, packets, then hex SHA-256 and octets of its Ogg Opus file."""

Past: TypeAlias = Mapping[str, int]
"""A pair of prefixes: how many entries of each log, by origin."""


@dataclass(frozen=True, slots=True)
class Seat:
    """One person on the roster."""

    origin: str  # the side that declared them
    handle: str
    role: Role
    track: int  # of the side's own numbering
    opening: int  # index of the ring, answer or join, in the log `origin`
    left: int | None = None  # index of the leave, if they left


@dataclass(frozen=True, slots=True)
class Recording:
    """One file that a side's node wrote of one track."""

    author: str  # the side whose node records
    track: TrackRef  # whose track, and its number
    on: int  # index of record-on in the author's log
    off: int | None = None  # index of record-off, once the file is closed
    off_us: int | None = None


@dataclass(frozen=True, slots=True)
class ChunkSum:
    """What a side has stated so far of one of its tracks."""

    count: int  # packets in all chunks
    next: int  # index after the last packet of the newest chunk
    last: int  # index of the newest chunk entry
    last_us: int


@dataclass(frozen=True, slots=True)
class Held:
    """What one side states that it holds of the other's chunks."""

    chunks: int  # of the other side's chunks, the first so many
    repaired: int  # packets that did not come by themselves, over all tracks
    absent: int
    differing: int


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
    rung_seen: int  # how much of the other log the ringing side had seen
    rung_us: int  # this and the other times: the author's clock
    roster: Mapping[tuple[str, str], Seat]  # by origin and handle; who left stays, with `left`
    mode: Mode
    stated: Mapping[str, Mode]  # by origin: what each side last let be recorded
    devices: int  # how many devices rang, as the rung side last said
    answered: Place | None  # the answer, if it holds
    answered_us: int | None
    own_ring: Place | None  # the ring that merged into this call, if both sides rang at once
    merged_into: str | None  # the call that goes on in this one's stead
    ended_by: tuple[Place, ...]  # the acts that ended it, by origin
    ended_us: int | None  # the earliest of theirs
    recordings: tuple[Recording, ...]
    chunks: Mapping[TrackRef, ChunkSum]  # by origin and track number
    told: Mapping[TrackRef, int]  # the index after what chunks and gaps tell of
    chunk_entries: Mapping[str, tuple[int, ...]]  # by author: where its chunks stand, rising
    held: Mapping[str, Held]  # by who holds
    agreed: Mapping[str, tuple[int, AgreedTracks]]  # by author: its newest statement, and where
    is_agreed: bool  # both sides have stated the same record
    sealed: Mapping[str, int]  # by author: where it says that record-keepers alone open its record
    destroyed: Mapping[str, int]  # by author: where it says that it destroyed its record
    late: tuple[Late, ...]  # acts without effect, by origin and index

    @property
    def is_silent(self) -> bool:
        """Whether both sides closed their recordings and neither logged a packet."""
        closed = all(recording.off is not None for recording in self.recordings)
        return closed and not self.chunks and len({one.author for one in self.recordings}) > 1

    def active(self, origin: str) -> tuple[Seat, ...]:
        """Return the people of one side who are on the roster now."""
        seats = self.roster.values()
        return tuple(seat for seat in seats if seat.origin == origin and seat.left is None)

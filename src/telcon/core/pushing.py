"""Our own log on its way to the peer, on one connection: pushes cut, signed, credited, cosigned.

A push is made when there is room for it, never queued. `signed_to` bounds what may be signed: the
size of the marker. Making a push signs its checkpoint; the caller has made the marker durable.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from telcon.core.frames import (
    FRAME_OVERHEAD_OCTETS,
    MAX_FRAME_OCTETS,
    Push,
    SentOpening,
    format_frame,
    sent_octets,
)
from telcon.core.growing import GrowingLog
from telcon.core.seal import Opening
from telcon.errors import MisuseError, SignatureError
from telcon.ledger import (
    Checkpoint,
    SigningKey,
    VerifierKey,
    add_signature_lines,
    format_checkpoint,
    open_cosignature,
    sign_checkpoint,
)

__all__ = ["CREDIT_OCTETS", "Cosignature", "Pushes", "cut_piece"]

CREDIT_OCTETS: Final = 1_048_576  # pushes without cosignature in flight, at most
BULK_OCTETS: Final = CREDIT_OCTETS // 2  # above this, bulk waits so that acts need not
MAX_RESYNCS: Final = 8  # per connection, without a cosignature between

Piece = Sequence[tuple[bytes, tuple[Opening, ...]]]


class Cosignature(NamedTuple):
    """A verified cosignature of the peer over a checkpoint of ours."""

    size: int
    timestamp: int
    """POSIX seconds on the peer's clock."""
    note: bytes
    """The checkpoint with our signature and the peer's."""


class _Sent(NamedTuple):
    size: int
    octets: int
    note: bytes


class Pushes:
    """What one connection has carried of our log; starts at what the peer says it holds."""

    def __init__(self, log: GrowingLog, key: SigningKey, mirror: VerifierKey, held: int) -> None:
        """Push `log` from entry `held` on; `mirror` is the peer's key that cosigns."""
        self.is_ended_there = False
        """Whether the peer has refused a push because its own log has ended."""
        self._is_halted = False
        self._log = log
        self._key = key
        self._mirror = mirror
        self._next = held
        self._piece: list[tuple[bytes, tuple[Opening, ...]]] = []
        self._held_back: tuple[_Sent, bytes] | None = None  # made, but there is no credit
        self._in_flight: deque[_Sent] = deque()
        self._in_flight_octets = 0
        self._resyncs = 0
        self._cosigned_to = held  # on this connection
        self._newest: _Sent | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether anything sent is not cosigned yet."""
        return bool(self._in_flight)

    @property
    def newest_signed(self) -> tuple[int, bytes] | None:
        """Size and note of the newest checkpoint that was sent, whatever became of it."""
        return None if self._newest is None else (self._newest.size, self._newest.note)

    @property
    def is_crowded(self) -> bool:
        """Whether so much is in flight that bulk should wait."""
        return self._in_flight_octets >= BULK_OCTETS

    def next_push(self, signed_to: int) -> bytes | None:
        """Return the next push, or None when all is sent or the credit is used up."""
        if self._is_halted or self._next >= signed_to:
            return None
        if self._held_back is None:
            self._held_back = self._make(signed_to)
        sent, frame = self._held_back
        if self._in_flight_octets + sent.octets > CREDIT_OCTETS:
            return None
        self._held_back = None
        self._newest = sent
        self._in_flight.append(sent)
        self._in_flight_octets += sent.octets
        del self._piece[: sent.size - self._next]
        self._next = sent.size
        return frame

    def _make(self, signed_to: int) -> tuple[_Sent, bytes]:
        if not self._piece:
            self._piece = self._log.read(self._next)
        piece = self._piece[: signed_to - self._next]
        del piece[cut_piece(piece) :]
        if not piece:
            raise MisuseError(f"no entry {self._next} to push of {self._log.origin}")
        size = self._next + len(piece)
        note = sign_checkpoint(self._checkpoint(size), self._key)
        openings = [
            SentOpening(index, opening.member, opening.key, opening.content)
            for index, (_, openings) in enumerate(piece, self._next)
            for opening in openings
        ]
        frame = format_frame(Push(self._next, [entry for entry, _ in piece], openings, note))
        return _Sent(size, len(frame), note), frame

    def _checkpoint(self, size: int) -> Checkpoint:
        root = self._log.root_at(size)
        if root is None:
            raise MisuseError(f"{self._log.origin} has no {size} entries to sign")
        return Checkpoint(self._log.origin, size, root)

    def cosigned(self, size: int, line: bytes, signed_to: int) -> Cosignature:
        """Verify the peer's cosignature `line` for our checkpoint of `size`; frees its credit.

        It may be of a checkpoint sent on an earlier connection, or before a restart.

        Raises:
            SignatureError: no such checkpoint was signed, or the line is not by the peer's mirror
                key over exactly its text.
            MalformedError: not one signature line.
        """
        if size > signed_to:
            raise SignatureError(f"a cosignature for size {size}, which was never signed")
        checkpoint = self._checkpoint(size)
        timestamp = open_cosignature(format_checkpoint(checkpoint), line, self._mirror)
        note = self._free(size) or sign_checkpoint(checkpoint, self._key)
        return Cosignature(size, timestamp, add_signature_lines(note, [line]))

    def _free(self, size: int) -> bytes | None:
        """Give back the credit up to `size`; return its checkpoint, if it was in flight."""
        if size > self._cosigned_to:  # an old cosignature shown again is no progress
            self._cosigned_to = size
            self._resyncs = 0
        note = None
        while self._in_flight and self._in_flight[0].size <= size:
            sent = self._in_flight.popleft()
            self._in_flight_octets -= sent.octets
            note = sent.note if sent.size == size else None
        return note

    def halt(self, *, is_ended_there: bool = False) -> None:
        """Push nothing more, after a refusal; what was in flight is not waited for."""
        self.is_ended_there = is_ended_there
        self._is_halted = True
        self._piece = []
        self._held_back = None
        self._in_flight.clear()
        self._in_flight_octets = 0

    def may_resync(self) -> bool:
        """Say whether to ask the peer once more what it holds, and then to `restart`."""
        self._resyncs += 1
        return self._resyncs <= MAX_RESYNCS

    def restart(self, held: int) -> None:
        """Push from entry `held` on, which the peer shows to hold."""
        self.halt()
        self._is_halted = False
        self._next = held


def cut_piece(piece: Piece) -> int:
    """Return how many entries of `piece` fit one frame with their openings."""
    room = MAX_FRAME_OCTETS - FRAME_OVERHEAD_OCTETS
    for count, (entry, openings) in enumerate(piece):
        room -= sent_octets(entry, openings)
        if room < 0:
            return count
    return len(piece)

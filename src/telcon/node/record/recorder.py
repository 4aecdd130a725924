"""The recorder of one call: all packets into the journal, and the chunks of this side's tracks.

Packets are recorded where they are forwarded or played, and never decoded. Nothing here waits for
the disk: a recorder that fails says so once and lets the talk go on; its record holds what was said
up to where it stopped, and the chunks of what is still spoken go on, for the other side's recorder
may be well.

The caller owes it a call of `due` at least twice a second, and of `next_event` after that.
"""

from collections.abc import Callable
from dataclasses import dataclass

from telcon.errors import MisuseError
from telcon.node.record.chunks import CHUNK_KEY_BYTES, Chunk, ChunkTree
from telcon.node.record.journal import Packet, Track
from telcon.node.record.shelf import Shelf

__all__ = ["CHUNK_S", "CallRecorder", "RecorderFailed", "RecorderStatus"]

CHUNK_S = 5.0
"""One `call.record-chunk` for all own tracks (protocol.md §7)."""

BLOCK_S = 1.0
"""What was said goes to the disk when it is this old, however little it is."""

STALLED_S = 1.0
"""A write that takes longer turns the lamp off until it is done."""

MAX_PACKETS_A_SECOND = 500
MAX_OCTETS_A_SECOND = 64 * 1024
"""Of one received track: the shortest usual packets, and Opus at its highest rate. A peer can send
more; nobody can speak more."""

BURST_S = 4.0
"""So much of that may come at once, after a cut. The index of a packet is bounded in the same way:
who counts on faster than anybody speaks would have us look for what was never said."""


@dataclass(frozen=True, slots=True)
class RecorderFailed:
    """The recorder has stopped for good; the call goes on."""

    reason: str
    """For the log, the `call.record-off` entry and the screens."""


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """What the lamp shows."""

    on: bool
    """Whether what is said now reaches the disk."""
    age_ms: int | None
    """Age of the newest packet on the disk; up to a second is normal. None before the first."""


@dataclass(slots=True)
class _Room:
    """How much a received track may take now of what a speaker can say; silence piles up none."""

    seen: float
    packets: float = BURST_S * MAX_PACKETS_A_SECOND
    octets: float = BURST_S * MAX_OCTETS_A_SECOND
    dropped: int = 0

    def take(self, octets: int, now: float) -> bool:
        """Say whether one more packet is a speaker's due, and count it."""
        passed, self.seen = now - self.seen, now
        earned = self.packets + passed * MAX_PACKETS_A_SECOND
        self.packets = min(BURST_S * MAX_PACKETS_A_SECOND, earned)
        earned = self.octets + passed * MAX_OCTETS_A_SECOND
        self.octets = min(BURST_S * MAX_OCTETS_A_SECOND, earned)
        if self.packets < 1 or self.octets < octets:
            self.dropped += 1
            return False
        self.packets -= 1
        self.octets -= octets
        return True


class CallRecorder:
    """Records the tracks of one call on its shelf."""

    def __init__(
        self,
        shelf: Shelf,
        own_origin: str,
        *,
        call_began: float,
        now: float,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        """Begin; `random_bytes` makes chunk keys, `now` is the monotonic clock of all methods.

        `call_began`, by that clock: tracks may have counted since then, recorded or not.
        """
        self._shelf = shelf
        self._own_origin = own_origin
        self._random_bytes = random_bytes
        self._rooms: dict[Track, _Room] = {}
        self._call_began = call_began
        self._too_far = 0
        self._pending: list[tuple[Track, Packet]] = []
        self._pending_since = now
        self._arrived: float | None = None
        self._chunk = ChunkTree(random_bytes(CHUNK_KEY_BYTES))
        self._full: list[Chunk] = []
        self._chunk_began = now
        self._failure_told = False
        self._closed = False

    def add_track(self, track: Track, now: float) -> None:
        """Record `track` from now on.

        Raises:
            MisuseError: the recorder is closed, or the track is recorded already.
        """
        if self._closed or track in self._rooms:
            raise MisuseError(f"track {track} is or was being recorded")
        self._rooms[track] = _Room(now)

    def write(self, track: Track, packet: Packet, now: float) -> None:
        """Record one packet that was forwarded (own track) or played (received).

        Never waits and never fails for the disk's sake.

        Raises:
            MisuseError: an own packet's index does not follow the one before.
        """
        if track[0] == self._own_origin:
            self._hash_own(track[1], packet)
        elif not self.expects(packet.index, now) or not self._rooms[track].take(
            len(packet.payload), now
        ):
            return
        if not self._pending:
            self._pending_since = now
        self._pending.append((track, packet))
        self._arrived = now
        if now - self._pending_since >= BLOCK_S:
            self.flush(now)

    def expects(self, index: int, now: float) -> bool:
        """Say whether a received packet can bear `index` by now; count it as dropped if not."""
        is_due = index < (now - self._call_began + BURST_S) * MAX_PACKETS_A_SECOND
        self._too_far += not is_due
        return is_due

    def hash_only(self, number: int, packet: Packet) -> None:
        """Put a packet of an own track into the chunk, though it is not kept."""
        self._hash_own(number, packet)
        self._chunk.note_unkept()

    def _hash_own(self, number: int, packet: Packet) -> None:
        if self._chunk.is_full(number):  # the log has taken none for long
            self._end_chunk()
        self._chunk.append(number, packet.index, packet.timestamp, packet.payload)

    def due(self, now: float) -> list[Chunk]:
        """Do what time asks for; each five seconds return the chunk of the own tracks.

        The caller appends its entry. There is none if nobody spoke in those five seconds, and
        there are several if more was said than one takes.
        """
        if self._pending and now - self._pending_since >= BLOCK_S:
            self.flush(now)
        return self.take_chunks(now) if now - self._chunk_began >= CHUNK_S else []

    def take_chunks(self, now: float) -> list[Chunk]:
        """End the chunk now, and put all it covers on the shelf; none if nobody spoke."""
        self.flush(now)
        self._end_chunk()
        self._chunk_began = now
        chunks, self._full = self._full, []
        return chunks

    def _end_chunk(self) -> None:
        chunk = self._chunk.close()
        self._chunk = ChunkTree(self._random_bytes(CHUNK_KEY_BYTES))
        if chunk is not None:
            self._full.append(chunk)

    def next_event(self) -> RecorderFailed | None:
        """Return the failure, once."""
        if self._shelf.failure is None or self._failure_told:
            return None
        self._failure_told = True
        return RecorderFailed(self._shelf.failure)

    def status(self, now: float) -> RecorderStatus:
        """Return what the lamp is to show."""
        waiting = self._shelf.waiting_since()
        stalled = waiting is not None and now - waiting > STALLED_S
        newest = self._shelf.newest_on_disk
        return RecorderStatus(
            on=not self._closed and self._shelf.failure is None and not stalled,
            age_ms=None if newest is None else max(0, round((now - newest) * 1_000)),
        )

    def dropped(self) -> int:
        """Return how many packets were more than anybody speaks."""
        return self._too_far + sum(room.dropped for room in self._rooms.values())

    def close(self, now: float) -> None:
        """Put the last on the shelf; nothing may follow. Take the last chunk before."""
        self.flush(now)
        self._closed = True

    def flush(self, now: float) -> None:
        """Put on the shelf what was recorded so far."""
        if self._pending:
            self._shelf.put(self._pending, self._arrived, now)
            self._pending = []

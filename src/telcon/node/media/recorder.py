"""The recorder of one call: a file for each speaker, and the chunks of this side's own tracks.

Packets are recorded where they are forwarded or played, and never decoded. Nothing here waits for
the disk: a recorder that fails says so once and lets the talk go on; its files play up to where it
stopped, and the chunks of what is still spoken go on, for the other side's recorder may be well.

The caller owes it a call of `due` at least twice a second, and of `next_event` after that.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from telcon.errors import MisuseError
from telcon.node.media.chunks import CHUNK_KEY_BYTES, Chunk, ChunkTree
from telcon.node.media.disk import DiskWriter
from telcon.node.media.recording import ClosedRecording, Label, Recording, RecordingStatistics

__all__ = ["CallRecorder", "RecorderFailed", "RecorderStatus", "TrackRecorder"]

CHUNK_S = 5.0
"""One `call.record-chunk` for all own tracks (protocol.md §7)."""

STALLED_S = 1.0
"""A write that takes longer turns the lamp off until it is done."""

CLOSE_TIMEOUT_S = 5.0
"""How long the end of a call waits for the disk."""

_NODE_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,199}")


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


class CallRecorder:
    """Records the tracks of one call into one folder."""

    def __init__(
        self,
        folder: Path,
        call: str,
        own_origin: str,
        *,
        started_us: int,
        now: float,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        """Begin at `started_us` UTC, which is `now` on the monotonic clock of all methods.

        `folder` is for this call alone and need not exist; `random_bytes` makes the chunk keys.
        """
        self._folder = folder
        self._call = call
        self._own_origin = own_origin
        self._started_us = started_us
        self._started = now
        self._random_bytes = random_bytes
        self._disk = DiskWriter(f"recorder {call[:8]}")
        self._recordings: dict[tuple[str, int], Recording] = {}
        self._chunk = ChunkTree(random_bytes(CHUNK_KEY_BYTES))
        self._chunk_began = now
        self._failure_told = False
        self._closed = False

    def track(self, origin: str, number: int, speaker: str, now: float) -> "TrackRecorder":
        """Open the file of one track; `speaker` is its label for players.

        Raises:
            MisuseError: the recorder is closed, the track is recorded already, or no file can be
                named after it.
        """
        node = origin.partition("/")[0]
        if not _NODE_NAME.fullmatch(node) or not 1 <= number <= 255:
            raise MisuseError(f"no file can be named after track {number} of {origin!r}")
        if self._closed or (origin, number) in self._recordings:
            raise MisuseError(f"track {number} of {origin} is or was being recorded")
        path = self._folder / f"{node}-{number}.opus"
        label = Label(self._call, origin, number, speaker)
        recording = Recording(self._disk, path, label, self._utc_us, now)
        self._recordings[origin, number] = recording
        return TrackRecorder(self, recording, is_own=origin == self._own_origin)

    def hash_own(self, number: int, index: int, timestamp: int, payload: bytes) -> None:
        """Put a packet of an own track into the chunk; its TrackRecorder alone calls this."""
        self._chunk.append(number, index, timestamp, payload)

    def due(self, now: float) -> Chunk | None:
        """Do what time asks for; each five seconds return the chunk of the own tracks.

        The caller appends its entry. None also when nobody spoke in those five seconds.
        """
        for recording in self._recordings.values():
            recording.handle_time(now)
        if now - self._chunk_began < CHUNK_S:
            return None
        self._disk.sync(now)
        return self.take_chunk(now)

    def take_chunk(self, now: float) -> Chunk | None:
        """End the chunk now; None if it is empty. The last chunk is to be taken before `close`."""
        chunk = self._chunk.close()
        self._chunk = ChunkTree(self._random_bytes(CHUNK_KEY_BYTES))
        self._chunk_began = now
        return chunk

    def next_event(self) -> RecorderFailed | None:
        """Return the failure, once."""
        if self._disk.failure is None or self._failure_told:
            return None
        self._failure_told = True
        return RecorderFailed(self._disk.failure)

    def status(self, now: float) -> RecorderStatus:
        """Return what the lamp is to show."""
        waiting = self._disk.waiting_since()
        stalled = waiting is not None and now - waiting > STALLED_S
        arrivals = (recording.newest_on_disk for recording in self._recordings.values())
        newest = max((arrival for arrival in arrivals if arrival is not None), default=None)
        return RecorderStatus(
            on=not self._closed and self._disk.failure is None and not stalled,
            age_ms=None if newest is None else max(0, round((now - newest) * 1_000)),
        )

    def statistics(self) -> dict[tuple[str, int], RecordingStatistics]:
        """Return the counts of each track, by origin and number."""
        return {key: recording.statistics() for key, recording in self._recordings.items()}

    async def close(self, now: float) -> list[ClosedRecording]:
        """Finish all files; return those that hold something, also after a failure.

        A disk that does not answer within CLOSE_TIMEOUT_S is a failure, and then nothing is
        returned: `recover` will find the files at the next start. Cancellation: the files are
        closed all the same, but nobody learns the result.
        """
        if self._closed:
            raise MisuseError("the recorder is closed already")
        self._closed = True
        for recording in self._recordings.values():
            recording.finish(now)
        done = asyncio.wrap_future(self._disk.close(now))
        try:
            await asyncio.wait_for(done, CLOSE_TIMEOUT_S)
        except TimeoutError:
            self._disk.give_up("the disk did not answer at the end of the call")
            return []
        results = (recording.result() for recording in self._recordings.values())
        return [result for result in results if result is not None]

    def _utc_us(self, now: float) -> int:
        return self._started_us + round((now - self._started) * 1_000_000)


class TrackRecorder:
    """Where the packets of one track go in."""

    def __init__(self, call: CallRecorder, recording: Recording, *, is_own: bool) -> None:
        """Belong to `call`; an own track is hashed too."""
        self._call = call
        self._recording = recording
        self._is_own = is_own

    def write(self, index: int, timestamp: int, payload: bytes, now: float) -> None:
        """Record one packet that was forwarded (own track) or played (received).

        `index` is the author node's count, `timestamp` its RTP time unwrapped to 64 bits. Never
        waits and never fails for the disk's sake.

        Raises:
            MisuseError: an own packet's index does not follow the one before.
        """
        if self._is_own:
            self._call.hash_own(self._recording.label.number, index, timestamp, payload)
        self._recording.write(index, timestamp, payload, now)

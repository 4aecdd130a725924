"""The recording of one call as acts on the line: record-on, chunks, record-off.

`telcon.node.media.recorder` writes the files; this module says in the log and in the store what was
written. Acts are appended after the fact and never hold up media.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from telcon.core import draft as drafts
from telcon.core.call import TrackRef
from telcon.core.draft import Draft
from telcon.core.seal import Text
from telcon.errors import StorageError, TelconError
from telcon.node.audit import AuditEvent
from telcon.node.media.chunks import Chunk
from telcon.node.media.recorder import (
    CHUNK_S,
    CLOSE_TIMEOUT_S,
    CallRecorder,
    RecorderStatus,
    TrackRecorder,
)
from telcon.node.media.recording import ClosedRecording
from telcon.node.store import Store
from telcon.node.store.records import RecordingRecord

__all__ = ["Tape"]

TICK_S = 0.25  # a page is at most a second old and a chunk five; a quarter keeps both honest
EMPTY_SHA256 = sha256().digest()  # of a file that could not even be created

Act = Callable[[Draft], Awaitable[object]]
Audit = Callable[..., None]


class Tape:
    """Records one live call in mode audio; `run` until `finish`.

    A recorder that fails is closed and said to be off at once, with the reason. The chunks of our
    own tracks go on all the same: the other side's recorder may be well, and they prove its files.
    """

    def __init__(
        self, *, call: str, own_origin: str, folder: Path, store: Store, act: Act, audit: Audit
    ) -> None:
        """Record `call` under `folder` (the node's data folder); `act` appends to our log.

        Two lines may know a call of the same id, for the other side picks it: each has its folder.
        """
        self._call = call
        self._place = f"recordings/{own_origin.rpartition('/')[2]}/{call}"
        self._own_origin = own_origin
        self._store = store
        self._act = act
        self._audit = audit
        self._failed: str | None = None
        self._is_closed = False
        self._ended = asyncio.Event()
        self._unannounced: deque[TrackRef] = deque()
        self._announced: dict[TrackRef, bool] = {}  # and whether its record-on is in the log
        self._tracks: dict[TrackRef, TrackRecorder] = {}
        self._recorder = CallRecorder(
            folder / self._place,
            call,
            own_origin,
            started_us=time.time_ns() // 1_000,
            now=time.monotonic(),
            random_bytes=os.urandom,
        )
        self._chunk_at = time.monotonic() + CHUNK_S  # once the recorder has failed

    def add_track(self, origin: str, number: int, speaker: str) -> None:
        """Open the file of a track at once; its record-on follows. Known tracks are left alone."""
        is_open = self._failed is None and not self._ended.is_set()
        if is_open and (origin, number) not in self._tracks:
            track = self._recorder.track(origin, number, speaker, time.monotonic())
            self._tracks[origin, number] = track
            self._unannounced.append((origin, number))

    def write(self, origin: str, number: int, index: int, timestamp: int, payload: bytes) -> None:
        """Take one packet that was forwarded or played; never waits."""
        if self._ended.is_set():
            return
        track = self._tracks.get((origin, number))
        if track is not None and self._failed is None:
            track.write(index, timestamp, payload, time.monotonic())
        elif origin == self._own_origin and self._failed is not None:
            self._recorder.hash_own(number, index, timestamp, payload)

    def status(self) -> RecorderStatus:
        """Return what the lamp shows."""
        return self._recorder.status(time.monotonic())

    async def run(self) -> None:
        """Announce tracks, append chunks, and close everything once `finish` was called."""
        while not self._ended.is_set():
            await self._announce()
            await self._append_chunk(self._due())
            await self._notice_failure()
            try:
                await asyncio.wait_for(self._ended.wait(), TICK_S)
            except TimeoutError:
                continue
        await self._announce()
        await self._append_chunk(self._recorder.take_chunk(time.monotonic()))
        await self._close()

    def finish(self) -> None:
        """Let `run` write the last chunk, close the files and say so in the log."""
        self._ended.set()

    def _due(self) -> Chunk | None:
        now = time.monotonic()
        if self._failed is None:
            return self._recorder.due(now)
        if now < self._chunk_at:
            return None
        self._chunk_at = now + CHUNK_S
        return self._recorder.take_chunk(now)

    async def _announce(self) -> None:
        while self._unannounced:
            track = self._unannounced.popleft()
            try:
                await self._store.open_recording(self._record(track))
            except StorageError as error:
                self._audit(AuditEvent.RECORDER_FAILED, call=self._call, why=str(error))
                continue
            self._announced[track] = await self._append(drafts.record_on(self._call, track))

    def _record(self, track: TrackRef) -> RecordingRecord:
        origin, number = track
        node = origin.partition("/")[0]
        path = f"{self._place}/{node}-{number}.opus"
        return RecordingRecord(self._call, origin, number, path, time.time_ns() // 1_000)

    async def _append_chunk(self, chunk: Chunk | None) -> None:
        if chunk is not None:
            tracks = [(part.number, part.first, part.count, part.root) for part in chunk.tracks]
            await self._append(drafts.record_chunk(self._call, tracks, chunk.key))

    async def _notice_failure(self) -> None:
        event = self._recorder.next_event()
        if event is not None:
            self._failed = event.reason
            self._audit(AuditEvent.RECORDER_FAILED, call=self._call, why=event.reason)
            await self._close()

    async def _close(self) -> None:
        """Close all files, and say of each that was announced what it came to."""
        if self._is_closed:
            return
        self._is_closed = True
        began = time.monotonic()
        results = await self._recorder.close(began)
        await self._notice_failure()  # at the very end
        if time.monotonic() - began >= CLOSE_TIMEOUT_S:
            return  # the disk does not answer: the next start of the node closes the files
        closed = {(one.origin, one.number): one for one in results}
        for track in self._announced:
            await self._close_track(track, closed.get(track))

    async def _close_track(self, track: TrackRef, closed: ClosedRecording | None) -> None:
        digest, size = (closed.sha256, closed.size) if closed else (EMPTY_SHA256, 0)
        record = replace(self._record(track), sha256=digest, size_octets=size)
        try:
            await self._store.close_recording(record)
        except StorageError as error:
            self._audit(AuditEvent.RECORDER_FAILED, call=self._call, why=str(error))
            return  # the next start of the node closes it, and says so
        if self._announced[track]:
            reason = Text("en", self._failed) if self._failed else None
            await self._append(drafts.record_off(self._call, track, digest, size, reason))

    async def _append(self, draft: Draft) -> bool:
        """Append a recording act; one that the fold would void is audited, the file stays."""
        try:
            await self._act(draft)
        except TelconError as error:
            self._audit(AuditEvent.RECORD_UNLOGGED, call=self._call, act=draft.type, why=str(error))
            return False
        return True

"""The recording of one call as acts on the line: record-on, chunks, record-off.

`telcon.node.record.recorder` keeps the packets; this module says in the log and in the store what
was kept. Acts are appended after the fact and never hold up media.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from telcon.core import draft as drafts
from telcon.core.call import TrackRef
from telcon.core.draft import Draft
from telcon.core.seal import Text
from telcon.errors import StorageError, TelconError
from telcon.node.agreement import Agreement
from telcon.node.audit import AuditEvent
from telcon.node.record.chunks import Chunk
from telcon.node.record.journal import Packet
from telcon.node.record.recorder import CHUNK_S, CallRecorder, RecorderStatus
from telcon.node.store import Store
from telcon.node.store.records import RecordingRecord

__all__ = ["Tape"]

TICK_S = 0.25  # a block is at most a second old and a chunk five; a quarter keeps both honest

Act = Callable[[Draft], Awaitable[object]]
Audit = Callable[..., None]


class Tape:
    """Records one live call in mode audio; `run` until `finish`.

    A recorder that fails is closed and said to be off at once, with the reason. The chunks of our
    own tracks go on all the same: the recorder of the other side may be well, and they prove it.
    """

    def __init__(
        self,
        *,
        call: str,
        own_origin: str,
        path: str,
        agreement: Agreement,
        store: Store,
        act: Act,
        audit: Audit,
    ) -> None:
        """Record `call` on the shelf of `agreement`; `act` appends to our log.

        `path` is where the store says that the record lies.
        """
        self._call = call
        self._path = path
        self._own_origin = own_origin
        self._agreement = agreement
        self._shelf = agreement.shelf
        self._store = store
        self._act = act
        self._audit = audit
        self._failed: str | None = None
        self._is_closed = False
        self._ended = asyncio.Event()
        self._unannounced: deque[TrackRef] = deque()
        self._announced: dict[TrackRef, bool] = {}  # and whether its record-on is in the log
        self._tracks: set[TrackRef] = set()
        self._recorder = CallRecorder(
            self._shelf, own_origin, now=time.monotonic(), random_bytes=os.urandom
        )
        agreement.flush = lambda: self._recorder.flush(time.monotonic())
        self._chunk_at = time.monotonic() + CHUNK_S  # once the recorder has failed

    def add_track(self, origin: str, number: int) -> None:
        """Record a track from now on; its record-on follows. Known tracks are left alone."""
        is_open = self._failed is None and not self._ended.is_set()
        if is_open and (origin, number) not in self._tracks:
            self._recorder.add_track((origin, number), time.monotonic())
            self._tracks.add((origin, number))
            self._unannounced.append((origin, number))

    def write(self, origin: str, number: int, index: int, timestamp: int, payload: bytes) -> None:
        """Take one packet that was forwarded or played; never waits."""
        if self._ended.is_set():
            return
        packet = Packet(index, timestamp, payload)
        if (origin, number) in self._tracks and self._failed is None:
            self._recorder.write((origin, number), packet, time.monotonic())
        elif origin == self._own_origin and self._failed is not None:
            self._recorder.hash_own(number, packet)

    def status(self) -> RecorderStatus:
        """Return what the lamp shows."""
        return self._recorder.status(time.monotonic())

    async def run(self) -> None:
        """Announce tracks, append chunks, and close everything once `finish` was called."""
        try:
            while not self._ended.is_set():
                await self._announce()
                await self._append_chunks(self._due())
                await self._notice_failure()
                try:
                    await asyncio.wait_for(self._ended.wait(), TICK_S)
                except TimeoutError:
                    continue
            await self._announce()
            await self._append_chunks(self._recorder.take_chunks(time.monotonic()))
            await self._close()
        finally:
            self._agreement.recorded()

    def finish(self) -> None:
        """Let `run` write the last chunk, close the record and say so in the log."""
        self._ended.set()

    def _due(self) -> list[Chunk]:
        now = time.monotonic()
        if self._failed is None:
            return self._recorder.due(now)
        if now < self._chunk_at:
            return []
        self._chunk_at = now + CHUNK_S
        return self._recorder.take_chunks(now)

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
        return RecordingRecord(self._call, origin, number, self._path, time.time_ns() // 1_000)

    async def _append_chunks(self, chunks: Sequence[Chunk]) -> None:
        """Log chunks once all they cover is on the disk: what is claimed can be given."""
        if chunks:
            await self._shelf.wait_kept(time.monotonic())  # if it refused, the claim stands still
        for chunk in chunks:
            tracks = [(part.number, part.first, part.count, part.root) for part in chunk.tracks]
            await self._append(drafts.record_chunk(self._call, tracks, chunk.key))

    async def _notice_failure(self) -> None:
        event = self._recorder.next_event()
        if event is not None:
            self._failed = event.reason
            self._audit(AuditEvent.RECORDER_FAILED, call=self._call, why=event.reason)
            await self._close()

    async def _close(self) -> None:
        """Close the record, and say of each track that was announced what it came to."""
        if self._is_closed:
            return
        self._is_closed = True
        now = time.monotonic()
        self._recorder.close(now)
        if not await self._shelf.wait_kept(now) and self._shelf.failure is None:
            return  # the disk does not answer: the next start of the node closes the record
        await self._notice_failure()  # at the very end
        for track in self._announced:
            await self._close_track(track)

    async def _close_track(self, track: TrackRef) -> None:
        try:
            digest, size = await self._shelf.measure_recorded(track)
            record = replace(self._record(track), sha256=digest, size_octets=size)
            await self._store.close_recording(record)
        except TelconError as error:
            self._audit(AuditEvent.RECORDER_FAILED, call=self._call, why=str(error))
            return  # the next start of the node closes it, and says so
        if self._announced[track]:
            reason = Text("en", self._failed) if self._failed else None
            await self._append(drafts.record_off(self._call, track, digest, size, reason))

    async def _append(self, draft: Draft) -> bool:
        """Append a recording act; one that the fold would void is audited, the record stays."""
        try:
            await self._act(draft)
        except TelconError as error:
            self._audit(AuditEvent.RECORD_UNLOGGED, call=self._call, act=draft.type, why=str(error))
            return False
        return True

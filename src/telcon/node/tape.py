"""The recording of one call as acts on the line: record-on, chunks, record-off.

`telcon.node.media.recorder` writes the files; this module says in the log and in the store what was
written. Acts are appended after the fact and never hold up media.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from telcon.core import draft as drafts
from telcon.core.draft import Draft
from telcon.core.seal import Text
from telcon.errors import TelconError
from telcon.node.audit import AuditEvent
from telcon.node.media.chunks import Chunk
from telcon.node.media.recorder import CallRecorder, RecorderStatus, TrackRecorder
from telcon.node.media.recording import ClosedRecording
from telcon.node.store import Store
from telcon.node.store.records import RecordingRecord

__all__ = ["Tape"]

TICK_S = 0.25  # a page is at most a second old and a chunk five; a quarter keeps both honest

Act = Callable[[Draft], Awaitable[object]]
Audit = Callable[..., None]


class Tape:
    """Records one live call in mode audio; `run` until `finish`."""

    def __init__(
        self, *, call: str, own_origin: str, folder: Path, store: Store, act: Act, audit: Audit
    ) -> None:
        """Record `call` under `folder` (the node's data folder); `act` appends to our log."""
        self._call = call
        self._own_origin = own_origin
        self._folder = folder
        self._store = store
        self._act = act
        self._audit = audit
        self._failed: str | None = None
        self._ended = asyncio.Event()
        self._unannounced: list[tuple[str, int]] = []
        self._announced: set[tuple[str, int]] = set()
        self._tracks: dict[tuple[str, int], TrackRecorder] = {}
        self._recorder = CallRecorder(
            folder / "recordings" / call,
            call,
            own_origin,
            started_us=time.time_ns() // 1_000,
            now=time.monotonic(),
            random_bytes=os.urandom,
        )

    def add_track(self, origin: str, number: int, speaker: str) -> None:
        """Open the file of a track at once; its record-on follows. Known tracks are left alone."""
        if (origin, number) not in self._tracks:
            track = self._recorder.track(origin, number, speaker, time.monotonic())
            self._tracks[origin, number] = track
            self._unannounced.append((origin, number))

    def write(self, origin: str, number: int, index: int, timestamp: int, payload: bytes) -> None:
        """Take one packet that was forwarded or played; never waits."""
        track = self._tracks.get((origin, number))
        if track is not None and not self._ended.is_set():
            track.write(index, timestamp, payload, time.monotonic())

    def status(self) -> RecorderStatus:
        """Return what the lamp shows."""
        return self._recorder.status(time.monotonic())

    async def run(self) -> None:
        """Announce tracks, append chunks, and close everything once `finish` was called."""
        while not self._ended.is_set():
            await self._announce()
            await self._append_chunk(self._recorder.due(time.monotonic()))
            self._notice_failure()
            try:
                await asyncio.wait_for(self._ended.wait(), TICK_S)
            except TimeoutError:
                continue
        await self._announce()
        await self._append_chunk(self._recorder.take_chunk(time.monotonic()))
        for closed in await self._recorder.close(time.monotonic()):
            await self._close_track(closed)

    def finish(self) -> None:
        """Let `run` write the last chunk, close the files and say so in the log."""
        self._ended.set()

    async def _announce(self) -> None:
        while self._unannounced:
            origin, number = track = self._unannounced.pop(0)
            await self._store.open_recording(self._record(origin, number))
            if await self._append(drafts.record_on(self._call, track)):
                self._announced.add(track)

    def _record(
        self, origin: str, number: int, closed: ClosedRecording | None = None
    ) -> RecordingRecord:
        node = origin.partition("/")[0]
        return RecordingRecord(
            call=self._call,
            origin=origin,
            track=number,
            path=f"recordings/{self._call}/{node}-{number}.opus",
            opened_at_us=time.time_ns() // 1_000,
            sha256=None if closed is None else closed.sha256,
            size_octets=None if closed is None else closed.size,
        )

    async def _append_chunk(self, chunk: Chunk | None) -> None:
        if chunk is not None:
            tracks = [(part.number, part.first, part.count, part.root) for part in chunk.tracks]
            await self._append(drafts.record_chunk(self._call, tracks, chunk.key))

    async def _close_track(self, closed: ClosedRecording) -> None:
        track = (closed.origin, closed.number)
        await self._store.close_recording(self._record(closed.origin, closed.number, closed))
        reason = Text("en", self._failed) if self._failed else None
        if track in self._announced:
            await self._append(
                drafts.record_off(self._call, track, closed.sha256, closed.size, reason)
            )

    async def _append(self, draft: Draft) -> bool:
        """Append a recording act; one that the fold would void is audited, the file stays."""
        try:
            await self._act(draft)
        except TelconError as error:
            self._audit(AuditEvent.RECORD_UNLOGGED, call=self._call, act=draft.type, why=str(error))
            return False
        return True

    def _notice_failure(self) -> None:
        event = self._recorder.next_event()
        if event is not None:
            self._failed = event.reason
            self._audit(AuditEvent.RECORDER_FAILED, call=self._call, why=event.reason)

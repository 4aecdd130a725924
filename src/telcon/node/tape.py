"""The recording of one call as acts on the line: record-on, chunks, gaps, record-off.

`telcon.node.record.recorder` keeps the packets; this module says in the log and in the store what
was kept. Acts are appended after the fact and never hold up media.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from telcon.core import draft as drafts
from telcon.core.call import TrackRef
from telcon.core.draft import Draft
from telcon.core.seal import Text
from telcon.errors import OperatorError, StorageError, TelconError
from telcon.node.agreement import Agreement
from telcon.node.audit import AuditEvent
from telcon.node.record.chunks import Chunk, gaps_before
from telcon.node.record.journal import Packet
from telcon.node.record.recorder import CallRecorder, RecorderStatus
from telcon.node.store import Store
from telcon.node.store.records import RecordingRecord

__all__ = ["Tape"]

TICK_S = 0.25  # a block is at most a second old and a chunk five; a quarter keeps both honest
RETRY_S = 2.0  # what store or log refused; closing a record reads all of it

Act = Callable[[Draft], Awaitable[object]]
Audit = Callable[..., None]


class Tape:
    """Records one live call while both sides let its audio be recorded; `run` until `finish`.

    From `pause` on nothing is kept or hashed, at once; after `resume` all goes into the same
    record. What was forwarded meanwhile is told as a gap, before the first chunk beyond it.

    A recorder that fails, or that somebody switches off, is said to be off at once, with the
    reason. The chunks of our own tracks go on all the same: the recorder of the other side may be
    well, and they prove it.

    What the store or the log refuses is tried again, and said once.
    """

    def __init__(
        self,
        *,
        call: str,
        began: float,
        own_origin: str,
        path: str,
        agreement: Agreement,
        store: Store,
        act: Act,
        audit: Audit,
    ) -> None:
        """Record `call` on the shelf of `agreement`; `act` appends to our log.

        It `began`, monotonic, before any of its tracks was forwarded. `path` is where the store
        says that the record lies.
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
        self._off: Text | None = None
        self._unsaid_off: Text | None = None  # it was switched off, and may be on again
        self._is_left_kept = False  # what comes while `_off` is left, and the store knows
        self._is_paused = False
        self._is_closed = False
        self._is_over = False
        self._changed = asyncio.Event()
        self._announced: dict[TrackRef, bool] = {}  # and whether its record-on is in the log
        self._tracks: dict[TrackRef, None] = {}  # in the order in which they came
        self._chunks: list[Chunk] = []  # that were ended before their time, to be logged
        self._told: dict[int, int] = {}  # own track -> index after what chunks and gaps tell of
        self._retry_at = 0.0  # monotonic
        self._refusals: set[tuple[AuditEvent, TrackRef, str]] = set()  # said already
        self._recorder = CallRecorder(
            self._shelf,
            own_origin,
            call_began=began,
            now=time.monotonic(),
            random_bytes=os.urandom,
        )
        self._shelf.flush = lambda: self._recorder.flush(time.monotonic())

    def add_track(self, origin: str, number: int) -> None:
        """Record a track from now on; its record-on follows. Known tracks are left alone."""
        is_open = self._failed is None and not self._is_over
        if is_open and (origin, number) not in self._tracks:
            self._recorder.add_track((origin, number), time.monotonic())
            self._tracks[origin, number] = None

    def write(self, origin: str, number: int, index: int, timestamp: int, payload: bytes) -> None:
        """Take one packet that was forwarded or played; never waits."""
        if self._is_over or self._is_paused:
            return
        packet = Packet(index, timestamp, payload)
        is_kept = self._failed is None and self._off is None
        if is_kept and (origin, number) in self._tracks:
            self._recorder.write((origin, number), packet, time.monotonic())
        elif origin == self._own_origin and not is_kept:
            self._recorder.hash_only(number, packet)
        elif self._off is not None and self._recorder.expects(index, time.monotonic()):
            self._agreement.leave((origin, number), index)

    def pause(self) -> None:
        """Keep and hash nothing from now on; `run` closes each recording and says so in the log."""
        if not self._is_paused and not self._is_over:
            self._is_paused = True
            self._end_chunk()
            self._changed.set()

    def resume(self) -> None:
        """Record again, into the same record; each track's record-on follows."""
        if self._is_paused:
            self._is_paused = False
            self._changed.set()

    @property
    def is_switched_off(self) -> bool:
        """Whether somebody switched the recorder off."""
        return self._off is not None

    def switch_off(self, reason: Text) -> None:
        """Keep nothing from now on, because somebody wants it so; `run` says so with the reason."""
        if self._off is None:
            self._end_chunk()
            self._off = self._unsaid_off = reason
            self._changed.set()

    def switch_on(self) -> None:
        """Record again, into the same record; each track's record-on follows.

        Raises:
            OperatorError: the recorder has failed.
        """
        if self._failed is not None:
            raise OperatorError("The recorder of this call has failed; the next call has another.")
        self._off = None
        self._changed.set()

    def status(self) -> RecorderStatus:
        """Return what the lamp shows."""
        status = self._recorder.status(time.monotonic())
        return replace(status, on=status.on and not self._is_paused and self._off is None)

    async def run(self) -> None:
        """Announce tracks, append chunks, and close everything once `finish` was called."""
        try:
            while not self._is_over:
                self._changed.clear()
                await self._follow()
                try:
                    await asyncio.wait_for(self._changed.wait(), TICK_S)
                except TimeoutError:
                    continue
            self._retry_at = 0.0
            await self._say_states()
            self._end_chunk()
            await self._append_chunks()
            await self._close()
        finally:
            self._agreement.recorded()

    def finish(self) -> None:
        """Let `run` write the last chunk, close the record and say so in the log."""
        self._is_over = True
        self._changed.set()

    async def _follow(self) -> None:
        """Log what has come about since the last time."""
        await self._append_chunks()
        await self._say_states()
        self._chunks += self._recorder.due(time.monotonic())
        await self._append_chunks()
        await self._notice_failure()

    async def _say_states(self) -> None:
        """Say which tracks are recorded, and which are not any more."""
        is_retry = time.monotonic() >= self._retry_at
        if self._unsaid_off is not None and is_retry:  # it may be on again: it was off all the same
            await self._keep_left(is_off=True)
        await self._keep_left(is_off=self._off is not None)
        if not is_retry:
            return
        if self._is_paused or self._unsaid_off is not None:
            await self._close_for_now()
        if not self._is_paused and self._unsaid_off is None:
            await self._announce()

    async def _keep_left(self, *, is_off: bool) -> None:
        """Store what is left on purpose, before the log says that the recorder is off, or on."""
        if is_off == self._is_left_kept:
            return
        self._is_left_kept = is_off
        try:
            await self._agreement.keep_left(is_off=is_off)
        except StorageError as error:  # what may come is left while this node runs
            self._audit(AuditEvent.RECORDER_FAILED, call=self._call, why=str(error))

    async def _announce(self) -> None:
        """Say of each track that it is recorded, unless that is said already."""
        for track in list(self._tracks):
            if self._is_paused or self._is_closed or self._off is not None:
                return
            if self._announced.get(track):
                continue
            try:
                if track not in self._announced:
                    await self._store.open_recording(self._record(track))
            except StorageError as error:
                self._note_refusal(AuditEvent.RECORDER_FAILED, track, why=str(error))
                continue
            self._announced[track] = False
            self._announced[track] = await self._append(drafts.record_on(self._call, track), track)

    def _record(self, track: TrackRef) -> RecordingRecord:
        origin, number = track
        return RecordingRecord(self._call, origin, number, self._path, time.time_ns() // 1_000)

    def _end_chunk(self) -> None:
        self._chunks += self._recorder.take_chunks(time.monotonic())

    async def _append_chunks(self) -> None:
        while self._chunks:
            await self._append_chunk(self._chunks.pop(0))

    async def _append_chunk(self, chunk: Chunk) -> None:
        """Log a chunk once all it covers is on the disk, so that what is claimed can be given.

        What is not kept cannot: our recorder is off, or the disk refused. The claim stands all the
        same, and the hashes of its leaves are given.
        """
        if not await self._shelf.wait_kept(time.monotonic()) or not chunk.is_kept:
            self._agreement.giving.hold(chunk)
        if gaps := gaps_before(chunk, self._told):
            await self._append(drafts.record_gap(self._call, gaps))
        tracks = [(part.number, part.first, part.count, part.root) for part in chunk.tracks]
        if await self._append(drafts.record_chunk(self._call, tracks, chunk.key)):
            self._told |= {part.number: part.first + part.count for part in chunk.tracks}

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
        await self._close_tracks()
        if dropped := self._recorder.dropped():
            reason = f"{dropped} packets were more than anybody speaks, and are not recorded"
            self._audit(AuditEvent.PEER_MISBEHAVED, call=self._call, reason=reason)

    async def _close_for_now(self) -> None:
        """Say of each track that was announced that nothing of it is recorded any more."""
        is_open = bool(self._announced) and not self._is_closed
        if is_open and await self._shelf.wait_kept(time.monotonic()):
            await self._close_tracks()
        if self._is_closed or not self._announced:
            self._unsaid_off = None

    async def _close_tracks(self) -> None:
        for track in list(self._announced):
            if await self._close_track(track):
                del self._announced[track]

    async def _close_track(self, track: TrackRef) -> bool:
        """Say what a track came to, then close its row: after a kill an open row shows the rest.

        False: it is still open. It is tried again, at the next start of the node at the latest.
        """
        reason = Text("en", self._failed) if self._failed else self._unsaid_off or self._off
        try:
            digest, size = await self._shelf.measure_recorded(track)
            off = drafts.record_off(self._call, track, digest, size, reason)
            if self._announced[track] and not await self._append(off, track):
                return False
            self._announced[track] = False  # that is said
            record = replace(self._record(track), sha256=digest, size_octets=size)
            await self._store.close_recording(record)
        except TelconError as error:
            self._note_refusal(AuditEvent.RECORDER_FAILED, track, why=str(error))
            return False
        return True

    async def _append(self, draft: Draft, about: TrackRef | None = None) -> bool:
        """Append a recording act; one that is refused is audited, the record stays.

        What is said `about` a track is tried again.
        """
        try:
            await self._act(draft)
        except TelconError as error:
            self._note_refusal(AuditEvent.RECORD_UNLOGGED, about, act=draft.type, why=str(error))
            return False
        return True

    def _note_refusal(self, event: AuditEvent, about: TrackRef | None, **what: str) -> None:
        """Audit what was refused; if it is `about` a track, once, and it is tried again later."""
        if about is not None:
            self._retry_at = time.monotonic() + RETRY_S
            refusal = (event, about, what.get("act", ""))
            if refusal in self._refusals:
                return
            self._refusals.add(refusal)
        self._audit(event, call=self._call, **what)

"""Records that a crash or a closing node left behind: closed, said to be so, worked on again."""

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from itertools import groupby, zip_longest
from pathlib import Path

from telcon.core import draft as drafts
from telcon.core.call import CallState
from telcon.core.entry import MAX_CHUNK_PACKETS
from telcon.core.seal import Text
from telcon.core.transitions import ENDS
from telcon.errors import IllegalActError, MalformedError, SealedError, StorageError, TelconError
from telcon.node.agreement import Agreement, find_left
from telcon.node.audit import AuditEvent
from telcon.node.calls import Calls
from telcon.node.line import Line
from telcon.node.record.chunks import (
    CHUNK_KEY_BYTES,
    OPUS,
    RETURNED,
    Chunk,
    ChunkTree,
    gaps_before,
)
from telcon.node.record.claims import runs
from telcon.node.record.packet import How, Packet
from telcon.node.record.place import SUFFIX, RecordPlace
from telcon.node.record.shelf import Shelf
from telcon.node.store import Store
from telcon.node.store.records import RecordingRecord, find_all_recordings

__all__ = ["take_up_records"]

INTERRUPTED = Text("en", "the node was interrupted")
SILENT_US = 86_400_000_000
"""A call that is over for a day, and of which neither side has logged a packet, had none."""


async def take_up_records(
    folder: Path, store: Store, lines: Mapping[str, Calls], audit: Callable[..., None]
) -> None:
    """Close every record that is open in `store`, and go on with those that are not agreed.

    `lines` by id are where that is logged. What cannot be logged now (the line has to ask the other
    side first) waits for the next start. The newest come first: of what is old, the other side may
    have nothing, and there is room for some of them only.
    """
    rows = sorted(store.read(find_all_recordings), key=_of_call)
    of_calls = [(of, list(listed)) for of, listed in groupby(rows, key=_of_call)]
    of_calls.sort(key=lambda one: max(record.opened_at_us for record in one[1]), reverse=True)
    for (line, call), records in of_calls:
        calls = lines.get(line)
        try:
            if not records[0].path.endswith(SUFFIX):
                await _close_old(folder, store, calls, records, audit)
            elif calls is not None and _is_unfinished(calls.line, call, records):
                await _take_up(folder, store, calls, call, records, audit)
            elif calls is not None:
                await _seal_late(folder, calls.line, call, records[0])
        except (TelconError, OSError) as error:
            audit(AuditEvent.RECORDER_FAILED, call=call, why=str(error))


async def _close_old(
    folder: Path,
    store: Store,
    calls: Calls | None,
    records: Iterable[RecordingRecord],
    audit: Callable[..., None],
) -> None:
    """Close plain files of an earlier version that were left open, as they are."""
    for record in records:
        if record.sha256 is None:
            data = await asyncio.to_thread(_read_if_there, folder / record.path)
            closed = replace(record, sha256=sha256(data).digest(), size_octets=len(data))
            await _close(store, calls.line if calls is not None else None, closed, audit)


def _read_if_there(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _of_call(record: RecordingRecord) -> tuple[str, str]:
    # The folder says which line: the row's origin may be of either side, with the same id.
    return record.origin.rpartition("/")[2], record.call


def _is_unfinished(line: Line, call: str, records: Iterable[RecordingRecord]) -> bool:
    state = line.machine.fold.calls.get(call)
    if state is not None and line.identity.own_card.log.name in state.destroyed:
        return False
    is_open = any(record.sha256 is None for record in records)
    if state is None or state.phase not in ENDS or line.machine.fold.is_frozen:
        return is_open
    ended_us = state.ended_us or 0
    is_silent = not state.chunks and time.time_ns() // 1_000 - ended_us > SILENT_US
    return is_open or not (state.is_agreed or state.is_silent or is_silent)


async def _take_up(
    folder: Path,
    store: Store,
    calls: Calls,
    call: str,
    records: list[RecordingRecord],
    audit: Callable[..., None],
) -> None:
    """Log what the journal holds beyond the last chunk, close what is open, and go on agreeing."""
    open_records = [record for record in records if record.sha256 is None]
    if not open_records and not calls.agreements.has_room():
        why = "too many newer records are not agreed either"
        audit(AuditEvent.RECORD_NOT_AGREED, call=call, why=why)
        return
    place = RecordPlace(folder, records[0].path)
    left = find_left(store, calls.line, call)
    try:
        journal = await asyncio.to_thread(place.go_on)
    except (MalformedError, SealedError, StorageError) as error:
        if isinstance(error, StorageError) and await asyncio.to_thread(place.journal.exists):
            raise  # what the disk does not give today it may give at the next start
        audit(AuditEvent.RECORD_DAMAGED, call=call, why=str(error))
        for record in open_records:
            nothing = replace(record, sha256=sha256().digest(), size_octets=0)
            await _close(store, calls.line, nothing, audit)
        return
    shelf = Shelf(f"record {call[:8]}", lambda: journal, time.monotonic())
    await shelf.wait_kept(time.monotonic())
    agreement = Agreement(
        call, calls.line, place, shelf, store, audit, keepers=len(journal.readers) - 1, left=left
    )
    calls.agreements.add(agreement)
    try:
        if open_records:
            await agreement.bringing_back.run()
            try:
                await _log_tail(calls.line, call, shelf)
            except IllegalActError as error:  # as in `_close`
                audit(AuditEvent.RECORD_UNLOGGED, call=call, act="chunk", why=str(error))
        for record in open_records:
            digest, size = await shelf.measure_recorded((record.origin, record.track))
            closed = replace(record, sha256=digest, size_octets=size)
            await _close(store, calls.line, closed, audit)
    finally:
        agreement.recorded()


async def _seal_late(folder: Path, line: Line, call: str, record: RecordingRecord) -> None:
    """Erase our key to an agreed record of record-keepers, where a crash came before we said so."""
    state, own = line.machine.fold.calls.get(call), line.identity.own_card.log.name
    place = RecordPlace(folder, record.path)
    if state is None or not state.is_agreed or own in state.sealed or own in state.destroyed:
        return
    keepers = await asyncio.to_thread(place.keepers)
    if keepers:
        await asyncio.to_thread(place.erase_guarded_key)
        await line.act(drafts.record_sealed(call, keepers))


async def _log_tail(line: Line, call: str, shelf: Shelf) -> None:
    """Log what of our own tracks was kept and is in no chunk yet: a kill came before its time.

    Where recording had begun again since the last chunk, packets that were not kept lie in between.
    """
    own = line.identity.own_card.log.name
    state = line.machine.fold.calls.get(call)
    if state is None:
        return
    told: dict[int, int] = {}
    kept: dict[int, dict[int, Packet]] = {}
    for track in shelf.tracks():
        if track[0] == own:
            first = told[track[1]] = state.told.get(track, 0)
            kept[track[1]] = await shelf.read(track, first, shelf.bound(track) - first)
    for chunk in _chunks_of(kept):
        if gaps := gaps_before(chunk, told):
            await line.act(drafts.record_gap(call, gaps))
        tracks = [(part.number, part.first, part.count, part.root) for part in chunk.tracks]
        await line.act(drafts.record_chunk(call, tracks, chunk.key))
        told |= {part.number: part.first + part.count for part in chunk.tracks}


def _chunks_of(kept: Mapping[int, Mapping[int, Packet]]) -> Iterator[Chunk]:
    """Return chunks of what was `kept`, by track: in one chunk a track's packets have no gap."""
    rows = [
        [(number, run) for first, count in runs(packets) for run in _pieces(first, count)]
        for number, packets in kept.items()
    ]
    for parts in zip_longest(*rows):
        tree = ChunkTree(os.urandom(CHUNK_KEY_BYTES))
        for number, (first, count) in (part for part in parts if part is not None):
            for index in range(first, first + count):
                packet = kept[number][index]
                kind = RETURNED if packet.how is How.RETURNED else OPUS
                tree.append(number, index, packet.timestamp, packet.payload, kind)
        chunk = tree.close()
        if chunk is not None:
            yield chunk


def _pieces(first: int, count: int) -> Iterator[tuple[int, int]]:
    """Cut a run into what one chunk takes."""
    for start in range(first, first + count, MAX_CHUNK_PACKETS):
        yield (start, min(MAX_CHUNK_PACKETS, first + count - start))


async def _close(
    store: Store, line: Line | None, closed: RecordingRecord, audit: Callable[..., None]
) -> None:
    try:
        await _log(line, closed)
    except IllegalActError as error:  # a frozen line: it will never be logged
        audit(AuditEvent.RECORD_UNLOGGED, call=closed.call, act="off", why=str(error))
    await store.close_recording(closed)


async def _log(line: Line | None, closed: RecordingRecord) -> None:
    """Say in the log that the recording is closed, if the log says that it was begun."""
    if line is None or closed.sha256 is None or closed.size_octets is None:
        return
    state: CallState | None = line.machine.fold.calls.get(closed.call)
    own, track = line.identity.own_card.log.name, (closed.origin, closed.track)
    recordings = state.recordings if state is not None else ()
    if not any(one.author == own and one.track == track and one.off is None for one in recordings):
        return
    draft = drafts.record_off(closed.call, track, closed.sha256, closed.size_octets, INTERRUPTED)
    await line.act(draft)

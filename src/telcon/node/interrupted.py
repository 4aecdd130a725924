"""Recordings that a crash left open: closed at the next start, and said to be so in the log."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from telcon.core import draft as drafts
from telcon.core.seal import Text
from telcon.errors import IllegalActError, MalformedError, TelconError
from telcon.node.audit import AuditEvent
from telcon.node.line import Line
from telcon.node.media.recording import recover
from telcon.node.store import Store
from telcon.node.store.records import RecordingRecord, find_open_recordings

__all__ = ["close_interrupted"]

INTERRUPTED = Text("en", "the node was interrupted")


async def close_interrupted(
    folder: Path, store: Store, lines: Mapping[str, Line], audit: Callable[..., None]
) -> None:
    """Close every recording that is open in `store`; `lines` by id are where that is logged.

    What cannot be logged now (the line has to ask the other side first) waits for the next start.
    """
    for record in store.read(find_open_recordings):
        try:
            closed = await asyncio.to_thread(_close_file, folder / record.path, record)
            try:
                await _log(lines.get(record.origin.rpartition("/")[2]), closed)
            except IllegalActError as error:  # a frozen line: it will never be logged
                audit(AuditEvent.RECORD_UNLOGGED, call=record.call, act="off", why=str(error))
            await store.close_recording(closed)
        except (TelconError, OSError) as error:
            audit(AuditEvent.RECORDER_FAILED, call=record.call, why=str(error))


def _close_file(path: Path, record: RecordingRecord) -> RecordingRecord:
    """Close the file; one that was never begun, or cannot be read, is taken as it is."""
    try:
        found = recover(path)
    except FileNotFoundError:
        return replace(record, sha256=sha256().digest(), size_octets=0)
    except MalformedError:
        data = path.read_bytes()
        return replace(record, sha256=sha256(data).digest(), size_octets=len(data))
    return replace(record, sha256=found.sha256, size_octets=found.size)


async def _log(line: Line | None, closed: RecordingRecord) -> None:
    """Say in the log that the recording is closed, if the log says that it was begun."""
    if line is None or closed.sha256 is None or closed.size_octets is None:
        return
    state = line.machine.fold.calls.get(closed.call)
    own, track = line.identity.own_card.log.name, (closed.origin, closed.track)
    recordings = state.recordings if state is not None else ()
    if not any(one.author == own and one.track == track and one.off is None for one in recordings):
        return
    draft = drafts.record_off(closed.call, track, closed.sha256, closed.size_octets, INTERRUPTED)
    await line.act(draft)

"""Destroying this node's record of a call, and saying so in the log.

What the other side holds, and what anybody recorded elsewhere, is not touched: the entry says that
this node says it destroyed its own.
"""

import asyncio
import shutil
from collections.abc import Collection, Sequence
from operator import attrgetter
from pathlib import Path

from telcon.core import draft as drafts
from telcon.core.seal import Text
from telcon.core.transitions import ENDS
from telcon.errors import OperatorError, StorageError
from telcon.node.calls import Calls
from telcon.node.folder import sync_folder
from telcon.node.record.place import RECORDINGS, RecordPlace
from telcon.node.store.records import RecordingRecord

__all__ = ["destroy_record"]


async def destroy_record(calls: Calls, folder: Path, call: str, reason: str) -> bool:
    """Destroy the record of `call`, a call of this line that is over, for `reason` (in words).

    Return whether the line's log says so: one that is frozen or has ended takes no entry any more,
    and the caller's house log alone does. A crash in between: the entry is there only once nothing
    is left; the same command goes on.

    Raises:
        OperatorError: the call goes on, was never live, or its record is destroyed already; nothing
            was destroyed.
        StorageError: the disk refused, or the database names a file that is no record's.
    """
    line = calls.line
    state = line.machine.fold.calls[call]
    own = line.identity.own_card.log.name
    if state.phase not in ENDS:
        raise OperatorError("this call is not over", advice="Destroy its record once it is.")
    origins = {own, line.identity.peer_card.log.name}
    files = _named(folder, calls.site.store.recordings(call), origins)
    is_said = own in state.destroyed
    if is_said and not any(file.exists() for file in files):  # older versions left some
        raise OperatorError(
            "this node's record of that call is destroyed already",
            advice="There is nothing left to do.",
        )
    if state.answered is None:
        raise OperatorError("nothing was recorded of this call, for nobody answered it")
    await calls.agreements.end(call)
    try:
        await asyncio.to_thread(_erase, RecordPlace.of(folder, line.identity.line, call), files)
    except OSError as error:
        raise StorageError(f"the record cannot be destroyed: {error.strerror or error}") from error
    if is_said:
        return True
    if line.machine.fold.is_frozen or line.machine.state != "going":
        return False
    await line.act(drafts.record_destroyed(call, Text("en", reason)))
    return True


def _named(folder: Path, rows: Sequence[RecordingRecord], origins: Collection[str]) -> list[Path]:
    """Return the files of the record that the `rows` of its two `origins` name.

    Those of versions before there was a folder for each line lie elsewhere than `RecordPlace.of`
    says. There two lines that knew a call of the same id shared names: a file is of the line that
    began first, for the other could not make it.

    Raises:
        StorageError: one lies outside the folder of recordings.
    """
    newest_first = sorted(rows, key=attrgetter("opened_at_us"), reverse=True)
    first = {row.path: row for row in newest_first}
    files = [folder / path for path, row in first.items() if row.origin in origins]
    for file in files:
        if not file.parent.resolve().is_relative_to((folder / RECORDINGS).resolve()):
            raise StorageError(
                f"{file} is no file of a record, and the database says that it is one",
                advice="Nothing was destroyed. Look into the folder: somebody changed something.",
            )
    return files


def _erase(place: RecordPlace, files: Sequence[Path]) -> None:
    """Erase the key, the journal and `files`, so that no power cut brings them back."""
    place.erase_guarded_key()
    folder = place.journal.parent
    if folder.exists():  # else nothing was recorded, or an attempt before this one got so far
        shutil.rmtree(folder)
    if folder.parent.exists():
        sync_folder(folder.parent)
    for file in files:
        file.unlink(missing_ok=True)
    for emptied in {file.parent for file in files if file.parent.exists()}:
        sync_folder(emptied)
        if emptied.name != RECORDINGS and not any(emptied.iterdir()):
            emptied.rmdir()
            sync_folder(emptied.parent)

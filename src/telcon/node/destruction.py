"""Destroying this node's record of a call, and saying so in the log.

What the other side holds, and what anybody recorded elsewhere, is not touched: the entry says that
this node says it destroyed its own.
"""

import asyncio
import shutil
from pathlib import Path

from telcon.core import draft as drafts
from telcon.core.seal import Text
from telcon.core.transitions import ENDS
from telcon.errors import OperatorError, StorageError
from telcon.node.calls import Calls
from telcon.node.record.disk import sync_folder
from telcon.node.record.place import RecordPlace

__all__ = ["destroy_record"]


async def destroy_record(calls: Calls, folder: Path, call: str, reason: str) -> bool:
    """Destroy the record of `call`, a call of this line that is over, for `reason` (in words).

    Return whether the line's log says so: one that is frozen or has ended takes no entry any more,
    and the caller's house log alone does. A crash in between: the entry is there only once nothing
    is left; the same command goes on.

    Raises:
        OperatorError: the call goes on, was never live, or its record is destroyed already; nothing
            was destroyed.
        StorageError: the disk refused.
    """
    line = calls.line
    state = line.machine.fold.calls[call]
    own = line.identity.own_card.log.name
    if state.phase not in ENDS:
        raise OperatorError("this call is not over", advice="Destroy its record once it is.")
    if own in state.destroyed:
        raise OperatorError(
            "this node's record of that call is destroyed already",
            advice="There is nothing left to do.",
        )
    if state.answered is None:
        raise OperatorError("nothing was recorded of this call, for nobody answered it")
    await calls.agreements.end(call)
    try:
        await asyncio.to_thread(_erase, RecordPlace.of(folder, line.identity.line, call))
    except OSError as error:
        raise StorageError(f"the record cannot be destroyed: {error.strerror or error}") from error
    if line.machine.fold.is_frozen or line.machine.state != "going":
        return False
    await line.act(drafts.record_destroyed(call, Text("en", reason)))
    return True


def _erase(place: RecordPlace) -> None:
    """Erase the key and the journal, so that no power cut brings them back."""
    place.erase_guarded_key()
    folder = place.journal.parent
    if folder.exists():  # else nothing was recorded, or an attempt before this one got so far
        shutil.rmtree(folder)
    if folder.parent.exists():
        sync_folder(folder.parent)

"""An act that a command does by itself, in the house log before it is done.

Who holds the lock of the folder writes: a running node, asked over its control socket, or else this
process. Without the entry there is no act: what cannot be answered for later is not done.
"""

import asyncio
import os
import time
from pathlib import Path

from telcon.core.house import Detail
from telcon.errors import LockedError, MisuseError
from telcon.node.audit import AuditEvent, AuditFile
from telcon.node.control import call_node, control_socket
from telcon.node.house import House
from telcon.node.store import Store

__all__ = ["NOTED", "note"]

NOTED = frozenset(
    {
        AuditEvent.EXPORT_MADE,
        AuditEvent.EVIDENCE_EXPORTED,
        AuditEvent.RECORD_UNSEALED,
        AuditEvent.HOUSE_EXPORTED,
    }
)
"""What commands do by themselves."""


def note(folder: Path, event: AuditEvent, /, **fields: Detail) -> None:
    """Write `event`, one of `NOTED`, into the house log and the audit file of the node in `folder`.

    Raises:
        OperatorError: the running node does not answer.
        StorageError: the disk refused; the act is not to be done.
        MisuseError: no command does this by itself.
    """
    if event not in NOTED:
        raise MisuseError(f"{event} is not written by a command")
    try:
        store = Store.open(folder)
    except LockedError:
        request = {"do": "note", "event": str(event), "fields": fields}
        for _ in call_node(control_socket(folder), request):
            pass
        return
    asyncio.run(_note_alone(folder, store, event, fields))


async def _note_alone(
    folder: Path, store: Store, event: AuditEvent, fields: dict[str, Detail]
) -> None:
    try:
        with AuditFile(folder / "audit.jsonl") as file:
            house = await House.open(
                store,
                _name(store),
                file.event,
                now_us=lambda: time.time_ns() // 1_000,
                clock=time.monotonic,
                random=os.urandom,
            )
            await house.begin()
            house.append(event, **fields)
            await house.flush()
            file.event(event, **fields)
            await house.close()
    finally:
        await store.close()


def _name(store: Store) -> str:
    """Return the name of the node whose store this is, for a house log that there is not yet."""
    names = [record.origin.partition("/")[0] for record in store.house_logs()]
    names += [record.own_name for record in store.lines()]
    if not names:
        raise MisuseError("a node without a line and without a house log has nothing to be shown")
    return names[0]

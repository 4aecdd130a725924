"""Logs of others that this node witnesses, as rows, and what they signed that does not fit.

Functions take a connection, as in `telcon.node.store.records`. What the rows mean is said in
`telcon.node.witnessing`.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from telcon.ledger import EMPTY_ROOT
from telcon.node.store import tables
from telcon.node.store.tables import HOUSE

__all__ = [
    "RefusedRequest",
    "WitnessedLog",
    "add",
    "advance",
    "find",
    "find_all",
    "find_refused",
    "keep_refused",
    "set_admitted",
]


@dataclass(frozen=True, slots=True)
class WitnessedLog:
    """A log of somebody else."""

    origin: str
    vkey: str
    admitted: bool
    """False once the operator has dismissed it; how far it was cosigned stays known."""
    size: int = 0
    """As last cosigned; 0 if never."""
    root: bytes = EMPTY_ROOT
    note: bytes | None = None
    """The checkpoint with the log's own signature; None until the first."""


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """What a log signed and this node did not cosign."""

    origin: str
    request: bytes
    held: bytes | None
    """The note that it did not fit; None if nothing was cosigned yet."""
    came_at_us: int


def add(connection: Connection, log: WitnessedLog) -> None:
    """Store a log that is new here."""
    connection.execute(insert(tables.witnessed).values(house=HOUSE, **_values(log)))


def set_admitted(connection: Connection, origin: str, *, admitted: bool) -> bool:
    """Note whether the log is taken; return false if it is not known."""
    table = tables.witnessed
    changed = update(table).where(table.c.origin == origin).values(admitted=admitted)
    return connection.execute(changed).rowcount == 1


def find(connection: Connection, origin: str) -> WitnessedLog | None:
    """Return a log, admitted or not; None if it is not known."""
    table = tables.witnessed
    row = connection.execute(select(table).where(table.c.origin == origin)).first()
    return _log(row) if row is not None else None


def find_all(connection: Connection) -> list[WitnessedLog]:
    """Return every log that is or was admitted, by origin."""
    table = tables.witnessed
    return [_log(row) for row in connection.execute(select(table).order_by(table.c.origin))]


def advance(
    connection: Connection, origin: str, was: tuple[int, bytes], size: int, root: bytes, note: bytes
) -> bool:
    """Note that the log is cosigned up to `size`, if it still stands as it `was` (size, root).

    Returns:
        Whether it did; if not, somebody else was faster and nothing was changed.
    """
    table = tables.witnessed
    changed = (
        update(table)
        .where(table.c.origin == origin, table.c.admitted)
        .where(table.c.size == was[0], table.c.root == was[1])
        .values(size=size, root=root, note=note)
    )
    return connection.execute(changed).rowcount == 1


def keep_refused(connection: Connection, refused: RefusedRequest, most: int) -> bool:
    """Keep a request, unless it is kept already or `most` of that log are; say whether it was."""
    table = tables.witness_refused
    counted = select(func.count()).select_from(table).where(table.c.origin == refused.origin)
    if connection.execute(counted).scalar_one() >= most:
        return False
    row = {name: getattr(refused, name) for name in RefusedRequest.__dataclass_fields__}
    kept = sqlite_insert(table).values(house=HOUSE, **row).on_conflict_do_nothing()
    return connection.execute(kept).rowcount == 1


def find_refused(connection: Connection) -> list[RefusedRequest]:
    """Return all that is kept, oldest first."""
    table = tables.witness_refused
    rows = connection.execute(select(table).order_by(table.c.id))
    return [RefusedRequest(row.origin, row.request, row.held, row.came_at_us) for row in rows]


def _values(log: WitnessedLog) -> dict[str, Any]:
    return {name: getattr(log, name) for name in WitnessedLog.__dataclass_fields__}


def _log(row: Any) -> WitnessedLog:
    return WitnessedLog(**{name: getattr(row, name) for name in WitnessedLog.__dataclass_fields__})

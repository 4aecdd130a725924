"""House logs as rows: our own with their keys and acts, and the keys of those of peers.

Functions take a connection: writing ones are works for `Store.commit`, reading ones for
`Store.read`.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, insert, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from telcon.core.seal import Opening
from telcon.node.store import tables
from telcon.node.store.cipher import OpeningCipher
from telcon.node.store.tables import HOUSE

__all__ = [
    "HouseRecord",
    "PinRecord",
    "StoredAct",
    "add_house_log",
    "end_house_log",
    "find_acts",
    "find_house_logs",
    "find_pin",
    "find_pins",
    "put_pin",
]


@dataclass(frozen=True, slots=True)
class HouseRecord:
    """A house log of this node."""

    origin: str
    """`NAME/house/<32 hex digits>`."""
    seed: bytes = field(repr=False)
    """Secret: Ed25519 seed of its key."""
    opened_at_us: int
    ended: str | None = None
    """Why nothing of it is signed any more; None while it is."""
    number: int = 0
    """Its id in the database, given when it is added."""

    @property
    def marker(self) -> str:
        """Name of its marker, see `telcon.node.store.marker`."""
        return f"house-{self.origin.rpartition('/')[2]}"


@dataclass(frozen=True, slots=True)
class PinRecord:
    """The keys that the other node of a line first stated."""

    line: str
    log_vkey: str
    witness_vkey: str
    pinned_at_us: int


@dataclass(frozen=True, slots=True)
class StoredAct:
    """An act of a house log, unread."""

    position: int
    data: bytes
    opening: Opening


# -- our own


def add_house_log(connection: Connection, record: HouseRecord) -> int:
    """Store a new house log; return its number."""
    values = {name: getattr(record, name) for name in ("origin", "seed", "opened_at_us", "ended")}
    table = tables.house_log
    connection.execute(insert(table).values(house=HOUSE, **values))
    query = select(table.c.id).where(table.c.origin == record.origin)
    return int(connection.execute(query).scalar_one())


def end_house_log(connection: Connection, origin: str, reason: str) -> None:
    """Store that nothing of the log `origin` is signed any more."""
    table = tables.house_log
    connection.execute(update(table).where(table.c.origin == origin).values(ended=reason))


def find_house_logs(connection: Connection) -> list[HouseRecord]:
    """Return every house log of this node, the newest last."""
    table = tables.house_log
    return [
        HouseRecord(row.origin, row.seed, row.opened_at_us, row.ended, row.id)
        for row in connection.execute(select(table).order_by(table.c.id))
    ]


def find_acts(
    connection: Connection,
    cipher: OpeningCipher,
    log: int,
    before: int,
    count: int,
    names: Collection[str] = (),
) -> list[StoredAct]:
    """Return at most `count` acts of the house log `log`, the newest first, below index `before`.

    Only those of these names, if any is given: names stand in the entries, so no other act is
    decrypted. Blanks have no openings, so they cost nothing here.

    Raises:
        StorageError: what one was about is not what was written.
    """
    entry, opening = tables.house_entry, tables.house_opening
    joined = opening.join(
        entry, (entry.c.log == opening.c.log) & (entry.c.position == opening.c.position)
    )
    query = (
        select(entry.c.position, entry.c.data, opening.c.member, opening.c.sealed)
        .select_from(joined)
        .where(opening.c.log == log, opening.c.position < before)
        .order_by(opening.c.position.desc())
        .limit(count)
    )
    if names:
        spelled = (f'"act":"{name}"'.encode() for name in names)
        query = query.where(or_(*(func.instr(entry.c.data, one) > 0 for one in spelled)))
    return [
        StoredAct(
            row.position,
            row.data,
            cipher.open(opening.name, log, row.position, row.member, row.sealed),
        )
        for row in connection.execute(query)
    ]


# -- those of peers


def find_pin(connection: Connection, line: str) -> PinRecord | None:
    """Return the keys pinned on `line`, None before they were stated."""
    table = tables.house_pin
    row = connection.execute(select(table).where(table.c.line == line)).first()
    if row is None:
        return None
    return PinRecord(row.line, row.log_vkey, row.witness_vkey, row.pinned_at_us)


def find_pins(connection: Connection) -> list[tuple[str, PinRecord]]:
    """Return all pinned keys with the name of the node that they are of, the oldest first."""
    table, line = tables.house_pin, tables.line
    query = select(line.c.peer_name, table).join(line, line.c.line == table.c.line)
    return [
        (row.peer_name, PinRecord(row.line, row.log_vkey, row.witness_vkey, row.pinned_at_us))
        for row in connection.execute(query.order_by(table.c.pinned_at_us))
    ]


def put_pin(connection: Connection, record: PinRecord) -> None:
    """Store the keys of a line, in place of those that may have been pinned."""
    values = {name: getattr(record, name) for name in ("log_vkey", "witness_vkey", "pinned_at_us")}
    statement = upsert(tables.house_pin).values(house=HOUSE, line=record.line, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["line"], set_=values))

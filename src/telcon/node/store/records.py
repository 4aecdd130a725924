"""Lines and recordings as rows: typed records, and the works that write and read them.

Functions take a connection: writing ones are works for `Store.commit`, reading ones for
`Store.read`.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import Connection, delete, insert, select, update

from telcon.core.seal import Person
from telcon.errors import MisuseError
from telcon.node.store import tables
from telcon.node.store.tables import HOUSE

__all__ = [
    "ALL_TRACKS",
    "LineRecord",
    "RecordingRecord",
    "Span",
    "add_line",
    "close_recording",
    "find_all_recordings",
    "find_left_out",
    "find_lines",
    "find_recordings",
    "leave_out",
    "open_recording",
]


ALL_TRACKS = 0
"""In the place of a track's number: each track that is not named besides."""

Span: TypeAlias = tuple[tuple[str, int], int, int]
"""A track, by its log and number, and the first and last index of packets in a row."""


@dataclass(frozen=True, slots=True)
class LineRecord:
    """A line that both sides confirmed: its keys, its terms and who is on the other side."""

    line: str
    """32 hex digits."""
    own_name: str
    peer_name: str
    own_card: bytes
    """Our key card's exact bytes."""
    peer_card: bytes
    log_seed: bytes = field(repr=False)
    """Secret: Ed25519 seed of our log key."""
    mirror_seed: bytes = field(repr=False)
    """Secret: Ed25519 seed of our mirror key."""
    own_statement: bytes
    """What we stated at pairing, exact bytes."""
    peer_statement: bytes
    peer_principal: Person
    """The other side's principal as stated by their node."""
    peer_addresses: tuple[str, ...]
    """`host:port`, in the order to dial."""
    link_lost: str
    """`go on`, `mute` or `end`."""
    confirmed_at_us: int
    log_ml_dsa_seed: bytes | None = field(default=None, repr=False)
    """Secret: ML-DSA-44 seed of our log key; None on a line paired with a card of version 1."""
    mirror_ml_dsa_seed: bytes | None = field(default=None, repr=False)
    """Secret: ML-DSA-44 seed of our mirror key, or None as above."""

    @property
    def own_origin(self) -> str:
        """Name of our log of this line."""
        return f"{self.own_name}/line/{self.line}"

    @property
    def peer_origin(self) -> str:
        """Name of their log of this line."""
        return f"{self.peer_name}/line/{self.line}"


@dataclass(frozen=True, slots=True)
class RecordingRecord:
    """One speaker's recording of one call."""

    call: str
    origin: str
    """Log of the side that speaks."""
    track: int
    path: str
    """Of the journal that holds it, relative to the node's folder."""
    opened_at_us: int
    sha256: bytes | None = None
    """Of the Ogg Opus file of what was held when it was closed; None while open."""
    size_octets: int | None = None
    """Of that file; None while open."""


_LINE_FIELDS = tuple(LineRecord.__dataclass_fields__)
_RECORDING_FIELDS = tuple(RecordingRecord.__dataclass_fields__)


# -- lines


def add_line(connection: Connection, record: LineRecord) -> None:
    """Store a confirmed line with its two empty logs; a pairing under that id is over.

    Raises:
        MisuseError: by the store, if there is such a line already.
    """
    person = record.peer_principal
    values = {name: getattr(record, name) for name in _LINE_FIELDS if name != "peer_principal"}
    values |= {
        "house": HOUSE,
        "peer_lang": person.lang,
        "peer_person": person.name,
        "peer_office": person.office,
        "peer_organisation": person.organisation,
        "peer_addresses": json.dumps(record.peer_addresses),
    }
    connection.execute(insert(tables.line).values(values))
    for origin, own in ((record.own_origin, True), (record.peer_origin, False)):
        row = {"house": HOUSE, "line": record.line, "origin": origin, "own": own}
        connection.execute(insert(tables.log).values(row))
    connection.execute(delete(tables.invitation).where(tables.invitation.c.line == record.line))


def find_lines(connection: Connection) -> list[LineRecord]:
    """Return every line, by the peer's name."""
    query = select(tables.line).where(tables.line.c.house == HOUSE)
    rows = connection.execute(query.order_by(tables.line.c.peer_name, tables.line.c.line))
    return [_line(row) for row in rows]


def _line(row: Any) -> LineRecord:
    values = {name: getattr(row, name) for name in _LINE_FIELDS if name != "peer_principal"}
    values["peer_principal"] = Person(
        lang=row.peer_lang,
        name=row.peer_person,
        office=row.peer_office,
        organisation=row.peer_organisation,
    )
    values["peer_addresses"] = tuple(json.loads(row.peer_addresses))
    return LineRecord(**values)


# -- recordings


def open_recording(connection: Connection, record: RecordingRecord) -> None:
    """Store that a recording was begun, or goes on; it has neither hash nor size yet."""
    table = tables.recording
    again = connection.execute(
        update(table)
        .where(table.c.call == record.call, table.c.origin == record.origin)
        .where(table.c.track == record.track)
        .values(sha256=None, size_octets=None)
    )
    if not again.rowcount:
        values = {name: getattr(record, name) for name in _RECORDING_FIELDS}
        connection.execute(insert(table).values(house=HOUSE, **values))


def close_recording(connection: Connection, record: RecordingRecord) -> None:
    """Store hash and size of a closed recording.

    Raises:
        MisuseError: it was never opened, or is closed already.
    """
    table = tables.recording
    done = connection.execute(
        update(table)
        .where(table.c.call == record.call, table.c.origin == record.origin)
        .where(table.c.track == record.track, table.c.sha256.is_(None))
        .values(sha256=record.sha256, size_octets=record.size_octets)
    )
    if done.rowcount != 1:
        raise MisuseError(f"no open recording of {record.call}, {record.origin} {record.track}")


def find_recordings(connection: Connection, call: str) -> list[RecordingRecord]:
    """Return the recordings of `call`, by log and track."""
    table = tables.recording
    query = select(table).where(table.c.call == call).order_by(table.c.origin, table.c.track)
    return _recordings(connection.execute(query).all())


def find_all_recordings(connection: Connection) -> list[RecordingRecord]:
    """Return all recordings; those never closed have no hash."""
    return _recordings(connection.execute(select(tables.recording)).all())


def leave_out(
    connection: Connection, call: str, origins: Collection[str], spans: Sequence[Span]
) -> None:
    """Store what of `call` is not recorded on purpose, in place of what was stored of it before.

    `origins` are the two logs of the call's line, and `spans` are of these: another line may know a
    call of the same id, for the other side picks it.
    """
    table = tables.left_out
    here = (table.c.call == call) & table.c.origin.in_(origins)
    connection.execute(delete(table).where(here))
    if spans:
        rows = [
            {"call": call, "origin": origin, "track": track, "first": first, "last": last}
            for (origin, track), first, last in spans
        ]
        connection.execute(insert(table).values(house=HOUSE), rows)


def find_left_out(connection: Connection, call: str, origins: Collection[str]) -> list[Span]:
    """Return what `leave_out` stored of `call` and `origins`, by log, track and index."""
    table = tables.left_out
    here = (table.c.call == call) & table.c.origin.in_(origins)
    found = connection.execute(select(table).where(here).order_by(*table.primary_key))
    return [((row.origin, row.track), row.first, row.last) for row in found]


def _recordings(rows: Sequence[Any]) -> list[RecordingRecord]:
    return [
        RecordingRecord(**{name: getattr(row, name) for name in _RECORDING_FIELDS}) for row in rows
    ]

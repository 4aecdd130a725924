"""Logs in the database, those of lines and our own house logs: how they grow, how they are read.

Statements are built once by SQLAlchemy Core and run as prepared text: a commit of one message
spends its time in the sync, not in building SQL.
"""

import sqlite3
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.sql import ClauseElement

from telcon.core.seal import Opening
from telcon.core.stored import Commit, LogGrowth, Note
from telcon.errors import MisuseError
from telcon.node.store import tables
from telcon.node.store.cipher import OpeningCipher
from telcon.node.store.forks import joined_path
from telcon.node.store.reader import Reader
from telcon.node.store.tables import HOUSE

__all__ = ["HOUSE_LOGS", "LINE_LOGS", "HeldLog", "LogTables", "write_commit"]


def _text(statement: ClauseElement) -> str:
    return str(statement.compile(dialect=sqlite.dialect(paramstyle="qmark")))


def _texts(table: Table) -> dict[int, str]:
    """Return the statements that insert so many rows at once, the most first."""
    one, columns = _text(insert(table)), len(table.columns)
    more = f", ({', '.join('?' * columns)})"
    return {rows: one + more * (rows - 1) for rows in _ROWS_PER_INSERT}


# The driver lets go of the interpreter's lock in each statement and gets it back when the event
# loop lets it: few statements of many rows, then. Each number is prepared once, and kept.
_ROWS_PER_INSERT = (64, 32, 16, 8, 4, 3, 2, 1)


class LogTables(NamedTuple):
    """Where logs of one kind stand, and the statements that let them grow."""

    entry: str
    opening: str
    note: str
    insert_entry: dict[int, str]
    insert_opening: dict[int, str]
    insert_note: str
    size: str


def _insert_note(table: Table, *, stays: bool) -> str:
    """Return the statement that keeps a note; `stays`: a cosigned one is not replaced by another.

    A cosigned note takes the place of one that is not.
    """
    note = insert(table)
    new, old = note.excluded.cosigned, table.c.cosigned
    return _text(
        note.on_conflict_do_update(
            index_elements=["log", "size"],
            set_={"note": note.excluded.note, "cosigned": new},
            where=new > old if stays else new >= old,
        )
    )


def _log_tables(entry: Table, opening: Table, note: Table, *, stays: bool) -> LogTables:
    return LogTables(
        entry.name,
        opening.name,
        note.name,
        _texts(entry),
        _texts(opening),
        _insert_note(note, stays=stays),
        f"SELECT coalesce(max(position) + 1, 0) FROM {entry.name} WHERE log = ?",  # noqa: S608 -- our own names
    )


# Of a line's log the earliest proven time stays; a house log's checkpoint gains cosignatures.
LINE_LOGS = _log_tables(tables.entry, tables.opening, tables.note, stays=True)
HOUSE_LOGS = _log_tables(tables.house_entry, tables.house_opening, tables.house_note, stays=False)

_INSERT_EVIDENCE = _text(
    insert(tables.evidence)
    .values(house="", line="", first=b"", second=b"", path=b"")
    .on_conflict_do_nothing()
)
# The first stays: another would say the same, by other random octets.
_INSERT_SECONDED = _text(
    insert(tables.seconded).values(house="", log=0, size=0, note=b"").on_conflict_do_nothing()
)

# How many rows a read of entries takes at once: what fits, by a guess from below, and below 1 MiB.
_LEAST_ENTRY_OCTETS = 128
_ROWS_PER_READ = 64


class HeldLog:
    """One log as held here: the `StoredLog` of the core. Reads of what was committed.

    Its size moves only by `grow`, called once a commit is durable: so a reader's view of it stays
    whole.
    """

    def __init__(
        self,
        reader: Reader,
        cipher: OpeningCipher,
        number: int,
        origin: str,
        *,
        own: bool,
        where: LogTables = LINE_LOGS,
    ) -> None:
        """Read the log with the id `number` through `reader`, from the tables `where` it stands."""
        self.origin = origin
        self.number = number
        self._own = own
        self._where = where
        self._reader = reader
        self._cipher = cipher
        self._size = self._stored_size()

    @property
    def size(self) -> int:
        """How many entries the log has."""
        return self._size

    def grow(self, size: int) -> None:
        """Take `size` as committed."""
        self._size = size

    def read_size(self) -> None:
        """See how much is committed, where a commit failed after its transaction."""
        self._size = self._stored_size()

    def hash(self, level: int, index: int) -> bytes:
        """Return the hash of the perfect subtree of height `level`, the `index`-th from the left.

        Raises:
            MisuseError: the log does not fill that subtree.
        """
        last = ((index + 1) << level) - 1
        rows = self._reader.rows(
            f"SELECT substr(hashes, ?, 32) FROM {self._where.entry}"  # noqa: S608 -- our own names
            " WHERE log = ? AND position = ?",
            (32 * level + 1, self.number, last),
        )
        if not rows or last >= self._size:
            raise MisuseError(f"no hash at level {level}, {index}: {self.origin} has {self._size}")
        return bytes(rows[0][0])

    def entries(self, first: int, max_bytes: int) -> list[bytes]:
        """Return entries from `first` on, at most `max_bytes` together, but one at least if any."""
        rows_at_once = min(max_bytes // _LEAST_ENTRY_OCTETS + 1, _ROWS_PER_READ)
        found: list[bytes] = []
        octets = 0
        while first < self._size:
            for (data,) in self._reader.rows(
                f"SELECT data FROM {self._where.entry}"  # noqa: S608 -- our own names
                " WHERE log = ? AND position BETWEEN ? AND ? ORDER BY position",
                (self.number, first, min(first + rows_at_once, self._size) - 1),
            ):
                octets += len(data)
                if found and octets > max_bytes:
                    return found
                found.append(data)
            first += rows_at_once
        return found

    def openings(self, first: int, count: int) -> list[tuple[int, Opening]]:
        """Return the openings of `count` entries from `first` on, each with its entry's index.

        Raises:
            StorageError: the database refused, or one is not what was written.
        """
        table = self._where.opening
        rows = self._reader.rows(
            f"SELECT position, member, sealed FROM {table}"  # noqa: S608 -- our own names
            " WHERE log = ? AND position BETWEEN ? AND ? ORDER BY position, member",
            (self.number, first, min(first + count, self._size) - 1),
        )
        return [
            (position, self._cipher.open(table, self.number, position, member, sealed))
            for position, member, sealed in rows
        ]

    def note(self, size: int) -> bytes | None:
        """Return the signed checkpoint stored for exactly `size`."""
        row = self._note("AND size = ?", size)
        return row[1] if row else None

    def newest_note(self) -> tuple[int, bytes] | None:
        """Return size and note: of our own log the newest cosigned, of theirs the newest signed."""
        return self._note(f"{'AND cosigned ' if self._own else ''}ORDER BY size DESC LIMIT 1")

    def seconded_size(self) -> int:
        """Return the size of the newest checkpoint that both signed with ML-DSA-44 too, or 0."""
        rows = self._reader.rows("SELECT max(size) FROM seconded WHERE log = ?", (self.number,))
        return rows[0][0] or 0

    def seconded_note_over(self, index: int) -> tuple[int, bytes] | None:
        """Return size and note of the earliest such checkpoint that covers entry `index`."""
        rows = self._reader.rows(
            "SELECT size, note FROM seconded WHERE log = ? AND size > ? ORDER BY size LIMIT 1",
            (self.number, index),
        )
        return (rows[0][0], rows[0][1]) if rows else None

    def cosigned_note_over(self, index: int) -> tuple[int, bytes] | None:
        """Return size and note of the earliest cosigned checkpoint that covers entry `index`."""
        return self._note("AND cosigned AND size > ? ORDER BY size LIMIT 1", index)

    def signed_note_over(self, index: int) -> tuple[int, bytes] | None:
        """Return size and note of the earliest checkpoint over entry `index`, whoever signed it."""
        return self._note("AND size > ? ORDER BY size LIMIT 1", index)

    def _note(self, condition: str, *values: int) -> tuple[int, bytes] | None:
        rows = self._reader.rows(
            f"SELECT size, note FROM {self._where.note} WHERE log = ? {condition}",  # noqa: S608 -- our own text
            (self.number, *values),
        )
        return (rows[0][0], rows[0][1]) if rows else None

    def _stored_size(self) -> int:
        return int(self._reader.rows(self._where.size, (self.number,))[0][0])


def write_commit(
    driver: sqlite3.Connection,
    cipher: OpeningCipher,
    line: str,
    numbers: dict[str, int],
    commit: Commit,
    where: LogTables = LINE_LOGS,
) -> None:
    """Write all of `commit`, openings by `cipher`; `numbers` maps the origins of its logs to ids.

    Raises:
        MisuseError: an origin is not of this line, or a growth does not start where its log ends.
    """
    for growth in commit.grown:
        _write_growth(driver, cipher, where, _number(numbers, growth.origin), growth)
    for note in commit.notes:
        driver.execute(where.insert_note, (HOUSE, *_note_row(numbers, note)))
    for note in commit.seconded:
        number = _number(numbers, note.origin)
        driver.execute(_INSERT_SECONDED, (HOUSE, number, note.size, note.note))
    for fork in commit.evidence:
        row = (HOUSE, line, fork.first, fork.second, joined_path(fork))
        driver.execute(_INSERT_EVIDENCE, row)


def _write_growth(
    driver: sqlite3.Connection,
    cipher: OpeningCipher,
    where: LogTables,
    number: int,
    growth: LogGrowth,
) -> None:
    size = driver.execute(where.size, (number,)).fetchone()[0]
    if growth.first != size or len(growth.entries) != len(growth.hashes):
        raise MisuseError(
            f"{growth.origin} holds {size} entries, was to grow from {growth.first}"
            f" by {len(growth.entries)} with {len(growth.hashes)} hashes"
        )
    rows = zip(growth.entries, growth.hashes, strict=True)
    _insert(
        driver,
        where.insert_entry,
        [(HOUSE, number, at, data, hashes) for at, (data, hashes) in enumerate(rows, size)],
    )
    _insert(
        driver,
        where.insert_opening,
        [
            (HOUSE, number, at, one.member, cipher.seal(where.opening, number, at, one))
            for at, one in growth.openings
        ],
    )


def _note_row(numbers: dict[str, int], note: Note) -> tuple[int, int, bytes, int]:
    return (_number(numbers, note.origin), note.size, note.note, int(note.cosigned))


def _number(numbers: dict[str, int], origin: str) -> int:
    if origin not in numbers:
        raise MisuseError(f"{origin} is no log of this line; it has {', '.join(sorted(numbers))}")
    return numbers[origin]


def _insert(
    driver: sqlite3.Connection, statements: dict[int, str], rows: list[tuple[Any, ...]]
) -> None:
    at = 0
    for count, statement in statements.items():
        while len(rows) - at >= count:
            driver.execute(statement, tuple(chain.from_iterable(rows[at : at + count])))
            at += count

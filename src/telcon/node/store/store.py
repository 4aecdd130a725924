"""The store of a node: one database, the markers beside it, the lock on the folder of both.

Durability: an awaited write is on the disk when it returns, and all of it is, or none. Order: works
run in the order in which they were given. Concurrency: one process writes, by one thread; reads are
of committed state, on the thread that opened the store; other processes may read at any time.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from telcon.core.stored import NEW_LOG, Commit, Marker
from telcon.errors import MisuseError, StorageError
from telcon.ledger import Fork
from telcon.node.folder import NEVER_RESTORE, FolderLock, prepare_folder
from telcon.node.store import records
from telcon.node.store.chores import StoreChores
from telcon.node.store.cipher import (
    OpeningCipher,
    load_openings_key,
    prepare_openings_key,
    require_fitting,
)
from telcon.node.store.commits import CommitStatistics, CommitThread
from telcon.node.store.engine import (
    DATABASE,
    connect_reader,
    connect_writer,
    disconnect,
    driver_of,
    transaction,
    translate,
)
from telcon.node.store.forks import KeptFork, acknowledge, find_forks
from telcon.node.store.house import HouseRecord, add_house_log, find_house_logs
from telcon.node.store.keepers import carry_keepers
from telcon.node.store.log import HOUSE_LOGS, HeldLog, write_commit
from telcon.node.store.marker import Markers
from telcon.node.store.reader import Reader
from telcon.node.store.records import LineRecord, RecordingRecord
from telcon.node.store.schema import require_newest, upgrade

__all__ = ["Store", "StoreReader"]

T = TypeVar("T")


class StoreReader:
    """Reads of a store; as a context manager, it closes itself."""

    def __init__(self, folder: Path, reader: Reader, cipher: OpeningCipher) -> None:
        """Read the store in `folder`; use `Store.open` or `Store.open_read_only` instead."""
        self.folder = folder
        self.cipher = cipher
        self._reader = reader
        self._logs: dict[str, HeldLog] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reader.close()

    def read(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` reads of committed state; see `telcon.node.store.records` for works.

        Raises:
            StorageError: the database or the disk refused.
        """
        return self._reader.run(work)

    def lines(self) -> list[LineRecord]:
        """Return every confirmed line, by the peer's name."""
        return self.read(records.find_lines)

    def stored_log(self, origin: str) -> HeldLog:
        """Return the log of that origin, the same object each time.

        Raises:
            MisuseError: no line here has such a log.
        """
        if origin not in self._logs:
            rows = self._reader.rows("SELECT id, own FROM log WHERE origin = ?", (origin,))
            if not rows:
                raise MisuseError(f"no line of this node has the log {origin}")
            number, own = rows[0]
            self._logs[origin] = HeldLog(self._reader, self.cipher, number, origin, own=bool(own))
        return self._logs[origin]

    def house_logs(self) -> list[HouseRecord]:
        """Return every house log of this node, the newest last."""
        return self.read(find_house_logs)

    def stored_house(self, record: HouseRecord) -> HeldLog:
        """Return the house log of `record`, as the store has it, the same object each time."""
        if record.origin not in self._logs:
            self._logs[record.origin] = HeldLog(
                self._reader,
                self.cipher,
                record.number,
                record.origin,
                own=True,
                where=HOUSE_LOGS,
            )
        return self._logs[record.origin]

    def recordings(self, call: str) -> list[RecordingRecord]:
        """Return the recordings of `call`, by log and track."""
        return self.read(lambda connection: records.find_recordings(connection, call))

    def forks(self, line: str) -> list[KeptFork]:
        """Return the forks of a log of `line`, oldest first."""
        return self.read(lambda connection: find_forks(connection, line))

    def evidence(self, line: str) -> list[Fork]:
        """Return the same without what the operator said of them."""
        return [kept.fork for kept in self.forks(line)]

    def read_marker(self, line: str) -> Marker | None:
        """Return how far our log of `line` was signed; None if the marker is gone or unreadable.

        Of a house log `line` is `HouseRecord.marker`.

        Raises:
            StorageError: the file is there but the system refuses it.
        """
        return Markers(self.folder / NEVER_RESTORE).read(line)


class Store(StoreReader):
    """A node's store, open for writing; holds the folder's lock until `close`."""

    def __init__(
        self, folder: Path, lock: FolderLock, writer: Connection, cipher: OpeningCipher
    ) -> None:
        """Use `Store.open` instead."""
        super().__init__(folder, Reader(connect_reader(folder / DATABASE)), cipher)
        self._lock = lock
        self._writer = writer
        self._markers = Markers(folder / NEVER_RESTORE)
        self._numbers = {record.line: self._log_numbers(record) for record in self.lines()}
        chores = StoreChores(writer, self._markers)
        chores.begin()
        self._commits = CommitThread(writer, chores)
        self._commits.start()

    @classmethod
    def open(cls, folder: Path) -> "Store":
        """Open the store in `folder` for this process alone, making or upgrading it as needed.

        Raises:
            LockedError: another node runs on this folder.
            StorageError: the folder or the database cannot be used, or the key of its openings is
                missing or another.
        """
        prepare_folder(folder)
        lock = FolderLock(folder)
        try:
            writer = connect_writer(folder / DATABASE)
            try:
                with transaction(writer):
                    key = prepare_openings_key(folder, writer)
                    cipher = OpeningCipher(key)
                    require_fitting(writer, cipher)
                    upgrade(writer, folder / DATABASE, key)
                return cls(folder, lock, writer, cipher)
            except BaseException:
                disconnect(writer)
                raise
        except (DBAPIError, sqlite3.Error) as error:
            lock.release()
            raise translate(error) from error
        except BaseException:
            lock.release()
            raise

    @staticmethod
    def open_read_only(folder: Path) -> StoreReader:
        """Open the store in `folder` for reading, on this thread, while a node may run on it.

        All that is read is of one moment, this one: an entry, and the checkpoint that covers it.
        The node goes on beside it; what it writes meanwhile stays in its write-ahead log.

        Raises:
            StorageError: there is no store, its tables are not of this version, or the key of its
                openings is missing.
        """
        reader = Reader(connect_reader(folder / DATABASE))
        try:
            reader.rows("BEGIN")
            reader.run(lambda connection: require_newest(connection, folder / DATABASE))
            cipher = OpeningCipher(load_openings_key(folder))
        except BaseException:
            reader.close()
            raise
        return StoreReader(folder, reader, cipher)

    async def close(self) -> None:
        """Finish what waits, then let go of database and folder.

        Cancellation: the commit thread ends all the same; the lock stays until the process ends.
        """
        await self._commits.close()
        self._reader.close()
        disconnect(self._writer)
        self._markers.close()
        self._lock.release()

    async def commit(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction with what else waits; return its result once on the disk.

        `work` runs in the commit thread, perhaps twice: it must do nothing but use its connection.

        Raises:
            StorageError: the database or the disk refused; nothing of `work` stays.
            Others: what `work` raises; nothing of it stays.

        Cancellation: the work may or may not be done.
        """
        return await self._commits.run(work)

    def commit_line(
        self, line: str, commit: Commit, done: Callable[[BaseException | None], None]
    ) -> None:
        """Make `commit` durable: one transaction with one sync, then the marker, then `done`.

        `done` hears a StorageError if the disk refused. If only the marker was refused, the entries
        stay, unsigned, and the line takes no more commits until the node is started again. It hears
        a MisuseError if the commit does not follow on what the line holds.

        Raises:
            MisuseError: no such line, or the store is closed.
        """
        numbers = self._numbers.get(line)
        if numbers is None:
            raise MisuseError(f"no line {line} on this node")

        def write(connection: Connection) -> None:
            self._markers.require_usable(line)
            write_commit(driver_of(connection), self.cipher, line, numbers, commit)

        def tell(_: None, error: BaseException | None) -> None:
            if error is None:
                self._grow(commit)
            done(error)

        marker = commit.marker
        after = None if marker is None else partial(self._markers.write, line, marker)
        self._commits.hand_in(write, tell, after=after)

    def commit_house(
        self, record: HouseRecord, commit: Commit, done: Callable[[BaseException | None], None]
    ) -> None:
        """Make `commit` durable as `commit_line` does.

        Once a marker was refused, no commit with another is taken; those that bring none are, for
        they sign nothing.

        Raises:
            MisuseError: the store is closed.
        """
        numbers, marker = {record.origin: record.number}, commit.marker

        def write(connection: Connection) -> None:
            if marker is not None:
                self._markers.require_usable(record.marker)
            write_commit(driver_of(connection), self.cipher, "", numbers, commit, HOUSE_LOGS)

        def tell(_: None, error: BaseException | None) -> None:
            try:
                if error is None:
                    self._grow(commit)
                elif isinstance(error, StorageError):
                    self.stored_house(record).read_size()  # if the marker alone was refused
            finally:
                done(error)

        after = None if marker is None else partial(self._markers.write, record.marker, marker)
        self._commits.hand_in(write, tell, after=after)

    async def add_house(self, record: HouseRecord) -> HouseRecord:
        """Store a new house log; it is empty and its marker says so.

        Raises:
            StorageError: the disk refused; there is no such log.
        """

        def write(connection: Connection) -> int:
            number = add_house_log(connection, record)
            self._markers.create(record.marker, NEW_LOG)  # before the commit, as for a line
            return number

        return replace(record, number=await self.commit(write))

    def _grow(self, commit: Commit) -> None:
        for growth in commit.grown:
            if growth.origin in self._logs:
                self._logs[growth.origin].grow(growth.first + len(growth.entries))

    async def add_line(self, record: LineRecord) -> None:
        """Store a confirmed line; its logs are empty and its marker says so.

        Who kept the records of the line to that node before keeps those of this one.

        Raises:
            MisuseError: there is such a line already.
            StorageError: the disk refused; there is no such line.
        """

        def write(connection: Connection) -> None:
            records.add_line(connection, record)
            carry_keepers(connection, record.line, record.peer_name, record.confirmed_at_us)
            # Before the commit: a crash between leaves a marker without a line, which nobody reads.
            self._markers.create(record.line, NEW_LOG)

        await self.commit(write)
        self._numbers[record.line] = self._log_numbers(record)

    async def acknowledge(self, line: str, reason: bytes) -> None:
        """Store that the operator took note of the forks of `line`; `reason` as it is sealed."""
        await self.commit(lambda connection: acknowledge(connection, line, reason))

    async def open_recording(self, record: RecordingRecord) -> None:
        """Store that a recording was begun."""
        await self.commit(lambda connection: records.open_recording(connection, record))

    async def close_recording(self, record: RecordingRecord) -> None:
        """Store hash and size of a closed recording.

        Raises:
            MisuseError: it was never opened, or is closed already.
        """
        await self.commit(lambda connection: records.close_recording(connection, record))

    def statistics(self) -> CommitStatistics:
        """Return what the commit thread has done."""
        return self._commits.statistics()

    def _log_numbers(self, record: LineRecord) -> dict[str, int]:
        origins = (record.own_origin, record.peer_origin)
        return {origin: self.stored_log(origin).number for origin in origins}

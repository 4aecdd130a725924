"""Connections to the database, and what its errors mean to an operator.

SQLite with a write-ahead log and `synchronous=FULL`: a COMMIT returns after one sync of that log,
so what it wrote survives a power loss. The writer begins each transaction itself with BEGIN
IMMEDIATE (the driver's own transactions of Python 3.11 begin late and would meet a lock half way).
Readers open the file read-only. The node's own take each statement as its own snapshot; a command
reads one state from its beginning to its end, which keeps the write-ahead log from being written
anew, and holds up nobody.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import StaticPool

from telcon.errors import MisuseError, StorageError, StorageTrouble, TelconError

__all__ = [
    "DATABASE",
    "connect_reader",
    "connect_writer",
    "disconnect",
    "driver_of",
    "transaction",
    "translate",
]

DATABASE = "telcon.db"

# How long a transaction waits for another program (a backup, a shell) to let go of the database.
BUSY_TIMEOUT_MS = 3_000

_ADVICE = {
    sqlite3.SQLITE_FULL: "Free space on the disk of the node's folder; the node goes on by itself.",
    sqlite3.SQLITE_BUSY: "Another program holds the database open for writing: end it.",
    sqlite3.SQLITE_LOCKED: "Another program holds the database open for writing: end it.",
    sqlite3.SQLITE_READONLY: "Make the node's folder and the database writable for its user.",
    sqlite3.SQLITE_CANTOPEN: "Give the node a folder that its user owns and may write to.",
    sqlite3.SQLITE_IOERR: "Check the disk and its free space; the system's log says more.",
    sqlite3.SQLITE_CORRUPT: "Restore the database from a backup, without never-restore.",
    sqlite3.SQLITE_NOTADB: "Restore the database from a backup, without never-restore.",
}

_TROUBLE = {
    sqlite3.SQLITE_FULL: StorageTrouble.FULL,
    sqlite3.SQLITE_BUSY: StorageTrouble.LOCKED,
    sqlite3.SQLITE_LOCKED: StorageTrouble.LOCKED,
}


def connect_writer(path: Path) -> Connection:
    """Open the one connection that writes, making the file (0600) if missing.

    It may be handed to another thread, one at a time.

    Raises:
        StorageError: the file cannot be opened or is not a database.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StorageError(
            f"the database {path} cannot be opened: {error.strerror}",
            advice=_ADVICE[sqlite3.SQLITE_CANTOPEN],
        ) from error

    def connect() -> sqlite3.Connection:
        driver = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        driver.execute("PRAGMA journal_mode = WAL")
        driver.execute("PRAGMA synchronous = FULL")
        driver.execute("PRAGMA foreign_keys = ON")
        driver.execute("PRAGMA secure_delete = ON")  # what was destroyed leaves the file too
        # Checkpoints run when nothing waits, see telcon.node.store.commits.
        driver.execute("PRAGMA wal_autocheckpoint = 0")
        return driver

    return _connect(connect, path)


def connect_reader(path: Path) -> Connection:
    """Open a connection that only reads, for the thread that calls.

    Raises:
        StorageError: there is no such database, or it cannot be read.
    """

    def connect() -> sqlite3.Connection:
        driver = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
        driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        driver.execute("PRAGMA query_only = ON")
        driver.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return driver

    return _connect(connect, path)


def disconnect(connection: Connection) -> None:
    """Close `connection` for good. The writer goes last: it then clears the write-ahead log."""
    connection.close()
    connection.engine.dispose()


def driver_of(connection: Connection) -> sqlite3.Connection:
    """Return the driver's own connection, for the few statements that run with every message."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        raise MisuseError(f"expected an SQLite connection, got {type(driver).__name__}")
    return driver


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Commit what the body does on `connection`, with one sync; roll it back if the body raises.

    Raises:
        sqlite3.Error: BEGIN or COMMIT was refused; see `translate`.
    """
    driver = driver_of(connection)
    driver.execute("BEGIN IMMEDIATE")
    try:
        yield
        driver.execute("COMMIT")
    except BaseException:
        # On a full disk or an IO error SQLite may have rolled back by itself.
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        raise


def translate(error: Exception) -> Exception:
    """Return what `error` means in telcon's tree; what is not of the database comes back as is."""
    if isinstance(error, MemoryError):  # SQLite's own too: the driver raises no other for it
        return StorageError(
            "there was not enough memory to write to the database",
            advice="Free memory on the node's machine; the node goes on by itself.",
            trouble=StorageTrouble.MEMORY,
        )
    if isinstance(error, TelconError) or not isinstance(error, DBAPIError | sqlite3.Error):
        return error
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(error, IntegrityError) or isinstance(cause, sqlite3.IntegrityError):
        return MisuseError(f"the store refuses what breaks its rules: {cause}")
    # The extended codes (SQLITE_IOERR_WRITE, …) carry their family in the low octet.
    family = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    return StorageError(
        f"the database refused: {cause}",
        advice=_ADVICE.get(family, "Check the disk of the node's folder."),
        trouble=_TROUBLE.get(family, StorageTrouble.DISK),
    )


def _connect(connect: Callable[[], sqlite3.Connection], path: Path) -> Connection:
    # The parameters of a statement may be keys: they stay out of errors, and so out of logs.
    engine = create_engine("sqlite://", creator=connect, poolclass=StaticPool, hide_parameters=True)
    try:
        return engine.connect()
    except (DBAPIError, sqlite3.Error) as error:
        found = translate(error)
        advice = found.advice() if isinstance(found, TelconError) else ""
        message = f"the database {path} cannot be opened: {found}"
        raise StorageError(message, advice=advice) from error

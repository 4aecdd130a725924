"""Processes for tests of the store: one that holds a lock, one that commits, one on a full disk.

Each says what it did on its standard output, one line at a time.
"""

import asyncio
import os
import resource
import signal
import sqlite3
import sys
from pathlib import Path

from fakes.disk import LINE, GrowingLog, a_line, commit_line
from telcon.errors import StorageError, TelconError
from telcon.node.store import RecordingRecord, Store
from telcon.node.store.engine import DATABASE


def hold_folder(folder: Path) -> None:
    """Open the store and keep it until standard input ends."""
    store = Store.open(folder)
    print("open", flush=True)
    sys.stdin.read()
    asyncio.run(store.close())


def hold_database(folder: Path) -> None:
    """Keep a write transaction open until standard input ends."""
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    print("locked", flush=True)
    sys.stdin.read()


async def commit_for_ever(folder: Path) -> None:
    """Commit bursts on a fresh line, saying the size after each; other works run beside."""
    store = Store.open(folder)
    await store.add_line(a_line())
    log = GrowingLog(a_line().own_origin)
    for turn in range(1_000_000):
        recording = RecordingRecord(f"{turn:032x}", log.origin, 1, "a.opus", turn)
        await asyncio.gather(
            commit_line(store, LINE, log.commit(1 + turn % 3)), store.open_recording(recording)
        )
        print(log.frontier.size, turn, flush=True)


async def fill_disk(folder: Path) -> None:
    """Commit until a file may not grow; then allow it, and commit once more."""
    store = Store.open(folder)
    await store.add_line(a_line())
    log = GrowingLog(a_line().own_origin)
    await commit_line(store, LINE, log.commit())
    octets = (folder / f"{DATABASE}-wal").stat().st_size + 40_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, resource.RLIM_INFINITY))
    size = log.frontier.size
    refused = log.commit()
    try:
        while True:
            await commit_line(store, LINE, refused)
            size = log.frontier.size
            refused = log.commit(4)
    except StorageError as error:
        print("refused", bool(error.advice()), flush=True)
    print("held", store.stored_log(log.origin).size == size, flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    await commit_line(store, LINE, refused)
    print("went on", store.stored_log(log.origin).size == log.frontier.size, flush=True)
    await store.close()


def open_as_nobody(folder: Path) -> None:
    """Open a store in a folder that this process may not write to; as root it gives up root."""
    if os.geteuid() == 0:
        os.setresuid(65_534, 65_534, 65_534)
    try:
        Store.open(folder)
    except TelconError as error:
        print(type(error).__name__, error, "|", error.advice(), flush=True)


def imports_after_open(folder: Path) -> None:
    """Open and close the store and say whether that brought Alembic."""
    asyncio.run(Store.open(folder).close())
    print("alembic", "alembic" in sys.modules, flush=True)


def die_encrypting(folder: Path) -> None:
    """Open an older store, and be killed at the 700th opening that is encrypted."""
    count, random = 0, os.urandom

    def counted(octets: int) -> bytes:
        nonlocal count
        count += 1
        if count == 700:
            os.kill(os.getpid(), signal.SIGKILL)
        return random(octets)

    os.urandom = counted
    Store.open(folder)


PROCESSES = {
    "die-encrypting": die_encrypting,
    "hold-folder": hold_folder,
    "hold-database": hold_database,
    "commit-for-ever": lambda folder: asyncio.run(commit_for_ever(folder)),
    "fill-disk": lambda folder: asyncio.run(fill_disk(folder)),
    "open-as-nobody": open_as_nobody,
    "imports-after-open": imports_after_open,
}

if __name__ == "__main__":
    PROCESSES[sys.argv[1]](Path(sys.argv[2]))

"""Faults of the disk: full, locked, slow, not to be written."""

import asyncio
import resource
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from faults.pair import Pair, refused
from faults.row import Row
from telcon.node.audit import AuditEvent


@asynccontextmanager
async def no_file_may_grow(pair: Pair) -> AsyncIterator[None]:
    """The disk is full for all files at once: what is said is not written, and not half of it."""
    pair.arcadia.limit(resource.RLIMIT_FSIZE, 1)
    pending = asyncio.create_task(pair.write(pair.rey, "written on a full disk"))
    yield
    assert not pending.done(), "acknowledged though it could not be written"
    pair.arcadia.limit(resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
    await pending


@asynccontextmanager
async def another_program_locks_the_database_for_long(pair: Pair) -> AsyncIterator[None]:
    """Longer than a transaction waits: a message waits, and is written once the lock is gone."""
    with closing(sqlite3.connect(pair.arcadia.folder / "telcon.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        pending = asyncio.create_task(pair.write(pair.rey, "written behind a lock"))
        yield
        assert not pending.done(), "acknowledged though it could not be written"
        other.execute("ROLLBACK")
    await pending


ROWS = [
    Row(
        no_file_may_grow,
        words=("person.broken.text",),
        event=AuditEvent.STORAGE_REFUSED,
    ),
    Row(
        another_program_locks_the_database_for_long,
        words=("person.broken.text",),
        event=AuditEvent.STORAGE_REFUSED,
    ),
]

"""Faults of the disk: full, locked, slow; and of the database, which gets no memory."""

import asyncio
import json
import os
import resource
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from faults.pair import Pair
from faults.resources import asked
from faults.row import Row, spoken
from faults.through import FaultySqlite
from telcon.node.audit import AuditEvent

SHORT_S = 1.0  # below what a transaction waits for another program
SLOW_MS = 20
FRAME_S = 0.02
TOC = b"\xf8"  # CELT, 20 ms, mono, one frame
PACKET = 1_200  # octets; a recording of such grows by 60 kB/s
ROOM = 100_000  # above the database
LEAST = 400_000  # what the database may write in one call, in a file beside it


@asynccontextmanager
async def no_file_may_grow(pair: Pair) -> AsyncIterator[None]:
    """The disk is full for all files: nothing is acknowledged, and nothing is half-written."""
    pair.arcadia.limit(resource.RLIMIT_FSIZE, 1)
    pending = asyncio.create_task(pair.write(pair.rey, "written on a full disk"))
    yield
    assert not pending.done(), "acknowledged though it could not be written"
    pair.arcadia.limit(resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
    await pending


@asynccontextmanager
async def the_database_is_full(pair: Pair) -> AsyncIterator[None]:
    """Two people talk on; what they write waits, and is written when there is room."""
    call = await pair.call()
    sqlite(pair).set("full")
    pending = asyncio.create_task(pair.write(pair.rey, "written to a full database " * 70))
    await pair.hears(pair.rey, pair.voss)
    await pair.hears(pair.voss, pair.rey)
    await pair.rey.wait(lambda shown: bool(shown["lines"][0]["trouble"]))
    yield
    assert not pending.done(), "acknowledged though it could not be written"
    sqlite(pair).clear()
    await pending
    await pair.hang_up(pair.rey, call)


@asynccontextmanager
async def the_database_gets_no_memory(pair: Pair) -> AsyncIterator[None]:
    """Two people talk on; what they write waits, and is written when there is memory again."""
    call = await pair.call()
    sqlite(pair).set("no-memory")
    pending = asyncio.create_task(pair.write(pair.rey, "written without memory"))
    await pair.hears(pair.rey, pair.voss)
    await pair.hears(pair.voss, pair.rey)
    await pair.rey.wait(lambda shown: bool(shown["lines"][0]["trouble"]))
    yield
    assert not pending.done(), "acknowledged though it could not be written"
    sqlite(pair).clear()
    await pending
    await pair.hang_up(pair.rey, call)


@asynccontextmanager
async def another_program_locks_the_database_for_a_second(pair: Pair) -> AsyncIterator[None]:
    """Nobody notices: the transaction waits."""
    with closing(sqlite3.connect(pair.arcadia.folder / "telcon.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        pending = asyncio.create_task(pair.write(pair.rey, "written behind a short lock"))
        await asyncio.sleep(SHORT_S)
        other.execute("ROLLBACK")
    yield
    await pending
    assert pair.audited(AuditEvent.STORAGE_REFUSED) == []


@asynccontextmanager
async def another_program_locks_the_database_for_long(pair: Pair) -> AsyncIterator[None]:
    """Longer than a transaction waits: a message waits, and is written once the lock is gone."""
    with closing(sqlite3.connect(pair.arcadia.folder / "telcon.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        pending = asyncio.create_task(pair.write(pair.rey, "written behind a long lock"))
        yield
        assert not pending.done(), "acknowledged though it could not be written"
        other.execute("ROLLBACK")
    await pending


@asynccontextmanager
async def the_recording_is_full(pair: Pair) -> AsyncIterator[None]:
    """The talk goes on; both sides see that this side's recorder is off, within two seconds."""
    call = await pair.call()
    await pair.reads(spoken("live.recorder.ours.on"))
    await asyncio.to_thread(shorten_journal, pair.arcadia.folder / "telcon.db")
    largest = max(path.stat().st_size for path in pair.arcadia.folder.glob("telcon.db*"))
    pair.arcadia.limit(resource.RLIMIT_FSIZE, max(largest, LEAST) + ROOM)
    speaking = asyncio.create_task(speak_much(pair))
    await pair.rey.wait(lambda shown: not shown["call"]["recorders"]["ours"]["on"])
    await pair.voss.wait(lambda shown: not shown["call"]["recorders"]["theirs"]["on"])
    yield
    speaking.cancel()
    await asyncio.wait([speaking])
    await pair.hears(pair.rey, pair.voss)
    await pair.hears(pair.voss, pair.rey)
    pair.arcadia.limit(resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
    await pair.hang_up(pair.rey, call)


def shorten_journal(database: Path) -> None:
    """Move what SQLite keeps in its journal into the database: the journal begins anew."""
    with closing(sqlite3.connect(database)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def speak_much(pair: Pair) -> None:
    leg = pair.rey._own_leg()
    while True:
        leg.send_opus(TOC + os.urandom(PACKET))
        await asyncio.sleep(FRAME_S)


@asynccontextmanager
async def the_audit_file_is_full(pair: Pair) -> AsyncIterator[None]:
    """The node goes on; what could not be audited is written when there is room."""
    file = pair.arcadia.folder / "audit.jsonl"
    filler = {"time_us": 0, "event": "audit.events-dropped", "fields": {"count": 0}}
    line = json.dumps(filler) + "\n"
    with file.open("a") as long:
        long.write(line * (8_000_000 // len(line)))
    pair.mark()
    pair.arcadia.limit(resource.RLIMIT_FSIZE, file.stat().st_size)
    pair.said = await asyncio.to_thread(asked, pair.arcadia, "evil.example")
    await pair.write(pair.rey, "written while nothing can be audited")
    call = await pair.call()
    await pair.hears(pair.rey, pair.voss)
    await pair.hang_up(pair.voss, call)
    yield
    assert pair.audited(AuditEvent.WRONG_HOST) == []
    pair.arcadia.limit(resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)


@asynccontextmanager
async def every_commit_takes_20_ms_more(pair: Pair) -> AsyncIterator[None]:
    """The loop never waits for the disk: not one packet of audio is late for it."""
    call = await pair.call()
    sqlite(pair).set(f"slow {SLOW_MS}")
    writing = asyncio.create_task(write_on(pair))
    await pair.hears(pair.rey, pair.voss)
    await pair.hears(pair.voss, pair.rey)
    yield
    writing.cancel()
    await asyncio.wait([writing])
    sqlite(pair).clear()
    await pair.hang_up(pair.rey, call)


async def write_on(pair: Pair) -> None:
    number = 0
    while True:
        number += 1
        await pair.write(pair.rey, f"{number} on a slow disk")


def sqlite(pair: Pair) -> FaultySqlite:
    assert isinstance(pair.tool, FaultySqlite)
    return pair.tool


ROWS = [
    Row(no_file_may_grow, words=("trouble.disk",), event=AuditEvent.STORAGE_REFUSED),
    Row(another_program_locks_the_database_for_a_second, words=("person.up.text",)),
    Row(
        another_program_locks_the_database_for_long,
        words=("trouble.locked",),
        event=AuditEvent.STORAGE_REFUSED,
    ),
    Row(
        the_recording_is_full,
        words=("live.recorder.ours.off",),
        event=AuditEvent.RECORDER_FAILED,
    ),
    Row(
        the_audit_file_is_full,
        said="does not answer under that name",
        event=AuditEvent.WRONG_HOST,
    ),
    Row(
        the_database_is_full,
        words=("trouble.full",),
        event=AuditEvent.STORAGE_REFUSED,
        through=FaultySqlite,
    ),
    Row(
        the_database_gets_no_memory,
        words=("trouble.memory",),
        event=AuditEvent.STORAGE_REFUSED,
        through=FaultySqlite,
    ),
    Row(every_commit_takes_20_ms_more, words=("live.elsewhere",), through=FaultySqlite),
]

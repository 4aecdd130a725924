"""Lines, logs and commits to fill a store with, and processes in which the disk fails."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy import Connection

import telcon
from telcon.core.seal import Opening, Person
from telcon.core.stored import Commit, LogGrowth, Marker, Note
from telcon.ledger.merkle import EMPTY_FRONTIER, Frontier, leaf_hash
from telcon.node.store import LineRecord, RecordingRecord, Store
from telcon.node.store.records import find_all_recordings

LINE = "ab" * 16
OTHER_LINE = "cd" * 16


def a_line(line: str = LINE) -> LineRecord:
    """Return a line between Arcadia, whose store it is, and Borealis."""
    return LineRecord(
        line=line,
        own_name="arcadia.example",
        peer_name="borealis.example",
        own_card=b"our card",
        peer_card=b"their card",
        log_seed=b"\x01" * 32,
        mirror_seed=b"\x02" * 32,
        own_statement=b"our statement",
        peer_statement=b"their statement",
        peer_principal=Person("en", "Bea Lund", "Prime Minister", "Borealis"),
        peer_addresses=("link.borealis.example:7443", "[2001:db8::1]:7443"),
        link_lost="go on",
        confirmed_at_us=1_767_225_600_000_000,
    )


def open_recordings(connection: Connection) -> list[RecordingRecord]:
    """Return the recordings that were never closed."""
    return [record for record in find_all_recordings(connection) if record.sha256 is None]


async def commit_line(store: Store, line: str, commit: Commit) -> None:
    """Wait until `commit` is durable; raise why it is not."""
    outcome: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
    store.commit_line(line, commit, outcome.set_result)
    if (error := await outcome) is not None:
        raise error


class GrowingLog:
    """Makes the commits that let one log grow, and remembers what it should hold."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.frontier: Frontier = EMPTY_FRONTIER
        self.entries: list[bytes] = []
        self.openings: list[tuple[int, Opening]] = []

    def commit(self, count: int = 1, octets: int = 300, *, note: Note | None = None) -> Commit:
        """Return a commit of `count` more entries, two openings each, with its marker."""
        first = self.frontier.size
        entries = [f"entry {first + at} ".encode().ljust(octets, b".") for at in range(count)]
        hashes = []
        for data in entries:
            self.frontier, completed = self.frontier.append(leaf_hash(data))
            hashes.append(b"".join(completed))
        openings = tuple(
            (first + at, Opening(member, bytes([at % 256]) * 32, f"{member} {first + at}".encode()))
            for at in range(count)
            for member in ("from", "text")
        )
        self.entries += entries
        self.openings += openings
        growth = LogGrowth(self.origin, first, tuple(entries), tuple(hashes), openings)
        return Commit((growth,), (note,) if note else (), (), self.marker())

    def marker(self) -> Marker:
        """Return the marker of the log as it is now."""
        return Marker(self.frontier.size, self.frontier.root())


def start(module: str, *arguments: str) -> "subprocess.Popen[str]":
    """Start a module of tests as a process that can import what tests can."""
    paths = (Path(telcon.__file__).parents[1], Path(__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

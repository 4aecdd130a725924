"""Faults that keep a node from starting: it says what is wrong and what to do, in two lines."""

import asyncio
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager
from pathlib import Path

from demo.nodes import ARCADIA
from faults.pair import FaultyNode, Pair, new_nodes
from faults.row import Fault, Row
from telcon.node.audit import AuditEvent

REFUSED = 2  # exit status


@asynccontextmanager
async def a_second_node_starts_on_the_folder(pair: Pair) -> AsyncIterator[None]:
    """The first one does not notice."""
    pair.said = await asyncio.to_thread(refused_start, pair.arcadia)
    yield


def on_another_node(
    spoil: Callable[[FaultyNode], AbstractContextManager[None]], *changing: str
) -> Fault:
    """Make a fault of a node that does not run: it does not start, and starts when it is mended.

    It leaves every file as it was, but for those `changing`.
    """

    @asynccontextmanager
    async def fault(pair: Pair) -> AsyncIterator[None]:
        node = await asyncio.to_thread(lone_node, pair)
        pair.watch(node)
        with spoil(node):
            before = contents(node.folder, *changing)
            pair.said = await asyncio.to_thread(refused_start, node)
            assert contents(node.folder, *changing) == before
        yield
        await asyncio.to_thread(node.start)
        assert await asyncio.to_thread(node.stop) == 0

    fault.__name__ = spoil.__name__
    return fault


@contextmanager
def a_port_of_the_link_is_in_use(node: FaultyNode) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", node.port("link"))):
        yield


@contextmanager
def a_port_of_the_pages_is_in_use(node: FaultyNode) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", node.port("web"))):
        yield


@contextmanager
def the_port_of_the_audio_is_in_use(node: FaultyNode) -> Iterator[None]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", node.port("media")))
        yield


@contextmanager
def the_settings_are_half_a_file(node: FaultyNode) -> Iterator[None]:
    file = node.folder / "node.toml"
    text = file.read_text()
    file.write_text(text[: len(text) // 2])
    yield
    file.write_text(text)


@contextmanager
def a_setting_is_unknown(node: FaultyNode) -> Iterator[None]:
    file = node.folder / "node.toml"
    text = file.read_text()
    file.write_text(text.replace("[media]", "[media]\ncodec = 'g711'"))
    yield
    file.write_text(text)


@contextmanager
def the_database_is_of_a_newer_version(node: FaultyNode) -> Iterator[None]:
    path = node.folder / "telcon.db"
    kept = path.read_bytes()
    with closing(sqlite3.connect(path)) as database:
        with database:
            database.execute("UPDATE alembic_version SET version_num = 'of the future'")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    yield
    path.write_bytes(kept)


@contextmanager
def the_database_is_damaged(node: FaultyNode) -> Iterator[None]:
    path = node.folder / "telcon.db"
    kept = path.read_bytes()
    path.write_bytes(os.urandom(len(kept)))
    yield
    path.write_bytes(kept)


@asynccontextmanager
async def the_folder_may_only_be_read(pair: Pair) -> AsyncIterator[None]:
    """By a user who is not root, for root may write anywhere."""
    pair.said = await asyncio.to_thread(read_only_start, pair)
    yield


def read_only_start(pair: Pair) -> str:
    with tempfile.TemporaryDirectory() as place:  # not among pytest's, which only root may enter
        Path(place).chmod(0o755)
        folder = Path(place) / "node"
        node = FaultyNode(ARCADIA, folder)
        shutil.copytree(lone_node(pair).folder, folder, ignore=shutil.ignore_patterns("control"))
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        before = contents(folder)
        said = refused_start(node, "faults.as_nobody")
        assert contents(folder) == before
    return said


def lone_node(pair: Pair) -> FaultyNode:
    """Return a node that has run and runs no more; it is nobody's peer."""
    folder = pair.arcadia.folder.parent / "lone"
    is_new = not folder.exists()
    node, _ = new_nodes(folder)
    if is_new:
        node.start()
        assert node.stop() == 0
    return node


def refused_start(node: FaultyNode, module: str = "telcon.cli") -> str:
    """Start the node in the foreground; return the two sentences with which it ends."""
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-m", module, "--data", str(node.folder), "node", "run"],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": paths},
        check=False,
    )
    assert done.returncode == REFUSED, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 2, done.stderr  # what happened, and what to do
    return done.stderr


def contents(folder: Path, *changing: str) -> dict[str, bytes]:
    """Return every file but that of the refusals, the lock, and what SQLite has beside its own."""
    but = ("audit.jsonl", "lock", "telcon.db-shm", *changing)
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in but
    }


ROWS = [
    Row(
        a_second_node_starts_on_the_folder,
        said="another node.*Stop that node",
        event=AuditEvent.NODE_SECOND,
    ),
    Row(
        on_another_node(a_port_of_the_link_is_in_use),
        said="listens on.*another port",
        event=AuditEvent.PORT_IN_USE,
    ),
    Row(
        # The node ran for a moment, and its house log says so.
        on_another_node(a_port_of_the_pages_is_in_use, "telcon.db", "telcon.db-wal"),
        said="in use.*another port",
        event=AuditEvent.PORT_IN_USE,
    ),
    Row(
        on_another_node(the_port_of_the_audio_is_in_use),
        said="UDP .*in use.*another address or port",
        event=AuditEvent.PORT_IN_USE,
    ),
    Row(
        on_another_node(the_settings_are_half_a_file),
        said="node.toml.*",
        event=AuditEvent.NOT_STARTED,
    ),
    Row(
        on_another_node(a_setting_is_unknown),
        said="codec.*",
        event=AuditEvent.NOT_STARTED,
    ),
    Row(
        on_another_node(the_database_is_of_a_newer_version),
        said="newer.*",
        event=AuditEvent.NOT_STARTED,
    ),
    Row(
        on_another_node(the_database_is_damaged),
        said="not a database.*Restore",
        event=AuditEvent.NOT_STARTED,
    ),
    Row(the_folder_may_only_be_read, said="cannot be used.*its user owns"),
]

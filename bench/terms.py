"""The terms of L, the least that a countersigned message between two nodes can take.

L is two bare syncs of the disk, one round trip of the link's own transport to another process, one
thread hop a side, two signatures and two verifications. Each term is measured alone and with
nothing of telcon around it but what it names; sampled between messages, so that a busy moment is
busy for both.
"""

import asyncio
import contextlib
import multiprocessing
import os
import queue
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from bench.figures import median, spread
from telcon.errors import LinkDownError, PinError
from telcon.ledger import SigningKey, verify_signature
from telcon.node.link.secure_session import TlsSession
from telcon.node.link.tls import (
    NodeCertificate,
    dialling_context,
    listening_context,
    load_or_make_certificate,
)
from telcon.node.link.transport import ByteTransport

__all__ = ["Disk", "Hop", "Terms", "terms_of"]

SYNC_OCTETS = 4_096  # one page; a commit of SQLite's writes more
PUSH_OCTETS = 1_500  # about what the push of one message has, and its cosignature
COSIGNED_OCTETS = 200
SIGNED = os.urandom(150)  # about a checkpoint
LINGER_S = 1.0

TIMES_IN_L = {"sync": 2, "round trip": 1, "hop": 2, "sign": 2, "verify": 2}


class Disk:
    """Bare writes and syncs on the file system of a folder."""

    def __init__(self, folder: Path, octets: int) -> None:
        """Make a file that is long enough already, and one that grows."""
        self._block = os.urandom(octets)
        self._length = 64 * octets
        self._used = os.open(folder / f"used-{octets}", os.O_RDWR | os.O_CREAT, 0o600)
        os.write(self._used, bytes(self._length))
        os.fsync(self._used)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        self._growing = os.open(folder / f"growing-{octets}", flags, 0o600)
        self._at = 0

    async def overwrite(self) -> None:
        """Write in place and sync, as to a write-ahead log in use."""
        self._at = (self._at + len(self._block)) % self._length
        os.pwrite(self._used, self._block, self._at)
        os.fdatasync(self._used)

    async def append(self) -> None:
        """Write at the end and sync, as to a write-ahead log that is new."""
        os.write(self._growing, self._block)
        os.fdatasync(self._growing)

    def close(self) -> None:
        """Let go of both files."""
        os.close(self._used)
        os.close(self._growing)


class Hop:
    """A thread that answers at once: the loop's way to it and back."""

    def __init__(self) -> None:
        """Start the thread."""
        self._queue: queue.SimpleQueue[asyncio.Future[None] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while (future := self._queue.get()) is not None:
            self._loop.call_soon_threadsafe(future.set_result, None)

    async def __call__(self) -> None:
        """Go there and back."""
        future = self._loop.create_future()
        self._queue.put(future)
        await future

    def close(self) -> None:
        """End the thread."""
        self._queue.put(None)


class _End:
    """One end of the bare transport; `ByteReceiver`."""

    def __init__(self) -> None:
        self.ready = asyncio.get_running_loop().create_future()
        self.transport: ByteTransport | None = None

    def connected(self, transport: ByteTransport) -> None:
        self.transport = transport

    def secured(self, certificate: bytes | None) -> None:
        self.ready.set_result(None)

    def received(self, data: bytes) -> None:
        pass

    def ended(self) -> None:
        pass

    def failed(self, error: PinError | LinkDownError) -> None:
        raise error

    def lost(self, error: Exception | None) -> None:
        pass


class _Near(_End):
    """Asks and waits."""

    _waiting: asyncio.Future[None] | None = None
    _octets = 0

    def received(self, data: bytes) -> None:
        self._octets += len(data)
        if self._octets >= COSIGNED_OCTETS and self._waiting is not None:
            self._octets = 0
            self._waiting.set_result(None)

    async def round_trip(self) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        if self.transport is not None:
            self.transport.write(_PUSH)
        await self._waiting


class _Far(_End):
    """Answers as soon as all has come."""

    _octets = 0

    def received(self, data: bytes) -> None:
        self._octets += len(data)
        if self._octets >= PUSH_OCTETS and self.transport is not None:
            self._octets -= PUSH_OCTETS
            self.transport.write(_COSIGNED)


_PUSH, _COSIGNED = bytes(PUSH_OCTETS), bytes(COSIGNED_OCTETS)


def _serve(pipe: Connection, folder: Path) -> None:
    """Be the far end, in a process of its own, until the near one says so."""
    asyncio.run(_serve_until_told(pipe, *_certificates(folder)))


async def _serve_until_told(pipe: Connection, near: NodeCertificate, far: NodeCertificate) -> None:
    context, told = listening_context(far, [near.der]), asyncio.Event()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: ByteTransport(TlsSession(context, server=True), _Far(), linger_s=LINGER_S),
        "127.0.0.1",
        0,
    )
    loop.add_reader(pipe.fileno(), told.set)
    pipe.send(server.sockets[0].getsockname()[1])
    await told.wait()
    loop.remove_reader(pipe.fileno())
    server.close()


def _certificates(folder: Path) -> tuple[NodeCertificate, NodeCertificate]:
    return (
        load_or_make_certificate(folder / "near", "arcadia.example"),
        load_or_make_certificate(folder / "far", "borealis.example"),
    )


@asynccontextmanager
async def _transport(folder: Path) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    near, far = _certificates(folder)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, folder))
    process.start()
    end = _Near()
    session = TlsSession(dialling_context(near, far.der), server=False)
    transport = ByteTransport(session, end, linger_s=LINGER_S)
    port = await asyncio.to_thread(ours.recv)
    await asyncio.get_running_loop().create_connection(lambda: transport, "127.0.0.1", port)
    await end.ready
    try:
        yield end.round_trip
    finally:
        transport.abort()
        ours.send("end")
        await asyncio.to_thread(process.join)


@dataclass(frozen=True, slots=True)
class Terms:
    """Samples of every term, in milliseconds."""

    disk: Disk
    hop: Hop
    round_trip: Callable[[], Awaitable[None]]
    key: SigningKey = field(default_factory=lambda: SigningKey(os.urandom(32)))
    samples: dict[str, list[float]] = field(
        default_factory=lambda: {name: [] for name in TIMES_IN_L}
    )

    async def sample(self) -> None:
        """Measure each term once."""
        signature = self.key.sign(SIGNED)
        await self._time("sync", self.disk.overwrite)
        await self._time("round trip", self.round_trip)
        await self._time("hop", self.hop)
        self._time_now("sign", lambda: self.key.sign(SIGNED))
        self._time_now("verify", lambda: verify_signature(self.key.public, signature, SIGNED))

    async def _time(self, name: str, thing: Callable[[], Awaitable[None]]) -> None:
        began = time.perf_counter()
        await thing()
        self.samples[name].append((time.perf_counter() - began) * 1e3)

    def _time_now(self, name: str, thing: Callable[[], object]) -> None:
        began = time.perf_counter()
        thing()
        self.samples[name].append((time.perf_counter() - began) * 1e3)

    @property
    def count(self) -> int:
        """How many samples there are of each term."""
        return len(self.samples["sync"])

    def limit_ms(self, first: int = 0) -> float:
        """Return L of the samples from `first` on: the medians of all terms, as often as in L."""
        return sum(times * median(self.samples[name][first:]) for name, times in TIMES_IN_L.items())

    def show(self) -> float:
        """Print every term and L, in milliseconds; return L."""
        for name, times in TIMES_IN_L.items():
            print(f"  {times} x {name:<12} {spread(self.samples[name])}")
        print(f"  L = the sum of the medians: {self.limit_ms():.3f} ms")
        return self.limit_ms()


@asynccontextmanager
async def terms_of(folder: Path) -> AsyncIterator[Terms]:
    """Measure on the file system of `folder`, where the nodes' databases lie too."""
    place = folder / "terms"
    place.mkdir()
    async with _transport(place) as round_trip:
        with contextlib.closing(Disk(place, SYNC_OCTETS)) as disk, contextlib.closing(Hop()) as hop:
            yield Terms(disk, hop, round_trip)

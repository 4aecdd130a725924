"""Round trip of a 400-octet frame over the link of two nodes, and over a bare asyncio TLS echo.

Both in one process and one event loop, on loopback, in turns, so that a busy machine slows both.
"""

import asyncio
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.figures import every, median, spread
from telcon.node.link.line_link import LinkPeer
from telcon.node.link.server import LinkServer
from telcon.node.link.tls import (
    NodeCertificate,
    dialling_context,
    listening_context,
    load_or_make_certificate,
)

FRAME = bytes(400)
BLOCK = 100  # round trips of one kind before the other's turn
BLOCKS = 50
LINE = "0" * 32


class Far:
    """Sends every frame back."""

    def link_up(self, send: Callable[[bytes], None], close: Callable[[str], None]) -> None:
        self._send = send

    def link_frame(self, data: bytes) -> None:
        self._send(data)

    def link_down(self, reason: str) -> None:
        pass


class Near:
    """Measures one round trip at a time."""

    def __init__(self) -> None:
        self.up = asyncio.Event()
        self._came: asyncio.Future[None] | None = None

    def link_up(self, send: Callable[[bytes], None], close: Callable[[str], None]) -> None:
        self._send = send
        self.up.set()

    def link_frame(self, data: bytes) -> None:
        if self._came is not None:
            self._came.set_result(None)

    def link_down(self, reason: str) -> None:
        pass

    async def round_trip(self) -> None:
        self._came = asyncio.get_running_loop().create_future()
        self._send(FRAME)
        await self._came


async def take(round_trip: Callable[[], Awaitable[None]], into: list[float]) -> None:
    """Time one block, in microseconds."""
    for _ in range(BLOCK):
        began = time.perf_counter_ns()
        await round_trip()
        into.append((time.perf_counter_ns() - began) / 1_000)


async def open_link(near: NodeCertificate, far: NodeCertificate) -> tuple[Near, list[LinkServer]]:
    servers = [
        LinkServer(own, on_refused=print, on_dial_failed=print, on_slowed=print)
        for own in (near, far)
    ]
    await servers[1].start("127.0.0.1", 0)
    handler = Near()
    servers[1].add_line(LinkPeer(LINE, "borealis.example", "arcadia.example", near.der), Far())
    address = f"127.0.0.1:{servers[1].port}"
    peer = LinkPeer(LINE, "arcadia.example", "borealis.example", far.der, (address,))
    servers[0].add_line(peer, handler)
    await handler.up.wait()
    return handler, servers


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            writer.write(await reader.readexactly(len(FRAME)))
    except asyncio.IncompleteReadError:
        writer.close()


async def bare_tls(
    near: ssl.SSLContext, far: ssl.SSLContext
) -> tuple[Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=far)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=near, server_hostname="")

    async def round_trip() -> None:
        writer.write(FRAME)
        await reader.readexactly(len(FRAME))

    async def close() -> None:
        writer.close()
        server.close()
        await server.wait_closed()

    return round_trip, close


async def measure() -> None:
    """Time both in turn and print."""
    with tempfile.TemporaryDirectory() as folder:
        near = load_or_make_certificate(Path(folder) / "a", "arcadia.example")
        far = load_or_make_certificate(Path(folder) / "b", "borealis.example")
        link, servers = await open_link(near, far)
        bare, close = await bare_tls(
            dialling_context(near, far.der), listening_context(far, [near.der])
        )
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(BLOCKS):
            await take(link.round_trip, ours)
            await take(bare, theirs)
        await close()
        for server in servers:
            await server.close()
    report(ours, theirs)


def report(ours: list[float], theirs: list[float]) -> None:
    """Print the median of every block, the spread, and how they compare."""
    for name, times in (("link of two nodes", ours), ("bare asyncio TLS", theirs)):
        blocks = [median(times[at : at + BLOCK]) for at in range(0, len(times), BLOCK)]
        print(f"{name}, microseconds; medians of {BLOCK}\n{every(blocks, digits=0)}")
        print(f"    {spread(times, digits=0)}")
    print(f"ratio of medians: {median(ours) / median(theirs):.2f}")


def run() -> None:
    """Measure and print."""
    asyncio.run(measure())

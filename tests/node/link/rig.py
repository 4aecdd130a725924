"""Nodes with links on loopback, handlers that remember, and one way to run a test's coroutine."""

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

from telcon.errors import LinkDownError, MalformedError
from telcon.node.link.line_link import LineLink, LinkPeer
from telcon.node.link.server import LinkServer
from telcon.node.link.times import LinkTimes
from telcon.node.link.tls import NodeCertificate, load_or_make_certificate

LINE = "0123456789abcdef0123456789abcdef"
ARCADIA, BOREALIS = "arcadia.example", "borealis.example"
QUICK = LinkTimes(first_backoff_s=0.01, longest_backoff_s=0.05, linger_s=0.3)
PATIENCE_S = 20.0


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine in a loop of its own; what no one handled fails the test."""
    unhandled: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: unhandled.append(what))
        async with asyncio.timeout(PATIENCE_S):
            await test
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left

    asyncio.run(main())
    assert not unhandled, unhandled


class Watched:
    """Something whose changes a test waits for."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def change(self) -> None:
        self._changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()


class Handler(Watched):
    """A line's user that remembers; it echoes if told, and objects to the frame b"bad"."""

    def __init__(self, *, echo: bool = False) -> None:
        super().__init__()
        self.story: list[str] = []
        self.frames: list[bytes] = []
        self.reasons: list[str] = []
        self.is_up = False
        self._echo = echo
        self.send: Callable[[bytes], None] = lambda _: None
        self.close: Callable[[str], None] = lambda _: None

    def link_up(self, send: Callable[[bytes], None], close: Callable[[str], None]) -> None:
        assert not self.is_up
        self.send, self.close, self.is_up = send, close, True
        self.story.append("up")
        self.change()

    def link_frame(self, data: bytes) -> None:
        assert self.is_up
        if data == b"bad":
            raise MalformedError("not a frame")
        self.frames.append(data)
        if self._echo:
            self.send(data)
        self.change()

    def link_down(self, reason: str) -> None:
        assert self.is_up
        self.is_up = False
        self.story.append("down")
        self.reasons.append(reason)
        self.change()

    async def until_up(self) -> None:
        await self.until(lambda: self.is_up)

    async def until_down(self, times: int) -> None:
        await self.until(lambda: self.story.count("down") == times)

    async def until_frames(self, count: int) -> None:
        await self.until(lambda: len(self.frames) == count)


class Node(Watched):
    """A node's link server, with what it told the audit."""

    def __init__(self, folder: Path, name: str, times: LinkTimes = QUICK, **more: Any) -> None:
        super().__init__()
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.certificate: NodeCertificate = load_or_make_certificate(folder, name)
        self.refused: list[tuple[str, str | None, str]] = []
        self.failed: list[LinkDownError] = []
        self.slowed: list[str] = []
        self.server = LinkServer(
            self.certificate,
            on_refused=self._note_refused,
            on_dial_failed=self._note_failed,
            on_slowed=self.slowed.append,
            random=random.Random(7).random,
            times=times,
            **more,
        )

    def add(
        self, peer: "Node", handler: Handler, *ports: int, line: str = LINE, der: bytes = b""
    ) -> LineLink:
        """Add a line to `peer`, dialled at `ports` of loopback; `der` pins another certificate."""
        addresses = [f"127.0.0.1:{port}" for port in ports]
        return self.add_at(peer, handler, *addresses, line=line, der=der)

    def add_at(
        self, peer: "Node", handler: Handler, *addresses: str, line: str = LINE, der: bytes = b""
    ) -> LineLink:
        """Add a line to `peer`, dialled at `addresses`."""
        return self.server.add_line(
            LinkPeer(
                line=line,
                own_name=self.name,
                peer_name=peer.name,
                certificate=der or peer.certificate.der,
                addresses=addresses,
            ),
            handler,
        )

    def _note_refused(self, reason: str, fingerprint: str | None, address: str) -> None:
        self.refused.append((reason, fingerprint, address))
        self.change()

    def _note_failed(self, line: str, address: str, error: LinkDownError) -> None:
        self.failed.append(error)
        self.change()


@contextlib.asynccontextmanager
async def two_nodes(
    folder: Path, times: LinkTimes = QUICK, **more: Any
) -> AsyncIterator[tuple[Node, Node]]:
    """Arcadia and Borealis, listening, without lines."""
    nodes = [Node(folder / name, name, times, **more) for name in (ARCADIA, BOREALIS)]
    for node in nodes:
        await node.server.start("127.0.0.1", 0)
    try:
        yield nodes[0], nodes[1]
    finally:
        for node in nodes:
            await node.server.close()


async def until_tick(condition: Callable[[], object]) -> None:
    """Wait for what tells nobody when it changes, by letting the loop turn."""
    while not condition():  # noqa: ASYNC110 -- a turn of the loop, not a pause
        await asyncio.sleep(0)


def fresh_line() -> str:
    return os.urandom(16).hex()

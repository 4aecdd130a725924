"""A telcon node written by a stranger: from docs/protocol.md and public pages, not from the code.

It plays one side of one line over a real link: keeps both logs, checks and cosigns what it is
pushed, pushes what it writes. It does not decide; a test says what happens next. It shares no code
with telcon and refuses whatever the documents do not say, so that one of the two is found wrong.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from msgspec import msgpack
from websockets.asyncio.client import connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection, serve

from stranger.entries import Entry, Opening, check_openings, compose, read_entry
from stranger.log import Log
from stranger.pairing import Paired
from stranger.tlog import (
    ProtocolError,
    cosignature_in,
    open_checkpoint,
    open_cosignature,
    require,
    sha256,
    split_note,
    tree_root,
)

WAIT_S = 30
FRAME_LIMIT = 65_536
PING_S, DEAD_S = 5, 15


class Line:
    """Our side of one line."""

    def __init__(self, paired: Paired) -> None:
        self.me, self.peer = paired.me, paired.peer
        me, peer = self.me, self.peer
        self.ours = Log(me.log.key, peer.mirror, me.log_ml_dsa.key, peer.mirror_ml_dsa)
        self.theirs = Log(peer.log, me.mirror.key, peer.log_ml_dsa, me.mirror_ml_dsa.key)
        self.signals: list[tuple[str, str, dict[str, Any]]] = []
        self.answers: list[list[Any]] = []  # frames other than pushes, cosignatures and signals
        self.up = False
        self.failure: Exception | None = None
        self._pushed = 0  # how much of our log went out on this connection
        self._socket: Connection | None = None
        self._changed = asyncio.Condition()

    # -- the link, §5

    @asynccontextmanager
    async def dial(self) -> AsyncIterator[None]:
        """Be on the line by dialling the peer."""
        host, port = self.peer.addresses[0]
        url = f"wss://{self.peer.name}{self.path}"
        context = self.me.certificate.dialling(self.peer.certificate)
        options: Any = {"host": host, "port": port, "ssl": context} | _OPTIONS
        async with connect(url, **options) as socket, asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self._run(socket))
            yield
            running.cancel()

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[None]:
        """Be on the line by letting the peer dial one of the addresses that we stated."""
        host, _, port = self.me.addresses[0].rpartition(":")
        context = self.me.certificate.listening(self.peer.certificate)
        options: Any = {"ssl": context} | _OPTIONS
        async with serve(self._let_in, host, int(port), **options):
            yield

    @property
    def path(self) -> str:
        return f"/telcon/v1/{self.me.line}"

    async def _let_in(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        require(socket.request.path == self.path, f"path {socket.request.path}")
        require(socket.request.headers["Host"] == self.me.name, "Host")
        require("Sec-WebSocket-Extensions" not in socket.request.headers, "extensions")
        await self._run(socket)

    def _check_certificate(self, socket: Connection) -> None:
        tls = socket.transport.get_extra_info("ssl_object")
        require(sha256(tls.getpeercert(binary_form=True)).hex() == self.peer.tls, "certificate")
        require(tls.version() == "TLSv1.3", "TLS 1.3")

    async def _run(self, socket: Connection) -> None:
        try:
            self._check_certificate(socket)
            await self._talk(socket)
        except Exception as error:  # noqa: BLE001 the edge of a task: whoever waits sees it
            async with self._changed:
                self.failure = error
                self.up = False
                self._changed.notify_all()

    async def _talk(self, socket: Connection) -> None:
        self._socket = socket
        self.up = False
        hello = ["hello", 1, self.me.name, self.me.line, self.ours.size, self.theirs.size]
        await self.send([*hello, self._last()])
        async for message in socket:
            if not isinstance(message, bytes):
                raise ProtocolError("a text message")
            async with self._changed:
                await self._receive(msgpack.decode(message))
                self._changed.notify_all()

    async def send(self, frame: list[Any]) -> None:
        """Send one frame as it is."""
        assert self._socket is not None
        data = msgpack.encode(frame)
        require(len(data) <= FRAME_LIMIT, "frame too long")
        await self._socket.send(data)

    # -- frames that come in

    async def _receive(self, frame: list[Any]) -> None:
        kind, *rest = frame
        require(self.up or kind == "hello", f"{kind} before hello")
        match kind, len(rest):
            case "hello", 6:
                await self._hello(*rest)
            case "push", 4:
                await self._mirror(*rest)
            case "cosigned", 2:
                self._cosigned(*rest)
            case "second", 1:
                await self._second(*rest)
            case "seconded", 2:
                self._seconded(*rest)
            case "signal", 3:
                self.signals.append((rest[0], rest[1], msgpack.decode(rest[2])))
            case "last?", 0:
                await self.send(["last", self._last()])
            case ("last", 1) | ("refused", 3) | ("refill", 4):
                self.answers.append(frame)
            case _:
                require(False, f"unknown frame: {frame}")

    async def _hello(
        self, version: int, name: str, line: str, size: int, held: int, last: bytes
    ) -> None:
        require((version, name, line) == (1, self.peer.name, self.me.line), "hello of another")
        require(not self.up, "hello twice")
        require(size >= self.theirs.size and held <= self.ours.size, "sizes in hello")
        require(bool(last) == bool(held), "last in hello")
        if held:
            require(self.open_last(last)[0] == held, "last is not what the peer holds")
        self.up = True
        self.ours.cosigned = held
        self._pushed = held
        await self.push()

    def open_last(self, last: bytes) -> tuple[int, bytes]:
        """Verify a checkpoint of ours as the peer gives it back, signed and cosigned."""
        size, root = open_checkpoint(last, self.ours.key)
        require(root == tree_root(self.ours.entries[:size]), "another log than ours")
        lines = split_note(last)[1]
        require(len(lines) == 2, "signature and cosignature")
        open_cosignature(last, lines[1], self.ours.mirror)
        return size, root

    async def _mirror(
        self, first: int, entries: list[bytes], openings: list[list[Any]], note: bytes
    ) -> None:
        log = self.theirs
        require(first == log.size, f"push of {first}, we hold {log.size}")
        require(bool(entries), "a push of nothing")
        size, root = open_checkpoint(note, log.key)
        require(size == first + len(entries), "size of the checkpoint")
        require(root == tree_root(log.entries + entries), "root of the checkpoint")
        given: dict[int, list[Opening]] = {first + n: [] for n in range(len(entries))}
        for index, member, key, content in openings:
            given[index].append(Opening(member, key, content))
        for index, data in enumerate(entries, first):
            check_openings(log.origin, data, given[index])
            self._check_seen(read_entry(data))
        log.entries.extend(entries)
        log.openings.update(given)
        log.notes[size] = note
        log.cosignatures[size] = self.me.mirror.cosign(note, int(time.time()))
        await self.send(["cosigned", size, log.cosignatures[size]])

    async def _second(self, note: bytes) -> None:
        """Sign a checkpoint of theirs by ML-DSA-44 too, at the time at which we cosigned it."""
        log = self.theirs
        require(len(note) <= 8_192, "a long note")
        size, root = open_checkpoint(note, log.key)
        require(open_checkpoint(note, log.key_ml_dsa) == (size, root), "signed twice alike")
        require(root == tree_root(log.entries[:size]), "another log than we hold")
        line = cosignature_in(note, log.mirror)
        require(line == log.cosignatures[size], "not what we cosigned")
        require(len(split_note(note)[1]) == 3, "three signatures")
        time_s = open_cosignature(note, line, log.mirror)
        answer = self.me.mirror_ml_dsa.cosign(note, time_s)
        log.seconded[size] = note + answer
        await self.send(["seconded", size, answer])

    async def second(self) -> None:
        """Have our newest cosigned checkpoint signed by ML-DSA-44 on both sides; wait for it."""
        log, size = self.ours, self.ours.cosigned
        note = log.notes[size] + log.cosignatures[size]
        log.seconded[size] = b""
        await self.send(["second", note + self.me.log_ml_dsa.cosign(note, 0)])
        await self.wait(lambda: bool(log.seconded[size]))

    def _seconded(self, size: int, line: bytes) -> None:
        log = self.ours
        require(log.seconded.get(size) == b"", f"seconded at {size}")
        note = log.notes[size] + log.cosignatures[size]
        time_s = open_cosignature(note, line, log.mirror_ml_dsa)
        require(time_s == open_cosignature(note, log.cosignatures[size], log.mirror), "its time")
        log.seconded[size] = note + line

    def _check_seen(self, entry: Entry) -> None:
        size, root = entry["seen"]
        require(size <= self.ours.size, "seen beyond our log")
        require(root == tree_root(self.ours.entries[:size]).hex(), "root of seen")

    def _cosigned(self, size: int, line: bytes) -> None:
        require(size in self.ours.notes, f"cosigned at {size}")
        time_s = open_cosignature(self.ours.notes[size], line, self.ours.mirror)
        require(abs(time_s - time.time()) < 60, "time of the cosignature")
        self.ours.cosignatures[size] = line
        self.ours.cosigned = size

    def _last(self) -> bytes:
        if not self.theirs.notes:
            return b""
        note = self.theirs.notes[self.theirs.size]
        return note + self.me.mirror.cosign(note, int(time.time()))

    # -- what we do

    async def push(self) -> None:
        """Push all that was appended and not pushed yet."""
        first, self._pushed = self._pushed, self.ours.size
        if first == self.ours.size:
            return
        openings = [
            [index, opening.member, opening.key, opening.content]
            for index in range(first, self.ours.size)
            for opening in self.ours.openings[index]
        ]
        note = self.me.log.checkpoint(self.ours.entries)
        self.ours.notes[self.ours.size] = note
        await self.send(["push", first, self.ours.entries[first:], openings, note])

    def append(self, kind: str, **members: Any) -> int:
        """Write an entry into our log; return its index. `from_` stands for `from`."""
        members = {name.rstrip("_"): value for name, value in members.items()}
        seen = self.theirs.size, self.theirs.root
        data, openings = compose(self.ours.origin, kind, seen, members)
        index = self.ours.size
        self.ours.entries.append(data)
        self.ours.openings[index] = openings
        return index

    async def write(self, kind: str, **members: Any) -> int:
        """Append an entry, push it and wait for its cosignature; return its index."""
        index = self.append(kind, **members)
        await self.push()
        await self.wait(lambda: self.ours.cosigned > index)
        return index

    async def send_signal(self, kind: str, call: str, body: dict[str, Any]) -> None:
        await self.send(["signal", kind, call, msgpack.encode(body)])

    async def ask(self, frame: list[Any], answer: str) -> list[Any]:
        """Send `frame`; return the answer of that kind."""
        await self.send(frame)
        await self.wait(lambda: any(given[0] == answer for given in self.answers))
        (found,) = (given for given in self.answers if given[0] == answer)
        self.answers.remove(found)
        return found

    async def drop(self) -> None:
        """Close the connection that stands, and wait until another one does."""
        assert self._socket is not None
        self.up = False
        await self._socket.close()
        await self.wait(lambda: self.up)

    async def wait(self, wanted: Callable[[], bool]) -> None:
        """Wait until `wanted` holds, asked after each frame."""
        async with asyncio.timeout(WAIT_S), self._changed:
            await self._changed.wait_for(lambda: self.failure is not None or wanted())
        if self.failure is not None:
            raise self.failure

    async def entry(self, kind: str, after: int = -1) -> tuple[int, Entry]:
        """Wait for their first entry of this type beyond index `after`."""
        found: list[tuple[int, Entry]] = []

        def is_there() -> bool:
            entries = [(index, read_entry(data)) for index, data in enumerate(self.theirs.entries)]
            found[:] = [(i, e) for i, e in entries if e["type"] == kind and i > after]
            return bool(found)

        await self.wait(is_there)
        return found[0]

    async def signal(self, kind: str, call: str) -> dict[str, Any]:
        """Wait for a signal of this call."""
        await self.wait(lambda: any(given[:2] == (kind, call) for given in self.signals))
        return next(body for k, c, body in self.signals if (k, c) == (kind, call))


_OPTIONS: dict[str, Any] = {
    "compression": None,
    "max_size": FRAME_LIMIT,
    "ping_interval": PING_S,
    "ping_timeout": DEAD_S - PING_S,
}

"""Two nodes in one process and one loop, paired as their operators would, with scripted devices.

Everything is real but the clock of the calls' time-outs: sockets, TLS, DTLS, SRTP, disk.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from demo.nodes import ARCADIA, BOREALIS, Party
from fakes.ports import own_ports
from telcon.core.frames import Frame, parse_frame_untrusted
from telcon.core.seal import Person
from telcon.node.assembly import Node
from telcon.node.commands import Commands
from telcon.node.folder import prepare_folder
from telcon.node.line import Line
from telcon.node.line_desk import LineDesk
from telcon.node.link.line_link import LinkPeer
from telcon.node.media.client import DeviceLeg
from telcon.node.media.rtp import RtpPacket
from telcon.node.record.journal import Packet
from telcon.node.record.place import RecordPlace
from telcon.node.settings import (
    LineSettings,
    LinkSettings,
    MediaSettings,
    NodeSettings,
    WebSettings,
)

LOOPBACK = "127.0.0.1"
WAIT_S = 60.0  # milliseconds, as a rule; a busy machine takes its time
FRAME_S = 0.02
OPUS_TOC = 0xF8  # CELT, 20 ms, mono, one frame

Snapshot = Mapping[str, Any]
Test = Callable[["TwoNodes"], Coroutine[Any, Any, None]]


def voice(name: str, packets: int) -> list[bytes]:
    """Return so many Opus packets, each unlike all others."""
    return [bytes([OPUS_TOC]) + f"{name} {n}".encode().ljust(40, b".") for n in range(packets)]


class Clock:
    """Monotonic seconds that can be pushed forward."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


class Phone:
    """A page of a node's principal: what it is shown, what it does, what it hears."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.device = os.urandom(16).hex()
        self.heard: list[bytes] = []
        self.passed: list[Mapping[str, Any]] = []
        self.offers = 0
        self._leg: DeviceLeg | None = None
        self._wake = asyncio.Event()
        self._unsubscribe = node.desk.subscribe(self.device, self._wake.set, self.passed.append)

    @property
    def leg(self) -> DeviceLeg:
        if self._leg is None:
            self._leg = DeviceLeg(self._hear)
        return self._leg

    @property
    def shown(self) -> Snapshot:
        return self.node.desk.snapshot(self.device)

    @property
    def line(self) -> str:
        return str(self.shown["lines"][-1]["line"])

    @property
    def certificate(self) -> str:
        return self.leg.certificate_sha256.hex()

    async def do(self, act: str, **members: Any) -> Snapshot:
        return await self.node.desk.do(self.device, {"do": act, **members})

    async def wait(self, holds: Callable[[Snapshot], bool]) -> Snapshot:
        """Return the first snapshot of which `holds` is true."""
        async with asyncio.timeout(WAIT_S):
            while not holds(shown := self.shown):
                self._wake.clear()
                await self._wake.wait()
        return shown

    async def wait_phase(self, phase: str) -> Snapshot:
        shown = await self.wait(lambda s: s["call"] is not None and s["call"]["phase"] == phase)
        return dict(shown["call"])

    async def wait_past(self, call: str) -> Snapshot:
        """Return the ended `call` from the history, once both sides have signed it."""

        def past(shown: Snapshot) -> Snapshot | None:
            found = (one for line in shown["history"].values() for one in line)
            return next((one for one in found if one["call"] == call and one["signed"]), None)

        return past(await self.wait(lambda shown: past(shown) is not None)) or {}

    async def ring(self, mode: str = "audio") -> str:
        done = await self.do("ring", line=self.line, mode=mode, certificate=self.certificate)
        return str(done["call"])

    async def answer(self, call: str) -> None:
        await self.do("answer", call=call, certificate=self.certificate)

    async def join(self, call: str) -> None:
        await self.do("join", call=call, certificate=self.certificate)

    async def arm(self, call: str) -> None:
        """Connect the leg: ICE and DTLS, no packet yet."""
        self.offers += 1
        done = await self.do("offer", call=call, sdp=self.leg.offer())
        self.leg.accept(done["sdp"])
        await self.leg.wait_connected()

    async def say(self, packets: list[bytes]) -> None:
        """Send `packets` in real time."""
        for payload in packets:
            self.leg.send_opus(payload)
            await asyncio.sleep(FRAME_S)

    async def hears(self, packets: list[bytes]) -> None:
        """Wait until the last of `packets` was heard."""
        await until(lambda: packets[-1] in self.heard)

    def close(self) -> None:
        """Close the page."""
        self._unsubscribe()
        if self._leg is not None:
            self._leg.close()
            self._leg = None

    def gone(self) -> None:
        """Close the page, and let the node know that it will not come back."""
        self.close()
        self.node.desk.device_gone(self.device)

    def _hear(self, _slot: int, packet: RtpPacket) -> None:
        self.heard.append(packet.payload)


@dataclass
class Wire:
    """What a line of ours sends to the other node, held back or sorted out on its way.

    Of two connections that the nodes dialled at once the earlier may end: the next goes this way
    too, until it is let go.
    """

    line: Line
    drops: Callable[[Frame], bool] = lambda frame: False
    _held: list[bytes] | None = None
    _send: Callable[[bytes], None] | None = None

    def __post_init__(self) -> None:
        self._send = self.line._send
        self.line._send = self._pass
        self.line.link_up = self._link_up  # type: ignore[method-assign]

    def let_go(self) -> None:
        """Have nothing to do with the next connection."""
        self.line.link_up = partial(Line.link_up, self.line)  # type: ignore[method-assign]

    def hold(self) -> None:
        """Let nothing through until `release`."""
        self._held = []

    def release(self) -> None:
        """Let through what was held, and what comes."""
        held, self._held = self._held or [], None
        for frame in held:
            self._pass(frame)

    def _link_up(self, send: Callable[[bytes], None], close: Callable[[str], None]) -> None:
        self._send, self._held = send, None if self._held is None else []
        Line.link_up(self.line, self._pass, close)

    def _pass(self, data: bytes) -> None:
        if self._held is not None:
            self._held.append(data)
        elif self._send is not None and not self.drops(parse_frame_untrusted(data)):
            self._send(data)


@dataclass
class TwoNodes:
    """Arcadia and Borealis, paired and up."""

    folder: Path
    clock: Clock
    arcadia: Node
    borealis: Node
    phones: list[Phone] = field(default_factory=list)
    _peers: list[LinkPeer] = field(default_factory=list)

    @property
    def nodes(self) -> tuple[Node, Node]:
        return (self.arcadia, self.borealis)

    def phone(self, node: Node) -> Phone:
        self.phones.append(Phone(node))
        return self.phones[-1]

    def two_phones(self) -> tuple[Phone, Phone]:
        return self.phone(self.arcadia), self.phone(self.borealis)

    def advance(self, seconds: float) -> None:
        """Let time pass, and both nodes notice."""
        self.clock.advance(seconds)
        for node in self.nodes:
            for desk in node.desks():
                desk.board.look()

    async def call(self, mode: str = "audio") -> tuple[Phone, Phone, str]:
        """Let Arcadia's principal ring and Borealis' answer; both are on the call."""
        caller, callee = self.two_phones()
        call = await caller.ring(mode)
        await callee.wait_phase("ringing")
        await asyncio.gather(caller.arm(call), callee.arm(call))
        await callee.answer(call)
        await asyncio.gather(flowing(caller, call), flowing(callee, call))
        return caller, callee, call

    async def restart(self, node: Node) -> Node:
        """End a node in order and start it again."""
        await node.close()
        again = await Node.start(node.folder, self.clock)
        if node is self.arcadia:
            self.arcadia = again
        else:
            self.borealis = again
        return again

    async def unlink(self) -> None:
        """Cut the link, until `relink`."""
        for node in self.nodes:
            line = line_of(node).identity.line
            self._peers.append(node._link._lines[line].peer)
        for node, peer in zip(self.nodes, self._peers, strict=True):
            await node._link.remove_line(peer.line)

    def relink(self) -> None:
        """Let both nodes dial again."""
        for node in self.nodes:
            self.relink_one(node)

    def relink_one(self, node: Node) -> None:
        """Let one node dial again."""
        name = node.settings.name
        (peer,) = (one for one in self._peers if one.own_name == name)
        self._peers.remove(peer)
        node._link.add_line(peer, line_of(node))

    async def up(self) -> None:
        """Wait until both nodes hear each other."""
        for node in self.nodes:
            page = self.phone(node)
            await page.wait(lambda shown: bool(shown["lines"]) and shown["lines"][-1]["up"])
            page.close()


def desk_of(node: Node) -> LineDesk:
    return node.desks()[-1]


def line_of(node: Node) -> Line:
    return desk_of(node).line


async def flowing(phone: Phone, call: str) -> None:
    """Wait until the gate lets this phone's voice through."""
    calls = desk_of(phone.node).board.calls

    def flows(_: Snapshot) -> bool:
        running = calls.running.get(call)
        return running is not None and running.seats.get(phone.device) in running.floor.gate.send

    await phone.wait(flows)


def place_of(node: Node, call: str) -> RecordPlace:
    """Return where this node's record of a call lies."""
    return RecordPlace.of(node.folder, line_of(node).identity.line, call)


def held(node: Node, call: str, speaker: Node, track: int = 1) -> list[Packet]:
    """Return the packets of a track in this node's record."""
    journal = place_of(node, call).read()
    key = (line_of(speaker).identity.own_card.log.name, track)
    return list(journal.read(key, 0, journal.bound(key)).values())


def recorded(node: Node, call: str, speaker: Node, track: int = 1) -> list[bytes]:
    """Return the payloads of a track in this node's record."""
    return [packet.payload for packet in held(node, call, speaker, track)]


def audited(node: Node, event: str) -> list[str]:
    """Return the lines of the audit file that tell `event`; wait for none."""
    text = (node.folder / "audit.jsonl").read_text()
    return [line for line in text.splitlines() if f'"event":"{event}"' in line]


async def wait_audited(node: Node, event: str) -> str:
    """Return the first line of the audit file that tells `event`, once it is there."""
    await until(lambda: bool(audited(node, event)))
    return audited(node, event)[0]


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that nobody tells us of."""
    async with asyncio.timeout(WAIT_S):
        while not holds():  # noqa: ASYNC110 -- a file, a packet
            await asyncio.sleep(FRAME_S)


# -- starting


def set_up(
    party: Party, folder: Path, ports: list[int], hosts: tuple[str, ...] = (LOOPBACK,)
) -> Path:
    """Make a node's folder, on loopback; `hosts` are where others send its media."""
    prepare_folder(folder)
    web, link, pairing, media = ports
    NodeSettings(
        name=party.node,
        organisation=party.organisation,
        principal=Person("en", party.principal, party.office, party.organisation),
        web=WebSettings("127.0.0.1", web, (party.host,)),
        link=LinkSettings("127.0.0.1", link, pairing, (f"127.0.0.1:{link}",)),
        media=MediaSettings(LOOPBACK, media, hosts),
        line=LineSettings(0),  # a test at the full hour would stand between what is counted
    ).write(folder)
    return folder


async def ask(node: Node, do: str, **members: Any) -> Mapping[str, Any]:
    """Do what a command of the operator does."""
    return await Commands(node).by_name()[do](members, lambda step: None)


def content(file: Path) -> str:
    return file.read_text() if file.exists() else ""


async def exchange(inviter: Node, accepter: Node, file: Path) -> tuple[str, str]:
    """Invite and accept; return the words that each of the two was shown."""
    waiting = asyncio.create_task(ask(inviter, "invite", out=str(file)))
    await until(lambda: bool(content(file)))
    theirs = await ask(accepter, "accept", invitation=content(file))
    ours = await waiting
    return str(ours["words"]), str(theirs["words"])


async def pair(inviter: Node, accepter: Node, file: Path) -> None:
    """Pair two nodes; each side types what the other read out."""
    ours, theirs = await exchange(inviter, accepter, file)
    await ask(inviter, "confirm", peer=accepter.settings.name, words=theirs)
    await ask(accepter, "confirm", peer=inviter.settings.name, words=ours)


@asynccontextmanager
async def two_nodes(
    folder: Path, *, paired: bool = True, hosts: tuple[str, ...] = (LOOPBACK,)
) -> AsyncIterator[TwoNodes]:
    """Start two nodes; whatever goes wrong in a callback or a task of theirs fails the test."""
    failures: list[str] = []
    watch = _Watch(failures)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(str(context)))
    logging.getLogger("telcon").addHandler(watch)
    ports = own_ports(8)
    clock = Clock()
    arcadia = await Node.start(set_up(ARCADIA, folder / "arcadia", ports[:4], hosts), clock)
    borealis = await Node.start(set_up(BOREALIS, folder / "borealis", ports[4:], hosts), clock)
    both = TwoNodes(folder, clock, arcadia, borealis)
    try:
        if paired:
            await pair(arcadia, borealis, folder / "invitation")
            await both.up()
        yield both
    finally:
        for phone in both.phones:
            phone.close()
        await asyncio.gather(both.arcadia.close(), both.borealis.close())
        logging.getLogger("telcon").removeHandler(watch)
    assert failures == []


class _Watch(logging.Handler):
    """Notes whatever a node says is a defect of its own."""

    def __init__(self, failures: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._failures = failures

    def emit(self, record: logging.LogRecord) -> None:
        self._failures.append(self.format(record))


def on_two_nodes(test: Test) -> Callable[[Path], None]:
    """Run a test on two paired nodes."""

    async def run(folder: Path) -> None:
        async with two_nodes(folder) as both:
            await test(both)

    def wrapped(tmp_path: Path) -> None:
        asyncio.run(run(tmp_path))

    wrapped.__name__, wrapped.__doc__ = test.__name__, test.__doc__
    return wrapped

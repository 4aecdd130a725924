"""A whole node in this process, and a peer of it with true keys that does as it likes.

The peer speaks over a real link. It keeps a true mirror unless it is told not to, so that it gets
as far into the node as its attack needs.
"""

import asyncio
import base64
import os
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from fakes.memory_log import MemoryLog
from telcon.core import draft as drafts
from telcon.core import frames
from telcon.core.draft import Draft, compose
from telcon.core.seal import Media, Opening, Person
from telcon.core.signals import TrunkSignal, format_signal
from telcon.errors import TelconError
from telcon.ledger import (
    COSIGNATURE_ED25519,
    ED25519,
    EMPTY_ROOT,
    Checkpoint,
    KeyCard,
    SigningKey,
    VerifierKey,
    cosign,
    format_checkpoint,
    format_key_card,
    key_card_hash,
    log_origin,
    mirror_name,
    parse_key_card,
    root_at,
    sign_checkpoint,
)
from telcon.node.assembly import Node
from telcon.node.commands import Commands
from telcon.node.folder import prepare_folder
from telcon.node.line_desk import LineDesk
from telcon.node.link.connection import Connection
from telcon.node.link.connection_owner import ConnectionOwner
from telcon.node.link.dialling import dial
from telcon.node.link.invitation import Invitation, parse_invitation_untrusted
from telcon.node.link.line_link import LINK_PATH
from telcon.node.link.pairing import OwnSide, Paired
from telcon.node.link.pairing_link import accept_invitation
from telcon.node.link.statement import Statement, Terms, format_statement
from telcon.node.link.times import LinkTimes
from telcon.node.link.tls import NodeCertificate, dialling_context, load_or_make_certificate
from telcon.node.running import RunningCall
from telcon.node.settings import (
    LineSettings,
    LinkSettings,
    MediaSettings,
    NodeSettings,
    WebSettings,
)

T = TypeVar("T")

VICTIM = "arcadia.example"
PAGE = "a" * 32
CERTIFICATE = "ab" * 32
TRUNK_KEY = bytes(range(44))
EVE = Person("en", "Eve Voss", "Chancellor of Borealis", "Borealis")


def _ignore(_: object) -> None:
    pass


def run(work: Coroutine[Any, Any, T], limit_s: float = 120.0) -> T:
    """Run a test's coroutine, with a limit."""

    async def limited() -> T:
        async with asyncio.timeout(limit_s):
            return await work

    return asyncio.run(limited())


@asynccontextmanager
async def node_in(folder: Path) -> AsyncIterator[Node]:
    """A node that runs in this process, on ports of its own."""
    prepare_folder(folder)
    if not (folder / "node.toml").exists():
        NodeSettings(
            name=VICTIM,
            organisation="Arcadia",
            principal=Person("en", "Adrian Rey", "President of Arcadia", "Arcadia"),
            web=WebSettings("127.0.0.1", 0, ("arcadia.localhost",)),
            link=LinkSettings("127.0.0.1", 0, 0, ("127.0.0.1:1",)),
            media=MediaSettings("127.0.0.1", 0, ("127.0.0.1",)),
            line=LineSettings(0),  # a test at the full hour would stand between what is counted
        ).write(folder)
    node = await Node.start(folder)
    try:
        yield node
    finally:
        await node.close()


class HostilePeer(ConnectionOwner):
    """Borealis, or somebody under another name, with keys of its own."""

    def __init__(self, folder: Path, node: Node, name: str = "borealis.example") -> None:
        self.node = node
        self.name = name
        self.certificate: NodeCertificate = load_or_make_certificate(folder / name, name)
        self.cosigns = True
        self.previous: tuple[str, int, bytes] | None = None  # what its log says it goes on from
        self.received: list[frames.Frame] = []
        self.ends: list[TelconError] = []
        self.connection: Connection | None = None
        self._log_key, self._mirror_key = SigningKey(os.urandom(32)), SigningKey(os.urandom(32))
        self._opened: dict[int, tuple[Opening, ...]] = {}
        self._told = asyncio.Event()
        self._pushed = 0

    # -- pairing

    def card(self, line: str) -> KeyCard:
        return KeyCard(
            self.name,
            line,
            VerifierKey(log_origin(self.name, line), ED25519, self._log_key.public),
            VerifierKey(mirror_name(self.name, line), COSIGNATURE_ED25519, self._mirror_key.public),
            self.certificate.hash,
        )

    def statement(self) -> Statement:
        return Statement(
            addresses=(),
            principal=EVE,
            terms=Terms(policy="mirror", conditions=(), link_lost="go on"),
            previous=None,
            certificate=base64.b64encode(self.certificate.der).decode(),
        )

    async def accept(self, folder: Path) -> tuple[Paired, asyncio.Task[Any]]:
        """Have the node invite, and accept; return what it came to and the node's own answer."""
        out = folder / f"invitation-{os.urandom(4).hex()}"
        inviting = asyncio.create_task(Commands(self.node)._invite({"out": str(out)}, _ignore))
        while not out.exists() or not out.read_bytes():  # noqa: ASYNC110 -- a file tells nobody
            await asyncio.sleep(0.01)
        invitation: Invitation = parse_invitation_untrusted(out.read_bytes())
        own = OwnSide(
            format_key_card(self.card(invitation.line)), format_statement(self.statement())
        )
        return await accept_invitation(invitation, own), inviting

    async def pair(self, folder: Path) -> "HostilePeer":
        """Pair, write the first two entries, and connect."""
        paired, inviting = await self.accept(folder)
        words = (await inviting)["words"]
        await Commands(self.node)._confirm({"peer": self.name, "words": words}, _ignore)
        self.begin(paired)
        await self.connect()
        return self

    def begin(self, paired: Paired) -> None:
        self.line = paired.line
        self.victim_card = parse_key_card(paired.peer.card)
        self.victim_certificate = paired.peer_certificate
        self.log = MemoryLog(log_origin(self.name, paired.line))
        self.held = MemoryLog(self.victim_card.log.name)
        cards = sorted((self.card(paired.line), self.victim_card), key=lambda card: card.name)
        hashes = (key_card_hash(cards[0]), key_card_hash(cards[1]))
        self.write(drafts.line_opened(hashes, self.previous), drafts.line_terms("go on"))

    # -- the link

    async def connect(self) -> None:
        self.connection = await dial(
            f"127.0.0.1:{self.node._link.port}",
            self,
            dialling_context(self.certificate, self.victim_certificate),
            node=VICTIM,
            path=LINK_PATH + self.line,
            times=LinkTimes(),
        )
        self.send(frames.Hello(1, self.name, self.line, self.log.size, self.held.size, b""))
        self._pushed = 0
        self.push()
        await self.until(lambda: self.held.size >= 2)
        await self.until(lambda: self.victim.line.machine.cosigned_here >= 2)

    async def reconnect(self) -> None:
        """Dial again, and go on where both sides stand."""
        held, pushed = self.held, self._pushed
        assert self.connection is not None
        self.connection.abort("again")
        await self.connect()
        self.held, self._pushed = held, pushed

    def frame(self, connection: Connection, data: bytes) -> None:
        frame = frames.parse_frame_untrusted(data)
        self.received.append(frame)
        if isinstance(frame, frames.Push) and frame.first <= self.held.size:
            self.held.fill(frame.entries[self.held.size - frame.first :])
            if self.cosigns:
                self.cosign()
        self._told.set()

    def ended(self, connection: Connection, error: TelconError) -> None:
        self.ends.append(error)
        self._told.set()

    @property
    def is_open(self) -> bool:
        return self.connection is not None and self.connection.is_open

    def send(self, *given: frames.Frame) -> None:
        assert self.connection is not None
        for frame in given:
            self.connection.send(frames.format_frame(frame))

    def signal(self, kind: str, call: str, body: bytes) -> None:
        self.send(frames.Signal(kind, call, body))

    def cosign(self, size: int | None = None, time_s: int | None = None) -> None:
        size = self.held.size if size is None else size
        text = format_checkpoint(Checkpoint(self.held.origin, size, root_at(size, self.held.hash)))
        now_s = int(time.time()) if time_s is None else time_s
        name = mirror_name(self.name, self.line)
        self.send(frames.Cosigned(size, cosign(text, name, self._mirror_key, now_s)))

    # -- the log

    @property
    def seen(self) -> tuple[int, bytes]:
        size = self.held.size
        return size, root_at(size, self.held.hash) if size else EMPTY_ROOT

    def compose(
        self, act: Draft, *, seen: tuple[int, bytes] | None = None, time_us: int | None = None
    ) -> tuple[bytes, tuple[Opening, ...]]:
        data, openings, _ = compose(
            act,
            origin=self.log.origin,
            time_us=time.time_ns() // 1_000 if time_us is None else time_us,
            seen=seen or self.seen,
            random=os.urandom,
        )
        return data, openings

    def write(
        self, *acts: Draft, seen: tuple[int, bytes] | None = None, time_us: int | None = None
    ) -> None:
        for act in acts:
            self.write_bytes(*self.compose(act, seen=seen, time_us=time_us))

    def write_bytes(self, entry: bytes, openings: tuple[Opening, ...] = ()) -> None:
        self._opened[self.log.size] = openings
        self.log.fill([entry])

    def push(self) -> None:
        """Push all that was not pushed, in frames as large as may be."""
        while self._pushed < self.log.size:
            self.send(self._piece())

    def _piece(self) -> frames.Push:
        first, octets, openings = self._pushed, 0, []
        size = first
        while size < self.log.size:
            mine = self._opened[size]
            octets += frames.sent_octets(self.log.rows[size][0], mine)
            if size > first and octets > 60_000:
                break
            openings += [frames.SentOpening(size, o.member, o.key, o.content) for o in mine]
            size += 1
        self._pushed = size
        note = sign_checkpoint(
            Checkpoint(self.log.origin, size, root_at(size, self.log.hash)), self._log_key
        )
        return frames.Push(first, [entry for entry, _ in self.log.rows[first:size]], openings, note)

    async def act(self, *acts: Draft, time_us: int | None = None) -> None:
        """Write, push, and wait until the node has cosigned it."""
        self.write(*acts, time_us=time_us)
        await self.flush()

    async def flush(self) -> None:
        self.push()
        size = self.log.size
        await self.until(lambda: self.victim.line.machine.cosigned_here >= size)

    # -- the node, seen from within

    @property
    def victim(self) -> LineDesk:
        desks = [desk for desk in self.node.desks() if desk.line.identity.line == self.line]
        return desks[0]

    def running(self, call: str) -> RunningCall:
        return self.victim.board.calls.running[call]

    def phase(self, call: str) -> str:
        return str(self.victim.line.machine.fold.calls[call].phase)

    async def until(self, holds: Any, limit_s: float = 120.0) -> None:
        """Wait until `holds()`; looks whenever something came, and often."""
        async with asyncio.timeout(limit_s):
            while not holds():
                self._told.clear()
                try:
                    await asyncio.wait_for(self._told.wait(), 0.02)
                except TimeoutError:
                    continue

    # -- acts

    def ring(self, call: str, *, by: str = "e" * 16, person: Person = EVE, track: int = 1) -> Draft:
        return drafts.ring(
            call, by, mode="audio", track=track, person=person, media=self.media(), topic=None
        )

    def media(self, trunk: bytes = TRUNK_KEY) -> Media:
        return Media("00" * 32, "11" * 32, sha256(trunk).hexdigest())

    def trunk(self, call: str, *addresses: tuple[str, int], key: bytes = TRUNK_KEY) -> None:
        self.signal("trunk", call, format_signal(TrunkSignal(key, 0xE0E0E0, list(addresses))))

    async def live_call(self, call: str) -> None:
        """Ring, and have the victim's principal answer."""
        await self.act(self.ring(call))
        await self.victim.board.acts.answer(PAGE, call, CERTIFICATE)
        await self.until(lambda: self.phase(call) == "live")
        own = self.held.origin
        await self.until(lambda: self.victim.line.machine.cosigned_by_peer >= self.own_size(own))

    def own_size(self, origin: str) -> int:
        return self.victim.line.machine.fold.size(origin)

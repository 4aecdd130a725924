"""Pairing from both sides, written from docs/protocol.md §1 and §8."""

import asyncio
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import msgpack
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from stranger.entries import compact
from stranger.tlog import (
    COSIGNER,
    LOG,
    ML_DSA,
    ProtocolError,
    Signer,
    VerifierKey,
    b64,
    require,
    sha256,
    unb64,
)
from stranger.tls import Certificate, pinning

WORD_LIST = Path(__file__).parents[2] / "src/telcon/node/link/words.txt"  # BIP 39; data, not code
WORD_LIST_SHA256 = "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
TEN_MINUTES_US = 600_000_000
CARD = ["card", "name", "line", "log", "mirror", "log_ml_dsa_44", "mirror_ml_dsa_44", "tls"]


@dataclass
class Self:
    """Us on one line: name, keys, certificate, and what we state about ourselves."""

    name: str
    line: str
    person: dict[str, str]
    addresses: list[str] = field(default_factory=list)
    certificate: Certificate = field(default_factory=Certificate.make)

    def __post_init__(self) -> None:
        self.log = Signer(f"{self.name}/line/{self.line}", LOG)
        self.mirror = Signer(f"{self.name}/mirror/{self.line}", COSIGNER)
        self.log_ml_dsa = Signer(self.log.key.name, ML_DSA)
        self.mirror_ml_dsa = Signer(self.mirror.key.name, ML_DSA)

    @property
    def card(self) -> bytes:
        card = {
            "card": "telcon key card v2",
            "name": self.name,
            "line": self.line,
            "log": str(self.log.key),
            "mirror": str(self.mirror.key),
            "log_ml_dsa_44": str(self.log_ml_dsa.key),
            "mirror_ml_dsa_44": str(self.mirror_ml_dsa.key),
            "tls": self.certificate.hash,
        }
        return compact(card)

    @property
    def statement(self) -> bytes:
        statement = {
            "addresses": self.addresses,
            "principal": self.person,
            "terms": {"policy": "mirror", "conditions": [], "link_lost": "go on"},
            "previous": None,
            "certificate": b64(self.certificate.der),
        }
        return compact(statement)


class Peer:
    """The other side as pairing leaves it."""

    def __init__(self, card: bytes, statement: bytes) -> None:
        read = json.loads(card)
        require(compact(read) == card, "card not in its one spelling")
        require(list(read) == CARD, "card members")
        require(read["card"] == "telcon key card v2" and len(card) <= 8_192, "card version")
        self.card = card
        self.name: str = read["name"]
        self.line: str = read["line"]
        self.tls: str = read["tls"]
        self.log = VerifierKey.parse(read["log"])
        self.mirror = VerifierKey.parse(read["mirror"])
        require(self.log.name == f"{self.name}/line/{self.line}", "name of the log")
        require(self.mirror.name == f"{self.name}/mirror/{self.line}", "name of the mirror")
        require((self.log.type, self.mirror.type) == (LOG, COSIGNER), "key types")
        self.log_ml_dsa = VerifierKey.parse(read["log_ml_dsa_44"])
        self.mirror_ml_dsa = VerifierKey.parse(read["mirror_ml_dsa_44"])
        names = (self.log_ml_dsa.name, self.mirror_ml_dsa.name)
        require(names == (self.log.name, self.mirror.name), "names of the second keys")
        require(self.log_ml_dsa.type == self.mirror_ml_dsa.type == ML_DSA, "second key types")
        self._read_statement(statement)

    def _read_statement(self, statement: bytes) -> None:
        read = json.loads(statement)
        require(compact(read) == statement, "statement not in its one spelling")
        members = ["addresses", "principal", "terms", "previous", "certificate"]
        require(list(read) == members, "statement members")
        require(list(read["terms"]) == ["policy", "conditions", "link_lost"], "terms")
        self.statement = statement
        self.addresses = [_host_and_port(address) for address in read["addresses"]]
        self.person: dict[str, str] = read["principal"]
        self.terms: dict[str, Any] = read["terms"]
        self.certificate = unb64(read["certificate"])
        require(sha256(self.certificate).hex() == self.tls, "certificate of another card")


@dataclass(frozen=True)
class Paired:
    """What both people compare and confirm."""

    me: Self
    peer: Peer
    words: str


async def accept(invitation: bytes, me_named: str, person: dict[str, str]) -> Paired:
    """Take up an invitation file as `me_named`."""
    given = json.loads(invitation)
    require(given["invitation"] == "telcon invitation v1", "not an invitation")
    me = Self(me_named, given["line"], person)
    nonce = os.urandom(32)
    async with _listener_of(given) as socket:
        accepting = ["accept", 1, bytes.fromhex(given["secret"]), sha256(nonce)]
        await socket.send(msgpack.encode(accepting))
        card, statement, commitment = _take(await socket.recv(), "card", 3)
        require(sha256(card).hex() == given["keys"], "another card than invited")
        await socket.send(msgpack.encode(["card", me.card, me.statement, nonce]))
        (their_nonce,) = _take(await socket.recv(), "reveal", 1)
        require(sha256(their_nonce) == commitment, "nonce and commitment differ")
    peer = Peer(card, statement)
    require((peer.name, peer.line, peer.tls) == (given["node"], me.line, given["tls"]), "the file")
    return Paired(me, peer, six_words(me, nonce, peer, their_nonce))


async def knock(invitation: bytes, secret: bytes) -> list[Any]:
    """Try another secret at the listener of an invitation; return its answer."""
    async with _listener_of(json.loads(invitation)) as socket:
        await socket.send(msgpack.encode(["accept", 1, secret, bytes(32)]))
        answer: list[Any] = msgpack.decode(await socket.recv(decode=False))
        return answer


def _listener_of(given: dict[str, Any]) -> connect:
    """Return the connection to come to the listener that an invitation names."""
    host, port = _host_and_port(given["addresses"][0])
    url = f"wss://{given['node']}/telcon/pair"
    return connect(url, ssl=pinning(given["tls"]), host=host, port=port, compression=None)


class Invitation:
    """One invitation of ours, and the listener that waits for its accepter."""

    def __init__(self, me: Self) -> None:
        self._me = me
        self._secret = os.urandom(16)
        self.paired: asyncio.Future[Paired] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> "Invitation":
        context = self._me.certificate.listening(None)
        self._server = await serve(self._run, "127.0.0.1", 0, ssl=context, compression=None)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    @property
    def file(self) -> bytes:
        port = next(iter(self._server.sockets)).getsockname()[1]
        invitation = {
            "invitation": "telcon invitation v1",
            "node": self._me.name,
            "line": self._me.line,
            "secret": self._secret.hex(),
            "addresses": [f"127.0.0.1:{port}"],
            "keys": sha256(self._me.card).hex(),
            "tls": self._me.certificate.hash,
            "expires": time.time_ns() // 1000 + TEN_MINUTES_US,
        }
        return compact(invitation)

    async def _run(self, socket: ServerConnection) -> None:
        try:
            self.paired.set_result(await self._pair(socket))
            await socket.wait_closed()  # the accepter closes
        except Exception as error:  # noqa: BLE001 the edge of a task: the test sees it
            if not self.paired.done():
                self.paired.set_exception(error)

    async def _pair(self, socket: ServerConnection) -> Paired:
        assert socket.request is not None
        require(socket.request.path == "/telcon/pair", f"path {socket.request.path}")
        require(socket.request.headers["Host"] == self._me.name, "Host")
        version, secret, commitment = _take(await socket.recv(), "accept", 3)
        require((version, secret) == (1, self._secret), "another invitation")
        nonce = os.urandom(32)
        cards = ["card", self._me.card, self._me.statement, sha256(nonce)]
        await socket.send(msgpack.encode(cards))
        card, statement, their_nonce = _take(await socket.recv(), "card", 3)
        require(sha256(their_nonce) == commitment, "nonce and commitment differ")
        peer = Peer(card, statement)
        require(peer.line == self._me.line, "card of another line")
        await socket.send(msgpack.encode(["reveal", nonce]))
        return Paired(self._me, peer, six_words(self._me, nonce, peer, their_nonce))


def six_words(me: Self, nonce: bytes, peer: Peer, their_nonce: bytes) -> str:
    """Return the words that both sides must see."""
    sides = [(me.name, me.card, me.statement, nonce)]
    sides.append((peer.name, peer.card, peer.statement, their_nonce))
    message = b"telcon pairing v1\x00" + me.line.encode() + b"\x00"
    for _, card, statement, own_nonce in sorted(sides):
        message += len(card).to_bytes(4) + card + len(statement).to_bytes(4) + statement + own_nonce
    bits = int.from_bytes(sha256(message)) >> 256 - 66
    words = _word_list()
    return " ".join(words[bits >> shift & 0x7FF] for shift in range(55, -1, -11))


def _word_list() -> list[str]:
    data = WORD_LIST.read_bytes()
    require(sha256(data).hex() == WORD_LIST_SHA256, "not the list of BIP 39")
    return data.decode().split()


def _take(message: str | bytes, kind: str, count: int) -> list[Any]:
    if not isinstance(message, bytes):
        raise ProtocolError("a text message")
    frame = msgpack.decode(message)
    require(frame[0] == kind and len(frame) == 1 + count, f"{kind} expected: {frame}")
    rest: list[Any] = frame[1:]
    return rest


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)

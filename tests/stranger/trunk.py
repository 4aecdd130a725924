"""The trunk: SRTP with AEAD_AES_256_GCM (RFC 7714, key derivation of RFC 3711 §4.3) over UDP.

Roll-over counters come from the index that docs/protocol.md §6 puts in the sequence number; the
leaves and roots of a recording chunk are those of §7.
"""

import asyncio
import hmac
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from stranger.tlog import ProtocolError, require, tree_root

OPUS = 111
VERSION_2 = 0x80
SENDER, RECEIVER = 200, 201


def derive(key_and_salt: bytes, label: int, length: int) -> bytes:
    """Derive a session key or salt; the salt is padded to 112 bits (RFC 7714 §11)."""
    master, salt = key_and_salt[:32], key_and_salt[32:] + bytes(2)
    x = int.from_bytes(salt) ^ label << 48
    counter = modes.CTR((x << 16).to_bytes(16))
    return Cipher(algorithms.AES(master), counter).encryptor().update(bytes(length))


@dataclass(frozen=True)
class Packet:
    """One Opus packet as its author's node numbered it."""

    track: int
    index: int
    timestamp: int
    payload: bytes


class SrtpKey:
    """One direction of a call."""

    def __init__(self, key_and_salt: bytes, ssrc: int) -> None:
        require(len(key_and_salt) == 44 and ssrc < 1 << 24, "trunk key")
        self._ssrc = ssrc
        self._aead = AESGCM(derive(key_and_salt, 0, 32))
        self._salt = int.from_bytes(derive(key_and_salt, 2, 12))
        self._report_aead = AESGCM(derive(key_and_salt, 3, 32))
        self._report_salt = int.from_bytes(derive(key_and_salt, 5, 12))

    def protect(self, packet: Packet) -> bytes:
        ssrc = self._ssrc << 8 | packet.track
        header = struct.pack(
            ">BBHLL", VERSION_2, OPUS, packet.index & 0xFFFF, packet.timestamp, ssrc
        )
        return header + self._aead.encrypt(self._nonce(ssrc, packet.index), packet.payload, header)

    def unprotect(self, data: bytes, expected: dict[int, int]) -> Packet:
        """Open a packet; `expected` holds the next index of each track."""
        header = data[:12]
        first, second, sequence, timestamp, ssrc = struct.unpack(">BBHLL", header)
        require(first == VERSION_2 and second & 0x7F == OPUS, f"header {header.hex()}")
        require(ssrc >> 8 == self._ssrc, f"SSRC {ssrc:08x}")
        track = ssrc & 0xFF
        index = nearest(sequence, expected.get(track, 0))
        payload = self._aead.decrypt(self._nonce(ssrc, index), data[12:], header)
        expected[track] = index + 1
        return Packet(track, index, timestamp, payload)

    def open_report(self, data: bytes) -> tuple[int, bytes]:
        """Open an SRTCP packet (RFC 7714 §9); return its index and the compound packet."""
        header, trailer = data[:8], data[-4:]
        ssrc, index = int.from_bytes(header[4:]), int.from_bytes(trailer) & 0x7FFF_FFFF
        require(trailer[0] & 0x80 != 0, "a report in clear")
        require(ssrc == self._ssrc << 8, f"a report by {ssrc:08x}")
        nonce = (self._report_salt ^ (ssrc << 48 | index)).to_bytes(12)
        return index, header + self._report_aead.decrypt(nonce, data[8:-4], header + trailer)

    def _nonce(self, ssrc: int, index: int) -> bytes:
        return (self._salt ^ (ssrc << 48 | index)).to_bytes(12)


@dataclass(frozen=True)
class Report:
    """A sender or receiver report: who it is by and the streams that it judges."""

    index: int
    kind: int
    ssrc: int
    packets: int | None  # sent, if by a sender
    about: tuple[int, ...]


def read_reports(index: int, compound: bytes) -> Iterator[Report]:
    """Read the reports of a compound packet (RFC 3550 §6.4); what else is in it is passed over."""
    while compound:
        first, kind, words, ssrc = struct.unpack_from(">BBHL", compound)
        require(first >> 5 == VERSION_2 >> 5, "version and padding")
        body, compound = compound[8 : 4 + 4 * words], compound[4 + 4 * words :]
        if kind not in (SENDER, RECEIVER):
            continue
        packets = None
        if kind == SENDER:
            packets, body = int.from_bytes(body[12:16]), body[20:]
        require(len(body) == 24 * (first & 0x1F), "blocks of a report")
        about = tuple(int.from_bytes(body[n : n + 4]) for n in range(0, len(body), 24))
        yield Report(index, kind, ssrc, packets, about)


def nearest(sequence: int, expected: int) -> int:
    """Return the index nearest to `expected` whose low 16 bits are `sequence`."""
    index = expected & ~0xFFFF | sequence
    candidates = (index - 0x10000, index, index + 0x10000)
    return min((c for c in candidates if c >= 0), key=lambda c: abs(c - expected))


def chunk_root(key: bytes, packets: list[Packet]) -> bytes:
    """Return the root of one track in a `call.record-chunk`."""
    return tree_root([_leaf(key, packet) for packet in packets])


def _leaf(key: bytes, packet: Packet) -> bytes:
    index = packet.index.to_bytes(8)
    blind = hmac.new(key, index, "sha256").digest()[:16]
    return blind + index + packet.timestamp.to_bytes(8) + b"\x00" + packet.payload


class Trunk(asyncio.DatagramProtocol):
    """One UDP port for one call's media."""

    def __init__(self, receiving: SrtpKey) -> None:
        self.packets: list[Packet] = []
        self.reports: list[Report] = []
        self.refused: list[bytes] = []
        self._receiving = receiving
        self._expected: dict[int, int] = {}
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, receiving: SrtpKey) -> "AsyncIterator[Trunk]":
        """Take datagrams on a port of its own."""
        loop = asyncio.get_running_loop()
        transport, trunk = await loop.create_datagram_endpoint(
            lambda: cls(receiving), local_addr=("127.0.0.1", 0)
        )
        try:
            yield trunk
        finally:
            transport.close()

    def connection_made(self, transport: Any) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        try:
            if 192 <= data[1] < 224:  # RFC 5761 §4
                index, compound = self._receiving.open_report(data)
                self.reports += read_reports(index, compound)
            else:
                self.packets.append(self._receiving.unprotect(data, self._expected))
        except (ProtocolError, InvalidTag):
            self.refused.append(data)

    @property
    def port(self) -> int:
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def send(self, data: bytes, address: tuple[str, int]) -> None:
        assert self._transport is not None
        self._transport.sendto(data, address)

"""An hour of one voice along its whole way, packet by packet, by a clock that only we move.

Device, leg, forwarding, trunk, far node, slot, listener, and the recorder of each side; real SRTP
on each of the three ways. Sequence numbers and timestamps begin close below their wrap.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from telcon.node.media.ice import Credentials
from telcon.node.media.mux import Address, UnboundReceiver
from telcon.node.media.rtcp import ReportBlock
from telcon.node.media.rtp import RtpPacket, format_rtp, parse_rtp_untrusted, sequence_delta
from telcon.node.media.sdp import Offer, OfferSection
from telcon.node.media.source import Source
from telcon.node.media.srtp import AEAD_AES_256_GCM, Protector, Unprotector
from telcon.node.media.streams import LegStreams
from telcon.node.media.trunk import Trunk
from telcon.node.record.journal import Head, Packet
from telcon.node.record.place import RecordPlace
from telcon.node.record.recorder import CallRecorder
from telcon.node.record.shelf import Shelf

FRAME, FRAME_S = 960, 0.02
AN_HOUR = 180_000  # packets
WARM_UP = 30_000
FIRST_SEQUENCE = 65_500
FIRST_TIMESTAMP = 2**32 - 10_000 * FRAME
LINE, CALL = "ab" * 16, "cd" * 16
ORIGINS = (f"arcadia.example/line/{LINE}", f"borealis.example/line/{LINE}")
TRACK = (ORIGINS[0], 1)
PLACES: tuple[Address, Address] = (("192.0.2.1", 4000), ("192.0.2.2", 5000))
SSRC = 7
PAYLOAD = b"\xfc" + bytes(79)


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Secured:
    """A leg's way to its device: sealed and opened again, as by both ends of DTLS-SRTP."""

    def __init__(self) -> None:
        key = random.Random(1).randbytes(44)
        self._seal, self._open = (
            Protector(AEAD_AES_256_GCM, key),
            Unprotector(AEAD_AES_256_GCM, key),
        )
        self.packets = self.gaps = 0
        self._last: RtpPacket | None = None

    def send_rtp(self, packet: bytes) -> bytes:
        sealed = self._seal.protect(packet)
        self._hear(parse_rtp_untrusted(self._open.unprotect(sealed)))
        return sealed

    def send_again(self, sealed: bytes) -> None:
        raise AssertionError("nothing was lost")

    def send_rtcp(self, packet: bytes) -> None:
        pass

    def _hear(self, packet: RtpPacket) -> None:
        last, self._last = self._last, packet
        self.packets += 1
        if last is not None:
            step = sequence_delta(packet.sequence, last.sequence)
            time = packet.timestamp - last.timestamp & 0xFFFF_FFFF
            self.gaps += (step, time) != (1, FRAME)


class Port:
    """A node's media port; what is sent arrives at once."""

    def __init__(self, place: Address) -> None:
        self.place = place
        self.other: Port | None = None
        self._receiver: UnboundReceiver | None = None

    def send(self, data: bytes, address: Address) -> None:
        if self.other is not None and self.other._receiver is not None:
            is_rtcp = 64 <= data[1] & 0x7F < 96
            assert self.other._receiver.receive_unbound(data, self.place, is_rtcp=is_rtcp)

    def register_ssrc(self, ssrc_prefix24: int, receiver: UnboundReceiver) -> None:
        self._receiver = receiver

    def unregister_ssrc(self, ssrc_prefix24: int, receiver: UnboundReceiver) -> None:
        self._receiver = None


@dataclass
class Far:
    """What the far node does with what it hears: lets it be heard, and records it."""

    source: Source
    recorder: CallRecorder
    clock: Clock
    received: int = field(default=0)

    def receive_packet(
        self, track: int, index: int, timestamp: int, packet: RtpPacket, *, filled: bool
    ) -> None:
        self.received += 1
        self.source.feed(packet, filled=filled)
        self.recorder.write(TRACK, Packet(index, timestamp, packet.payload), self.clock.now)

    def note_overtaken(self, track: int) -> None:
        self.source.note_overtaken()

    def wanted(self, track: int, round_trip_s: float) -> Sequence[int]:
        return self.source.wanted(round_trip_s)

    def receive_report(self, track: int, block: ReportBlock) -> None:
        assert block.fraction_lost == 0

    def receive_sender_report(self, track: int, ntp: int) -> None:
        self.source.note_sender_report(ntp)

    def report_blocks(self) -> Sequence[ReportBlock]:
        block = self.source.report()
        return () if block is None else (block,)


@dataclass(frozen=True)
class Hour:
    """What an hour came to."""

    heard: int
    gaps: int
    """Steps of sequence or time at the listener that were not those of the next packet."""
    places: list[RecordPlace]
    """Where the two nodes' records lie."""
    grown_octets: int
    """Of memory, since the first ten minutes."""


def offer() -> Offer:
    hearing = (OfferSection(str(n), False, 111, None) for n in range(1, 5))
    sections = (OfferSection("0", True, 111, SSRC), *hearing)
    return Offer(Credentials("abcd", "a" * 22), bytes(32), sections)


def memory_octets() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def an_hour(folder: Path) -> Hour:
    """Feed an hour of one voice as fast as it goes."""
    clock = Clock()
    places = [RecordPlace.of(folder / origin.partition("/")[0], LINE, CALL) for origin in ORIGINS]
    heads = Head(CALL, ORIGINS[0], ORIGINS[1], 0), Head(CALL, ORIGINS[1], ORIGINS[0], 0)
    shelves = [
        Shelf("record", partial(place.begin, head, ()), clock.now)
        for place, head in zip(places, heads, strict=True)
    ]
    recorders = [
        CallRecorder(shelf, origin, call_began=clock.now, now=clock.now, random_bytes=os.urandom)
        for shelf, origin in zip(shelves, ORIGINS, strict=True)
    ]
    for recorder in recorders:
        recorder.add_track(TRACK, clock.now)
    near = Far(Source(clock=clock), recorders[0], clock)
    far = Far(Source(clock=clock), recorders[1], clock)
    trunks = two_trunks(near, far, clock)
    speaker = LegStreams(offer(), Secured(), cname="node", clock=clock)
    ear = Secured()
    listener = LegStreams(offer(), ear, cname="node", clock=clock)
    listener.admit()
    listener.slots[0].map(far.source)
    listener.set_flowing(flows=True)

    def forward(packet: RtpPacket) -> None:
        sent = trunks[0].send(1, packet.timestamp, packet.payload, packet.marker)
        assert sent is not None
        said = Packet(sent.index, sent.timestamp, packet.payload)
        recorders[0].write(TRACK, said, clock.now)

    speaker.admit().add_tap(forward)
    key = random.Random(2).randbytes(44)
    sealing, opening = Protector(AEAD_AES_256_GCM, key), Unprotector(AEAD_AES_256_GCM, key)
    memory = 0
    for number in range(AN_HOUR):
        sequence, timestamp = FIRST_SEQUENCE + number, FIRST_TIMESTAMP + number * FRAME
        packet = RtpPacket(
            111, number == 0, sequence & 0xFFFF, timestamp & 0xFFFF_FFFF, SSRC, PAYLOAD
        )
        speaker.receive_rtp(opening.unprotect(sealing.protect(format_rtp(packet))))
        clock.now += FRAME_S
        if number % 10_000 == 0:  # faster than life: the disk must not fall behind
            assert all(asyncio.run(shelf.wait_kept(clock.now)) for shelf in shelves)
        if number % 50 == 0:
            second(clock, trunks, recorders, (speaker, listener))
        if number == WARM_UP:
            memory = memory_octets()
    for trunk in trunks:
        trunk.close()
    grown = memory_octets() - memory
    for recorder, shelf in zip(recorders, shelves, strict=True):
        recorder.close(clock.now)
        assert asyncio.run(shelf.close(clock.now))
        assert shelf.failure is None
    return Hour(ear.packets, ear.gaps, places, grown)


def two_trunks(near: Far, far: Far, clock: Clock) -> tuple[Trunk, Trunk]:
    """Return the trunks of both nodes, joined."""
    ports = Port(PLACES[0]), Port(PLACES[1])
    ports[0].other, ports[1].other = ports[1], ports[0]
    a, b = (
        Trunk(port, user, key=os.urandom(44), ssrc_prefix=0xAB0000 + n, clock=clock,
              utc=lambda: 1_700_000_000 + clock.now)
        for n, (port, user) in enumerate(zip(ports, (near, far), strict=True))
    )  # fmt: skip
    signals = [trunk.signal([(str(place[0]), place[1])])
               for trunk, place in zip((a, b), PLACES, strict=True)]  # fmt: skip
    b.set_peer(signals[0])
    a.set_peer(signals[1])
    return a, b


def second(
    clock: Clock,
    trunks: Sequence[Trunk],
    recorders: Sequence[CallRecorder],
    legs: Sequence[LegStreams],
) -> None:
    """Do what is done each second."""
    for trunk in trunks:
        trunk.handle_deadline(clock.now)
    for recorder in recorders:
        recorder.due(clock.now)
    for leg in legs:
        leg.reports(int(clock.now) << 32)

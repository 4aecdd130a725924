"""The trunk between two nodes, over a wire that a test can cut, move, hold back and forge."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.red import read_red
from node.media.rig import in_loop
from telcon.core.signals import TrunkSignal
from telcon.errors import MalformedError, MisuseError
from telcon.node.media import trunk as trunk_module
from telcon.node.media.history import MOST_AGAIN
from telcon.node.media.mux import Address, UdpMux, UnboundReceiver
from telcon.node.media.rtcp import (
    Nack,
    PathCheck,
    ReceiverReport,
    ReportBlock,
    TakesRedundancy,
    format_rtcp,
)
from telcon.node.media.rtp import RtpPacket, format_rtp, parse_rtp_untrusted
from telcon.node.media.source import Source
from telcon.node.media.srtp import AEAD_AES_256_GCM, Protector, Unprotector
from telcon.node.media.trunk import (
    BURST,
    CONSENT_S,
    UNANSWERED_S,
    UNPROVEN_PACKETS,
    Trunk,
)

ARCADIA: Address = ("192.0.2.1", 4000)
BOREALIS: Address = ("192.0.2.2", 5000)
ELSEWHERE: Address = ("198.51.100.7", 6000)
FRAME = b"\xfc" + bytes(79)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Wire:
    """Carries datagrams at once between ports; `deaf` addresses are behind a firewall."""

    def __init__(self) -> None:
        self.ports: dict[Address, Port] = {}
        self.log: list[tuple[Address, Address, bytes]] = []
        self.cut = False

    def carry(self, source: Address, target: Address, data: bytes) -> None:
        self.log.append((source, target, data))
        port = self.ports.get(target)
        if port is not None and not self.cut:
            port.deliver(data, source)


class Port:
    """One node's media port, seen from outside at `address`."""

    def __init__(self, wire: Wire, address: Address) -> None:
        self.wire = wire
        self.trunks: dict[int, UnboundReceiver] = {}
        self.accepted: list[bool] = []
        self.open_to: set[Address] | None = None  # of a firewall: where we have sent
        self.move(address)

    def move(self, address: Address) -> None:
        self.address = address
        self.wire.ports = {a: p for a, p in self.wire.ports.items() if p is not self}
        self.wire.ports[address] = self

    def send(self, data: bytes, address: Address) -> None:
        if self.open_to is not None:
            self.open_to.add(address)
        self.wire.carry(self.address, address, data)

    def deliver(self, data: bytes, source: Address) -> None:
        if self.open_to is not None and source not in self.open_to:
            return
        is_rtcp = 64 <= data[1] & 0x7F < 96
        start = 4 if is_rtcp else 8
        trunk = self.trunks.get(int.from_bytes(data[start : start + 3], "big"))
        self.accepted.append(
            trunk is not None and trunk.receive_unbound(data, source, is_rtcp=is_rtcp)
        )

    def register_ssrc(self, ssrc_prefix24: int, receiver: UnboundReceiver) -> None:
        self.trunks[ssrc_prefix24] = receiver

    def unregister_ssrc(self, ssrc_prefix24: int, receiver: UnboundReceiver) -> None:
        assert self.trunks.pop(ssrc_prefix24) is receiver


@dataclass
class User:
    """Remembers what the trunk told it, and has a source for each far track."""

    clock: Callable[[], float]
    heard: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    reports: list[tuple[int, ReportBlock]] = field(default_factory=list)
    sources: dict[int, Source] = field(default_factory=dict)
    asks: bool = True  # again for what it missed
    heard_hundred: asyncio.Event = field(default_factory=asyncio.Event)

    def receive_packet(
        self, track: int, index: int, timestamp: int, packet: RtpPacket, *, filled: bool
    ) -> None:
        self.heard.append((track, index, timestamp, packet.payload))
        self.sources.setdefault(track, Source(clock=self.clock)).feed(packet, filled=filled)
        if len(self.heard) == 100:
            self.heard_hundred.set()

    def note_overtaken(self, track: int) -> None:
        self.sources[track].note_overtaken()

    def wanted(self, track: int, round_trip_s: float) -> Sequence[int]:
        return self.sources[track].wanted(round_trip_s) if self.asks else ()

    def receive_report(self, track: int, block: ReportBlock) -> None:
        self.reports.append((track, block))

    def receive_sender_report(self, track: int, ntp: int) -> None:
        if track in self.sources:
            self.sources[track].note_sender_report(ntp)

    def report_blocks(self) -> Sequence[ReportBlock]:
        blocks = (source.report() for source in self.sources.values())
        return [block for block in blocks if block is not None]


class Side:
    def __init__(self, wire: Wire, clock: Clock, address: Address, seed: int) -> None:
        self.key = random.Random(seed).randbytes(44)
        self.prefix = 0xAB0000 + seed
        self.port = Port(wire, address)
        self.user = User(clock)
        self.trunk = Trunk(
            self.port,
            self.user,
            key=self.key,
            ssrc_prefix=self.prefix,
            clock=clock,
            utc=lambda: 1_700_000_000 + clock.now,
        )

    def signal(self, *addresses: Address) -> TrunkSignal:
        return self.trunk.signal([(a[0], a[1]) for a in addresses or (self.port.address,)])

    def say(self, count: int = 1, track: int = 1, first: int = 0) -> None:
        for number in range(first, first + count):
            self.trunk.send(track, number * 960, FRAME, False)


class Call:
    """Two sides that have exchanged their signals, unless told otherwise."""

    def __init__(self, *, joined: bool = True) -> None:
        self.clock = Clock()
        self.wire = Wire()
        self.a = Side(self.wire, self.clock, ARCADIA, 1)
        self.b = Side(self.wire, self.clock, BOREALIS, 2)
        if joined:
            self.b.trunk.set_peer(self.a.signal())
            self.a.trunk.set_peer(self.b.signal())

    def pass_time(self, seconds: float) -> None:
        """Let time pass, with every deadline met."""
        end = self.clock.now + seconds
        trunks = (self.a.trunk, self.b.trunk)
        while True:
            due = min(d for t in trunks if (d := t.next_deadline()) is not None)
            if due > end:
                break
            self.clock.now = max(self.clock.now, due)
            for trunk in trunks:
                if (trunk.next_deadline() or end) <= self.clock.now:
                    trunk.handle_deadline(self.clock.now)
        self.clock.now = end


def call_with_silent_side() -> Call:
    """Return a call whose side `a` has sealed nothing yet, so that a test can do it for it."""
    call = Call(joined=False)
    call.b.trunk.set_peer(call.a.signal())
    return call


def sealed(side: Side, packet: RtpPacket) -> bytes:
    """Seal a packet under the key of `side` as only that side could."""
    return Protector(AEAD_AES_256_GCM, side.key).protect(format_rtp(packet))


def test_what_is_said_is_heard_with_its_numbers() -> None:
    call = Call()
    call.a.say(3)
    call.b.say(1, track=2)
    assert call.b.user.heard == [(1, n, n * 960, FRAME) for n in range(3)]
    assert call.a.user.heard == [(2, 0, 0, FRAME)]


def test_nothing_is_sent_or_counted_before_the_other_side_is_known() -> None:
    call = Call(joined=False)
    assert call.a.trunk.send(1, 0, FRAME, False) is None
    assert call.wire.log == []
    call.b.trunk.set_peer(call.a.signal())
    call.a.trunk.set_peer(call.b.signal())
    forwarded = call.a.trunk.send(1, 960, FRAME, True)
    assert forwarded is not None
    assert forwarded.index == 0


def test_the_packet_on_the_wire_is_as_the_protocol_says() -> None:
    call = Call()
    call.wire.log.clear()
    call.a.trunk.send(7, 2**32 + 5, FRAME, True)
    [(source, target, data)] = call.wire.log
    plain = Unprotector(AEAD_AES_256_GCM, call.a.key).unprotect(data)
    assert parse_rtp_untrusted(plain) == RtpPacket(111, True, 0, 0, 0xAB000107, FRAME)
    assert (source, target) == (ARCADIA, BOREALIS)


def test_a_path_is_found_within_the_first_burst() -> None:
    call = Call(joined=False)
    call.a.trunk.set_peer(call.b.signal())
    call.b.trunk.set_peer(call.a.signal())
    assert call.a.trunk.statistics().address == BOREALIS
    assert call.b.trunk.statistics().address == ARCADIA


def test_the_first_reports_come_close_together() -> None:
    call = Call()
    call.wire.cut = True
    call.a.trunk.set_peer(call.b.signal())
    call.wire.log.clear()
    call.pass_time(0.1)
    assert [source for source, _, _ in call.wire.log].count(ARCADIA) == BURST - 1
    call.wire.log.clear()
    call.pass_time(3.0)
    assert [source for source, _, _ in call.wire.log].count(ARCADIA) == 3


def test_a_side_behind_a_firewall_is_found_by_what_it_sends() -> None:
    call = Call(joined=False)
    call.a.port.open_to = set()
    unreachable = ("203.0.113.9", 1)
    call.b.trunk.set_peer(call.a.signal(unreachable))
    call.a.trunk.set_peer(call.b.signal(ELSEWHERE, BOREALIS))
    assert call.b.trunk.statistics().address == ARCADIA
    assert call.a.trunk.statistics().address == BOREALIS
    call.b.say(1)
    assert len(call.a.user.heard) == 1


def test_media_goes_to_every_signalled_address_for_the_first_second_alone() -> None:
    call = Call(joined=False)
    call.a.trunk.set_peer(call.b.signal(ELSEWHERE, BOREALIS))
    call.wire.log.clear()
    call.a.say(1)
    assert [target for _, target, _ in call.wire.log] == [ELSEWHERE, BOREALIS]
    call.clock.now += UNANSWERED_S + 0.1
    call.a.trunk.set_peer(call.b.signal(BOREALIS))  # new addresses begin no new second
    call.wire.log.clear()
    assert call.a.trunk.send(1, 960, FRAME, False) is None
    assert call.wire.log == []
    call.b.trunk.set_peer(call.a.signal())
    call.wire.log.clear()
    call.a.say(1, first=2)
    assert [target for _, target, _ in call.wire.log] == [BOREALIS]


def test_a_side_that_moves_is_followed_at_once() -> None:
    call = Call()
    call.a.port.move(ELSEWHERE)
    call.a.say(1)
    assert call.b.trunk.statistics().address == ELSEWHERE
    call.b.say(1)
    assert len(call.a.user.heard) == 1


def test_an_old_packet_sent_on_from_elsewhere_moves_nothing() -> None:
    call = Call()
    call.b.user.asks = False
    call.a.say(1)
    call.wire.cut = True
    call.a.say(1, first=1)
    held_back = call.wire.log[-1][2]
    call.wire.cut = False
    call.a.say(1, first=2)
    assert call.b.port.trunks[call.a.prefix].receive_unbound(held_back, ELSEWHERE, is_rtcp=False)
    assert call.b.trunk.statistics().address == ARCADIA
    assert len(call.b.user.heard) == 3


def test_what_was_lost_is_asked_for_and_sent_again_as_it_was() -> None:
    call = Call()
    for number in range(8):
        call.wire.cut = number in (2, 3, 4, 5)
        call.a.say(1, first=number)
        call.clock.now += 0.02
    lost = [data for source, _, data in call.wire.log if source == ARCADIA and data[3] in (2, 3)]
    assert [heard[1] for heard in call.b.user.heard] == [0, 1, 4, 5, 6, 2, 3, 7]
    assert lost[0] == lost[2]
    assert lost[1] == lost[3]
    assert call.a.trunk.statistics().resent == 2
    assert call.b.trunk.statistics().lost == 0
    counted = call.b.user.sources[1].statistics()
    assert (counted.repaired, counted.filled) == (2, 2)


def read_packets(call: Call) -> list[RtpPacket]:
    """Return what `a` has sent of its voice, unsealed."""
    opening = Unprotector(AEAD_AES_256_GCM, call.a.key)
    media = [
        data
        for source, _, data in call.wire.log
        if source == ARCADIA and not 64 <= data[1] & 0x7F < 96
    ]
    return [parse_rtp_untrusted(opening.unprotect(data)) for data in media]


def test_each_packet_carries_the_two_before_it_by_their_indexes() -> None:
    call = Call()
    for number in range(4):
        call.a.trunk.send(1, number * 960, FRAME + bytes([number]), number == 2)
    packets = read_packets(call)
    assert [(p.payload_type, p.marker, p.sequence, p.timestamp) for p in packets] == [
        (111, False, 0, 0), (112, False, 1, 960), (112, True, 2, 1_920), (112, False, 3, 2_880),
    ]  # fmt: skip
    assert [read_red(packet.payload) for packet in packets[1:]] == [
        [
            (111, back * 960, FRAME + bytes([number - back]))
            for back in range(min(number, 2), -1, -1)
        ]
        for number in (1, 2, 3)
    ]
    assert len({len(packet.payload) for packet in packets[2:]}) == 1


@pytest.mark.parametrize("lost", [1, 2])
def test_one_or_two_lost_in_a_row_are_filled_and_nobody_asks(lost: int) -> None:
    call = Call()
    said = [FRAME + number.to_bytes(2, "big") for number in range(300)]
    for number, payload in enumerate(said):
        call.wire.cut = number % (lost + 1) > 0  # of two in a row, two of three are lost
        call.a.trunk.send(1, number * 960, payload, False)
        call.clock.now += 0.02
    call.wire.cut = False
    call.a.trunk.send(1, 300 * 960, FRAME, False)
    assert call.b.user.heard[:300] == [(1, n, n * 960, said[n]) for n in range(300)]
    assert call.a.trunk.statistics().resent == 0
    counted = call.b.trunk.statistics()
    assert (counted.lost, counted.filled) == (0, 300 * lost // (lost + 1))
    asked = [data for source, _, data in call.wire.log if source == BOREALIS]
    assert all(64 <= data[1] & 0x7F < 96 for data in asked)
    call.pass_time(2.0)
    assert call.a.user.reports[-1][1].cumulative_lost == counted.filled


def test_a_packet_that_was_only_overtaken_is_dropped_and_does_not_count_as_lost() -> None:
    call = Call()
    call.a.say(2)
    call.wire.cut = True
    call.a.say(1, first=2)
    held_back = call.wire.log[-1][2]
    call.wire.cut = False
    call.a.say(1, first=3)
    assert call.b.trunk.statistics().filled == 1
    assert call.b.trunk.receive_unbound(held_back, ARCADIA, is_rtcp=False)
    assert [heard[1] for heard in call.b.user.heard] == [0, 1, 2, 3]
    assert call.b.trunk.statistics().filled == 0
    assert call.b.user.sources[1].statistics().filled == 0


def test_the_first_packet_may_be_the_lost_one_even_where_its_devices_time_wraps() -> None:
    call = Call()
    call.wire.cut = True
    call.a.trunk.send(1, 2**32 - 960, FRAME, False)
    call.wire.cut = False
    sent = call.a.trunk.send(1, 0, FRAME, False)
    assert sent is not None
    assert call.b.user.heard == [(1, 0, 0, FRAME), (1, 1, 960, FRAME)]


@pytest.mark.parametrize(("depth", "riders"), [(None, 0), (0, 0), (1, 1), (2, 2), (31, 2)])
def test_nobody_gets_more_than_they_say_they_take(depth: int | None, riders: int) -> None:
    call = Call(joined=False)
    call.a.trunk.set_peer(call.b.signal())  # b says nothing by itself
    report = ReceiverReport(call.b.prefix << 8)
    said = [] if depth is None else [TakesRedundancy(call.b.prefix << 8, depth)]
    sealing = Protector(AEAD_AES_256_GCM, call.b.key)
    data = sealing.protect_rtcp(format_rtcp([report, *said]))
    assert call.a.trunk.receive_unbound(data, BOREALIS, is_rtcp=True)
    call.a.say(4)
    newest = read_packets(call)[-1]
    if not riders:
        assert (newest.payload_type, newest.payload) == (111, FRAME)
    else:
        assert newest.payload_type == 112
        assert len(read_red(newest.payload)) == riders + 1


def test_a_report_says_that_redundancy_is_taken() -> None:
    call = Call(joined=False)
    call.a.trunk.set_peer(call.b.signal())
    opening = Unprotector(AEAD_AES_256_GCM, call.a.key)
    plain = opening.unprotect_rtcp(call.wire.log[-1][2])
    assert plain.endswith(bytes.fromhex("82cc0002ab000100") + b"redu")


def test_packets_of_a_node_that_knows_no_redundancy_are_taken_as_ever() -> None:
    call = call_with_silent_side()
    sealing = Protector(AEAD_AES_256_GCM, call.a.key)
    for index in (0, 2, 1):
        packet = RtpPacket(111, False, index, index * 960, call.a.prefix << 8 | 1, FRAME)
        call.b.port.deliver(sealing.protect(format_rtp(packet)), ARCADIA)
    assert [heard[1] for heard in call.b.user.heard] == [0, 2, 1]


def test_a_repair_counts_as_lost_on_the_way_for_the_speaker() -> None:
    call = Call()
    call.pass_time(0.5)
    for number in range(100):
        call.wire.cut = number % 10 == 9
        call.a.say(1, first=number)
    call.wire.cut = False
    call.pass_time(1.0)
    _, block = call.a.user.reports[-1]
    assert block.cumulative_lost == 9
    assert 20 <= block.fraction_lost <= 27


def test_whoever_asks_without_end_gets_each_packet_a_few_times() -> None:
    call = call_with_silent_side()
    call.b.say(3)
    asker = call.a.prefix << 8
    nack = Nack(asker, call.b.prefix << 8 | 1, (1,) * 100)
    sealing = Protector(AEAD_AES_256_GCM, call.a.key)
    call.b.port.deliver(sealing.protect_rtcp(format_rtcp([ReceiverReport(asker), nack])), ARCADIA)
    assert call.b.trunk.statistics().resent == MOST_AGAIN


def test_asking_for_thousands_uses_up_what_a_peer_may_send() -> None:
    call = call_with_silent_side()
    asker = call.a.prefix << 8
    nack = Nack(asker, call.b.prefix << 8 | 1, tuple(range(300)))
    sealing = Protector(AEAD_AES_256_GCM, call.a.key)
    for _ in range(20):
        data = sealing.protect_rtcp(format_rtcp([ReceiverReport(asker), nack]))
        assert call.b.trunk.receive_unbound(data, ARCADIA, is_rtcp=True)
    assert call.b.trunk.statistics().flooded > 10


def test_one_packet_is_answered_by_one_whatever_it_asks() -> None:
    call = call_with_silent_side()
    asker = call.a.prefix << 8
    checks = [PathCheck(asker, False, bytes([number] * 8)) for number in range(60)]
    sealing = Protector(AEAD_AES_256_GCM, call.a.key)
    for again in (False, True):  # the first makes the address known, and is reported to
        before = len(call.wire.log)
        data = sealing.protect_rtcp(format_rtcp([ReceiverReport(asker), *checks]))
        assert call.b.trunk.receive_unbound(data, ELSEWHERE, is_rtcp=True)
        assert len(call.wire.log) - before == (1 if again else 3)


def test_an_address_is_proven_by_a_number_that_comes_back_from_it() -> None:
    call = Call()
    call.a.say(1)
    call.b.say(1)
    assert call.a.trunk.statistics().is_proven
    call.a.port.move(ELSEWHERE)
    call.a.say(1)
    moved = call.b.trunk.statistics()
    assert (moved.address, moved.is_proven) == (ELSEWHERE, True)


def test_copies_sent_on_faster_from_elsewhere_take_nothing_away() -> None:
    call = Call()
    call.a.say(1)
    call.b.say(1)
    call.wire.cut = True
    for number in range(1, 5):
        call.a.say(1, first=number)
        copied = call.wire.log[-1][2]
        assert call.b.trunk.receive_unbound(copied, ELSEWHERE, is_rtcp=False)
    call.wire.cut = False
    before = len(call.a.user.heard)
    call.b.say(5, first=1)
    assert len(call.a.user.heard) == before + 5
    stolen = call.b.trunk.statistics()
    assert (stolen.address, stolen.is_proven) == (ELSEWHERE, False)


def test_an_address_that_proves_nothing_gets_little() -> None:
    call = call_with_silent_side()
    packet = RtpPacket(111, False, 0, 0, call.a.prefix << 8 | 1, FRAME)
    assert call.b.trunk.receive_unbound(sealed(call.a, packet), ELSEWHERE, is_rtcp=False)
    before = len(call.wire.log)
    for _ in range(2 * UNPROVEN_PACKETS):
        call.b.say(1)
    assert len(call.wire.log) - before <= UNPROVEN_PACKETS
    assert call.b.trunk.send(1, 0, FRAME, False) is None


def test_an_old_report_sent_on_from_elsewhere_moves_nothing() -> None:
    call = Call()
    call.wire.cut = True
    call.a.trunk.handle_deadline(100.0)
    held_back = call.wire.log[-1][2]
    call.wire.cut = False
    call.a.trunk.handle_deadline(100.0)
    assert call.b.trunk.receive_unbound(held_back, ELSEWHERE, is_rtcp=True)
    assert call.b.trunk.statistics().address == ARCADIA


def test_a_repeated_packet_is_refused() -> None:
    call = Call()
    call.a.say(1)
    assert not call.b.trunk.receive_unbound(call.wire.log[-1][2], ELSEWHERE, is_rtcp=False)
    statistics = call.b.trunk.statistics()
    assert (statistics.refused, statistics.address, len(call.b.user.heard)) == (1, ARCADIA, 1)


def test_every_flipped_bit_is_refused() -> None:
    call = Call()
    call.wire.cut = True
    call.a.say(1)
    data = call.wire.log[-1][2]
    for at in range(len(data) * 8):
        forged = bytearray(data)
        forged[at // 8] ^= 1 << at % 8
        assert not call.b.trunk.receive_unbound(bytes(forged), ELSEWHERE, is_rtcp=False)
    assert call.b.user.heard == []
    assert call.b.trunk.statistics().refused == len(data) * 8
    assert call.b.trunk.receive_unbound(data, ARCADIA, is_rtcp=False)


def test_another_key_is_refused() -> None:
    call = Call()
    stranger = Protector(AEAD_AES_256_GCM, bytes(44))
    packet = format_rtp(RtpPacket(111, False, 0, 0, call.a.prefix << 8 | 1, FRAME))
    assert not call.b.trunk.receive_unbound(stranger.protect(packet), ELSEWHERE, is_rtcp=False)
    report = format_rtcp([ReceiverReport(call.a.prefix << 8)])
    assert not call.b.trunk.receive_unbound(stranger.protect_rtcp(report), ELSEWHERE, is_rtcp=True)
    assert call.b.trunk.statistics().refused == 2
    assert call.b.trunk.statistics().address == ARCADIA


@pytest.mark.parametrize(("track", "payload_type"), [(0, 111), (1, 0)])
def test_an_authentic_packet_of_another_kind_is_counted(track: int, payload_type: int) -> None:
    call = Call()
    packet = RtpPacket(payload_type, False, 0, 0, call.a.prefix << 8 | track, FRAME)
    assert call.b.trunk.receive_unbound(sealed(call.a, packet), ARCADIA, is_rtcp=False)
    assert call.b.trunk.statistics().malformed == 1
    assert call.b.user.heard == []


@given(st.binary(max_size=60), st.booleans())
def test_whatever_the_other_node_seals_raises_nothing(body: bytes, is_rtcp: bool) -> None:
    call = call_with_silent_side()
    protector = Protector(AEAD_AES_256_GCM, call.a.key)
    if is_rtcp:
        head = b"\x85\xc9\x00\x01" + (call.a.prefix << 8).to_bytes(4, "big")
        data = protector.protect_rtcp(head + body)
    else:
        packet = RtpPacket(111, False, 0, 0, call.a.prefix << 8 | 1, body)
        data = protector.protect(b"\xa0" + format_rtp(packet)[1:])
    assert call.b.trunk.receive_unbound(data, ARCADIA, is_rtcp=is_rtcp)
    assert call.b.trunk.statistics().malformed + len(call.b.user.heard) <= 1


@given(st.binary(min_size=12, max_size=200), st.booleans())
def test_any_datagram_is_refused_without_an_error(data: bytes, is_rtcp: bool) -> None:
    assert not Call().b.trunk.receive_unbound(data, ELSEWHERE, is_rtcp=is_rtcp)


def test_reports_tell_the_speaker_what_is_lost_far_away() -> None:
    call = Call()
    call.b.user.asks = False
    call.pass_time(0.5)
    for number in range(100):
        call.wire.cut = number % 10 == 9
        call.a.say(1, first=number)
    call.wire.cut = False
    call.pass_time(1.0)
    track, block = call.a.user.reports[-1]
    assert track == 1
    assert block.cumulative_lost == 9
    assert 20 <= block.fraction_lost <= 27
    counted = call.b.trunk.statistics()
    assert (counted.lost, counted.filled) == (0, 9)


@pytest.mark.parametrize(("track", "heard"), [(9, []), (1, [1])])
def test_only_a_report_on_a_track_we_send_is_passed_on(track: int, heard: list[int]) -> None:
    call = call_with_silent_side()
    packet = sealed(call.a, RtpPacket(111, False, 0, 0, call.a.prefix << 8 | 1, FRAME))
    assert call.b.trunk.receive_unbound(packet, ARCADIA, is_rtcp=False)
    call.b.say(1)
    block = ReportBlock(call.b.prefix << 8 | track, 255, 0, 0, 0, 1, 0)
    report = format_rtcp([ReceiverReport(call.a.prefix << 8, (block,))])
    sealed_report = Protector(AEAD_AES_256_GCM, call.a.key).protect_rtcp(report)
    assert call.b.trunk.receive_unbound(sealed_report, ARCADIA, is_rtcp=True)
    assert [track for track, _ in call.b.user.reports] == heard


def test_the_round_trip_is_measured() -> None:
    call = Call()
    call.a.say(1)
    call.pass_time(3.0)
    round_trip_ms = call.a.trunk.statistics().round_trip_ms
    assert round_trip_ms == pytest.approx(0, abs=1)


def test_many_tracks_fit_into_one_report() -> None:
    call = Call()
    for track in range(1, 256):
        call.a.say(1, track=track)
        call.b.say(1, track=track)
    call.pass_time(1.0)
    assert len({track for track, _, _, _ in call.b.user.heard}) == 255
    assert max(len(data) for _, _, data in call.wire.log) < 1_200


def test_silence_is_told_and_all_addresses_are_tried_again() -> None:
    call = Call(joined=False)
    call.b.trunk.set_peer(call.a.signal())
    call.a.trunk.set_peer(call.b.signal(BOREALIS, ELSEWHERE))
    call.wire.cut = True
    call.pass_time(7.0)
    assert call.a.trunk.silent_for(call.clock.now) == pytest.approx(7.0, abs=0.2)
    call.b.port.move(ELSEWHERE)
    call.wire.cut = False
    call.pass_time(1.1)
    assert call.a.trunk.statistics().address == ELSEWHERE


def test_other_addresses_are_tried_only_when_the_path_is_lost() -> None:
    call = Call()
    call.a.trunk.set_peer(call.b.signal(BOREALIS, ELSEWHERE))
    call.wire.log.clear()
    call.wire.cut = True
    call.pass_time(1.9)
    assert {target for _, target, _ in call.wire.log} == {ARCADIA, BOREALIS}
    call.pass_time(1.2)
    assert {target for _, target, _ in call.wire.log} == {ARCADIA, BOREALIS, ELSEWHERE}


@pytest.mark.parametrize("cut_s", [5.0, 25.0, 120.0])
def test_audio_is_back_within_two_seconds_of_the_link(cut_s: float) -> None:
    call = Call()
    call.a.say(1)
    call.wire.cut = True
    call.pass_time(cut_s)
    call.wire.cut = False
    call.pass_time(1.1)
    call.a.say(1, first=round(cut_s * 50))
    assert len(call.b.user.heard) == 2


def test_no_media_goes_to_who_has_been_silent_for_long() -> None:
    call = Call()
    call.a.say(1)
    call.wire.cut = True
    call.pass_time(CONSENT_S + 1)
    assert call.a.trunk.send(1, 960, FRAME, False) is None
    call.wire.cut = False
    call.pass_time(1.1)
    forwarded = call.a.trunk.send(1, 960, FRAME, False)
    assert forwarded is not None
    assert forwarded.index == 1


def test_a_payload_that_no_datagram_takes_is_not_forwarded() -> None:
    call = Call()
    assert call.a.trunk.send(1, 0, bytes(1_339), False) is None
    assert call.a.trunk.send(1, 0, bytes(1_338), False) is not None


@pytest.mark.parametrize("track", [0, 256, -1])
def test_a_track_is_1_to_255(track: int) -> None:
    with pytest.raises(MisuseError, match="1 to 255"):
        Call().a.trunk.send(track, 0, FRAME, False)


@pytest.mark.parametrize(
    "host", ["example.org", "0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1", ""]
)
def test_refuses_an_address_nobody_can_be_at(host: str) -> None:
    call = Call(joined=False)
    with pytest.raises(MalformedError):
        call.a.trunk.set_peer(TrunkSignal(call.b.key, call.b.prefix, [(host, 5000)]))
    assert call.a.trunk.next_deadline() is None


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "10.0.0.1", "2001:db8::1"])
def test_takes_an_address_of_any_network(host: str) -> None:
    call = Call(joined=False)
    call.a.trunk.set_peer(TrunkSignal(call.b.key, call.b.prefix, [(host, 5000)]))
    assert call.wire.log[0][1] == (host, 5000)


def test_new_addresses_are_taken_and_a_new_key_is_not() -> None:
    call = Call()
    call.a.trunk.set_peer(call.b.signal(ELSEWHERE))
    with pytest.raises(MalformedError, match="changed its trunk's key"):
        call.a.trunk.set_peer(TrunkSignal(bytes(44), call.b.prefix, []))
    with pytest.raises(MalformedError, match="changed its trunk's key"):
        call.a.trunk.set_peer(TrunkSignal(call.b.key, 1, []))


def test_a_closed_trunk_is_silent_and_holds_no_key() -> None:
    call = Call()
    call.a.trunk.close()
    call.wire.log.clear()
    call.b.say(1)
    assert call.a.user.heard == []
    assert call.a.trunk.send(1, 0, FRAME, False) is None
    call.a.trunk.handle_deadline(200.0)
    assert [source for source, _, _ in call.wire.log] == [BOREALIS]
    assert call.a.trunk.next_deadline() is None
    for use in (call.a.signal, lambda: call.a.trunk.set_peer(call.b.signal())):
        with pytest.raises(MisuseError, match="closed"):
            use()
    assert call.a.trunk._key == bytearray(44)
    assert call.a.port.trunks == {}
    call.a.trunk.close()


def test_a_key_has_44_octets_and_a_prefix_24_bits() -> None:
    port, user = Call().a.port, Call().a.user
    with pytest.raises(MisuseError, match="44 octets"):
        Trunk(port, user, key=bytes(43), ssrc_prefix=1)
    with pytest.raises(MisuseError, match="24 bits"):
        Trunk(port, user, key=bytes(44), ssrc_prefix=1 << 24)


class Spy(Protector):
    """Remembers the plain packet behind every (SSRC, rollover counter, sequence number)."""

    seen: dict[tuple[int, int], bytes]
    highest: dict[int, int]

    def protect(self, packet: bytes) -> bytes:
        parsed = parse_rtp_untrusted(packet)
        last = self.highest.get(parsed.ssrc, -1)
        index = (last + 1 & ~0xFFFF) | parsed.sequence
        assert (parsed.ssrc, index) not in self.seen
        assert index > last
        self.seen[parsed.ssrc, index] = packet
        self.highest[parsed.ssrc] = index
        return super().protect(packet)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["say", "cut", "mend", "move", "wait", "signal"]),
            st.integers(1, 3),
            st.integers(0, 2**33),
        ),
        max_size=60,
    )
)
def test_no_index_of_a_stream_is_ever_used_twice(acts: list[tuple[str, int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trunk_module, "Protector", Spy)
        Spy.seen, Spy.highest = {}, {}
        call = Call()
        for act, track, value in acts:
            if act == "say":
                call.a.trunk.send(track, value, value.to_bytes(5, "big"), False)
            elif act == "move":
                call.a.port.move(("192.0.2.1", 4000 + value % 1_000))
            elif act == "wait":
                call.pass_time(value % 40)
            elif act == "signal":
                call.a.trunk.set_peer(call.b.signal())
            else:
                call.wire.cut = act == "cut"
    assert len(Spy.seen) == call.a.trunk.statistics().sent


def test_no_index_is_used_twice_over_the_wrap() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trunk_module, "Protector", Spy)
        Spy.seen, Spy.highest = {}, {}
        call = Call()
        for first in range(0, 70_000, 1_000):
            call.a.say(1_000, first=first)
            call.pass_time(1.0)
    assert call.b.user.heard[-1][1] == 69_999
    assert len(call.b.user.heard) == len(Spy.seen) == 70_000


@in_loop
async def test_two_nodes_talk_over_real_sockets() -> None:
    muxes = [UdpMux.open("127.0.0.1", 0) for _ in range(2)]
    users = [User(time.monotonic) for _ in muxes]
    trunks = [
        Trunk(mux, user, key=bytes((number,)) * 44, ssrc_prefix=7)
        for number, (mux, user) in enumerate(zip(muxes, users, strict=True))
    ]
    signals = [
        trunk.signal([("127.0.0.1", mux.port)]) for trunk, mux in zip(trunks, muxes, strict=True)
    ]
    trunks[1].set_peer(signals[0])
    trunks[0].set_peer(signals[1])
    for number in range(100):
        trunks[0].send(1, number * 960, FRAME, False)
    await users[1].heard_hundred.wait()
    assert [index for _, index, _, _ in users[1].heard] == list(range(100))
    assert trunks[1].statistics().address == ("127.0.0.1", muxes[0].port)
    for trunk, mux in zip(trunks, muxes, strict=True):
        trunk.close()
        mux.close()

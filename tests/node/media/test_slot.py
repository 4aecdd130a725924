"""Slots: one unbroken stream to the listener, whatever is put into it, and no number twice."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fakes.red import read_red
from node.media.rig import Clock
from telcon.node.media.rtcp import ReportBlock
from telcon.node.media.rtp import (
    RtpPacket,
    format_rtp,
    parse_rtp_untrusted,
    sequence_delta,
    timestamp_delta,
)
from telcon.node.media.sdp import RedFormat
from telcon.node.media.slot import MISORDER_LIMIT, Slot
from telcon.node.media.source import Source
from telcon.node.media.srtp import AEAD_AES_256_GCM, Protector, Unprotector

SSRC = 0x0102_0304


class Rig:
    """A slot, what it sent, and sources under one clock."""

    def __init__(self, *, first_sequence: int | None = None, red: RedFormat | None = None) -> None:
        self.clock = Clock()
        self.sent: list[RtpPacket] = []
        self.slot = Slot(SSRC, 96, self._keep, first_sequence=first_sequence, red=red)
        self.slot.open()

    def _keep(self, data: bytes) -> None:
        self.sent.append(parse_rtp_untrusted(data))

    def source(self) -> Source:
        return Source(clock=self.clock)

    def sequences(self) -> list[int]:
        """Return what was sent, counted from the first one."""
        return [sequence_delta(p.sequence, self.sent[0].sequence) for p in self.sent]


def packet(sequence: int, *, payload: bytes = b"opus", base: int = 0) -> RtpPacket:
    ticks = (base + sequence * 960) & 0xFFFF_FFFF
    return RtpPacket(111, False, sequence & 0xFFFF, ticks, 7, payload)


def test_passes_payloads_on_under_its_own_stream_and_type() -> None:
    rig, source = Rig(), Source()
    rig.slot.map(source)
    source.feed(packet(40_000, payload=b"one"))
    source.feed(packet(40_001, payload=b"two"))
    assert [(p.payload, p.ssrc, p.payload_type) for p in rig.sent] == [
        (b"one", SSRC, 96),
        (b"two", SSRC, 96),
    ]
    assert [p.marker for p in rig.sent] == [True, False]


def test_begins_in_the_lower_half() -> None:
    for _ in range(200):
        rig, source = Rig(), Source()
        rig.slot.map(source)
        source.feed(packet(65_535))
        assert rig.sent[0].sequence < 0x8000


def test_keeps_loss_reordering_and_pauses_visible() -> None:
    rig, source = Rig(), Source()
    rig.slot.map(source)
    for sequence in (10, 13, 12, 20):
        source.feed(packet(sequence))
    assert rig.sequences() == [0, 3, 2, 10]
    ticks = [timestamp_delta(p.timestamp, rig.sent[0].timestamp) for p in rig.sent]
    assert ticks == [0, 3 * 960, 2 * 960, 10 * 960]


def test_goes_on_by_one_and_by_the_time_passed_at_a_switch() -> None:
    rig = Rig()
    first, second = rig.source(), rig.source()
    rig.slot.map(first)
    first.feed(packet(100))
    rig.clock.now += 0.5
    rig.slot.map(second)
    second.feed(packet(60_000, base=12_345))
    assert rig.sequences() == [0, 1]
    assert timestamp_delta(rig.sent[1].timestamp, rig.sent[0].timestamp) == 24_000
    assert rig.sent[1].marker


def test_time_moves_on_even_if_a_switch_takes_none() -> None:
    rig = Rig()
    first, second = rig.source(), rig.source()
    rig.slot.map(first)
    first.feed(packet(100))
    rig.slot.map(second)
    second.feed(packet(100))
    assert timestamp_delta(rig.sent[1].timestamp, rig.sent[0].timestamp) == 960


def test_hears_the_old_source_no_more_after_a_switch() -> None:
    rig = Rig()
    first, second = rig.source(), rig.source()
    rig.slot.map(first)
    rig.slot.map(second)
    first.feed(packet(1))
    assert rig.sent == []
    assert first.statistics().subscribers == 0


def test_drops_what_is_late_from_before_a_switch() -> None:
    rig = Rig()
    first, second = rig.source(), rig.source()
    rig.slot.map(first)
    first.feed(packet(100))
    rig.slot.map(second)
    second.feed(packet(501))
    second.feed(packet(500))  # would take the number that `first` has used
    assert rig.sequences() == [0, 1]
    assert rig.slot.statistics().dropped == 1


def test_drops_what_comes_twice_or_too_late() -> None:
    rig, source = Rig(), Source()
    rig.slot.map(source)
    for sequence in (1_000, 1_001 + MISORDER_LIMIT, 1_002, 1_002, 1_001, 1_003, 1_003):
        source.feed(packet(sequence))
    assert rig.sequences() == [0, 1 + MISORDER_LIMIT, 2, 3]
    assert rig.slot.statistics().dropped == 3


def test_carries_over_when_a_source_starts_again() -> None:
    rig, source = Rig(), Source()
    rig.slot.map(source)
    for sequence in (100, 101, 40_000, 40_001):
        source.feed(packet(sequence))
    assert rig.sequences() == [0, 1, 2, 3]
    assert rig.slot.statistics().switches == 1


def test_sends_nothing_while_closed_and_goes_on_without_a_gap() -> None:
    rig = Rig()
    source = rig.source()
    rig.slot.map(source)
    source.feed(packet(1))
    rig.slot.close()
    source.feed(packet(2))
    rig.clock.now += 1.0
    rig.slot.open()
    source.feed(packet(3))
    assert rig.sequences() == [0, 1]
    assert timestamp_delta(rig.sent[1].timestamp, rig.sent[0].timestamp) == 48_000


def test_goes_over_the_wrap_of_sequence_and_time() -> None:
    rig, source = Rig(first_sequence=32_767), Source()
    rig.slot.map(source)
    for sequence in range(65_000, 65_000 + 40_000):
        source.feed(packet(sequence, base=2**32 - 70_000_000))
    assert [p.sequence for p in rig.sent] == [(32_767 + n) & 0xFFFF for n in range(40_000)]


def test_reports_what_it_sent_as_of_now() -> None:
    rig = Rig()
    source = rig.source()
    assert rig.slot.sender_report(rig.clock(), ntp=5) is None
    rig.slot.map(source)
    source.feed(packet(1))
    rig.clock.now += 0.25
    report = rig.slot.sender_report(rig.clock(), ntp=5)
    assert report is not None
    assert (report.ssrc, report.packets, report.octets, report.ntp) == (SSRC, 1, 4, 5)
    assert timestamp_delta(report.timestamp, rig.sent[0].timestamp) == 12_000


def hearing_red(depth: int, *numbers: int) -> tuple[Rig, Source]:
    """Return a slot of a listener who speaks RED, and a source that has said these numbers."""
    rig = Rig(red=RedFormat(63, depth))
    source = rig.source()
    rig.slot.map(source)
    for number in numbers:
        source.feed(packet(number, payload=b"%d" % number))
    return rig, source


def carried(packets: list[RtpPacket]) -> list[list[bytes]]:
    """Return the payloads in each packet, its own last."""
    return [
        [data for _, _, data in read_red(p.payload)] if p.payload_type == 63 else [p.payload]
        for p in packets
    ]


def test_carries_what_this_listener_was_sent_before() -> None:
    rig, _ = hearing_red(2, 1, 2, 3, 4)
    assert carried(rig.sent) == [[b"1"], [b"1", b"2"], [b"1", b"2", b"3"], [b"2", b"3", b"4"]]
    assert {kind for kind, _, _ in read_red(rig.sent[-1].payload)} == {96}
    assert [offset for _, offset, _ in read_red(rig.sent[-1].payload)] == [1_920, 960, 0]


def test_carries_no_more_than_the_listener_takes() -> None:
    rig, _ = hearing_red(1, 1, 2, 3)
    assert carried(rig.sent) == [[b"1"], [b"1", b"2"], [b"2", b"3"]]


def test_a_packet_that_comes_late_carries_nothing_and_rides_in_its_place() -> None:
    rig, _ = hearing_red(2, 1, 3, 2, 4)
    assert carried(rig.sent) == [[b"1"], [b"3"], [b"2"], [b"2", b"3", b"4"]]


def test_nothing_from_before_a_switch_rides_along() -> None:
    rig, source = hearing_red(2, 1, 2)
    other = rig.source()
    for number in (51, 52):
        other.feed(packet(number, payload=b"unheard"))
    rig.slot.map(other)
    other.feed(packet(53, payload=b"53"))
    other.feed(packet(54, payload=b"54"))
    rig.slot.map(source)
    source.feed(packet(3, payload=b"3"))
    assert carried(rig.sent[2:]) == [[b"53"], [b"53", b"54"], [b"3"]]


def test_nothing_that_was_said_while_it_was_closed_rides_along() -> None:
    rig, source = hearing_red(2, 1, 2)
    rig.slot.close()
    source.feed(packet(3, payload=b"unheard"))
    rig.slot.open()
    source.feed(packet(4, payload=b"4"))
    assert carried(rig.sent[2:]) == [[b"4"]]


def test_tells_the_source_what_the_listener_misses() -> None:
    rig, source = Rig(), Source()
    rig.slot.map(source)
    rig.slot.receive_report(ReportBlock(SSRC, 25, 3, 1, 4, 0, 0))
    statistics = rig.slot.statistics()
    assert source.statistics().listener_loss == 25
    assert (statistics.fraction_lost, statistics.cumulative_lost, statistics.jitter) == (25, 3, 4)


class AnyUse(RuleBasedStateMachine):
    """Whatever happens to a slot: no index is sent twice, and a receiver can decrypt it all.

    What rides along in a packet is what this listener was sent just before it.
    """

    @initialize(first=st.integers(0, 0x7FFF), depth=st.integers(0, 2))
    def begin(self, first: int, depth: int) -> None:
        self.clock = Clock()
        self.sources = [Source(clock=self.clock) for _ in range(3)]
        self.at = [65_000, 10, 32_700]
        self.protector = Protector(AEAD_AES_256_GCM, bytes(44))
        self.unprotector = Unprotector(AEAD_AES_256_GCM, bytes(44))
        red = RedFormat(63, depth) if depth else None
        self.slot = Slot(SSRC, 111, self.transmit, first_sequence=first, red=red)
        self.newest: int | None = None
        self.used: dict[int, RtpPacket] = {}
        self.count = 0

    def transmit(self, data: bytes) -> None:
        sent = parse_rtp_untrusted(data)
        sequence = sent.sequence
        if self.newest is None:
            self.newest = sequence
        index = self.newest + sequence_delta(sequence, self.newest & 0xFFFF)
        assert index not in self.used, "one index was to be protected twice"
        *older, own = read_red(sent.payload) if sent.payload_type == 63 else [(0, 0, sent.payload)]
        for back, (_, offset, payload) in enumerate(reversed(older), 1):
            before = self.used[index - back]
            assert payload == before.payload
            assert offset == timestamp_delta(sent.timestamp, before.timestamp)
        self.used[index] = sent._replace(payload=own[2])
        self.newest = max(self.newest, index)
        assert self.unprotector.unprotect(self.protector.protect(data)) == data

    @rule(which=st.none() | st.integers(0, 2))
    def switch(self, which: int | None) -> None:
        self.slot.map(None if which is None else self.sources[which])

    @rule(which=st.integers(0, 2), count=st.integers(1, 60))
    def speak(self, which: int, count: int) -> None:
        for _ in range(count):
            self.at[which] += 1
            self.feed(which, self.at[which])

    @rule(which=st.integers(0, 2), back=st.integers(0, 200))
    def repeat_or_come_late(self, which: int, back: int) -> None:
        self.feed(which, self.at[which] - back)

    @rule(which=st.integers(0, 2), step=st.integers(-40_000, 40_000))
    def jump(self, which: int, step: int) -> None:
        self.at[which] += step
        self.feed(which, self.at[which])

    @rule(opened=st.booleans(), seconds=st.floats(0, 100))
    def gate(self, opened: bool, seconds: float) -> None:
        self.clock.now += seconds
        if opened:
            self.slot.open()
        else:
            self.slot.close()

    @invariant()
    def counts_what_it_sent(self) -> None:
        assert self.slot.statistics().packets == len(self.used)

    def feed(self, which: int, sequence: int) -> None:
        self.count += 1
        payload = self.count.to_bytes(4, "big")  # never the same twice
        self.sources[which].feed(packet(sequence, payload=payload))


TestAnyUse = AnyUse.TestCase
TestAnyUse.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60))
def test_writes_headers_that_its_own_parser_reads(order: list[int]) -> None:
    rig, source = Rig(), Source()
    rig.slot.map(source)
    for sequence in order:
        source.feed(packet(sequence))
    assert all(parse_rtp_untrusted(format_rtp(p)) == p for p in rig.sent)
    assert len(rig.sent) + rig.slot.statistics().dropped == len(order)

"""Sources: everything fed reaches everyone, and the counts are those of RFC 3550."""

from hypothesis import given
from hypothesis import strategies as st

from node.media.rig import Clock
from telcon.node.media.rtp import RtpPacket
from telcon.node.media.source import Source


class Listener:
    """A subscriber that keeps what it gets."""

    def __init__(self) -> None:
        self.heard: list[RtpPacket] = []

    def forward(self, packet: RtpPacket, now: float) -> None:
        self.heard.append(packet)


def packet(sequence: int, *, ssrc: int = 7, timestamp: int | None = None) -> RtpPacket:
    ticks = sequence * 960 if timestamp is None else timestamp
    return RtpPacket(111, False, sequence & 0xFFFF, ticks & 0xFFFF_FFFF, ssrc, b"opus")


def fed(*sequences: int) -> Source:
    source = Source(clock=Clock())
    for sequence in sequences:
        source.feed(packet(sequence))
    return source


def test_hands_each_packet_to_every_subscriber_and_tap() -> None:
    source, listeners, tapped = Source(), [Listener(), Listener()], list[RtpPacket]()
    for listener in listeners:
        source.subscribe(listener)
        source.subscribe(listener)
    source.add_tap(tapped.append)
    source.feed(packet(1))
    assert [listener.heard for listener in listeners] == [[packet(1)], [packet(1)]]
    assert tapped == [packet(1)]


def test_hands_nothing_to_those_who_have_left() -> None:
    source, listener = Source(), Listener()
    source.subscribe(listener)
    source.unsubscribe(listener)
    source.feed(packet(1))
    assert listener.heard == []


def test_a_listener_may_leave_while_it_is_handed_a_packet() -> None:
    source, other = Source(), Listener()

    class Leaving(Listener):
        def forward(self, packet: RtpPacket, now: float) -> None:
            source.unsubscribe(self)

    source.subscribe(Leaving())
    source.subscribe(other)
    source.feed(packet(1))
    assert other.heard == [packet(1)]
    assert source.statistics().subscribers == 1


def test_counts_what_is_missing() -> None:
    statistics = fed(10, 11, 14).statistics()
    assert (statistics.expected, statistics.lost) == (5, 2)


def test_counts_over_the_wrap() -> None:
    statistics = fed(65_534, 65_535, 65_537).statistics()
    assert (statistics.expected, statistics.lost, statistics.restarts) == (4, 1, 0)


def test_a_packet_that_comes_twice_makes_up_for_a_lost_one() -> None:
    assert fed(1, 2, 2).statistics().lost == -1


@given(st.permutations(range(65_500, 65_580)))
def test_order_within_the_limit_does_not_matter(order: list[int]) -> None:
    statistics = fed(65_499, *order).statistics()
    assert (statistics.expected, statistics.lost) == (81, 0)


def test_a_far_jump_begins_a_new_run() -> None:
    statistics = fed(1, 2, 5_000, 5_001).statistics()
    assert (statistics.restarts, statistics.expected, statistics.lost) == (1, 2, 0)
    assert statistics.packets == 4


def test_another_stream_begins_a_new_run() -> None:
    source = fed(1, 2)
    source.feed(packet(900, ssrc=8))
    report = source.report()
    assert report is not None
    assert (report.ssrc, report.highest_sequence) == (8, 900)


def test_reports_the_fraction_lost_since_the_last_report() -> None:
    source = fed(*range(100, 110), *range(120, 130))
    first = source.report()
    source.feed(packet(130))
    second = source.report()
    assert first is not None
    assert second is not None
    assert (first.fraction_lost, first.cumulative_lost) == (256 * 10 // 30, 10)
    assert (second.fraction_lost, second.cumulative_lost) == (0, 10)


def test_reports_the_wraps_above_the_highest_sequence() -> None:
    report = fed(65_535, 65_536, 65_537).report()
    assert report is not None
    assert report.highest_sequence == 0x1_0001


def test_reports_nothing_before_the_first_packet() -> None:
    assert fed().report() is None


def test_what_rode_along_was_lost_on_the_way_for_the_speaker() -> None:
    source = fed(100, 101)
    source.feed(packet(102), filled=True)
    source.feed(packet(103))
    report = source.report()
    assert report is not None
    assert (report.fraction_lost, report.cumulative_lost) == (256 // 4, 1)
    assert (source.statistics().filled, source.statistics().lost) == (1, 0)
    source.note_overtaken()
    source.feed(packet(104))
    after = source.report()
    assert after is not None
    assert (after.fraction_lost, after.cumulative_lost) == (0, 0)


def test_what_rode_along_is_not_asked_for_any_more() -> None:
    source = fed(1, 3)
    source.feed(packet(2), filled=True)
    assert source.wanted() == []
    assert source.statistics().repaired == 0


def test_on_a_way_where_packets_overtake_each_other_it_waits_before_it_asks() -> None:
    source = fed(1, 2)
    source.note_overtaken()
    source.feed(packet(6))
    assert source.wanted() == [3]  # three are behind it
    for sequence in (7, 8):
        source.feed(packet(sequence))
    assert source.wanted() == [4, 5]


def test_tells_the_speaker_of_the_listener_who_misses_most() -> None:
    source = fed(1, 2)
    source.note_listener_loss("near", 3)
    source.note_listener_loss("far", 51)
    report = source.report()
    assert report is not None
    assert report.fraction_lost == 51


def test_forgets_what_a_listener_said_after_five_seconds() -> None:
    clock = Clock()
    source = Source(clock=clock)
    source.note_listener_loss("far", 51)
    clock.now += 5.0
    assert source.statistics().listener_loss == 51
    clock.now += 0.1
    assert source.statistics().listener_loss == 0


def test_forgets_what_a_listener_said_who_has_left() -> None:
    source, listener = Source(), Listener()
    source.subscribe(listener)
    source.note_listener_loss(listener, 51)
    source.unsubscribe(listener)
    assert source.statistics().listener_loss == 0


def test_measures_jitter_by_the_standard() -> None:
    clock = Clock()
    source = Source(clock=clock)
    source.feed(packet(0))
    clock.now += 0.030  # 10 ms, 480 ticks, later than its timestamp says
    source.feed(packet(1))
    assert source.statistics().jitter == 480 // 16


def test_a_wrap_of_the_timestamp_is_no_jitter() -> None:
    clock = Clock()
    source = Source(clock=clock)
    for sequence in range(4):
        source.feed(packet(sequence, timestamp=2**32 - 1_920 + sequence * 960))
        clock.now += 0.020
    assert source.statistics().jitter <= 1


def test_refers_to_the_last_sender_report() -> None:
    clock = Clock()
    source = Source(clock=clock)
    source.feed(packet(1))
    source.note_sender_report(0x0123_4567_89AB_CDEF)
    clock.now += 0.5
    report = source.report()
    assert report is not None
    assert (report.last_report, report.delay) == (0x4567_89AB, 32_768)

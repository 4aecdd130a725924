"""The order and the gaps of one track."""

import random

from hypothesis import given
from hypothesis import strategies as st

from telcon.node.media.timeline import Arrival, Placed, Timeline

FRAME = 960
FRAME_S = 0.02


def arrival(index: int, *, timestamp: int | None = None, now: float | None = None) -> Arrival:
    stamp = index * FRAME if timestamp is None else timestamp
    return Arrival(index, stamp, b"", FRAME, index * FRAME_S if now is None else now)


def feed(timeline: Timeline, *arrivals: Arrival) -> list[Placed]:
    return [placed for a in arrivals for placed in timeline.receive(a)]


def order(placed: list[Placed]) -> list[tuple[int, int]]:
    """Return (lost, index) of each."""
    return [(p.lost, p.arrival.index) for p in placed]


def test_packets_in_order_pass_at_once() -> None:
    timeline = Timeline()
    assert order(timeline.receive(arrival(0))) == [(0, 0)]
    assert order(timeline.receive(arrival(1))) == [(0, 1)]


def test_an_overtaken_packet_takes_its_place() -> None:
    timeline = Timeline()
    placed = feed(timeline, arrival(0), arrival(2), arrival(1, now=0.05), arrival(3))
    assert order(placed) == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_the_first_packets_may_be_overtaken_too() -> None:
    placed = feed(Timeline(), arrival(1, now=0.0), arrival(0, now=0.01))
    assert order(placed) == [(0, 0), (0, 1)]


def test_a_hole_is_given_up_after_a_quarter_of_a_second() -> None:
    timeline = Timeline()
    feed(timeline, arrival(0), arrival(2, now=0.04), arrival(3, now=0.06))
    assert timeline.release(0.2899) == []
    assert order(timeline.release(0.2901)) == [(FRAME, 2), (0, 3)]


def test_what_comes_first_after_a_long_cut_may_have_waited() -> None:
    timeline = Timeline()
    feed(timeline, arrival(0), arrival(1_500, now=32.0), arrival(1_501, now=32.1))
    assert order(timeline.drain()) == [(1_499 * FRAME, 1_500), (0, 1_501)]
    assert timeline.segments == 1


def test_the_pause_of_a_device_that_slept_stands_in_the_file() -> None:
    timeline = Timeline()
    feed(timeline, arrival(0), arrival(1), arrival(2, now=10.0))
    assert order(timeline.drain()) == [(10 * 48_000 - 2 * FRAME, 2)]
    assert order(feed(timeline, arrival(3, now=10.02))) == [(0, 3)]
    assert timeline.segments == 2


def test_what_comes_after_its_place_was_given_up_is_dropped() -> None:
    timeline = Timeline()
    feed(timeline, arrival(0), arrival(2), arrival(3), arrival(4), arrival(5))
    assert len(timeline.release(0.31)) == 4
    assert feed(timeline, arrival(1, now=0.33)) == []
    assert timeline.dropped == 1


def test_a_packet_counts_once() -> None:
    timeline = Timeline()
    assert order(feed(timeline, arrival(0), arrival(0), arrival(1), arrival(0))) == [(0, 0), (0, 1)]
    assert timeline.dropped == 2


def test_a_flood_behind_a_hole_does_not_pile_up() -> None:
    timeline = Timeline()
    placed = feed(timeline, arrival(0), *(arrival(index, now=0.02) for index in range(2, 80)))
    assert len(placed) >= 70


def test_a_pause_stands_where_it_was() -> None:
    paused = arrival(1, timestamp=FRAME + 3 * 48_000, now=3.02 + 0.03)
    timeline = Timeline()
    feed(timeline, arrival(0), paused)
    assert order(timeline.drain()) == [(3 * 48_000, 1)]
    assert timeline.segments == 1


def test_a_pause_of_minutes_is_taken_from_the_timestamps() -> None:
    paused = arrival(1, timestamp=FRAME + 300 * 48_000, now=300.02 + 0.2)
    timeline = Timeline()
    feed(timeline, arrival(0), paused)
    assert order(timeline.drain()) == [(300 * 48_000, 1)]
    assert timeline.segments == 1


def test_a_new_clock_is_placed_by_arrival() -> None:
    for timestamp in (10**9, 5):
        timeline = Timeline()
        first = arrival(0, timestamp=10**8)
        other = arrival(1, timestamp=timestamp, now=2.0)
        feed(timeline, first, other)
        assert order(timeline.drain()) == [(2 * 48_000 - FRAME, 1)]
        assert timeline.segments == 2


def test_what_the_old_clock_still_sends_is_dropped() -> None:
    timeline = Timeline()
    feed(timeline, arrival(0), arrival(2, timestamp=10**9, now=0.1), arrival(1, now=0.1))
    assert order(timeline.drain()) == [(4_800 - FRAME, 2)]
    assert timeline.dropped == 1


def test_timestamps_that_run_ahead_of_time_cannot_stretch_the_file() -> None:
    timeline = Timeline()
    lost = 0
    for index in range(500):  # ten seconds, each packet claims to be nine seconds on
        placed = timeline.receive(arrival(index, timestamp=index * 9 * 48_000, now=index * FRAME_S))
        lost += sum(p.lost for p in placed)
    assert lost < 13 * 48_000


def test_a_flood_of_packets_cannot_fill_the_file() -> None:
    timeline = Timeline()
    placed = feed(timeline, *(arrival(index, now=1.0) for index in range(10_000)))
    assert len(placed) * FRAME_S < 2.1
    assert timeline.dropped == 10_000 - len(placed)


def test_a_clock_a_little_fast_is_no_flood() -> None:
    timeline = Timeline()
    placed = feed(timeline, *(arrival(i, now=i * FRAME_S * 0.9992) for i in range(300_000)))
    assert len(placed) == 300_000


def test_a_new_clock_after_a_burst_loses_nothing() -> None:
    timeline = Timeline()
    feed(timeline, *(arrival(index, now=0.0) for index in range(10)))
    assert order(timeline.receive(arrival(10, timestamp=10**9, now=0.01))) == [(0, 10)]


def test_timestamps_that_run_backwards_become_a_new_clock() -> None:
    timeline = Timeline()
    placed = feed(
        timeline, *(arrival(i, timestamp=10**8 - i * 20_000, now=i * FRAME_S) for i in range(50))
    )
    assert timeline.segments > 10
    assert len(placed) > 10


def test_odd_timestamps_do_not_add_up() -> None:
    timeline = Timeline()
    written = 0
    for index in range(1_000):  # each 5 ms later than the frames last
        placed = timeline.receive(arrival(index, timestamp=index * 1_200, now=index * 0.025))
        written += sum(p.lost + FRAME for p in placed)
    written += sum(p.lost + FRAME for p in timeline.drain())
    assert abs(written - 1_000 * 1_200) <= 1_200


@given(st.integers(0, 2**32), st.sets(st.integers(1, 198), max_size=60), st.integers(0, 2**32))
def test_places_follow_from_timestamps_whatever_is_lost_or_reordered(
    base: int, lost: set[int], seed: int
) -> None:
    shuffle = random.Random(seed)
    sent = [arrival(i, timestamp=base + i * FRAME) for i in range(200) if i not in lost]
    jittered = sorted(sent, key=lambda a: a.now + shuffle.uniform(0, 0.055))
    timeline = Timeline()
    clock = 0.0
    placed = []
    for a in jittered:
        clock = max(clock, a.now + 0.055)
        placed += timeline.receive(Arrival(a.index, a.timestamp, b"", FRAME, clock))
    placed += timeline.drain()
    position = 0
    for p in placed:
        position += p.lost
        assert position == p.arrival.index * FRAME
        position += FRAME
    assert len(placed) + timeline.dropped == len(sent)

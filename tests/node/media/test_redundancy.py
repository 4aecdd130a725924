"""What rides along fills what is lost: once, in order, and never in place of what has come."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.red import Block, read_red, write_red
from telcon.errors import MalformedError
from telcon.node.media.redundancy import DEPTH, WINDOW, RedReceiver, Seen, Wrapper
from telcon.node.media.rtp import MAX_PACKET_BYTES, RtpPacket

OPUS, RED, SSRC = 111, 63, 7
FRAME = 960
TOC = b"\xf8"  # CELT, 20 ms, one frame


def payload(number: int) -> bytes:
    return TOC + number.to_bytes(8, "big")


def opus(number: int, *, base: int = 0, data: bytes | None = None) -> RtpPacket:
    ticks = (base + number * FRAME) & 0xFFFF_FFFF
    data = payload(number) if data is None else data
    return RtpPacket(OPUS, False, number & 0xFFFF, ticks, SSRC, data)


def red(number: int, *older: Block, data: bytes | None = None) -> RtpPacket:
    whole = write_red(*older, (OPUS, 0, payload(number) if data is None else data))
    return opus(number)._replace(payload_type=RED, payload=whole)


def carrying(number: int, count: int) -> RtpPacket:
    """Return a packet that carries as many before it."""
    return red(number, *((OPUS, k * FRAME, payload(number - k)) for k in range(count, 0, -1)))


class Listener:
    """Keeps what it is fed."""

    def __init__(self) -> None:
        self.fed: list[RtpPacket] = []
        self.filled: list[int] = []
        self.overtaken = 0

    def feed(self, packet: RtpPacket, *, filled: bool = False) -> None:
        self.fed.append(packet)
        if filled:
            self.filled.append(packet.sequence)

    def note_overtaken(self) -> None:
        self.overtaken += 1

    @property
    def sequences(self) -> list[int]:
        return [packet.sequence for packet in self.fed]


def listening() -> tuple[RedReceiver, Listener]:
    listener = Listener()
    return RedReceiver(listener, red_type=RED, opus_type=OPUS), listener


def received(*packets: RtpPacket) -> Listener:
    receiver, listener = listening()
    for packet in packets:
        receiver.receive(packet)
    return listener


# -- which have come


@given(st.lists(st.integers(-20, 3_000), max_size=80))
def test_each_number_is_taken_once_within_the_window(numbers: list[int]) -> None:
    seen, taken, newest = Seen(-1), set[int](), -1
    for number in numbers:
        is_new = number >= 0 and number not in taken and number > newest - WINDOW
        assert seen.take(number) is is_new
        taken |= {number} if is_new else set()
        newest = max(newest, number)
    assert seen.newest == newest


def test_what_was_filled_is_said_to_be_overtaken_once() -> None:
    seen = Seen(-1)
    assert seen.take(5)
    assert seen.fill(3)
    assert not seen.fill(5)
    assert [seen.overtaken(3), seen.overtaken(3), seen.overtaken(5)] == [True, False, False]


def test_what_is_remembered_as_filled_has_an_end() -> None:
    seen = Seen(-1)
    for number in range(10 * WINDOW):
        assert seen.fill(number)
    assert len(seen._filled) <= 2 * WINDOW


# -- receiving


def test_the_listener_gets_plain_opus() -> None:
    first = red(1)
    fed = received(first._replace(marker=True), carrying(2, 1), opus(3)).fed
    assert fed == [opus(1)._replace(marker=True), opus(2), opus(3)]


@pytest.mark.parametrize("lost", [1, 2, 3])
@pytest.mark.parametrize("carried", [DEPTH, DEPTH + 1])
def test_so_many_lost_in_a_row_are_filled_before_the_packet_that_carries_them(
    lost: int, carried: int
) -> None:
    listener = received(opus(10), carrying(11 + lost, carried))
    filled = [11 + lost - k for k in range(min(lost, DEPTH), 0, -1)]
    assert listener.fed == [opus(number) for number in [10, *filled, 11 + lost]]
    assert listener.filled == filled


def test_what_was_said_before_the_first_packet_is_not_heard_by_way_of_it() -> None:
    assert received(carrying(5, 2)).sequences == [5]


def test_an_overtaken_packet_is_dropped_and_said_not_to_be_lost() -> None:
    listener = received(opus(1), carrying(3, 1), carrying(2, 1), carrying(4, 2))
    assert (listener.sequences, listener.overtaken) == ([1, 2, 3, 4], 1)


def test_nothing_replaces_a_packet_that_has_come() -> None:
    listener = received(opus(1), opus(2), red(3, (OPUS, FRAME, TOC + b"other")))
    assert listener.fed == [opus(1), opus(2), opus(3)]


def test_fills_over_the_wrap_of_sequence_and_time() -> None:
    receiver, listener = listening()
    base = 2**32 - 65_536 * FRAME
    for number in (65_534, 65_537):
        packet = carrying(number, 2)
        receiver.receive(packet._replace(timestamp=(base + number * FRAME) & 0xFFFF_FFFF))
    assert listener.sequences == [65_534, 65_535, 0, 1]
    assert [packet.timestamp for packet in listener.fed] == [2**32 - 2 * FRAME, 2**32 - FRAME, 0,
                                                             FRAME]  # fmt: skip


def test_goes_on_when_a_device_has_begun_anew() -> None:
    assert received(opus(40_000), carrying(20_000, 2), carrying(20_002, 1)).sequences == [
        40_000, 20_000, 20_001, 20_002,
    ]  # fmt: skip


NOT_FILLED = {
    "behind a pause": red(5, (OPUS, 3 * FRAME, payload(4))),
    "of the packet's own time": red(5, (OPUS, 0, payload(4))),
    "half a frame away": red(5, (OPUS, FRAME // 2, payload(4))),
    "in another codec": red(5, (0, FRAME, payload(4))),
    "that no decoder could frame": red(5, (OPUS, FRAME, b"\xfb\x00")),
    "of nothing": red(5, (OPUS, FRAME, b"")),
    "behind one left out": red(5, (OPUS, 2 * FRAME, payload(3))),
    "in the wrong order": red(5, (OPUS, FRAME, payload(4)), (OPUS, 2 * FRAME, payload(3))),
}


@pytest.mark.parametrize("case", NOT_FILLED)
def test_fills_nothing_from_a_block(case: str) -> None:
    assert received(opus(1), NOT_FILLED[case]).fed == [opus(1), opus(5)]


def test_a_block_that_lasts_longer_is_the_packet_before_all_the_same() -> None:
    longer = b"\xf9\x00\x00"  # two frames of 20 ms
    listener = received(opus(1), red(4, (OPUS, 2 * FRAME, longer)))
    assert listener.fed[1] == RtpPacket(OPUS, False, 3, 2 * FRAME, SSRC, longer)


@pytest.mark.parametrize("data", [b"", b"\xef\x0f\x00\x50", write_red((0, 0, b"pcm"))])
def test_refuses_what_is_no_red_around_opus(data: bytes) -> None:
    receiver, listener = listening()
    with pytest.raises(MalformedError):
        receiver.receive(opus(1)._replace(payload_type=RED, payload=data))
    assert listener.fed == []


@given(
    st.integers(0, 2**32),
    st.integers(0, 60),
    st.integers(0, 6),
    st.integers(0, 3),
    st.integers(0, 65_535),
)
def test_whatever_the_way_does_each_is_heard_once_and_as_it_was_said(
    seed: int, loss: int, jitter: int, depth: int, first: int
) -> None:
    chance = random.Random(seed)
    sent = [carrying(first + n, min(n, depth)) for n in range(120)]
    arriving = sorted(
        (n + chance.uniform(0, jitter), packet)
        for n, packet in enumerate(sent)
        if n == 0 or chance.randrange(100) >= loss
    )
    came = {packet.sequence for _, packet in arriving}
    start = arriving[0][1].sequence
    listener = received(*(packet for _, packet in arriving))
    said = {(first + n) & 0xFFFF: opus(first + n) for n in range(120)}
    assert len(set(listener.sequences)) == len(listener.fed)
    assert all(packet == said[packet.sequence] for packet in listener.fed)
    if not jitter:
        places = [(sequence - start) & 0xFFFF for sequence in listener.sequences]
        assert places == sorted(places)
        assert came <= set(listener.sequences)
        reach = min(depth, DEPTH)
        for n in range(1, 120 - reach):  # whatever has one of the next few behind it is there
            behind = {(first + n + k) & 0xFFFF for k in range(reach + 1)}
            assert ((first + n) & 0xFFFF in listener.sequences) is bool(behind & came)
    assert len(listener.filled) - listener.overtaken == len(set(listener.sequences) - came)


# -- sending


def wrap(*packets: RtpPacket, depth: int = DEPTH) -> list[Block] | None:
    wrapper = Wrapper()
    for packet in packets:
        wrapper.take(packet)
    wrapped = wrapper.wrapped(OPUS, depth)
    return None if wrapped is None else read_red(wrapped)


def test_the_packets_before_ride_along_the_oldest_first() -> None:
    assert wrap(opus(1), opus(2), opus(3)) == [
        (OPUS, 2 * FRAME, payload(1)), (OPUS, FRAME, payload(2)), (OPUS, 0, payload(3)),
    ]  # fmt: skip
    assert wrap(opus(1), opus(2), opus(3), depth=1) == [
        (OPUS, FRAME, payload(2)), (OPUS, 0, payload(3)),
    ]  # fmt: skip


def test_one_that_came_late_rides_in_its_place() -> None:
    assert wrap(opus(1), opus(3), opus(2), opus(4)) == [
        (OPUS, 2 * FRAME, payload(2)), (OPUS, FRAME, payload(3)), (OPUS, 0, payload(4)),
    ]  # fmt: skip


NOTHING_RIDES = {
    "the first": [opus(1)],
    "behind a lost one": [opus(1), opus(3)],
    "behind a pause": [opus(1), opus(2, base=16_384)],
    "of one time": [opus(1), opus(2, base=-FRAME)],
    "behind a large one": [opus(1, data=bytes(1_024)), opus(2)],
    "a large one": [opus(1), opus(2, data=bytes(MAX_PACKET_BYTES - 12 - 13))],
}


@pytest.mark.parametrize("case", NOTHING_RIDES)
def test_nothing_rides_with_a_packet_that_is(case: str) -> None:
    assert wrap(*NOTHING_RIDES[case]) is None


def test_a_wrapped_packet_fits_a_datagram() -> None:
    [older, _] = wrap(opus(1), opus(2, data=bytes(MAX_PACKET_BYTES - 12 - 14))) or []
    assert older == (OPUS, FRAME, payload(1))
    assert wrap(opus(1, data=bytes(600)), opus(2, data=bytes(600)), opus(3)) is not None


def test_it_is_made_once_for_all_who_ask() -> None:
    wrapper = Wrapper()
    for number in range(3):
        wrapper.take(opus(number))
    assert wrapper.wrapped(OPUS, 1) is wrapper.wrapped(OPUS, 1)
    assert wrapper.wrapped(OPUS, 2) != wrapper.wrapped(OPUS, 1)
    assert wrapper.wrapped(96, 1) != wrapper.wrapped(OPUS, 1)


def test_nothing_of_an_earlier_run_rides_along() -> None:
    wrapper = Wrapper()
    wrapper.take(opus(1))
    wrapper.clear()
    wrapper.take(opus(2))
    assert wrapper.wrapped(OPUS, DEPTH) is None


def test_packets_of_a_constant_rate_are_of_a_constant_size() -> None:
    wrapper, sizes = Wrapper(), set[int]()
    for number in range(50):
        wrapper.take(opus(number))
        wrapped = wrapper.wrapped(OPUS, DEPTH)
        if number >= DEPTH:
            sizes.add(len(wrapped or b""))
    assert len(sizes) == 1

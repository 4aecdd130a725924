"""Numbering of the trunk's tracks."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telcon.node.media.tracks import Forwarded, IncomingTrack, OutgoingTrack


def send(track: OutgoingTrack, at: int, first: int = 0) -> Forwarded:
    """Send a packet `at` samples after the first, by a device whose clock began at `first`."""
    return track.count((first + at) & 0xFFFF_FFFF, 80, 0.0, at / 48_000)


def take(track: IncomingTrack, sequence: int, timestamp: int) -> Forwarded:
    taken = track.take(track.index(sequence), timestamp)
    assert taken is not None
    return taken


def receive(track: IncomingTrack, sent: Forwarded) -> Forwarded:
    return take(track, sent.index & 0xFFFF, sent.timestamp & 0xFFFFFFFF)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32), st.integers(0, 30))
def test_both_sides_arrive_at_the_same_numbers(first: int, seed: int, loss: int) -> None:
    chance = random.Random(seed)
    ours, theirs = OutgoingTrack(1), IncomingTrack()
    at = 0
    for number in range(200):
        sent = send(ours, at, first)
        assert sent.timestamp == at
        at += chance.choice([480, 960, 960, 48_000, 480_000])
        if number == 0 or chance.randrange(100) >= loss:
            assert receive(theirs, sent) == sent


def test_the_index_goes_on_over_the_wrap_of_the_sequence() -> None:
    ours, theirs = OutgoingTrack(1), IncomingTrack()
    for number in range(140_000):
        sent = send(ours, number * 960)
        assert receive(theirs, sent) == sent
    assert theirs.highest == 139_999


def test_a_late_packet_has_its_old_numbers() -> None:
    ours, theirs = OutgoingTrack(1), IncomingTrack()
    sent = [send(ours, number * 960) for number in range(66_000)]
    for place in sent:
        if place.index not in (65_535, 65_536):
            receive(theirs, place)
    assert [receive(theirs, sent[65_536]), receive(theirs, sent[65_535])] == [
        Forwarded(65_536, 65_536 * 960),
        Forwarded(65_535, 65_535 * 960),
    ]


@pytest.mark.parametrize("first", [1, 5, 30_000, 65_535])
def test_the_first_packets_may_be_lost(first: int) -> None:
    theirs = IncomingTrack()
    assert take(theirs, first, 77).index == first
    assert theirs.lost == first


def test_a_jump_far_ahead_before_the_first_wrap_is_forward() -> None:
    theirs = IncomingTrack()
    take(theirs, 5, 0)
    assert take(theirs, 65_530, 960).index == 65_530


def test_what_rides_along_is_what_its_sender_counted_and_counts_once() -> None:
    ours, theirs = OutgoingTrack(1), IncomingTrack()
    first, second, third = (send(ours, 2**32 - 960 + n * 960) for n in range(3))
    assert theirs.take(0, first.timestamp & 0xFFFFFFFF, rides=True) == first  # itself it was lost
    assert receive(theirs, second) == second
    assert receive(theirs, third) == third
    assert theirs.take(1, second.timestamp & 0xFFFFFFFF, rides=True) is None
    assert theirs.take(0, first.timestamp) is None
    assert (theirs.received, theirs.filled, theirs.lost) == (3, 1, 0)
    assert third.timestamp == 2**32 + 960


def test_a_new_clock_never_leads_below_zero() -> None:
    ours = OutgoingTrack(1)
    send(ours, 5)
    assert send(ours, 2**32 - 5) == Forwarded(1, 2**32 - 5)


def test_a_report_is_for_the_time_it_is_made() -> None:
    ours = OutgoingTrack(0x01020301)
    ours.count(2**32 - 480, 80, 10.0, 10.0)
    report = ours.report(10.02, 99)
    assert (report.ssrc, report.ntp, report.timestamp) == (0x01020301, 99, 960)
    assert (report.packets, report.octets) == (1, 80)


def test_another_page_of_the_same_speaker_is_placed_by_when_it_speaks() -> None:
    ours = OutgoingTrack(1)
    assert ours.count(77_000, 80, 5.0, 5.5).timestamp == 24_000
    assert ours.count(77_960, 80, 5.0, 5.52).timestamp == 24_960
    assert ours.count(3_000_000_000, 80, 5.0, 9.0).timestamp == 4 * 48_000
    assert ours.count(3_000_000_960, 80, 5.0, 9.5).timestamp == 4 * 48_000 + 960, "a late packet"


def test_a_device_that_slept_and_counts_on_is_placed_by_when_it_speaks() -> None:
    ours = OutgoingTrack(1)
    ours.count(0, 80, 0.0, 0.0)
    assert ours.count(960, 80, 0.0, 100.0).timestamp == 100 * 48_000

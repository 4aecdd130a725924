"""RTP packets: what is written is read, what is added by others is stepped over."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telcon.errors import MalformedError
from telcon.node.media.rtp import (
    MAX_PACKET_BYTES,
    RtpPacket,
    format_rtp,
    parse_rtp_untrusted,
    sequence_delta,
    timestamp_delta,
)

PACKET = RtpPacket(111, True, 65_535, 0xFFFF_FFFF, 0xDEAD_BEEF, b"opus")
HEADER = format_rtp(PACKET)[:12]
PACKETS = st.builds(
    RtpPacket,
    st.integers(0, 127),
    st.booleans(),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF_FFFF),
    st.integers(0, 0xFFFF_FFFF),
    st.binary(max_size=200),
)


def flagged(bits: int, rest: bytes) -> bytes:
    return bytes((HEADER[0] | bits,)) + HEADER[1:] + rest


@given(PACKETS)
def test_reads_what_it_writes(packet: RtpPacket) -> None:
    assert parse_rtp_untrusted(format_rtp(packet)) == packet


def test_writes_the_bytes_of_the_standard() -> None:
    assert format_rtp(PACKET).hex() == "80efffffffffffffdeadbeef" + b"opus".hex()


def test_steps_over_contributing_sources() -> None:
    assert parse_rtp_untrusted(flagged(2, bytes(8) + b"opus")).payload == b"opus"


def test_steps_over_a_header_extension() -> None:
    extension = bytes.fromhex("bede0001") + b"\x10\x80\x00\x00"
    assert parse_rtp_untrusted(flagged(0x10, extension + b"opus")).payload == b"opus"


def test_strips_padding() -> None:
    assert parse_rtp_untrusted(flagged(0x20, b"opus" + b"\x00\x00\x03")).payload == b"opus"


def test_takes_all_three_at_once() -> None:
    rest = bytes(4) + bytes.fromhex("bede0000") + b"opus\x01"
    assert parse_rtp_untrusted(flagged(0x31, rest)).payload == b"opus"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEADER[:11],
        b"\x40" + HEADER[1:],
        flagged(1, b"abc"),
        flagged(0x10, b"abc"),
        flagged(0x10, bytes.fromhex("bede0002") + bytes(7)),
        flagged(0x20, b""),
        flagged(0x20, b"opus\x00"),
        flagged(0x20, b"opus\x06"),
    ],
)
def test_refuses_packets_that_end_too_early(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_rtp_untrusted(data)


@given(st.binary(max_size=64))
def test_any_bytes_are_a_packet_or_malformed(data: bytes) -> None:
    with contextlib.suppress(MalformedError):
        assert len(parse_rtp_untrusted(data).payload) <= len(data) - 12


def test_takes_the_longest_packet_that_can_be_passed_on_and_none_longer() -> None:
    longest = format_rtp(PACKET._replace(payload=bytes(MAX_PACKET_BYTES - 12)))
    assert len(parse_rtp_untrusted(longest).payload) == MAX_PACKET_BYTES - 12
    with pytest.raises(MalformedError):
        parse_rtp_untrusted(longest + b"\0")


def test_counts_over_the_wrap() -> None:
    assert sequence_delta(1, 65_535) == 2
    assert sequence_delta(65_535, 1) == -2
    assert timestamp_delta(100, 2**32 - 860) == 960

"""Framing of Opus packets (RFC 6716 §3)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telcon.errors import MalformedError, MisuseError
from telcon.node.media.opus import (
    MAX_PACKET_BYTES,
    OpusPacket,
    lost_frame,
    parse_opus_untrusted,
)

MILLISECONDS = [10, 20, 40, 60] * 3 + [10, 20] * 2 + [2.5, 5, 10, 20] * 4


def packet(config: int, code: int, *rest: int, body: int = 0) -> bytes:
    return bytes((config << 3 | code, *rest)) + bytes(body)


@pytest.mark.parametrize("config", range(32))
def test_every_config_lasts_what_table_2_says(config: int) -> None:
    assert parse_opus_untrusted(packet(config, 0, body=10)).samples == MILLISECONDS[config] * 48


def test_two_frames_last_twice_as_long() -> None:
    assert parse_opus_untrusted(packet(31, 1, body=20)) == OpusPacket(31, 2, 1_920)
    assert parse_opus_untrusted(packet(31, 2, 5, body=20)) == OpusPacket(31, 2, 1_920)


def test_a_frame_length_may_have_two_octets() -> None:
    assert parse_opus_untrusted(packet(31, 2, 253, 1, body=257)).frames == 2
    with pytest.raises(MalformedError, match="longer than the packet"):
        parse_opus_untrusted(packet(31, 2, 253, 1, body=256))


def test_many_frames_are_counted_with_padding_and_both_kinds_of_sizes() -> None:
    assert parse_opus_untrusted(packet(31, 3, 6, body=60)).samples == 5_760
    assert parse_opus_untrusted(packet(31, 3, 0x40 | 3, 2, body=8)).frames == 3
    assert parse_opus_untrusted(packet(31, 3, 0x40 | 1, 255, 1, body=255)).frames == 1
    assert parse_opus_untrusted(packet(31, 3, 0x80 | 3, 4, 0, body=9)).frames == 3


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (b"", "octets, not 0"),
        (packet(31, 0, body=MAX_PACKET_BYTES), "1 to 1500 octets"),
        (packet(31, 0, body=1_276), "at most 1275"),
        (packet(31, 1, body=3), "even number"),
        (packet(31, 2), "within a frame length"),
        (packet(31, 2, 252), "within a frame length"),
        (packet(31, 2, 255, 255, body=1_274), "at most 1275|longer than the packet"),
        (packet(31, 2, 9, body=8), "longer than the packet"),
        (packet(31, 3), "before their number"),
        (packet(31, 3, 0), "holds none"),
        (packet(31, 3, 7, body=70), "at most 120 ms"),
        (packet(3, 3, 3, body=30), "at most 120 ms"),
        (packet(31, 3, 3, body=31), "do not divide"),
        (packet(31, 3, 0x41), "within its padding"),
        (packet(31, 3, 0x41, 255), "within its padding"),
        (packet(31, 3, 0x41, 9, body=8), "longer than the packet"),
        (packet(31, 3, 0x82), "within a frame length"),
        (packet(31, 3, 0x82, 9, body=8), "longer than the packet"),
    ],
)
def test_refuses_what_breaks_a_rule(broken: bytes, rule: str) -> None:
    with pytest.raises(MalformedError, match=rule):
        parse_opus_untrusted(broken)


def test_accepts_the_longest_frame() -> None:
    assert parse_opus_untrusted(packet(31, 0, body=1_275)).frames == 1


@given(st.binary(max_size=40))
def test_any_bytes_are_framed_or_malformed(data: bytes) -> None:
    with contextlib.suppress(MalformedError):
        assert 120 <= parse_opus_untrusted(data).samples <= 5_760


@pytest.mark.parametrize("toc", range(0, 256, 4))
@pytest.mark.parametrize("samples", [480, 960])
def test_a_lost_frame_lasts_what_was_asked_in_the_same_mode(toc: int, samples: int) -> None:
    lost = lost_frame(toc, samples)
    assert parse_opus_untrusted(lost).samples == samples
    assert lost[0] & 4 == toc & 4
    assert (lost[0] >> 3 < 12, lost[0] >> 3 < 16) == (toc >> 3 < 12, toc >> 3 < 16)


def test_no_lost_frame_of_another_length() -> None:
    with pytest.raises(MisuseError, match="480 or 960"):
        lost_frame(0, 120)

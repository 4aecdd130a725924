"""Pages of an Ogg file."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telcon.errors import MalformedError
from telcon.node.media.ogg import (
    FIRST_PAGE,
    LAST_PAGE,
    format_page,
    holds_page,
    parse_page_untrusted,
    scan_pages_untrusted,
)

PAGES = [
    format_page(FIRST_PAGE, 0, 7, 0, b"\x03", b"abc"),
    format_page(0, 960, 7, 1, b"\xff\x01", bytes(256)),
    format_page(LAST_PAGE, 960, 7, 2, b"", b""),
]


def slow_checksum(data: bytes) -> int:
    """Compute RFC 3533's CRC bit by bit, sharing nothing with the code under test."""
    crc = 0
    for octet in data:
        crc ^= octet << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_checksum_is_that_of_the_specification(body: bytes, serial: int, sequence: int) -> None:
    lacing = b"\xff" * (len(body) // 255) + bytes((len(body) % 255,))
    page = format_page(0, 1, serial, sequence, lacing, body)
    blank = page[:22] + bytes(4) + page[26:]
    assert int.from_bytes(page[22:26], "little") == slow_checksum(blank)


def test_pages_come_back_as_they_were() -> None:
    pages = list(scan_pages_untrusted(b"".join(PAGES)))
    assert [(p.flags, p.granule, p.serial, p.sequence, len(p.body)) for p in pages] == [
        (2, 0, 7, 0, 3),
        (0, 960, 7, 1, 256),
        (4, 960, 7, 2, 0),
    ]
    assert pages[-1].end == sum(map(len, PAGES))


def test_every_flipped_bit_is_noticed() -> None:
    page = PAGES[0]
    for at in range(len(page) * 8):
        broken = bytearray(page)
        broken[at // 8] ^= 1 << at % 8
        with pytest.raises(MalformedError):
            parse_page_untrusted(bytes(broken), 0)


def test_every_cut_is_noticed() -> None:
    for size in range(len(PAGES[1])):
        with pytest.raises(MalformedError):
            parse_page_untrusted(PAGES[1][:size], 0)


def test_a_scan_ends_before_a_torn_page() -> None:
    pages = list(scan_pages_untrusted(PAGES[0] + PAGES[1][:-1]))
    assert [page.end for page in pages] == [len(PAGES[0])]


def test_a_scan_ends_before_a_foreign_or_missing_page() -> None:
    foreign = format_page(0, 0, 8, 1, b"\x01", b"x")
    skipped = format_page(0, 0, 7, 2, b"\x01", b"x")
    for follower in (foreign, skipped):
        assert len(list(scan_pages_untrusted(PAGES[0] + follower))) == 1


def test_a_scan_ends_with_the_last_page() -> None:
    assert len(list(scan_pages_untrusted(b"".join(PAGES) + PAGES[0]))) == 3


def test_finds_a_page_behind_damage() -> None:
    assert holds_page(b"OggS rubbish" + PAGES[1], 0)
    assert not holds_page(b"OggS rubbish" + PAGES[1][:-1], 0)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_page_or_malformed(data: bytes) -> None:
    with contextlib.suppress(MalformedError):
        parse_page_untrusted(b"OggS\x00" + data, 0)

"""RED payloads: RFC 2198's form to the bit, and nothing else."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.red import Block, read_red, write_red
from telcon.errors import MalformedError, MisuseError
from telcon.node.media.red import (
    MAX_BLOCK_BYTES,
    MAX_BLOCKS,
    MAX_OFFSET,
    RedBlock,
    format_red,
    parse_red_untrusted,
)

TYPES = st.integers(0, 127)
OLDER = st.tuples(TYPES, st.integers(0, MAX_OFFSET), st.binary(max_size=90))
LAST = st.tuples(TYPES, st.just(0), st.binary(max_size=90))

# RFC 2198 §4: a packet whose primary encoding is DVI4 (type 5) carries LPC (type 7), 14 octets of
# it, that is 160 ticks older: 1 0000111 | 00000010100000 | 0000001110, then 0 0000101.
LPC, DVI4 = bytes(range(14)), bytes(range(100, 180))
EXAMPLE = bytes.fromhex("8702800e05") + LPC + DVI4
# As Chromium 156 sends Opus: 1 1101111 | 00001111000000 | 0001010000, then 0 1101111.
CHROMIUM = bytes.fromhex("ef0f00506f") + bytes(80) + b"\xfc" + bytes(79)


@pytest.mark.parametrize(
    ("data", "blocks"),
    [
        (EXAMPLE, (RedBlock(7, 160, LPC), RedBlock(5, 0, DVI4))),
        (CHROMIUM, (RedBlock(111, 960, bytes(80)), RedBlock(111, 0, b"\xfc" + bytes(79)))),
        (b"\x6f\xf8", (RedBlock(111, 0, b"\xf8"),)),
        (bytes.fromhex("ffffffff00") + bytes(1023), (RedBlock(127, 16_383, bytes(1023)),
                                                     RedBlock(0, 0, b""))),
    ],
)  # fmt: skip
def test_vectors_computed_by_hand(data: bytes, blocks: tuple[RedBlock, ...]) -> None:
    assert parse_red_untrusted(data) == blocks
    assert format_red(blocks) == data


@given(st.lists(OLDER, max_size=5), LAST)
def test_reads_and_writes_what_another_hand_does(older: list[Block], last: Block) -> None:
    data = write_red(*older, last)
    blocks = parse_red_untrusted(data)
    assert [tuple(block) for block in blocks] == [*older, last] == read_red(data)
    assert format_red(blocks) == data


@given(st.binary(max_size=60))
def test_any_octets_are_read_in_one_way_or_refused(data: bytes) -> None:
    with contextlib.suppress(MalformedError):
        assert format_red(parse_red_untrusted(data)) == data


def test_refuses_every_piece_that_ends_before_the_primary() -> None:
    for size in range(5 + len(LPC)):
        with pytest.raises(MalformedError):
            parse_red_untrusted(EXAMPLE[:size])
    assert parse_red_untrusted(EXAMPLE[: 5 + len(LPC)])[-1].payload == b""


def test_takes_so_many_blocks_and_not_one_more() -> None:
    blocks = [(111, 960, b"\xf8")] * (MAX_BLOCKS - 1)
    assert len(parse_red_untrusted(write_red(*blocks, (111, 0, b"")))) == MAX_BLOCKS
    with pytest.raises(MalformedError):
        parse_red_untrusted(write_red(*blocks, (111, 960, b""), (111, 0, b"")))


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        [RedBlock(111, 960, b"")],
        [RedBlock(128, 0, b"")],
        [RedBlock(111, 960, b"")] * MAX_BLOCKS + [RedBlock(111, 0, b"")],
        [RedBlock(128, 960, b""), RedBlock(111, 0, b"")],
        [RedBlock(111, MAX_OFFSET + 1, b""), RedBlock(111, 0, b"")],
        [RedBlock(111, -1, b""), RedBlock(111, 0, b"")],
        [RedBlock(111, 960, bytes(MAX_BLOCK_BYTES + 1)), RedBlock(111, 0, b"")],
    ],
)
def test_refuses_to_write_what_has_no_form(blocks: list[RedBlock]) -> None:
    with pytest.raises(MisuseError):
        format_red(blocks)

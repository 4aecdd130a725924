"""RED (RFC 2198): several blocks of audio in one RTP payload, bytes in, blocks out, and back.

Only the format. Which packet of a stream a block is, and whether it is wanted, says `redundancy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from telcon.errors import MalformedError, MisuseError

__all__ = [
    "MAX_BLOCKS",
    "MAX_BLOCK_BYTES",
    "MAX_OFFSET",
    "RedBlock",
    "format_red",
    "parse_red_untrusted",
]

MAX_BLOCKS = 32
"""In one payload; the most that browsers take too."""

MAX_OFFSET = (1 << 14) - 1
"""Ticks; at 48 kHz 341 ms, seventeen packets of 20 ms."""

MAX_BLOCK_BYTES = (1 << 10) - 1
"""Of a block that is not the last: its length has ten bits."""

_HEADER_BYTES = 4


class RedBlock(NamedTuple):
    """One encoding of one piece of audio."""

    payload_type: int
    """0 to 127, of the block itself."""
    offset: int
    """By how much it is older than the packet's timestamp, in ticks; 0 of the last block."""
    payload: bytes


def parse_red_untrusted(payload: bytes) -> tuple[RedBlock, ...]:
    """Return the blocks of a RED payload in their order; the last one is the primary encoding.

    Raises:
        MalformedError: it ends too early, or holds more than MAX_BLOCKS blocks.
    """
    #  0                   1                   2                   3
    #  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    # |1|  block PT   |      timestamp offset     |   block length    |  × all but the last
    # |0|  block PT   |  the last block's header; then the blocks' data in the same order
    heads: list[tuple[int, int, int]] = []
    position = 0
    while True:
        if position >= len(payload):
            raise MalformedError("a RED payload ends within its headers")
        if payload[position] < 0x80:
            break
        if len(heads) == MAX_BLOCKS - 1:
            raise MalformedError(f"a RED payload of more than {MAX_BLOCKS} blocks")
        if position + _HEADER_BYTES > len(payload):
            raise MalformedError("a RED payload ends within a block's header")
        head = int.from_bytes(payload[position : position + _HEADER_BYTES], "big")
        heads.append((head >> 24 & 0x7F, head >> 10 & MAX_OFFSET, head & MAX_BLOCK_BYTES))
        position += _HEADER_BYTES
    primary_type, position = payload[position], position + 1
    blocks: list[RedBlock] = []
    for payload_type, offset, size in heads:
        if position + size > len(payload):
            raise MalformedError("a RED payload ends within a block")
        blocks.append(RedBlock(payload_type, offset, payload[position : position + size]))
        position += size
    return (*blocks, RedBlock(primary_type, 0, payload[position:]))


def format_red(blocks: Sequence[RedBlock]) -> bytes:
    """Write a RED payload; the last of `blocks` is the primary encoding.

    Raises:
        MisuseError: no block, too many, or one that does not fit its header.
    """
    if not 1 <= len(blocks) <= MAX_BLOCKS or blocks[-1].offset:
        raise MisuseError("a RED payload has 1 to 32 blocks, the last of them of the packet's time")
    heads, data = [], []
    for payload_type, offset, payload in blocks[:-1]:
        size = len(payload)
        if not (0 <= payload_type < 128 and 0 <= offset <= MAX_OFFSET and size <= MAX_BLOCK_BYTES):
            raise MisuseError(f"no RED block: type {payload_type}, {offset} ticks, {size} octets")
        head = (0x80 | payload_type) << 24 | offset << 10 | size
        heads.append(head.to_bytes(_HEADER_BYTES, "big"))
        data.append(payload)
    primary = blocks[-1]
    if not 0 <= primary.payload_type < 128:
        raise MisuseError(f"no RED block: type {primary.payload_type}")
    return b"".join((*heads, bytes((primary.payload_type,)), *data, primary.payload))

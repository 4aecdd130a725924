"""Ogg pages: bytes in, pages out, and back (RFC 3533 §6). No disk in here.

page     "OggS" 00 flags granule:8 serial:4 sequence:4 crc:4 segments:1 lacing[segments] body
flags    1 continued packet, 2 first page (BOS), 4 last page (EOS)
granule  48 kHz samples to the end of the last packet that ends in the page; little-endian all
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from telcon.errors import MalformedError

__all__ = [
    "CONTINUED",
    "FIRST_PAGE",
    "LAST_PAGE",
    "OggPage",
    "format_page",
    "holds_page",
    "parse_page_untrusted",
    "scan_pages_untrusted",
]

CONTINUED = 1
"""The page begins within a packet."""

FIRST_PAGE = 2
"""Called BOS in the specification."""

LAST_PAGE = 4
"""Called EOS in the specification."""

_HEADER = struct.Struct("<4sBBqIIIB")
_CHECKSUM_AT = 22
_REVERSED = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))


class OggPage(NamedTuple):
    """One page whose checksum is right."""

    flags: int
    granule: int
    serial: int
    sequence: int
    lacing: bytes
    body: bytes
    end: int
    """Offset in the file just behind this page."""


def format_page(
    flags: int, granule: int, serial: int, sequence: int, lacing: bytes, body: bytes
) -> bytes:
    """Return one page with its checksum."""
    head = _HEADER.pack(b"OggS", 0, flags, granule, serial, sequence, 0, len(lacing))
    page = bytearray(b"".join((head, lacing, body)))
    struct.pack_into("<I", page, _CHECKSUM_AT, _checksum(page))
    return bytes(page)


def parse_page_untrusted(data: bytes, at: int) -> OggPage:
    """Return the page that begins at offset `at`.

    Raises:
        MalformedError: no whole page with a right checksum stands there.
    """
    if len(data) - at < _HEADER.size:
        raise MalformedError(f"no whole Ogg page header at offset {at}")
    magic, version, flags, granule, serial, sequence, crc, segments = _HEADER.unpack_from(data, at)
    if magic != b"OggS" or version != 0:
        raise MalformedError(f"no Ogg page at offset {at}")
    body_at = at + _HEADER.size + segments
    lacing = data[at + _HEADER.size : body_at]
    end = body_at + sum(lacing)
    if len(lacing) != segments or end > len(data):
        raise MalformedError(f"the Ogg page at offset {at} is cut off")
    page = bytearray(data[at:end])
    page[_CHECKSUM_AT : _CHECKSUM_AT + 4] = bytes(4)
    if _checksum(page) != crc:
        raise MalformedError(f"the Ogg page at offset {at} has a wrong checksum")
    return OggPage(flags, granule, serial, sequence, lacing, data[body_at:end], end)


def scan_pages_untrusted(data: bytes) -> Iterator[OggPage]:
    """Yield the pages of one stream until the file ends or one does not follow.

    A torn, foreign or missing page ends the scan without an error: what came before it is good,
    and `OggPage.end` of the last one says how far that reaches.
    """
    at = 0
    first: OggPage | None = None
    expected = 0
    while at < len(data):
        try:
            page = parse_page_untrusted(data, at)
        except MalformedError:
            return
        first = first or page
        if page.serial != first.serial or page.sequence != expected:
            return
        yield page
        expected += 1
        at = page.end
        if page.flags & LAST_PAGE:
            return


def holds_page(data: bytes, at: int) -> bool:
    """Return whether a page with a right checksum stands anywhere behind offset `at`."""
    while (at := data.find(b"OggS", at)) >= 0:
        try:
            parse_page_untrusted(data, at)
        except MalformedError:
            at += 1
        else:
            return True
    return False


def _checksum(page: bytes | bytearray) -> int:
    """Return Ogg's CRC-32 of a page whose checksum field is zero.

    Ogg takes the polynomial of zlib's CRC, most significant bit first, from 0 and without a final
    complement; so zlib's fast loop over bit-reversed octets gives the bit-reversed sum.
    """
    mirrored: int = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_REVERSED), "big")

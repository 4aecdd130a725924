"""Ogg Opus files (RFC 7845): a writer that makes pages of packets, a reader that takes them out.

The writer returns finished pages for somebody else to write; a page holds about a second and never
a part of a packet, so a file cut at any page border is whole. The reader takes bytes that a crash
may have torn or a stranger made, and serves recovery, verification and the demo's voices.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from telcon.errors import MalformedError, MisuseError
from telcon.node.media.ogg import (
    CONTINUED,
    FIRST_PAGE,
    LAST_PAGE,
    OggPage,
    format_page,
    scan_pages_untrusted,
)
from telcon.node.media.opus import SAMPLE_RATE, parse_opus_untrusted

__all__ = ["OggOpusWriter", "OggPacket", "OpusFile", "parse_ogg_opus_untrusted"]

PAGE_SAMPLES = SAMPLE_RATE
"""A page is finished when it holds this much; so a kill loses a second at the most."""

VENDOR = "telcon"

_NO_PACKET_ENDS = -1  # granule of a page in which no packet ends, RFC 3533 §6
_MAX_SEGMENTS = 255
_MAX_COMMENTS = 64


class OggPacket(NamedTuple):
    """One Opus packet of a file."""

    start: int
    """Position of its first sample in 48 kHz samples from the beginning of the file."""
    samples: int
    payload: bytes

    @property
    def is_lost(self) -> bool:
        """Whether it only stands for lost time: a TOC octet and no frame."""
        return len(self.payload) == 1


@dataclass(frozen=True, slots=True)
class OpusFile:
    """A whole file, read."""

    channels: int
    pre_skip: int
    comments: Mapping[str, str]
    """Names in upper case, as RFC 7845 §5.2 compares them without case."""
    packets: tuple[OggPacket, ...]
    finished: bool
    """Whether the last page says that it is the last."""


class OggOpusWriter:
    """Turns Opus packets into pages, for one speaker.

    Take `header()` first, then what `write` and `fill` return, then `finish()`; write the bytes to
    the file in that order. Between them `flush()` ends a page early.
    """

    def __init__(self, serial: int, comments: Mapping[str, str]) -> None:
        """Name the stream by a random 32-bit `serial`; `comments` go into OpusTags."""
        self._serial = serial
        self._comments = dict(comments)
        self._sequence = 0
        self._position = 0
        self._page_start = 0
        self._lacing = bytearray()
        self._body: list[bytes] = []
        self._finished = False

    @property
    def position(self) -> int:
        """Samples written so far; the granule of a page that would end now."""
        return self._position

    @property
    def pending_samples(self) -> int:
        """How much of it is not in a finished page yet."""
        return self._position - self._page_start

    def header(self) -> bytes:
        """Return the two pages every file begins with: OpusHead and OpusTags (RFC 7845 §5)."""
        # Pre-skip is 0: we did not encode, and a record that drops its first sound is worse than
        # one that begins with the encoder's 6.5 ms of warming up.
        head = struct.pack("<8sBBHIhB", b"OpusHead", 1, 1, 0, SAMPLE_RATE, 0, 0)
        tags = [struct.pack("<8sI", b"OpusTags", len(VENDOR)), VENDOR.encode()]
        tags.append(struct.pack("<I", len(self._comments)))
        for name, value in self._comments.items():
            comment = f"{name}={value}".encode()
            tags += (struct.pack("<I", len(comment)), comment)
        packet = b"".join(tags)
        return self._page(FIRST_PAGE, 0, _lace(len(head)), head) + self._page(
            0, 0, _lace(len(packet)), packet
        )

    def write(self, packet: bytes, samples: int) -> bytes:
        """Append one packet of `samples`; return the pages this finished, mostly none.

        Raises:
            MisuseError: the file is finished.
        """
        if self._finished:
            raise MisuseError("a finished Ogg file takes no packet")
        lacing = _lace(len(packet))
        pages = b""
        if len(self._lacing) + len(lacing) > _MAX_SEGMENTS:
            pages = self.flush()
        self._lacing += lacing
        self._body.append(packet)
        self._position += samples
        if self.pending_samples >= PAGE_SAMPLES:
            pages += self.flush()
        return pages

    def fill(self, packet: bytes, samples: int, count: int) -> bytes:
        """Append the same packet `count` times, a page at a stroke; return the finished pages."""
        pages = []
        while count > 0:
            room = min(
                -(-(PAGE_SAMPLES - self.pending_samples) // samples),
                (_MAX_SEGMENTS - len(self._lacing)) // len(_lace(len(packet))),
                count,
            )
            if room <= 1:
                pages.append(self.write(packet, samples))
                count -= 1
                continue
            self._lacing += _lace(len(packet)) * (room - 1)
            self._body.append(packet * (room - 1))
            self._position += samples * (room - 1)
            count -= room - 1
        return b"".join(pages)

    def flush(self) -> bytes:
        """End the page now; return it, or nothing when no packet waits."""
        return self._end_page(0) if self._lacing else b""

    def finish(self) -> bytes:
        """Return the last page, marked as such; it may hold no packet."""
        self._finished = True
        return self._end_page(LAST_PAGE)

    def _end_page(self, flags: int) -> bytes:
        page = self._page(flags, self._position, bytes(self._lacing), b"".join(self._body))
        self._lacing.clear()
        self._body.clear()
        self._page_start = self._position
        return page

    def _page(self, flags: int, granule: int, lacing: bytes, body: bytes) -> bytes:
        page = format_page(flags, granule, self._serial, self._sequence, lacing, body)
        self._sequence += 1
        return page


def parse_ogg_opus_untrusted(data: bytes) -> OpusFile:
    """Read a whole Ogg Opus file of one stream.

    Raises:
        MalformedError: a page is torn or does not follow, a header or a packet is not Opus, a
            granule falls, or octets follow the last page.
    """
    assembly = _Assembly()
    end = 0
    for page in scan_pages_untrusted(data):
        assembly.receive_page(page)
        end = page.end
    if end != len(data):
        raise MalformedError(f"what stands at offset {end} is not the next page of this stream")
    return assembly.result()


def _lace(size: int) -> bytes:
    """Return the lacing values of a packet (RFC 3533 §5)."""
    return b"\xff" * (size // 255) + bytes((size % 255,))


@dataclass(slots=True)
class _Assembly:
    """Packets of a file as its pages come in."""

    head: tuple[int, int] | None = None
    comments: dict[str, str] | None = None
    packets: list[OggPacket] = field(default_factory=list)
    partial: bytearray = field(default_factory=bytearray)
    continued: bool = False
    position: int = 0
    finished: bool = False

    def receive_page(self, page: OggPage) -> None:
        """Take the packets out of one page."""
        if bool(page.flags & CONTINUED) != self.continued:
            raise MalformedError(f"Ogg page {page.sequence} does not continue the one before")
        at = 0
        ends = False
        for size in page.lacing:
            self.partial += page.body[at : at + size]
            at += size
            self.continued = size == _MAX_SEGMENTS
            if not self.continued:
                self._receive_packet(bytes(self.partial))
                self.partial.clear()
                ends = True
        self.finished = bool(page.flags & LAST_PAGE)
        if ends and self.packets:
            self._check_granule(page)

    def result(self) -> OpusFile:
        """Return the file; raises MalformedError when a header or the end of a packet lacks."""
        if self.head is None or self.comments is None or self.continued:
            raise MalformedError("the Ogg file ends within its headers or a packet")
        channels, pre_skip = self.head
        return OpusFile(channels, pre_skip, self.comments, tuple(self.packets), self.finished)

    def _receive_packet(self, packet: bytes) -> None:
        if self.head is None:
            self.head = _parse_head(packet)
        elif self.comments is None:
            self.comments = _parse_tags(packet)
        else:
            samples = parse_opus_untrusted(packet).samples
            self.packets.append(OggPacket(self.position, samples, packet))
            self.position += samples

    def _check_granule(self, page: OggPage) -> None:
        # An encoder may trim the end: only the last page may promise less than its packets hold.
        fits = page.granule == self.position or (self.finished and page.granule < self.position)
        if not fits or page.granule == _NO_PACKET_ENDS:
            raise MalformedError(
                f"Ogg page {page.sequence} says {page.granule} samples, its packets {self.position}"
            )


def _parse_head(packet: bytes) -> tuple[int, int]:
    """Return channels and pre-skip of OpusHead (RFC 7845 §5.1); channel mapping 0 only."""
    if len(packet) != 19 or packet[:8] != b"OpusHead" or packet[8] >> 4 != 0 or packet[18] != 0:
        raise MalformedError("the first packet is not an OpusHead of one stream")
    channels, pre_skip = struct.unpack_from("<BH", packet, 9)
    if channels not in (1, 2):
        raise MalformedError(f"one Opus stream has 1 or 2 channels, not {channels}")
    return channels, pre_skip


def _parse_tags(packet: bytes) -> dict[str, str]:
    """Return the comments of OpusTags (RFC 7845 §5.2)."""
    if packet[:8] != b"OpusTags":
        raise MalformedError("the second packet is not OpusTags")
    _vendor, at = _parse_string(packet, 8)
    count = int.from_bytes(packet[at : at + 4], "little")
    at += 4
    if count > _MAX_COMMENTS:
        raise MalformedError(f"OpusTags hold at most {_MAX_COMMENTS} comments, not {count}")
    comments = {}
    for _ in range(count):
        comment, at = _parse_string(packet, at)
        name, separator, value = comment.partition("=")
        if not separator:
            raise MalformedError("a comment in OpusTags has no name")
        comments[name.upper()] = value
    return comments


def _parse_string(packet: bytes, at: int) -> tuple[str, int]:
    """Return one counted string and where the next field begins."""
    size = int.from_bytes(packet[at : at + 4], "little")
    text = packet[at + 4 : at + 4 + size]
    if len(packet) < at + 4 or len(text) != size:
        raise MalformedError("OpusTags end within a string")
    try:
        return text.decode(), at + 4 + size
    except UnicodeDecodeError as e:
        raise MalformedError("a string in OpusTags is not UTF-8") from e

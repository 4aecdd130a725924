"""RTP packets (RFC 3550 §5.1): bytes in, fields out, and back.

Only what a node that never decodes audio needs: the fixed header, and the payload freed from
contributing sources, header extension and padding. Encryption is srtp.py's, counting source.py's.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from telcon.errors import MalformedError

__all__ = [
    "HEADER_BYTES",
    "MAX_PACKET_BYTES",
    "RtpPacket",
    "format_rtp",
    "parse_rtp_untrusted",
    "sequence_delta",
    "timestamp_delta",
]

HEADER_BYTES = 12
MAX_PACKET_BYTES = 1_350
"""What is passed on fits a datagram with SRTP's trailer, on every path; Opus stays far below."""

_HEADER = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!2xH")


class RtpPacket(NamedTuple):
    """One RTP packet, stripped to what is forwarded."""

    payload_type: int
    """0 to 127, as the sender's session description numbers it."""
    marker: bool
    """True on the first packet after a pause or a change of stream."""
    sequence: int
    """16 bits, rises by one each packet and wraps."""
    timestamp: int
    """32 bits, 48 kHz for Opus, wraps."""
    ssrc: int
    """32 bits, the stream within its session."""
    payload: bytes
    """What the codec wrote, untouched."""


def parse_rtp_untrusted(data: bytes) -> RtpPacket:
    """Parse one decrypted RTP packet.

    Raises:
        MalformedError: `data` is not one whole RTP packet of version 2.
    """
    #  0                   1                   2                   3
    #  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    # |V=2|P|X|  CC   |M|     PT      |       sequence number         |
    # |                           timestamp                           |
    # |                             SSRC                              |
    # |            CSRC × CC, extension if X, payload, padding if P   |
    size = len(data)
    if not HEADER_BYTES <= size <= MAX_PACKET_BYTES:
        raise MalformedError(f"an RTP packet of {size} octets")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first >> 6 != 2:
        raise MalformedError(f"RTP version 2 was expected, not {first >> 6}")
    start, end = HEADER_BYTES, size
    if first & 0x3F:
        start, end = _payload_bounds(data, first)
    return RtpPacket(second & 0x7F, second >= 0x80, sequence, timestamp, ssrc, data[start:end])


def _payload_bounds(data: bytes, first: int) -> tuple[int, int]:
    start, end = HEADER_BYTES + 4 * (first & 0x0F), len(data)
    if first & 0x10:  # RFC 3550 §5.3.1: two octets of profile, two of length in words
        if start + 4 > end:
            raise MalformedError("the RTP header extension begins beyond the packet's end")
        start += 4 + 4 * int(_EXTENSION.unpack_from(data, start)[0])
    if start > end:
        raise MalformedError("the RTP header is longer than the packet")
    if first & 0x20:
        padding = data[-1]
        if not 1 <= padding <= end - start:
            raise MalformedError(f"{padding} octets of RTP padding in {end - start} of payload")
        end -= padding
    return start, end


def format_rtp(packet: RtpPacket) -> bytes:
    """Write `packet` with the bare 12-octet header in front of its payload."""
    second = packet.payload_type | 0x80 if packet.marker else packet.payload_type
    header = _HEADER.pack(0x80, second, packet.sequence, packet.timestamp, packet.ssrc)
    return header + packet.payload


def sequence_delta(newer: int, older: int) -> int:
    """Return how many packets `newer` lies after `older`, -32768 to 32767, over the wrap."""
    return ((newer - older + 0x8000) & 0xFFFF) - 0x8000


def timestamp_delta(newer: int, older: int) -> int:
    """Return how many clock ticks `newer` lies after `older`, signed, over the wrap."""
    return ((newer - older + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000

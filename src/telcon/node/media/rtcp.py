"""RTCP compound packets (RFC 3550 §6): sender and receiver reports, descriptions, goodbyes.

Of feedback (RFC 4585) a node knows the generic NACK, which asks for packets again, and of what
applications define (§6.7) two of its own: by one trunks check a path, by the other they say that
they take redundancy. The rest is stepped over.
Encryption is srtp.py's; what the reports are filled with comes from source.py and slot.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from telcon.errors import MalformedError

__all__ = [
    "Goodbye",
    "Nack",
    "PathCheck",
    "ReceiverReport",
    "ReportBlock",
    "RtcpPacket",
    "SenderReport",
    "SourceDescription",
    "TakesRedundancy",
    "format_rtcp",
    "middle_of_ntp",
    "ntp_from_utc",
    "parse_rtcp_untrusted",
]

_SENDER_REPORT = 200
_RECEIVER_REPORT = 201
_SOURCE_DESCRIPTION = 202
_GOODBYE = 203
_APPLICATION = 204
_TRANSPORT_FEEDBACK = 205
_CNAME = 1
_GENERIC_NACK = 1
_PATH = b"path"
_REDUNDANCY = b"redu"

_HEAD = struct.Struct("!BBH")
_SENDER = struct.Struct("!IQIII")
_BLOCK = struct.Struct("!IIIIII")
_NACK_ITEM = struct.Struct("!HH")
_NTP_EPOCH_S = 2_208_988_800
"""Seconds from 1900, where NTP counts from, to 1970."""


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says about one stream (RFC 3550 §6.4.1)."""

    ssrc: int
    """The stream reported on."""
    fraction_lost: int
    """256ths of the packets expected since the last report."""
    cumulative_lost: int
    """Signed 24 bits, since the stream began; duplicates make it fall."""
    highest_sequence: int
    """32 bits: wraps seen so far, then the highest sequence number."""
    jitter: int
    """In clock ticks of the stream."""
    last_report: int
    """Middle 32 bits of the NTP time in the last sender report; 0 if none came."""
    delay: int
    """65536ths of a second since that report; 0 if none came."""


@dataclass(frozen=True, slots=True)
class SenderReport:
    """What a sender says about its own stream."""

    ssrc: int
    ntp: int
    """64 bits, see `ntp_from_utc`."""
    timestamp: int
    """The stream's RTP clock at that time."""
    packets: int
    """Sent so far, 32 bits."""
    octets: int
    """Of payload sent so far, 32 bits."""
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """Report blocks of one that sends nothing itself."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """The canonical name that ties a stream to its sender."""

    ssrc: int
    cname: str
    """At most 255 octets of UTF-8."""


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The streams that end."""

    ssrcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Nack:
    """Packets of one stream that its receiver misses (RFC 4585 §6.2.1)."""

    sender: int
    """SSRC of who asks."""
    ssrc: int
    """The stream that is asked for."""
    sequences: tuple[int, ...]
    """16 bits each, in the order of asking."""


@dataclass(frozen=True, slots=True)
class PathCheck:
    """A number that has to come back from an address, and its answer (docs/protocol.md §6)."""

    ssrc: int
    is_answer: bool
    number: bytes
    """8 octets."""


@dataclass(frozen=True, slots=True)
class TakesRedundancy:
    """The sender reads RED on this trunk (docs/protocol.md §6)."""

    ssrc: int
    depth: int
    """Older packets that may ride along with one, 0 to 31."""


RtcpPacket = (
    SenderReport | ReceiverReport | SourceDescription | Goodbye | Nack | PathCheck | TakesRedundancy
)


def ntp_from_utc(utc_s: float) -> int:
    """Return seconds since 1970 as an NTP timestamp, 32.32 bits."""
    return int((utc_s + _NTP_EPOCH_S) * 2**32) & 0xFFFF_FFFF_FFFF_FFFF


def middle_of_ntp(ntp: int) -> int:
    """Return the 32 bits of `ntp` that a report block refers to a sender report by."""
    return ntp >> 16 & 0xFFFF_FFFF


def format_rtcp(packets: Iterable[RtcpPacket]) -> bytes:
    """Write one compound packet; its first member has to be a report (RFC 3550 §6.1)."""
    return b"".join(map(_format_one, packets))


def _format_one(packet: RtcpPacket) -> bytes:
    match packet:
        case SenderReport():
            own = _SENDER.pack(
                packet.ssrc, packet.ntp, packet.timestamp, packet.packets, packet.octets
            )
            return _frame(_SENDER_REPORT, len(packet.blocks), own + _format_blocks(packet.blocks))
        case ReceiverReport():
            body = packet.ssrc.to_bytes(4, "big") + _format_blocks(packet.blocks)
            return _frame(_RECEIVER_REPORT, len(packet.blocks), body)
        case SourceDescription():
            name = packet.cname.encode()
            body = packet.ssrc.to_bytes(4, "big") + bytes((_CNAME, len(name))) + name
            body += bytes(4 - len(body) % 4)  # at least one null ends the list of items
            return _frame(_SOURCE_DESCRIPTION, 1, body)
        case Goodbye():
            body = b"".join(ssrc.to_bytes(4, "big") for ssrc in packet.ssrcs)
            return _frame(_GOODBYE, len(packet.ssrcs), body)
        case PathCheck():
            body = packet.ssrc.to_bytes(4, "big") + _PATH + packet.number
            return _frame(_APPLICATION, packet.is_answer, body)
        case TakesRedundancy():
            return _frame(_APPLICATION, packet.depth, packet.ssrc.to_bytes(4, "big") + _REDUNDANCY)
        case Nack():
            body = struct.pack("!II", packet.sender, packet.ssrc)
            # One item for each: a mask of the 16 behind it would save octets on a path that loses.
            body += b"".join(_NACK_ITEM.pack(sequence, 0) for sequence in packet.sequences)
            return _frame(_TRANSPORT_FEEDBACK, _GENERIC_NACK, body)


def _frame(kind: int, count: int, body: bytes) -> bytes:
    return _HEAD.pack(0x80 | count, kind, len(body) // 4) + body


def _format_blocks(blocks: Sequence[ReportBlock]) -> bytes:
    return b"".join(
        _BLOCK.pack(
            block.ssrc,
            block.fraction_lost << 24 | block.cumulative_lost & 0xFF_FFFF,
            block.highest_sequence,
            block.jitter,
            block.last_report,
            block.delay,
        )
        for block in blocks
    )


def parse_rtcp_untrusted(data: bytes) -> tuple[RtcpPacket, ...]:
    """Parse one decrypted compound packet whole; members of other types are left out.

    Raises:
        MalformedError: lengths, versions, counts or texts do not fit.
    """
    packets: list[RtcpPacket] = []
    position = 0
    while position < len(data):
        if position + 4 > len(data):
            raise MalformedError("an RTCP packet ends within a header")
        first, kind, words = _HEAD.unpack_from(data, position)
        end = position + 4 + 4 * words
        if first >> 6 != 2 or end > len(data):
            raise MalformedError("an RTCP packet has a wrong version or goes beyond its end")
        body = _without_padding(data[position + 4 : end], bool(first & 0x20))
        parse = _PARSERS.get(kind)
        packet = parse(body, first & 0x1F) if parse is not None else None
        if packet is not None:
            packets.append(packet)
        position = end
    return tuple(packets)


def _without_padding(body: bytes, padded: bool) -> bytes:
    if not padded:
        return body
    if not body or not 1 <= body[-1] <= len(body):
        raise MalformedError("RTCP padding is longer than its packet")
    return body[: -body[-1]]


def _parse_sender_report(body: bytes, count: int) -> SenderReport:
    if len(body) < _SENDER.size:
        raise MalformedError("an RTCP sender report is too short")
    ssrc, ntp, timestamp, packets, octets = _SENDER.unpack_from(body)
    blocks = _parse_blocks(body, _SENDER.size, count)
    return SenderReport(ssrc, ntp, timestamp, packets, octets, blocks)


def _parse_receiver_report(body: bytes, count: int) -> ReceiverReport:
    return ReceiverReport(_parse_ssrc(body, 0), _parse_blocks(body, 4, count))


def _parse_blocks(body: bytes, start: int, count: int) -> tuple[ReportBlock, ...]:
    # What follows the blocks is a profile's extension and of no interest (RFC 3550 §6.4.3).
    if start + count * _BLOCK.size > len(body):
        raise MalformedError(f"an RTCP report promises {count} blocks and ends before the last")
    blocks = []
    for index in range(count):
        ssrc, lost, highest, jitter, last, delay = _BLOCK.unpack_from(
            body, start + index * _BLOCK.size
        )
        cumulative = ((lost & 0xFF_FFFF) ^ 0x80_0000) - 0x80_0000
        blocks.append(ReportBlock(ssrc, lost >> 24, cumulative, highest, jitter, last, delay))
    return tuple(blocks)


def _parse_source_description(body: bytes, count: int) -> SourceDescription:
    # A node reads the first name of the first stream alone: browsers send one.
    if count < 1:
        raise MalformedError("an RTCP source description describes nothing")
    ssrc, position = _parse_ssrc(body, 0), 4
    while position < len(body) and body[position]:
        if position + 2 > len(body) or position + 2 + body[position + 1] > len(body):
            raise MalformedError("an RTCP source description goes beyond its end")
        kind, size = body[position], body[position + 1]
        if kind == _CNAME:
            return SourceDescription(ssrc, _decode(body[position + 2 : position + 2 + size]))
        position += 2 + size
    return SourceDescription(ssrc, "")


def _parse_goodbye(body: bytes, count: int) -> Goodbye:
    return Goodbye(tuple(_parse_ssrc(body, 4 * index) for index in range(count)))


def _parse_application(body: bytes, subtype: int) -> PathCheck | TakesRedundancy | None:
    if body[4:] == _REDUNDANCY:
        return TakesRedundancy(_parse_ssrc(body, 0), subtype)
    if body[4:8] != _PATH or len(body) != 16 or subtype > 1:
        return None
    return PathCheck(_parse_ssrc(body, 0), bool(subtype), body[8:])


def _parse_feedback(body: bytes, kind: int) -> Nack | None:
    if kind != _GENERIC_NACK:
        return None
    sequences: list[int] = []
    for position in range(8, len(body) - 3, _NACK_ITEM.size):
        first, mask = _NACK_ITEM.unpack_from(body, position)
        sequences.append(first)
        sequences += [(first + n) & 0xFFFF for n in range(1, 17) if mask >> (n - 1) & 1]
    return Nack(_parse_ssrc(body, 0), _parse_ssrc(body, 4), tuple(sequences))


def _parse_ssrc(body: bytes, start: int) -> int:
    if start + 4 > len(body):
        raise MalformedError("an RTCP packet ends within an SSRC")
    return int.from_bytes(body[start : start + 4], "big")


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise MalformedError("a name in an RTCP packet is not UTF-8") from error


_PARSERS: dict[int, Callable[[bytes, int], RtcpPacket | None]] = {
    _SENDER_REPORT: _parse_sender_report,
    _RECEIVER_REPORT: _parse_receiver_report,
    _SOURCE_DESCRIPTION: _parse_source_description,
    _GOODBYE: _parse_goodbye,
    _APPLICATION: _parse_application,
    _TRANSPORT_FEEDBACK: _parse_feedback,
}

"""What RED is for: older packets ride along with a newer one, and fill what the way has lost.

Hop by hop: a sender wraps what it has sent itself, a receiver unwraps to single Opus packets, so
that nobody behind it sees RED. What rides along never takes the place of a packet that has come,
is never handed on twice, and comes before the packet that carried it, so that a hole is filled
before anybody has seen it. A packet that comes after it was filled is dropped: it was overtaken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from telcon.errors import MalformedError
from telcon.node.media.opus import parse_opus_untrusted
from telcon.node.media.red import (
    MAX_BLOCK_BYTES,
    MAX_OFFSET,
    RedBlock,
    format_red,
    parse_red_untrusted,
)
from telcon.node.media.rtp import HEADER_BYTES, MAX_PACKET_BYTES, RtpPacket, sequence_delta

__all__ = ["DEPTH", "RedReceiver", "Seen", "Wrapper"]

DEPTH = 2
"""Older packets that ride along at most: a run of so many lost ones is filled."""

WINDOW = 1_024
"""Packets that are remembered as come, as far back as SRTP lets any come late (srtp.py)."""

_ALL = (1 << WINDOW) - 1
_RING = 4
_HEAD_BYTES = 4
_MAX_PAYLOAD_BYTES = MAX_PACKET_BYTES - HEADER_BYTES


class Seen:
    """Which packets of one stream have come, by numbers that do not wrap."""

    def __init__(self, newest: int) -> None:
        """Take everything up to `newest` as come."""
        self.newest = newest
        self._mask = _ALL
        self._filled: set[int] = set()

    def take(self, number: int) -> bool:
        """Note that a packet has come; False if it had before, or is older than the window."""
        step = number - self.newest
        if step > 0:
            self._mask = (self._mask << step | 1) & _ALL if step < WINDOW else 1
            self.newest = number
            return True
        bit = 1 << -step if step > -WINDOW else 0
        if not bit or self._mask & bit:
            return False
        self._mask |= bit
        return True

    def fill(self, number: int) -> bool:
        """Note that a packet rode along with a newer one; False if it is not wanted."""
        if not self.take(number):
            return False
        if len(self._filled) >= WINDOW:
            self._filled = {one for one in self._filled if one > self.newest - WINDOW}
        self._filled.add(number)
        return True

    def overtaken(self, number: int) -> bool:
        """Say, once, whether this packet, which comes now, was filled before."""
        if number not in self._filled:
            return False
        self._filled.discard(number)
        return True


class Wrapper:
    """The last packets of one stream, to let them ride along with the newest."""

    def __init__(self) -> None:
        """Begin with none."""
        self._ring: list[RtpPacket | None] = [None] * _RING
        self._newest: RtpPacket | None = None
        self._wrapped: dict[tuple[int, int], bytes | None] = {}

    def take(self, packet: RtpPacket) -> None:
        """Take the next packet of the stream; it is the one that is wrapped from now on."""
        self._newest = self._ring[packet.sequence % _RING] = packet
        if self._wrapped:
            self._wrapped = {}

    def clear(self) -> None:
        """Forget all: the stream has begun anew."""
        self._ring = [None] * _RING

    def wrapped(self, payload_type: int, depth: int) -> bytes | None:
        """Return the RED payload of the newest packet and up to `depth` before it.

        `payload_type` is that of each block. Made once, however many ask. None if there is nothing
        to ride along: the ones before were lost, lie too long back, or are too large.
        """
        key = payload_type, depth
        try:
            return self._wrapped[key]
        except KeyError:
            made = self._wrapped[key] = self._wrap(payload_type, depth)
            return made

    def _wrap(self, payload_type: int, depth: int) -> bytes | None:
        newest = self._newest
        if newest is None:
            return None
        blocks = [RedBlock(payload_type, 0, newest.payload)]
        room = _MAX_PAYLOAD_BYTES - 1 - len(newest.payload)
        for back in range(1, depth + 1):
            sequence = (newest.sequence - back) & 0xFFFF
            older = self._ring[sequence % _RING]
            if older is None or older.sequence != sequence:
                break  # without it, nobody could tell what is before it
            size, offset = len(older.payload), (newest.timestamp - older.timestamp) & 0xFFFF_FFFF
            room -= _HEAD_BYTES + size
            if not 0 < offset <= MAX_OFFSET or size > MAX_BLOCK_BYTES or room < 0:
                break
            blocks.append(RedBlock(payload_type, offset, older.payload))
        return format_red(blocks[::-1]) if len(blocks) > 1 else None


class Listening(Protocol):
    """Who gets what a `RedReceiver` unwraps; a `Source` is one."""

    def feed(self, packet: RtpPacket, *, filled: bool = False) -> None:
        """Take one Opus packet; `filled` if it rode along with a newer one."""

    def note_overtaken(self) -> None:
        """Know that a packet that was filled has come itself."""


class RedReceiver:
    """One stream of a device that may send RED and Opus by turns; each packet is fed once."""

    def __init__(self, listening: Listening, *, red_type: int, opus_type: int) -> None:
        """Feed `listening` from the next packet on; what was before that is not wanted."""
        self._listening = listening
        self._red_type = red_type
        self._opus_type = opus_type
        self._seen: Seen | None = None

    def receive(self, packet: RtpPacket) -> None:
        """Feed what `packet` holds and has not come before, the older first.

        Raises:
            MalformedError: it is no RED payload, or its last block is not Opus; nothing is fed.
        """
        older: Sequence[RedBlock] = ()
        if packet.payload_type == self._red_type:
            *older, primary = parse_red_untrusted(packet.payload)
            if primary.payload_type != self._opus_type:
                raise MalformedError(f"RED around payload type {primary.payload_type}, not Opus")
            packet = packet._replace(payload_type=self._opus_type, payload=primary.payload)
        number = self._number(packet.sequence)
        seen = self._seen
        if seen is None or number <= seen.newest - WINDOW:  # so far back only if it began anew
            seen = self._seen = Seen(number - 1)
        for back, block in reversed(list(self._chain(older))):
            if seen.fill(number - back):
                self._listening.feed(_older(packet, back, block), filled=True)
        if seen.take(number):
            self._listening.feed(packet)
        elif seen.overtaken(number):
            self._listening.note_overtaken()

    def _number(self, sequence: int) -> int:
        if self._seen is None:
            return sequence + 0x1_0000  # so that what is before it is not below zero
        newest = self._seen.newest
        return newest + sequence_delta(sequence, newest & 0xFFFF)

    def _chain(self, older: Sequence[RedBlock]) -> Iterator[tuple[int, RedBlock]]:
        """Yield the blocks that are certainly the packets just before, and how far before.

        RED gives times and no numbers. A block whose audio ends where the next one's begins is the
        packet before it; behind a pause or a block left out nothing is known, and nothing filled.
        """
        begins = 0
        for back, block in enumerate(reversed(older), 1):
            if block.payload_type != self._opus_type:
                return
            try:
                samples = parse_opus_untrusted(block.payload).samples
            except MalformedError:
                return  # the primary is whole all the same
            begins += samples
            if block.offset != begins or back > DEPTH:  # or one datagram would be thirty-two
                return
            yield back, block


def _older(packet: RtpPacket, back: int, block: RedBlock) -> RtpPacket:
    return RtpPacket(
        block.payload_type,
        False,
        (packet.sequence - back) & 0xFFFF,
        (packet.timestamp - block.offset) & 0xFFFF_FFFF,
        packet.ssrc,
        block.payload,
    )

"""One place where one listener hears a stream, whichever source is put into it.

A slot is negotiated once and keeps its SSRC; the source behind it changes. So it numbers its own
output: while one source is mapped, sequence numbers and timestamps differ from the source's by
constants, which leaves loss, reordering and pauses visible to the listener's jitter buffer; at a
switch the sequence goes on by one and the timestamp by the time that has passed.

No index of the output is ever sent twice, for the cipher under it would then reuse its keystream:
what arrives late after a switch, or twice, is dropped here, and libsrtp would refuse it too.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from telcon.node.media.history import KEPT, History
from telcon.node.media.rtcp import ReportBlock, SenderReport
from telcon.node.media.rtp import RtpPacket
from telcon.node.media.sdp import RedFormat
from telcon.node.media.source import CLOCK_RATE_HZ, Source

__all__ = ["Slot", "SlotStatistics"]

MISORDER_LIMIT = 128
"""Packets that one may come late by: 2.5 s of speech. Later ones are dropped."""

_MAX_DROPOUT = 3_000
"""Packets; a larger step forward is a new run, far below the 32768 that break SRTP's rollover."""

_FRAME_TICKS = 960
"""20 ms, the least that a timestamp grows by at a switch."""

_ALL_SENT = (1 << MISORDER_LIMIT) - 1
_HEADER = struct.Struct("!BBHII")


@dataclass(frozen=True, slots=True)
class SlotStatistics:
    """What one slot has sent, and what the listener said about it."""

    packets: int
    octets: int
    """Of payload."""
    dropped: int
    """Packets that came twice, too late, or from before a switch."""
    resent: int
    """Packets that were sent again because the listener asked for them."""
    switches: int
    """How often numbering was carried over to another run of packets."""
    fraction_lost: int
    """256ths, from the listener's last report."""
    cumulative_lost: int
    jitter: int
    """In ticks of 1/48000 s."""
    open: bool


class Slot:
    """One receive line of one listener."""

    def __init__(
        self,
        ssrc: int,
        payload_type: int,
        transmit: Callable[[bytes], bytes | None],
        *,
        first_sequence: int | None = None,
        red: RedFormat | None = None,
    ) -> None:
        """Send as `ssrc` by `transmit`, which takes whole RTP packets; closed until `open`.

        `transmit` returns the packet as it was sealed, if it can be sent again.

        `first_sequence` lies in the lower half, and so does the random one: in the upper half a
        loss right at the wrap would leave the listener's SRTP with a wrong rollover count.

        With `red`, packets carry along those sent here just before them, and none from before a
        switch: what this listener was not to hear does not come to it by a later packet.
        """
        self.ssrc = ssrc
        self._red_type, self._red_depth = red or (0, 0)
        self._riders = 0  # packets since the last switch that may ride along
        self.payload_type = payload_type
        self._transmit = transmit
        self._source: Source | None = None
        self._open = False
        self._continues = False
        self._index = (secrets.randbelow(0x8000) if first_sequence is None else first_sequence) - 1
        self._sent_mask = _ALL_SENT
        self._timestamp = secrets.randbits(32)
        self._sent_at = 0.0
        self._in_sequence = 0
        self._in_timestamp_offset = 0
        self._packets = self._octets = self._dropped = self._switches = 0
        self._reported: ReportBlock | None = None
        self._history = History()
        self._sealed = self._history.ring
        self._resent = self._asked_before = self._packets_before = 0

    @property
    def source(self) -> Source | None:
        """Return what is heard here now."""
        return self._source

    def map(self, source: Source | None) -> None:
        """Let `source` be heard here from now on, or nothing; no negotiation takes place."""
        if source is self._source:
            return
        if self._source is not None:
            self._source.unsubscribe(self)
        self._source = source
        self._continues = False
        self._reported = None
        if source is not None:
            source.subscribe(self)

    def open(self) -> None:
        """Send from now on; numbering goes on where it stopped."""
        self._open = True

    def close(self) -> None:
        """Send nothing until `open`; what arrives meanwhile is not kept."""
        self._open = False
        self._continues = False

    def forward(self, packet: RtpPacket, now: float) -> None:
        """Send `packet` of the mapped source under this slot's own numbers."""
        if not self._open:
            return
        step = ((packet.sequence - self._in_sequence + 0x8000) & 0xFFFF) - 0x8000
        marker = packet.marker
        if not self._continues or not -_MAX_DROPOUT < step < _MAX_DROPOUT:
            self._carry_over(packet, now)
            step, marker = 1, True
        if not self._claim(step):
            self._dropped += 1
            return
        timestamp = (packet.timestamp + self._in_timestamp_offset) & 0xFFFF_FFFF
        payload, second = packet.payload, self.payload_type
        if step > 0:
            self._in_sequence = packet.sequence
            self._timestamp, self._sent_at = timestamp, now
            sequence = self._index & 0xFFFF
            if self._riders < self._red_depth:
                self._riders = min(self._riders + step, self._red_depth)
            if self._riders > 0 and self._source is not None:
                wrapped = self._source.wrapped(second, self._riders)
                if wrapped is not None:
                    payload, second = wrapped, self._red_type
        else:
            sequence = (self._index + step) & 0xFFFF
        self._packets += 1
        self._octets += len(payload)
        if marker:
            second |= 0x80
        header = _HEADER.pack(0x80, second, sequence, timestamp, self.ssrc)
        self._sealed[sequence % KEPT] = self._transmit(header + payload)

    def sender_report(self, now: float, ntp: int) -> SenderReport | None:
        """Return the report on what was sent, for time `now`; None before the first packet."""
        if not self._packets or not self._open:
            return None
        return SenderReport(
            ssrc=self.ssrc,
            ntp=ntp,
            timestamp=(self._timestamp + self._ticks_since_last(now)) & 0xFFFF_FFFF,
            packets=self._packets & 0xFFFF_FFFF,
            octets=self._octets & 0xFFFF_FFFF,
        )

    def receive_report(self, block: ReportBlock) -> None:
        """Take what the listener says about this slot, and let the source's speaker know."""
        self._reported = block
        if self._source is not None and not self._history.asked:
            self._source.note_listener_loss(self, block.fraction_lost)

    def again(self, sequences: Iterable[int]) -> list[bytes]:
        """Return what the listener asks for, sealed as it was; what is too old is left out."""
        if not self._open:
            return []
        found = [sealed for one in sequences if (sealed := self._history.again(one)) is not None]
        self._resent += len(found)
        return found

    def measure_loss(self) -> None:
        """Let the source's speaker know what the listener has asked for since the last time.

        Browsers report on audio each 2.5 to 7.5 s and count a repair as received; what one asks for
        tells at once what its way is like. Reports count for those alone that never ask.
        """
        asked, packets = self._history.asked, self._packets
        lost, sent = asked - self._asked_before, packets - self._packets_before
        self._asked_before, self._packets_before = asked, packets
        if asked and sent and self._source is not None:
            self._source.note_listener_loss(self, min(256 * lost // sent, 255))

    def statistics(self) -> SlotStatistics:
        """Return the counts so far."""
        reported = self._reported
        return SlotStatistics(
            packets=self._packets,
            octets=self._octets,
            dropped=self._dropped,
            resent=self._resent,
            switches=self._switches,
            fraction_lost=reported.fraction_lost if reported else 0,
            cumulative_lost=reported.cumulative_lost if reported else 0,
            jitter=reported.jitter if reported else 0,
            open=self._open,
        )

    def _carry_over(self, packet: RtpPacket, now: float) -> None:
        # The next index follows the last one sent, and everything up to it counts as sent: a
        # packet that the new run sends late would otherwise take a number of the old one.
        self._sent_mask = _ALL_SENT
        timestamp = self._timestamp
        if self._packets:
            timestamp += max(self._ticks_since_last(now), _FRAME_TICKS)
        self._in_timestamp_offset = (timestamp - packet.timestamp) & 0xFFFF_FFFF
        self._switches += 1 if self._packets else 0
        self._continues = True
        self._riders = -1  # 0 with the packet that comes now

    def _claim(self, step: int) -> bool:
        """Take the index `step` after the newest one; False if it is not to be had."""
        if step > 0:
            self._index += step
            self._sent_mask = (self._sent_mask << step | 1) & _ALL_SENT
            return True
        bit = 1 << -step
        if step <= -MISORDER_LIMIT or self._sent_mask & bit:
            return False
        self._sent_mask |= bit
        return True

    def _ticks_since_last(self, now: float) -> int:
        return max(int((now - self._sent_at) * CLOCK_RATE_HZ), 0)

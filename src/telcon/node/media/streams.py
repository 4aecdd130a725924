"""What one leg carries: the stream its device publishes, four slots, and the reports on both.

A leg's streams are agreed once, with the first offer. They are admitted or not, and they flow or
not: only when they are admitted does an authenticated packet get further than being counted, and
only while they flow do slots send. When that is, the leg decides.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from telcon.errors import MalformedError
from telcon.node.media.redundancy import RedReceiver
from telcon.node.media.rtcp import (
    Goodbye,
    Nack,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    format_rtcp,
    middle_of_ntp,
    parse_rtcp_untrusted,
)
from telcon.node.media.rtp import parse_rtp_untrusted
from telcon.node.media.sdp import AnswerSection, Offer
from telcon.node.media.slot import Slot
from telcon.node.media.source import Source

__all__ = ["LegStreams", "Way"]

_REPORTS_REMEMBERED = 16
"""Times of our own reports, by which an answer tells the round trip."""


class Way(Protocol):
    """How a leg's packets get to the device; a `SecureTransport` is one."""

    def send_rtp(self, packet: bytes) -> bytes | None:
        """Seal and send one packet; return it sealed, if it can be sent again."""

    def send_again(self, sealed: bytes) -> None:
        """Send a sealed packet once more."""

    def send_rtcp(self, packet: bytes) -> None:
        """Seal and send one compound report."""


class LegStreams:
    """One device's source and slots."""

    def __init__(
        self,
        offer: Offer,
        way: Way,
        *,
        cname: str,
        clock: Callable[[], float],
    ) -> None:
        """Take the stream that `offer` announces; make a slot, closed, for each it receives."""
        self._way = way
        self._cname = cname
        self._clock = clock
        sending = next(section for section in offer.sections if section.sends)
        self._ssrc, self._payload_type = sending.ssrc, sending.payload_type
        self._red_type = sending.red.payload_type if sending.red else None
        self._receiver: RedReceiver | None = None  # while admitted, of a device that sends RED
        hearing = [section for section in offer.sections if not section.sends]
        ssrcs: set[int] = set()
        while len(ssrcs) < len(hearing):
            ssrcs.add(secrets.randbits(31) | 1)
        self.slots = tuple(
            Slot(ssrc, section.payload_type, way.send_rtp, red=section.red)
            for ssrc, section in zip(ssrcs, hearing, strict=True)
        )
        self.source: Source | None = None
        """What the device publishes, while it is admitted."""
        self._refused = {"armed": 0, "stream": 0, "malformed": 0}
        self._reported_at: OrderedDict[int, float] = OrderedDict()  # by the middle of its NTP time
        self._round_trip_s = 0.0

    @property
    def announced_ssrc(self) -> int | None:
        """Return the stream that the device has said it will send, if it has."""
        return self._ssrc

    def answer_sections(self, offer: Offer) -> tuple[AnswerSection, ...]:
        """Return the answer's sections in the order of `offer`, which may be a later one."""
        ssrcs = iter([slot.ssrc for slot in self.slots])
        return tuple(
            AnswerSection(s.mid, s.payload_type, None if s.sends else next(ssrcs), s.red)
            for s in offer.sections
        )

    def admit(self) -> Source:
        """Let what arrives reach the source, and return it."""
        if self.source is None:
            self.source = Source(clock=self._clock)
            # Made anew: what was said before admission does not come in with a later packet.
            if self._red_type is not None:
                self._receiver = RedReceiver(
                    self.source, red_type=self._red_type, opus_type=self._payload_type
                )
        return self.source

    def dismiss(self) -> None:
        """Let nothing in or out from this moment on."""
        self.source = self._receiver = None
        self.set_flowing(flows=False)
        for slot in self.slots:
            slot.map(None)

    def set_flowing(self, *, flows: bool) -> None:
        """Open or close all slots; numbering goes on without a gap."""
        for slot in self.slots:
            if flows:
                slot.open()
            else:
                slot.close()

    def receive_rtp(self, data: bytes) -> None:
        """Feed the source one authenticated packet, or count it as refused."""
        source = self.source
        if source is None:
            # It was decrypted all the same: libsrtp has to follow the sequence across its wrap.
            self._refused["armed"] += 1
            return
        try:
            packet = parse_rtp_untrusted(data)
        except MalformedError:
            self._refused["malformed"] += 1
            return
        if self._ssrc is None:
            self._ssrc = packet.ssrc
        is_agreed = packet.payload_type in (self._payload_type, self._red_type)
        if packet.ssrc != self._ssrc or not is_agreed:
            self._refused["stream"] += 1
            return
        if self._receiver is None:
            source.feed(packet)
        else:
            try:
                self._receiver.receive(packet)
            except MalformedError:
                self._refused["malformed"] += 1
                return
        wanted = source.wanted(self._round_trip_s)
        if wanted:
            self._ask(wanted)

    def receive_rtcp(self, data: bytes) -> None:
        """Take one authenticated compound report, or count it as refused."""
        if self.source is None:
            self._refused["armed"] += 1
            return
        try:
            packets = parse_rtcp_untrusted(data)
        except MalformedError:
            self._refused["malformed"] += 1
            return
        for packet in packets:
            self._take_report(packet, self.source)

    def reports(self, ntp: int) -> list[RtcpPacket]:
        """Return what is to be reported now, NTP time `ntp`; empty if nothing has flowed."""
        reports: list[RtcpPacket] = []
        block = self.source.report() if self.source else None
        if block is not None:
            reports.append(ReceiverReport(self.slots[0].ssrc, (block,)))
        now = self._clock()
        self._remember(ntp, now)
        for slot in self.slots:
            slot.measure_loss()
            report = slot.sender_report(now, ntp)
            if report is not None:
                reports += [report, SourceDescription(slot.ssrc, self._cname)]
        return reports

    def refused(self) -> Mapping[str, int]:
        """Return how many authenticated packets went no further, by reason."""
        return dict(self._refused)

    def _take_report(self, packet: RtcpPacket, source: Source) -> None:
        match packet:
            case SenderReport(ssrc=ssrc, ntp=ntp, blocks=blocks):
                if ssrc == self._ssrc:
                    source.note_sender_report(ntp)
                self._take_blocks(blocks)
            case ReceiverReport(blocks=blocks):
                self._take_blocks(blocks)
            case Nack(ssrc=ssrc, sequences=sequences):
                for slot in self.slots:
                    for sealed in slot.again(sequences) if slot.ssrc == ssrc else ():
                        self._way.send_again(sealed)
            case SourceDescription() | Goodbye():
                return  # who is here and who has left is signalling's to say

    def _ask(self, sequences: Sequence[int]) -> None:
        own, asked = self.slots[0].ssrc, self._ssrc or 0
        packets = (ReceiverReport(own), Nack(own, asked, tuple(sequences)))
        self._way.send_rtcp(format_rtcp(packets))

    def _remember(self, ntp: int, now: float) -> None:
        self._reported_at[middle_of_ntp(ntp)] = now
        if len(self._reported_at) > _REPORTS_REMEMBERED:
            self._reported_at.popitem(last=False)

    def _take_blocks(self, blocks: tuple[ReportBlock, ...]) -> None:
        for block in blocks:
            sent_at = self._reported_at.get(block.last_report)
            if sent_at is not None:
                self._round_trip_s = max(0.0, self._clock() - sent_at - block.delay / 65_536)
            for slot in self.slots:
                if slot.ssrc == block.ssrc:
                    slot.receive_report(block)

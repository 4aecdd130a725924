"""One device's connection, the node's end: ICE-lite, DTLS as server, one source, four slots.

A leg is armed first and admitted later. Armed, it finishes ICE and DTLS and no more: what the
device sends is counted as refused, and nothing goes out. `admit` is for whoever holds the gate;
`dismiss` takes it back at once, without waiting for anybody.

The device is believed because its certificate has the hash that its own description bore *and* the
hash that the log entry sealed. A device that gives no sign of life for 30 s is sent nothing more
(RFC 7675); after 60 s the leg is closed.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aioice import stun

from telcon.errors import MalformedError, MisuseError, PinError
from telcon.node.media.dtls import DtlsIdentity
from telcon.node.media.ice import LiteAgent, StunRouter
from telcon.node.media.mux import Address, UdpMux
from telcon.node.media.rtcp import (
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    format_rtcp,
    ntp_from_utc,
    parse_rtcp_untrusted,
)
from telcon.node.media.rtp import parse_rtp_untrusted
from telcon.node.media.sdp import (
    Answer,
    AnswerSection,
    Offer,
    OfferSection,
    format_answer,
    parse_offer_untrusted,
)
from telcon.node.media.slot import Slot, SlotStatistics
from telcon.node.media.source import Source, SourceStatistics
from telcon.node.media.transport import SecureTransport, TransportStatistics

__all__ = [
    "Audit",
    "BadIntegrity",
    "FingerprintMismatch",
    "Leg",
    "LegConnected",
    "LegEvent",
    "LegFailed",
    "LegResumed",
    "LegSilent",
    "LegSite",
    "LegStatistics",
]

SILENT_AFTER_S = 30.0
"""Without a check: sending stops (RFC 7675 §5.1)."""

GONE_AFTER_S = 60.0
"""Without a check: the leg is closed. A page that lost its network restarts ICE before that."""


@dataclass(frozen=True, slots=True)
class LegConnected:
    """The device is there and is who it should be."""


@dataclass(frozen=True, slots=True)
class LegSilent:
    """No sign of life for 30 s; nothing is sent until one comes."""


@dataclass(frozen=True, slots=True)
class LegResumed:
    """A silent device has given a sign of life."""


@dataclass(frozen=True, slots=True)
class LegFailed:
    """The leg has closed by itself."""

    reason: str


@dataclass(frozen=True, slots=True)
class FingerprintMismatch:
    """The device's certificate is not the one that was announced; the leg has closed."""

    expected: str
    """Hex SHA-256, from the log entry if it was given, else from the description."""
    found: str
    """Hex SHA-256 of what came instead."""


@dataclass(frozen=True, slots=True)
class BadIntegrity:
    """Somebody knows this leg's user name and not its password."""

    count: int
    """Checks so far; told at 1, 10, 100 and so on."""


LegEvent = LegConnected | LegSilent | LegResumed | LegFailed | FingerprintMismatch | BadIntegrity


class Audit(Protocol):
    """Writes one line to the node's audit file."""

    def __call__(self, event: str, /, **fields: str | int) -> None:
        """Write `event`, a dotted name, with its fields; no secrets among them."""


@dataclass(frozen=True, slots=True)
class LegSite:
    """What all legs of a node share."""

    mux: UdpMux
    router: StunRouter
    identity: DtlsIdentity
    hosts: tuple[str, ...]
    """Advertised addresses, the preferred one first."""
    cname: str
    """The node's canonical name in reports; says nothing about persons."""
    audit: Audit
    clock: Callable[[], float] = time.monotonic
    utc: Callable[[], float] = time.time


@dataclass(frozen=True, slots=True)
class LegStatistics:
    """One leg at a glance."""

    state: str
    """`"new"`, `"checking"`, `"armed"`, `"admitted"`, `"silent"` or `"closed"`."""
    refused: Mapping[str, int]
    """Authenticated packets that went no further: `"armed"`, `"stream"`, `"malformed"`."""
    checks: int
    """Authentic checks answered."""
    bad_integrity: int
    moves: int
    """How often the device's address changed."""
    transport: TransportStatistics
    source: SourceStatistics | None
    slots: tuple[SlotStatistics, ...]


@dataclass(slots=True)
class _Counts:
    checks: int = 0
    bad_integrity: int = 0
    moves: int = 0
    refused: dict[str, int] = field(
        default_factory=lambda: {"armed": 0, "stream": 0, "malformed": 0}
    )


class Leg:
    """The node's end of one device's connection; `plane.MediaPlane.open_leg` makes one."""

    def __init__(
        self,
        site: LegSite,
        expected_certificate: bytes | None,
        on_event: Callable[[LegEvent], None],
        on_closed: Callable[[Leg], None],
    ) -> None:
        """Expect the device whose certificate has this SHA-256, if it is known already."""
        self._site = site
        self._expected_certificate = expected_certificate
        self._on_event = on_event
        self._on_closed = on_closed
        self._agent = LiteAgent()
        session = site.identity.open_session(is_client=False)
        self._transport = SecureTransport(site.mux, session, self)
        self._offer: Offer | None = None
        self._session_id = secrets.randbits(62)
        self._version = 0
        self._stream: int | None = None
        self._payload_type = 0
        self._last_check = site.clock()
        self._is_admitted = self._is_silent = self._is_closed = False
        self._counts = _Counts()
        self.source: Source | None = None
        self.slots: tuple[Slot, ...] = ()

    def answer(self, offer_sdp: str) -> str:
        """Take the device's offer and return the answer; the leg is armed by what follows.

        Raises:
            MalformedError: the offer cannot be read or has another shape than a leg.
            PinError: the offer bears another fingerprint than the entry; the leg has closed.
            MisuseError: the leg has answered before, or is closed.
        """
        if self._offer is not None or self._is_closed:
            raise MisuseError("a leg answers one first offer; a later one is a restart")
        offer = parse_offer_untrusted(offer_sdp)
        self._refuse_other_certificate(offer)
        self._offer = offer
        self._last_check = self._site.clock()
        self._transport.expect(offer.fingerprint, self._expected_certificate or offer.fingerprint)
        self._agent.set_remote(offer.credentials)
        self._site.router.add(self._agent.local.ufrag, self)
        self._make_streams(offer)
        return self._format_answer(offer)

    def restart(self, offer_sdp: str) -> str:
        """Give new ICE credentials to the same device; keys, streams and slots stay.

        Raises:
            MalformedError: the offer cannot be read, or differs in more than its credentials.
            PinError: it bears another fingerprint than the first offer; the leg has closed.
            MisuseError: there was no first offer, or the leg is closed.
        """
        if self._offer is None or self._is_closed:
            raise MisuseError("there is nothing to restart")
        offer = parse_offer_untrusted(offer_sdp)
        self._refuse_other_certificate(offer)
        if [_shape(s) for s in offer.sections] != [_shape(s) for s in self._offer.sections]:
            raise MalformedError("a restart must offer the same sections as before")
        self._offer = offer
        if self._agent.previous is not None:
            self._site.router.remove(self._agent.previous.ufrag)
        self._agent.restart(offer.credentials)
        self._site.router.add(self._agent.local.ufrag, self)
        return self._format_answer(offer)

    def admit(self) -> Source:
        """Open the leg for media both ways and return what the device publishes."""
        if self._is_closed or self._offer is None:
            raise MisuseError("only a leg that has answered can be admitted")
        if self.source is None:
            self.source = Source(clock=self._site.clock)
        self._is_admitted = True
        self._set_slots()
        return self.source

    def dismiss(self) -> None:
        """Cut media both ways at once; the leg stays armed and can be admitted again."""
        self._is_admitted = False
        self.source = None
        for slot in self.slots:
            slot.close()
            slot.map(None)

    def close(self) -> None:
        """Cut media, say goodbye and be forgotten. Can be called again; no event follows."""
        if self._is_closed:
            return
        self.dismiss()
        self._is_closed = True
        self._transport.close()
        self._site.router.remove(self._agent.local.ufrag)
        if self._agent.previous is not None:
            self._site.router.remove(self._agent.previous.ufrag)
        self._on_closed(self)

    def statistics(self) -> LegStatistics:
        """Return the counts so far."""
        return LegStatistics(
            state=self._state(),
            refused=dict(self._counts.refused),
            checks=self._counts.checks,
            bad_integrity=self._counts.bad_integrity,
            moves=self._counts.moves,
            transport=self._transport.statistics(),
            source=self.source.statistics() if self.source else None,
            slots=tuple(slot.statistics() for slot in self.slots),
        )

    def tick(self) -> None:
        """Look after signs of life and send reports; the plane calls this each second."""
        if self._is_closed:
            return
        quiet_s = self._site.clock() - self._last_check
        if quiet_s >= GONE_AFTER_S:
            self._fail(f"the device gave no sign of life for {GONE_AFTER_S:.0f} s")
        elif quiet_s >= SILENT_AFTER_S and self._transport.is_secured and not self._is_silent:
            self._is_silent = True
            self._set_slots()
            self._on_event(LegSilent())
        elif self._may_send():
            self._send_reports()

    def receive_stun(self, message: stun.Message, address: Address) -> bool:
        """Take one check that bears this leg's user name; return False if it is refused."""
        previous = self._agent.previous
        verdict = self._agent.judge(message, address)
        if not verdict.authentic:
            self._note_bad_integrity(address)
            return False
        if previous is not None and self._agent.previous is None:
            self._site.router.remove(previous.ufrag)
        if verdict.is_fresh:
            if not self._adopt(address, select=verdict.nominates):
                return False
            self._note_sign_of_life()
        elif not self._transport.has_adopted(address):
            return False  # replayed by somebody else
        self._counts.checks += 1
        self._site.mux.send(verdict.answer, address)
        return True

    def on_secured(self) -> None:
        """Let media flow if admitted: the device showed the right certificate."""
        self._set_slots()
        self._on_event(LegConnected())

    def on_mismatch(self, found: bytes) -> None:
        """Close and say so everywhere: the device showed another certificate."""
        expected = self._expected_certificate or (self._offer.fingerprint if self._offer else b"")
        self.close()
        self._report_mismatch(expected, found)

    def on_transport_failed(self, reason: str) -> None:
        """Close: the handshake broke, or the device said goodbye."""
        self._fail(reason)

    def on_rtp(self, data: bytes) -> None:
        """Hand one packet of the device to its source, if the leg is admitted."""
        source = self.source
        if source is None:
            # Decrypted all the same: libsrtp has to follow the sequence across its wrap.
            self._counts.refused["armed"] += 1
            return
        try:
            packet = parse_rtp_untrusted(data)
        except MalformedError:
            self._counts.refused["malformed"] += 1
            return
        if self._stream is None:
            self._stream = packet.ssrc
        if packet.ssrc != self._stream or packet.payload_type != self._payload_type:
            self._counts.refused["stream"] += 1
            return
        source.feed(packet)

    def on_rtcp(self, data: bytes) -> None:
        """Take one compound report of the device."""
        if self.source is None:
            self._counts.refused["armed"] += 1
            return
        try:
            packets = parse_rtcp_untrusted(data)
        except MalformedError:
            self._counts.refused["malformed"] += 1
            return
        for packet in packets:
            self._take_report(packet, self.source)

    def _take_report(self, packet: RtcpPacket, source: Source) -> None:
        match packet:
            case SenderReport(ssrc=ssrc, ntp=ntp, blocks=blocks):
                if ssrc == self._stream:
                    source.note_sender_report(ntp)
                self._take_blocks(blocks)
            case ReceiverReport(blocks=blocks):
                self._take_blocks(blocks)
            case SourceDescription() | Goodbye():
                return  # who is here and who has left is signalling's to say

    def _take_blocks(self, blocks: tuple[ReportBlock, ...]) -> None:
        for block in blocks:
            for slot in self.slots:
                if slot.ssrc == block.ssrc:
                    slot.receive_report(block)

    def _make_streams(self, offer: Offer) -> None:
        sending = next(section for section in offer.sections if section.sends)
        self._stream, self._payload_type = sending.ssrc, sending.payload_type
        ssrcs: set[int] = set()
        hearing = [section for section in offer.sections if not section.sends]
        while len(ssrcs) < len(hearing):
            ssrcs.add(secrets.randbits(31) | 1)
        self.slots = tuple(
            Slot(ssrc, section.payload_type, self._transport.send_rtp)
            for ssrc, section in zip(ssrcs, hearing, strict=True)
        )

    def _format_answer(self, offer: Offer) -> str:
        ssrcs = iter([slot.ssrc for slot in self.slots])
        sections = tuple(
            AnswerSection(s.mid, s.payload_type, None if s.sends else next(ssrcs))
            for s in offer.sections
        )
        self._version += 1
        site = self._site
        return format_answer(
            Answer(
                self._agent.local,
                site.identity.certificate_sha256,
                site.hosts,
                site.mux.port,
                sections,
            ),
            session_id=self._session_id,
            version=self._version,
            cname=site.cname,
        )

    def _refuse_other_certificate(self, offer: Offer) -> None:
        expected = self._expected_certificate
        if expected is None and self._offer is not None:
            expected = self._offer.fingerprint
        if expected is None or offer.fingerprint == expected:
            return
        self.close()
        self._report_mismatch(expected, offer.fingerprint)
        raise PinError(
            "the device's description bears another certificate than the call's entry",
            advice="Open the call's page again and ring or answer anew.",
        )

    def _report_mismatch(self, expected: bytes, found: bytes) -> None:
        self._site.audit(
            "audit.media.fingerprint-mismatch", expected=expected.hex(), found=found.hex()
        )
        self._on_event(FingerprintMismatch(expected.hex(), found.hex()))

    def _adopt(self, address: Address, *, select: bool) -> bool:
        before = self._transport.address
        if not self._transport.adopt(address, select=select):
            return False
        if before is not None and self._transport.address != before:
            self._counts.moves += 1
        return True

    def _note_bad_integrity(self, address: Address) -> None:
        self._counts.bad_integrity += 1
        count = self._counts.bad_integrity
        if str(count).strip("0") == "1":  # 1, 10, 100, …: a flood must not fill the audit file
            self._site.audit("audit.media.bad-integrity", address=address[0], count=count)
            self._on_event(BadIntegrity(count))

    def _note_sign_of_life(self) -> None:
        self._last_check = self._site.clock()
        if self._is_silent:
            self._is_silent = False
            self._set_slots()
            self._on_event(LegResumed())

    def _may_send(self) -> bool:
        return self._is_admitted and not self._is_silent and self._transport.is_secured

    def _set_slots(self) -> None:
        for slot in self.slots:
            if self._may_send():
                slot.open()
            else:
                slot.close()

    def _send_reports(self) -> None:
        clock = self._site.clock()
        ntp = ntp_from_utc(self._site.utc())
        reports: list[RtcpPacket] = []
        block = self.source.report() if self.source else None
        if block is not None:
            reports.append(ReceiverReport(self.slots[0].ssrc, (block,)))
        for slot in self.slots:
            report = slot.sender_report(clock, ntp)
            if report is not None:
                reports += [report, SourceDescription(slot.ssrc, self._site.cname)]
        if reports:
            self._transport.send_rtcp(format_rtcp(reports))

    def _fail(self, reason: str) -> None:
        if self._is_closed:
            return
        self.close()
        self._on_event(LegFailed(reason))

    def _state(self) -> str:
        if self._is_closed:
            return "closed"
        if self._is_silent:
            return "silent"
        if not self._transport.is_secured:
            return "new" if self._offer is None else "checking"
        return "admitted" if self._is_admitted else "armed"


def _shape(section: OfferSection) -> tuple[str, bool, int]:
    return section.mid, section.sends, section.payload_type

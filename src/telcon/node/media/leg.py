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
from dataclasses import dataclass

from aioice import stun

from telcon.errors import MalformedError, MisuseError, PinError
from telcon.node.media.dtls import DtlsIdentity
from telcon.node.media.events import (
    Audit,
    BadIntegrity,
    FingerprintMismatch,
    LegConnected,
    LegEvent,
    LegFailed,
    LegResumed,
    LegSilent,
)
from telcon.node.media.ice import LiteAgent, StunRouter
from telcon.node.media.mux import Address, UdpMux
from telcon.node.media.rtcp import format_rtcp, ntp_from_utc
from telcon.node.media.sdp import (
    Answer,
    Offer,
    OfferSection,
    RedFormat,
    format_answer,
    parse_offer_untrusted,
)
from telcon.node.media.slot import Slot, SlotStatistics
from telcon.node.media.source import Source, SourceStatistics
from telcon.node.media.streams import LegStreams
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
        self._streams: LegStreams | None = None
        self._session_id = secrets.randbits(62)
        self._version = 0
        self._last_check = site.clock()
        self._is_silent = self._is_closed = False
        self._checks = self._bad_integrity = self._moves = 0

    @property
    def source(self) -> Source | None:
        """Return what the device publishes; None unless the leg is admitted."""
        return self._streams.source if self._streams else None

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Return where the device hears; none before the first answer."""
        return self._streams.slots if self._streams else ()

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
        expected = self._expected_certificate or offer.fingerprint
        self._refuse_other_certificate(offer, expected)
        self._offer = offer
        self._last_check = self._site.clock()
        self._transport.expect(offer.fingerprint, expected)
        self._agent.set_remote(offer.credentials)
        self._site.router.add(self._agent.local.ufrag, self)
        self._streams = LegStreams(
            offer, self._transport, cname=self._site.cname, clock=self._site.clock
        )
        if self._streams.announced_ssrc is not None:
            self._transport.follow(self._streams.announced_ssrc)
        return self._format_answer(offer, self._streams)

    def restart(self, offer_sdp: str) -> str:
        """Give new ICE credentials to the same device; keys, streams and slots stay.

        Raises:
            MalformedError: the offer cannot be read, or differs in more than its credentials.
            PinError: it bears another fingerprint than the first offer; the leg has closed.
            MisuseError: there was no first offer, or the leg is closed.
        """
        if self._offer is None or self._streams is None or self._is_closed:
            raise MisuseError("there is nothing to restart")
        offer = parse_offer_untrusted(offer_sdp)
        self._refuse_other_certificate(offer, self._offer.fingerprint)
        if [_shape(s) for s in offer.sections] != [_shape(s) for s in self._offer.sections]:
            raise MalformedError("a restart must offer the same sections as before")
        self._offer = offer
        if self._agent.previous is not None:
            self._site.router.remove(self._agent.previous.ufrag)
        self._agent.restart(offer.credentials)
        self._site.router.add(self._agent.local.ufrag, self)
        return self._format_answer(offer, self._streams)

    def admit(self) -> Source:
        """Open the leg for media both ways and return what the device publishes.

        Raises:
            MisuseError: the leg has not answered yet, or is closed.
        """
        if self._is_closed or self._streams is None:
            raise MisuseError("only a leg that has answered can be admitted")
        source = self._streams.admit()
        self._streams.set_flowing(flows=self._may_flow())
        return source

    def dismiss(self) -> None:
        """Cut media both ways at once; the leg stays armed and can be admitted again."""
        if self._streams is not None:
            self._streams.dismiss()

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
            refused=self._streams.refused() if self._streams else {},
            checks=self._checks,
            bad_integrity=self._bad_integrity,
            moves=self._moves,
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
            self._set_silent(silent=True)
            self._on_event(LegSilent())
        else:
            self.report()

    def report(self) -> None:
        """Send reports now; for news that should not wait for the next second."""
        if self._is_closed or self._streams is None or not self._may_flow():
            return
        reports = self._streams.reports(ntp_from_utc(self._site.utc()))
        if reports:
            self._transport.send_rtcp(format_rtcp(reports))

    # -- what ice.StunRouter and transport.SecureTransport call

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
        self._checks += 1
        self._site.mux.send(verdict.answer, address)
        return True

    def on_secured(self) -> None:
        """Let media flow if admitted: the device showed the right certificate."""
        if self._streams is not None:
            self._streams.set_flowing(flows=self._may_flow())
        self._on_event(LegConnected())

    def on_mismatch(self, found: bytes) -> None:
        """Close and say so everywhere: the device showed another certificate."""
        announced = self._offer.fingerprint if self._offer else b""
        self.close()
        self._report_mismatch(self._expected_certificate or announced, found)

    def on_transport_failed(self, reason: str) -> None:
        """Close: the handshake broke, or the device said goodbye."""
        self._fail(reason)

    def on_rtp(self, data: bytes) -> None:
        """Take one authenticated packet of the device."""
        if self._streams is not None:
            self._streams.receive_rtp(data)

    def on_rtcp(self, data: bytes) -> None:
        """Take one authenticated compound report of the device."""
        if self._streams is not None:
            self._streams.receive_rtcp(data)

    # -- steps

    def _format_answer(self, offer: Offer, streams: LegStreams) -> str:
        self._version += 1
        site = self._site
        answer = Answer(
            credentials=self._agent.local,
            fingerprint=site.identity.certificate_sha256,
            hosts=site.hosts,
            port=site.mux.port,
            sections=streams.answer_sections(offer),
        )
        return format_answer(
            answer, session_id=self._session_id, version=self._version, cname=site.cname
        )

    def _refuse_other_certificate(self, offer: Offer, expected: bytes) -> None:
        if offer.fingerprint == expected:
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
            self._moves += 1
        return True

    def _note_bad_integrity(self, address: Address) -> None:
        self._bad_integrity += 1
        count = self._bad_integrity
        if str(count).strip("0") == "1":  # 1, 10, 100, …: a flood must not fill the audit file
            self._site.audit("audit.media.bad-integrity", address=address[0], count=count)
            self._on_event(BadIntegrity(count))

    def _note_sign_of_life(self) -> None:
        self._last_check = self._site.clock()
        if self._is_silent:
            self._set_silent(silent=False)
            self._on_event(LegResumed())

    def _set_silent(self, *, silent: bool) -> None:
        self._is_silent = silent
        if self._streams is not None:
            self._streams.set_flowing(flows=self._may_flow())

    def _may_flow(self) -> bool:
        return self.source is not None and not self._is_silent and self._transport.is_secured

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
        return "armed" if self.source is None else "admitted"


def _shape(section: OfferSection) -> tuple[str, bool, int, RedFormat | None]:
    return section.mid, section.sends, section.payload_type, section.red

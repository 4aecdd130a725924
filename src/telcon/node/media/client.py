"""A device without a browser: the client's end of a leg, for scripted devices and load tests.

It shares everything with the node's end that both ends need (transport, sources, packet formats)
and adds what only a device does: it offers, sends the checks, begins the handshake, and speaks.
Real UDP, one socket a device.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
import time
from collections.abc import Callable

from aioice import stun

from telcon.errors import MalformedError, MisuseError, NetworkError
from telcon.node.media.dtls import DtlsIdentity
from telcon.node.media.events import FingerprintMismatch, LegConnected, LegEvent, LegFailed
from telcon.node.media.history import History
from telcon.node.media.ice import ControllingAgent, StunRouter
from telcon.node.media.mux import Address, UdpMux
from telcon.node.media.redundancy import RedReceiver, Wrapper
from telcon.node.media.rtcp import (
    Nack,
    ReceiverReport,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    format_rtcp,
    ntp_from_utc,
    parse_rtcp_untrusted,
)
from telcon.node.media.rtp import RtpPacket, format_rtp, parse_rtp_untrusted
from telcon.node.media.sdp import (
    SLOT_COUNT,
    Offer,
    OfferSection,
    RedFormat,
    format_offer,
    parse_answer_untrusted,
)
from telcon.node.media.source import Source
from telcon.node.media.transport import SecureTransport, TransportStatistics

__all__ = ["DeviceLeg"]

CHECK_EVERY_S = 0.05
"""Until the first answer (RFC 8445 §14.2)."""

CONSENT_EVERY_S = 2.5
"""After it; RFC 7675 asks for about five."""

_REPORT_EVERY_S = 1.0
_PAYLOAD_TYPE = 111
_RED = RedFormat(63, 1)
"""As Chromium offers it."""


class DeviceLeg:
    """One scripted device: `offer`, `accept`, `wait_connected`, then `send_opus`."""

    def __init__(
        self,
        on_packet: Callable[[int, RtpPacket], None],
        on_event: Callable[[LegEvent], None] | None = None,
        *,
        host: str = "127.0.0.1",
        first_sequence: int | None = None,
        identity: DtlsIdentity | None = None,
        speaks_red: bool = True,
    ) -> None:
        """Open a socket on `host` within the running loop; `on_packet` gets slot and packet.

        `first_sequence` sets where the RTP numbering starts. `identity` saves making a key for
        each of many devices. One that does not speak RED is as Firefox, else as Chromium.
        """
        self._on_packet = on_packet
        self._on_event = on_event
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._identity = identity or DtlsIdentity()
        self._router = StunRouter()
        self._mux = UdpMux.open(host, 0, self._router.receive)
        self._agent = ControllingAgent()
        session = self._identity.open_session(is_client=True)
        self._transport = SecureTransport(self._mux, session, self)
        self._node: Address | None = None
        self._version = 0
        self._has_started = self._is_closed = False
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._outcome: asyncio.Future[None] = self._loop.create_future()
        self._red = _RED if speaks_red else None
        self._wrapper = Wrapper()
        self._sends_red = False
        self._receivers: dict[int, RedReceiver] = {}
        self._slots: dict[int, int] = {}
        self._heard: dict[int, Source] = {}
        self.ssrc = secrets.randbits(31) | 1
        self._sequence = secrets.randbelow(0x8000) if first_sequence is None else first_sequence
        self._timestamp = secrets.randbits(32)
        self._packets = self._octets = 0
        self._history = History()
        self.answered_checks = 0
        self.reports: list[RtcpPacket] = []
        """The last compound report of the node."""

    @property
    def certificate_sha256(self) -> bytes:
        """Return the hash that goes into the ring, answer or join entry."""
        return self._identity.certificate_sha256

    def offer(self) -> str:
        """Return the first offer, or after a `restart` the next one."""
        self._version += 1
        sections = tuple(
            OfferSection(
                str(number),
                number == 0,
                _PAYLOAD_TYPE,
                self.ssrc if not number else None,
                self._red,
            )
            for number in range(1 + SLOT_COUNT)
        )
        offer = Offer(self._agent.local, self.certificate_sha256, sections)
        return format_offer(offer, session_id=1, version=self._version)

    def accept(self, answer_sdp: str) -> None:
        """Take the node's answer and begin to connect.

        Raises:
            MalformedError: the answer cannot be read.
        """
        answer = parse_answer_untrusted(answer_sdp)
        self._agent.remote = answer.credentials
        self._node = (answer.hosts[0], answer.port)
        self._transport.expect(answer.fingerprint)
        self._sends_red = any(one.red for one in answer.sections if one.ssrc is None)
        for section in answer.sections:
            if section.ssrc is not None and section.ssrc not in self._slots:
                self._hear(section.ssrc, section.red)
        self.answered_checks = 0
        self._check()

    def restart(self) -> str:
        """Return an offer with new ICE credentials, as a browser makes after `restartIce`.

        Checks stop until `accept`: the old ones would bear a user name that mixes both.
        """
        self._timers["check"].cancel()
        self._agent.restart()
        return self.offer()

    async def wait_connected(self, timeout_s: float = 5.0) -> None:
        """Return once packets can flow.

        Raises:
            NetworkError: the connection failed, or took longer than `timeout_s`.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(self._outcome)
        except TimeoutError as error:
            raise NetworkError(f"no connection to the node within {timeout_s} s") from error

    def send_opus(self, payload: bytes, *, ticks: int = 960, marker: bool = False) -> None:
        """Send one Opus packet of `ticks` of 1/48000 s; the next one follows it in time.

        Raises:
            MisuseError: not connected.
        """
        packet = RtpPacket(
            _PAYLOAD_TYPE, marker, self._sequence, self._timestamp, self.ssrc, payload
        )
        self._wrapper.take(packet)
        if self._sends_red:
            wrapped = self._wrapper.wrapped(_PAYLOAD_TYPE, _RED.depth)
            if wrapped is not None:
                packet = packet._replace(payload_type=_RED.payload_type, payload=wrapped)
        sealed = self._transport.send_rtp(format_rtp(packet))
        self._history.keep(self._sequence, sealed)
        self.skip(ticks=ticks)
        self._packets += 1
        self._octets += len(payload)

    def skip(self, *, ticks: int = 960) -> None:
        """Go on numbering as if a packet had been sent and lost."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + ticks) & 0xFFFF_FFFF

    def send_report(self) -> None:
        """Send what was heard and sent now, instead of waiting for the second to pass."""
        blocks = tuple(block for source in self._heard.values() if (block := source.report()))
        report: RtcpPacket = ReceiverReport(self.ssrc, blocks)
        if self._packets:
            ntp = ntp_from_utc(time.time())
            report = SenderReport(
                self.ssrc, ntp, self._timestamp, self._packets, self._octets, blocks
            )
        self._transport.send_rtcp(format_rtcp([report, SourceDescription(self.ssrc, "device")]))

    def move(self) -> None:
        """Go on from another port, as a device does that changes its network."""
        before, self._mux = self._mux, UdpMux.open(self._host, 0, self._router.receive)
        self._transport.move_to(self._mux)
        before.close()
        self.answered_checks = 0
        self._check()

    def statistics(self) -> TransportStatistics:
        """Return the counts so far."""
        return self._transport.statistics()

    def close(self) -> None:
        """Say goodbye and close the socket. Can be called again."""
        if self._is_closed:
            return
        self._is_closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._transport.close()
        self._mux.close()
        self._outcome.cancel()

    def receive_stun(self, message: stun.Message, address: Address) -> bool:
        """Take the answer to a check."""
        if not self._agent.is_answer(message) or not self._transport.adopt(address, select=True):
            return False
        self.answered_checks += 1
        self._call_later("check", CONSENT_EVERY_S, self._check)
        if not self._has_started:
            self._has_started = True
            self._transport.start()
        return True

    def on_secured(self) -> None:
        """Begin to report: the node showed the certificate that its answer announced."""
        self._call_later("report", _REPORT_EVERY_S, self._report)
        if not self._outcome.done():
            self._outcome.set_result(None)
        self._tell(LegConnected())

    def on_mismatch(self, found: bytes) -> None:
        """Give up: the node showed another certificate."""
        self._fail("the node showed another certificate than it announced")
        self._tell(FingerprintMismatch("", found.hex()))

    def on_transport_failed(self, reason: str) -> None:
        """Give up: the handshake broke, or the node said goodbye."""
        self._fail(reason)
        self._tell(LegFailed(reason))

    def on_rtp(self, data: bytes) -> None:
        """Hand one packet to the script, with the slot it came in."""
        packet = parse_rtp_untrusted(data)
        if packet.ssrc not in self._slots:
            raise MalformedError(f"a packet of stream {packet.ssrc} that no answer announced")
        receiver = self._receivers.get(packet.ssrc)
        if receiver is not None:
            receiver.receive(packet)
        else:
            self._heard[packet.ssrc].feed(packet)
        wanted = self._heard[packet.ssrc].wanted()
        if wanted:
            nack = Nack(self.ssrc, packet.ssrc, tuple(wanted))
            self._transport.send_rtcp(format_rtcp([ReceiverReport(self.ssrc), nack]))

    def on_rtcp(self, data: bytes) -> None:
        """Send again what the node misses; keep its report, for a test to look at."""
        packets = list(parse_rtcp_untrusted(data))
        asked = [one for packet in packets if isinstance(packet, Nack) for one in packet.sequences]
        for sequence in asked:
            if (sealed := self._history.again(sequence)) is not None:
                self._transport.send_again(sealed)
        if not asked:
            self.reports = packets
        for report in packets:
            if isinstance(report, SenderReport) and report.ssrc in self._heard:
                self._heard[report.ssrc].note_sender_report(report.ntp)

    def _hear(self, ssrc: int, red: RedFormat | None) -> None:
        slot = self._slots[ssrc] = len(self._slots)
        source = self._heard[ssrc] = Source()
        source.add_tap(functools.partial(self._on_packet, slot))
        if red is not None:
            self._receivers[ssrc] = RedReceiver(
                source, red_type=red.payload_type, opus_type=_PAYLOAD_TYPE
            )

    def _check(self) -> None:
        if self._node is None:
            raise MisuseError("checks need the node's answer")
        message = self._agent.check()
        self._router.expect(message.transaction_id, self)
        self._mux.send(bytes(message), self._node)
        wait_s = CONSENT_EVERY_S if self.answered_checks else CHECK_EVERY_S
        self._call_later("check", wait_s, self._check)

    def _report(self) -> None:
        self._call_later("report", _REPORT_EVERY_S, self._report)
        if self._transport.is_secured:
            self.send_report()

    def _call_later(self, name: str, delay_s: float, call: Callable[[], None]) -> None:
        timer = self._timers.get(name)
        if timer is not None:
            timer.cancel()
        self._timers[name] = self._loop.call_later(delay_s, call)

    def _fail(self, reason: str) -> None:
        for timer in self._timers.values():
            timer.cancel()
        if not self._outcome.done():
            self._outcome.set_exception(NetworkError(reason))
            self._outcome.exception()  # seen, also when nobody waits

    def _tell(self, event: LegEvent) -> None:
        if self._on_event is not None:
            self._on_event(event)

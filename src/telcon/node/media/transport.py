"""The protected way to one peer: DTLS over the mux, then SRTP both ways, the same at both ends.

A transport is told by ICE which addresses are verified. It drives the handshake and its timer,
compares the certificate that was shown with every hash it was told to expect, and only then has
keys: until that moment nothing can be sent and nothing arrives. What a packet means is its owner's.

A peer whose address changes is heard at once, for its packets authenticate; what it is sent goes to
the old address and, on trial for some seconds, to the new one as well, until a check from there has
verified it. So nobody who sends copies of its packets from elsewhere can take its sound away.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from telcon.errors import MisuseError, PeerError, SrtpError
from telcon.node.media.dtls import DtlsSession
from telcon.node.media.mux import Address, UdpMux
from telcon.node.media.srtp import Protector, Unprotector

__all__ = ["SecureTransport", "TransportOwner", "TransportStatistics"]

MAX_ADDRESSES = 4
"""Verified addresses of one peer kept bound at once; the one unused longest gives way."""

TRIAL_S = 5.0
"""For so long an address is also sent to from which authentic packets came, but no check yet: two
checks of a browser. Once for each address."""

MAX_TRIALS = 8
"""Addresses remembered as tried."""

MAX_STREAMS = 8
"""SSRCs that a peer may send packets as, and as many for reports: each costs memory in libsrtp."""


class TransportOwner(Protocol):
    """What a transport tells, each from within the event loop."""

    def on_secured(self) -> None:
        """Know that the peer is who it should be; packets flow from now on."""

    def on_mismatch(self, found: bytes) -> None:
        """Know that the peer showed another certificate, of this SHA-256; all is closed."""

    def on_transport_failed(self, reason: str) -> None:
        """Know that the handshake broke, or the peer said goodbye; the transport has closed."""

    def on_rtp(self, data: bytes) -> None:
        """Take one authenticated RTP packet."""

    def on_rtcp(self, data: bytes) -> None:
        """Take one authenticated compound RTCP packet."""


@dataclass(frozen=True, slots=True)
class TransportStatistics:
    """What one transport has carried and refused."""

    received: int
    """Packets that authenticated."""
    forged: int
    """Packets that did not, replayed ones and those of too many streams included."""
    too_early: int
    """Packets that came before there were keys."""
    sent: int
    addresses: int
    """Verified and bound now."""


class SecureTransport:
    """DTLS-SRTP with one peer."""

    def __init__(self, mux: UdpMux, session: DtlsSession, owner: TransportOwner) -> None:
        """Carry `session` over `mux`; ICE has to `adopt` an address first."""
        self._mux = mux
        self._session = session
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._expected: tuple[bytes, ...] = ()
        self._addresses: OrderedDict[Address, None] = OrderedDict()
        self._protector: Protector | None = None
        self._unprotector: Unprotector | None = None
        self._media_ssrcs: set[bytes] = set()
        self._report_ssrcs: set[bytes] = set()
        self._received = self._forged = self._too_early = self._sent = 0
        self._stream: int | None = None
        self._trial: Address | None = None
        self._trial_until = 0.0
        self._tried: OrderedDict[Address, None] = OrderedDict()
        self.address: Address | None = None
        self.is_closed = False

    @property
    def is_secured(self) -> bool:
        """Return whether packets can flow."""
        return self._protector is not None and not self.is_closed

    def expect(self, *certificates_sha256: bytes) -> None:
        """Accept only a peer whose certificate has every one of these hashes; at least one."""
        if not certificates_sha256 or any(len(value) != 32 for value in certificates_sha256):
            raise MisuseError("a transport expects at least one SHA-256 of 32 octets")
        self._expected = certificates_sha256

    def follow(self, ssrc: int) -> None:
        """Take packets of the peer's stream `ssrc` from any address, once they authenticate."""
        self._stream = ssrc
        self._mux.register_ssrc(ssrc >> 8, self)

    def adopt(self, address: Address, *, select: bool) -> bool:
        """Take packets from `address`, which a check has verified, and `select` it for sending.

        Returns False, and changes nothing, if the address belongs to another leg.
        """
        if self.is_closed or not self._mux.bind(address, self):
            return False
        self._addresses[address] = None
        self._addresses.move_to_end(address)
        if select or self.address is None:
            self.address = address
        if address == self._trial:
            self._trial = None
        if len(self._addresses) > MAX_ADDRESSES:
            oldest = next(a for a in self._addresses if a not in (self.address, address))
            del self._addresses[oldest]
            self._mux.unbind(oldest, self)
        return True

    def has_adopted(self, address: Address) -> bool:
        """Return whether packets are taken from `address`."""
        return address in self._addresses

    def start(self) -> None:
        """Begin the handshake as its client, once an address is adopted."""
        self._advance(self._session.start)

    def move_to(self, mux: UdpMux) -> None:
        """Go on over another socket, as a device does that changes its network."""
        for address in self._addresses:
            self._mux.unbind(address, self)
        self._mux = mux
        for address in self._addresses:
            mux.bind(address, self)

    def receive_dtls(self, data: bytes) -> None:
        """Take one datagram of the handshake."""
        if not self.is_closed:
            self._advance(lambda: self._session.receive(data))

    def receive_srtp(self, data: bytes) -> None:
        """Authenticate one packet and hand it to the owner."""
        if self._unprotector is None:
            self._too_early += 1
            return
        ssrc, known = data[8:12], self._media_ssrcs
        if ssrc not in known and len(known) >= MAX_STREAMS:
            self._forged += 1
            return
        try:
            packet = self._unprotector.unprotect(data)
        except SrtpError:
            self._forged += 1
            return
        known.add(ssrc)
        self._received += 1
        self._owner.on_rtp(packet)

    def receive_unbound(self, data: bytes, address: Address, *, is_rtcp: bool) -> bool:
        """Take a packet of the followed stream from an address that nobody has verified yet."""
        start = 4 if is_rtcp else 8
        is_followed = int.from_bytes(data[start : start + 4], "big") == self._stream
        if self._unprotector is None or not is_followed:
            return False
        try:
            if is_rtcp:
                self._owner.on_rtcp(self._unprotector.unprotect_rtcp(data))
            else:
                self._owner.on_rtp(self._unprotector.unprotect(data))
        except SrtpError:
            return False
        self._received += not is_rtcp
        self._try(address)
        return True

    def _try(self, address: Address) -> None:
        if address in self._tried:
            return
        self._tried[address] = None
        if len(self._tried) > MAX_TRIALS:
            self._tried.popitem(last=False)
        self._trial, self._trial_until = address, self._loop.time() + TRIAL_S

    def receive_srtcp(self, data: bytes) -> None:
        """Authenticate one report and hand it to the owner."""
        if self._unprotector is None:
            self._too_early += 1
            return
        ssrc, known = data[4:8], self._report_ssrcs
        if ssrc not in known and len(known) >= MAX_STREAMS:
            self._forged += 1
            return
        try:
            packet = self._unprotector.unprotect_rtcp(data)
        except SrtpError:
            self._forged += 1
            return
        known.add(ssrc)
        self._owner.on_rtcp(packet)

    def send_rtp(self, packet: bytes) -> bytes:
        """Encrypt and send one packet, and return it encrypted; without keys it is a misuse."""
        if self._protector is None or self.address is None:
            raise MisuseError("media was to be sent before the peer was verified")
        sealed = self._protector.protect(packet)
        self._mux.send(sealed, self.address)
        self._sent += 1
        if self._trial is not None:
            self._send_on_trial(sealed)
        return sealed

    def _send_on_trial(self, sealed: bytes) -> None:
        if self._trial is not None and self._loop.time() < self._trial_until:
            self._mux.send(sealed, self._trial)
        else:
            self._trial = None

    def send_again(self, sealed: bytes) -> None:
        """Send what `send_rtp` returned once more; to a peer that is gone nothing is sent."""
        if self.address is not None and not self.is_closed:
            self._mux.send(sealed, self.address)
            if self._trial is not None:
                self._send_on_trial(sealed)

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send one compound report."""
        if self._protector is None or self.address is None:
            raise MisuseError("a report was to be sent before the peer was verified")
        self._mux.send(self._protector.protect_rtcp(packet), self.address)

    def statistics(self) -> TransportStatistics:
        """Return the counts so far."""
        return TransportStatistics(
            received=self._received,
            forged=self._forged,
            too_early=self._too_early,
            sent=self._sent,
            addresses=len(self._addresses),
        )

    def close(self) -> None:
        """Say goodbye, forget the keys, take nothing more. Can be called again."""
        if self.is_closed:
            return
        self._session.close()
        self._send_handshake()
        self.is_closed = True
        self._protector = self._unprotector = None
        if self._timer is not None:
            self._timer.cancel()
        for address in self._addresses:
            self._mux.unbind(address, self)
        self._addresses.clear()
        self._trial = None
        if self._stream is not None:
            self._mux.unregister_ssrc(self._stream >> 8, self)

    def _advance(self, step: Callable[[], None]) -> None:
        """Do one step of the handshake, send what it makes, and look where it has led."""
        try:
            step()
            if self._session.is_established and self._protector is None:
                self._conclude()
            else:
                self._send_handshake()
        except PeerError as error:
            self._end(str(error))
            return
        if self._session.is_closed and not self.is_closed:
            self._end("the other side said goodbye")
        elif not self.is_closed:
            self._schedule()

    def _conclude(self) -> None:
        # The handshake alone proves nothing: each side signed its certificate itself. So this is
        # looked at before our last flight goes out, and a wrong peer never gets a connection.
        found = self._session.peer_certificate_sha256
        if not self._expected or any(found != expected for expected in self._expected):
            self._session.datagrams_to_send()  # thrown away
            self.close()
            self._owner.on_mismatch(found)
            return
        self._send_handshake()
        secrets = self._session.secrets()
        self._protector = Protector(secrets.profile, secrets.local)
        self._unprotector = Unprotector(secrets.profile, secrets.remote)
        self._owner.on_secured()

    def _send_handshake(self) -> None:
        datagrams = self._session.datagrams_to_send()
        if self.address is not None:
            for datagram in datagrams:
                self._mux.send(datagram, self.address)

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        timeout_s = self._session.timeout_s()
        if timeout_s is not None:
            self._timer = self._loop.call_later(timeout_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._advance(self._session.handle_timeout)

    def _end(self, reason: str) -> None:
        self.close()
        self._owner.on_transport_failed(reason)

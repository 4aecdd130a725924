"""The trunk: one call's media between two nodes, SRTP keyed over the link (protocol.md §6).

Each side makes the key for what it sends and signals it, so there is no handshake: that a packet
authenticates is the only proof of who is at an address. The index of a track's packets is counted
here, where they are forwarded. Its low 16 bits are the RTP sequence number, from 0, so libsrtp's
rollover counter is the rest of the index on both sides.

Both sides send reports to every address the other signalled until one answers; a side behind a
firewall is found by what it sends itself. Media goes where an authentic packet has come from, and
to the signalled addresses for the first second alone, so that no first word waits for a round trip:
they are the peer's word, and whoever is there may have asked for nothing. For the same reason an
address has to send back a number: before it has, it gets a bounded number of packets, and the
address that was proven before it gets them as well, so that copies of packets, sent on faster from
elsewhere, take nothing away.

To a peer that says it reads RED, each packet carries the two that were forwarded before it, so that
what is lost is there 20 ms later without being asked for. Always, not only under loss: that way all
packets of a voice at a constant rate are of one size. The trunk owns neither
socket nor timer: the mux gives it datagrams, and the caller calls `handle_deadline` when
`next_deadline` has come.
"""

import ipaddress
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from telcon.core.signals import TrunkSignal
from telcon.errors import MalformedError, MisuseError, SrtpError
from telcon.node.media.mux import Address, UnboundReceiver
from telcon.node.media.red import RedBlock, parse_red_untrusted
from telcon.node.media.redundancy import DEPTH
from telcon.node.media.rtcp import (
    Nack,
    PathCheck,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    TakesRedundancy,
    format_rtcp,
    middle_of_ntp,
    ntp_from_utc,
    parse_rtcp_untrusted,
)
from telcon.node.media.rtp import (
    HEADER_BYTES,
    RtpPacket,
    format_rtp,
    parse_rtp_untrusted,
)
from telcon.node.media.srtp import AEAD_AES_256_GCM, MAX_PACKET_BYTES, Protector, Unprotector
from telcon.node.media.tracks import Forwarded, IncomingTrack, OutgoingTrack

__all__ = ["Trunk", "TrunkPort", "TrunkStatistics", "TrunkUser"]

PAYLOAD_TYPE = 111
"""Of Opus on every trunk (protocol.md §6)."""

RED_PAYLOAD_TYPE = 112
"""Of RED around it, to a peer that takes it."""

REPORT_S = 1.0
"""Between reports, which also keep firewalls open."""

BURST_S = 0.05
BURST = 3
"""The first reports come close together: one loss must not cost a second of the first words."""

LOST_PATH_S = 2.0
"""Silence after which all signalled addresses are tried again."""

UNANSWERED_S = 1.0
"""For so long media goes to addresses that have not answered yet, once in a call."""

CONSENT_S = 30.0
"""Silence after which no media is sent (RFC 7675 §5.1): nobody there has asked for it."""

MAX_PACKETS_A_SECOND = 2_000
"""Taken of one peer, with a burst of as many: twenty speakers with the shortest usual packets. Each
is forwarded to every listener, so what is beyond is dropped."""

UNPROVEN_PACKETS = 250
"""Sent to addresses that have proven nothing: five seconds of one voice."""

UNPROVEN_FACTOR = 3
"""And so many for each authentic packet from there, as QUIC does."""

_NUMBER_BYTES = 8

_MAX_REPORTED = 16
"""Tracks in one report, each way; more do not fit into a datagram."""

_MAX_PAYLOAD_BYTES = MAX_PACKET_BYTES - HEADER_BYTES
_SRTCP_INDEX_BYTES = 4  # RFC 7714 §9.2: last in the packet; its first bit says "encrypted"


class TrunkUser(Protocol):
    """Whoever has the call's sources and recorder."""

    def receive_packet(
        self, track: int, index: int, timestamp: int, packet: RtpPacket, *, filled: bool
    ) -> None:
        """Take an authentic packet; late ones come too, the same one never twice.

        One that is `filled` was lost on the way and rode along with a newer one.
        """

    def note_overtaken(self, track: int) -> None:
        """Know that a packet of `track` that was filled has come itself."""

    def wanted(self, track: int, round_trip_s: float) -> Sequence[int]:
        """Return the sequence numbers of the other node's `track` to ask for again now."""

    def receive_report(self, track: int, block: ReportBlock) -> None:
        """Take what the other node says of our `track`: the worst loss on its way to a listener."""

    def receive_sender_report(self, track: int, ntp: int) -> None:
        """Take the time of the other node's report on its own `track`."""

    def report_blocks(self) -> Sequence[ReportBlock]:
        """Return what our sources say of the other node's tracks since the last time."""


class TrunkPort(Protocol):
    """The part of `mux.UdpMux` that a trunk needs."""

    def send(self, data: bytes, address: Address) -> None:
        """Send one datagram or lose it."""

    def register_ssrc(self, ssrc_prefix24: int, receiver: UnboundReceiver) -> None:
        """Offer `receiver` what bears this prefix."""

    def unregister_ssrc(self, ssrc_prefix24: int, receiver: UnboundReceiver) -> None:
        """Offer it nothing more."""


@dataclass(frozen=True, slots=True)
class TrunkStatistics:
    """The state of one trunk."""

    address: Address | None
    """Where the other node was heard last; None before."""
    is_proven: bool
    """Whether a number has come back from there."""
    sent: int
    received: int
    lost: int
    """Packets of the other node that should have come, over all tracks."""
    refused: int
    """Forged, altered, under another key, or seen before."""
    malformed: int
    """Authentic, but no RTP or RTCP for this trunk: the other node is at fault."""
    flooded: int
    """Authentic, and more than anybody needs: dropped."""
    filled: int
    """Of those received, the ones that were lost and rode along with newer ones."""
    resent: int
    """Packets of ours that were sent again because it asked for them."""
    round_trip_ms: float | None
    """From its last report; None before."""


class Trunk:
    """One call's media leg to the other node."""

    def __init__(
        self,
        port: TrunkPort,
        user: TrunkUser,
        *,
        key: bytes,
        ssrc_prefix: int,
        clock: Callable[[], float] = time.monotonic,
        utc: Callable[[], float] = time.time,
    ) -> None:
        """Protect with `key`: 44 fresh random octets, never used before, for this call alone.

        `ssrc_prefix` is 24 random bits; `clock` gives monotonic, `utc` wall seconds.

        Raises:
            MisuseError: the key has another length, or the prefix is no 24-bit number.
        """
        if not 0 <= ssrc_prefix < 1 << 24:
            raise MisuseError(f"an SSRC prefix has 24 bits, not {ssrc_prefix:#x}")
        self._port = port
        self._user = user
        self._key = bytearray(key)
        self._prefix = ssrc_prefix
        self._clock = clock
        self._utc = utc
        self._protector: Protector | None = Protector(AEAD_AES_256_GCM, key)
        self._outgoing: dict[int, OutgoingTrack] = {}
        self._incoming: dict[int, IncomingTrack] = {}
        self._peer: _Peer | None = None
        self._address: Address | None = None
        self._proven: Address | None = None
        self._number = b""  # that the unproven address has to send back
        self._unproven_room = UNPROVEN_PACKETS
        self._heard = self._began = clock()
        self._media_began: float | None = None  # when we first forwarded anything
        self._srtcp_index = -1
        self._next_report = 0.0
        self._burst_left = 0
        self._sent = self._resent = self._refused = self._malformed = self._flooded = 0
        self._room = float(MAX_PACKETS_A_SECOND)  # packets that may come now
        self._round_trip_ms: float | None = None
        self._depth = 0  # older packets that the peer takes along with one

    def signal(self, addresses: Iterable[tuple[str, int]]) -> TrunkSignal:
        """Return what the other node has to be told; `addresses` are where our port is reached.

        Raises:
            MisuseError: the trunk is closed.
        """
        if self._protector is None:
            raise MisuseError("a closed trunk has no key to signal")
        return TrunkSignal(bytes(self._key), self._prefix, list(addresses))

    def set_peer(self, peer: TrunkSignal) -> None:
        """Begin, with what the other node signalled; again, to learn of new addresses.

        Reports go out at once the first time; new addresses get the next one, so that nobody can
        make us send more than one a second to whom it likes. That the key is the one sealed in its
        ring or answer is for the caller to check.

        Raises:
            MalformedError: an address that nobody can be at, another key than before, or ours.
            MisuseError: the trunk is closed.
        """
        if self._protector is None:
            raise MisuseError("a closed trunk takes no peer")
        addresses = tuple(_parse_address(host, port) for host, port in peer.addresses)
        digest = sha256(peer.key).digest()
        if self._peer is not None:
            if (self._peer.prefix, self._peer.key_digest) != (peer.ssrc, digest):
                raise MalformedError("the other node changed its trunk's key within one call")
            self._peer.addresses = addresses
            return
        if peer.key == self._key:  # else it could have us hear ourselves
            raise MalformedError("the other node signalled our own key as its own")
        unprotector = Unprotector(AEAD_AES_256_GCM, peer.key)
        self._peer = _Peer(unprotector, peer.ssrc, digest, addresses)
        self._port.register_ssrc(peer.ssrc, self)
        self._heard = self._began = self._clock()
        self._burst_left = BURST
        self.handle_deadline(self._heard)

    def send(self, track: int, timestamp: int, payload: bytes, marker: bool) -> Forwarded | None:
        """Forward one Opus packet of our `track` (1 to 255), `timestamp` in 48 kHz, any wrap.

        Returns None when it was not forwarded, and so has no index and is not to be recorded:
        the other node has not answered within UNANSWERED_S or is silent for CONSENT_S, or the
        packet is too long.
        """
        if self._protector is None or self._peer is None or len(payload) > _MAX_PAYLOAD_BYTES:
            return None
        now = self._clock()
        is_unanswered = self._address is None and now - self._began > UNANSWERED_S
        if is_unanswered or now - self._heard > CONSENT_S or not self._may_send():
            return None
        stream = self._outgoing.get(track)
        if stream is None:
            stream = self._outgoing[track] = OutgoingTrack(self._ssrc(track))
        if self._media_began is None:
            self._media_began = now
        forwarded = stream.count(timestamp, len(payload), self._media_began, now)
        sequence, stamp = forwarded.index & 0xFFFF, forwarded.timestamp & 0xFFFF_FFFF
        packet = RtpPacket(PAYLOAD_TYPE, marker, sequence, stamp, stream.ssrc, payload)
        stream.wrapper.take(packet)
        if self._depth:
            wrapped = stream.wrapper.wrapped(PAYLOAD_TYPE, self._depth)
            if wrapped is not None:
                packet = packet._replace(payload_type=RED_PAYLOAD_TYPE, payload=wrapped)
                stream.octets += len(wrapped) - len(payload)
        sealed = self._protector.protect(format_rtp(packet))
        stream.history.keep(sequence, sealed)
        self._transmit(sealed, everywhere=False)
        self._sent += 1
        return forwarded

    def receive_unbound(self, data: bytes, address: Address, *, is_rtcp: bool) -> bool:
        """Take a datagram from the mux; False if it is not from this call's other node."""
        if self._peer is None:
            return False
        try:
            if is_rtcp:
                plain = self._peer.unprotector.unprotect_rtcp(data)
            else:
                plain = self._peer.unprotector.unprotect(data)
        except SrtpError:
            self._refused += 1
            return False
        if not self._has_room():
            self._flooded += 1
            return True
        try:
            if is_rtcp:
                self._receive_rtcp(data, parse_rtcp_untrusted(plain), address)
            else:
                self._receive_rtp(parse_rtp_untrusted(plain), address)
        except MalformedError:
            self._malformed += 1
        return True

    def _has_room(self) -> bool:
        now = self._clock()
        earned = (now - self._heard) * MAX_PACKETS_A_SECOND
        self._room = min(MAX_PACKETS_A_SECOND, self._room + earned)
        self._heard = now
        if self._room < 1:
            return False
        self._room -= 1
        return True

    def next_deadline(self) -> float | None:
        """Return when `handle_deadline` is due; None while there is nobody to report to."""
        return None if self._peer is None else self._next_report

    def handle_deadline(self, now: float) -> None:
        """Send the reports, to every address that may be right."""
        if self._peer is None or self._protector is None:
            return
        self._burst_left = max(0, self._burst_left - 1)
        self._next_report = now + (BURST_S if self._burst_left else REPORT_S)
        self._send_report(now, everywhere=now - self._heard > LOST_PATH_S)

    def silent_for(self, now: float) -> float:
        """Return for how many seconds nothing authentic has come."""
        return now - self._heard

    def statistics(self) -> TrunkStatistics:
        """Return the counts so far."""
        incoming = self._incoming.values()
        return TrunkStatistics(
            address=self._address,
            is_proven=self._address is not None and self._address == self._proven,
            sent=self._sent,
            received=sum(stream.received for stream in incoming),
            lost=sum(stream.lost for stream in incoming),
            filled=sum(stream.filled for stream in incoming),
            refused=self._refused,
            malformed=self._malformed,
            flooded=self._flooded,
            resent=self._resent,
            round_trip_ms=self._round_trip_ms,
        )

    def close(self) -> None:
        """Send and take nothing more, and erase the keys as far as Python lets us."""
        if self._peer is not None:
            self._port.unregister_ssrc(self._peer.prefix, self)
        self._peer = None
        self._protector = None
        self._key[:] = bytes(len(self._key))

    def _ssrc(self, track: int) -> int:
        if not 1 <= track <= 255:
            raise MisuseError(f"a track is 1 to 255, not {track}")
        return self._prefix << 8 | track

    def _may_send(self) -> bool:
        """Say whether there is an address for media; one that proves nothing has an end."""
        if self._proven is not None or self._address is None:
            return True
        return self._unproven_room > 0

    def _transmit(self, data: bytes, *, everywhere: bool) -> None:
        if self._proven is not None and self._proven != self._address:
            self._port.send(data, self._proven)
        if self._address is not None and (self._address == self._proven or self._spend()):
            self._port.send(data, self._address)
        if self._peer is not None and (everywhere or self._address is None):
            for address in self._peer.addresses:
                if address != self._address:
                    self._port.send(data, address)

    def _spend(self) -> bool:
        self._unproven_room -= 1
        return self._unproven_room >= 0

    def _receive_rtp(self, packet: RtpPacket, address: Address) -> None:
        track = packet.ssrc & 0xFF
        riders: Sequence[RedBlock] = ()
        if packet.payload_type == RED_PAYLOAD_TYPE:
            packet, riders = _unwrap(packet)
        if not track or packet.payload_type != PAYLOAD_TYPE:
            raise MalformedError(f"track {track} with payload type {packet.payload_type}")
        stream = self._incoming.setdefault(track, IncomingTrack())
        index = stream.index(packet.sequence)
        if index < len(riders):
            raise MalformedError(f"packet {index} of track {track} carries {len(riders)} before it")
        if index > stream.highest:
            self._adopt(address)
        for number, rider in enumerate(riders, index - len(riders)):
            self._receive_rider(stream, track, number, packet, rider)
        place = stream.take(index, packet.timestamp)
        if place is not None:
            self._user.receive_packet(track, index, place.timestamp, packet, filled=False)
        elif stream.seen.overtaken(index):
            stream.filled -= 1
            self._user.note_overtaken(track)
        wanted = self._user.wanted(track, (self._round_trip_ms or 0.0) / 1_000)
        if wanted:
            self._ask(packet.ssrc, wanted)

    def _receive_rider(
        self, stream: IncomingTrack, track: int, index: int, packet: RtpPacket, rider: RedBlock
    ) -> None:
        if self._room < 1:  # each counts, or one datagram would be three to every listener
            return
        timestamp = (packet.timestamp - rider.offset) & 0xFFFF_FFFF
        place = stream.take(index, timestamp, rides=True)
        if place is not None:
            self._room -= 1
            filled = RtpPacket(
                PAYLOAD_TYPE, False, index & 0xFFFF, timestamp, packet.ssrc, rider.payload
            )
            self._user.receive_packet(track, index, place.timestamp, filled, filled=True)

    def _receive_rtcp(
        self, sealed: bytes, packets: tuple[RtcpPacket, ...], address: Address
    ) -> None:
        index = int.from_bytes(sealed[-_SRTCP_INDEX_BYTES:], "big") & 0x7FFF_FFFF
        if index > self._srtcp_index:
            self._srtcp_index = index
            self._adopt(address)
        for packet in packets:
            if isinstance(packet, SenderReport) and self._is_theirs(packet.ssrc):
                self._user.receive_sender_report(packet.ssrc & 0xFF, packet.ntp)
            if isinstance(packet, (SenderReport, ReceiverReport)):
                self._receive_blocks(packet.blocks)
            if isinstance(packet, TakesRedundancy):
                self._depth = min(packet.depth, DEPTH)
            if isinstance(packet, Nack):
                self._room -= len(packet.sequences)  # one datagram may ask for six thousand
                if packet.ssrc >> 8 == self._prefix:
                    self._send_again(packet)
        check = next((one for one in packets if isinstance(one, PathCheck)), None)
        if check is not None:  # one alone: an answer goes to where the packet says it came from
            self._take_path_check(check, address)

    def _receive_blocks(self, blocks: tuple[ReportBlock, ...]) -> None:
        for block in blocks:
            track = block.ssrc & 0xFF
            if block.ssrc >> 8 != self._prefix or track not in self._outgoing:
                continue
            if block.last_report:
                now = middle_of_ntp(ntp_from_utc(self._utc()))
                ticks = (now - block.last_report - block.delay) & 0xFFFF_FFFF
                if ticks < 1 << 31:  # else its clock or ours was set back in between
                    self._round_trip_ms = ticks * 1_000 / 65_536
            self._user.receive_report(track, block)

    def _take_path_check(self, check: PathCheck, address: Address) -> None:
        if not check.is_answer and self._protector is not None:
            own = self._prefix << 8
            answer = (ReceiverReport(own), PathCheck(own, True, check.number))
            self._port.send(self._protector.protect_rtcp(format_rtcp(answer)), address)
        elif check.is_answer and self._number and check.number == self._number:
            self._proven, self._number = self._address, b""
            self._unproven_room = UNPROVEN_PACKETS

    def _ask(self, ssrc: int, sequences: Sequence[int]) -> None:
        if self._protector is None:
            return
        own = self._prefix << 8
        packets = (ReceiverReport(own), Nack(own, ssrc, tuple(sequences)))
        self._transmit(self._protector.protect_rtcp(format_rtcp(packets)), everywhere=False)

    def _send_again(self, nack: Nack) -> None:
        stream = self._outgoing.get(nack.ssrc & 0xFF)
        for sequence in nack.sequences:
            sealed = stream.history.again(sequence) if stream is not None else None
            if sealed is not None:
                self._transmit(sealed, everywhere=False)
                self._resent += 1

    def _is_theirs(self, ssrc: int) -> bool:
        return self._peer is not None and ssrc >> 8 == self._peer.prefix and bool(ssrc & 0xFF)

    def _adopt(self, address: Address) -> None:
        """Send to `address` from now on: the newest authentic packet came from there.

        An older packet, held back and sent on from elsewhere, must not move the trunk.
        """
        if address != self._proven:
            self._unproven_room = min(self._unproven_room + UNPROVEN_FACTOR, UNPROVEN_PACKETS)
        if address != self._address:
            self._address = address
            is_proven = address == self._proven
            self._number = b"" if is_proven else secrets.token_bytes(_NUMBER_BYTES)
            self._send_report(self._clock(), everywhere=False)

    def _send_report(self, now: float, *, everywhere: bool) -> None:
        if self._protector is None:
            return
        ntp = ntp_from_utc(self._utc())
        # Always by track 0, which is the node itself: all reports are one SRTCP stream.
        blocks = tuple(self._user.report_blocks())[:_MAX_REPORTED]
        packets: list[RtcpPacket] = [ReceiverReport(self._prefix << 8, blocks)]
        newest = sorted(self._outgoing.values(), key=lambda stream: stream.sent_at)
        packets += (stream.report(now, ntp) for stream in newest[-_MAX_REPORTED:])
        packets.append(TakesRedundancy(self._prefix << 8, DEPTH))
        self._transmit(self._protector.protect_rtcp(format_rtcp(packets)), everywhere=everywhere)
        if self._number and self._address is not None:
            own = self._prefix << 8
            check = (ReceiverReport(own), PathCheck(own, False, self._number))
            self._port.send(self._protector.protect_rtcp(format_rtcp(check)), self._address)


@dataclass(slots=True)
class _Peer:
    unprotector: Unprotector
    prefix: int
    key_digest: bytes
    addresses: tuple[Address, ...]


def _unwrap(packet: RtpPacket) -> tuple[RtpPacket, Sequence[RedBlock]]:
    """Return the packet that a RED packet is for, and those just before it, the oldest first."""
    *riders, primary = parse_red_untrusted(packet.payload)
    if len(riders) > DEPTH or any(one.payload_type != PAYLOAD_TYPE for one in (*riders, primary)):
        raise MalformedError("a RED packet of the trunk holds Opus alone, and three at most")
    return packet._replace(payload_type=PAYLOAD_TYPE, payload=primary.payload), riders


def _parse_address(host: str, port: int) -> tuple[str, int]:
    """Return a signalled address in the form that the operating system gives back."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError as e:
        raise MalformedError(f"{host!r} is not an IP address") from e
    reserved = address.is_reserved and not address.is_loopback
    if reserved or address.is_unspecified or address.is_multicast:
        raise MalformedError(f"nobody can be at {host}")
    return str(address), port

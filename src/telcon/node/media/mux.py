"""One UDP port for all media of a node: who may send here, and to whom a datagram belongs.

The first octet tells STUN, DTLS and SRTP apart (RFC 7983). STUN goes to the ICE side, which answers
only what is authenticated and then binds the address it came from. DTLS and SRTP are taken from
bound addresses. SRTP from elsewhere is found by the upper 24 bits of its SSRC and offered to those
who registered them, who say by their own check of the packet whether it was meant: trunks, which
have no handshake that could bind anything, and legs whose device has moved and sent no check yet.

Everything else is counted by kind and dropped without an answer.

asyncio's own datagram protocol reads one datagram a turn of the loop; this reads up to 128.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from telcon.errors import PortError

__all__ = [
    "Address",
    "Kind",
    "LegReceiver",
    "MuxStatistics",
    "StunReceiver",
    "UdpMux",
    "UnboundReceiver",
]

Address = tuple[str, int] | tuple[str, int, int, int]
"""As the operating system writes it: IPv6 bears flow and scope as well."""

Kind = str
"""`"stun"`, `"dtls"`, `"srtp"`, `"srtcp"` or `"unknown"`."""

_DATAGRAM_BYTES = 2_048
"""More than any path carries unfragmented; what is longer is cut and so refused."""

_DATAGRAMS_A_TURN = 128
"""Enough to share the cost of waking up, few enough that signalling gets its turn."""

_SOCKET_BUFFER_BYTES = 4 * 1024 * 1024
"""Asked for, not counted on: the kernel may grant less. A second of 400 listeners is 3 MB."""

StunReceiver = Callable[[bytes, Address], bool]
"""Takes a STUN datagram and where it came from; False if it was refused."""


class LegReceiver(Protocol):
    """Takes what comes from an address that a verified check has bound."""

    def receive_dtls(self, data: bytes) -> None:
        """Take one DTLS datagram."""

    def receive_srtp(self, data: bytes) -> None:
        """Take one SRTP packet, not yet authenticated."""

    def receive_srtcp(self, data: bytes) -> None:
        """Take one SRTCP packet, not yet authenticated."""


class UnboundReceiver(Protocol):
    """Takes what bears an SSRC that it has registered."""

    def receive_unbound(self, data: bytes, address: Address, *, is_rtcp: bool) -> bool:
        """Take one SRTP or SRTCP packet; return False if it does not authenticate."""


@dataclass(frozen=True, slots=True)
class MuxStatistics:
    """What went through one port."""

    received: int
    """Datagrams, refused ones included."""
    sent: int
    send_failures: int
    """Datagrams that the operating system did not take: buffer full, no route."""
    refused: dict[Kind, int]
    """Datagrams dropped because nothing here waits for them, by kind."""
    receiver_errors: int
    """Datagrams whose receiver raised: a defect of ours, told to the loop at 1, 10, 100, …"""
    bound: int
    """Addresses now bound."""


class UdpMux:
    """The socket, and the table of who is behind which address."""

    @classmethod
    def open(cls, host: str, port: int, on_stun: StunReceiver | None = None) -> UdpMux:
        """Open the port on `host` (an address, `0.0.0.0` or `::` for all; port 0 for any).

        Call it from within the running event loop; `close` ends it. `on_stun` can be set later.

        Raises:
            PortError: the address is none of this machine's, or the port is taken.
        """
        sock = _open_socket(host, port)
        return cls(sock, asyncio.get_running_loop(), on_stun)

    def __init__(
        self,
        sock: socket.socket,
        loop: asyncio.AbstractEventLoop,
        on_stun: StunReceiver | None,
    ) -> None:
        """Own `sock`, which is non-blocking; use `open`."""
        self.on_stun = on_stun
        self._socket = sock
        self._sendto = sock.sendto
        self._loop = loop
        self._bound: dict[Address, LegReceiver] = {}
        self._by_ssrc: dict[int, tuple[UnboundReceiver, ...]] = {}
        self._received = self._sent = self._send_failures = self._receiver_errors = 0
        self._refused: dict[Kind, int] = dict.fromkeys(
            ("stun", "dtls", "srtp", "srtcp", "unknown"), 0
        )
        self._closed = False
        loop.add_reader(sock.fileno(), self._drain)

    @property
    def port(self) -> int:
        """Return the port, also when any was asked for."""
        return int(self._socket.getsockname()[1])

    @property
    def host(self) -> str:
        """Return the address the socket is bound to."""
        return str(self._socket.getsockname()[0])

    def bind(self, address: Address, receiver: LegReceiver) -> bool:
        """Give `receiver` what comes from `address`, after a check that proved who is there.

        Returns False, and changes nothing, if the address belongs to another receiver: else one
        device could take another's packets by forging the sender's address of a check of its own.
        """
        return self._bound.setdefault(address, receiver) is receiver

    def unbind(self, address: Address, receiver: LegReceiver) -> None:
        """Take nothing more from `address` for `receiver`."""
        if self._bound.get(address) is receiver:
            del self._bound[address]

    def register_ssrc(self, ssrc_prefix24: int, receiver: UnboundReceiver) -> None:
        """Offer `receiver` packets from unbound addresses whose SSRC begins with these 24 bits.

        The sender picks the prefix, so two may bear the same one; both are offered.
        Trunks need not bind addresses: all calls with one node come from the same one.
        """
        others = self._by_ssrc.get(ssrc_prefix24, ())
        if receiver not in others:
            self._by_ssrc[ssrc_prefix24] = (*others, receiver)

    def unregister_ssrc(self, ssrc_prefix24: int, receiver: UnboundReceiver) -> None:
        """Offer `receiver` nothing more of this prefix."""
        rest = tuple(t for t in self._by_ssrc.pop(ssrc_prefix24, ()) if t is not receiver)
        if rest:
            self._by_ssrc[ssrc_prefix24] = rest

    def send(self, data: bytes, address: Address) -> None:
        """Send one datagram, or count it as failed: media is never kept waiting."""
        try:
            self._sendto(data, address)
        except OSError:
            self._send_failures += 1
        else:
            self._sent += 1

    def statistics(self) -> MuxStatistics:
        """Return the counts so far."""
        return MuxStatistics(
            received=self._received,
            sent=self._sent,
            send_failures=self._send_failures,
            refused=dict(self._refused),
            receiver_errors=self._receiver_errors,
            bound=len(self._bound),
        )

    def close(self) -> None:
        """Close the port; what is bound or registered is forgotten."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        self._bound.clear()
        self._by_ssrc.clear()

    def _drain(self) -> None:
        receive = self._socket.recvfrom
        for _ in range(_DATAGRAMS_A_TURN):
            try:
                data, address = receive(_DATAGRAM_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                # A late ICMP answer to something we sent; the socket itself is sound.
                if error.errno not in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH):
                    raise
                continue
            self._received += 1
            try:
                self._dispatch(data, address)
            except Exception as error:  # noqa: BLE001 - the edge: one datagram must not stop all
                self._report(error)
            if self._closed:
                return

    def _dispatch(self, data: bytes, address: Address) -> None:
        # RFC 7983 §7: 0-3 STUN, 20-63 DTLS, 128-191 RTP and RTCP.
        first = data[0] if data else 255
        if 128 <= first <= 191 and len(data) >= 12:
            # RFC 5761 §4: RTCP packet types 192-223 fall on payload types 64-95.
            is_rtcp = 64 <= data[1] & 0x7F < 96
            receiver = self._bound.get(address)
            if receiver is None:
                self._offer_unbound(data, address, is_rtcp)
            elif is_rtcp:
                receiver.receive_srtcp(data)
            else:
                receiver.receive_srtp(data)
        elif 20 <= first <= 63:
            receiver = self._bound.get(address)
            if receiver is None:
                self._refused["dtls"] += 1
            else:
                receiver.receive_dtls(data)
        elif first <= 3:
            if self.on_stun is None or not self.on_stun(data, address):
                self._refused["stun"] += 1
        else:
            self._refused["unknown"] += 1

    def _offer_unbound(self, data: bytes, address: Address, is_rtcp: bool) -> None:
        start = 4 if is_rtcp else 8
        prefix = int.from_bytes(data[start : start + 3], "big")
        for receiver in self._by_ssrc.get(prefix, ()):
            if receiver.receive_unbound(data, address, is_rtcp=is_rtcp):
                return
        self._refused["srtcp" if is_rtcp else "srtp"] += 1

    def _report(self, error: Exception) -> None:
        self._receiver_errors += 1
        if str(self._receiver_errors).strip("0") != "1":
            return  # 1, 10, 100, …: what fails on one packet fails on fifty a second
        self._loop.call_exception_handler(
            {"message": "a media receiver failed on a datagram", "exception": error}
        )


def _open_socket(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    except ValueError as error:
        raise PortError(
            f"{host!r} is not an IP address to open the media port on",
            advice="Set the media host to an address of this machine, or to 0.0.0.0 for all.",
        ) from error
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER_BYTES)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER_BYTES)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise PortError(
            f"cannot open the media port: UDP {host} port {port}: {error.strerror}",
            advice="Stop what uses this port, or choose another address or port for media.",
        ) from error
    return sock

"""The media of one node put together: the port, the certificate, the legs and their clock.

One port, one DTLS certificate and one OpenSSL context serve every leg. One timer ticks each second
for signs of life and reports; there are no tasks, so closing the plane leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from telcon.errors import BusyError, MisuseError, SettingsError
from telcon.node.media.dtls import DtlsIdentity
from telcon.node.media.events import Audit, LegEvent
from telcon.node.media.ice import StunRouter
from telcon.node.media.leg import Leg, LegSite, LegStatistics
from telcon.node.media.mux import Address, MuxStatistics, UdpMux

__all__ = ["MediaPlane", "PlaneStatistics"]

MAX_LEGS = 1_024
"""Open at once; the page opens one for each call it is in."""

TICK_S = 1.0
"""Between two sender reports (RFC 3550 would allow five seconds; lips want less)."""


@dataclass(frozen=True, slots=True)
class PlaneStatistics:
    """All media of a node at a glance."""

    mux: MuxStatistics
    legs: tuple[LegStatistics, ...]
    unknown_checks: int
    """Checks that named no leg of ours."""


class MediaPlane:
    """Where the rest of the node gets legs from."""

    @classmethod
    def open(
        cls,
        host: str,
        port: int,
        advertised: Sequence[str],
        *,
        audit: Audit | None = None,
        clock: Callable[[], float] = time.monotonic,
        utc: Callable[[], float] = time.time,
    ) -> MediaPlane:
        """Open UDP `port` on `host` and be reachable under the `advertised` IP addresses.

        Call it from within the running event loop. Makes the node's DTLS certificate.

        Raises:
            PortError: the port is taken, or `host` is no address of this machine.
            SettingsError: an advertised address is not an IP address, or there is none.
        """
        hosts = _check_hosts(advertised)
        return cls(UdpMux.open(host, port), hosts, audit or _no_audit, clock, utc)

    def __init__(
        self,
        mux: UdpMux,
        hosts: tuple[str, ...],
        audit: Audit,
        clock: Callable[[], float],
        utc: Callable[[], float],
    ) -> None:
        """Own `mux`; use `open`."""
        self.mux = mux
        self._audit = audit
        self._router = StunRouter(self._note_unknown)
        self._unknown_checks = 0
        mux.on_stun = self._router.receive
        self._site = LegSite(
            mux=mux,
            router=self._router,
            identity=DtlsIdentity(),
            hosts=hosts,
            cname=secrets.token_hex(8),
            audit=audit,
            clock=clock,
            utc=utc,
        )
        self._legs: dict[Leg, None] = {}
        self._loop = asyncio.get_running_loop()
        self._is_closed = False
        self._timer = self._loop.call_later(TICK_S, self._tick)

    @property
    def certificate_sha256(self) -> bytes:
        """Return the SHA-256 of the certificate that every leg shows."""
        return self._site.identity.certificate_sha256

    @property
    def port(self) -> int:
        """Return the UDP port, also when any was asked for."""
        return self.mux.port

    def open_leg(
        self, expected_certificate: bytes | None, on_event: Callable[[LegEvent], None]
    ) -> Leg:
        """Make a leg for the device whose certificate has this SHA-256; None if none is known.

        Raises:
            BusyError: the node has as many legs open as it can.
            MisuseError: the plane is closed, or the hash is not 32 octets.
        """
        if self._is_closed:
            raise MisuseError("the media plane is closed")
        if expected_certificate is not None and len(expected_certificate) != 32:
            raise MisuseError("a certificate's SHA-256 has 32 octets")
        if len(self._legs) >= MAX_LEGS:
            raise BusyError(f"{MAX_LEGS} devices are connected, which is the limit")
        leg = Leg(self._site, expected_certificate, on_event, self._forget)
        self._legs[leg] = None
        return leg

    def statistics(self) -> PlaneStatistics:
        """Return the counts so far."""
        return PlaneStatistics(
            mux=self.mux.statistics(),
            legs=tuple(leg.statistics() for leg in self._legs),
            unknown_checks=self._unknown_checks,
        )

    def close(self) -> None:
        """Close every leg and the port. Can be called again."""
        if self._is_closed:
            return
        self._is_closed = True
        self._timer.cancel()
        for leg in list(self._legs):
            leg.close()
        self.mux.close()

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_S, self._tick)
        for leg in list(self._legs):
            leg.tick()

    def _forget(self, leg: Leg) -> None:
        self._legs.pop(leg, None)

    def _note_unknown(self, address: Address) -> None:
        self._unknown_checks += 1
        if str(self._unknown_checks).strip("0") == "1":  # 1, 10, 100, …
            self._audit("audit.media.unknown-user", address=address[0], count=self._unknown_checks)


def _check_hosts(advertised: Sequence[str]) -> tuple[str, ...]:
    try:
        hosts = tuple(str(ipaddress.ip_address(host)) for host in advertised)
    except ValueError as error:
        raise SettingsError(
            f"an advertised media address is not an IP address: {error}",
            advice="List the IP addresses under which devices reach this node.",
        ) from error
    if not hosts or any(ipaddress.ip_address(host).is_unspecified for host in hosts):
        raise SettingsError(
            "no media address is advertised that a device could send to",
            advice="List the IP addresses under which devices reach this node.",
        )
    return hosts


def _no_audit(_event: str, /, **_fields: str | int) -> None:
    """Stand in where nobody keeps an audit file, as in tests."""

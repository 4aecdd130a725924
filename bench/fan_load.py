"""The load of the fan-out: one device that speaks, many that listen, each with a socket of its own.

It is the same for every server that forwards: real ICE, DTLS and SRTP, every packet decrypted and
counted. The devices offer RED as browsers do, and get it from a server that knows it. Delay runs
from the speaker's send call to the moment at which the kernel has put the packet into the
listener's socket (`SO_TIMESTAMPNS`): how long it lies there is the load's doing, which has one core
for all listeners.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import statistics
import struct
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from telcon.node.media import mux
from telcon.node.media.client import DeviceLeg
from telcon.node.media.dtls import DtlsIdentity
from telcon.node.media.rtp import RtpPacket

__all__ = ["LISTENERS", "PACKETS_A_SECOND", "PAYLOAD_BYTES", "Load", "Run", "Server"]

PACKETS_A_SECOND = 50
PAYLOAD_BYTES = 80
"""Of 20 ms of Opus at 32 kbit/s."""
LISTENERS = 100
AT_ONCE = 10
CONNECT_S = 30.0
LAST_PACKET_S = 5.0
"""What has not come by then counts as lost."""

_SO_TIMESTAMPNS = 35  # asm-generic/socket.h; Python has no name for it
_TIMESPEC = struct.Struct("qq")


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to."""

    cpu_us: float
    """Of the server's process, all threads, for each packet delivered."""
    share: float
    """Of one core."""
    delivered: int
    expected: int
    delay_p50_ms: float
    delay_p95_ms: float

    def __str__(self) -> str:
        return (
            f"{self.cpu_us:6.1f} us CPU a packet, {self.share:5.1%} of a core, "
            f"{self.delivered}/{self.expected} delivered, "
            f"delay p50 {self.delay_p50_ms:.2f} ms, p95 {self.delay_p95_ms:.2f} ms"
        )

    def as_json(self) -> dict[str, Any]:
        """Return what `Run(**…)` makes this of again."""
        return asdict(self)


class Server(Protocol):
    """What forwards."""

    def take_speaker(self, device: DeviceLeg) -> None:
        """Let `device` in as the one who speaks."""

    def take_listener(self, device: DeviceLeg) -> None:
        """Let `device` in, to hear the speaker."""

    def cpu_s(self) -> float:
        """Return the CPU time that the server's process has used."""


class Load:
    """All devices."""

    def __init__(self, server: Server, *, host: str, device: type[DeviceLeg] = DeviceLeg) -> None:
        """Make them, each a `device` with a socket on `host`."""
        self._server = server
        self._sent_at_ns: dict[bytes, int] = {}
        self._expected = 0
        self._complete = asyncio.Event()
        self._delays_ns: list[int] = []
        self._delivered = 0
        with _stamped_sockets() as self._stamp:
            identity = DtlsIdentity()
            self._speaker = device(_ignore, identity=identity, host=host)
            self._listeners = [
                device(self._heard, identity=identity, host=host) for _ in range(LISTENERS)
            ]

    async def connect(self) -> None:
        """Bring everybody in, the speaker first."""
        self._server.take_speaker(self._speaker)
        await self._speaker.wait_connected(CONNECT_S)
        for first in range(0, LISTENERS, AT_ONCE):
            some = self._listeners[first : first + AT_ONCE]
            for device in some:
                self._server.take_listener(device)
            await asyncio.gather(*(device.wait_connected(CONNECT_S) for device in some))

    async def speak(self, seconds: int) -> Run:
        """Speak for so long, wait for the last packet, and read the server's CPU around it."""
        self._sent_at_ns, self._delays_ns, self._delivered = {}, [], 0
        count = seconds * PACKETS_A_SECOND
        self._expected = count * len(self._listeners)
        self._complete.clear()
        began, cpu = time.monotonic(), self._server.cpu_s()
        for number in range(count):
            await asyncio.sleep(max(began + number / PACKETS_A_SECOND - time.monotonic(), 0))
            payload = os.urandom(PAYLOAD_BYTES)
            self._sent_at_ns[payload] = time.time_ns()
            self._speaker.send_opus(payload)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._complete.wait(), LAST_PACKET_S)
        took, cpu = time.monotonic() - began, self._server.cpu_s() - cpu
        marks = statistics.quantiles(self._delays_ns or [0, 0], n=100)
        return Run(
            cpu / max(self._delivered, 1) * 1e6,
            cpu / took,
            self._delivered,
            self._expected,
            marks[49] / 1e6,
            marks[94] / 1e6,
        )

    def close(self) -> None:
        """Let everybody go."""
        for device in (self._speaker, *self._listeners):
            device.close()

    def _heard(self, _slot: int, packet: RtpPacket) -> None:
        sent = self._sent_at_ns.get(packet.payload)
        if sent is None:
            return  # of the run before, or what the server itself makes
        self._delivered += 1
        self._delays_ns.append(self._stamp.arrived_ns - sent)
        if self._delivered == self._expected:
            self._complete.set()


class _Stamp:
    """When the packet that is being looked at came."""

    arrived_ns = 0


class _StampedSocket(socket.socket):
    """Tells when the kernel took the datagram that `recvfrom` returns."""

    stamp: _Stamp

    def recvfrom(self, size: int, flags: int = 0) -> tuple[bytes, Any]:
        """Receive, and note the time of arrival."""
        data, notes, _, address = self.recvmsg(size, 64, flags)
        if notes:
            seconds, nanoseconds = _TIMESPEC.unpack_from(notes[0][2])
            self.stamp.arrived_ns = seconds * 1_000_000_000 + nanoseconds
        return data, address


@contextlib.contextmanager
def _stamped_sockets() -> Iterator[_Stamp]:
    """Let devices that are made meanwhile have sockets that know times of arrival."""
    stamp, plain = _Stamp(), mux._open_socket

    def stamped(host: str, port: int) -> socket.socket:
        made = _StampedSocket(fileno=plain(host, port).detach())
        made.stamp = stamp
        made.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        return made

    mux._open_socket = stamped
    try:
        yield stamp
    finally:
        mux._open_socket = plain


def _ignore(_slot: int, _packet: RtpPacket) -> None:
    """Hear nothing."""

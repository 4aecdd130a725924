"""A node's media and scripted devices on loopback, and ways to wait without sleeping."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, ParamSpec

from aioice import stun

from telcon.node.media.client import DeviceLeg
from telcon.node.media.dtls import DtlsIdentity
from telcon.node.media.leg import Leg, LegEvent
from telcon.node.media.mux import Address
from telcon.node.media.plane import MediaPlane
from telcon.node.media.rtp import RtpPacket

PATIENCE_S = 30.0
LOOPBACK = "127.0.0.1"

P = ParamSpec("P")


def in_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test in a loop of its own, with a deadline; what no one handled fails it."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        unhandled: list[dict[str, Any]] = []

        async def main() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, what: unhandled.append(what))
            async with asyncio.timeout(PATIENCE_S):
                await test(*args, **kwargs)

        asyncio.run(main())
        assert unhandled == []

    return run


class Clock:
    """Monotonic seconds that only a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Changes:
    """Wakes whoever waits for a condition whenever something has happened."""

    def __init__(self) -> None:
        self._happened = asyncio.Event()

    def notify(self) -> None:
        self._happened.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._happened.clear()
            await self._happened.wait()


class Device(DeviceLeg):
    """A scripted device that remembers what came and can be waited for."""

    def __init__(
        self, *, first_sequence: int | None = None, identity: DtlsIdentity | None = None
    ) -> None:
        self.packets: list[tuple[int, RtpPacket]] = []
        self.events: list[LegEvent] = []
        self.changes = Changes()
        super().__init__(
            lambda slot, packet: self.packets.append((slot, packet)),
            self._note,
            first_sequence=first_sequence,
            identity=identity,
        )

    def _note(self, event: LegEvent) -> None:
        self.events.append(event)
        self.changes.notify()

    def payloads(self, slot: int) -> list[bytes]:
        return [packet.payload for heard_in, packet in self.packets if heard_in == slot]

    async def heard(self, count: int) -> None:
        await self.changes.until(lambda: len(self.packets) >= count)

    async def ping(self) -> None:
        """Send a check and wait for its answer: whatever was sent before has been looked at."""
        before = self.answered_checks
        self._check()
        await self.changes.until(lambda: self.answered_checks > before)

    def receive_stun(self, message: stun.Message, address: Address) -> bool:
        taken = super().receive_stun(message, address)
        self.changes.notify()
        return taken

    def on_rtp(self, data: bytes) -> None:
        super().on_rtp(data)
        self.changes.notify()

    def on_rtcp(self, data: bytes) -> None:
        super().on_rtcp(data)
        self.changes.notify()


class Room:
    """One media plane, everything it said, and the devices in it."""

    def __init__(self, clock: Callable[[], float] | None = None, host: str = LOOPBACK) -> None:
        self.audited: list[tuple[str, dict[str, str | int]]] = []
        self.events: list[LegEvent] = []
        self.changes = Changes()
        self.devices: list[Device] = []
        clocks = {} if clock is None else {"clock": clock}
        self.plane = MediaPlane.open(host, 0, [host], audit=self._audit, **clocks)

    def leg(self, expected_certificate: bytes | None = None) -> Leg:
        return self.plane.open_leg(expected_certificate, self._note)

    def device(
        self, *, first_sequence: int | None = None, identity: DtlsIdentity | None = None
    ) -> Device:
        device = Device(first_sequence=first_sequence, identity=identity)
        self.devices.append(device)
        return device

    async def arm(self, *, first_sequence: int | None = None) -> tuple[Leg, Device]:
        """Connect a device to a leg that nobody has admitted."""
        device = self.device(first_sequence=first_sequence)
        leg = self.leg(device.certificate_sha256)
        device.accept(leg.answer(device.offer()))
        await device.wait_connected()
        await self.changes.until(lambda: leg.statistics().state == "armed")
        return leg, device

    async def join(self, *, first_sequence: int | None = None) -> tuple[Leg, Device]:
        """Connect a device and admit it."""
        leg, device = await self.arm(first_sequence=first_sequence)
        leg.admit()
        return leg, device

    def _note(self, event: LegEvent) -> None:
        self.events.append(event)
        self.changes.notify()

    def _audit(self, event: str, /, **fields: str | int) -> None:
        self.audited.append((event, fields))
        self.changes.notify()


@contextlib.asynccontextmanager
async def a_room(
    clock: Callable[[], float] | None = None, host: str = LOOPBACK
) -> AsyncIterator[Room]:
    room = Room(clock, host)
    try:
        yield room
    finally:
        for device in room.devices:
            device.close()
        room.plane.close()


class Path:
    """A network between one device and the node that loses what it is told to lose."""

    def __init__(self, node_port: int, loses: Callable[[str, bytes], bool]) -> None:
        self._loses = loses
        self._loop = asyncio.get_running_loop()
        self._device: Address | None = None
        self._near, self._far = self._open(self._up), self._open(self._down)
        self._far.connect((LOOPBACK, node_port))
        self.lost = 0
        self.port = int(self._near.getsockname()[1])

    def reroute(self, answer: str, node_port: int) -> str:
        """Return the node's answer with this path's port in place of the node's."""
        return answer.replace(f" {node_port} ", f" {self.port} ")

    def repeat(self, datagram: bytes) -> None:
        """Let the node have something again, from where it first came."""
        self._far.send(datagram)

    def close(self) -> None:
        for sock in (self._near, self._far):
            self._loop.remove_reader(sock)
            sock.close()

    def _open(self, reader: Callable[[], None]) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind((LOOPBACK, 0))
        self._loop.add_reader(sock, reader)
        return sock

    def _up(self) -> None:
        data, self._device = self._near.recvfrom(2_048)
        if self._keeps("up", data):
            self._far.send(data)

    def _down(self) -> None:
        data = self._far.recv(2_048)
        if self._device is not None and self._keeps("down", data):
            self._near.sendto(data, self._device)

    def _keeps(self, way: str, data: bytes) -> bool:
        lost = self._loses(way, data)
        self.lost += lost
        return not lost

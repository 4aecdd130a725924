"""CPU that the node spends on each packet it delivers: one speaker, many listeners, real legs.

The node runs in a process of its own, the devices in this one; where there are two cores, each has
its own. CPU is what the scheduler charged the node's process, kernel time included, for everything
between two readings. Every packet is counted, decrypted, at the listener. Each run is printed, and
beside it what the same process needs for encrypting and sending as many packets in the same rhythm
with nothing around it: idle between bursts, a process finds its caches cold, and on a busy machine
more so. A packet that is not delivered makes the bench fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import socket
import statistics
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from telcon.node.media.client import DeviceLeg
from telcon.node.media.dtls import DtlsIdentity
from telcon.node.media.leg import Leg
from telcon.node.media.plane import MediaPlane
from telcon.node.media.rtp import RtpPacket, format_rtp
from telcon.node.media.source import Source
from telcon.node.media.srtp import AEAD_AES_256_GCM, Protector

HOST = "127.0.0.1"
PACKETS_A_SECOND = 50
BARE_BURSTS = 100
PAYLOAD_BYTES = 80
"""Of 20 ms of Opus at 32 kbit/s."""
LAST_PACKET_S = 5.0
"""What has not come by then counts as lost."""
LISTENERS = 100
SECONDS = 8
RUNS = 3


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to."""

    cpu_us: float
    """Of the node's process, for each packet delivered."""
    bare_us: float
    """Of the same process, for each packet encrypted and sent bare."""
    share: float
    """Of one core."""
    delivered: int
    expected: int
    delays_ms: list[float]
    """Speaker's send call to listener's receive call."""

    def __str__(self) -> str:
        marks = statistics.quantiles(self.delays_ms, n=100)
        return (
            f"{self.cpu_us:6.1f} us CPU a packet, bare {self.bare_us:.1f} us, "
            f"{self.share:5.1%} of a core, "
            f"{self.delivered}/{self.expected} delivered, "
            f"delay p50 {marks[49]:.2f} ms, p95 {marks[94]:.2f} ms"
        )


def serve(pipe: Connection, core: int | None) -> None:
    """Be the node: answer each offer, let everybody hear whoever came first."""
    if core is not None:
        os.sched_setaffinity(0, {core})
    asyncio.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    plane = MediaPlane.open(HOST, 0, [HOST])
    legs: list[Leg] = []
    speakers: list[Source] = []

    def answer(offer: str) -> str:
        leg = plane.open_leg(None, lambda _: None)
        answered = leg.answer(offer)
        source = leg.admit()
        if speakers:
            leg.slots[0].map(speakers[0])
        speakers.append(source)
        legs.append(leg)
        return answered

    def command() -> None:
        what: tuple[str, str] = pipe.recv()
        match what[0]:
            case "offer":
                pipe.send(answer(what[1]))
            case "cpu":
                pipe.send(time.process_time())
            case "bare":
                pipe.send(bare_us())
            case _:
                done.set()

    loop.add_reader(pipe.fileno(), command)
    await done.wait()
    loop.remove_reader(pipe.fileno())
    plane.close()


def bare_us() -> float:
    """Encrypt and send to as many sockets, in the same rhythm, and return the CPU a packet."""
    sinks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(LISTENERS)]
    for sink in sinks:
        sink.bind((HOST, 0))
    ways = [(Protector(AEAD_AES_256_GCM, os.urandom(44)), sink.getsockname()) for sink in sinks]
    payload = os.urandom(PAYLOAD_BYTES)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        cpu = time.process_time()
        for sequence in range(BARE_BURSTS):
            time.sleep(1 / PACKETS_A_SECOND)
            packet = format_rtp(RtpPacket(111, False, sequence, 0, 7, payload))
            for protector, address in ways:
                sender.sendto(protector.protect(packet), address)
        cpu = time.process_time() - cpu
    for sink in sinks:
        sink.close()
    return cpu / BARE_BURSTS / LISTENERS * 1e6


class Load:
    """The devices: one that speaks, the others listen."""

    def __init__(self, pipe: Connection, listeners: int) -> None:
        self._pipe = pipe
        self._sent_at: dict[bytes, float] = {}
        self._expected = 0
        self._complete = asyncio.Event()
        self._identity = DtlsIdentity()
        self.delays_ms: list[float] = []
        self.delivered = 0
        self.speaker = DeviceLeg(lambda *_: None, identity=self._identity)
        self.listeners = [DeviceLeg(self._heard, identity=self._identity) for _ in range(listeners)]

    async def connect(self) -> None:
        """Bring everybody in, the speaker first."""
        for device in (self.speaker, *self.listeners):
            device.accept(self.ask("offer", device.offer()))
            await device.wait_connected()

    def ask(self, what: str, about: str = "") -> Any:
        """Let the node do something and return what it says."""
        self._pipe.send((what, about))
        return self._pipe.recv()

    async def speak(self, seconds: int) -> Run:
        """Speak for so long, wait for the last packet, and read the node's CPU around it."""
        self.delays_ms, self.delivered = [], 0
        count = seconds * PACKETS_A_SECOND
        self._expected = count * len(self.listeners)
        self._complete.clear()
        began, cpu = time.monotonic(), self.ask("cpu")
        for number in range(count):
            await asyncio.sleep(max(began + number / PACKETS_A_SECOND - time.monotonic(), 0))
            payload = os.urandom(PAYLOAD_BYTES)
            self._sent_at[payload] = time.perf_counter()
            self.speaker.send_opus(payload)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._complete.wait(), LAST_PACKET_S)
        took, cpu = time.monotonic() - began, self.ask("cpu") - cpu
        return Run(
            cpu / max(self.delivered, 1) * 1e6,
            self.ask("bare"),
            cpu / took,
            self.delivered,
            self._expected,
            self.delays_ms,
        )

    def close(self) -> None:
        """Let everybody go."""
        for device in (self.speaker, *self.listeners):
            device.close()

    def _heard(self, _slot: int, packet: RtpPacket) -> None:
        self.delivered += 1
        if self.delivered == self._expected:
            self._complete.set()
        self.delays_ms.append((time.perf_counter() - self._sent_at[packet.payload]) * 1e3)


async def measure(pipe: Connection) -> list[Run]:
    """Return all runs, over the same connections, after a short one that warms up."""
    load = Load(pipe, LISTENERS)
    await load.connect()
    await load.speak(1)
    results = []
    for number in range(RUNS):
        results.append(await load.speak(SECONDS))
        print(f"run {number + 1}: {results[-1]}", flush=True)
    load.close()
    return results


def run() -> None:
    """Print every run and the worst.

    Raises:
        SystemExit: a packet was lost.
    """
    two_cores = len(os.sched_getaffinity(0)) >= 2
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    node = context.Process(target=serve, args=(theirs, 0 if two_cores else None))
    node.start()
    if two_cores:
        os.sched_setaffinity(0, {1})
    print(f"{LISTENERS} listeners, {PACKETS_A_SECOND} packets/s, {RUNS} runs of {SECONDS} s")
    results = asyncio.run(measure(ours))
    ours.send(("end", ""))
    node.join()
    print(f"worst: {max(results, key=lambda one: one.cpu_us)}")
    if any(one.delivered != one.expected for one in results):
        raise SystemExit("a packet was lost")

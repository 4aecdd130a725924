"""CPU that the node spends on each packet it delivers: one speaker, many listeners, real legs.

The node runs in a process of its own, the devices in this one; where there are two cores, each has
its own. CPU is what the scheduler charged the node's process, kernel time included, for everything
between two readings. Every packet is counted, decrypted, at the listener. Each run is printed, and
the worst of them last, for that is the figure to hold against the limit.

    python bench/media_fanout.py [listeners] [seconds] [runs]
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import statistics
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from telcon.node.media.client import DeviceLeg
from telcon.node.media.dtls import DtlsIdentity
from telcon.node.media.leg import Leg
from telcon.node.media.plane import MediaPlane
from telcon.node.media.rtp import RtpPacket
from telcon.node.media.source import Source

HOST = "127.0.0.1"
PACKETS_A_SECOND = 50
PAYLOAD_BYTES = 80
"""Of 20 ms of Opus at 32 kbit/s."""
LAST_PACKET_S = 5.0
"""What has not come by then counts as lost."""
LIMIT_US = 20.0
"""Per delivered packet at 100 listeners."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to."""

    cpu_us: float
    """Of the node's process, for each packet delivered."""
    share: float
    """Of one core."""
    delivered: int
    expected: int
    delays_ms: list[float]
    """Speaker's send call to listener's receive call."""

    def __str__(self) -> str:
        marks = statistics.quantiles(self.delays_ms, n=100)
        return (
            f"{self.cpu_us:6.1f} us CPU a packet, {self.share:5.1%} of a core, "
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
            case _:
                done.set()

    loop.add_reader(pipe.fileno(), command)
    await done.wait()
    loop.remove_reader(pipe.fileno())
    plane.close()


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

    async def run(self, seconds: int) -> Run:
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


async def measure(pipe: Connection, listeners: int, seconds: int, runs: int) -> list[Run]:
    """Return so many runs with the same connections, after a short one that warms up."""
    load = Load(pipe, listeners)
    await load.connect()
    await load.run(1)
    results = []
    for number in range(runs):
        results.append(await load.run(seconds))
        print(f"run {number + 1}: {results[-1]}", flush=True)
    load.close()
    return results


def main() -> int:
    """Print every run and the worst; 0 if it holds the limit and nothing was lost."""
    numbers = [int(word) for word in sys.argv[1:]]
    listeners, seconds, runs = numbers + [100, 10, 5][len(numbers) :]
    two_cores = len(os.sched_getaffinity(0)) >= 2
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    node = context.Process(target=serve, args=(theirs, 0 if two_cores else None))
    node.start()
    if two_cores:
        os.sched_setaffinity(0, {1})
    print(f"{listeners} listeners, {PACKETS_A_SECOND} packets/s, {runs} runs of {seconds} s")
    results = asyncio.run(measure(ours, listeners, seconds, runs))
    ours.send(("end", ""))
    node.join()
    worst = max(results, key=lambda run: run.cpu_us)
    print(f"worst: {worst}")
    if listeners != 100:
        return 0
    held = worst.cpu_us <= LIMIT_US and all(run.delivered == run.expected for run in results)
    print(f"limit: {LIMIT_US} us and nothing lost: {'held' if held else 'MISSED'}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())

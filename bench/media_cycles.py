"""What joining and leaving leaves behind: 500 real legs, one after another, in one process.

Each device connects, is heard, and goes. Tasks, descriptors and threads must be back at the value
after the twentieth, and memory must not have grown by 20 MB from there.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Row, at_most, spread
from telcon.node.media.client import DeviceLeg
from telcon.node.media.dtls import DtlsIdentity
from telcon.node.media.leg import LegEvent, LegFailed
from telcon.node.media.plane import MediaPlane

HOST = "127.0.0.1"
CYCLES = 500
WARM_UP = 20
LIMIT_MB = 20.0


@dataclass(frozen=True, slots=True)
class Left:
    """What a process holds."""

    tasks: int
    descriptors: int
    threads: int
    memory_mb: float


def left() -> Left:
    """Look at this process now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Left(
        len(asyncio.all_tasks()),
        len(os.listdir("/proc/self/fd")),
        threading.active_count(),
        pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
    )


async def cycle(plane: MediaPlane, identity: DtlsIdentity) -> float:
    """Let one device come, be heard by itself, and go; return ms from offer to first packet."""
    heard, gone = asyncio.Event(), asyncio.Event()

    def on_event(event: LegEvent) -> None:
        if isinstance(event, LegFailed):
            gone.set()

    began = time.perf_counter()
    device = DeviceLeg(lambda *_: heard.set(), identity=identity)
    leg = plane.open_leg(identity.certificate_sha256, on_event)
    device.accept(leg.answer(device.offer()))
    await device.wait_connected()
    leg.slots[0].map(leg.admit())
    device.send_opus(b"one")
    await heard.wait()
    took_ms = (time.perf_counter() - began) * 1e3
    device.close()
    await gone.wait()
    return took_ms


async def measure() -> Row:
    """Run the cycles, print what they left, and return how far memory grew.

    Raises:
        SystemExit: something was left.
    """
    plane, identity = MediaPlane.open(HOST, 0, [HOST]), DtlsIdentity()
    for _ in range(WARM_UP):
        await cycle(plane, identity)
    before = left()
    times_ms = [await cycle(plane, identity) for _ in range(CYCLES)]
    after = left()
    plane.close()
    grown_mb = after.memory_mb - before.memory_mb
    print(f"after {WARM_UP}: {before}\nafter {WARM_UP + CYCLES}: {after}")
    print(f"memory grew by {grown_mb:.1f} MB, limit {LIMIT_MB}")
    print(f"offer to first packet, ms: {spread(times_ms, digits=1)}")
    if dataclasses.replace(after, memory_mb=before.memory_mb) != before or grown_mb > LIMIT_MB:
        raise SystemExit("something was left behind")
    beside = "tasks, descriptors and threads as before"
    return at_most(f"{CYCLES} legs come and go: memory grown", grown_mb, "MB", LIMIT_MB, beside)


def run() -> list[Row]:
    """Print what 500 legs leave behind.

    Raises:
        SystemExit: something was left.
    """
    return [asyncio.run(measure())]

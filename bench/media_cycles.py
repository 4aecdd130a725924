"""What joining and leaving leaves behind: 500 real legs, one after another, in one process.

Each device connects, is heard, and goes. Tasks, descriptors and threads must be back at the value
after the twentieth; the growth of memory from there is printed and held against 20 MB.

    python bench/media_cycles.py [cycles]
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from telcon.node.media.client import DeviceLeg
from telcon.node.media.dtls import DtlsIdentity
from telcon.node.media.leg import LegEvent, LegFailed
from telcon.node.media.plane import MediaPlane

HOST = "127.0.0.1"
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


async def measure(cycles: int) -> int:
    """Run the cycles and print what they left; 0 if that is nothing."""
    plane, identity = MediaPlane.open(HOST, 0, [HOST]), DtlsIdentity()
    for _ in range(WARM_UP):
        await cycle(plane, identity)
    before = left()
    times_ms = sorted([await cycle(plane, identity) for _ in range(cycles)])
    after = left()
    plane.close()
    grown_mb = after.memory_mb - before.memory_mb
    print(f"after {WARM_UP}: {before}\nafter {WARM_UP + cycles}: {after}")
    print(f"memory grew by {grown_mb:.1f} MB, limit {LIMIT_MB}")
    print(
        f"offer to first packet: median {times_ms[cycles // 2]:.1f} ms, worst {times_ms[-1]:.1f} ms"
    )
    same = (before.tasks, before.descriptors, before.threads) == (
        after.tasks,
        after.descriptors,
        after.threads,
    )
    return 0 if same and grown_mb <= LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 500)))

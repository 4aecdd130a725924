"""What one packet costs the recorder: CPU time of the event loop's thread and of the disk's.

    python bench/recorder_cost.py

Five minutes at 50 packets a second are fed at full speed, once as an own track (with
leaf and chunk tree), once as a received one. The budget is what media.md's measurements leave: a
packet to one listener costs 10 to 13 µs, so recording it must not cost more than that again.
"""

import asyncio
import os
import tempfile
import time
from pathlib import Path

from telcon.node.media.recorder import CallRecorder

PACKETS = 15_000  # 300 pages and 60 syncs: below what may wait for the disk
PAYLOAD = b"\xfc" + bytes(79)
OWN = "arcadia.example/line/1"
THEIRS = "borealis.example/line/1"
LIMIT_US = 12.0


async def measure(origin: str, folder: Path) -> tuple[float, float]:
    """Return µs a packet: of this thread, and of the whole process with fsyncs and hashing."""
    recorder = CallRecorder(folder, "cd" * 16, OWN, started_us=0, now=0.0, random_bytes=os.urandom)
    track = recorder.track(origin, 1, "speaker", 0.0)
    thread, process = time.thread_time(), time.process_time()
    for index in range(PACKETS):
        now = index * 0.02
        track.write(index, index * 960, PAYLOAD, now)
        if index % 25 == 0:
            recorder.due(now)
    thread = time.thread_time() - thread
    await recorder.close(now)
    process = time.process_time() - process
    if recorder.next_event() is not None:
        raise SystemExit("the disk was too slow for the measurement")
    return thread / PACKETS * 1e6, process / PACKETS * 1e6


def run() -> dict[str, float]:
    """Return the best of five rounds, µs a packet."""
    figures: dict[str, float] = {}
    for name, origin in (("own", OWN), ("received", THEIRS)):
        rounds = []
        for _ in range(5):
            with tempfile.TemporaryDirectory() as folder:
                rounds.append(asyncio.run(measure(origin, Path(folder) / "call")))
        figures[f"{name} loop"] = min(loop for loop, _ in rounds)
        figures[f"{name} all threads"] = min(both for _, both in rounds)
    return figures


def main() -> None:
    """Print the table, and fail above the limit."""
    figures = run()
    print(f"recorder, {PACKETS} packets of {len(PAYLOAD)} octets, best of 5, µs a packet")
    for name, value in figures.items():
        print(f"  {name:<24}{value:6.2f}")
    if figures["own loop"] > LIMIT_US:
        raise SystemExit(f"over the limit of {LIMIT_US} µs")


if __name__ == "__main__":
    main()

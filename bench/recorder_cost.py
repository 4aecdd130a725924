"""What one packet costs the recorder: CPU time of the event loop's thread and of the disk's.

Five minutes at 50 packets a second are fed at full speed, once as an own track (with
leaf and chunk tree), once as a received one. A packet to
one listener costs the node 10 to 13 µs: recording it must not cost more than that again.
"""

import asyncio
import os
import tempfile
import time
from functools import partial
from pathlib import Path

from bench.figures import Row, at_most, every, median, spread
from telcon.node.record.journal import Head, Packet
from telcon.node.record.place import RecordPlace
from telcon.node.record.recorder import CallRecorder
from telcon.node.record.shelf import Shelf

PACKETS = 15_000  # 300 blocks: below what may wait for the disk
PAYLOAD = b"\xfc" + bytes(79)
OWN = "arcadia.example/line/" + "ab" * 16
THEIRS = "borealis.example/line/" + "ab" * 16
BUDGET_US = 12.0
ROUNDS = 5


async def measure(origin: str, folder: Path) -> tuple[float, float]:
    """Return µs a packet: of this thread, and of the whole process with sealing and syncs."""
    head = Head("cd" * 16, OWN, THEIRS, 0)
    shelf = Shelf("record", partial(RecordPlace.of(folder, "1", "2").begin, head, ()), 0.0)
    recorder = CallRecorder(shelf, OWN, call_began=0.0, now=0.0, random_bytes=os.urandom)
    recorder.add_track((origin, 1), 0.0)
    thread, process = time.thread_time(), time.process_time()
    for index in range(PACKETS):
        now = index * 0.02
        recorder.write((origin, 1), Packet(index, index * 960, PAYLOAD), now)
        if index % 25 == 0:
            recorder.due(now)
    thread = time.thread_time() - thread
    recorder.close(now)
    await shelf.close(now)
    process = time.process_time() - process
    if recorder.next_event() is not None:
        raise SystemExit("the disk was too slow for the measurement")
    return thread / PACKETS * 1e6, process / PACKETS * 1e6


def run() -> list[Row]:
    """Print all rounds, the worst, and how the worst stands to the budget; return the row."""
    print(f"{PACKETS} packets of {len(PAYLOAD)} octets, microseconds of CPU a packet")
    loop: list[float] = []
    for name, origin in (("own", OWN), ("received", THEIRS)):
        rounds = []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                rounds.append(asyncio.run(measure(origin, Path(folder))))
        loop += [thread for thread, _ in rounds]
        for what, at in (("the loop's thread", 0), ("all threads", 1)):
            times = [both[at] for both in rounds]
            print(f"  {name}, {what}\n{every(times, digits=2)}\n    {spread(times, digits=2)}")
    print(f"  worst on the loop's thread / budget of {BUDGET_US:g}: {max(loop) / BUDGET_US:.2f}")
    name = "recorder: CPU of the loop's thread a packet"
    return [at_most(name, median(loop), "µs", BUDGET_US, f"worst {max(loop):.2f} µs", loop)]

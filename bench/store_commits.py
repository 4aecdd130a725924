"""How long a commit of the store takes, beside what the disk itself takes.

Terms: `sync` is one fdatasync after one write of that size, into a file that is long enough already
(what a write-ahead log in use is) and into one that grows (what it is at first). `hop` is one round
to a thread and back. Samples of all are taken in turn, so that a noisy disk is noisy for all alike.
"""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.figures import median, spread
from bench.terms import Disk, Hop
from fakes.disk import LINE, GrowingLog, a_line, commit_line
from telcon.core.stored import Note
from telcon.node.store import Store

ROUNDS = 400
WAL_OCTETS = {1: 5 * 4_120, 64: 45 * 4_120}  # about what one commit of so many entries writes


async def take_in_turn(
    things: dict[str, Callable[[], Awaitable[None]]],
) -> dict[str, list[float]]:
    """Return the times in milliseconds of `ROUNDS` of each, taken in turn."""
    found: dict[str, list[float]] = {name: [] for name in things}
    for _ in range(ROUNDS):
        for name, thing in things.items():
            start = time.perf_counter()
            await thing()
            found[name].append((time.perf_counter() - start) * 1_000)
    return found


async def compare(folder: Path, entries: int) -> None:
    """Print the times of commits of `entries`, and of what they stand on."""
    store, log = Store.open(folder / f"store-{entries}"), GrowingLog(a_line().own_origin)
    await store.add_line(a_line())

    async def commit() -> None:
        note = Note(log.origin, log.frontier.size, b"." * 400, cosigned=True)
        made = log.commit(entries, octets=500, note=note)
        started = time.perf_counter()
        await commit_line(store, LINE, made)
        commits.append((time.perf_counter() - started) * 1_000)

    commits: list[float] = []
    for _ in range(120):  # so that the write-ahead log is in use, as after some minutes of work
        await commit()
    await asyncio.sleep(0.5)
    commits.clear()
    with (
        contextlib.closing(Disk(folder, WAL_OCTETS[entries])) as disk,
        contextlib.closing(Hop()) as hop,
    ):
        times = await take_in_turn(
            {"sync": disk.overwrite, "sync, growing": disk.append, "hop": hop, "": commit}
        )
    del times[""]
    print(f"{entries} entries, {2 * entries} openings, 1 note; {ROUNDS} rounds; milliseconds")
    for name, found in (times | {"commit_line": commits}).items():
        print(f"  {name:<16} {spread(found)}")
    print(f"  commit_line / sync: {median(commits) / median(times['sync']):.2f}")
    await store.close()


async def measure() -> None:
    """Compare for one entry and for many."""
    with tempfile.TemporaryDirectory() as place:
        for entries in WAL_OCTETS:
            await compare(Path(place), entries)


def run() -> None:
    """Measure and print."""
    asyncio.run(measure())

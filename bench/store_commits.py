"""How long a commit of the store takes, beside what the disk itself takes.

    python bench/store_commits.py [FOLDER]

Terms: `sync` is one fdatasync after one write of that size, into a file that is long enough already
(what a write-ahead log in use is) and into one that grows (what it is at first). `hop` is one round
to a thread and back. Samples of all are taken in turn, so that a noisy disk is noisy for all alike.
"""

import asyncio
import os
import queue
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fakes.disk import LINE, GrowingLog, a_line
from telcon.core.stored import Note
from telcon.node.store import Store

ROUNDS = 400
WAL_OCTETS = {1: 5 * 4_120, 64: 45 * 4_120}  # about what one commit of so many entries writes


class Disk:
    """Bare syncs on the file system of a folder."""

    def __init__(self, folder: Path, octets: int) -> None:
        self._block = os.urandom(octets)
        self._length = 64 * octets
        self._used = os.open(folder / "used", os.O_RDWR | os.O_CREAT, 0o600)
        os.write(self._used, bytes(self._length))
        os.fsync(self._used)
        self._growing = os.open(folder / "growing", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._at = 0

    async def overwrite(self) -> None:
        self._at = (self._at + len(self._block)) % self._length
        os.pwrite(self._used, self._block, self._at)
        os.fdatasync(self._used)

    async def append(self) -> None:
        os.write(self._growing, self._block)
        os.fdatasync(self._growing)


class Hop:
    """A thread that answers at once."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[asyncio.Future[None] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while (future := self._queue.get()) is not None:
            self._loop.call_soon_threadsafe(future.set_result, None)

    async def __call__(self) -> None:
        future = self._loop.create_future()
        self._queue.put(future)
        await future


async def measure(things: dict[str, Callable[[], Awaitable[None]]]) -> dict[str, list[float]]:
    """Return sorted times in milliseconds of `ROUNDS` of each, taken in turn."""
    found: dict[str, list[float]] = {name: [] for name in things}
    for _ in range(ROUNDS):
        for name, thing in things.items():
            start = time.perf_counter()
            await thing()
            found[name].append((time.perf_counter() - start) * 1_000)
    return {name: sorted(times) for name, times in found.items()}


async def compare(folder: Path, entries: int) -> None:
    """Print the times of commits of `entries`, and of what they stand on."""
    store, log = Store.open(folder / f"store-{entries}"), GrowingLog(a_line().own_origin)
    await store.add_line(a_line())
    disk = Disk(folder, WAL_OCTETS[entries])

    async def commit() -> None:
        note = Note(log.origin, log.frontier.size, b"." * 400, cosigned=True)
        made = log.commit(entries, octets=500, note=note)
        started = time.perf_counter()
        await store.commit_line(LINE, made)
        commits.append((time.perf_counter() - started) * 1_000)

    commits: list[float] = []
    things: dict[str, Callable[[], Awaitable[None]]] = {
        "sync": disk.overwrite,
        "sync, growing": disk.append,
        "hop": Hop(),
        "": commit,
    }
    for _ in range(120):  # so that the write-ahead log is in use, as after some minutes of work
        await commit()
    await asyncio.sleep(0.5)
    commits.clear()
    times = await measure(things)
    del times[""]
    print(f"{entries} entries, {2 * entries} openings, 1 note; {ROUNDS} rounds; milliseconds")
    for name, found in (times | {"commit_line": sorted(commits)}).items():
        median, worst = statistics.median(found), found[int(len(found) * 0.95)]
        print(f"  {name:<16} median {median:6.3f}   95 % {worst:6.3f}")
    aim = 1.3 * statistics.median(times["sync"]) + 0.2
    print(f"  1.3 x sync + 0.2       {aim:6.3f}")
    await store.close()


async def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as place:
        for entries in WAL_OCTETS:
            await compare(Path(place), entries)


if __name__ == "__main__":
    asyncio.run(main())

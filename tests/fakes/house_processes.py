"""Processes for tests of the house log: one that is killed, one on a full disk.

Each says what it did on its standard output, one line at a time.
"""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from telcon.core.house import HOUR_US
from telcon.errors import StorageError
from telcon.node import house as house_module
from telcon.node.audit import AuditEvent
from telcon.node.house import House
from telcon.node.store import Store
from telcon.node.store.engine import DATABASE
from telcon.node.store.marker import MarkerFile

START_US = 1_767_225_600_000_000


class HouseClock:
    """A wall clock that moves when it is told to."""

    def __init__(self, now_us: int = START_US) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us

    def seconds(self) -> float:
        return self.now_us / 1e6

    def hour(self, house: House) -> None:
        """Let the next full hour come, and the house log notice."""
        self.now_us += HOUR_US
        house.look()


@asynccontextmanager
async def opened(
    folder: Path, clock: HouseClock, told: list[tuple[str, dict[str, object]]] | None = None
) -> AsyncIterator[tuple[House, Store]]:
    """Open the house log of Arcadia in `folder`; `told` takes what it says of itself."""
    store = Store.open(folder)
    heard: list[tuple[str, dict[str, object]]] = [] if told is None else told

    def audit(event: str, /, **fields: str | int | bool | None) -> None:
        heard.append((event, dict(fields)))
        house.append(event, **fields)

    house = await House.open(
        store,
        "arcadia.example",
        audit,
        now_us=clock,
        clock=clock.seconds,
        random=os.urandom,
    )
    try:
        await house.begin()
        yield house, store
    finally:
        await house.close()
        await store.close()


async def act_for_ever(folder: Path) -> None:
    """Act and let hours come, saying after each what is durable and what may be signed."""
    clock = HouseClock()
    async with opened(folder, clock) as (house, _):
        for turn in range(1_000_000):
            house.append(AuditEvent.EXPORT_MADE, call=str(turn))
            if turn % 3 == 0:
                clock.hour(house)
            await house.flush()
            signed = house.log.signed
            print(turn, signed.size if signed else 0, flush=True)


async def die_at_the_marker(folder: Path) -> None:
    """Sign one hour; at the next one's marker, after its commit, be killed."""
    clock = HouseClock()
    async with opened(folder, clock) as (house, _):
        clock.hour(house)
        await house.flush()
        print("signed", house.log.signed.size if house.log.signed else 0, flush=True)
        house.append(AuditEvent.EXPORT_MADE, call="before the end")
        MarkerFile.write = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
        clock.hour(house)
        await house.flush()


async def fill_disk(folder: Path) -> None:
    """Act until a file may not grow; go on meanwhile; then allow it."""
    house_module.RETRY_S = 0.01
    clock = HouseClock()
    async with opened(folder, clock) as (house, _):
        await house.flush()
        octets = (folder / f"{DATABASE}-wal").stat().st_size + 40_000
        resource.setrlimit(resource.RLIMIT_FSIZE, (octets, resource.RLIM_INFINITY))
        acts = 0
        try:
            while True:
                house.append(AuditEvent.EXPORT_MADE, call=str(acts))
                acts += 1
                await house.flush()
        except StorageError as error:
            print("refused", bool(error.advice()), flush=True)
        for _ in range(2_000):  # nobody waits for the disk, and memory is bounded
            house.append(AuditEvent.EXPORT_MADE, call=str(acts))
            acts += 1
        print("waiting", house.log.waiting, flush=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        await house.flush()
        house.append(AuditEvent.EXPORT_MADE, call="at last")
        await house.flush()
        print("went on", acts, house.log.size, flush=True)


PROCESSES = {
    "act-for-ever": act_for_ever,
    "die-at-the-marker": die_at_the_marker,
    "fill-disk": fill_disk,
}

if __name__ == "__main__":
    asyncio.run(PROCESSES[sys.argv[1]](Path(sys.argv[2])))

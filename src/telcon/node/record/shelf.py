"""One call's journal and the thread that writes it: where packets are put and found again.

While the call lives its recorder writes here; afterwards, until both sides hold the same, repairs
are added. Nothing on the loop waits for the disk but who asks to.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from typing import TypeVar

from telcon.errors import StorageError
from telcon.node.record.disk import DiskWriter
from telcon.node.record.journal import Journal, Packet, Track
from telcon.node.record.rendering import measure, render_agreed, render_recorded
from telcon.node.record.spans import Spans

__all__ = ["CLOSE_TIMEOUT_S", "Shelf"]

T = TypeVar("T")

CLOSE_TIMEOUT_S = 5.0
"""How long the end of a call waits for the disk."""


class Shelf:
    """Writes packets in the order in which they are given, and reads them."""

    def __init__(self, name: str, make: Callable[[], Journal], now: float) -> None:
        """Let the thread create or open the journal by `make`; `name` is the thread's.

        `now` of this and all methods is a monotonic time.
        """
        self._disk = DiskWriter(name)
        self._journal: Journal | None = None
        self.newest_on_disk: float | None = None
        """Arrival of the newest packet on the disk; None before the first."""
        self.flush: Callable[[], None] = lambda: None
        """Puts here what a recorder still holds; set while one runs."""
        self._disk.give(now, partial(self._make, make))

    @property
    def failure(self) -> str | None:
        """Why writing ended early; None while all is well."""
        return self._disk.failure

    def waiting_since(self) -> float | None:
        """Return when the job that the disk is busy with was given; None when it is idle."""
        return self._disk.waiting_since()

    def put(
        self, packets: Sequence[tuple[Track, Packet]], arrived: float | None, now: float
    ) -> None:
        """Let `packets` be written as one block; the last of them `arrived` then."""
        self._disk.give(now, partial(self._append, packets, arrived, now))

    def sync(self, now: float) -> None:
        """Let what was put so far survive a power cut."""
        self._disk.give(now, self._sync)

    async def wait_kept(self, now: float) -> bool:
        """Sync, and wait until all that was put is on the disk; False if it refused or is stuck."""
        self.sync(now)
        done = asyncio.wrap_future(self._disk.done(now))
        try:
            await asyncio.wait_for(done, CLOSE_TIMEOUT_S)
        except TimeoutError:
            return False
        return self.failure is None

    async def read(self, track: Track, first: int, count: int) -> dict[int, Packet]:
        """Return what is on the disk of `count` packets of `track` from index `first` on.

        Raises:
            StorageError: the disk refused, or the file was altered.
            SealedError: it was sealed to others.
        """
        journal = self._journal
        if journal is None:
            return {}
        return await self._in_thread(lambda: journal.read(track, first, count))

    async def measure_recorded(self, track: Track) -> tuple[bytes, int]:
        """Return SHA-256 and octets of the file of what came of `track` by itself.

        Raises:
            StorageError: the disk refused, or the file was altered.
            SealedError: it was sealed to others.
        """
        journal = self._journal
        if journal is None:
            return sha256().digest(), 0
        return await self._in_thread(lambda: measure(render_recorded(journal, track)))

    async def measure_agreed(self, track: Track, spoken: Spans) -> tuple[bytes, int]:
        """Return the same of all that is held of what was `spoken`; raises the same."""
        journal = self._journal
        if journal is None:
            return sha256().digest(), 0
        return await self._in_thread(lambda: measure(render_agreed(journal, track, spoken)))

    async def count(self, track: Track, spoken: Spans) -> int:
        """Return how many packets are held of what was `spoken`; raises the same."""
        journal = self._journal
        return (
            0 if journal is None else await self._in_thread(lambda: _count(journal, track, spoken))
        )

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except OSError as error:
            raise StorageError(f"the record cannot be read: {error.strerror or error}") from error

    def bound(self, track: Track) -> int:
        """Return the index after the highest of `track` that is on the disk."""
        return self._journal.bound(track) if self._journal is not None else 0

    def tracks(self) -> list[Track]:
        """Return the tracks of which there is a packet on the disk."""
        return self._journal.tracks() if self._journal is not None else []

    async def close(self, now: float) -> bool:
        """Write nothing more; False if the disk does not answer. Reading goes on.

        Cancellation: the journal is closed all the same.
        """
        done = asyncio.wrap_future(self._disk.close(now, self._close))
        try:
            await asyncio.wait_for(done, CLOSE_TIMEOUT_S)
        except TimeoutError:
            self._disk.give_up("the disk did not answer at the end of the call")
            return False
        return True

    # What follows runs in the thread.

    def _make(self, make: Callable[[], Journal]) -> None:
        self._journal = make()

    def _append(
        self, packets: Sequence[tuple[Track, Packet]], arrived: float | None, now: float
    ) -> None:
        if self._journal is not None:
            self._journal.append(packets, now)
            self.newest_on_disk = arrived if arrived is not None else self.newest_on_disk

    def _sync(self) -> None:
        if self._journal is not None:
            self._journal.sync()

    def _close(self) -> None:
        if self._journal is not None:
            self._journal.close()


def _count(journal: Journal, track: Track, spoken: Spans) -> int:
    windows = journal.windows(track, spoken.bound)
    return sum(index in spoken for packets in windows for index in packets)

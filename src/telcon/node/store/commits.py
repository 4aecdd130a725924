"""The commit thread: all that waits goes into one transaction, with one sync.

Works arrive through a queue from the event loop and their outcomes go back by
`call_soon_threadsafe`; while a commit runs, the loop goes on and what arrives meanwhile makes the
next group.

What a crash leaves: a group that was not committed leaves nothing; no outcome is told before its
sync. When one work of a group fails, the group is rolled back and each work is tried in a
transaction of its own, in the same order: so it fails alone. A work may therefore run twice and
must do nothing but use its connection.

Chores (a checkpoint of the write-ahead log, syncs of markers) wait until nothing else does, but not
for ever.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from telcon.errors import MisuseError
from telcon.node.store.engine import transaction, translate

__all__ = ["Chores", "CommitStatistics", "CommitThread", "Done"]

T = TypeVar("T")

# A group is bounded so that its first work never waits for an endless one.
MAX_GROUP = 512  # works
IDLE_S = 0.2  # nothing arrived for so long: chores may run
MAX_CHORE_DELAY_S = 1.0  # chores wait no longer than this, idle or not

_log = logging.getLogger(__name__)


class Chores(Protocol):
    """What the thread does when nothing waits."""

    def after_commit(self) -> bool:
        """Return whether `run` has something to do."""

    def run(self) -> None:
        """Do it; raises nothing."""


@dataclass(frozen=True, slots=True)
class CommitStatistics:
    """What a commit thread has done since it started."""

    transactions: int
    """Transactions committed; each is one sync."""
    works: int
    """Works in them."""
    failed: int
    """Works that were told an error."""
    largest_group: int
    """Works in the largest transaction."""


Done = Callable[[Any, BaseException | None], None]
"""Hears on its loop what a work has returned, or why nothing of it stays."""


@dataclass(slots=True)
class _Waiting:
    work: Callable[[Connection], Any]
    after: Callable[[], None] | None
    loop: asyncio.AbstractEventLoop
    done: Done
    result: Any = field(default=None)


class CommitThread:
    """Runs works on the one writing connection."""

    def __init__(self, connection: Connection, chores: Chores) -> None:
        """Take over `connection` from `start` to `close`; nothing else may use it then."""
        self._connection = connection
        self._chores = chores
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="telcon-commit", daemon=True)
        self._closed = False
        self._transactions = self._works = self._failed = self._largest = 0
        self._chores_since: float | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def hand_in(
        self, work: Callable[[Connection], Any], done: Done, *, after: Callable[[], None] | None
    ) -> None:
        """Run `work` in a transaction; `done` hears of it once that is on the disk, or refused.

        `after` runs in the thread after the sync and before `done` does, which runs on this loop.

        Raises:
            MisuseError: the store is closed. What `done` may hear else, see `run`.
        """
        if self._closed:
            raise MisuseError("the store is closed")
        self._queue.put(_Waiting(work, after, asyncio.get_running_loop(), done))

    async def run(
        self, work: Callable[[Connection], T], *, after: Callable[[], None] | None = None
    ) -> T:
        """Run `work` in a transaction and return its result once that is on the disk.

        `after` runs in the thread after the sync and before this returns.

        Raises:
            StorageError: the database or the disk refused; nothing of `work` stays. If `after`
            raised it,
                the work stays.
            MisuseError: the store is closed, or `work` broke a rule of the tables.
            Others: what `work` raises; nothing of it stays.

        Cancellation: the work may or may not be done.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.hand_in(work, partial(_settle, future), after=after)
        return await future

    async def close(self) -> None:
        """End the thread after all that waits; calling again does nothing.

        Cancellation: the thread ends all the same, later.
        """
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def statistics(self) -> CommitStatistics:
        """Return what was done so far."""
        return CommitStatistics(self._transactions, self._works, self._failed, self._largest)

    # -- in the thread

    def _run(self) -> None:
        while True:
            first = self._next()
            if first is None:
                break
            group = [first]
            ending = self._gather(group)
            self._commit_group(group)
            self._note_chores()
            if ending:
                break
        self._chores.run()

    def _next(self) -> _Waiting | None:
        if self._chores_since is None:
            return self._queue.get()
        try:
            if time.monotonic() - self._chores_since < MAX_CHORE_DELAY_S:
                return self._queue.get(timeout=IDLE_S)
        except queue.Empty:
            pass
        self._chores_since = None
        self._chores.run()
        return self._queue.get()

    def _gather(self, group: list[_Waiting]) -> bool:
        """Add what waits to `group`; return whether the end was among it."""
        while len(group) < MAX_GROUP:
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                return False
            if waiting is None:
                return True
            group.append(waiting)
        return False

    def _note_chores(self) -> None:
        if self._chores.after_commit() and self._chores_since is None:
            self._chores_since = time.monotonic()

    def _commit_group(self, group: list[_Waiting]) -> None:
        try:
            self._transact(group)
        except Exception as error:  # noqa: BLE001 -- the edge: told to the one whose work it was
            if len(group) == 1:
                self._fail(group[0], error)
                return
            for waiting in group:
                self._commit_group([waiting])
            return
        for waiting in group:
            self._finish(waiting)

    def _transact(self, group: list[_Waiting]) -> None:
        with transaction(self._connection):
            for waiting in group:
                waiting.result = waiting.work(self._connection)
        self._transactions += 1
        self._works += len(group)
        self._largest = max(self._largest, len(group))

    def _finish(self, waiting: _Waiting) -> None:
        try:
            if waiting.after is not None:
                waiting.after()
        except Exception as error:  # noqa: BLE001 -- the edge: told to the one whose work it was
            self._fail(waiting, error)
            return
        _tell(waiting, None)

    def _fail(self, waiting: _Waiting, error: Exception) -> None:
        self._failed += 1
        told = translate(error)
        if told is not error:
            told.__cause__ = error
        _tell(waiting, told)


def _tell(waiting: _Waiting, error: BaseException | None) -> None:
    try:
        waiting.loop.call_soon_threadsafe(waiting.done, waiting.result, error)
    except RuntimeError:
        _log.error("store.outcome-lost: the loop that asked for a commit was closed before its end")


def _settle(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if future.done():
        return  # cancelled; see `run`
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)

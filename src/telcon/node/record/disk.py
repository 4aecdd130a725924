"""The one thread through which a record reaches the disk, so that no disk can stall the audio.

The event loop hands over jobs and never waits. What waits is bounded; a disk that refuses, or that
is so slow that the bound is reached, ends the writing for good. A disk that merely hesitates shows
in `waiting_since` and costs nothing but memory.
"""

import logging
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

__all__ = ["DiskWriter", "write_whole"]

_LOG = logging.getLogger(__name__)

MAX_WAITING = 512
"""Jobs. One a second for a call: some minutes. Beyond, the disk is stuck."""


class DiskWriter:
    """Does jobs in the order in which they were given. Every method returns at once."""

    def __init__(self, name: str) -> None:
        """Start the thread; `name` is for whoever looks at a list of threads."""
        self._jobs: queue.SimpleQueue[tuple[float, Callable[[], None]]] = queue.SimpleQueue()
        self._failure: str | None = None
        self._waiting_since: float | None = None
        self._closed: Future[None] | None = None
        # A daemon, because a node must be able to end while its disk hangs.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def failure(self) -> str | None:
        """Why writing ended early; None while all is well."""
        return self._failure

    def waiting_since(self) -> float | None:
        """Return when the job that the disk is busy with was given; None when it is idle."""
        return self._waiting_since

    def give(self, now: float, job: Callable[[], None]) -> None:
        """Let `job` be done, unless writing has ended; an OSError of it ends all writing."""
        if self._closed is not None:
            self.give_up("the record is closed")
        if self._jobs.qsize() >= MAX_WAITING:
            self.give_up("the disk has taken nothing for a long time")
        if self._failure is None:
            self._jobs.put((now, partial(self._unless_failed, job)))

    def done(self, now: float) -> "Future[None]":
        """Return what is done once all that was given so far is, or has failed."""
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()  # whoever stops waiting stops nothing here
        self._jobs.put((now, partial(future.set_result, None)))
        return future

    def close(self, now: float, last: Callable[[], None]) -> "Future[None]":
        """Do `last` whatever failed before, then end; the future says when that is done.

        A stuck disk never gets there: wait with a limit. Nothing may be given afterwards.
        """
        if self._closed is None:
            self._closed = Future()
            self._closed.set_running_or_notify_cancel()
            self._jobs.put((now, last))
            self._jobs.put((now, partial(self._closed.set_result, None)))
        return self._closed

    def give_up(self, reason: str) -> None:
        """Write nothing more, because the caller has waited long enough."""
        self._failure = self._failure or reason

    # What follows runs in the thread.

    def _run(self) -> None:
        while self._closed is None or not self._closed.done():
            given, job = self._jobs.get()
            self._waiting_since = given
            self._try(job)
            self._waiting_since = None

    def _unless_failed(self, job: Callable[[], None]) -> None:
        # What stands behind something that could not be written must not be written either.
        if self._failure is None:
            job()

    def _try(self, job: Callable[[], None]) -> None:
        try:
            job()
        except OSError as e:
            self.give_up(f"the disk refused: {e.strerror or e}")
        except Exception as e:  # noqa: BLE001 -- the edge of a thread: nobody else would hear
            _LOG.exception("a record could not be written")
            self.give_up(f"a defect of this node: {e}")


def write_whole(descriptor: int, data: bytes, size: int) -> None:
    """Append `data` to a file of `size` octets, whole or not at all.

    Raises:
        OSError: the disk refused; the file is as long as before, if it can still be cut.
    """
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError:
        # A full disk takes a part. To cut that off needs no room.
        os.ftruncate(descriptor, size)
        raise

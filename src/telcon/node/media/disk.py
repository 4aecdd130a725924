"""The one thread through which recordings reach the disk, so that no disk can stall the audio.

The event loop hands over bytes and never waits. What waits is bounded; a disk that refuses, or that
is so slow that the bound is reached, ends the writing for good and leaves files that end at a whole
page. A disk that merely hesitates shows in `waiting_since` and costs nothing but memory.
"""

import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from hashlib import sha256
from pathlib import Path

__all__ = ["DiskFile", "DiskWriter", "sync_folder"]

MAX_WAITING = 512
"""Jobs. One a second for each track: about a minute of eight tracks. Beyond, the disk is stuck."""

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


class DiskFile:
    """One file as the thread has it. Others only read its attributes, each in one step."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        """Octets on disk: whole pages only."""
        self.newest: float | None = None
        """Arrival of the newest packet on disk, monotonic seconds; None before the first."""
        self.hash = sha256()
        """Of those octets."""
        self.descriptor: int | None = None
        """Open file of the thread; None before and after."""


class DiskWriter:
    """Writes several files in the order of the calls. Every method returns at once."""

    def __init__(self, name: str) -> None:
        """Start the thread; `name` is for whoever looks at a list of threads."""
        self._jobs: queue.SimpleQueue[tuple[float, Callable[[], None]]] = queue.SimpleQueue()
        self._files: list[DiskFile] = []
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

    def open(self, path: Path, now: float) -> DiskFile:
        """Create a new file, and its folder; that the file is there already is a failure."""
        file = DiskFile(path)
        self._give(now, partial(self._open, file))
        return file

    def write(self, file: DiskFile, pages: bytes, newest: float | None, now: float) -> None:
        """Append whole pages; `newest` is the arrival of the last packet among them."""
        self._give(now, partial(self._write, file, pages, newest))

    def sync(self, now: float) -> None:
        """Make what was written so far survive a power cut."""
        self._give(now, self._sync)

    def close(self, now: float) -> "Future[None]":
        """Sync and close all files, whatever failed before; the future says when that is done.

        A stuck disk never gets there: wait with a limit. Nothing may be given afterwards.
        """
        if self._closed is None:
            self._closed = Future()
            self._closed.set_running_or_notify_cancel()  # whoever stops waiting stops nothing here
            self._jobs.put((now, self._sync))
            self._jobs.put((now, partial(self._close, self._closed)))
        return self._closed

    def give_up(self, reason: str) -> None:
        """Write nothing more, because the caller has waited long enough."""
        self._failure = self._failure or reason

    def _give(self, now: float, job: Callable[[], None]) -> None:
        if self._jobs.qsize() >= MAX_WAITING:
            self.give_up("the disk has taken nothing for a long time")
        if self._failure is None:
            self._jobs.put((now, job))

    # What follows runs in the thread.

    def _run(self) -> None:
        while self._closed is None or not self._closed.done():
            given, job = self._jobs.get()
            self._waiting_since = given
            self._try(job)
            self._waiting_since = None

    def _try(self, job: Callable[[], None]) -> None:
        try:
            job()
        except OSError as e:
            self.give_up(f"the disk refused: {e.strerror or e}")

    def _open(self, file: DiskFile) -> None:
        if self._failure is not None:
            return
        file.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.descriptor = os.open(file.path, _CREATE, 0o600)
        self._files.append(file)
        for folder in list(file.path.parents)[:3]:  # of the call, of the line, of all lines
            sync_folder(folder)

    def _write(self, file: DiskFile, pages: bytes, newest: float | None) -> None:
        # A page behind one that could not be written would make the file unreadable from there.
        if self._failure is not None or file.descriptor is None:
            return
        rest = memoryview(pages)
        try:
            while rest:
                rest = rest[os.write(file.descriptor, rest) :]
        except OSError:
            # A full disk takes a part. To cut that off needs no room and leaves whole pages.
            os.ftruncate(file.descriptor, file.size)
            raise
        file.hash.update(pages)
        file.size += len(pages)
        file.newest = newest

    def _sync(self) -> None:
        for file in self._files:
            if file.descriptor is not None:
                os.fdatasync(file.descriptor)

    def _close(self, done: "Future[None]") -> None:
        for file in self._files:
            descriptor, file.descriptor = file.descriptor, None
            if descriptor is not None:
                self._try(partial(os.close, descriptor))
        done.set_result(None)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut.

    Raises:
        OSError: the disk refused.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

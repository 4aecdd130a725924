"""The node's folder: who may read it, who holds it, and what in it must never be restored.

    FOLDER/                 0700
      telcon.db             everything durable (store), 0600
      keys/                 what a copy of the database alone must not show or be able to do
      never-restore/        what a backup must leave out, see below
        CACHEDIR.TAG        backup programs that honour it skip the folder by themselves
        README.txt          why
        lock                held by flock(2) while a node runs: it dies with the process
        marker-<line>       last signed size and root of our log on that line
        witness.key         signs logs of others; lost with what it has signed, or not at all
        witnessed-<hash>    the newest checkpoint of a log of others that it has signed

A marker that came back with a backup would fit the old database that came with it, and the node
would sign a second history. Left out of backups, it stands beside an older database and does not
fit.
"""

import contextlib
import fcntl
import os
from pathlib import Path

from telcon.errors import LockedError, StorageError

__all__ = ["KEYS", "NEVER_RESTORE", "FolderLock", "prepare_folder", "sync_folder", "write_once"]

KEYS = "keys"
NEVER_RESTORE = "never-restore"

# https://bford.info/cachedir/: the first 43 octets are what backup programs look for.
_CACHEDIR_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This tag keeps backup programs out of this folder. What lies here must never be restored:\n"
    "# a marker restored together with an old database would let the node sign a second history.\n"
)
_README = (
    "Never restore this folder from a backup, and leave it out of backups.\n"
    "It holds how far this node has signed. After a restore of the rest, the node sees by it that\n"
    "its database is older, and asks the other side for what is missing before it signs anything.\n"
)


def prepare_folder(folder: Path) -> None:
    """Make `folder` and its two parts if missing, readable by this user alone.

    Raises:
        StorageError: the folder cannot be made or is not ours to close to others.
    """
    try:
        for place in (folder, folder / KEYS, folder / NEVER_RESTORE):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            if place.stat().st_mode & 0o077:
                place.chmod(0o700)
        sync_folder(folder)
        for name, text in (("CACHEDIR.TAG", _CACHEDIR_TAG), ("README.txt", _README)):
            if not (folder / NEVER_RESTORE / name).exists():
                _write_text(folder / NEVER_RESTORE / name, text)
    except OSError as error:
        raise _unusable(folder, error) from error


def write_once(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all, readable by this user alone."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)  # what a crash left behind
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    sync_folder(path.parent)


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


class FolderLock:
    """Holds a folder against a second node, until `release` or the death of the process."""

    def __init__(self, folder: Path) -> None:
        """Take the lock of `folder`, which `prepare_folder` has made.

        Raises:
            LockedError: another process holds it.
            StorageError: the lock file cannot be opened.
        """
        try:
            self._descriptor = os.open(
                folder / NEVER_RESTORE / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise _unusable(folder, error) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise LockedError(
                f"another node (process {holder or 'unknown'}) runs on the folder {folder}",
                advice="Stop that node first, or start this one with a folder of its own.",
            ) from error
        # Only for the message above: the lock is the flock. A full disk may refuse the number.
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another node take the folder."""
        os.close(self._descriptor)


def _write_text(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _unusable(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        f"the folder {folder} cannot be used: {error.strerror} ({error.filename})",
        advice="Give the node a folder that its user owns and may write to.",
    )

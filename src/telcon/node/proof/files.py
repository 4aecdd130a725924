"""Proof folders on disk: written whole or not at all, read without trusting what lies there."""

import contextlib
import errno
import os
import shlex
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Protocol

from telcon.errors import MalformedError, OperatorError, StorageError
from telcon.node.folder import sync_folder
from telcon.node.proof.layout import MAX_FILE_OCTETS, MAX_FILES, SUMS, format_sums

_PIECE_OCTETS = 1024 * 1024


class Files(Protocol):
    """A folder to be verified. Paths are relative, with '/', and come from whoever made it."""

    def paths(self) -> Sequence[str]:
        """Return the path of everything in it that is not a folder.

        Raises:
            StorageError: the system refuses it.
            MalformedError: more files than any proof folder has.
        """

    def read(self, path: str, limit: int) -> bytes:
        """Return a file's bytes.

        Raises:
            StorageError: the system refuses it.
            MalformedError: it is no plain file, or above `limit` octets.
        """

    def digest(self, path: str) -> tuple[str, int]:
        """Return SHA-256, in hex, and size of a file.

        Raises:
            StorageError: the system refuses it.
            MalformedError: it is no plain file, or larger than any recording.
        """


class DiskFiles:
    """A folder on disk as `Files`. Links are never followed."""

    def __init__(self, root: Path) -> None:
        """Read below `root`."""
        self._root = root

    def paths(self) -> Sequence[str]:
        """List every file; see `Files`."""
        found: list[str] = []
        try:
            for path in self._walk():
                if len(found) == MAX_FILES:
                    raise MalformedError(f"{self._root} has more than {MAX_FILES} files")
                found.append(path)
        except OSError as error:
            raise _unreadable(self._root, error) from error
        return sorted(found)

    def read(self, path: str, limit: int) -> bytes:
        """Read one file; see `Files`."""
        with _open_plain(self._root / path) as file:
            # No more than there is: to make room for the limit costs more than all the rest.
            data = file.read(min(limit, os.fstat(file.fileno()).st_size) + 1)
        if len(data) > limit:
            raise MalformedError(f"{path} is above {limit} octets")
        return data

    def digest(self, path: str) -> tuple[str, int]:
        """Hash one file; see `Files`."""
        hashing = sha256()
        size = 0
        with _open_plain(self._root / path) as file:
            if os.fstat(file.fileno()).st_size > MAX_FILE_OCTETS:  # with holes it costs nothing
                raise MalformedError(f"{path} is above {MAX_FILE_OCTETS} octets")
            while piece := file.read(_PIECE_OCTETS):
                hashing.update(piece)
                size += len(piece)
        return hashing.hexdigest(), size

    def _walk(self) -> Iterator[str]:
        folders = [""]
        while folders:
            prefix = folders.pop()
            with os.scandir(self._root / prefix) as items:
                for item in items:
                    if item.is_dir(follow_symlinks=False):
                        folders.append(f"{prefix}{item.name}/")
                    else:
                        yield f"{prefix}{item.name}"


@contextlib.contextmanager
def _open_plain(path: Path) -> Iterator[BinaryIO]:
    """Open a plain file: no link, and nothing that could block or have no end."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(number, "rb") as file:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise MalformedError(f"{path.name} is not a plain file")
            yield file
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise MalformedError(f"{path.name} is not a plain file") from error
        raise _unreadable(path, error) from error


def read_pieces(path: Path) -> Iterator[bytes]:
    """Return the bytes of one file, piece by piece.

    Raises:
        StorageError: the system refuses it.
        MalformedError: it is no plain file.
    """
    with _open_plain(path) as file:
        while piece := file.read(_PIECE_OCTETS):
            yield piece


def read_plain(path: Path, limit: int) -> bytes:
    """Return the bytes of one file that somebody named.

    Raises:
        StorageError: the system refuses it.
        MalformedError: it is no plain file, or above `limit` octets.
    """
    return DiskFiles(path.parent).read(path.name, limit)


def nobody() -> None:
    """Tell nobody that a folder is about to be written."""


def require_place(target: Path) -> None:
    """Refuse a place where no new folder can be made.

    Raises:
        OperatorError: it exists and is not an empty folder.
        StorageError: the folder around it is not there, or cannot be written.
    """
    above = target.absolute().parent
    try:
        _require_free(target)
        standing = next(one for one in (above, *above.parents) if one.exists())
        is_folder = standing.is_dir()
    except OSError as error:
        raise _unwritable(target, error) from error
    if not is_folder:
        raise StorageError(
            f"{target} could not be written: {standing} is a file; nothing was written",
            advice="Name a new folder in one that exists.",
        )
    if standing != above:
        raise StorageError(
            f"{target} could not be written: there is no folder {above}; nothing was written",
            advice=f"Make it first: mkdir -p {shlex.quote(str(above))}",
        )
    if not os.access(above, os.W_OK | os.X_OK):
        raise StorageError(
            f"{target} could not be written: this user may not write to {above}; nothing was"
            " written",
            advice="Name a new folder in one that you may write to.",
        )


class FolderWriter:
    """Writes a new proof folder beside its place and moves it there when it is whole.

    Used as a context manager: leaving it by an error removes all that was written. A crash leaves
    at most a folder with a leading dot and `.partial` in its name, never half a proof folder.
    """

    def __init__(self, target: Path, told: Callable[[], None] = nobody) -> None:
        """Prepare to write `target`, and let `told` know of it before the first byte.

        Raises:
            OperatorError: it exists and is not an empty folder.
            StorageError: the folder around it cannot be written.
            Others: `told` raises; nothing stays.
        """
        self._target = target.absolute()
        require_place(self._target)
        try:
            made = tempfile.mkdtemp(
                prefix=f".{self._target.name}.", suffix=".partial", dir=self._target.parent
            )
        except OSError as error:
            raise _unwritable(self._target, error) from error
        self._folder = Path(made)
        self._sums: dict[str, str] = {}
        try:
            told()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def __enter__(self) -> "FolderWriter":
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)  # gone already when it was finished

    def write(self, path: str, data: bytes) -> None:
        """Write one file durably.

        Raises:
            StorageError: the disk refused.
        """
        try:
            with self._create(path) as file:
                file.write(data)
        except OSError as error:
            raise _unwritable(self._target, error) from error
        self._sums[path] = sha256(data).hexdigest()

    def write_pieces(self, path: str, pieces: Iterable[bytes]) -> tuple[str, int]:
        """Write a file of `pieces` durably; return its SHA-256, in hex, and size.

        Raises:
            StorageError: the disk refused.
        """
        hashing = sha256()
        size = 0
        try:
            with self._create(path) as file:
                for piece in pieces:
                    hashing.update(piece)
                    size += len(piece)
                    file.write(piece)
        except OSError as error:
            raise _unwritable(self._target, error) from error
        self._sums[path] = hashing.hexdigest()
        return self._sums[path], size

    def finish(self) -> None:
        """Write SHA256SUMS, make all durable, and move the folder to its place.

        Raises:
            OperatorError: something was put in its place meanwhile.
            StorageError: the disk refused.
        """
        self.write(SUMS, format_sums(self._sums))
        try:
            for folder, _, _ in os.walk(self._folder):
                sync_folder(Path(folder))
            _require_free(self._target)
            self._folder.rename(self._target)  # takes the place of an empty folder
            sync_folder(self._target.parent)
        except OSError as error:
            raise _unwritable(self._target, error) from error

    @contextlib.contextmanager
    def _create(self, path: str) -> Iterator[BinaryIO]:
        place = self._folder / path
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(number, "wb") as file:
            yield file
            file.flush()
            os.fsync(number)


def _require_free(target: Path) -> None:
    try:
        taken = target.is_symlink() or (
            target.exists() and not (target.is_dir() and not any(target.iterdir()))
        )
    except OSError as error:
        raise _unwritable(target, error) from error
    if taken:
        raise OperatorError(
            f"{target} exists and is not an empty folder; nothing was written",
            advice="Name a folder that does not exist yet.",
        )


def _unreadable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} could not be read: {error.strerror}",
        advice="Check that the path is right and that you may read it.",
    )


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} could not be written: {error.strerror}; nothing half-written stays",
        advice="Check free space and that you may write there.",
    )

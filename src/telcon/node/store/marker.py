"""The marker: how far our log of a line was signed, kept where no backup reaches.

One file per line, two slots of one sector each:

    offset 0 and 4096:  magic 8 | sequence u64 | size u64 | root 32 | SHA-256 of the foregoing 32

Writing is one pwrite without a sync; `sync` follows within a second. Between two syncs all writes
go to one slot, so the other one always lies synced on the disk: a power loss can tear one at most.
What each accident leaves, and why that is safe, is argued in docs/decisions/0003-marker.md.
"""

import errno
import hashlib
import os
import struct
from pathlib import Path

from telcon.core.stored import NEW_LOG, Marker
from telcon.errors import StorageError, StorageTrouble
from telcon.node.folder import sync_folder

__all__ = ["MarkerFile", "Markers"]

_MAGIC = b"telcmrk1"
_FORM = struct.Struct(">8sQQ32s")
_SLOT_OFFSETS = (0, 4096)  # octets; on sectors, and pages, of their own
_SLOT_OCTETS = _FORM.size + 32


class Markers:
    """The markers of all lines of a node; used by the commit thread alone, but for `read`."""

    def __init__(self, folder: Path) -> None:
        """Keep the markers in `folder`, the node's never-restore."""
        self._folder = folder
        self._files: dict[str, MarkerFile] = {}
        self._stopped: dict[str, StorageError] = {}

    @property
    def is_dirty(self) -> bool:
        """Whether something was written that no sync has covered yet."""
        return any(file.is_dirty for file in self._files.values())

    def read(self, line: str) -> Marker | None:
        """Return the marker of `line` as the file has it, None when it is gone or unreadable.

        Raises:
            StorageError: the file is there but the system refuses it.
        """
        return MarkerFile(self._folder / f"marker-{line}").read()

    def create(self, line: str, marker: Marker) -> None:
        """Give a new line its first marker; see `MarkerFile.create`."""
        self._file(line).create(marker)

    def require_usable(self, line: str) -> None:
        """Refuse to go on with a line whose marker could not be written.

        Its database is ahead of the marker by entries nobody was told of; a restart sorts that out.

        Raises:
            StorageError: what the disk said then.
        """
        if line in self._stopped:
            raise self._stopped[line]

    def write(self, line: str, marker: Marker) -> None:
        """Put `marker` in place; after a failure the line stays stopped.

        Raises:
            StorageError: the file refuses.
        """
        try:
            self._file(line).write(marker)
        except StorageError as error:
            self._stopped[line] = error
            raise
        except MemoryError as error:
            self._stopped[line] = StorageError(
                f"there was not enough memory to write the marker of {line}",
                advice="Free memory on the node's machine, then start the node again.",
                trouble=StorageTrouble.MEMORY,
            )
            raise self._stopped[line] from error

    def sync(self) -> None:
        """Bring all that was written onto the disk.

        Raises:
            OSError: the disk refuses.
        """
        for file in self._files.values():
            if file.is_dirty:
                file.sync()

    def close(self) -> None:
        """Let go of the files; `sync` first."""
        for file in self._files.values():
            file.close()

    def _file(self, line: str) -> "MarkerFile":
        if line not in self._files:
            self._files[line] = MarkerFile(self._folder / f"marker-{line}")
        return self._files[line]


class MarkerFile:
    """The marker file of one line; one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Stand for the file at `path`, which need not exist yet."""
        self._path = path
        self._descriptor: int | None = None
        self._sequence = 0
        self._slot = 0
        self._dirty = False

    @property
    def is_dirty(self) -> bool:
        """Whether something was written that no sync has covered yet."""
        return self._dirty

    def create(self, marker: Marker) -> None:
        """Make the file with `marker` in it, synced; a file that is there already stays as it is.

        Never overwriting is the point: a marker only ever moves by `write`.

        Raises:
            StorageError: the file cannot be made.
        """
        if self._path.exists():
            return
        try:
            for self._slot in range(len(_SLOT_OFFSETS)):
                self._write_slot(marker)
            self.sync()
            sync_folder(self._path.parent)
        except OSError as error:
            raise _refused(self._path, error) from error

    def read(self) -> Marker | None:
        """Return the newest marker that is whole, None when there is none."""
        newest = self._newest()
        return newest[1] if newest else None

    def write(self, marker: Marker) -> None:
        """Put `marker` into the slot that is not the last one synced, without a sync.

        Raises:
            StorageError: the file refuses.
        """
        try:
            if self._descriptor is None:
                self._reopen()
            self._write_slot(marker)
        except OSError as error:
            raise _refused(self._path, error) from error
        self._dirty = True

    def sync(self) -> None:
        """Bring what was written onto the disk.

        Raises:
            OSError: the disk refuses.
        """
        if self._descriptor is not None:
            os.fdatasync(self._descriptor)
            self._slot = 1 - self._slot
        self._dirty = False

    def close(self) -> None:
        """Let go of the file; the object may be used again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _reopen(self) -> None:
        """Go on from the newest slot, which a node before this one may have left unsynced."""
        newest = self._newest()
        self._sequence, _, self._slot = newest or (0, NEW_LOG, 0)
        self._open()
        self.sync()

    def _open(self) -> int:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._descriptor

    def _write_slot(self, marker: Marker) -> None:
        descriptor = self._open() if self._descriptor is None else self._descriptor
        self._sequence += 1
        body = _FORM.pack(_MAGIC, self._sequence, marker.size, marker.root)
        slot = body + hashlib.sha256(body).digest()
        if os.pwrite(descriptor, slot, _SLOT_OFFSETS[self._slot]) != len(slot):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))

    def _newest(self) -> tuple[int, Marker, int] | None:
        """Return sequence, marker and slot of the newest that is whole."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _refused(self._path, error) from error
        whole = [
            (*found, slot)
            for slot, offset in enumerate(_SLOT_OFFSETS)
            if (found := _parse_slot(data[offset : offset + _SLOT_OCTETS])) is not None
        ]
        return max(whole, key=lambda found: found[0], default=None)


def _parse_slot(slot: bytes) -> tuple[int, Marker] | None:
    if len(slot) != _SLOT_OCTETS or hashlib.sha256(slot[:-32]).digest() != slot[-32:]:
        return None
    magic, sequence, size, root = _FORM.unpack(slot[:-32])
    return (sequence, Marker(size=size, root=root)) if magic == _MAGIC else None


def _refused(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"the marker {path} cannot be used: {error.strerror}",
        advice="Free space or mend the disk, then start the node again.",
    )

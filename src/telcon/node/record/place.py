"""Where the record of a call lies in the node's folder, and the node's own key to it.

recordings/LINE/CALL/call.record        the journal
recordings/LINE/CALL/node.key           opens it on this node, if the line has no record-keepers
never-restore/records/LINE-CALL.key     the same if it has: in no backup, and erased for good
                                        once both sides hold the same record
"""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from telcon.errors import MalformedError, SealedError, StorageError
from telcon.node.folder import NEVER_RESTORE, sync_folder
from telcon.node.record.journal import Head, Journal, count_readers
from telcon.node.record.sealing import PRIVATE_BYTES, PrivateKey, Reader

__all__ = ["RECORDINGS", "SUFFIX", "RecordPlace"]

RECORDINGS = "recordings"
"""The folder of all records, in the node's."""

SUFFIX = ".record"
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """One call's record on the disk."""

    folder: Path
    """Of the node."""
    path: str
    """Of the journal, relative to it."""

    @classmethod
    def of(cls, folder: Path, line: str, call: str) -> "RecordPlace":
        """Return the place for `call` of `line`.

        Two lines may know a call of the same id, for the other side picks it: each has its folder.
        """
        return cls(folder, f"{RECORDINGS}/{line}/{call}/call{SUFFIX}")

    @property
    def journal(self) -> Path:
        """Where the journal lies."""
        return self.folder / self.path

    def begin(self, head: Head, keepers: Sequence[Reader]) -> Journal:
        """Create the journal, sealed to `keepers` and a fresh key of this node. Blocks on the disk.

        Raises:
            OSError: the disk refused, and nothing stays; or there is a record already.
        """
        key = PrivateKey.generate()
        path = self._guarded_key if keepers else self._plain_key
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, _CREATE, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(key.to_bytes())
                file.flush()
                os.fsync(descriptor)
            sync_folder(path.parent)
            sync_folder(path.parent.parent)
            return Journal.create(self.journal, head, (key.reader, *keepers))
        except OSError:
            with contextlib.suppress(OSError):
                path.unlink()  # a key to nothing
            raise

    def read(self, key: PrivateKey | None = None) -> Journal:
        """Open the journal for reading alone, with `key` or this node's. Blocks on the disk.

        Raises:
            StorageError: the disk refused.
            MalformedError: it is no journal, or was altered.
            SealedError: it was not sealed to the key, or this node has none.
        """
        return self._open(key or self._key(), is_writing=False)

    def go_on(self) -> Journal:
        """Open the journal to write more for the same readers; errors as of `read`."""
        return self._open(self._key(), is_writing=True)

    def keepers(self) -> int:
        """Return for how many record-keepers the record was begun; none is needed to know.

        Raises:
            StorageError: the disk refused.
            MalformedError: it is no journal.
        """
        try:
            return count_readers(self.journal) - 1
        except OSError as error:
            why = error.strerror or error
            raise StorageError(f"the record {self.path} cannot be read: {why}") from error

    def erase_guarded_key(self) -> None:
        """Erase that key: from now on only record-keepers open the record. Blocks on the disk.

        The disk may keep old octets somewhere; what is erased was never in a backup.

        Raises:
            OSError: the disk refused.
        """
        with contextlib.suppress(FileNotFoundError):
            with self._guarded_key.open("r+b", buffering=0) as file:
                file.write(bytes(PRIVATE_BYTES))
                os.fsync(file.fileno())
            self._guarded_key.unlink()
            sync_folder(self._guarded_key.parent)

    def _open(self, key: PrivateKey, *, is_writing: bool) -> Journal:
        try:
            return Journal.open(self.journal, key, is_writing=is_writing)
        except FileNotFoundError as error:
            raise StorageError(
                f"there is no record {self.path}",
                advice="It was destroyed, or lies in another node's folder.",
            ) from error
        except OSError as error:
            why = error.strerror or error
            raise StorageError(f"the record {self.path} cannot be read: {why}") from error

    @property
    def _plain_key(self) -> Path:
        return self.journal.with_name("node.key")

    @property
    def _guarded_key(self) -> Path:
        line, call = self.path.split("/")[1:3]
        return self.folder / NEVER_RESTORE / "records" / f"{line}-{call}.key"

    def _key(self) -> PrivateKey:
        path = self._plain_key if self._plain_key.exists() else self._guarded_key
        try:
            return PrivateKey(path.read_bytes())
        except FileNotFoundError as error:
            raise SealedError(
                "this node holds no key to this record any more",
                advice="Give a record-keeper's key (--key FILE); see telcon record open --help.",
            ) from error
        except OSError as error:
            why = error.strerror or error
            raise StorageError(f"the key to {self.path} cannot be read: {why}") from error
        except MalformedError as error:
            raise SealedError(f"the key to the record {self.path} is damaged") from error

"""Where the record of a call lies in the node's folder, and the node's own key to it.

recordings/LINE/CALL/call.record   the journal
recordings/LINE/CALL/node.key      96 octets: opens it on this node
"""

import os
from dataclasses import dataclass
from pathlib import Path

from telcon.errors import MalformedError, SealedError, StorageError
from telcon.node.record.disk import sync_folder
from telcon.node.record.journal import Head, Journal
from telcon.node.record.sealing import PrivateKey

__all__ = ["RecordPlace"]

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
        return cls(folder, f"recordings/{line}/{call}/call{SUFFIX}")

    @property
    def journal(self) -> Path:
        """Where the journal lies."""
        return self.folder / self.path

    def begin(self, head: Head) -> Journal:
        """Create the journal, sealed to a fresh key of this node. Blocks on the disk.

        Raises:
            OSError: the disk refused, or there is a record already.
        """
        key = PrivateKey.generate()
        self.journal.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._key_path, _CREATE, 0o600)
        with open(descriptor, "wb") as file:
            file.write(key.to_bytes())
            file.flush()
            os.fsync(descriptor)
        sync_folder(self.journal.parent)
        return Journal.create(self.journal, head, (key.reader,))

    def read(self) -> Journal:
        """Open the journal for reading alone. Blocks on the disk.

        Raises:
            StorageError: the disk refused.
            MalformedError: it is no journal, or was altered.
            SealedError: this node has no key to it.
        """
        return self._open(is_reading=True)

    def go_on(self) -> Journal:
        """Open the journal so that more can be written; errors as of `read`."""
        return self._open(is_reading=False)

    def _open(self, *, is_reading: bool) -> Journal:
        key = self._key()
        try:
            return Journal.open(self.journal, key, () if is_reading else (key.reader,))
        except OSError as error:
            why = error.strerror or error
            raise StorageError(f"the record {self.path} cannot be read: {why}") from error

    @property
    def _key_path(self) -> Path:
        return self.journal.with_name("node.key")

    def _key(self) -> PrivateKey:
        try:
            return PrivateKey(self._key_path.read_bytes())
        except FileNotFoundError as error:
            raise SealedError(f"this node has no key to the record {self.path}") from error
        except OSError as error:
            why = error.strerror or error
            raise StorageError(f"the key to {self.path} cannot be read: {why}") from error
        except MalformedError as error:
            raise SealedError(f"the key to the record {self.path} is damaged") from error

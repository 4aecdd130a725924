"""What the logs' seals open with, encrypted in the database under a key that lies outside it.

    keys/openings.key = 64 hex digits, and a line feed
    sealed            = nonce, 12 octets || AES-256-GCM(the seal's key, 32 octets || content)
    bound to          = "telcon opening v1" 00 table 00 log 00 position 00 member

So a copy of the database alone, or a backup kept apart from `keys`, shows no message, topic or
person of a call (the principal of the other node stands in the table of lines). The log is its
number in the database. Nonces are random, so one key serves 2^32 openings (NIST SP 800-38D, 8.3),
which is a message each second for 136 years.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection

from telcon.core.seal import KEY_BYTES, Opening
from telcon.errors import StorageError, UnreadableError
from telcon.node.folder import KEYS, write_once

__all__ = [
    "OPENINGS_KEY",
    "OpeningCipher",
    "load_openings_key",
    "prepare_openings_key",
    "require_fitting",
]

OPENINGS_KEY: Final = "openings.key"

_CIPHER_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_SPELLING: Final = re.compile(rb"[0-9a-f]{64}\n")
_TRIED: Final = 8  # of each table, to tell a damaged row from another key


class OpeningCipher:
    """Encrypts openings for one database; any thread may use it."""

    def __init__(self, key: bytes) -> None:
        """Take the 32 octets of the key."""
        self._cipher = AESGCM(key)

    def seal(self, table: str, log: int, position: int, opening: Opening) -> bytes:
        """Return `opening` as it stands in that table, as that entry's."""
        nonce = os.urandom(_NONCE_BYTES)
        bound = _bound(table, log, position, opening.member)
        return nonce + self._cipher.encrypt(nonce, opening.key + opening.content, bound)

    def open(self, table: str, log: int, position: int, member: str, sealed: bytes) -> Opening:
        """Return what `sealed` holds.

        Raises:
            UnreadableError: it was sealed under another key, stood in another place, or was
                altered.
        """
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            opened = self._cipher.decrypt(nonce, rest, _bound(table, log, position, member))
        except (InvalidTag, ValueError) as error:
            raise UnreadableError(
                f"what opens entry {position} cannot be read: it was altered, or"
                f" keys/{OPENINGS_KEY} is another",
                advice=f"{_ADVICE} If it is that one, restore the database from a backup, without"
                " never-restore.",
            ) from error
        return Opening(member, opened[:KEY_BYTES], opened[KEY_BYTES:])


def load_openings_key(folder: Path) -> bytes:
    """Return the key of the node's `folder`.

    Raises:
        StorageError: there is no such file, it is no key, or the system refuses it.
    """
    path = folder / KEYS / OPENINGS_KEY
    try:
        found = path.read_bytes()
    except FileNotFoundError as error:
        raise StorageError(
            f"{path} is missing: without it nobody can read what the database holds", advice=_ADVICE
        ) from error
    except OSError as error:
        raise _unusable(path, error) from error
    if not _SPELLING.fullmatch(found):
        raise StorageError(f"{path} is no key of {_CIPHER_KEY_BYTES} octets in hex", advice=_ADVICE)
    return bytes.fromhex(found.decode("ascii"))


def prepare_openings_key(folder: Path, connection: Connection) -> bytes:
    """Return the key of the node's `folder`, made now if its database holds nothing sealed yet.

    Raises:
        StorageError: as `load_openings_key`, and if the system refuses a new one.
    """
    path = folder / KEYS / OPENINGS_KEY
    try:
        if not path.exists() and not any(_newest(connection)):
            write_once(path, f"{os.urandom(_CIPHER_KEY_BYTES).hex()}\n".encode())
    except OSError as error:
        raise _unusable(path, error) from error
    return load_openings_key(folder)


def require_fitting(connection: Connection, cipher: OpeningCipher) -> None:
    """Try `cipher` on the newest that the database holds.

    Raises:
        UnreadableError: it opens none of it.
    """
    refused = None
    for one in _newest(connection):
        try:
            cipher.open(*one)
        except UnreadableError as error:
            refused = error
        else:
            return  # one that does not open is damage, and no other key
    if refused is not None:
        raise refused


def _newest(connection: Connection) -> Iterator[tuple[str, int, int, str, bytes]]:
    """Yield the newest openings of each table; tables of before revision 0009 have none."""
    for table in ("opening", "house_opening"):
        columns = connection.exec_driver_sql(f"PRAGMA table_info({table})")
        if any(column.name == "sealed" for column in columns):
            found = connection.exec_driver_sql(
                f"SELECT log, position, member, sealed FROM {table}"  # noqa: S608 -- our own names
                " ORDER BY log DESC, position DESC LIMIT ?",
                (_TRIED,),
            )
            yield from ((table, *row) for row in found)


def _bound(table: str, log: int, position: int, member: str) -> bytes:
    return f"telcon opening v1\0{table}\0{log}\0{position}\0{member}".encode()


def _unusable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"the key {path} cannot be used: {error.strerror}",
        advice="Give the node a folder that its user owns and may write to.",
    )


_ADVICE: Final = (
    f"Put back the keys/{OPENINGS_KEY} that was in the node's folder with this database."
)

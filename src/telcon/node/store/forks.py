"""Forks as rows of the table `evidence`: two signed checkpoints, what shows it, who took note.

Functions take a connection, as in `telcon.node.store.records`. Forks come in with the commits of a
line (`telcon.node.store.log`); what they mean is said in `telcon.ledger.fork`.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from telcon.ledger import Fork
from telcon.node.store.tables import evidence as _evidence

__all__ = ["KeptFork", "acknowledge", "find_forks", "joined_path"]

_HASH_OCTETS = 32


@dataclass(frozen=True, slots=True)
class KeptFork:
    """A fork, and whether the operator took note of it."""

    fork: Fork
    acknowledged: bytes | None
    """The reason as it is sealed, once the operator has given one; see `telcon.core.seal.Text`."""


def find_forks(connection: Connection, line: str) -> list[KeptFork]:
    """Return the forks kept of `line`, the oldest first."""
    query = select(_evidence).where(_evidence.c.line == line).order_by(_evidence.c.id)
    return [
        KeptFork(Fork(row.first, row.second, _parted(row.path or b"")), row.acknowledged)
        for row in connection.execute(query)
    ]


def acknowledge(connection: Connection, line: str, reason: bytes) -> None:
    """Store with which `reason` the operator took note of all forks of `line` not noted yet."""
    fresh = (_evidence.c.line == line) & _evidence.c.acknowledged.is_(None)
    connection.execute(update(_evidence).where(fresh).values(acknowledged=reason))


def joined_path(fork: Fork) -> bytes | None:
    """Return the column that holds a fork's path."""
    return b"".join(fork.path) or None


def _parted(path: bytes) -> tuple[bytes, ...]:
    return tuple(path[at : at + _HASH_OCTETS] for at in range(0, len(path), _HASH_OCTETS))

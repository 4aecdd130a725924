"""A Merkle tree in memory, and RFC 6962 §2.1 written down literally to compare with."""

from collections.abc import Iterable, Sequence
from hashlib import sha256

from telcon.ledger import EMPTY_FRONTIER, leaf_hash


class MemoryTree:
    """Keeps what `Frontier.append` returns, as a store would."""

    def __init__(self, entries: Iterable[bytes] = ()) -> None:
        self.frontier = EMPTY_FRONTIER
        self.rows: list[tuple[bytes, ...]] = []
        for entry in entries:
            self.append(entry)

    def append(self, entry: bytes) -> None:
        self.frontier, completed = self.frontier.append(leaf_hash(entry))
        self.rows.append(completed)

    def read(self, level: int, index: int) -> bytes:
        return self.rows[((index + 1) << level) - 1][level]


def literal_root(leaves: Sequence[bytes]) -> bytes:
    """MTH(D[n]) as the RFC states it, over leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = literal_split(len(leaves))
    left, right = literal_root(leaves[:split]), literal_root(leaves[split:])
    return sha256(b"\x01" + left + right).digest()


def literal_split(count: int) -> int:
    split = 1
    while split * 2 < count:
        split *= 2
    return split

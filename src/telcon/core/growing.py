"""A log that grows: what is stored, and above it the entries that wait for the next commit.

Both logs of a line use this, our own and the mirrored one. Hashes of entries not yet stored are
read from memory, all others through `StoredLog`; entries that were stored lately stay in memory up
to a limit, so that pushing what was just written reads no disk.
"""

from collections import deque
from typing import Final, NamedTuple

from telcon.core.seal import Opening
from telcon.core.stored import LogGrowth, StoredLog
from telcon.errors import MisuseError
from telcon.ledger import Frontier, leaf_hash, root_at

__all__ = ["GrowingLog", "Row", "make_row"]

MAX_ROOTS: Final = 4_096  # roots remembered; `seen` of either side asks for recent ones
READ_OCTETS: Final = 65_536  # read from the store at once


class Row(NamedTuple):
    """One entry with all that is stored beside it."""

    entry: bytes
    hashes: bytes
    """Of the subtrees that it completes, concatenated, level 0 first."""
    openings: tuple[Opening, ...]
    frontier: Frontier
    """Of the log up to this entry."""
    octets: int
    """How much memory it takes, about."""


def make_row(
    frontier: Frontier, entry: bytes, openings: tuple[Opening, ...], leaf: bytes | None = None
) -> Row:
    """Return what the log of `frontier` gains by `entry`, whose leaf hash may be known already."""
    after, hashes = frontier.append(leaf or leaf_hash(entry))
    octets = len(entry)
    for opening in openings:
        octets += len(opening.content) + 32
    kept = b"".join(hashes) if len(hashes) > 1 else hashes[0]
    return Row(entry, kept, openings, after, octets)


class GrowingLog:
    """One log: `stored_size` entries are durable, `size` entries are taken."""

    def __init__(self, stored: StoredLog, *, keep_octets: int) -> None:
        """Read the frontier of `stored`; keep up to `keep_octets` of what is stored from now on."""
        self.origin = stored.origin
        self.stored_size = stored.size
        self.tip = Frontier.load(stored.size, stored.hash)
        self._stored = stored
        self._keep_octets = keep_octets
        self._kept_octets = 0
        self._rows: deque[Row] = deque()
        self._base = stored.size  # index of the first row in memory
        self._roots: dict[int, bytes] = {}

    @property
    def size(self) -> int:
        """Number of entries, those that wait for a commit included."""
        return self.tip.size

    def grow(self, row: Row) -> None:
        """Take `row`, made from `tip`, as the next entry."""
        if row.frontier.size != self.tip.size + 1:
            raise MisuseError(f"row {row.frontier.size} after {self.tip.size} in {self.origin}")
        self._rows.append(row)
        self.tip = row.frontier

    def growth(self) -> LogGrowth | None:
        """Return what is not stored yet, or None.

        What the store holds already is left out: a commit may have failed after its transaction.
        """
        first = max(self.stored_size, self._stored.size)
        rows = self._rows_from(first)
        if not rows:
            return None
        openings = [
            (index, opening) for index, row in enumerate(rows, first) for opening in row.openings
        ]
        return LogGrowth(
            self.origin,
            first,
            tuple(row.entry for row in rows),
            tuple(row.hashes for row in rows),
            tuple(openings),
        )

    def settle(self, size: int) -> list[Row]:
        """Take note that `size` entries are durable; return those that have become so."""
        rows = self._rows_from(self.stored_size)[: size - self.stored_size]
        for row in rows:
            self._kept_octets += row.octets
        self.stored_size = size
        while self._kept_octets > self._keep_octets and self._base < self.stored_size:
            self._kept_octets -= self._rows.popleft().octets
            self._base += 1
        return rows

    def hash(self, level: int, index: int) -> bytes:
        """Return a subtree's hash, stored or waiting, as `StoredLog.hash` does."""
        position = ((index + 1) << level) - 1
        if position < self._base:
            return self._stored.hash(level, index)
        return self._rows[position - self._base].hashes[32 * level : 32 * level + 32]

    def root_at(self, size: int) -> bytes | None:
        """Return the root of the first `size` entries; None beyond `size`."""
        if size > self.size:
            return None
        root = self._roots.get(size)
        if root is None:
            root = self._root_at(size)
            if len(self._roots) >= MAX_ROOTS:
                del self._roots[next(iter(self._roots))]
            self._roots[size] = root
        return root

    def _root_at(self, size: int) -> bytes:
        if size == self.size:
            return self.tip.root()
        if size > self._base:
            return self._rows[size - 1 - self._base].frontier.root()
        return root_at(size, self.hash)

    def read(self, first: int) -> list[tuple[bytes, tuple[Opening, ...]]]:
        """Return durable entries from `first` on with their openings, about 64 KiB of them."""
        if first >= self.stored_size:
            return []
        if first >= self._base:
            return self._read_memory(first)
        entries = self._stored.entries(first, READ_OCTETS)[: self.stored_size - first]
        openings: list[list[Opening]] = [[] for _ in entries]
        for index, opening in self._stored.openings(first, len(entries)):
            openings[index - first].append(opening)
        return [(entry, tuple(mine)) for entry, mine in zip(entries, openings, strict=True)]

    def _read_memory(self, first: int) -> list[tuple[bytes, tuple[Opening, ...]]]:
        found = []
        octets = 0
        for at in range(first - self._base, self.stored_size - self._base):
            row = self._rows[at]
            found.append((row.entry, row.openings))
            octets += row.octets
            if octets >= READ_OCTETS:
                break
        return found

    def _rows_from(self, first: int) -> list[Row]:
        # By index: to skip what is kept would cost more than what is wanted, at the end.
        return [self._rows[at] for at in range(first - self._base, len(self._rows))]

"""Reading two stored logs into a fold, in an order that respects what each entry has seen.

Each entry is hashed again on the way. That gives the roots that the fold asks for without reading
the tree, and it notices a store whose entries are not those that were signed.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from telcon.core.entry import read_entry_untrusted
from telcon.core.fold import Applied, LineFold
from telcon.core.stored import StoredLog
from telcon.core.void import Void
from telcon.errors import MisuseError, StorageError
from telcon.ledger import EMPTY_FRONTIER, Frontier, leaf_hash

__all__ = ["replayed_fold"]

READ_OCTETS: Final = 65_536  # of each log at once; the logs may be larger than the memory
RECENT_SIZES: Final = 4_096  # of which the root is known without the tree


class _Reader:
    """The entries of one stored log, one after the other."""

    def __init__(self, stored: StoredLog) -> None:
        self.origin = stored.origin
        self.frontier = EMPTY_FRONTIER
        self.recent: dict[int, Frontier] = {}
        self.size = stored.size
        self._stored = stored
        self._piece: deque[bytes] = deque()

    def peek(self) -> bytes | None:
        if self.frontier.size >= self.size:
            return None
        if not self._piece:
            self._piece.extend(self._stored.entries(self.frontier.size, READ_OCTETS))
        return self._piece[0]

    def skip(self) -> None:
        self.frontier = self.frontier.append(leaf_hash(self._piece.popleft()))[0]
        self.recent[self.frontier.size] = self.frontier
        if len(self.recent) > RECENT_SIZES:
            del self.recent[next(iter(self.recent))]


_Head: TypeAlias = tuple[_Reader, bytes]
"""A log, and the next of its entries."""


def replayed_fold(
    own: StoredLog,
    theirs: StoredLog,
    root_of: Callable[[str, int], bytes | None],
    on_applied: Callable[[str, int, Applied], None],
) -> LineFold:
    """Return the fold of all stored entries; `on_applied` is told of each, with its place.

    Which log is whose makes no difference. Where each waits for the other, one claims to have seen
    what is not there, for each would hold a hash over the other: that one is given, and is void in
    any order. The fold asks `root_of` for roots from then on.

    Raises:
        StorageError: the entries of a log are not those of its stored tree.
    """
    readers = {stored.origin: _Reader(stored) for stored in (own, theirs)}

    def recent_root_of(origin: str, size: int) -> bytes | None:
        recent = readers[origin].recent.get(size)
        return recent.root() if recent else root_of(origin, size)

    fold = LineFold(frozenset(readers), recent_root_of)
    while True:
        heads = [(one, data) for one in readers.values() if (data := one.peek()) is not None]
        if not heads:
            break
        ready = (head for head in heads if fold.is_ready(head[0].origin, head[1]))
        reader, data = next(ready, None) or _untrue(heads, readers, root_of)
        index = reader.frontier.size
        on_applied(reader.origin, index, fold.apply(reader.origin, index, data))
        reader.skip()
    for reader in readers.values():
        _check(reader, root_of)
        reader.recent.clear()
    return fold


def _untrue(
    heads: Sequence[_Head],
    readers: Mapping[str, _Reader],
    root_of: Callable[[str, int], bytes | None],
) -> _Head:
    """Return the entry, of those that wait for each other, that has seen what is not there."""
    for reader, data in heads:
        (other,) = (one for one in readers.values() if one is not reader)
        read = read_entry_untrusted(data)
        if isinstance(read, Void):
            continue  # it waits for nothing
        size, root = read.seen
        known = root_of(other.origin, size) if size <= other.size else None
        if known is None or known.hex() != root:
            return reader, data
    raise MisuseError("two entries have each seen the other")


def _check(reader: _Reader, root_of: Callable[[str, int], bytes | None]) -> None:
    if reader.frontier.root() != root_of(reader.origin, reader.frontier.size):
        raise StorageError(
            f"the stored entries of {reader.origin} are not those of its tree",
            advice="The database was damaged or changed by hand: restore it from a backup.",
        )

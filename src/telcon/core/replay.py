"""Reading two stored logs into a fold, in an order that respects what each entry has seen."""

from collections import deque
from collections.abc import Callable
from typing import Final

from telcon.core.fold import Applied, LineFold
from telcon.core.stored import StoredLog

__all__ = ["replay"]

READ_OCTETS: Final = 65_536  # of each log at once; the logs may be larger than the memory


class _Reader:
    """The entries of one stored log, one after the other."""

    def __init__(self, stored: StoredLog) -> None:
        self._stored = stored
        self._piece: deque[bytes] = deque()
        self._read = 0
        self.index = 0
        self.origin = stored.origin
        self._size = stored.size

    def peek(self) -> bytes | None:
        if not self._piece and self._read < self._size:
            self._piece.extend(self._stored.entries(self._read, READ_OCTETS))
            self._read += len(self._piece)
        return self._piece[0] if self._piece and self.index < self._size else None

    def skip(self) -> None:
        self._piece.popleft()
        self.index += 1


def replay(
    fold: LineFold,
    own: StoredLog,
    theirs: StoredLog,
    on_applied: Callable[[str, int, Applied], None],
) -> None:
    """Apply all stored entries to the empty `fold`; `on_applied` is told of each, with its place.

    An entry of theirs that claims to have seen what was never there is given when nothing else is
    left to wait for; it is void in any order.
    """
    readers = (_Reader(own), _Reader(theirs))
    while True:
        heads = [(reader, data) for reader in readers if (data := reader.peek()) is not None]
        if not heads:
            return
        ready = (head for head in heads if fold.is_ready(head[0].origin, head[1]))
        reader, data = next(ready, heads[-1])
        applied = fold.apply(reader.origin, reader.index, data)
        on_applied(reader.origin, reader.index, applied)
        reader.skip()

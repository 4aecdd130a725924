"""Forks of a line's logs as the operator meets them: what is kept, whose it is, taking note of it.

The machine finds and keeps them, and freezes the line (`telcon.core.machine`). What the operator
says of it is stored first and then becomes an entry: of the line itself where our log of it can
still be signed, else, where it is our own log that has two histories, of the line paired after it.
"""

from collections.abc import Sequence

from telcon.core import draft as drafts
from telcon.core.books import origin_of
from telcon.core.draft import Draft
from telcon.core.seal import Text, format_text, parse_text_untrusted
from telcon.errors import OperatorError
from telcon.ledger import fork_hash
from telcon.node.line import Line
from telcon.node.store import Store
from telcon.node.store.forks import KeptFork
from telcon.node.store.records import LineRecord

__all__ = ["Evidence", "write_acknowledged"]


class Evidence:
    """What is kept of one line, as it stands in the store."""

    def __init__(self, line: Line, store: Store) -> None:
        """Read what is kept of `line`."""
        self._line = line
        self._store = store
        self._kept: Sequence[KeptFork] = ()
        self.read()

    def read(self) -> None:
        """Read anew, after something was kept or taken note of."""
        self._kept = self._store.forks(self._line.identity.line)

    @property
    def whose(self) -> str | None:
        """Which log has two histories: `ours`, which weighs more, or `theirs`; None: neither."""
        own = self._line.identity.own_card.log.name
        origins = [origin_of(kept.fork.first) for kept in self._kept]
        return ("ours" if own in origins else "theirs") if origins else None

    @property
    def is_open(self) -> bool:
        """Whether the operator has still to take note of something."""
        return any(kept.acknowledged is None for kept in self._kept)

    async def acknowledge(self, reason: str) -> None:
        """Take note of all that is kept; the line stays frozen, and a new one may be paired.

        What was taken note of before and did not become an entry, for the act was refused then,
        does now, with the words given then.

        Raises:
            OperatorError: there is nothing to take note of.
            StorageError: it cannot be stored.
            BusyError: the disk does not keep up with the log; to be said again, or the next start
                writes the entry.
            LinkDownError: the node is closing; the next start writes the entry.
        """
        if not self.is_open:
            if await write_acknowledged(self._line, self._store, None):
                return
            raise OperatorError(
                "there is nothing to acknowledge on this line",
                advice="See: telcon line list",
            )
        await self._store.acknowledge(self._line.identity.line, format_text(Text("en", reason)))
        self.read()
        await write_acknowledged(self._line, self._store, None)


async def write_acknowledged(line: Line, store: Store, before: LineRecord | None) -> int:
    """Write what the operator took note of into our log of `line`, where it is not there yet.

    `before`: the line that this one takes the place of, if any. A frozen line takes these entries
    too (docs/protocol.md §5), but none takes any before it is opened.

    Returns:
        How many entries were written.

    Raises:
        BusyError: the disk does not keep up.
        LinkDownError: the node is closing.
    """
    own = line.identity.own_card.log.name
    if line.machine.state != "going" or own not in line.machine.fold.line.opened:
        return 0
    found = [kept for kept in store.forks(line.identity.line) if origin_of(kept.fork.first) != own]
    if before is not None:
        earlier = store.forks(before.line)
        found += [one for one in earlier if origin_of(one.fork.first) == before.own_origin]
    count = 0
    for kept in found:
        written = line.machine.fold.line.acknowledged[own]
        if kept.acknowledged is not None and fork_hash(kept.fork).hex() not in written:
            await line.act(_draft(kept, kept.acknowledged))
            count += 1
    return count


def _draft(kept: KeptFork, reason: bytes) -> Draft:
    return drafts.line_acknowledged(fork_hash(kept.fork), parse_text_untrusted(reason))

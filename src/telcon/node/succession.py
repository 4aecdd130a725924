"""What the other node's log of a line says it goes on from, held against what is kept here of it.

Keys are renewed, and lost or stolen ones replaced, by a new line: its `line.opened` names in
`previous` the author's log before it (docs/protocol.md §5). Of their log before we hold a copy, so
whether the new one goes on from it can be told, and a break in it stays visible.
"""

from dataclasses import dataclass
from enum import StrEnum

from telcon.core.books import origin_of
from telcon.core.entry import LineOpened, read_entry_untrusted
from telcon.ledger import root_at
from telcon.node.store import StoreReader
from telcon.node.store.records import LineRecord

__all__ = ["Break", "Succession", "succession_of"]


class Break(StrEnum):
    """Why their new log does not go on from what is held here; the value is for programs."""

    ANOTHER = "another history"
    """It names a log that is held here, as that log never was."""
    FORKED = "one of two histories"
    """The same, of a log of which two histories are known: it names the one not held here."""
    UNNAMED = "unnamed"
    """It names none, and there was one."""
    UNKNOWN = "unknown"
    """It names one of which nothing is here."""


@dataclass(frozen=True, slots=True)
class Succession:
    """What a log says of the one before it."""

    origin: str
    """The log named; empty if none is."""
    size: int
    """How many entries it is said to have."""
    held: int
    """How many of these are held here."""
    broken: Break | None
    """None: it goes on from what is held here, as far as it is held."""


def succession_of(store: StoreReader, line: str) -> Succession | None:
    """Return what the other node's log of `line` goes on from.

    None while it has not begun, or is no log, or where neither it nor we know of an earlier one.

    Raises:
        StorageError: the database or the disk refused.
    """
    records = store.lines()
    record = next(one for one in records if one.line == line)
    first = store.stored_log(record.peer_origin).entries(0, 1)
    opened = read_entry_untrusted(first[0]) if first else None
    if not isinstance(opened, LineOpened):
        return None
    earlier = {
        one.peer_origin: one
        for one in records
        if one.peer_name == record.peer_name and one.confirmed_at_us < record.confirmed_at_us
    }
    if opened.previous is None:
        was = any(store.stored_log(origin).size for origin in earlier)
        return Succession("", 0, 0, Break.UNNAMED) if was else None
    return _compare(store, earlier, *opened.previous)


def _compare(
    store: StoreReader, earlier: dict[str, LineRecord], origin: str, size: int, root: str
) -> Succession:
    if origin not in earlier:
        return Succession(origin, size, 0, Break.UNKNOWN)
    log = store.stored_log(origin)
    if size > log.size:  # they wrote more than ever came; the rest nobody here can tell
        return Succession(origin, size, log.size, None)
    if root_at(size, log.hash).hex() == root:
        return Succession(origin, size, size, None)
    forks = store.evidence(earlier[origin].line)
    is_known = any(origin_of(fork.first) == origin for fork in forks)
    return Succession(origin, size, size, Break.FORKED if is_known else Break.ANOTHER)

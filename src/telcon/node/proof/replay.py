"""Both logs of a line folded from their entries, in an order that respects `seen`.

The exporter replays its store to find a call's entries; the verifier replays two whole logs to see
for itself what they mean.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from telcon.core.entry import Entry
from telcon.core.fold import LineFold
from telcon.core.void import Void

__all__ = ["Replayed", "replay"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """One entry and what became of it."""

    origin: str
    index: int
    data: bytes
    entry: Entry | None
    """None if the bytes cannot be read."""
    void: Void | None
    """None if it took effect."""


def replay(fold: LineFold, logs: Mapping[str, Iterator[bytes]]) -> Iterator[Replayed]:
    """Apply all entries of both logs to a fresh `fold`, yielding each.

    `logs` gives each origin's entries from index 0 on.
    """
    heads = {origin: next(entries, None) for origin, entries in logs.items()}
    while any(data is not None for data in heads.values()):
        origin, data = _choose(fold, heads)
        index = fold.size(origin)
        applied = fold.apply(origin, index, data)
        heads[origin] = next(logs[origin], None)
        yield Replayed(origin, index, data, applied.entry, applied.void)


def _choose(fold: LineFold, heads: Mapping[str, bytes | None]) -> tuple[str, bytes]:
    waiting = [(origin, data) for origin, data in sorted(heads.items()) if data is not None]
    for origin, data in waiting:
        if fold.is_ready(origin, data):
            return origin, data
    return waiting[0]  # it claims to have seen more than there is: the fold makes it void

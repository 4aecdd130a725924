"""Rising spans of packet indexes, few where many lie close together. Pure."""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

__all__ = ["APART", "FOREVER", "Spans"]

FOREVER: Final = (1 << 63) - 1
"""An index that no track comes to."""

APART: Final = 500
"""Indexes, ten seconds: what lies closer together is one span, with all in between."""


class Spans:
    """Indexes of one track, as first and last of each span."""

    def __init__(self) -> None:
        """Hold none."""
        self._spans: list[tuple[int, int]] = []

    def add(self, index: int) -> None:
        """Hold `index`, and what lies between it and one that is held and close."""
        at = bisect_right(self._spans, (index, FOREVER))
        if at and index - self._spans[at - 1][1] < APART:
            first, last = self._spans[at - 1]
            self._spans[at - 1] = (first, max(last, index))
        elif at < len(self._spans) and self._spans[at][0] - index < APART:
            self._spans[at] = (index, self._spans[at][1])
        else:
            self._spans.insert(at, (index, index))

    def append(self, first: int, last: int) -> None:
        """Hold a whole span that begins after all others have ended."""
        if self._spans and self._spans[-1][1] + 1 == first:
            first = self._spans.pop()[0]
        self._spans.append((first, last))

    def __contains__(self, index: int) -> bool:
        """Say whether `index` is held."""
        at = bisect_right(self._spans, (index, FOREVER))
        return at > 0 and index <= self._spans[at - 1][1]

    @property
    def bound(self) -> int:
        """Return the index after the last that is held; 0 if there is none."""
        return self._spans[-1][1] + 1 if self._spans else 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Return the spans, rising."""
        return iter(self._spans)

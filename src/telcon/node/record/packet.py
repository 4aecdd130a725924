"""One packet of a track as a record holds it, apart from the journal and from who can open that."""

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["How", "Packet", "Track"]

Track = tuple[str, int]
"""Whose (origin of the line log), and its number there."""


class How(IntEnum):
    """How a packet came here."""

    CAME = 0
    """Forwarded by this node, or received over the trunk."""
    REPAIRED = 1
    """Given by the other node afterwards, because it had not come."""
    RETURNED = 2
    """Of our own track: lost here by a kill, and given back by the other node."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of a track."""

    index: int
    """The author node's count, from 0."""
    timestamp: int
    """48 kHz, 64 bits."""
    payload: bytes
    how: How = How.CAME

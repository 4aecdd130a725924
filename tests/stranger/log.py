"""A line log as one side holds it, its own or the other's."""

from dataclasses import dataclass, field

from stranger.entries import Opening
from stranger.tlog import VerifierKey, tree_root


@dataclass
class Log:
    """One side's line log as held here."""

    key: VerifierKey  # its author's
    mirror: VerifierKey  # the other side's
    key_ml_dsa: VerifierKey
    mirror_ml_dsa: VerifierKey
    entries: list[bytes] = field(default_factory=list)
    openings: dict[int, list[Opening]] = field(default_factory=dict)
    notes: dict[int, bytes] = field(default_factory=dict)  # checkpoints by size, as signed
    cosigned: int = 0  # size that its mirror has cosigned
    cosignatures: dict[int, bytes] = field(default_factory=dict)  # by size, one line each
    seconded: dict[int, bytes] = field(default_factory=dict)  # checkpoints with all four lines

    @property
    def origin(self) -> str:
        return self.key.name

    @property
    def size(self) -> int:
        return len(self.entries)

    @property
    def root(self) -> bytes:
        return tree_root(self.entries)

    def content(self, index: int, member: str) -> bytes:
        """Return what a seal of entry `index` hides."""
        (content,) = (o.content for o in self.openings[index] if o.member == member)
        return content

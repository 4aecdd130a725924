"""What the machine reads of a stored log, and what it asks the shell to store.

The store itself is the shell's (`telcon.node.store`, or a list in a test). Everything here is plain
data and one protocol. What must happen with a `Commit`, and in which order, is said at `Commit`.
"""

from dataclasses import dataclass
from typing import Protocol

from telcon.core.seal import Opening
from telcon.ledger import EMPTY_ROOT, Fork

__all__ = ["NEW_LOG", "Commit", "LogGrowth", "Marker", "Note", "StoredLog"]


@dataclass(frozen=True, slots=True)
class Marker:
    """How far our own log may have been signed. Kept where no backup reaches."""

    size: int
    """Number of entries."""
    root: bytes
    """32 octets: the root at this size."""


NEW_LOG = Marker(0, EMPTY_ROOT)
"""The marker of a log that was never signed; pairing writes it, so that a lost one is noticed."""


class StoredLog(Protocol):
    """The committed state of one log, read synchronously."""

    @property
    def origin(self) -> str:
        """The log's origin, like `arcadia.example/line/<line id>`."""

    @property
    def size(self) -> int:
        """Number of entries that are durable."""

    def hash(self, level: int, index: int) -> bytes:
        """Return the root of the `index`-th perfect subtree of height `level`."""

    def entries(self, first: int, max_bytes: int) -> list[bytes]:
        """Return entries from `first` on, together at most `max_bytes` octets but at least one.

        Empty when `first` is the size.
        """

    def openings(self, first: int, count: int) -> list[tuple[int, Opening]]:
        """Return the openings of `count` entries from `first` on, each with its entry's index."""

    def note(self, size: int) -> bytes | None:
        """Return the signed checkpoint stored for exactly `size`, with all signatures it has."""

    def newest_note(self) -> tuple[int, bytes] | None:
        """Return size and note of the newest stored checkpoint, or None.

        Of our own log the newest that bears the peer's cosignature.
        """

    def seconded_size(self) -> int:
        """Return the size of the newest checkpoint stored that both signed with ML-DSA-44 too.

        0 if there is none.
        """


@dataclass(frozen=True, slots=True)
class LogGrowth:
    """Entries to append to one log."""

    origin: str
    first: int
    """Index of the first entry: the log's stored size."""
    entries: tuple[bytes, ...]
    """At least one."""
    hashes: tuple[bytes, ...]
    """For each entry the hashes of the subtrees it completes, concatenated, level 0 first."""
    openings: tuple[tuple[int, Opening], ...]
    """Each with the index of its entry."""


@dataclass(frozen=True, slots=True)
class Note:
    """A signed checkpoint to keep; replaces one stored for the same origin and size."""

    origin: str
    size: int
    note: bytes
    cosigned: bool
    """Whether it bears the cosignature of the log's mirror (verified, or made here)."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What the shell makes durable next, as one.

    One transaction with everything but the marker; sync; then the marker; then `committed`. Only
    then does the machine sign or cosign anything of it. Where any step fails: `commit_failed`.
    """

    grown: tuple[LogGrowth, ...]
    """At most one for each log."""
    notes: tuple[Note, ...]
    evidence: tuple[Fork, ...]
    """Pairs of signed checkpoints of one log that cannot both be true, and what shows it."""
    marker: Marker | None
    """The new marker; None: it stays as it is."""
    seconded: tuple[Note, ...] = ()
    """Checkpoints that bear ML-DSA-44 signatures of both sides beside those of `notes`."""

"""Our own log read back from the peer's mirror, after a store that lost some of it was restored.

The peer is not trusted: nothing it sends is written before it is proven. The first pass reads all
missing entries and keeps only their hashes, until they lead to the checkpoint that bears our own
signature, and past the marker. The second pass reads them again and hands on what has those hashes.

If the first pass leads elsewhere, either the peer does not tell the truth or what is stored here is
no part of what we signed: a node that was set back as a whole, marker and all, may have written
before it heard of it. So the pass is made once more from the very first entry, which tells.
"""

from typing import Final

from telcon.core.entry import MAX_ENTRY_BYTES, VoidError, parse_entry_untrusted
from telcon.core.frames import Refill, openings_by_index
from telcon.core.growing import GrowingLog, make_row
from telcon.core.seal import Opening, opening_fits, owed_members
from telcon.core.stored import Marker
from telcon.errors import ProofError
from telcon.ledger import EMPTY_FRONTIER, Checkpoint, Frontier, leaf_hash

__all__ = ["MAX_REFILL_ENTRIES", "Refilling", "UnmetError"]

MAX_REFILL_ENTRIES: Final = 1_048_576  # 32 MiB of hashes


class UnmetError(ProofError):
    """What our key signed does not meet the marker: this log cannot go on."""


class Refilling:
    """Fetches our own log from its stored size up to `target`."""

    def __init__(self, log: GrowingLog, target: Checkpoint, marker: Marker) -> None:
        """Refill `log` to `target`, whose signature by our own key has been verified.

        Raises:
            UnmetError: `target` does not reach the marker, or is too far away.
        """
        if target.size < marker.size:
            raise UnmetError(f"the other node holds {target.size} entries of {marker.size} signed")
        if target.size - log.size > MAX_REFILL_ENTRIES:
            raise UnmetError(f"more than {MAX_REFILL_ENTRIES} entries are missing")
        self.target = target
        self._log = log
        self._marker = marker
        self._begin(log.tip)

    def _begin(self, frontier: Frontier) -> None:
        """Let the first pass read what comes after `frontier`: of the stored, or of nothing."""
        self._frontier = frontier
        self._leaves = bytearray()  # of what is missing, whatever the pass reads besides
        self._is_whole_pass = not frontier.size
        self._first = self._log.size
        self._is_stored_met = self._is_marker_met = True

    @property
    def is_done(self) -> bool:
        """Whether the log has taken all that was missing."""
        return self._log.size >= self.target.size

    def wanted(self) -> int | None:
        """Return the index to fetch from; None while a commit is due, or all is here."""
        if self._frontier.size < self.target.size:
            return self._frontier.size
        if self._log.stored_size < self._log.size or self.is_done:
            return None
        return self._log.size

    def take(self, piece: Refill) -> None:
        """Take the piece that was asked for.

        Raises:
            ProofError: it does not lead to our own checkpoint, from the first entry on either; what
                was read in this pass is forgotten, and fetching may begin anew.
            UnmetError: it does, but not by way of the marker, or of what is stored.
        """
        if piece.first != self.wanted() or not piece.entries:
            raise ProofError(f"a piece from {piece.first}, wanted was {self.wanted()}")
        if any(not 0 < len(entry) <= MAX_ENTRY_BYTES for entry in piece.entries):
            raise ProofError("a piece with an entry over the limit")
        if self._frontier.size < self.target.size:
            self._measure(piece.entries[: self.target.size - piece.first])
        else:
            self._accept(piece)

    def _measure(self, entries: list[bytes]) -> None:
        """First pass: hashes only."""
        for entry in entries:
            leaf = leaf_hash(entry)
            if self._frontier.size >= self._first:
                self._leaves += leaf
            self._frontier = self._frontier.append(leaf)[0]
            if self._frontier.size == self._log.size:
                self._is_stored_met = self._frontier.root() == self._log.tip.root()
            if self._frontier.size == self._marker.size:
                self._is_marker_met = self._frontier.root() == self._marker.root
        if self._frontier.size == self.target.size:
            self._conclude()

    def _conclude(self) -> None:
        """End the first pass."""
        if self._frontier.root() != self.target.root:
            was_whole = self._is_whole_pass
            self._begin(self._log.tip if was_whole else EMPTY_FRONTIER)
            if was_whole:
                raise ProofError("the pieces do not lead to the checkpoint that we signed")
            return
        if not self._is_stored_met:
            raise UnmetError("entries were written where others had been signed")
        if not self._is_marker_met:
            raise UnmetError("the log that the other node holds does not meet the marker")

    def _accept(self, piece: Refill) -> None:
        """Second pass: entries whose hashes are known to be right."""
        entries = piece.entries[: self.target.size - piece.first]
        offset = 32 * (piece.first - self._first)
        leaves = b"".join(map(leaf_hash, entries))
        if self._leaves[offset : offset + len(leaves)] != leaves:
            raise ProofError("a piece has other entries than in the first pass")
        openings = openings_by_index(piece.openings)
        for index, entry in enumerate(entries, piece.first):
            fitting = self._fitting(entry, openings.get(index, {}))
            self._log.grow(make_row(self._log.tip, entry, fitting))

    def _fitting(self, data: bytes, sent: dict[str, Opening]) -> tuple[Opening, ...]:
        """Return the openings that fit. One withheld is lost, the log is whole all the same."""
        try:
            entry = parse_entry_untrusted(data)
        except VoidError:
            return ()
        owed = sorted(owed_members(entry))
        return tuple(
            sent[member]
            for member in owed
            if member in sent and opening_fits(entry, self._log.origin, sent[member])
        )

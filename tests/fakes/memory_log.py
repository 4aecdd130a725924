"""A line's store in memory: what `telcon.node.store` does for the machine, without a disk."""

from collections.abc import Sequence

from telcon.core.seal import Opening
from telcon.core.stored import NEW_LOG, Commit, Marker, Note
from telcon.ledger import EMPTY_FRONTIER, Fork, Frontier, leaf_hash

__all__ = ["MemoryLog", "MemoryStore"]


class MemoryLog:
    """One log; satisfies `StoredLog`."""

    def __init__(self, origin: str, *, own: bool = False) -> None:
        self._origin = origin
        self._own = own
        self.rows: list[tuple[bytes, bytes]] = []  # entry, hashes
        self.opened: dict[int, list[Opening]] = {}
        self.notes: dict[int, Note] = {}
        self.seconded: dict[int, Note] = {}
        self.reads = 0
        self.most_read = 0  # octets of the largest piece read at once

    @property
    def origin(self) -> str:
        return self._origin

    @property
    def size(self) -> int:
        return len(self.rows)

    def hash(self, level: int, index: int) -> bytes:
        self.reads += 1
        return self.rows[((index + 1) << level) - 1][1][32 * level : 32 * level + 32]

    def entries(self, first: int, max_bytes: int) -> list[bytes]:
        found: list[bytes] = []
        octets = 0
        for entry, _ in self.rows[first:]:
            octets += len(entry)
            if found and octets > max_bytes:
                break
            found.append(entry)
        self.most_read = max(self.most_read, sum(map(len, found)))
        return found

    def openings(self, first: int, count: int) -> list[tuple[int, Opening]]:
        indexes = range(first, first + count)
        return [(index, one) for index in indexes for one in self.opened.get(index, [])]

    def note(self, size: int) -> bytes | None:
        return self.notes[size].note if size in self.notes else None

    def newest_note(self) -> tuple[int, bytes] | None:
        sizes = [size for size, note in self.notes.items() if note.cosigned or not self._own]
        if not sizes:
            return None
        newest = self.notes[max(sizes)]
        return newest.size, newest.note

    def seconded_size(self) -> int:
        return max(self.seconded, default=0)

    def all_entries(self) -> list[bytes]:
        return [entry for entry, _ in self.rows]

    def fill(self, entries: Sequence[bytes]) -> None:
        """Append bare entries, as a restored backup would hold them."""
        frontier = Frontier.load(self.size, self.hash) if self.rows else EMPTY_FRONTIER
        for entry in entries:
            frontier, hashes = frontier.append(leaf_hash(entry))
            self.rows.append((entry, b"".join(hashes)))

    def copy(self, size: int | None = None) -> "MemoryLog":
        """Return a backup, as of the first `size` entries."""
        backup = MemoryLog(self._origin, own=self._own)
        backup.rows = self.rows[:size]
        backup.opened = {at: list(ones) for at, ones in self.opened.items() if at < backup.size}
        backup.notes = {at: note for at, note in self.notes.items() if at <= backup.size}
        backup.seconded = {at: note for at, note in self.seconded.items() if at <= backup.size}
        return backup


class MemoryStore:
    """Both logs of a line and its marker. `commit` is the transaction, `mark` what follows it."""

    def __init__(self, own: str, theirs: str, marker: Marker | None = NEW_LOG) -> None:
        self.own = MemoryLog(own, own=True)
        self.theirs = MemoryLog(theirs)
        self.marker = marker
        self.evidence: list[Fork] = []
        self.commits = 0

    def commit(self, commit: Commit) -> None:
        """Do the transaction; refuses what a database with its constraints would refuse."""
        logs = {log.origin: log for log in (self.own, self.theirs)}
        for growth in commit.grown:
            log = logs[growth.origin]
            if growth.first != log.size or len(growth.entries) != len(growth.hashes):
                raise ValueError(f"growth at {growth.first} of a log of {log.size}")
            log.rows += zip(growth.entries, growth.hashes, strict=True)
            for index, opening in growth.openings:
                log.opened.setdefault(index, []).append(opening)
        for note in commit.notes:
            was = logs[note.origin].notes.get(note.size)
            if was is None or note.cosigned > was.cosigned:
                logs[note.origin].notes[note.size] = note
        for note in commit.seconded:
            logs[note.origin].seconded.setdefault(note.size, note)
        self.evidence += [fork for fork in commit.evidence if fork not in self.evidence]
        self.commits += 1

    def mark(self, commit: Commit) -> None:
        """Write the marker, after the transaction."""
        if commit.marker is not None:
            self.marker = commit.marker

    def backup(self) -> "MemoryStore":
        """Return a copy of all that a backup holds; the marker is not in it."""
        copy = MemoryStore(self.own.origin, self.theirs.origin, None)
        copy.own, copy.theirs = self.own.copy(), self.theirs.copy()
        copy.evidence = list(self.evidence)
        return copy

"""What both logs say of the records of calls, counted anew from raw entries.

Which entries took effect a node's fold says; what they come to is worked out here by code that
shares nothing with it (docs/protocol.md §4 and §7), and held against what the fold makes of them:

- chunks and gaps tell of a track's packets in order, each once, and none after its author's
  statement of the whole record;
- chunks are answered for in their order, each once, and all their tracks;
- a recording is closed once, by who opened it;
- a record is agreed when both have stated the same, and stays so;
- that a record is sealed or destroyed each side says of itself alone: nothing else changes by it.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from fakes.joined import Side
from fakes.memory_log import MemoryLog
from telcon.core.call import AgreedTracks, CallState, ChunkSum, Held, TrackRef
from telcon.core.fold import LineFold

__all__ = ["Records", "effects"]

_OF_RECORDS = b'{"type":"call.record-'


@dataclass
class Recorded:
    """One recording, from `record-on` to `record-off`."""

    track: TrackRef
    on: int
    off: int | None = None


@dataclass
class Said:
    """What one side's log says of one call's record."""

    recordings: list[Recorded] = field(default_factory=list)
    told: dict[int, int] = field(default_factory=dict)
    """By own track: how many packets chunks and gaps tell of."""
    sums: dict[int, ChunkSum] = field(default_factory=dict)
    chunks: list[tuple[int, list[int]]] = field(default_factory=list)
    """Where each stands, and its tracks."""
    numbers_of_chunks: Counter[int] = field(default_factory=Counter)
    gaps: int = 0
    held: list[dict[str, Any]] = field(default_factory=list)
    agreed: list[tuple[int, AgreedTracks]] = field(default_factory=list)
    sealed: list[int] = field(default_factory=list)
    destroyed: list[int] = field(default_factory=list)

    def take(self, index: int, entry: dict[str, Any]) -> None:
        """Count an entry that took effect."""
        match entry["type"].removeprefix("call.record-"):
            case "on":
                self.recordings.append(Recorded(tuple(entry["track"]), index))
            case "off":
                self._close(index, tuple(entry["track"]))
            case "chunk":
                self._chunk(index, entry)
            case "gap":
                self.gaps += 1
                for number, first, count in entry["tracks"]:
                    self._tell(number, first, count)
            case "held":
                self.held.append(entry)
            case "agreed":
                self.agreed.append((index, tuple(tuple(one) for one in entry["tracks"])))
            case "sealed":
                self.sealed.append(index)
            case "destroyed":
                self.destroyed.append(index)

    def _close(self, index: int, track: TrackRef) -> None:
        going = [one for one in self.recordings if one.track == track][-1:]
        assert going, "closed what was not recorded"
        assert going[0].off is None, "closed twice"
        going[0].off = index

    def _chunk(self, index: int, entry: dict[str, Any]) -> None:
        self.chunks.append((index, [track[0] for track in entry["tracks"]]))
        for number, first, count, _ in entry["tracks"]:
            self._tell(number, first, count)
            before = self.sums[number].count if number in self.sums else 0
            self.sums[number] = ChunkSum(before + count, first + count, index, entry["time"])
            self.numbers_of_chunks[number] += 1

    def _tell(self, number: int, first: int, count: int) -> None:
        assert first == self.told.get(number, 0), "packets told of twice, or left out"
        assert not self.agreed, "a chunk or gap after its author had stated the whole record"
        self.told[number] = first + count

    def held_of(self, other: "Said") -> Held:
        """Return what the statements of what is held come to, of the chunks that `other` says."""
        assert len(self.held) <= len(other.chunks), "holds what was never said"
        runs = [0, 0, 0]
        for entry, (index, numbers) in zip(self.held, other.chunks, strict=False):
            assert entry["re"][0][1] == index, "holds another chunk than the next"
            assert [track[0] for track in entry["tracks"]] == numbers, "holds other tracks"
            for _, _, *kinds in entry["tracks"]:
                for kind, found in enumerate(kinds):
                    runs[kind] += sum(count for _, count in found)
        return Held(len(self.held), *runs)


class Records:
    """The records of a line's calls, as one node has them on its disk."""

    def __init__(self) -> None:
        """Begin with none."""
        self._fold: LineFold | None = None
        self._said: dict[str, dict[str, Said]] = {}
        self._read: Counter[str] = Counter()
        self._touched: set[str] = set()
        self._agreed: set[str] = set()

    def look(self, side: Side) -> None:
        """Read what is new on the disk of `side`; compare once its fold is as far."""
        fold, logs = side.machine.fold, (side.store.theirs, side.store.own)
        if fold is not self._fold:
            # A node that has lost entries of its own takes what has seen them to be void; once they
            # are read back it folds all anew, and so it is counted anew.
            self._fold = fold
            self._said.clear()
            self._read.clear()
            self._touched.clear()
        for log in logs:
            if self._read[log.origin] < min(log.size, fold.size(log.origin)):
                self._read_on(log, fold)
        if self._touched and self._is_level(side):
            for call in sorted(self._touched):
                self._compare(fold.calls[call])
            self._touched.clear()

    def check_all(self, side: Side) -> None:
        """Compare every call, if the fold of `side` is as far as its disk."""
        self.look(side)
        if self._is_level(side):
            for state in side.machine.fold.calls.values():
                self._compare(state)

    def counts(self) -> Counter[str]:
        """Return how much there was of what makes records worth a look."""
        found: Counter[str] = Counter()
        for both in self._said.values():
            sides = list(both.values())
            for said in sides:
                several = [number for number, n in said.numbers_of_chunks.items() if n > 1]
                found["tracks of several chunks"] += len(several)
                gone = [number for number, one in said.sums.items() if one.count < one.next]
                found["tracks with chunks after a gap"] += len(gone)
            if len([said for said in sides if said.agreed]) == 2:
                is_agreed = _is_agreed(sides)
                found["records agreed" if is_agreed else "records stated otherwise"] += 1
        return found

    def _is_level(self, side: Side) -> bool:
        fold = side.machine.fold
        return all(
            self._read[log.origin] == log.size == fold.size(log.origin)
            for log in (side.store.own, side.store.theirs)
        )

    def _read_on(self, log: MemoryLog, fold: LineFold) -> None:
        end = min(log.size, fold.size(log.origin))
        for index in range(self._read[log.origin], end):
            data = log.rows[index][0]
            if data.startswith(_OF_RECORDS) and fold.has_effect(log.origin, index):
                entry = json.loads(data)
                said = self._said.setdefault(entry["call"], {})
                said.setdefault(log.origin, Said()).take(index, entry)
                self._touched.add(entry["call"])
        self._read[log.origin] = end

    def _compare(self, state: CallState) -> None:
        """Hold what the fold makes of one call's record against what was counted here."""
        if state.answered is None:  # it lost: nobody talked
            assert state.call not in self._agreed, "what was agreed is gone"
            shown = (state.recordings, state.told, state.chunk_entries, state.held, state.agreed)
            assert not any((*shown, state.sealed, state.destroyed)), "a record of what was no talk"
            return
        both = self._said.get(state.call, {})
        self._compare_chunks(state, both)
        recordings = [(one.author, one.track, one.on, one.off) for one in state.recordings]
        assert recordings == [
            (author, one.track, one.on, one.off)
            for author in sorted(both)
            for one in both[author].recordings
        ]
        agreed = {author: said.agreed[-1] for author, said in both.items() if said.agreed}
        assert state.agreed == agreed, "stated as the whole record what its author did not state"
        assert state.is_agreed == _is_agreed(list(both.values())), "agreed by one side alone"
        assert state.is_agreed or state.call not in self._agreed, "agreed, and then no more"
        if state.is_agreed:
            self._agreed.add(state.call)
        assert state.sealed == {one: said.sealed[0] for one, said in both.items() if said.sealed}
        destroyed = {one: said.destroyed[0] for one, said in both.items() if said.destroyed}
        assert state.destroyed == destroyed, "destroyed by another word than its own node's"

    def _compare_chunks(self, state: CallState, both: dict[str, Said]) -> None:
        pairs = [(author, said) for author, said in both.items() if said.told]
        told = {(author, at): end for author, said in pairs for at, end in said.told.items()}
        assert state.told == told, "another end of what is told of a track"
        sums = {(author, at): one for author, said in pairs for at, one in said.sums.items()}
        assert state.chunks == sums, "chunks come to something else"
        entries = {author: tuple(at for at, _ in said.chunks) for author, said in pairs}
        assert state.chunk_entries == {author: one for author, one in entries.items() if one}
        assert state.held == {
            author: said.held_of(next((both[one] for one in both if one != author), Said()))
            for author, said in both.items()
            if said.held
        }


def _is_agreed(both: list[Said]) -> bool:
    stated = [{tracks for _, tracks in said.agreed} for said in both]
    return len(stated) == 2 and bool(stated[0] & stated[1])


def effects(side: Side) -> Counter[str]:
    """Return how many entries of the log of `side` took effect, by type."""
    found: Counter[str] = Counter()
    fold, own = side.machine.fold, side.store.own
    for index, entry in enumerate(own.all_entries()):
        if fold.has_effect(own.origin, index):
            found[f"took effect: {json.loads(entry)['type']}"] += 1
    return found

"""Where a span of a recording lies in both logs: which chunks it touches, what is not in it.

How many packets a track has, and in which chunk each stands, is told in clear by the chunks of its
speaker's node. No clock is common to two logs, so of the other log those chunks lie in the span
that the logs place neither before nor after it: a chunk lies before if the author of the span had
seen it when logging the chunk before the span's first, and after if its own author had seen the
span's last chunk when logging the chunk before it. Exact to the second that logging takes.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from telcon.core.call import CallState, Place, TrackRef
from telcon.core.entry import RecordChunk, RecordHeld
from telcon.core.fold import Applied
from telcon.core.stored import StoredLog
from telcon.errors import ProofError
from telcon.node.proof.selection import fold_line
from telcon.node.proof.steps import QUIET, Progress

__all__ = ["Piece", "Record", "Span", "Stretch", "survey_record"]


@dataclass(frozen=True, slots=True)
class Piece:
    """One track's part of a chunk, as its author logged it."""

    chunk: int
    """Index of the chunk's entry."""
    first: int
    """Index of the first packet."""
    count: int
    root: bytes

    @property
    def end(self) -> int:
        """Index after the last packet."""
        return self.first + self.count


@dataclass(frozen=True, slots=True)
class Stretch:
    """What the chunks of a span hold of one track."""

    track: TrackRef
    pieces: tuple[Piece, ...]
    """In order; none if its node logged no packet of it in them."""
    before: int
    """Packets in the chunks before those of the span; `after` likewise."""
    after: int

    @property
    def first(self) -> int:
        """Index of the first packet."""
        return self.before

    @property
    def count(self) -> int:
        """How many packets."""
        return sum(piece.count for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Span:
    """The chunks of both logs that lie in a span, and what they hold of each track of the call."""

    chunks: Mapping[str, tuple[int, ...]]
    """By origin: where they stand, rising."""
    stretches: Mapping[TrackRef, Stretch]
    """Of all tracks of the call, also those of which there is nothing in it."""


class Record:
    """What both logs say of the recording of one call."""

    def __init__(
        self,
        state: CallState,
        chunks: Mapping[str, Sequence[tuple[int, RecordChunk]]],
        held: Mapping[Place, RecordHeld],
    ) -> None:
        """Use `survey_record`."""
        self.state = state
        self._chunks = chunks
        self._held = held

    def tracks(self) -> list[TrackRef]:
        """Return the tracks of the call, also those of people whose node logged no packet."""
        seats = {(seat.origin, seat.track) for seat in self.state.roster.values()}
        return sorted(seats | self.state.chunks.keys())

    def count(self, track: TrackRef) -> int:
        """Return how many packets of `track` all chunks have."""
        stated = self.state.chunks.get(track)
        return 0 if stated is None else stated.count

    def span(self, track: TrackRef, first: int, count: int) -> Span:
        """Return the span of `count` packets of `track` from index `first` on.

        Raises:
            ProofError: the chunks have no such packets.
        """
        if not (0 <= first < first + count <= self.count(track)):
            raise ProofError(
                f"the logs have no packets {first} to {first + count - 1} of that track"
            )
        origin = track[0]
        mine = self._chunks[origin]
        touched = [
            at
            for at, (index, entry) in enumerate(mine)
            for piece in _pieces(index, entry, track[1])
            if piece.first < first + count and first < piece.end
        ]
        begin, end = touched[0], touched[-1]
        seen = mine[begin - 1][1].seen[0] if begin else 0
        last = mine[end][0]
        inside = {origin: mine[begin : end + 1]}
        for other, chunks in self._chunks.items():
            if other != origin:
                low = bisect_left(chunks, seen, key=lambda chunk: chunk[0])
                # Its author's `seen` never falls; the first that has seen the end ends the span.
                knows = bisect_right(chunks, last, key=lambda chunk: chunk[1].seen[0])
                inside[other] = chunks[low : max(low, knows + 1)]
        places = {one: tuple(index for index, _ in chunks) for one, chunks in inside.items()}
        stretches = {one: self._stretch(one, inside.get(one[0], ())) for one in self.tracks()}
        return Span(places, stretches)

    def held_alike(self, stretch: Stretch) -> int:
        """Return of how many pieces the other side's node states that it holds the same."""
        origin, number = stretch.track
        return sum(
            any(
                (track[0], track[1]) == (number, piece.root.hex())
                for track in self._held[origin, piece.chunk].tracks
            )
            for piece in stretch.pieces
            if (origin, piece.chunk) in self._held
        )

    def _stretch(self, track: TrackRef, chunks: Sequence[tuple[int, RecordChunk]]) -> Stretch:
        pieces = tuple(piece for chunk in chunks for piece in _pieces(*chunk, track[1]))
        total = self.count(track)
        if pieces:
            return Stretch(track, pieces, pieces[0].first, total - pieces[-1].end)
        start = chunks[0][0] if chunks else 0
        before = max(
            (
                piece.end
                for index, entry in self._chunks.get(track[0], ())
                for piece in _pieces(index, entry, track[1])
                if index < start
            ),
            default=0,
        )
        return Stretch(track, (), before, total - before)


def survey_record(
    ours: StoredLog,
    theirs: StoredLog,
    call: str,
    on_applied: Callable[[str, int, Applied], None] = lambda *_: None,
    progress: Progress = QUIET,
) -> Record | None:
    """Fold both logs and return what they say of the recording of `call`; None if of none.

    `on_applied` is told of each entry, with its place.

    Raises:
        StorageError: the entries of a log are not those of its tree.
    """
    chunks: dict[str, list[tuple[int, RecordChunk]]] = {ours.origin: [], theirs.origin: []}
    held: dict[Place, RecordHeld] = {}

    def sort(origin: str, index: int, applied: Applied) -> None:
        on_applied(origin, index, applied)
        entry = applied.entry
        if applied.void is not None:
            return
        if isinstance(entry, RecordChunk) and entry.call == call:
            chunks[origin].append((index, entry))
        elif isinstance(entry, RecordHeld) and entry.call == call:
            held[entry.re[0]] = entry

    state = fold_line(ours, theirs, sort, progress).calls.get(call)
    return None if state is None else Record(state, chunks, held)


def _pieces(index: int, entry: RecordChunk, number: int) -> list[Piece]:
    """Return the part of a track in a chunk; none or one."""
    return [
        Piece(index, first, count, bytes.fromhex(root))
        for track, first, count, root in entry.tracks
        if track == number
    ]

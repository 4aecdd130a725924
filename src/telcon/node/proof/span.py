"""Where a span of a recording lies in both logs: which chunks it touches, what is not in it.

How many packets a track has, and in which chunk each stands, is told in clear by the chunks of its
speaker's node. Packets have an index, and are counted, and the two differ: what was forwarded while
nothing was recorded has an index and is in no chunk, but in a gap, which that node logs too. Chunks
and gaps tell of each index once and in order, or the fold gives them no effect; so whatever is in
no chunk, below the index after all that both tell of, is in a gap.

No clock is common to two logs, so of the other log those chunks lie in the span
that the logs place neither before nor after it: a chunk lies before if the author of the span had
seen it when logging the chunk before the span's first, and after if its own author had seen the
span's last chunk when logging the chunk before it. Exact to the second that logging takes.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from telcon.core.call import CallState, Place, TrackRef
from telcon.core.entry import RecordChunk, RecordHeld
from telcon.core.fold import Applied
from telcon.core.stored import StoredLog
from telcon.errors import ProofError
from telcon.node.proof.selection import fold_line
from telcon.node.proof.steps import QUIET, Progress

__all__ = ["Piece", "Record", "Span", "Stretch", "count_packets", "survey_record"]


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
    """What the chunks of a span hold of one track; of the track it is the span of, what it spans.

    `before`, `count` and `after` are packets in chunks, `gap_before`, `gap` and `gap_after` indexes
    in gaps: each index that the track's node told of is counted in one of the six.
    """

    track: TrackRef
    pieces: tuple[Piece, ...]
    """In order, each whole; none if its node logged no packet of it in these chunks."""
    first: int
    """Index of the first packet; if there is none, index after the last one before the span."""
    end: int
    """Index after the last packet; if there is none, index of the first one after the span."""
    before: int
    """Below `first`."""
    count: int
    """From `first` on, below `end`."""
    after: int
    """From `end` on."""
    told: int
    """Index after all that chunks and gaps tell of."""

    @property
    def gap_before(self) -> int:
        """How many below `first` are in gaps."""
        return self.first - self.before

    @property
    def gap(self) -> int:
        """How many in between are; if there is no piece, nothing tells whether in the span."""
        return self.end - self.first - self.count

    @property
    def gap_after(self) -> int:
        """How many from `end` on are."""
        return self.told - self.end - self.after


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

    def end(self, track: TrackRef) -> int:
        """Return the index after the last packet of `track` that is in a chunk."""
        stated = self.state.chunks.get(track)
        return 0 if stated is None else stated.next

    def pieces(self, track: TrackRef) -> list[Piece]:
        """Return what all chunks have of `track`, in order."""
        chunks = self._chunks.get(track[0], ())
        return [piece for chunk in chunks for piece in _pieces(*chunk, track[1])]

    def span(self, track: TrackRef, first: int, count: int) -> Span:
        """Return the span of `count` packets of `track` that are in chunks, from index `first` on.

        Raises:
            ProofError: the packet `first` is in no chunk, or so many are not.
        """
        run = _run(self.pieces(track), first, count)
        if run is None:
            raise ProofError(
                f"the chunks have no packets of that track, {count} of them, from index {first} on"
            )
        pieces, end = run
        bounds = self._bounds(track[0], pieces[0].chunk, pieces[-1].chunk)
        places = {
            origin: tuple(index for index, _ in chunks if index in bounds[origin])
            for origin, chunks in self._chunks.items()
        }
        stretches = {one: self._inside(one, bounds[one[0]]) for one in self.tracks()}
        stretches[track] = self._stretch(track, pieces, first, end)
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

    def _bounds(self, origin: str, first: int, last: int) -> dict[str, range]:
        """Return by origin where a chunk lies in the span of `origin`'s from `first` to `last`."""
        mine = self._chunks[origin]
        at = bisect_left(mine, first, key=itemgetter(0))
        seen = mine[at - 1][1].seen[0] if at else 0
        bounds = {origin: range(first, last + 1)}
        for other, chunks in self._chunks.items():
            if other != origin:
                # Its author's `seen` never falls; the first that has seen the end ends the span.
                knows = bisect_right(chunks, last, key=lambda chunk: chunk[1].seen[0])
                stop = chunks[min(knows, len(chunks) - 1)][0] + 1 if chunks else 0
                bounds[other] = range(seen, max(seen, stop))
        return bounds

    def _inside(self, track: TrackRef, bounds: range) -> Stretch:
        """Return what the chunks within `bounds` have of a track."""
        pieces = self.pieces(track)
        inside = [piece for piece in pieces if piece.chunk in bounds]
        if inside:
            return self._stretch(track, inside, inside[0].first, inside[-1].end)
        ends = [piece.end for piece in pieces if piece.chunk < bounds.start]
        starts = [piece.first for piece in pieces if piece.chunk >= bounds.stop]
        first = ends[-1] if ends else 0
        return self._stretch(track, (), first, starts[0] if starts else self._told(track))

    def _stretch(self, track: TrackRef, pieces: Iterable[Piece], first: int, end: int) -> Stretch:
        known, told = self.pieces(track), self._told(track)
        return Stretch(
            track,
            tuple(pieces),
            first,
            end,
            before=count_packets(known, 0, first),
            count=count_packets(known, first, end),
            after=count_packets(known, end, told),
            told=told,
        )

    def _told(self, track: TrackRef) -> int:
        return self.state.told.get(track, 0)


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


def count_packets(pieces: Iterable[Piece], first: int, end: int) -> int:
    """Return how many packets `pieces` have from index `first` on, below `end`."""
    return sum(max(0, min(end, piece.end) - max(first, piece.first)) for piece in pieces)


def _run(pieces: Iterable[Piece], first: int, count: int) -> tuple[list[Piece], int] | None:
    """Return the pieces that `count` packets from index `first` on are in, and the index after.

    None if `first` is in no piece, or there are not so many.
    """
    touched: list[Piece] = []
    left = count
    for piece in pieces:
        if piece.end <= first:
            continue
        at = piece.first if touched else first
        if at < piece.first or left < 1:
            return None
        touched.append(piece)
        if left <= piece.end - at:
            return touched, at + left
        left -= piece.end - at
    return None


def _pieces(index: int, entry: RecordChunk, number: int) -> list[Piece]:
    """Return the part of a track in a chunk; none or one."""
    return [
        Piece(index, first, count, bytes.fromhex(root))
        for track, first, count, root in entry.tracks
        if track == number
    ]

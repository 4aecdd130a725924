"""Writes the proof folder of some seconds of one track.

1. Both logs up to their newest cosigned checkpoints, and what they say of the recording (`span`).
2. The packets of these seconds, by their place in the file of the whole track; those in chunks.
3. Receipts of the chunks in the span; both logs with seals only.
4. For each track shown: every packet with its salt, a proof for each chunk that it leads to the
   chunk's root, and an Ogg Opus file of these packets. The chunk's key stays here.
5. span.json, README.txt, SHA256SUMS.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from telcon.core.call import TrackRef
from telcon.core.entry import Entry, read_entry_untrusted
from telcon.core.void import Void
from telcon.errors import MalformedError, OperatorError, StorageError
from telcon.ledger import EMPTY_FRONTIER, KeyCard, leaf_hash, range_proof
from telcon.node.media.opus import SAMPLE_RATE, parse_opus_untrusted
from telcon.node.proof import layout
from telcon.node.proof.export import (
    CutLog,
    ExportedLog,
    Side,
    cosigned_end,
    sides_of,
    write_log,
    write_policies,
    write_receipt,
)
from telcon.node.proof.files import FolderWriter, nobody
from telcon.node.proof.layout import SpanAccount
from telcon.node.proof.leaves import (
    MAX_LEAVES_OCTETS,
    Leaf,
    ShownPiece,
    format_leaves,
    parse_leaf_untrusted,
)
from telcon.node.proof.readme import span_readme
from telcon.node.proof.span import Piece, Record, Span, Stretch, count_packets, survey_record
from telcon.node.proof.steps import QUIET, Progress, Step, counted
from telcon.node.record.claims import Claim, claimed_leaves
from telcon.node.record.packet import Packet
from telcon.node.record.rendering import Rendering

if TYPE_CHECKING:
    from telcon.node.record.journal import Journal

__all__ = ["SpanReport", "export_span"]


@dataclass(frozen=True, slots=True)
class SpanReport:
    """What was written."""

    first: int
    """Index of the first packet shown."""
    count: int
    """How many indexes from there to the last packet shown, those in gaps among them."""
    unrecorded: int
    """How many of these are in gaps: the speaker's node logged that they are in no chunk."""
    before: int
    """Packets of the track in chunks that are left out; likewise `after`."""
    after: int
    shown: tuple[TrackRef, ...]
    """All tracks that are shown."""
    not_shown: tuple[tuple[TrackRef, int], ...]
    """The other tracks of the call, and how many packets the logs place in the span."""


def export_span(
    ours: ExportedLog,
    theirs: ExportedLog,
    *,
    own_card: KeyCard,
    peer_card: KeyCard,
    call: str,
    track: TrackRef,
    from_ms: int,
    to_ms: int,
    open_journal: Callable[[], "Journal"],
    out: Path,
    also: Collection[TrackRef] | None = (),
    told: Callable[[], None] = nobody,
    progress: Progress = QUIET,
) -> SpanReport:
    """Write the proof folder of what `track` sent between two moments to `out`.

    Both count from the beginning of the track's file, as `telcon export` writes it and a player
    shows it; `to_ms` is not itself part of it. `open_journal` opens this node's record of the call.
    `also` are other tracks to show, by all chunks that lie in the span; None: all. `told` is
    called right before the first byte, as of any export.

    Raises:
        OperatorError: there is no such call, track or sound; the other side has not cosigned the
            logs yet; this node does not hold all that the chunks claim, or destroyed its record;
            or `out` is taken.
        StorageError: the disk refused, or the store's own proofs do not hold.
        SealedError: the record is sealed to others.
        PeerError: a stored checkpoint or the record is not what it should be.
    """
    sides = sides_of(ours, theirs, own_card, peer_card)
    ends = [cosigned_end(side) for side in sides]
    cut = [CutLog(side.log, size) for side, (size, _) in zip(sides, ends, strict=True)]
    record = survey_record(cut[0], cut[1], call, progress=progress)
    if record is None:
        raise OperatorError(f"this line has no call {call}", advice="Look it up in the history.")
    shown = _tracks(record, track, also)
    if ours.origin in record.state.destroyed:
        raise OperatorError(
            "this node's record of the call is destroyed", advice="The other side may hold its own."
        )
    maker = _Maker({side.log.origin: side for side in sides}, open_journal(), call)
    first, count = maker.find(track, record, from_ms, to_ms)
    span = record.span(track, first, count)
    spanned = span.stretches[track]
    account = SpanAccount(
        line=own_card.line,
        ours=own_card.name,
        theirs=peer_card.name,
        call=call,
        speaker=track[0].partition("/")[0],
        track=track[1],
        from_ms=from_ms,
        to_ms=to_ms,
        first=first,
        count=count,
        before=spanned.before,
        after=spanned.after,
        unrecorded=spanned.gap,
    )
    with FolderWriter(out, told) as writer:
        for side, (size, note) in zip(sides, ends, strict=True):
            write_policies(writer, side)
            write_log(writer, side, size, note, progress)
            _write_receipts(writer, side, span, progress)
        for one in shown:
            if span.stretches[one].pieces:
                maker.write(writer, span.stretches[one])
        writer.write(layout.SPAN, layout.format_account(account))
        writer.write(layout.README, span_readme(account).encode())
        writer.finish()
    left = [(one, s.count) for one, s in span.stretches.items() if one not in shown]
    return SpanReport(
        first,
        spanned.end - first,
        spanned.gap,
        spanned.before,
        spanned.after,
        tuple(shown),
        tuple(left),
    )


class _Maker:
    """Makes the files of tracks from this node's record."""

    def __init__(self, sides: dict[str, Side], journal: "Journal", call: str) -> None:
        self._sides = sides
        self._journal = journal
        self._call = call

    def find(self, track: TrackRef, record: Record, from_ms: int, to_ms: int) -> tuple[int, int]:
        """Return the first and the number of the packets in chunks that sound between two moments.

        Of what is in no chunk this node may hold some all the same: it sounded here before the word
        came that nothing is recorded any more. It has its place in the file, and is not found.
        """
        begin, end = (SAMPLE_RATE * moment // 1_000 for moment in (from_ms, to_ms))
        rendering = Rendering(self._call, track)
        pieces = record.pieces(track)
        found: list[int] = []
        low, high = 0, record.end(track)  # what lies around these moments
        for packet in self._packets(track, high):
            rendering.add((packet,))
            start = rendering.position - _samples(packet)
            if start >= end:
                high = packet.index
                break
            if start < begin and rendering.position <= begin:
                low = packet.index + 1
            elif _has(pieces, packet.index):
                found.append(packet.index)
        if found:
            return found[0], count_packets(pieces, found[0], found[-1] + 1)
        none = f"there is no packet of {_named(track)} in these seconds"
        gap = high - low - count_packets(pieces, low, high)
        if gap and high < record.end(track):
            raise OperatorError(
                f"{none} that can be shown: its node logged that it sent {gap} there and did not"
                " record them",
                advice="Nothing was logged that could prove what they hold: ask for other seconds.",
            )
        lasts = rendering.position / SAMPLE_RATE
        raise OperatorError(
            none, advice=f"What this node holds of it was followed up to second {lasts:.1f}."
        )

    def write(self, writer: FolderWriter, stretch: Stretch) -> None:
        """Write the packets of a stretch, and their Ogg Opus file."""
        pieces = []
        rendering = Rendering(self._call, stretch.track)
        pages = []
        for piece in stretch.pieces:
            begin, end = max(stretch.first, piece.first), min(stretch.end, piece.end)
            packets = self._whole(stretch.track, piece)
            pieces.append(self._shown(stretch.track, piece, packets, begin, end))
            pages.append(rendering.add(packets[begin - piece.first : end - piece.first]))
        pages.append(rendering.finish())
        data = format_leaves(pieces)
        if len(data) > MAX_LEAVES_OCTETS:
            raise OperatorError(
                f"these packets of {_named(stretch.track)} are more than one folder takes",
                advice="Ask for less, an hour at most.",
            )
        writer.write(f"{layout.TRACKS}/{layout.leaves_name(stretch.track)}", data)
        writer.write(f"{layout.TRACKS}/{layout.recording_name(stretch.track)}", b"".join(pages))

    def _shown(
        self, track: TrackRef, piece: Piece, packets: list[Packet], begin: int, end: int
    ) -> ShownPiece:
        """Prove the packets from index `begin` to `end` of a chunk of which all are given."""
        key = self._key(track[0], piece.chunk)
        claim = Claim(track, piece.first, piece.count, piece.root, key)
        octets = claimed_leaves(claim, packets)
        if octets is None:
            raise OperatorError(
                f"what this node holds of {_named(track)} is not what the speaker's node logged",
                advice="The other side may hold it; see the timeline of the call.",
            )
        tree, rows = EMPTY_FRONTIER, []
        for one in octets:
            tree, completed = tree.append(leaf_hash(one))
            rows.append(completed)

        def read(level: int, index: int) -> bytes:
            return rows[((index + 1) << level) - 1][level]

        low, high = begin - piece.first, end - piece.first
        leaves = [_leaf(track, one) for one in octets[low:high]]
        proof = range_proof(low, high - low, piece.count, read)
        return ShownPiece(piece.chunk, tuple(leaves), tuple(proof))

    def _whole(self, track: TrackRef, piece: Piece) -> list[Packet]:
        found = _read(self._journal, track, piece.first, piece.count)
        if len(found) != piece.count:
            raise OperatorError(
                f"this node holds {len(found)} of the {piece.count} packets that the speaker's"
                f" node logged of {_named(track)} in entry {piece.chunk}",
                advice="A chunk can be proven only by who holds all of it: ask the other side.",
            )
        return list(found.values())

    def _key(self, origin: str, chunk: int) -> bytes:
        for _, opening in self._sides[origin].log.openings(chunk, 1):
            if opening.member == "key":
                return opening.content
        raise OperatorError(
            f"the key of entry {chunk} of {origin} is not here any more",
            advice="Without it nothing of that chunk can be proven; the other side may have it.",
        )

    def _packets(self, track: TrackRef, bound: int) -> Iterator[Packet]:
        try:
            for packets in self._journal.windows(track, bound):
                yield from packets.values()
        except OSError as error:
            raise _unread(error) from error


def _tracks(record: Record, track: TrackRef, also: Collection[TrackRef] | None) -> list[TrackRef]:
    known = record.tracks()
    wanted = {track, *(known if also is None else also)}
    for one in sorted(wanted):
        if one not in known:
            raise OperatorError(
                f"the call has no track {_named(one)}",
                advice=f"It has {', '.join(map(_named, known))}.",
            )
    return [one for one in known if one in wanted]


def _write_receipts(writer: FolderWriter, side: Side, span: Span, progress: Progress) -> None:
    chunks = span.chunks.get(side.log.origin, ())
    for index in counted(chunks, Step.RECEIPTS, len(chunks), progress):
        write_receipt(writer, side, index, _entry(side, index), frozenset())


def _entry(side: Side, index: int) -> Entry:
    entry = read_entry_untrusted(side.log.entries(index, 1)[0])
    if isinstance(entry, Void):
        raise StorageError(f"entry {index} of {side.log.origin} was readable a moment ago")
    return entry


def _leaf(track: TrackRef, octets: bytes) -> Leaf:
    try:
        return parse_leaf_untrusted(octets)
    except MalformedError as error:  # it is in the chunk, and yet no reader would take it
        raise OperatorError(
            f"a packet of {_named(track)} cannot be shown: {error}", advice="Ask for other seconds."
        ) from error


def _read(journal: "Journal", track: TrackRef, first: int, count: int) -> dict[int, Packet]:
    try:
        return journal.read(track, first, count)
    except OSError as error:
        raise _unread(error) from error


def _unread(error: OSError) -> StorageError:
    return StorageError(f"the record of the call cannot be read: {error.strerror or error}")


def _has(pieces: Sequence[Piece], index: int) -> bool:
    """Say whether the packet `index` is in one of `pieces`, which are in order."""
    at = bisect_right(pieces, index, key=lambda piece: piece.first)
    return at > 0 and index < pieces[at - 1].end


def _samples(packet: Packet) -> int:
    try:
        return parse_opus_untrusted(packet.payload).samples
    except MalformedError:
        return 0  # the file leaves it out


def _named(track: TrackRef) -> str:
    return f"{track[0].partition('/')[0]}:{track[1]}"

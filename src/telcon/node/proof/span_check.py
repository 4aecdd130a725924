"""Checks a folder of some seconds of a track: from the packets to the logs, and what is left out.

1. Receipts and both whole logs, as of every folder (`check`).
2. Which chunks lie in the span is told by both logs anew; there is a receipt of each, and no other.
3. Each packet shown is the one due at its place, and leads to the root that its chunk bears.
4. Each file to listen to is made again of these packets and compared.
5. Counts of what is not shown, of this track and of every other one of the call; of what lies in
   gaps, which its node says it sent and did not record, apart.
"""

from telcon.core.call import TrackRef
from telcon.errors import MalformedError, PeerError, ProofError
from telcon.ledger import leaf_hash, organisation, verify_range
from telcon.node.media.opus import SAMPLE_RATE
from telcon.node.proof import layout
from telcon.node.proof.check import FolderCheck
from telcon.node.proof.layout import SIDES, SpanAccount
from telcon.node.proof.leaves import (
    MAX_LEAVES_OCTETS,
    Leaf,
    ShownPiece,
    parse_leaves_untrusted,
)
from telcon.node.proof.span import Piece, Record, Span, Stretch, survey_record
from telcon.node.proof.trust import Keys
from telcon.node.proof.whole import Claims
from telcon.node.record.chunks import RETURNED
from telcon.node.record.packet import Packet
from telcon.node.record.rendering import Rendering, measure

__all__ = ["SpanCheck"]


class SpanCheck(FolderCheck[SpanAccount]):
    """The folder of some seconds of a track."""

    SUMMARY = layout.SPAN
    NOT_SHOWN = (
        "what the packets hold that are left out",
        "at which second these packets were sent: what span.json says of it, nobody signed",
        "that the packets are what was spoken: they are what the speaker's own node logged",
    )

    def parse(self, data: bytes) -> SpanAccount:
        """Read span.json."""
        account = layout.parse_account_untrusted(data)
        if not isinstance(account, SpanAccount):
            raise MalformedError(f"{layout.SPAN} is about something else")
        return account

    def check(self, summary: SpanAccount, keys: Keys) -> None:
        """Check the packets, the chunks, both logs, and the counts."""
        for side in SIDES:  # 1
            self.check_receipts(side, summary, keys)
        self.check_roots()
        for side in SIDES:
            self.check_log(side, summary, keys)
        if self.faults:
            return
        claims = Claims(self.logs)
        ours, theirs = (self.logs[summary.origin(side)] for side in SIDES)
        record = survey_record(ours, theirs, summary.call, claims.note, self.progress)
        if record is None:
            self.faults.append(f"the whole logs know no call {summary.call}")
            return
        try:
            span = record.span(summary.of, summary.first, summary.count)
        except ProofError as error:
            self.faults.append(str(error))
            return
        self.not_shown += [one.in_words(self.logs[one.log].size) for one in claims.unseen()]
        self._check_chunks(span)
        self._check_tracks(summary, record, span)

    def _check_chunks(self, span: Span) -> None:
        """Hold the receipts to be of the chunks in the span, without their keys."""  # 2
        due = {(origin, index) for origin, places in span.chunks.items() for index in places}
        shown = {(one.proven.origin, one.proven.index) for one in self.receipts}
        for origin, index in sorted(due - shown):
            self.faults.append(f"entry {index} of {origin} is a chunk in the span, and is missing")
        for origin, index in sorted(shown - due):
            self.faults.append(f"entry {index} of {origin} is no chunk in the span")
        self.faults += [f"{one.path} opens a seal" for one in self.receipts if one.openings]

    def _check_tracks(self, summary: SpanAccount, record: Record, span: Span) -> None:
        spanned = span.stretches[summary.of]
        counts = spanned.before, spanned.after, spanned.gap
        if (summary.before, summary.after, summary.unrecorded) != counts:
            self.faults.append(f"{layout.SPAN} says another count than the whole logs")
            return
        present = set(self.below(f"{layout.TRACKS}/"))
        for track, stretch in span.stretches.items():
            names = layout.leaves_name(track), layout.recording_name(track)
            there = present & set(names)
            present -= there
            if track != summary.of and not there:
                self._tell_left_out(stretch)
                continue
            try:
                self._check_track(summary, record, stretch)
            except PeerError as error:
                self.faults.append(f"{layout.TRACKS}/{names[0]}: {error}")
        for name in sorted(present):
            self.faults.append(f"{layout.TRACKS}/{name} is of no track of the call")
        if not self.faults:
            self._tell_agreed(record)

    def _check_track(self, summary: SpanAccount, record: Record, stretch: Stretch) -> None:
        """Check the packets of one track, and the file of them."""
        path = f"{layout.TRACKS}/{layout.leaves_name(stretch.track)}"
        if path not in self.digests:
            raise ProofError("it is missing")
        shown = parse_leaves_untrusted(self.files.read(path, MAX_LEAVES_OCTETS))
        if not stretch.pieces:
            raise ProofError("the whole logs have no packet of it in the span")
        if [one.chunk for one in shown] != [one.chunk for one in stretch.pieces]:
            raise ProofError("it shows other chunks than those that the span touches")
        leaves: list[Leaf] = []
        for one, piece in zip(shown, stretch.pieces, strict=True):  # 3
            begin, end = max(stretch.first, piece.first), min(stretch.end, piece.end)
            _check_piece(one, piece, begin, end)
            leaves += one.leaves
        self.signed.add(path)
        seconds = self._check_file(summary.call, stretch.track, leaves)  # 4
        self._tell_shown(summary, stretch, record, seconds)  # 5
        self._tell_returned(stretch.track, leaves)

    def _check_file(self, call: str, track: TrackRef, leaves: list[Leaf]) -> float:
        """Make the file of `leaves` again; return how many seconds it lasts."""
        path = f"{layout.TRACKS}/{layout.recording_name(track)}"
        rendering = Rendering(call, track)
        packets = (Packet(one.index, one.timestamp, one.payload) for one in leaves)
        digest, size = measure((rendering.add(packets), rendering.finish()))
        if self.digests.get(path) != (digest.hex(), size):
            raise ProofError(f"{path} is missing, or not the file that these packets make")
        self.signed.add(path)
        return rendering.position / SAMPLE_RATE

    def _tell_shown(
        self, summary: SpanAccount, stretch: Stretch, record: Record, seconds: float
    ) -> None:
        node = organisation(stretch.track[0])
        of = f"track {stretch.track[1]} of {node}"
        if stretch.track == summary.of:
            what = f"Shown are {stretch.count} packets of {of} in the call {summary.call}"
        else:
            what = f"Shown are {stretch.count} packets of {of}, all of its chunks in the span"
        between = "none in between is left out"
        if stretch.gap:
            between += f" but the {stretch.gap} that {node} logged as not recorded"
        alike, chunks = record.held_alike(stretch), len(stretch.pieces)
        other = next(organisation(one) for one in self.logs if one != stretch.track[0])
        name = layout.recording_name(stretch.track)
        self.also.append(
            f"{what}: each leads to a root that {node} logged for a chunk. Not shown,"
            f" by both logs as far as they are here, are {stretch.before} packets of it before and"
            f" {stretch.after} after; {between}."
        )
        self._tell_gaps(stretch)
        self.also.append(
            f"{layout.TRACKS}/{name} was made again from these packets alone, and is the same:"
            f" {seconds:.2f} seconds by the time marks that {node} gave them."
            + (" Of what lies in gaps it holds no sound, whatever was said." if stretch.gap else "")
        )
        self.also.append(
            f"Of the {chunks} chunks of it in the span, {other} states of {alike} that it holds the"
            " same packets."
        )

    def _tell_returned(self, track: TrackRef, leaves: list[Leaf]) -> None:
        returned = sum(leaf.kind == RETURNED for leaf in leaves)
        if returned:
            node = organisation(track[0])
            self.also.append(
                f"Of these packets, {returned} are marked by {node} as lost when it was killed, and"
                " got back from the other side: it cannot vouch for them."
            )

    def _tell_gaps(self, stretch: Stretch) -> None:
        """Say how many packets are in no chunk, around those of a stretch: of these is no proof."""
        gaps = stretch.gap_before, stretch.gap, stretch.gap_after
        if not any(gaps):
            return
        node = organisation(stretch.track[0])
        of = f"track {stretch.track[1]} of {node}"
        between = "in between" if stretch.pieces else "perhaps in that time"
        self.also.append(
            f"In all, {node} logged of {sum(gaps)} packets of {of} that it sent them and did not"
            f" record them: {gaps[0]} before, {gaps[1]} {between}, {gaps[2]} after."
        )
        if stretch.gap:
            self.not_shown.append(
                f"what the {stretch.gap} packets of {of} held that {node} says it did not record,"
                f" {between}"
            )

    def _tell_left_out(self, stretch: Stretch) -> None:
        of = f"track {stretch.track[1]} of {organisation(stretch.track[0])}"
        if stretch.count:
            self.not_shown.append(
                f"what {of} sent in that time: {stretch.count} packets in the chunks that the logs"
                f" place neither before nor after, {stretch.before} before these, {stretch.after}"
                " after"
            )
        else:
            self.also.append(
                f"Of {of} no packet was logged in that time; {stretch.before} before it,"
                f" {stretch.after} after it."
            )
        self._tell_gaps(stretch)

    def _tell_agreed(self, record: Record) -> None:
        if record.state.is_agreed:
            self.also.append("Both sides state that they hold the same record of this call.")
        else:
            self.also.append(
                "By both logs as far as they are here, the two sides have not both stated that they"
                " hold the same record of this call."
            )


def _check_piece(shown: ShownPiece, piece: Piece, begin: int, end: int) -> None:
    """Check that just the packets from index `begin` to `end` are shown, as the chunk has them.

    Raises:
        ProofError: another packet, one too many, or one that is not in the chunk.
    """
    due = enumerate(shown.leaves, begin)
    if len(shown.leaves) != end - begin or any(leaf.index != index for index, leaf in due):
        raise ProofError(
            f"of entry {piece.chunk} the packets {begin} to {end - 1} are due, in this order;"
            " there is one missing, too many, or moved"
        )
    hashes = [leaf_hash(leaf.octets) for leaf in shown.leaves]
    try:
        verify_range(begin - piece.first, piece.count, hashes, shown.proof, piece.root)
    except ProofError as error:
        raise ProofError(f"the packets of entry {piece.chunk}: {error}") from error

"""Writes the proof folder of one call from a node's two logs of a line.

1. Fold both logs, pick the call's entries by layer (`selection`).
2. For each: the earliest checkpoint that the other side cosigned over it (and further witnesses,
   see `further`), one that bears ML-DSA-44 signatures too if there is any, and the inclusion proof;
   checked as a stranger would before it is written. Where the other side signed none, what the
   author signed alone, apart (`alone`).
3. The openings that the layer shows; recordings (only in the layer content); with the whole logs,
   all tiles and bundles under each log's newest cosigned checkpoint.
4. call.json, README.txt, SHA256SUMS; all durable; then the folder takes its name.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from telcon.core.entry import Entry, RecordAgreed, RecordOff, entry_type
from telcon.core.seal import Opening, sealed_members
from telcon.core.stored import StoredLog
from telcon.errors import MisuseError, OperatorError, StorageError
from telcon.ledger import (
    KeyCard,
    Policy,
    TlogProof,
    VerifierKey,
    format_policy,
    format_tlog_proof,
    inclusion_proof,
    log_files,
    mirror_policy,
    verify_tlog_proof,
)
from telcon.node.proof import layout
from telcon.node.proof.alone import author_policy
from telcon.node.proof.ends import outcome_words
from telcon.node.proof.files import FolderWriter, nobody
from telcon.node.proof.further import FurtherWitnesses, WitnessedLog, policy_met
from telcon.node.proof.layout import SIDES, Summary, SummaryEntry, SummaryRecording
from telcon.node.proof.readme import readme
from telcon.node.proof.selection import Selected, Selection, select_call, shown_by
from telcon.node.proof.steps import QUIET, Progress, Step, counted
from telcon.node.proof.summary import tell
from telcon.node.proof.trust import ml_dsa_policy
from telcon.node.proof.whole import expected_files
from telcon.node.proof.wording import utc_from_us

_READ_OCTETS: Final = 8 * 1024 * 1024


class CosignedLog(StoredLog, Protocol):
    """A stored log that stands still, and can say which of its checkpoints others signed."""

    def cosigned_note_over(self, index: int) -> tuple[int, bytes] | None:
        """Return size and note of the earliest cosigned checkpoint that covers entry `index`."""


class ExportedLog(CosignedLog, Protocol):
    """A line's log, which others sign in two kinds."""

    def seconded_note_over(self, index: int) -> tuple[int, bytes] | None:
        """Return the same of the earliest that bears both sides' ML-DSA-44 signatures too."""

    def signed_note_over(self, index: int) -> tuple[int, bytes] | None:
        """Return the same of any checkpoint: its author signed it, whoever else did."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written."""

    folder: Path
    receipts: int
    not_countersigned: tuple[str, ...]
    """Entries of the call that lie apart, since the other side is not shown to have held them."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two logs that a folder shows."""

    name: str  # "ours" or "theirs"
    log: ExportedLog
    mirror: VerifierKey
    """Of the other side, which cosigns this log."""
    policies: dict[str, Policy]
    """By file name: what asks for Ed25519, and for ML-DSA-44 if the cards name such keys."""

    @property
    def policy(self) -> Policy:
        """Return what every receipt of this side meets."""
        return self.policies[layout.POLICY]


def sides_of(
    ours: ExportedLog,
    theirs: ExportedLog,
    own_card: KeyCard,
    peer_card: KeyCard,
    own_policy: Policy | None = None,
) -> tuple[Side, Side]:
    """Return both sides, each under the policy that asks for the other side's mirror.

    With `own_policy` that of `ours` asks for what it says, further witnesses perhaps.
    """
    return (
        _side(SIDES[0], ours, own_card, peer_card, own_policy),
        _side(SIDES[1], theirs, peer_card, own_card, None),
    )


def _side(
    name: str, log: ExportedLog, author: KeyCard, other: KeyCard, policy: Policy | None
) -> Side:
    policies = {layout.POLICY: policy or mirror_policy(author.log, other.mirror)}
    second = ml_dsa_policy(author, other)
    if second is not None:
        policies[layout.ML_DSA_POLICY] = second
    return Side(name, log, other.mirror, policies)


def export_call(
    ours: ExportedLog,
    theirs: ExportedLog,
    *,
    own_card: KeyCard,
    peer_card: KeyCard,
    call: str,
    out: Path,
    layer: str = "content",
    whole_log: bool = False,
    recordings: Sequence[tuple[str, Iterable[bytes]]] = (),
    further: FurtherWitnesses | None = None,
    told: Callable[[], None] = nobody,
    progress: Progress = QUIET,
) -> ExportReport:
    """Write the proof folder of `call` to `out`, whole or not at all.

    `ours` is the log this side writes, `theirs` the other's as mirrored here. `recordings` are
    (file name, its pieces); they are content and left out of every other layer. `further` are
    witnesses of our log. `told` is called right before the first byte, once it is clear what
    is shown; nothing is written if it raises. `progress` hears how far it is.

    Raises:
        OperatorError: the line has no such call, or `out` is taken.
        StorageError: the disk refused, or the store's own proofs do not hold.
        MisuseError: no such layer, or a recording's name is not a plain one.
        PeerError: a stored checkpoint or recording is not what it should be.
    """
    shown = shown_by(layer)
    selection = select_call(ours, theirs, call, shown, progress)
    own_policy = mirror_policy(own_card.log, peer_card.mirror)
    if further is not None:
        ours = WitnessedLog(ours, further)
        own_policy = policy_met(own_policy, further, _notes(ours, selection, whole_log=whole_log))
    sides = sides_of(ours, theirs, own_card, peer_card, own_policy)
    with FolderWriter(out, told) as writer:
        exporter = _Exporter(writer, sides, selection, shown.members, progress)
        exporter.write_receipts()
        if layer == layout.LAYER_NAMES[-1]:
            exporter.write_recordings(recordings)
        if whole_log:
            exporter.write_logs()
        exporter.write_summary(own_card, peer_card, layer, whole_log=whole_log)
        writer.finish()
    return ExportReport(out, len(exporter.entries), tuple(exporter.not_countersigned))


class _Exporter:
    """One export under way."""

    def __init__(
        self,
        writer: FolderWriter,
        sides: tuple[Side, Side],
        selection: Selection,
        members: frozenset[str],
        progress: Progress,
    ) -> None:
        self._progress = progress
        self._writer = writer
        self._sides = {side.log.origin: side for side in sides}
        self._selection = selection
        self._members = members
        self._recordings: list[SummaryRecording] = []
        self.entries: list[SummaryEntry] = []
        self.not_countersigned: list[str] = []

    def write_receipts(self) -> None:
        for side in self._sides.values():
            write_policies(self._writer, side)
        entries = self._selection.entries
        for item in counted(entries, Step.RECEIPTS, len(entries), self._progress):
            side = self._sides[item.origin]
            path = write_receipt(self._writer, side, item.index, item.entry, self._members)
            if path is None:
                stem = layout.receipt_stem(item.index, entry_type(item.entry))
                self.not_countersigned.append(f"{side.name}: {stem}")
                self._write_alone(side, item, stem)
            else:
                self.entries.append(self._summary_entry(path, item))

    def _write_alone(self, side: Side, item: Selected, stem: str) -> None:
        """Write what there is of an act that the other side is not shown to have held."""
        path = f"{side.name}/{layout.ALONE}/{stem}"
        note = side.log.signed_note_over(item.index)
        if note is not None:
            proof = _proof(side, item.index, *note)
            data = side.log.entries(item.index, 1)[0]
            verify_tlog_proof(proof, data, author_policy(side.policy.log))
            self._writer.write(path + layout.PROOF_SUFFIX, format_tlog_proof(proof))
        _write_act(self._writer, path, side, item.index, item.entry, self._members)

    def write_recordings(self, recordings: Sequence[tuple[str, Iterable[bytes]]]) -> None:
        signed: dict[tuple[str, int], str] = {}
        shown = {(entry.origin, entry.index): entry.file for entry in self.entries}
        for item in self._selection.entries:
            file = shown.get((item.origin, item.index))
            if file is None:
                continue
            if isinstance(item.entry, RecordOff):
                signed.setdefault((item.entry.sha256, item.entry.size), file)
            elif isinstance(item.entry, RecordAgreed):  # says more: both sides may have signed it
                signed |= {(sha256, size): file for *_, sha256, size in item.entry.tracks}
        for name, pieces in recordings:
            if not layout.is_plain_name(name):
                raise MisuseError(f"{name!r} is not a plain file name")
            path = f"{layout.RECORDINGS}/{name}"
            digest, size = self._writer.write_pieces(path, pieces)
            place = signed.get((digest, size), "")
            self._recordings.append(SummaryRecording(path, size, digest, place))

    def write_logs(self) -> None:
        for side in self._sides.values():
            newest = newest_cosigned(side.log)
            if newest is None:
                raise StorageError(f"no checkpoint of {side.log.origin} is cosigned yet")
            size, note = side.log.seconded_note_over(newest[0] - 1) or newest
            write_log(self._writer, side, size, note, self._progress)

    def write_summary(
        self, own_card: KeyCard, peer_card: KeyCard, layer: str, *, whole_log: bool
    ) -> None:
        told = tell(self._selection.call, layer)
        names = own_card.name, peer_card.name
        rung = self._selection.call.rung
        is_held = any((one.origin, one.index) == rung for one in self.entries)
        summary = Summary(
            summary="telcon call summary v1",
            call=self._selection.call.call,
            line=own_card.line,
            ours=own_card.name,
            theirs=peer_card.name,
            layer=layer,
            whole_log=whole_log,
            **told._asdict(),
            entries=self.entries,
            not_countersigned=self.not_countersigned,
            recordings=self._recordings,
            words=outcome_words(self._selection.call, told, names, is_held=is_held),
        )
        self._writer.write(layout.SUMMARY, layout.format_summary(summary))
        is_second = any(layout.ML_DSA_POLICY in side.policies for side in self._sides.values())
        self._writer.write(layout.README, readme(summary, has_ml_dsa=is_second).encode())

    def _summary_entry(self, path: str, item: Selected) -> SummaryEntry:
        effect = "none" if (item.origin, item.index) in self._selection.idle else ""
        return SummaryEntry(
            path,
            item.origin,
            item.index,
            entry_type(item.entry),
            utc_from_us(item.entry.time),
            effect,
        )


class _EntryReader:
    """Reads runs of entries for the bundles."""

    def __init__(self, log: StoredLog) -> None:
        self._log = log

    def read(self, first: int, count: int) -> Sequence[bytes]:
        """Return exactly `count` entries from `first` on."""
        found: list[bytes] = []
        while len(found) < count:
            batch = self._log.entries(first + len(found), _READ_OCTETS)
            if not batch:
                raise StorageError(f"{self._log.origin} lacks entry {first + len(found)}")
            found += batch
        return found[:count]


class CutLog:
    """The first entries of a stored log, as far as it is shown; a `StoredLog`."""

    def __init__(self, log: ExportedLog, size: int) -> None:
        """Show `size` entries of `log`."""
        self._log = log
        self.origin = log.origin
        self.size = size

    def hash(self, level: int, index: int) -> bytes:
        """Return the hash of a perfect subtree."""
        return self._log.hash(level, index)

    def entries(self, first: int, max_bytes: int) -> list[bytes]:
        """Return entries from `first` on; see `StoredLog`."""
        return self._log.entries(first, max_bytes)[: max(0, self.size - first)]

    def openings(self, first: int, count: int) -> list[tuple[int, Opening]]:
        """Return none: none is shown."""
        return []

    def note(self, size: int) -> bytes | None:
        """Return the checkpoint of that size."""
        return self._log.note(size)

    def newest_note(self) -> tuple[int, bytes] | None:
        """Return the newest checkpoint, which may lie beyond."""
        return self._log.newest_note()

    def seconded_size(self) -> int:
        """Return the size of the newest seconded checkpoint, which may lie beyond."""
        return self._log.seconded_size()


def newest_cosigned(log: ExportedLog) -> tuple[int, bytes] | None:
    """Return size and note of the newest checkpoint that both sides signed, None if there is none.

    Found by halving: a log knows the earliest one over an entry.
    """
    newest = None
    low, high = 0, log.size
    while low < high:
        middle = (low + high) // 2
        found = log.cosigned_note_over(middle)
        if found is None:
            high = middle
        else:
            newest, low = found, found[0]
    return newest


def cosigned_end(side: Side) -> tuple[int, bytes]:
    """Return size and note of the newest checkpoint of a side that both signed.

    Raises:
        OperatorError: there is none.
    """
    newest = newest_cosigned(side.log)
    if newest is None:
        raise OperatorError(
            f"the other side has not cosigned {side.log.origin} yet",
            advice="Try again when the line is up.",
        )
    return newest


def _notes(log: ExportedLog, selection: Selection, *, whole_log: bool) -> list[bytes]:
    """Return the checkpoints of `log` that the folder will bear."""
    shown = [item.index for item in selection.entries if item.origin == log.origin]
    notes = [log.seconded_note_over(index) or log.cosigned_note_over(index) for index in shown]
    if whole_log:
        notes.append(newest_cosigned(log))
    return [note for _, note in filter(None, notes)]


def write_policies(writer: FolderWriter, side: Side) -> None:
    """Write the policies of a side.

    Raises:
        StorageError: the disk refused.
    """
    for name, policy in side.policies.items():
        writer.write(f"{side.name}/{name}", format_policy(policy))


def write_log(
    writer: FolderWriter, side: Side, size: int, note: bytes, progress: Progress = QUIET
) -> None:
    """Write all tiles and bundles of the first `size` entries of a log, and its checkpoint `note`.

    Raises:
        StorageError: the disk refused, or the store lacks an entry.
    """
    files = log_files(size, side.log.hash, _EntryReader(side.log).read)
    for path, data in counted(files, Step.TILES, len(expected_files(size)), progress):
        writer.write(f"{side.name}/{layout.LOG}/{path}", data)
    writer.write(f"{side.name}/{layout.LOG}/{layout.CHECKPOINT}", note)


def write_receipt(
    writer: FolderWriter,
    side: Side,
    index: int,
    entry: Entry,
    members: frozenset[str],
) -> str | None:
    """Write the receipt of an entry, checked as a stranger would, and the openings of `members`.

    Returns:
        Its path without suffix; None, and nothing is written, if nobody has cosigned it yet.

    Raises:
        StorageError: the disk refused.
        PeerError: what is stored is not what it should be.
    """
    second = side.log.seconded_note_over(index)
    note = second or side.log.cosigned_note_over(index)
    if note is None:
        return None
    path = f"{side.name}/{layout.RECEIPTS}/{layout.receipt_stem(index, entry_type(entry))}"
    data = side.log.entries(index, 1)[0]
    proof = _proof(side, index, *note)
    for name in side.policies if second else (layout.POLICY,):
        verify_tlog_proof(proof, data, side.policies[name])
    writer.write(path + layout.PROOF_SUFFIX, format_tlog_proof(proof))
    _write_act(writer, path, side, index, entry, members)
    return path


def _proof(side: Side, index: int, size: int, note: bytes) -> TlogProof:
    return TlogProof(index, tuple(inclusion_proof(index, size, side.log.hash)), note)


def _write_act(
    writer: FolderWriter, path: str, side: Side, index: int, entry: Entry, members: frozenset[str]
) -> None:
    """Write the bytes of an act, and what is shown of its seals."""
    writer.write(path + layout.ENTRY_SUFFIX, side.log.entries(index, 1)[0])
    found = {opening.member: opening for _, opening in side.log.openings(index, 1)}
    shown = [member for member in sealed_members(entry) if member in members]
    if openings := [found[member] for member in shown if member in found]:
        writer.write(path + layout.OPENED_SUFFIX, layout.format_openings(openings))

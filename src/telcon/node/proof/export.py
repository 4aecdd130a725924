"""Writes the proof folder of one call from a node's two logs of a line.

1. Fold both logs, pick the call's entries by layer (`selection`).
2. For each: the earliest checkpoint that the other side cosigned over it, and the inclusion proof;
   checked as a stranger would before it is written. Where there is none, what the author signed
   alone, apart (`alone`).
3. The openings that the layer shows; recordings (only in the layer content); with the whole logs,
   all tiles and bundles under each log's newest cosigned checkpoint.
4. call.json, README.txt, SHA256SUMS; all durable; then the folder takes its name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from telcon.core.entry import RecordOff, entry_type
from telcon.core.seal import Opening, sealed_members
from telcon.core.stored import StoredLog
from telcon.errors import MisuseError, StorageError
from telcon.ledger import (
    KeyCard,
    Policy,
    TlogProof,
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
from telcon.node.proof.files import FolderWriter
from telcon.node.proof.layout import SIDES, Summary, SummaryEntry, SummaryRecording
from telcon.node.proof.readme import readme
from telcon.node.proof.selection import Selected, Selection, select_call, shown_by
from telcon.node.proof.steps import QUIET, Progress, Step, counted
from telcon.node.proof.summary import tell
from telcon.node.proof.whole import expected_files
from telcon.node.proof.wording import utc_from_us

_READ_OCTETS: Final = 8 * 1024 * 1024


class ExportedLog(StoredLog, Protocol):
    """A stored log that can say which of its checkpoints both sides signed."""

    def cosigned_note_over(self, index: int) -> tuple[int, bytes] | None:
        """Return size and note of the earliest cosigned checkpoint that covers entry `index`."""

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
class _Side:
    name: str  # "ours" or "theirs"
    log: ExportedLog
    policy: Policy


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
    recordings: Sequence[tuple[str, Path]] = (),
    progress: Progress = QUIET,
) -> ExportReport:
    """Write the proof folder of `call` to `out`, whole or not at all.

    `ours` is the log this side writes, `theirs` the other's as mirrored here. `recordings` are
    (file name, where it is now); they are content and left out of every other layer. `progress`
    hears how far it is.

    Raises:
        OperatorError: the line has no such call, or `out` is taken.
        StorageError: the disk refused, or the store's own proofs do not hold.
        MisuseError: no such layer, or a recording's name is not a plain one.
        PeerError: a stored checkpoint or recording is not what it should be.
    """
    shown = shown_by(layer)
    sides = (
        _Side(SIDES[0], ours, mirror_policy(own_card.log, peer_card.mirror)),
        _Side(SIDES[1], theirs, mirror_policy(peer_card.log, own_card.mirror)),
    )
    selection = select_call(ours, theirs, call, shown, progress)
    with FolderWriter(out) as writer:
        exporter = _Exporter(writer, sides, selection, shown.members, progress)
        exporter.write_receipts()
        if layer == layout.LAYER_NAMES[-1]:
            exporter.copy_recordings(recordings)
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
        sides: tuple[_Side, _Side],
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
            self._writer.write(f"{side.name}/{layout.POLICY}", format_policy(side.policy))
        entries = self._selection.entries
        for item in counted(entries, Step.RECEIPTS, len(entries), self._progress):
            side = self._sides[item.origin]
            stem = layout.receipt_stem(item.index, entry_type(item.entry))
            note = side.log.cosigned_note_over(item.index)
            if note is None:
                self.not_countersigned.append(f"{side.name}: {stem}")
                self._write_alone(side, item, stem)
                continue
            path = f"{side.name}/{layout.RECEIPTS}/{stem}"
            self._write_files(path, side, item, _receipt(side.policy, side, item.index, *note))
            self.entries.append(self._summary_entry(path, item))

    def _write_alone(self, side: _Side, item: Selected, stem: str) -> None:
        """Write what there is of an act that the other side is not shown to have held."""
        note = side.log.signed_note_over(item.index)
        policy = author_policy(side.policy.log)
        proof = None if note is None else _receipt(policy, side, item.index, *note)
        self._write_files(f"{side.name}/{layout.ALONE}/{stem}", side, item, proof)

    def _write_files(self, path: str, side: _Side, item: Selected, proof: bytes | None) -> None:
        if proof is not None:
            self._writer.write(path + layout.PROOF_SUFFIX, proof)
        self._writer.write(path + layout.ENTRY_SUFFIX, side.log.entries(item.index, 1)[0])
        openings = self._openings(side, item)
        if openings:
            opened = layout.format_openings(openings)
            self._writer.write(path + layout.OPENED_SUFFIX, opened)

    def copy_recordings(self, recordings: Sequence[tuple[str, Path]]) -> None:
        signed = {
            (item.entry.sha256, item.entry.size): entry.file
            for entry in self.entries
            for item in self._selection.entries
            if (item.origin, item.index) == (entry.origin, entry.index)
            and isinstance(item.entry, RecordOff)
        }
        for name, source in recordings:
            if not layout.is_plain_name(name):
                raise MisuseError(f"{name!r} is not a plain file name")
            path = f"{layout.RECORDINGS}/{name}"
            digest, size = self._writer.copy(path, source)
            place = signed.get((digest, size), "")
            self._recordings.append(SummaryRecording(path, size, digest, place))

    def write_logs(self) -> None:
        for side in self._sides.values():
            newest = newest_cosigned(side.log)
            if newest is None:
                raise StorageError(f"no checkpoint of {side.log.origin} is cosigned yet")
            size, note = newest
            reader = _EntryReader(side.log)
            files = log_files(size, side.log.hash, reader.read)
            total = len(expected_files(size))
            for path, data in counted(files, Step.TILES, total, self._progress):
                self._writer.write(f"{side.name}/{layout.LOG}/{path}", data)
            self._writer.write(f"{side.name}/{layout.LOG}/{layout.CHECKPOINT}", note)

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
        self._writer.write(layout.README, readme(summary).encode())

    def _openings(self, side: _Side, item: Selected) -> list[Opening]:
        found = {opening.member: opening for _, opening in side.log.openings(item.index, 1)}
        shown = [member for member in sealed_members(item.entry) if member in self._members]
        return [found[member] for member in shown if member in found]

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


def _receipt(policy: Policy, side: _Side, index: int, size: int, note: bytes) -> bytes:
    """Make a receipt and check it as a stranger would."""
    proof = TlogProof(index, tuple(inclusion_proof(index, size, side.log.hash)), note)
    verify_tlog_proof(proof, side.log.entries(index, 1)[0], policy)
    return format_tlog_proof(proof)

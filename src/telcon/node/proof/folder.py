"""Checks a proof folder: which kind it is, and, for that of a call, what is told of the call.

What every folder is checked for stands in `telcon.node.proof.check`; of a call's folder besides:
receipts are all acts of that one call, the fold of both whole logs tells what call.json says, and
which recordings a logged act bears the hash of.
"""

from collections.abc import Mapping
from typing import Any, Final

from telcon.core.entry import CallAnswer, RecordOff
from telcon.errors import OperatorError
from telcon.node.proof import layout
from telcon.node.proof.absence_check import AbsenceCheck
from telcon.node.proof.check import FolderCheck
from telcon.node.proof.coverage import CoverageCheck
from telcon.node.proof.excerpt import ExcerptCheck
from telcon.node.proof.files import Files
from telcon.node.proof.layout import SIDES, Summary
from telcon.node.proof.receipt import ProvenReceipt
from telcon.node.proof.report import PathReport
from telcon.node.proof.steps import QUIET, Progress
from telcon.node.proof.summary import tell
from telcon.node.proof.trust import Keys
from telcon.node.proof.whole import Unseen, fold_call


def check_folder(
    name: str, files: Files, given: Keys | None, progress: Progress = QUIET
) -> PathReport:
    """Check the proof folder `files`, shown as `name`, under the keys `given` or, without, its own.

    `progress` hears how far it is.

    Raises:
        OperatorError: it is no proof folder, or the system refuses it.
    """
    paths = files.paths()
    kinds = [kind for file, kind in _KINDS.items() if file in paths]
    if layout.SUMS not in paths and not kinds:
        raise OperatorError(
            "it is no proof folder: there is no SHA256SUMS in it",
            advice="Give the folder that `telcon export` wrote, or a .tlog-proof file.",
        )
    kind = kinds[0] if kinds else _CallCheck  # two: SHA256SUMS names both, and one is unsigned
    return kind(files, paths, given, progress).report(name)


class _CallCheck(FolderCheck[Summary]):
    """The folder of one call."""

    SUMMARY = layout.SUMMARY

    def parse(self, data: bytes) -> Summary:
        """Read call.json."""
        return layout.parse_summary_untrusted(data)

    def check(self, summary: Summary, keys: Keys) -> None:
        """Check receipts, logs, fold and recordings."""
        for side in SIDES:
            self.check_receipts(side, summary, keys)
        self._check_calls(summary)
        self.check_roots()
        for side in SIDES:
            if summary.whole_log or self.below(f"{side}/{layout.LOG}/"):
                self.check_log(side, summary, keys)
        self._check_fold(summary)
        self._check_recordings(summary)
        if not self.receipts and not self.faults:
            self.faults.append("there is nothing in it that could be proven")

    def _check_calls(self, summary: Summary) -> None:
        """Refuse acts of other calls: they would lend this one what is not its own."""
        merged = {
            place
            for receipt in self.receipts
            if isinstance(receipt.entry, CallAnswer) and receipt.entry.call == summary.call
            for place in receipt.entry.re[1:]  # the own ring that both-rang-at-once merged
        }
        for receipt in self.receipts:
            call = getattr(receipt.entry, "call", None)
            place = (receipt.proven.origin, receipt.proven.index)
            if call != summary.call and place not in merged:
                self.faults.append(f"{receipt.path} is no act of the call {summary.call}")

    def _check_fold(self, summary: Summary) -> None:
        if len(self.logs) < len(SIDES):
            return
        call, unseen = fold_call(self.logs, summary.call, self.progress)
        self.not_shown += [_unseen_words(one, self.logs[one.log].size) for one in unseen]
        if call is None:
            self.faults.append(f"the whole logs know no call {summary.call}")
            return
        told = tell(call, summary.layer)
        if not summary.not_countersigned:
            for member, value in told._asdict().items():
                if getattr(summary, member) != value:
                    self.faults.append(f"call.json says another {member} than the whole logs")
        ended = f", ended {told.ended}" if told.ended else ""
        reach = ", as far as they are here" if unseen else ""
        self.also.append(
            f"Both logs together tell{reach}: {told.outcome}, rung {told.rung}{ended}."
        )

    def _check_recordings(self, summary: Summary) -> None:
        offs = {
            receipt.path: receipt
            for receipt in self.receipts
            if isinstance(receipt.entry, RecordOff)
        }
        claimed = {recording.file: recording.signed_in for recording in summary.recordings}
        bare, matched = [], set()
        for name in self.below(f"{layout.RECORDINGS}/"):
            path = f"{layout.RECORDINGS}/{name}"
            found = [p for p, off in offs.items() if _is_hash_of(off, self.digests[path])]
            matched.update(found)
            if not found:
                bare.append(path)
                continue
            self.signed.add(path)
            self.also += [
                f"{path}, {self.digests[path][1]} octets, is the recording hashed in {place}."
                for place in found
            ]
        own = {path for path in offs if path.startswith(f"{SIDES[0]}/")}
        for path in bare:
            if claimed.get(path) or own - matched:
                self.faults.append(f"{path} is not the recording whose hash was logged")


def _unseen_words(unseen: Unseen, size: int) -> str:
    return (
        f"what stands in {unseen.log} from entry {size} on, if anything: {unseen.count} entries of"
        f" {unseen.author} claim to have seen {unseen.size} entries of it, and count for nothing"
    )


def _is_hash_of(receipt: ProvenReceipt, digest: tuple[str, int]) -> bool:
    entry = receipt.entry
    return isinstance(entry, RecordOff) and (entry.sha256, entry.size) == digest


_KINDS: Final[Mapping[str, type[FolderCheck[Any]]]] = {
    layout.SUMMARY: _CallCheck,
    layout.COVERAGE: CoverageCheck,
    layout.ABSENCE: AbsenceCheck,
    layout.EXCERPT: ExcerptCheck,
}
"""By the file that says what a folder is about."""

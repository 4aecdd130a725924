"""Checks a proof folder: which kind it is, and, for that of a call, what is told of the call.

What every folder is checked for stands in `telcon.node.proof.check`; of a call's folder besides:
receipts and what lies apart (`alone`) are all acts of that one call, the fold of both whole logs
tells what call.json says, what became of the ring (`ends`), and which recordings a logged act bears
the hash of. A folder of evidence is left to `contradiction`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from telcon.core.entry import CallAnswer, RecordAgreed, RecordOff
from telcon.errors import OperatorError, PeerError
from telcon.ledger import organisation
from telcon.node.proof import evidence, layout
from telcon.node.proof.absence_check import AbsenceCheck
from telcon.node.proof.check import FolderCheck
from telcon.node.proof.contradiction import check_evidence
from telcon.node.proof.coverage import CoverageCheck
from telcon.node.proof.ends import shown_words, unshown
from telcon.node.proof.excerpt import ExcerptCheck
from telcon.node.proof.files import Files
from telcon.node.proof.layout import SIDES, Summary
from telcon.node.proof.receipt import ProvenReceipt
from telcon.node.proof.report import PathReport, Verdict
from telcon.node.proof.span_check import SpanCheck
from telcon.node.proof.steps import QUIET, Progress
from telcon.node.proof.summary import tell
from telcon.node.proof.sums import check_sums
from telcon.node.proof.trust import Keys
from telcon.node.proof.whole import fold_call


def check_folder(
    name: str, files: Files, given: Keys | None, progress: Progress = QUIET
) -> PathReport:
    """Check the proof folder `files`, shown as `name`, under the keys `given` or, without, its own.

    `progress` hears how far it is.

    Raises:
        OperatorError: it is no proof folder, or the system refuses it.
    """
    paths = files.paths()
    if evidence.FIRST in paths:
        return check_evidence(name, files, paths, given, progress)
    kinds = [kind for file, kind in _KINDS.items() if file in paths]
    if layout.SUMS not in paths and not kinds:
        raise OperatorError(
            "it is no proof folder: there is no SHA256SUMS in it",
            advice="Give the folder that `telcon export` wrote, or a .tlog-proof file.",
        )
    kind = kinds[0] if kinds else _CallCheck  # two: SHA256SUMS names both, and one is unsigned
    check = kind(files, paths, given, progress)
    foreign = "" if given is None else _of_another_line(check, given)
    if foreign and not check_sums(files, paths, QUIET).faults:  # else it may not say so itself
        return PathReport(name, Verdict.NOT_PROVEN, (foreign,))
    return check.report(name)


def _of_another_line(check: FolderCheck[Any], given: Keys) -> str:
    """Say once that no key given is of the folder's line; empty if one is, or it says no line."""
    paths, files = check.paths, check.files
    try:
        if check.SUMMARY not in paths:
            return ""
        summary = check.parse(files.read(check.SUMMARY, layout.MAX_SMALL_OCTETS))
    except PeerError:
        return ""  # `check` says what is wrong with it
    lines: dict[str, list[str]] = {}
    for origin in sorted({*given.policies, *given.alone}):
        lines.setdefault(origin.rpartition("/")[2], []).append(organisation(origin))
    if summary.line in lines:
        return ""
    theirs = "; ".join(f"line {line} ({', '.join(names)})" for line, names in lines.items())
    return (
        f"the keys you gave are of {theirs}; this folder is of line {summary.line}"
        f" ({summary.ours}, {summary.theirs}): nothing in it can be judged by them"
    )


_NOTHING: Final = "there is nothing in it that could be proven"
_NOBODY_HELD: Final = (
    "nothing in it is shown to have been held by anybody but who logged it; that is no proof that"
    " the other side was rung"
)


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
            self.check_alone(side, summary, keys)
        self._check_calls(summary)
        self.check_roots()
        for side in SIDES:
            if summary.whole_log or self.below(f"{side}/{layout.LOG}/"):
                self.check_log(side, summary, keys)
        self._check_fold(summary)
        self._check_recordings(summary)
        self.also += shown_words(self.receipts, summary.call)
        self.not_shown += unshown(self.receipts)
        if not self.receipts and not self.faults:
            self.faults.append(_NOBODY_HELD if self.alone else _NOTHING)

    def _check_calls(self, summary: Summary) -> None:
        """Refuse acts of other calls: they would lend this one what is not its own."""
        merged = {
            place
            for entry in [*(r.entry for r in self.receipts), *(one.entry for one in self.alone)]
            if isinstance(entry, CallAnswer) and entry.call == summary.call
            for place in entry.re[1:]  # the own ring that both-rang-at-once merged
        }
        for receipt in self.receipts:
            call = getattr(receipt.entry, "call", None)
            place = (receipt.proven.origin, receipt.proven.index)
            if call != summary.call and place not in merged:
                self.faults.append(f"{receipt.path} is no act of the call {summary.call}")
        for one in self.alone:
            call = getattr(one.entry, "call", None)
            if call != summary.call and one.place not in merged:
                self.faults.append(f"{one.path} is no act of the call {summary.call}")

    def _check_fold(self, summary: Summary) -> None:
        if len(self.logs) < len(SIDES):
            return
        call, unseen = fold_call(self.logs, summary.call, self.progress)
        self.not_shown += [one.in_words(self.logs[one.log].size) for one in unseen]
        if call is None and self.alone and not self.receipts:
            return  # it is in neither log as far as both sides signed them; `check` says so
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
        hashed = _hashed_recordings(self.receipts)
        claimed = {recording.file: recording.signed_in for recording in summary.recordings}
        held = {receipt.path for receipt in self.receipts}
        for name in self.below(f"{layout.RECORDINGS}/"):
            path = f"{layout.RECORDINGS}/{name}"
            digest = self.digests[path]
            found = [one for one in hashed if (one.name, one.digest) == (name, digest)]
            if found:
                self.signed.add(path)
                self.also.append(f"{path}, {digest[1]} octets, {_recording_words(found)}.")
                self.not_shown += [] if _RETURNED in self.not_shown else [_RETURNED]
                continue
            signed_in = claimed.get(path)
            # Where the receipt that bears its hash does not hold, that is said already, and why.
            is_claimed = bool(signed_in) and (signed_in in held or not self.faults)
            if is_claimed or any(one.name == name and one.is_own for one in hashed):
                self.faults.append(f"{path} is not the recording whose hash was logged")


@dataclass(frozen=True, slots=True)
class _Hashed:
    """One track's file as an act of one side bears its hash."""

    name: str
    digest: tuple[str, int]
    receipt: str
    author: str
    is_own: bool  # of the side that exported
    is_agreed: bool


def _hashed_recordings(receipts: Iterable[ProvenReceipt]) -> list[_Hashed]:
    found = []
    newest: dict[str, ProvenReceipt] = {}  # of each side's statements of the record, the last holds
    for receipt in receipts:
        if isinstance(receipt.entry, RecordAgreed):
            known = newest.get(receipt.proven.origin)
            if known is None or known.proven.index < receipt.proven.index:
                newest[receipt.proven.origin] = receipt
    for receipt in receipts:
        entry, author = receipt.entry, receipt.proven.origin.partition("/")[0]
        is_own = receipt.path.startswith(f"{SIDES[0]}/")
        if isinstance(entry, RecordOff):
            name, digest = layout.recording_name(entry.track), (entry.sha256, entry.size)
            found.append(_Hashed(name, digest, receipt.path, author, is_own, is_agreed=False))
        elif isinstance(entry, RecordAgreed) and newest[receipt.proven.origin] is receipt:
            for origin, number, _, sha256, size in entry.tracks:
                name, digest = layout.recording_name((origin, number)), (sha256, size)
                found.append(_Hashed(name, digest, receipt.path, author, is_own, is_agreed=True))
    return found


_RETURNED: Final = (
    "whether a node that was killed in the call got the end of its own recordings, two seconds at"
    " most, back from the other side: its chunks say so, and an excerpt shows it"
)


def _recording_words(found: Sequence[_Hashed]) -> str:
    """Say who states of a file that it is the recording."""
    agreed = sorted({one.author for one in found if one.is_agreed})
    if len(agreed) == 2:
        return f"is the recording that both {agreed[0]} and {agreed[1]} state that they hold"
    if agreed:
        return f"is the recording that {agreed[0]} states that it holds"
    places = " and ".join(one.receipt for one in found)
    return f"is the recording hashed in {places}"


_KINDS: Final[Mapping[str, type[FolderCheck[Any]]]] = {
    layout.SUMMARY: _CallCheck,
    layout.COVERAGE: CoverageCheck,
    layout.ABSENCE: AbsenceCheck,
    layout.EXCERPT: ExcerptCheck,
    layout.SPAN: SpanCheck,
}
"""By the file that says what a folder is about."""

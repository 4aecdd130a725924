"""Checks a proof folder, step by step; one of evidence is left to `contradiction`.

1. SHA256SUMS: every altered, missing and additional file is named.
2. call.json says which log stands on which side; the keys are those given, else the folder's.
3. Receipts: entry, tlog-proof and policy; each under its own side's log, all of one call.
4. Openings fit their seals (with 3, in `receipt`). What nobody but its author is shown to have
   held lies apart and is never proven (`alone`).
5. Whole logs: tiles lead to the cosigned root, entries to the tiles, receipts agree, and the fold
   of both logs tells what call.json says.
6. Recordings: which of them a logged act bears the hash of.

Nothing that only the folder says (names of files, call.json, its policies) makes a thing proven.
"""

from collections.abc import Sequence
from typing import Final

from telcon.core.entry import CallAnswer, RecordOff, entry_type
from telcon.errors import OperatorError, PeerError, PolicyError, ProofError
from telcon.ledger import Policy, VerifierKey, parse_policy
from telcon.node.proof import evidence, layout
from telcon.node.proof.alone import Alone, check_alone
from telcon.node.proof.contradiction import check_evidence
from telcon.node.proof.ends import shown_words, unshown
from telcon.node.proof.files import Files
from telcon.node.proof.layout import SIDES, Summary
from telcon.node.proof.receipt import ProvenReceipt, check_receipt
from telcon.node.proof.report import NOT_SHOWN, NOT_SHOWN_WITHOUT_LOGS, PathReport, Verdict
from telcon.node.proof.steps import QUIET, Progress
from telcon.node.proof.summary import tell
from telcon.node.proof.sums import check_sums
from telcon.node.proof.trust import Keys, keys_from_policies
from telcon.node.proof.whole import Unseen, WholeLog, fold_call, read_log
from telcon.node.proof.wording import utc_from_seconds


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
    if layout.SUMS not in paths and layout.SUMMARY not in paths:
        raise OperatorError(
            "it is no proof folder: there is no SHA256SUMS in it",
            advice="Give the folder that `telcon export` wrote, or a .tlog-proof file.",
        )
    check = _FolderCheck(files, paths, given, progress)
    check.run()
    if check.faults:
        verdict = Verdict.NOT_PROVEN
    else:
        verdict = Verdict.CONSISTENT if given is None else Verdict.PROVEN
    general = NOT_SHOWN if len(check.logs) == len(SIDES) else NOT_SHOWN_WITHOUT_LOGS
    return PathReport(
        path=name,
        verdict=verdict,
        faults=tuple(check.faults),
        receipts=tuple(check.receipts),
        alone=tuple(check.alone),
        also=tuple(check.also),
        unsigned=tuple(check.unsigned()),
        not_shown=(*check.not_shown, *general),
    )


_SUFFIXES: Final = (layout.PROOF_SUFFIX, layout.ENTRY_SUFFIX, layout.OPENED_SUFFIX)
_NOTHING: Final = "there is nothing in it that could be proven"
_NOBODY_HELD: Final = (
    "nothing in it is shown to have been held by anybody but who logged it; that is no proof that"
    " the other side was rung"
)


class _FolderCheck:
    """One folder under check; what holds and what does not is collected as it goes."""

    def __init__(
        self, files: Files, paths: Sequence[str], given: Keys | None, progress: Progress
    ) -> None:
        self._progress = progress
        self._files = files
        self._paths = paths
        self._present = frozenset(paths)
        self._given = given
        self._signed: set[str] = set()  # paths of files that signatures reach
        self._digests: dict[str, tuple[str, int]] = {}
        self.faults: list[str] = []
        self.receipts: list[ProvenReceipt] = []
        self.alone: list[Alone] = []
        self.logs: dict[str, WholeLog] = {}
        self.also: list[str] = []
        self.not_shown: list[str] = []

    def run(self) -> None:
        summed = check_sums(self._files, self._paths, self._progress)  # 1
        self.faults, self._digests = summed.faults, summed.digests
        if self.faults:
            return
        try:
            summary = layout.parse_summary_untrusted(
                self._files.read(layout.SUMMARY, layout.MAX_SMALL_OCTETS)
            )
            keys = self._keys(summary)  # 2
        except PeerError as error:
            self.faults.append(str(error))
            return
        for side in SIDES:
            self._check_receipts(side, summary, keys)  # 3 and 4
            self._check_alone(side, summary, keys)
        self._check_calls(summary)
        self._check_roots()
        for side in SIDES:
            self._check_log(side, summary, keys)  # 5
        self._check_fold(summary)
        self._check_recordings(summary)  # 6
        self.also += shown_words(self.receipts, summary.call)
        self.not_shown += unshown(self.receipts)
        if not self.receipts and not self.faults:
            self.faults.append(_NOBODY_HELD if self.alone else _NOTHING)

    def unsigned(self) -> list[str]:
        """Return the files that stand in SHA256SUMS alone."""
        return [path for path in self._paths if path not in self._signed and path != layout.SUMS]

    def _keys(self, summary: Summary) -> Keys:
        if self._given is not None:
            return self._given
        policies = [self._policy(side, summary) for side in SIDES]
        return keys_from_policies(policies, are_given=False)

    def _policy(self, side: str, summary: Summary) -> Policy:
        path = f"{side}/{layout.POLICY}"
        if path not in self._present:
            raise PolicyError(f"{path} is missing")
        try:
            policy = parse_policy(self._files.read(path, layout.MAX_SMALL_OCTETS))
        except PolicyError as error:
            raise PolicyError(f"{path}: {error}") from error
        if policy.log.name != summary.origin(side):
            raise PolicyError(f"{path} is for another log than {summary.origin(side)}")
        return policy

    def _check_receipts(self, side: str, summary: Summary, keys: Keys) -> None:
        folder = f"{side}/{layout.RECEIPTS}/"
        for stem in self._stems(folder):
            try:
                receipt = self._read_receipt(folder + stem, keys)
                _check_place(receipt, stem, summary.origin(side))
            except PeerError as error:
                self.faults.append(f"{folder + stem}: {error}")
                continue
            self.receipts.append(receipt)
            self._signed.update(folder + stem + suffix for suffix in _SUFFIXES)

    def _check_alone(self, side: str, summary: Summary, keys: Keys) -> None:
        folder = f"{side}/{layout.ALONE}/"
        for stem in self._stems(folder):
            try:
                one = self._read_alone(folder + stem, keys.log_for(summary.origin(side)))
            except PeerError as error:
                self.faults.append(f"{folder + stem}: {error}")
                continue
            self.alone.append(one)
            if one.is_signed:
                self._signed.update(folder + stem + suffix for suffix in _SUFFIXES)

    def _read_alone(self, path: str, log: VerifierKey) -> Alone:
        if path + layout.ENTRY_SUFFIX not in self._present:
            raise ProofError(f"the file {layout.ENTRY_SUFFIX} is missing")
        proof, opened = (
            self._files.read(path + suffix, layout.MAX_SMALL_OCTETS)
            if path + suffix in self._present
            else None
            for suffix in (layout.PROOF_SUFFIX, layout.OPENED_SUFFIX)
        )
        data = self._files.read(path + layout.ENTRY_SUFFIX, layout.MAX_ENTRY_OCTETS)
        return check_alone(path, data, proof, opened, log)

    def _stems(self, folder: str) -> list[str]:
        stems = {
            path.removesuffix(suffix)
            for path in self._below(folder)
            for suffix in _SUFFIXES
            if path.endswith(suffix)
        }
        return sorted(stems)

    def _read_receipt(self, path: str, keys: Keys) -> ProvenReceipt:
        for suffix in (layout.PROOF_SUFFIX, layout.ENTRY_SUFFIX):
            if path + suffix not in self._present:
                raise ProofError(f"the file {suffix} is missing")
        opened = None
        if path + layout.OPENED_SUFFIX in self._present:
            opened = self._files.read(path + layout.OPENED_SUFFIX, layout.MAX_SMALL_OCTETS)
        return check_receipt(
            path,
            self._files.read(path + layout.PROOF_SUFFIX, layout.MAX_SMALL_OCTETS),
            self._files.read(path + layout.ENTRY_SUFFIX, layout.MAX_ENTRY_OCTETS),
            opened,
            keys,
        )

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

    def _check_roots(self) -> None:
        """Refuse two roots for one size: the author signed two histories."""
        roots: dict[tuple[str, int], bytes] = {}
        for receipt in self.receipts:
            place = (receipt.proven.origin, receipt.proven.size)
            if roots.setdefault(place, receipt.proven.root) != receipt.proven.root:
                self.faults.append(f"two roots of {place[0]} at {place[1]}, both signed: a fork")

    def _check_log(self, side: str, summary: Summary, keys: Keys) -> None:
        folder = f"{side}/{layout.LOG}/"
        paths = self._below(folder)
        if not paths and not summary.whole_log:
            return
        origin = summary.origin(side)
        try:
            if layout.CHECKPOINT not in paths:
                raise ProofError("the checkpoint is missing")
            checkpoint = self._files.read(folder + layout.CHECKPOINT, layout.MAX_SMALL_OCTETS)
            tiles = [path for path in paths if path != layout.CHECKPOINT]
            policy = keys.policy_for(origin)
            read = read_log(
                checkpoint,
                policy,
                tiles,
                lambda path: self._read_tile(folder + path),
                self._progress,
            )
            for receipt in self.receipts:
                if receipt.proven.origin == origin:
                    read.log.check_receipt(receipt)
        except PeerError as error:
            self.faults.append(f"{folder}: {error}")
            return
        self.logs[origin] = read.log
        self._signed.update(folder + path for path in paths)
        self.also += [
            f"The whole log {origin}, {read.log.size} entries, is in this folder;"
            f" the holder of key {name} held it by {utc_from_seconds(time_s)}."
            for name, time_s in read.cosigned
        ]

    def _check_fold(self, summary: Summary) -> None:
        if len(self.logs) < len(SIDES):
            return
        call, unseen = fold_call(self.logs, summary.call, self._progress)
        self.not_shown += [_unseen_words(one, self.logs[one.log].size) for one in unseen]
        if call is None and self.alone and not self.receipts:
            return  # it is in neither log as far as both sides signed them; `run` says so
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
        for name in self._below(f"{layout.RECORDINGS}/"):
            path = f"{layout.RECORDINGS}/{name}"
            found = [p for p, off in offs.items() if _is_hash_of(off, self._digests[path])]
            matched.update(found)
            if not found:
                bare.append(path)
                continue
            self._signed.add(path)
            self.also += [
                f"{path}, {self._digests[path][1]} octets, is the recording hashed in {place}."
                for place in found
            ]
        own = {path for path in offs if path.startswith(f"{SIDES[0]}/")}
        for path in bare:
            if claimed.get(path) or own - matched:
                self.faults.append(f"{path} is not the recording whose hash was logged")

    def _read_tile(self, path: str) -> bytes:
        return self._files.read(path, 256 * (2 + layout.MAX_ENTRY_OCTETS))

    def _below(self, folder: str) -> list[str]:
        return [path.removeprefix(folder) for path in self._paths if path.startswith(folder)]


def _unseen_words(unseen: Unseen, size: int) -> str:
    return (
        f"what stands in {unseen.log} from entry {size} on, if anything: {unseen.count} entries of"
        f" {unseen.author} claim to have seen {unseen.size} entries of it, and count for nothing"
    )


def _check_place(receipt: ProvenReceipt, stem: str, origin: str) -> None:
    """Refuse a receipt under another name or side than its own."""
    if receipt.proven.origin != origin:
        raise ProofError(f"it is of the log {receipt.proven.origin}, not of {origin}")
    kind = "entry" if receipt.entry is None else entry_type(receipt.entry)
    expected = layout.receipt_stem(receipt.proven.index, kind)
    if stem != expected:
        raise ProofError(f"it proves {expected}, not what its name says")


def _is_hash_of(receipt: ProvenReceipt, digest: tuple[str, int]) -> bool:
    entry = receipt.entry
    return isinstance(entry, RecordOff) and (entry.sha256, entry.size) == digest

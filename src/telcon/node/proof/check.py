"""What every check of a folder does, whatever the folder shows.

1. SHA256SUMS: every altered, missing and additional file is named.
2. The summary says which log stands on which side; the keys are those given, else the folder's.
3. Receipts: entry, tlog-proof and policy; each under its own side's log. Openings fit their seals.
   What nobody but its author is shown to have held lies apart and is never proven (`alone`).
4. Whole logs: tiles lead to the cosigned root, entries to the tiles, receipts agree.

What the folder is about is checked by whoever derives from `FolderCheck`. Nothing that only the
folder says (names of files, its summary, its policies) makes a thing proven.
"""

from collections.abc import Sequence
from typing import Final, Generic, Protocol, TypeVar

from telcon.core.entry import entry_type
from telcon.errors import PeerError, PolicyError, ProofError
from telcon.ledger import Policy, VerifierKey, parse_policy
from telcon.node.proof import layout
from telcon.node.proof.alone import Alone, check_alone
from telcon.node.proof.files import Files
from telcon.node.proof.layout import SIDES
from telcon.node.proof.receipt import ProvenReceipt, check_receipt, further_witnesses
from telcon.node.proof.report import (
    NOT_SHOWN,
    NOT_SHOWN_WITHOUT_LOGS,
    PathReport,
    Verdict,
    witnessed_in_words,
)
from telcon.node.proof.steps import QUIET, Progress
from telcon.node.proof.sums import check_sums
from telcon.node.proof.trust import Keys, keys_from_policies, seconded_by
from telcon.node.proof.whole import WholeLog, read_log
from telcon.node.proof.wording import utc_from_seconds

__all__ = ["FolderCheck", "Parties"]


class Parties(Protocol):
    """What every summary says."""

    @property
    def line(self) -> str:
        """Return the line's id."""

    @property
    def ours(self) -> str:
        """Return the name of the node that made the folder."""

    @property
    def theirs(self) -> str:
        """Return the name of the other node."""

    def origin(self, side: str) -> str:
        """Return the origin of the log that a side of the folder shows."""


S = TypeVar("S", bound=Parties)

_SUFFIXES: Final = (layout.PROOF_SUFFIX, layout.ENTRY_SUFFIX, layout.OPENED_SUFFIX)


class FolderCheck(Generic[S]):
    """One folder under check; what holds and what does not is collected as it goes."""

    SUMMARY = ""
    """The file that says what the folder is about."""
    NOT_SHOWN: tuple[str, ...] = ()
    """What a folder of this kind never shows, besides what none does."""

    def __init__(
        self, files: Files, paths: Sequence[str], given: Keys | None, progress: Progress = QUIET
    ) -> None:
        """Check `files`, which are at `paths`, under the keys `given` or, without, the folder's."""
        self.progress = progress
        self.files = files
        self.paths = paths
        self.digests: dict[str, tuple[str, int]] = {}
        self.signed: set[str] = set()  # paths of files that signatures reach
        self.faults: list[str] = []
        self.receipts: list[ProvenReceipt] = []
        self.alone: list[Alone] = []
        self.logs: dict[str, WholeLog] = {}
        self.also: list[str] = []
        self.not_shown: list[str] = []
        self.is_undecided = False
        """Whether it holds, as far as it can be read here, and the rest cannot be read."""
        self._present = frozenset(paths)
        self._given = given

    def parse(self, data: bytes) -> S:
        """Read the summary.

        Raises:
            MalformedError: it cannot be read.
        """
        raise NotImplementedError

    def check(self, summary: S, keys: Keys) -> None:
        """Check what the folder is about."""
        raise NotImplementedError

    def report(self, name: str) -> PathReport:
        """Run all checks and say what was found in the folder shown as `name`."""
        self._run()
        if self.faults:
            verdict = Verdict.UNREADABLE if self.is_undecided else Verdict.NOT_PROVEN
        else:
            verdict = Verdict.CONSISTENT if self._given is None else Verdict.PROVEN
        general = NOT_SHOWN if len(self.logs) == len(SIDES) else NOT_SHOWN_WITHOUT_LOGS
        unsigned = [p for p in self.paths if p not in self.signed and p != layout.SUMS]
        return PathReport(
            path=name,
            verdict=verdict,
            faults=tuple(self.faults),
            receipts=tuple(self.receipts),
            alone=tuple(self.alone),
            also=tuple(self.also),
            unsigned=tuple(unsigned),
            not_shown=(*self.not_shown, *self.NOT_SHOWN, *general),
        )

    def _run(self) -> None:
        summed = check_sums(self.files, self.paths, self.progress)  # 1
        self.faults, self.digests = summed.faults, summed.digests
        if self.faults:
            return
        try:
            summary = self.parse(self.files.read(self.SUMMARY, layout.MAX_SMALL_OCTETS))
            keys = self._keys(summary)  # 2
        except PeerError as error:
            self.faults.append(str(error))
            return
        self.check(summary, keys)
        if not self.receipts and not self.logs and not self.faults:
            self.faults.append("there is nothing in it that could be proven")

    def _keys(self, summary: S) -> Keys:
        if self._given is not None:
            return self._given
        policies = [self._policy(side, summary) for side in SIDES]
        return keys_from_policies(policies, are_given=False)

    def _policy(self, side: str, summary: S) -> Policy:
        path = f"{side}/{layout.POLICY}"
        if path not in self._present:
            raise PolicyError(f"{path} is missing")
        policy = self._read_policy(path, summary.origin(side))
        second = f"{side}/{layout.ML_DSA_POLICY}"
        if second not in self._present:
            return policy
        try:
            return seconded_by(policy, self._read_policy(second, summary.origin(side)))
        except PolicyError as error:
            raise PolicyError(f"{path} and {second}: {error}") from error

    def _read_policy(self, path: str, origin: str) -> Policy:
        try:
            policy = parse_policy(self.files.read(path, layout.MAX_SMALL_OCTETS))
        except PolicyError as error:
            raise PolicyError(f"{path}: {error}") from error
        if policy.log.name != origin:
            raise PolicyError(f"{path} is for another log than {origin}")
        return policy

    def check_receipts(self, side: str, summary: S, keys: Keys) -> None:
        """Check every receipt of a side, with its openings; those that hold stand in `receipts`."""
        folder = f"{side}/{layout.RECEIPTS}/"
        for stem in self._stems(folder):
            try:
                receipt = self._read_receipt(folder + stem, keys)
                _check_place(receipt, stem, summary.origin(side))
            except PeerError as error:
                self.faults.append(f"{folder + stem}: {error}")
                continue
            self.receipts.append(receipt)
            self.signed.update(folder + stem + suffix for suffix in _SUFFIXES)

    def check_alone(self, side: str, summary: S, keys: Keys) -> None:
        """Check every act of a side that nobody else is shown to have held; see `alone`."""
        folder = f"{side}/{layout.ALONE}/"
        for stem in self._stems(folder):
            try:
                one = self._read_alone(folder + stem, keys.log_for(summary.origin(side)))
            except PeerError as error:
                self.faults.append(f"{folder + stem}: {error}")
                continue
            self.alone.append(one)
            if one.is_signed:
                self.signed.update(folder + stem + suffix for suffix in _SUFFIXES)

    def _stems(self, folder: str) -> list[str]:
        stems = {
            path.removesuffix(suffix)
            for path in self.below(folder)
            for suffix in _SUFFIXES
            if path.endswith(suffix)
        }
        return sorted(stems)

    def _read_receipt(self, path: str, keys: Keys) -> ProvenReceipt:
        for suffix in (layout.PROOF_SUFFIX, layout.ENTRY_SUFFIX):
            if path + suffix not in self._present:
                raise ProofError(f"the file {suffix} is missing")
        return check_receipt(
            path,
            self.files.read(path + layout.PROOF_SUFFIX, layout.MAX_SMALL_OCTETS),
            self.files.read(path + layout.ENTRY_SUFFIX, layout.MAX_ENTRY_OCTETS),
            self._read_if_there(path + layout.OPENED_SUFFIX),
            keys,
        )

    def _read_alone(self, path: str, log: VerifierKey) -> Alone:
        if path + layout.ENTRY_SUFFIX not in self._present:
            raise ProofError(f"the file {layout.ENTRY_SUFFIX} is missing")
        return check_alone(
            path,
            self.files.read(path + layout.ENTRY_SUFFIX, layout.MAX_ENTRY_OCTETS),
            self._read_if_there(path + layout.PROOF_SUFFIX),
            self._read_if_there(path + layout.OPENED_SUFFIX),
            log,
        )

    def _read_if_there(self, path: str) -> bytes | None:
        if path not in self._present:
            return None
        return self.files.read(path, layout.MAX_SMALL_OCTETS)

    def check_roots(self) -> None:
        """Refuse two roots for one size: the author signed two histories."""
        roots: dict[tuple[str, int], bytes] = {}
        for receipt in self.receipts:
            place = (receipt.proven.origin, receipt.proven.size)
            if roots.setdefault(place, receipt.proven.root) != receipt.proven.root:
                self.faults.append(f"two roots of {place[0]} at {place[1]}, both signed: a fork")

    def check_log(self, side: str, summary: S, keys: Keys) -> None:
        """Check the whole log of a side, which must be there; then it stands in `logs`."""
        folder = f"{side}/{layout.LOG}/"
        paths = self.below(folder)
        origin = summary.origin(side)
        try:
            if layout.CHECKPOINT not in paths:
                raise ProofError("the checkpoint is missing")
            checkpoint = self.files.read(folder + layout.CHECKPOINT, layout.MAX_SMALL_OCTETS)
            tiles = [path for path in paths if path != layout.CHECKPOINT]
            policy = keys.policy_for(origin)
            read = read_log(
                checkpoint,
                policy,
                tiles,
                lambda path: self._read_tile(folder + path),
                self.progress,
            )
            for receipt in self.receipts:
                if receipt.proven.origin == origin:
                    read.log.check_receipt(receipt)
        except PeerError as error:
            self.faults.append(f"{folder}: {error}")
            return
        self.logs[origin] = read.log
        self.signed.update(folder + path for path in paths)
        further = further_witnesses(policy)
        self.also += [
            f"The whole log {origin}, {read.log.size} entries, is in this folder;"
            f" the holder of key {name} held it by {utc_from_seconds(time_s)}."
            for name, time_s in dict.fromkeys(read.cosigned)  # by two keys of one time, once
            if name not in further
        ]
        if further:
            said = witnessed_in_words(read.cosigned, further, f"{origin} at this size")
            self.also.append(f"{said[0].upper()}{said[1:]}.")

    def _read_tile(self, path: str) -> bytes:
        return self.files.read(path, 256 * (2 + layout.MAX_ENTRY_OCTETS))

    def below(self, folder: str) -> list[str]:
        """Return the paths of all files in `folder`, from there on."""
        return [path.removeprefix(folder) for path in self.paths if path.startswith(folder)]


def _check_place(receipt: ProvenReceipt, stem: str, origin: str) -> None:
    """Refuse a receipt under another name or side than its own."""
    if receipt.proven.origin != origin:
        raise ProofError(f"it is of the log {receipt.proven.origin}, not of {origin}")
    kind = "entry" if receipt.entry is None else entry_type(receipt.entry)
    expected = layout.receipt_stem(receipt.proven.index, kind)
    if stem != expected:
        raise ProofError(f"it proves {expected}, not what its name says")

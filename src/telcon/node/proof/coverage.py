"""The proof folder of what one side stated that its log of a line covers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from telcon.core.coverage import Statement
from telcon.core.entry import LineCoverage
from telcon.core.fold import Applied
from telcon.core.stored import StoredLog
from telcon.errors import MalformedError, OperatorError
from telcon.ledger import KeyCard
from telcon.node.proof import layout
from telcon.node.proof.check import FolderCheck
from telcon.node.proof.export import ExportedLog, sides_of, write_policies, write_receipt
from telcon.node.proof.files import FolderWriter, nobody
from telcon.node.proof.layout import SIDES, CoverageAccount
from telcon.node.proof.readme import coverage_readme
from telcon.node.proof.selection import fold_line
from telcon.node.proof.steps import QUIET, Progress
from telcon.node.proof.trust import Keys

__all__ = ["NOT_COVERED", "CoverageCheck", "Statements", "export_coverage", "find_statements"]

NOT_COVERED: Final = (
    "what was said on other lines and other channels",
    "what persons did whom the statement does not name",
)

_SHOWN_MEMBERS: Final = frozenset({"persons"})


@dataclass(slots=True)
class Statements:
    """The `line.coverage` of both logs that took effect, by origin, as a fold meets them."""

    by_origin: dict[str, list[Statement]] = field(default_factory=dict)

    def hear(self, origin: str, index: int, applied: Applied) -> None:
        """Take note of an entry, if it is one."""
        if isinstance(applied.entry, LineCoverage) and applied.void is None:
            self.of(origin).append(Statement(index, applied.entry))

    def of(self, origin: str) -> list[Statement]:
        """Return those of one log, in its order."""
        return self.by_origin.setdefault(origin, [])


def find_statements(
    ours: StoredLog, theirs: StoredLog, progress: Progress = QUIET
) -> Mapping[str, list[Statement]]:
    """Return what both sides of a line stated, by origin.

    Raises:
        StorageError: the entries of a log are not those of its tree.
    """
    found = Statements()
    fold_line(ours, theirs, found.hear, progress)
    return {log.origin: found.of(log.origin) for log in (ours, theirs)}


def export_coverage(
    ours: ExportedLog,
    theirs: ExportedLog,
    *,
    own_card: KeyCard,
    peer_card: KeyCard,
    out: Path,
    told: Callable[[], None] = nobody,
    progress: Progress = QUIET,
) -> int:
    """Write the receipts of all our statements about a line to `out`; return how many.

    `told` is called right before the first byte, as of any export.

    Raises:
        OperatorError: there is none that the other side has cosigned, or `out` is taken.
        StorageError: the disk refused, or the store's own proofs do not hold.
        PeerError: a stored checkpoint is not what it should be.
    """
    statements = find_statements(ours, theirs, progress)[ours.origin]
    held = [one for one in statements if ours.cosigned_note_over(one.index) is not None]
    if not held:
        raise OperatorError(
            f"{own_card.name} has stated nothing about this line that {peer_card.name} holds",
            advice="State it with: telcon coverage set",
        )
    own, peer = sides_of(ours, theirs, own_card, peer_card)
    with FolderWriter(out, told) as writer:
        for side in (own, peer):
            write_policies(writer, side)
        for one in held:
            write_receipt(writer, own, one.index, one.entry, _SHOWN_MEMBERS)
        account = CoverageAccount(own_card.line, own_card.name, peer_card.name)
        writer.write(layout.COVERAGE, layout.format_account(account))
        writer.write(layout.README, coverage_readme(account).encode())
        writer.finish()
    return len(held)


class CoverageCheck(FolderCheck[CoverageAccount]):
    """The folder of what one side stated."""

    SUMMARY = layout.COVERAGE
    NOT_SHOWN = (*NOT_COVERED, "whether it stated something else since", "that it kept to it")

    def parse(self, data: bytes) -> CoverageAccount:
        """Read coverage.json."""
        account = layout.parse_account_untrusted(data)
        if not isinstance(account, CoverageAccount):
            raise MalformedError(f"{layout.COVERAGE} is about something else")
        return account

    def check(self, summary: CoverageAccount, keys: Keys) -> None:
        """Check the receipts, which are all of statements."""
        for side in SIDES:
            self.check_receipts(side, summary, keys)
        self.check_roots()
        self.faults += [
            f"{receipt.path} is no statement of coverage"
            for receipt in self.receipts
            if not isinstance(receipt.entry, LineCoverage)
        ]

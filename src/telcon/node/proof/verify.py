"""`telcon verify`: proof folders and single receipts, under keys that the reader gives, or none."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from telcon.errors import MalformedError, OperatorError, PeerError, SettingsError
from telcon.ledger import parse_key_card, parse_policy, parse_vkey
from telcon.node.proof import layout
from telcon.node.proof.files import DiskFiles, read_plain
from telcon.node.proof.folder import check_folder
from telcon.node.proof.receipt import check_receipt
from telcon.node.proof.report import (
    NOT_SHOWN_OF_HOUSE,
    NOT_SHOWN_WITHOUT_LOGS,
    PathReport,
    Verdict,
    VerifyReport,
)
from telcon.node.proof.steps import QUIET, Progress
from telcon.node.proof.trust import Keys, keys_from_cards, keys_from_policies

_SHORT: Final = {
    Verdict.PROVEN: "PROVEN",
    Verdict.NOT_PROVEN: "NOT PROVEN",
    Verdict.UNREADABLE: "COULD NOT BE READ",
    Verdict.CONSISTENT: "CONSISTENT, under no key that you gave",
}
_NOT_AS_SENT: Final = (" was altered", " is missing", " is additional: SHA256SUMS does not name it")
"""How faults end that `sums` finds."""


def closing_words(report: VerifyReport) -> str:
    """Say the verdict once more, in one short line, after all that a person may not scroll back.

    Before it stands what to do, where a folder did not come as it was made.
    """
    lines = [""]
    if any(fault.endswith(_NOT_AS_SENT) for path in report.paths for fault in path.faults):
        lines.append("Ask whoever gave you the folder for it again.")
    of = f" of all {len(report.paths)}" if len(report.paths) > 1 else ""
    lines.append(f"Verdict{of}: {_SHORT[report.verdict]}")
    return "\n".join(lines) + "\n"


def verify_paths(
    paths: Sequence[Path],
    *,
    policy: Path | None = None,
    cards: Sequence[Path] = (),
    witnesses: Sequence[str] = (),
    progress: Progress = QUIET,
) -> VerifyReport:
    """Check proof folders and `.tlog-proof` files, each with its `.entry` beside it.

    `policy` is a policy file, `cards` are key cards of both sides of each line; give one or the
    other, or neither for folders. `witnesses` are verifier keys of further witnesses, beside cards.
    What is wrong with a path or with the keys stands in the report. `progress` hears how far it is.
    """
    try:
        keys = _read_keys(policy, cards, witnesses)
    except (OperatorError, MalformedError) as error:
        return _same_for_all(paths, Verdict.UNREADABLE, f"the keys you gave: {error}")
    except PeerError as error:
        return _same_for_all(paths, Verdict.NOT_PROVEN, f"the keys you gave: {error}")
    return VerifyReport(tuple(_verify_path(path, keys, progress) for path in paths))


def _same_for_all(paths: Sequence[Path], verdict: Verdict, fault: str) -> VerifyReport:
    return VerifyReport(tuple(PathReport(str(path), verdict, (fault,)) for path in paths))


def _read_keys(policy: Path | None, cards: Sequence[Path], witnesses: Sequence[str]) -> Keys | None:
    if witnesses and not cards:
        raise SettingsError(
            "witnesses were given without key cards",
            advice="Give the key cards of both sides too; a policy names its own witnesses.",
        )
    if policy is not None and cards:
        raise SettingsError("a policy and key cards were given", advice="Give one or the other.")
    if policy is not None:
        data = read_plain(policy, layout.MAX_SMALL_OCTETS)
        return keys_from_policies([parse_policy(data)], are_given=True)
    if cards:
        data_of = (read_plain(card, layout.MAX_SMALL_OCTETS) for card in cards)
        further = [parse_vkey(vkey) for vkey in witnesses]
        return keys_from_cards([parse_key_card(data) for data in data_of], further)
    return None


def _verify_path(path: Path, keys: Keys | None, progress: Progress) -> PathReport:
    name = str(path)
    try:
        if path.is_dir():
            return check_folder(name, DiskFiles(path), keys, progress)
        return _verify_receipt(path, keys)
    except (OperatorError, MalformedError) as error:
        return PathReport(name, Verdict.UNREADABLE, (_with_advice(error),))


def _verify_receipt(path: Path, keys: Keys | None) -> PathReport:
    if not path.exists():
        raise OperatorError("there is no such file or folder", advice="Look at how it is spelled.")
    if path.suffix != layout.PROOF_SUFFIX:
        raise OperatorError(
            "it is neither a proof folder nor a .tlog-proof file",
            advice="Give the folder that `telcon export` wrote, or a .tlog-proof file.",
        )
    if keys is None:
        raise OperatorError(
            "a receipt alone says nothing about whose keys to believe",
            advice="Give --policy or --card.",
        )
    proof = read_plain(path, layout.MAX_SMALL_OCTETS)
    data = read_plain(path.with_suffix(layout.ENTRY_SUFFIX), layout.MAX_ENTRY_OCTETS)
    openings = path.with_name(path.stem + layout.OPENED_SUFFIX)
    opened = read_plain(openings, layout.MAX_SMALL_OCTETS) if openings.exists() else None
    try:
        receipt = check_receipt(str(path), proof, data, opened, keys)
    except PeerError as error:
        return PathReport(str(path), Verdict.NOT_PROVEN, (str(error),))
    not_shown = NOT_SHOWN_WITHOUT_LOGS if receipt.house is None else NOT_SHOWN_OF_HOUSE
    return PathReport(str(path), Verdict.PROVEN, receipts=(receipt,), not_shown=not_shown)


def _with_advice(error: OperatorError | MalformedError) -> str:
    return f"{error}. {error.advice()}".rstrip(" .") + "."

"""The folder of what one side stated that its log covers: written, checked, put into words."""

from pathlib import Path

import pytest

from fakes.signed_line import ADA, Node, SignedLine
from node.proof.rig import card_keys, check, check_forged, read_folder
from telcon.core import draft as drafts
from telcon.core.coverage import ALWAYS, read_hours
from telcon.core.entry import Void, entry_type, read_entry_untrusted
from telcon.core.seal import Text
from telcon.errors import OperatorError
from telcon.ledger import TlogProof, format_tlog_proof, inclusion_proof
from telcon.node.proof import Verdict, VerifyReport, export_coverage, format_words
from telcon.node.proof.coverage import find_statements
from telcon.node.proof.layout import AbsenceAccount, format_account, receipt_stem

SINCE = 1_790_000_000_000_000


def stated(*, cosigned: bool = True) -> SignedLine:
    line = SignedLine().open()
    hours = read_hours(["Mon-Fri 08:00-18:00"])
    draft = drafts.line_coverage(SINCE, SINCE + 86_400_000_000, hours, (ADA,), ("audio",))
    line.write(line.arcadia, draft, cosigned=cosigned)
    line.write(line.borealis, drafts.line_coverage(SINCE, None, ALWAYS, (ADA,)))
    return line


def export(line: SignedLine, out: Path) -> dict[str, bytes]:
    export_coverage(
        line.arcadia.log,
        line.borealis.log,
        own_card=line.arcadia.card,
        peer_card=line.borealis.card,
        out=out,
    )
    return read_folder(out)


def test_a_statement_is_shown_by_receipt_in_words(tmp_path: Path) -> None:
    line = stated()
    report = check(export(line, tmp_path / "out"), card_keys(line))
    words = format_words(VerifyReport((report,)))
    assert report.verdict is Verdict.PROVEN
    assert [receipt.proven.index for receipt in report.receipts] == [2]
    assert (
        "covers the time from 2026-09-21 14:13:20.000000 UTC to 2026-09-22 14:13:20.000000 UTC,"
        " Mon-Fri 08:00-18:00 UTC, in the record modes audio." in words
    )
    assert "persons: “Ada Example”, “President”" in words
    assert "Not shown: what was said on other lines and other channels" in words
    assert "whether it stated something else since" in words


def test_without_cards_it_is_only_consistent(tmp_path: Path) -> None:
    assert check(export(stated(), tmp_path / "out")).verdict is Verdict.CONSISTENT


def test_both_sides_statements_are_found_in_the_logs() -> None:
    line = stated()
    found = find_statements(line.arcadia.log, line.borealis.log)
    assert {origin: [one.index for one in ones] for origin, ones in found.items()} == {
        line.arcadia.log.origin: [2],
        line.borealis.log.origin: [2],
    }


@pytest.mark.parametrize("line", [stated(cosigned=False), SignedLine().open()])
def test_what_nobody_else_holds_is_not_exported(line: SignedLine, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="has stated nothing"):
        export(line, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_entry_of_another_kind_is_no_statement(tmp_path: Path) -> None:
    line = stated()
    rang = line.ring()
    files = export(line, tmp_path / "out")
    log = line.arcadia.log
    found = log.cosigned_note_over(rang[1])
    assert found is not None
    proof = TlogProof(rang[1], tuple(inclusion_proof(rang[1], found[0], log.hash)), found[1])
    stem = f"ours/receipts/{rang[1]:06}-call.ring"
    files[f"{stem}.tlog-proof"] = format_tlog_proof(proof)
    files[f"{stem}.entry"] = log.entries(rang[1], 1)[0]
    report = check_forged(files, card_keys(line))
    assert report.verdict is Verdict.NOT_PROVEN
    assert "is no statement of coverage" in report.faults[0]


def test_an_altered_statement_is_not_proven(tmp_path: Path) -> None:
    line = stated()
    files = export(line, tmp_path / "out")
    path = "ours/receipts/000002-line.coverage.entry"
    files[path] = files[path].replace(b"[[480,", b"[[479,")
    assert check_forged(files, card_keys(line)).verdict is Verdict.NOT_PROVEN


def test_what_a_statement_does_not_show_is_said(tmp_path: Path) -> None:
    line = stated()
    report = check(export(line, tmp_path / "out"), card_keys(line))
    assert {
        "what persons did whom the statement does not name",
        "that it kept to it",
        "that the clocks were right",
    } <= set(report.not_shown)


def test_a_statement_on_a_frozen_line_is_none(tmp_path: Path) -> None:
    line = stated()
    line.write(line.arcadia, drafts.line_frozen(Text("en", "no more")))
    line.write(line.arcadia, drafts.line_coverage(SINCE, None, ALWAYS, (ADA,)))
    found = find_statements(line.arcadia.log, line.borealis.log)
    assert [one.index for one in found[line.arcadia.log.origin]] == [2]
    assert not [path for path in export(line, tmp_path / "out") if "/000004-" in path]


def with_receipt(files: dict[str, bytes], side: str, node: Node, index: int) -> dict[str, bytes]:
    """Return the files with the receipt of one entry more."""
    found = node.log.cosigned_note_over(index)
    assert found is not None
    data = node.log.entries(index, 1)[0]
    entry = read_entry_untrusted(data)
    assert not isinstance(entry, Void)
    proof = TlogProof(index, tuple(inclusion_proof(index, found[0], node.log.hash)), found[1])
    stem = f"{side}/receipts/{receipt_stem(index, entry_type(entry))}"
    return files | {f"{stem}.tlog-proof": format_tlog_proof(proof), f"{stem}.entry": data}


def test_an_entry_of_the_other_side_is_checked_too(tmp_path: Path) -> None:
    line = stated()
    rang = line.ring(node=line.borealis)
    files = with_receipt(export(line, tmp_path / "out"), "theirs", line.borealis, rang[1])
    report = check_forged(files, card_keys(line))
    assert report.verdict is Verdict.NOT_PROVEN
    assert "is no statement of coverage" in report.faults[0]


def test_statements_of_two_histories_are_a_fork(tmp_path: Path) -> None:
    """Two logs of four entries, both signed by Arcadia and cosigned by Borealis."""
    line, other = stated(cosigned=False), SignedLine().open()
    line.test()
    other.write(other.arcadia, drafts.line_test(), cosigned=False)
    other.write(other.arcadia, drafts.line_coverage(SINCE, None, ALWAYS, (ADA,)))
    files = with_receipt(export(line, tmp_path / "out"), "ours", other.arcadia, 3)
    report = check_forged(files, card_keys(line))
    assert report.verdict is Verdict.NOT_PROVEN
    assert "two roots of" in report.faults[0]


def test_a_summary_of_something_else_is_refused(tmp_path: Path) -> None:
    line = stated()
    files = export(line, tmp_path / "out")
    names = (line.arcadia.card.line, line.arcadia.name, line.borealis.name)
    files["coverage.json"] = format_account(AbsenceAccount(*names, from_us=1, to_us=2))
    report = check_forged(files, card_keys(line))
    assert report.verdict is Verdict.NOT_PROVEN
    assert "coverage.json is about something else" in report.faults[0]

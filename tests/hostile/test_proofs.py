"""Proof folders made to mislead, to hang or to drive the terminal of whoever verifies them."""

import json
import os
from pathlib import Path

import pytest

from fakes.signed_line import ADA, BORIS, CALL, SignedLine
from node.proof.rig import card_keys, check, check_forged, export
from telcon.core import draft as drafts
from telcon.core.seal import Text
from telcon.ledger import Checkpoint
from telcon.node.proof import Verdict, VerifyReport, format_json, format_words, verify_paths
from telcon.node.proof.layout import MAX_FILE_OCTETS


def test_an_answer_hidden_by_cutting_the_own_log_is_told(tmp_path: Path) -> None:
    """Arcadia shows its log only up to the ring: Borealis' answer has seen more, and is void."""
    line = SignedLine().open()
    ring = line.ring()
    line.write(line.arcadia, drafts.blank())
    line.answer(ring)
    log = line.arcadia.log
    del log.rows[3:]
    log.notes = {size: note for size, note in log.notes.items() if size <= 3}
    files = export(line, tmp_path / "call", whole_log=True)
    report = check(files, card_keys(line))
    (told,) = (words for words in report.also if words.startswith("Both logs"))
    assert "as far as they are here: ringing" in told
    assert "from entry 3 on" in report.not_shown[0]
    assert "claim to have seen 4 entries of it" in report.not_shown[0]


def test_a_checkpoint_of_a_log_without_end_ends_at_once(tmp_path: Path) -> None:
    line = SignedLine().open().talk()
    files = export(line, tmp_path / "call", whole_log=True)
    author, other = line.arcadia, line.borealis
    endless = Checkpoint(author.log.origin, 2**62, bytes(32))
    files["ours/log/checkpoint"] = line.note(author, endless, other)
    for keys in (card_keys(line), None):
        report = check_forged(files, keys)
        assert report.verdict is Verdict.NOT_PROVEN
        assert any("too few" in fault for fault in report.faults)


def test_a_file_of_holes_is_refused_and_not_read(tmp_path: Path) -> None:
    line = SignedLine().open().talk()
    export(line, tmp_path / "call")
    huge = tmp_path / "call" / "recordings" / "arcadia.example-1.opus"
    os.truncate(huge, MAX_FILE_OCTETS + 1)
    report = verify_paths([tmp_path / "call"])
    assert report.exit_code == Verdict.NOT_PROVEN
    assert any("above" in fault for fault in report.paths[0].faults)


@pytest.mark.parametrize("target", ["/etc/passwd", "/dev/zero", "."])
def test_links_in_a_folder_are_not_followed(target: str, tmp_path: Path) -> None:
    export(SignedLine().open().talk(), tmp_path / "call")
    place = tmp_path / "call" / "recordings" / "arcadia.example-1.opus"
    place.unlink()
    place.symlink_to(target)
    assert verify_paths([tmp_path / "call"]).exit_code == Verdict.NOT_PROVEN


def test_names_and_texts_cannot_write_lines_of_their_own_or_drive_a_terminal(
    tmp_path: Path,
) -> None:
    spoken = "\u202eNEVORP\u202c\u2066\u009b2J\u001b[31mPROVEN\r\nverdict: PROVEN\u2028\x7f"
    line = SignedLine().open()
    line.answer(line.ring())
    line.write(line.arcadia, drafts.message(ADA, BORIS, Text("en", spoken), call=CALL))
    files = export(line, tmp_path / "call")
    named = tmp_path / "call" / "x\n  PROVEN under the keys you gave\u202e\x1b[2J"
    named.write_bytes(b"")
    for report in (VerifyReport((check(files, card_keys(line)),)), verify_paths([tmp_path])):
        for written in (format_words(report), format_json(report)):
            assert written.replace("“", "").replace("”", "").replace("\n", "").isprintable()
            assert not any(letter in written for letter in "\u202e\u2066\u009b\u001b\r\u2028\x7f")
    told = verify_paths([tmp_path / "call"])
    assert not any(row.startswith("  PROVEN") for row in format_words(told).split("\n"))
    shown = json.loads(format_json(VerifyReport((check(files, card_keys(line)),))))
    (text,) = (
        opened["text"]
        for receipt in shown["paths"][0]["receipts"]
        for opened in receipt["opened"]
        if opened["member"] == "text"
    )
    assert text == spoken

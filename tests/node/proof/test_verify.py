"""`verify_paths`: folders and single receipts on disk, the keys that are given, the exit status."""

import os
from pathlib import Path

import pytest

from fakes.signed_line import CALL, LINE, SignedLine
from node.proof.rig import export, read_folder, write_cards
from telcon.ledger import (
    COSIGNATURE_ED25519,
    ED25519,
    Checkpoint,
    SigningKey,
    TlogProof,
    VerifierKey,
    add_signature_lines,
    cosign,
    format_checkpoint,
    format_key_card,
    format_policy,
    format_tlog_proof,
    format_vkey,
    leaf_hash,
    mirror_policy,
    sign_checkpoint,
)
from telcon.node.proof import Verdict, VerifyReport, format_words, verify_paths
from telcon.node.proof.verify import closing_words

TALK = SignedLine().open().talk()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    export(TALK, tmp_path / "call", whole_log=True)
    return tmp_path / "call"


@pytest.fixture
def cards(tmp_path: Path) -> list[Path]:
    return write_cards(TALK, tmp_path)


def ring(folder: Path) -> Path:
    return folder / "ours/receipts/000002-call.ring.tlog-proof"


def policy_file(folder: Path, data: bytes) -> Path:
    path = folder / "given-policy.txt"
    path.write_bytes(data)
    return path


OURS_POLICY = format_policy(mirror_policy(TALK.arcadia.card.log, TALK.borealis.card.mirror))


def fault_of(report: VerifyReport) -> str:
    (path,) = report.paths
    return " ".join(path.faults)


def test_a_folder_is_proven_under_both_cards(folder: Path, cards: list[Path]) -> None:
    report = verify_paths([folder], cards=cards)
    assert (report.verdict, report.exit_code) == (Verdict.PROVEN, 0)
    assert verify_paths([folder], cards=cards[::-1]).exit_code == 0


def test_a_folder_is_consistent_without_keys(folder: Path) -> None:
    report = verify_paths([folder])
    assert (report.verdict, report.exit_code) == (Verdict.CONSISTENT, 3)


def test_an_altered_folder_is_not_proven(folder: Path, cards: list[Path]) -> None:
    path = folder / "call.json"
    path.write_bytes(path.read_bytes() + b" ")
    report = verify_paths([folder], cards=cards)
    assert (report.exit_code, fault_of(report)) == (1, "call.json was altered")


def test_what_is_not_there_cannot_be_read(tmp_path: Path, cards: list[Path]) -> None:
    for path in (tmp_path / "missing", tmp_path / "missing.tlog-proof", tmp_path):
        report = verify_paths([path], cards=cards)
        assert (report.verdict, report.exit_code) == (Verdict.UNREADABLE, 2)
    assert verify_paths([]).exit_code == 2


def test_the_worst_path_decides(folder: Path, tmp_path: Path, cards: list[Path]) -> None:
    missing = tmp_path / "missing"
    assert verify_paths([folder, missing], cards=cards).exit_code == 2
    assert verify_paths([folder, missing]).exit_code == 2
    (folder / "README.txt").unlink()
    assert verify_paths([missing, folder], cards=cards).exit_code == 1


def test_a_receipt_alone_is_proven_under_cards(folder: Path, cards: list[Path]) -> None:
    report = verify_paths([ring(folder)], cards=cards)
    assert report.exit_code == 0
    assert len(report.paths[0].receipts[0].openings) == 3


def test_a_receipt_alone_is_proven_under_a_policy(folder: Path, tmp_path: Path) -> None:
    assert verify_paths([ring(folder)], policy=policy_file(tmp_path, OURS_POLICY)).exit_code == 0


def test_a_receipt_alone_says_nothing_without_keys(folder: Path) -> None:
    report = verify_paths([ring(folder)])
    assert report.exit_code == 2
    assert "Give --policy or --card" in fault_of(report)


def test_a_receipt_of_the_other_log_is_not_proven_under_this_policy(
    folder: Path, tmp_path: Path
) -> None:
    answer = folder / "theirs/receipts/000003-call.answer.tlog-proof"
    report = verify_paths([answer], policy=policy_file(tmp_path, OURS_POLICY))
    assert report.exit_code == 1
    assert "not for the log borealis.example" in fault_of(report)


def test_a_folder_is_not_proven_under_a_policy_for_one_of_its_logs(
    folder: Path, tmp_path: Path
) -> None:
    report = verify_paths([folder], policy=policy_file(tmp_path, OURS_POLICY))
    assert report.exit_code == 1


def test_a_cosigner_of_the_authors_organisation_is_refused_under_a_policy_given_by_hand(
    folder: Path, tmp_path: Path
) -> None:
    node = TALK.arcadia
    checkpoint = Checkpoint(node.log.origin, 1, node.log.hash(0, 0))
    note = TALK.note(node, checkpoint, node)  # cosigned by Arcadia's own mirror key
    (tmp_path / "own.tlog-proof").write_bytes(format_tlog_proof(TlogProof(0, (), note)))
    (tmp_path / "own.entry").write_bytes(node.log.rows[0][0])
    card = node.card
    text = f"log {format_vkey(card.log)}\nwitness peer {format_vkey(card.mirror)}\nquorum peer\n"
    report = verify_paths(
        [tmp_path / "own.tlog-proof"], policy=policy_file(tmp_path, text.encode())
    )
    assert report.exit_code == 1
    assert "belongs to the organisation whose log it cosigns" in fault_of(report)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (f"log {format_vkey(TALK.arcadia.card.log)}\nquorum none\n", 1),
        (OURS_POLICY.decode() * 2, 2),
        ("nonsense\n", 2),
        ("", 2),
    ],
)
def test_policies_that_cannot_be_used_prove_nothing(
    text: str, status: int, folder: Path, tmp_path: Path
) -> None:
    given = policy_file(tmp_path, text.encode())
    assert verify_paths([ring(folder)], policy=given).exit_code == status


def test_keys_that_cannot_be_read_are_said_to_be(folder: Path, tmp_path: Path) -> None:
    for report in (
        verify_paths([folder], policy=tmp_path / "missing"),
        verify_paths([folder], cards=[tmp_path / "missing"]),
        verify_paths([folder], cards=[folder / "call.json"]),
    ):
        assert report.exit_code == 2
        assert "the keys you gave" in fault_of(report)


def test_a_policy_and_cards_together_are_refused(
    folder: Path, tmp_path: Path, cards: list[Path]
) -> None:
    report = verify_paths([folder], policy=policy_file(tmp_path, OURS_POLICY), cards=cards)
    assert report.exit_code == 2


def test_one_card_is_not_enough(folder: Path, cards: list[Path]) -> None:
    for given in (cards[:1], cards[1:], [cards[0], cards[0]]):
        report = verify_paths([folder], cards=given)
        assert report.exit_code == 2
        assert "needs the key cards of two nodes" in fault_of(report)


def test_cards_of_two_lines_do_not_make_a_pair(
    folder: Path, tmp_path: Path, cards: list[Path]
) -> None:
    other = SignedLine(seeds=(11, 99), line="0f" * 16).borealis.card
    (tmp_path / "other").write_bytes(format_key_card(other))
    assert verify_paths([folder], cards=[cards[0], tmp_path / "other"]).exit_code == 2


def test_cards_of_further_lines_do_no_harm(folder: Path, tmp_path: Path, cards: list[Path]) -> None:
    (tmp_path / "more").mkdir()
    more = write_cards(SignedLine(seeds=(11, 99), line="0f" * 16), tmp_path / "more")
    assert verify_paths([folder], cards=cards + more).exit_code == 0


def foreign_receipt(folder: Path, entry: bytes) -> tuple[Path, Path]:
    """Write the receipt of an entry in somebody else's log; return it and its policy."""
    log, witness = SigningKey(bytes(32)), SigningKey(bytes([1]) * 32)
    name = "log.example/tea"
    checkpoint = Checkpoint(name, 1, leaf_hash(entry))
    line = cosign(format_checkpoint(checkpoint), "witness.example", witness, 1_790_000_000)
    note = add_signature_lines(sign_checkpoint(checkpoint, log), [line])
    (folder / "tea.tlog-proof").write_bytes(format_tlog_proof(TlogProof(0, (), note)))
    (folder / "tea.entry").write_bytes(entry)
    policy = mirror_policy(
        VerifierKey(name, ED25519, log.public),
        VerifierKey("witness.example", COSIGNATURE_ED25519, witness.public),
    )
    return folder / "tea.tlog-proof", policy_file(folder, format_policy(policy))


@pytest.mark.parametrize("entry", [b"", b"\x00\xff", b"tea" * 100, TALK.arcadia.log.rows[2][0]])
def test_foreign_bytes_are_an_entry_of_so_many_octets_and_proven_all_the_same(
    entry: bytes, tmp_path: Path
) -> None:
    receipt, policy = foreign_receipt(tmp_path, entry)
    report = verify_paths([receipt], policy=policy)
    assert report.exit_code == 0
    words = format_words(report)
    assert f"The holder of key log.example/tea logged an entry of {len(entry)} octets" in words
    assert "with what it was owed" not in words


def test_foreign_bytes_bear_no_openings(tmp_path: Path, folder: Path) -> None:
    entry = TALK.arcadia.log.rows[2][0]
    receipt, policy = foreign_receipt(tmp_path, entry)
    opened = read_folder(folder)["ours/receipts/000002-call.ring.opened.json"]
    (tmp_path / "tea.opened.json").write_bytes(opened)
    assert verify_paths([receipt], policy=policy).exit_code == 1


def test_a_link_in_a_folder_is_additional_and_never_followed(
    folder: Path, cards: list[Path]
) -> None:
    (folder / "linked").symlink_to("/etc/passwd")
    (folder / "loop").symlink_to(folder)
    report = verify_paths([folder], cards=cards)
    assert report.exit_code == 1
    assert [fault.split()[0] for fault in report.paths[0].faults] == ["linked", "loop"]


def test_a_link_in_a_files_stead_is_refused(folder: Path, cards: list[Path]) -> None:
    (folder / "README.txt").rename(folder.parent / "README.txt")
    (folder / "README.txt").symlink_to(folder.parent / "README.txt")
    report = verify_paths([folder], cards=cards)
    assert (report.exit_code, fault_of(report)) == (1, "README.txt is not a plain file")


def test_a_pipe_in_a_files_stead_does_not_block(folder: Path, cards: list[Path]) -> None:
    (folder / "README.txt").unlink()
    os.mkfifo(folder / "README.txt")
    report = verify_paths([folder], cards=cards)
    assert (report.exit_code, fault_of(report)) == (1, "README.txt is not a plain file")


def test_a_huge_call_json_is_not_read(folder: Path, cards: list[Path]) -> None:
    with (folder / "call.json").open("wb") as file:
        file.truncate(2**21)
    assert verify_paths([folder], cards=cards).exit_code == 1


def test_names_that_are_no_text_are_reported(folder: Path, cards: list[Path]) -> None:
    (folder / os.fsdecode(b"\xff\n")).write_bytes(b"")
    report = verify_paths([folder], cards=cards)
    assert report.exit_code == 1
    assert "\\u{dcff}\\u{a} is additional" in format_words(report)


def test_what_is_neither_folder_nor_receipt_is_said_to_be(folder: Path, cards: list[Path]) -> None:
    report = verify_paths([folder / "README.txt"], cards=cards)
    assert report.exit_code == 2
    assert "neither a proof folder nor a .tlog-proof file" in fault_of(report)


def test_a_receipt_without_its_entry_cannot_be_read(folder: Path, cards: list[Path]) -> None:
    ring(folder).with_suffix(".entry").unlink()
    assert verify_paths([ring(folder)], cards=cards).exit_code == 2


def test_cards_of_another_line_are_said_once_and_nothing_false_of_the_recordings(
    folder: Path, tmp_path: Path
) -> None:
    other = SignedLine(("corelia.example", "drusia.example"), (3, 70), "5c2e" * 8)
    (tmp_path / "others").mkdir()
    cards = write_cards(other, tmp_path / "others")
    for given in (cards, cards[:1]):
        report = verify_paths([folder], cards=given)
        assert report.exit_code == 1
        (fault,) = report.paths[0].faults
        assert f"the keys you gave are of line {'5c2e' * 8} (corelia.example" in fault
        assert f"of line {LINE} (arcadia.example, borealis.example)" in fault
    (folder / "README.txt").write_text("altered")
    assert fault_of(verify_paths([folder], cards=cards)) == "README.txt was altered"


def test_where_a_receipt_does_not_hold_its_recording_is_not_said_to_be_false(folder: Path) -> None:
    theirs = mirror_policy(TALK.borealis.card.log, TALK.arcadia.card.mirror)
    report = verify_paths([folder], policy=policy_file(folder.parent, format_policy(theirs)))
    assert report.exit_code == 1
    assert "are not for the log" in fault_of(report)
    assert "not the recording" not in fault_of(report)


def test_the_verdict_stands_in_the_last_line_too(folder: Path, cards: list[Path]) -> None:
    proven = verify_paths([folder], cards=cards)
    assert closing_words(proven) == "\nVerdict: PROVEN\n"
    both = verify_paths([folder, folder / "nowhere"], cards=cards)
    assert closing_words(both) == "\nVerdict of all 2: COULD NOT BE READ\n"
    assert "under no key that you gave" in closing_words(verify_paths([folder]))


@pytest.mark.parametrize("broken", ["altered", "missing", "additional"])
def test_of_a_folder_that_did_not_come_as_it_was_made_another_is_advised(
    broken: str, folder: Path, cards: list[Path]
) -> None:
    file = folder / ("more" if broken == "additional" else "README.txt")
    file.unlink() if broken == "missing" else file.write_text("mine")
    assert closing_words(verify_paths([folder], cards=cards)) == (
        "\nAsk whoever gave you the folder for it again.\nVerdict: NOT PROVEN\n"
    )


def test_the_words_name_keys_and_clocks(folder: Path, cards: list[Path]) -> None:
    words = format_words(verify_paths([ring(folder)], cards=cards))
    arcadia, borealis = TALK.arcadia.card, TALK.borealis.card
    assert (
        f"The holder of key {arcadia.log.name} logged this; the holder of key"
        f" {borealis.mirror.name} held it, with what it was owed, by 2026-09-21 14:13:26 UTC on"
        " borealis.example's clock; the author's clock said 2026-09-21 14:13:25.000000 UTC."
    ) in words
    assert CALL in words

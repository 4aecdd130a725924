"""Proof folders of lines with ML-DSA-44 keys: what is written, and on which signatures it rests."""

from dataclasses import replace
from pathlib import Path

import pytest

from fakes.signed_line import CALL, SignedLine, handle
from node.proof.rig import card_keys, check, check_forged, export, write_cards
from telcon.core import draft as drafts
from telcon.ledger import (
    KeyCard,
    add_signature_lines,
    format_policy,
    parse_note_untrusted,
    parse_policy,
    parse_tlog_proof,
)
from telcon.node.proof import Verdict, format_json, format_words, verify_paths
from telcon.node.proof.trust import Keys, keys_from_cards, keys_from_policies

RING = "ours/receipts/000002-call.ring"
HANG_UP = "ours/receipts/000003-call.hang-up"
ANSWER = "theirs/receipts/000002-call.answer"


def a_line() -> SignedLine:
    """A call whose ring and answer were seconded, the hang-up not yet."""
    line = SignedLine(ml_dsa=True).open()
    line.answer(line.ring())
    for node in (line.arcadia, line.borealis):
        line.second(node)
    line.write(line.arcadia, drafts.hang_up(CALL, handle(line.arcadia)))
    return line


LINE = a_line()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export") / "call"
    export(LINE, out, whole_log=True)
    return out


@pytest.fixture(scope="module")
def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def lines_of(files: dict[str, bytes], stem: str) -> int:
    note = parse_tlog_proof(files[stem + ".tlog-proof"]).checkpoint_note
    return len(parse_note_untrusted(note).signatures)


def test_a_receipt_bears_four_signatures_where_there_are_such(files: dict[str, bytes]) -> None:
    assert [lines_of(files, stem) for stem in (RING, ANSWER, HANG_UP)] == [4, 4, 2]


def test_a_receipt_takes_a_later_checkpoint_that_bears_four(tmp_path: Path) -> None:
    line = a_line()
    line.second(line.arcadia)
    written = export(line, tmp_path / "call")
    assert lines_of(written, HANG_UP) == 4
    assert lines_of(written, RING) == 4
    ring, hang_up = (parse_tlog_proof(written[stem + ".tlog-proof"]) for stem in (RING, HANG_UP))
    assert ring.checkpoint_note != hang_up.checkpoint_note  # the earliest, as ever


def test_the_folders_policies_ask_for_one_kind_each(files: dict[str, bytes]) -> None:
    for side in ("ours", "theirs"):
        for name, types in (("policy.txt", (0x01, 0x04)), ("policy-ml-dsa-44.txt", (0x06, 0x06))):
            policy = parse_policy(files[f"{side}/{name}"])
            assert not policy.other_logs
            (witness,) = policy.witnesses
            assert (policy.log.type, witness.key.type) == types
            assert policy.quorum == witness.name


def verdicts(folder: Path, policy: str) -> list[Verdict]:
    """Of ring, hang-up and answer, each under a policy of our side alone."""
    stems = (RING, HANG_UP, ANSWER)
    return [
        verify_paths([folder / f"{stem}.tlog-proof"], policy=folder / policy).verdict
        for stem in stems
    ]


def test_each_kind_alone_proves_what_bears_it(folder: Path) -> None:
    proven, not_proven = Verdict.PROVEN, Verdict.NOT_PROVEN
    assert verdicts(folder, "ours/policy.txt") == [proven, proven, not_proven]
    assert verdicts(folder, "ours/policy-ml-dsa-44.txt") == [proven, not_proven, not_proven]
    assert verdicts(folder, "theirs/policy-ml-dsa-44.txt") == [not_proven, not_proven, proven]


def test_the_report_says_on_which_signatures_it_rests(folder: Path) -> None:
    ring = [folder / f"{RING}.tlog-proof"]
    cards = write_cards(LINE, folder.parent)
    both = format_words(verify_paths(ring, cards=cards))
    assert "Signed and cosigned with Ed25519 and ML-DSA-44." in both
    assert both.count("held it, with what it was owed") == 1
    first = format_words(verify_paths(ring, policy=folder / "ours/policy.txt"))
    assert "Signed and cosigned with Ed25519." in first
    second = verify_paths(ring, policy=folder / "ours/policy-ml-dsa-44.txt")
    assert "Signed and cosigned with ML-DSA-44." in format_words(second)
    assert '"with": "ML-DSA-44"' in format_json(second)
    hang_up = format_words(verify_paths([folder / f"{HANG_UP}.tlog-proof"], cards=cards))
    assert "Signed and cosigned with Ed25519." in hang_up


def test_a_whole_folder_holds_under_cards_and_under_its_own_keys(files: dict[str, bytes]) -> None:
    proven = check(files, card_keys(LINE))
    assert (proven.verdict, proven.faults) == (Verdict.PROVEN, ())
    assert len([one for one in proven.also if "The whole log" in one]) == 2
    own = check(files)
    assert own.verdict is Verdict.CONSISTENT
    assert [one.proven.signed_with for one in own.receipts] == [
        one.proven.signed_with for one in proven.receipts
    ]


def test_old_cards_of_the_same_line_still_prove_it(files: dict[str, bytes]) -> None:
    def first_version(card: KeyCard) -> KeyCard:
        return replace(card, log_ml_dsa=None, mirror_ml_dsa=None)

    keys = keys_from_cards([first_version(card) for card in LINE.cards])
    report = check(files, keys)
    assert report.verdict is Verdict.PROVEN
    assert {one.proven.signed_with for one in report.receipts} == {(0x01,)}


def given(*policies: bytes) -> Keys:
    return keys_from_policies([parse_policy(policy) for policy in policies], are_given=True)


def test_a_folder_without_all_the_signatures_asked_for_is_not_proven(
    files: dict[str, bytes],
) -> None:
    keys = given(*(files[f"{side}/policy-ml-dsa-44.txt"] for side in ("ours", "theirs")))
    report = check(files, keys)
    assert report.verdict is Verdict.NOT_PROVEN
    assert {one.path for one in report.receipts} == {RING, ANSWER}


def test_a_bent_second_signature_spoils_the_receipt_under_cards(files: dict[str, bytes]) -> None:
    bent = bytearray(files[f"{RING}.tlog-proof"])
    bent[-40] = ord("B" if bent[-40] == ord("A") else "A")
    forged = files | {f"{RING}.tlog-proof": bytes(bent)}
    report = check_forged(forged, card_keys(LINE))
    assert any("does not verify" in fault for fault in report.faults)


def test_one_side_cannot_cosign_itself_by_another_kind_of_key(files: dict[str, bytes]) -> None:
    """Arcadia's own ML-DSA-44 mirror key as the quorum of Arcadia's log."""
    own = LINE.arcadia.card
    theirs = LINE.borealis.card
    assert own.mirror_ml_dsa is not None
    assert theirs.mirror_ml_dsa is not None
    good = parse_policy(files["ours/policy-ml-dsa-44.txt"])
    written = format_policy(good).replace(
        _vkey(files["ours/policy-ml-dsa-44.txt"]), _vkey(files["theirs/policy-ml-dsa-44.txt"])
    )
    report = check_forged(files | {"ours/policy-ml-dsa-44.txt": written})
    assert any("whose log it cosigns" in fault for fault in report.faults)


def _vkey(policy: bytes) -> bytes:
    """The vkey of the witness of a policy."""
    (row,) = [row for row in policy.split(b"\n") if row.startswith(b"witness")]
    return row.split(b" ")[2]


def test_a_policy_of_both_kinds_for_other_logs_is_refused(files: dict[str, bytes]) -> None:
    crossed = files | {"ours/policy-ml-dsa-44.txt": files["theirs/policy-ml-dsa-44.txt"]}
    assert any("for another log" in fault for fault in check_forged(crossed).faults)


def test_further_lines_of_strangers_do_not_matter(files: dict[str, bytes], folder: Path) -> None:
    data = files[f"{RING}.tlog-proof"]
    head, note = data.split(b"\n\n", 1)
    stranger = "— corelia.example AAAAAAAA\n".encode()
    longer = folder.parent / "longer.tlog-proof"
    longer.write_bytes(head + b"\n\n" + add_signature_lines(note, [stranger]))
    longer.with_suffix(".entry").write_bytes(files[f"{RING}.entry"])
    report = verify_paths([longer], policy=folder / "ours/policy-ml-dsa-44.txt")
    assert report.verdict is Verdict.PROVEN


def test_a_line_of_first_cards_has_no_second_policy(tmp_path: Path) -> None:
    written = export(SignedLine().open().ring_off(), tmp_path / "call")
    assert not [path for path in written if "ml-dsa" in path]
    assert b"ml-dsa" not in written["README.txt"]

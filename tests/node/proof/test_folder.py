"""Attacks on a proof folder whose SHA256SUMS the attacker made anew."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fakes.signed_line import ADA, BORIS, CALL, RECORDING, SignedLine
from node.proof.rig import RECORDING_NAME, card_keys, check, check_forged, export
from telcon.core import draft as drafts
from telcon.core.seal import Text
from telcon.errors import OperatorError
from telcon.ledger import (
    Checkpoint,
    TlogProof,
    add_signature_lines,
    cosign,
    format_checkpoint,
    format_policy,
    format_tlog_proof,
    format_vkey,
    inclusion_proof,
    mirror_policy,
    parse_tlog_proof,
    root_at,
    sign_checkpoint,
)
from telcon.node.proof import PathReport, Verdict, VerifyReport, format_words

TALK = SignedLine().open().talk()
FALSE = SignedLine(seeds=(11, 99)).open().talk()  # two nodes of somebody else, same names and line
KEYS = card_keys(TALK)
RING = "ours/receipts/000002-call.ring"
ANSWER = "theirs/receipts/000003-call.answer"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return export(TALK, tmp_path_factory.mktemp("export") / "call")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return export(TALK, tmp_path_factory.mktemp("export") / "call", whole_log=True)


def is_refused(files: Mapping[str, bytes], why: str) -> bool:
    """Say whether the folder is not proven, with cards and without, for the reason `why`."""
    reports = [check_forged(files, KEYS), check_forged(files)]
    return all(says(report, why) for report in reports)


def says(report: PathReport, why: str) -> bool:
    assert report.verdict is Verdict.NOT_PROVEN, report
    assert any(why in fault for fault in report.faults), report.faults
    return True


def with_summary(files: Mapping[str, bytes], **changes: Any) -> dict[str, bytes]:
    summary = json.loads(files["call.json"]) | changes
    return {**files, "call.json": json.dumps(summary).encode()}


def without(files: Mapping[str, bytes], start: str) -> dict[str, bytes]:
    return {path: data for path, data in files.items() if not path.startswith(start)}


def test_an_honest_folder_is_proven_with_cards_and_consistent_without(
    files: dict[str, bytes],
) -> None:
    assert check(files, KEYS).verdict is Verdict.PROVEN
    assert check(files).verdict is Verdict.CONSISTENT


# -- false counterparts


def test_a_false_pair_is_never_proven_with_true_cards(tmp_path: Path) -> None:
    forged = export(FALSE, tmp_path / "call", whole_log=True)
    assert check(forged).verdict is Verdict.CONSISTENT
    assert says(check(forged, KEYS), "no signature by")


def test_a_false_pair_on_a_line_of_its_own_is_never_proven(tmp_path: Path) -> None:
    line = SignedLine(seeds=(11, 99), line="0f" * 16).open().talk()
    forged = export(line, tmp_path / "call")
    assert check(forged).verdict is Verdict.CONSISTENT
    assert says(check(forged, KEYS), f"this folder is of line {'0f' * 16}")


def test_a_true_side_with_a_false_counterpart_is_not_proven(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    forged = export(FALSE, tmp_path / "call")
    mixed = without(files, "theirs/") | {
        path: data for path, data in forged.items() if path.startswith("theirs/")
    }
    assert says(check_forged(mixed, KEYS), "no signature by")


def test_a_receipt_cosigned_by_its_authors_own_mirror_is_refused(files: dict[str, bytes]) -> None:
    node = TALK.arcadia
    size = node.log.size
    checkpoint = Checkpoint(node.log.origin, size, root_at(size, node.log.hash))
    hashes = tuple(inclusion_proof(2, size, node.log.hash))
    proof = TlogProof(2, hashes, TALK.note(node, checkpoint, node))
    forged = {**files, RING + ".tlog-proof": format_tlog_proof(proof)}
    assert is_refused(forged, "cosigned by nobody")


def test_a_policy_with_the_authors_own_mirror_is_refused(files: dict[str, bytes]) -> None:
    card = TALK.arcadia.card
    own = f"log {format_vkey(card.log)}\nwitness peer {format_vkey(card.mirror)}\nquorum peer\n"
    forged = {**files, "ours/policy.txt": own.encode()}
    assert says(check_forged(forged), "belongs to the organisation whose log it cosigns")
    assert check_forged(forged, KEYS).verdict is Verdict.PROVEN  # only the cards count


def test_a_mirror_that_borrows_the_others_name_needs_the_others_key(
    files: dict[str, bytes],
) -> None:
    # Arcadia signs for both: its own log, and Borealis' mirror under a key of its own making.
    forged = {path: data for path, data in files.items() if path.startswith("ours/")}
    node, forger = TALK.arcadia, FALSE.borealis
    for path in [path for path in forged if path.endswith(".tlog-proof")]:
        read = parse_tlog_proof(forged[path])
        size = int(read.checkpoint_note.split(b"\n")[1])
        checkpoint = Checkpoint(node.log.origin, size, root_at(size, node.log.hash))
        note = TALK.note(node, checkpoint, forger)
        forged[path] = format_tlog_proof(TlogProof(read.index, read.hashes, note))
    forged["ours/policy.txt"] = format_policy(mirror_policy(node.card.log, forger.card.mirror))
    mixed = {**files, **forged}
    assert check_forged(mixed).verdict is Verdict.CONSISTENT
    assert says(check_forged(mixed, KEYS), "cosigned by nobody")


def test_a_log_key_offered_as_mirror_is_refused(files: dict[str, bytes]) -> None:
    node, other = TALK.arcadia, TALK.borealis
    checkpoint = Checkpoint(node.log.origin, 3, root_at(3, node.log.hash))
    text = format_checkpoint(checkpoint)
    line = cosign(text, other.card.mirror.name, other.log_key, 1_790_000_000)
    note = add_signature_lines(sign_checkpoint(checkpoint, node.log_key), [line])
    proof = TlogProof(2, tuple(inclusion_proof(2, 3, node.log.hash)), note)
    assert is_refused({**files, RING + ".tlog-proof": format_tlog_proof(proof)}, "by nobody")


# -- policies and sides swapped


def test_swapped_policies_are_refused(files: dict[str, bytes]) -> None:
    swapped = {
        **files,
        "ours/policy.txt": files["theirs/policy.txt"],
        "theirs/policy.txt": files["ours/policy.txt"],
    }
    assert says(check_forged(swapped), "is for another log")
    assert check_forged(swapped, KEYS).verdict is Verdict.PROVEN


def test_one_policy_for_both_logs_is_refused(files: dict[str, bytes]) -> None:
    both = files["ours/policy.txt"] + files["theirs/policy.txt"]
    forged = {**files, "ours/policy.txt": both, "theirs/policy.txt": both}
    assert says(check_forged(forged), "exactly one quorum")


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_policy_without_a_cosigner_is_refused(side: str, files: dict[str, bytes]) -> None:
    node = TALK.arcadia if side == "ours" else TALK.borealis
    bare = f"log {format_vkey(node.card.log)}\nquorum none\n".encode()
    assert says(check_forged({**files, f"{side}/policy.txt": bare}), "asks for no cosigner")


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_missing_policy_is_refused_unless_cards_are_given(
    side: str, files: dict[str, bytes]
) -> None:
    kept = without(files, f"{side}/policy.txt")
    assert says(check_forged(kept), "policy.txt is missing")
    assert check_forged(kept, KEYS).verdict is Verdict.PROVEN


def test_an_excerpt_of_one_log_is_refused_on_the_others_side(files: dict[str, bytes]) -> None:
    moved = {**files}
    for suffix in (".entry", ".tlog-proof", ".opened.json"):
        moved["theirs/receipts/000002-call.ring" + suffix] = moved[RING + suffix]
    assert is_refused(moved, "not of borealis.example/line")


def test_sides_swapped_whole_are_refused(files: dict[str, bytes]) -> None:
    names = {"ours": "theirs", "theirs": "ours"}
    swapped = {}
    for path, data in files.items():
        side, _, rest = path.partition("/")
        swapped[f"{names.get(side, side)}/{rest}" if rest else path] = data
    assert is_refused(swapped, "log")


def test_names_swapped_in_the_summary_are_refused(files: dict[str, bytes]) -> None:
    swapped = with_summary(files, ours="borealis.example", theirs="arcadia.example")
    assert is_refused(swapped, "log")


# -- receipts


def test_a_receipt_under_another_name_is_refused(files: dict[str, bytes]) -> None:
    renamed = {
        path.replace("000002-call.ring.", "000002-call.answer."): data
        for path, data in files.items()
    }
    assert is_refused(renamed, "it proves 000002-call.ring")


def test_a_receipt_under_another_index_is_refused(files: dict[str, bytes]) -> None:
    renamed = {
        path.replace("000006-call.hang", "000009-call.hang"): data for path, data in files.items()
    }
    assert is_refused(renamed, "it proves 000006-call.hang-up")


def test_two_entries_exchanged_are_refused(files: dict[str, bytes]) -> None:
    hang_up = "ours/receipts/000006-call.hang-up.entry"
    exchanged = {**files, RING + ".entry": files[hang_up], hang_up: files[RING + ".entry"]}
    assert is_refused(exchanged, "leads to another root")


@pytest.mark.parametrize("suffix", [".entry", ".tlog-proof"])
def test_half_a_receipt_is_refused(suffix: str, files: dict[str, bytes]) -> None:
    assert is_refused(without(files, RING + suffix), f"the file {suffix} is missing")


def test_acts_of_another_call_are_refused(files: dict[str, bytes]) -> None:
    line = SignedLine().open().talk()
    line.ring("0c0c" * 8)
    index = line.arcadia.log.size - 1
    note = line.arcadia.log.notes[line.arcadia.log.size].note
    hashes = tuple(inclusion_proof(index, index + 1, line.arcadia.log.hash))
    stem = f"ours/receipts/{index:06}-call.ring"
    more = {
        stem + ".entry": line.arcadia.log.rows[index][0],
        stem + ".tlog-proof": format_tlog_proof(TlogProof(index, hashes, note)),
    }
    assert is_refused({**files, **more}, f"is no act of the call {CALL}")


def test_another_call_in_the_summary_is_refused(files: dict[str, bytes]) -> None:
    assert is_refused(with_summary(files, call="0c0c" * 8), "is no act of the call")


def test_two_signed_roots_for_one_size_are_called_a_fork(files: dict[str, bytes]) -> None:
    fork = SignedLine().open().talk()
    fork.arcadia.log.rows.pop()
    fork.arcadia.log.notes.popitem()
    fork.write(fork.arcadia, drafts.message(ADA, BORIS, Text("en", "other"), call=CALL))
    index = fork.arcadia.log.size - 1
    note = fork.arcadia.log.notes[index + 1].note
    hashes = tuple(inclusion_proof(index, index + 1, fork.arcadia.log.hash))
    stem = f"ours/receipts/{index:06}-message"
    more = {
        stem + ".entry": fork.arcadia.log.rows[index][0],
        stem + ".tlog-proof": format_tlog_proof(TlogProof(index, hashes, note)),
    }
    assert is_refused({**files, **more}, "both signed: a fork")


# -- openings


def openings_of(data: bytes) -> list[dict[str, str]]:
    opened: list[dict[str, str]] = json.loads(data)["openings"]
    return opened


def with_openings(files: Mapping[str, bytes], path: str, openings: object) -> dict[str, bytes]:
    data = json.dumps({"openings": openings}, separators=(",", ":")).encode()
    return {**files, path + ".opened.json": data}


def test_an_opening_of_another_entry_does_not_fit(files: dict[str, bytes]) -> None:
    theirs = openings_of(files[ANSWER + ".opened.json"])
    assert is_refused(with_openings(files, RING, theirs), "does not fit a seal")


def test_an_opening_under_another_member_does_not_fit(files: dict[str, bytes]) -> None:
    opened = openings_of(files[RING + ".opened.json"])
    opened[0]["member"] = "topic"
    assert is_refused(with_openings(files, RING, opened[:1]), "does not fit a seal")


def test_an_opening_given_twice_is_refused(files: dict[str, bytes]) -> None:
    opened = openings_of(files[RING + ".opened.json"])
    assert is_refused(with_openings(files, RING, [opened[0]] * 2), "opened twice")


def test_an_opening_over_its_limit_is_refused(files: dict[str, bytes]) -> None:
    opened = openings_of(files[RING + ".opened.json"])
    opened[0]["content"] = "AAAA" * 2731
    assert is_refused(with_openings(files, RING, opened[:1]), "over its limit")


def test_an_opening_for_an_entry_without_seals_does_not_fit(files: dict[str, bytes]) -> None:
    opened = openings_of(files[RING + ".opened.json"])
    forged = with_openings(files, "ours/receipts/000006-call.hang-up", opened)
    assert is_refused(forged, "does not fit a seal")


@pytest.mark.parametrize(
    "data", [b"", b"{}", b'{"openings":[]} ', b'{"openings":[],"x":1}', b"\xff"]
)
def test_openings_in_another_spelling_are_refused(data: bytes, files: dict[str, bytes]) -> None:
    assert is_refused({**files, RING + ".opened.json": data}, "openings")


def test_fewer_openings_are_no_fault(files: dict[str, bytes]) -> None:
    kept = without(files, RING + ".opened.json")
    assert check_forged(kept, KEYS).verdict is Verdict.PROVEN


# -- whole logs


def test_whole_logs_are_told_apart_from_excerpts(
    files: dict[str, bytes], whole: dict[str, bytes]
) -> None:
    excerpt, full = check(files, KEYS), check(whole, KEYS)
    assert len(excerpt.not_shown) == len(full.not_shown) + 1
    assert any("Both logs together tell: ended" in sentence for sentence in full.also)


def test_a_summary_that_the_logs_contradict_is_refused(whole: dict[str, bytes]) -> None:
    assert is_refused(with_summary(whole, outcome="declined"), "another outcome")
    assert is_refused(with_summary(whole, ended="2026-09-21 15:00:00 UTC"), "another ended")


def test_a_summary_of_a_call_that_the_logs_do_not_know_is_refused(whole: dict[str, bytes]) -> None:
    bare = without(without(whole, "ours/receipts/"), "theirs/receipts/")
    assert is_refused(with_summary(bare, call="0c0c" * 8), "know no call")


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_whole_logs_that_are_promised_must_be_there(side: str, whole: dict[str, bytes]) -> None:
    assert is_refused(without(whole, f"{side}/log/"), "the checkpoint is missing")


def test_a_missing_tile_is_named(whole: dict[str, bytes]) -> None:
    assert is_refused(without(whole, "ours/log/tile/0/"), "tile/0/000.p/8 is missing")


def test_a_tile_too_many_is_named(whole: dict[str, bytes]) -> None:
    more = {**whole, "ours/log/tile/0/000.p/7": whole["ours/log/tile/0/000.p/8"][:-32]}
    assert is_refused(more, "tile/0/000.p/7 is no file of this log")


def test_a_log_cut_short_contradicts_its_receipts(whole: dict[str, bytes]) -> None:
    node = TALK.arcadia
    cut = without(whole, "ours/log/")
    entries = [entry for entry, _ in node.log.rows[:7]]
    cut["ours/log/checkpoint"] = node.log.notes[7].note
    cut["ours/log/tile/0/000.p/7"] = whole["ours/log/tile/0/000.p/8"][: 7 * 32]
    cut["ours/log/tile/entries/000.p/7"] = b"".join(
        len(entry).to_bytes(2, "big") + entry for entry in entries
    )
    assert is_refused(cut, "the whole log has another entry 7")


def newest_receipt(line: SignedLine, index: int) -> bytes:
    """Return Arcadia's receipt of an entry under its newest checkpoint."""
    log = line.arcadia.log
    hashes = tuple(inclusion_proof(index, log.size, log.hash))
    return format_tlog_proof(TlogProof(index, hashes, log.notes[log.size].note))


def test_a_receipt_under_a_fork_of_the_whole_log_is_refused(whole: dict[str, bytes]) -> None:
    fork = SignedLine().open().talk()
    fork.arcadia.log.rows.pop()
    fork.arcadia.log.notes.popitem()
    fork.write(fork.arcadia, drafts.message(ADA, BORIS, Text("en", "other"), call=CALL))
    forged = {**whole, RING + ".tlog-proof": newest_receipt(fork, 2)}
    assert is_refused(forged, "the whole log has another root, or none, at 8")


def test_a_receipt_under_a_checkpoint_beyond_the_whole_log_is_refused(
    whole: dict[str, bytes],
) -> None:
    longer = SignedLine().open().talk()
    longer.write(longer.arcadia, drafts.blank())
    forged = {**whole, RING + ".tlog-proof": newest_receipt(longer, 2)}
    assert is_refused(forged, "the whole log has another root, or none, at 9")


def test_entries_that_claim_to_have_seen_what_never_was_do_not_stop_the_fold(
    tmp_path: Path,
) -> None:
    line = SignedLine().open().ring_off()
    blank = line.arcadia.log
    line.write(line.arcadia, drafts.blank())
    entry = blank.rows.pop()[0]
    blank.notes.popitem()
    line.write_bytes(line.arcadia, entry.replace(b'"seen":[3,', b'"seen":[99,'))
    line.write(line.borealis, drafts.blank())
    files = export(line, tmp_path / "call", whole_log=True)
    assert check(files, card_keys(line)).verdict is Verdict.PROVEN


def test_receipts_that_hold_in_a_folder_that_does_not_are_counted(files: dict[str, bytes]) -> None:
    report = check_forged({**files, RING + ".entry": b"other"}, KEYS)
    words = format_words(VerifyReport((report,)))
    assert f"  {len(report.receipts)} receipts hold by themselves; see --json.\n" in words
    assert "The holder of key" not in words


def test_an_entry_that_no_one_can_read_is_no_act_of_the_call(files: dict[str, bytes]) -> None:
    line = SignedLine().open().talk()
    line.write_bytes(line.arcadia, b"nonsense")
    stem = "ours/receipts/000008-entry"
    more = {stem + ".entry": b"nonsense", stem + ".tlog-proof": newest_receipt(line, 8)}
    assert is_refused({**files, **more}, "is no act of the call")


# -- recordings


def recording(files: Mapping[str, bytes], data: bytes, **changes: str) -> dict[str, bytes]:
    """Put another recording in, and say of it in call.json what a forger would."""
    described = json.loads(files["call.json"])["recordings"]
    described[0] |= {"size": len(data)} | changes
    forged = with_summary(files, recordings=described)
    return {**forged, f"recordings/{RECORDING_NAME}": data}


def test_a_recording_whose_hash_was_logged_is_said_to_be_signed(files: dict[str, bytes]) -> None:
    report = check(files, KEYS)
    assert any(f"{len(RECORDING)} octets, is the recording hashed in" in s for s in report.also)


def test_an_exchanged_recording_is_refused(files: dict[str, bytes]) -> None:
    assert is_refused(recording(files, b"other"), "not the recording whose hash was logged")
    assert is_refused(recording(files, b"other", signed_in=""), "not the recording whose hash")


def test_a_further_recording_that_nobody_signed_is_said_apart(files: dict[str, bytes]) -> None:
    report = check_forged({**files, "recordings/more.opus": b"more"}, KEYS)
    assert report.verdict is Verdict.PROVEN
    assert "recordings/more.opus" in report.unsigned


def test_without_its_act_a_recording_is_said_apart(files: dict[str, bytes]) -> None:
    kept = recording(without(files, "ours/receipts/000007"), RECORDING, signed_in="")
    report = check_forged(kept, KEYS)
    assert report.verdict is Verdict.PROVEN
    assert f"recordings/{RECORDING_NAME}" in report.unsigned


# -- the folder itself


@pytest.mark.parametrize(
    "change",
    [
        {"summary": "telcon call summary v2"},
        {"ours": "../arcadia"},
        {"theirs": "arcadia.example"},
        {"line": "4b1d"},
        {"layer": "all"},
        {"recordings": None},
    ],
)
def test_a_summary_in_another_form_is_refused(
    change: dict[str, object], files: dict[str, bytes]
) -> None:
    assert is_refused(with_summary(files, **change), "call.json")


def test_a_folder_without_receipts_proves_nothing(files: dict[str, bytes]) -> None:
    bare = without(without(files, "ours/receipts/"), "theirs/receipts/")
    bare = with_summary(without(bare, "recordings/"), recordings=[])
    assert is_refused(bare, "nothing in it that could be proven")


@pytest.mark.parametrize("data", [b"", b"x\n", b"00  a\n", b"0" * 64 + b"  ../a\n", b"\xff"])
def test_sums_in_another_form_are_refused(data: bytes, files: dict[str, bytes]) -> None:
    assert check({**files, "SHA256SUMS": data}, KEYS).verdict is Verdict.NOT_PROVEN


def test_sums_twice_or_unsorted_are_refused(files: dict[str, bytes]) -> None:
    lines = files["SHA256SUMS"].splitlines(keepends=True)
    for data in (lines[0] + b"".join(lines), b"".join(lines[::-1])):
        assert says(check({**files, "SHA256SUMS": data}, KEYS), "not sorted, or names a path twice")


def test_a_folder_without_sums_is_not_proven(files: dict[str, bytes]) -> None:
    assert says(check(without(files, "SHA256SUMS"), KEYS), "SHA256SUMS is missing")


def test_any_other_folder_is_said_to_be_none(files: dict[str, bytes]) -> None:
    with pytest.raises(OperatorError, match="no proof folder"):
        check({"holiday.jpg": b""}, KEYS)

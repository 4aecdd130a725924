"""Evidence folders: what is written, what `telcon verify` says of it, and what it never says."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.signed_line import SignedLine
from node.proof.rig import check, check_forged, export, read_folder
from stranger.evidence import check_evidence, evidence_name
from stranger.tlog import ProtocolError, VerifierKey
from telcon.errors import OperatorError, ProofError, StorageError
from telcon.ledger import (
    Checkpoint,
    Fork,
    fork_between,
    fork_hash,
    format_key_card,
    format_policy,
    format_vkey,
    mirror_policy,
    root_at,
    sign_checkpoint,
)
from telcon.node.proof import Verdict, export_fork, format_json, format_words, verify_paths
from telcon.node.proof.report import PathReport, VerifyReport
from telcon.node.proof.trust import keys_from_cards, keys_from_policies

TALK = SignedLine().open().talk()
LOG = TALK.arcadia.log
CARDS = TALK.cards


def signed(size: int, root: bytes | None = None) -> bytes:
    root = root or root_at(size, LOG.hash)
    return sign_checkpoint(Checkpoint(LOG.origin, size, root), TALK.arcadia.log_key)


SAME = Fork(signed(5), signed(5, b"\1" * 32))
DIFFERENT = fork_between(signed(5, b"\1" * 32), signed(7), LOG.hash)
FORKS = pytest.mark.parametrize("fork", [SAME, DIFFERENT], ids=["one size", "two sizes"])
ONE_CARD = keys_from_cards(CARDS[:1])


def written(fork: Fork, out: Path) -> dict[str, bytes]:
    export_fork(fork, CARDS, out)
    return read_folder(out)


def words(report: PathReport) -> str:
    return format_words(VerifyReport((report,)))


@FORKS
def test_under_the_card_of_the_logs_own_side_it_is_proven(fork: Fork, tmp_path: Path) -> None:
    report = check(written(fork, tmp_path / "evidence"), ONE_CARD)
    assert report.verdict is Verdict.PROVEN
    text = words(report)
    assert f"The holder of key {LOG.origin} signed that this log had" in text
    assert "cannot both be true" in text
    assert format_vkey(CARDS[0].log) in text
    assert fork_hash(fork).hex() in text
    assert "which of the two histories is the true one; who had the key" in text


@FORKS
def test_without_a_key_it_is_consistent_and_says_why_that_is_little(
    fork: Fork, tmp_path: Path
) -> None:
    report = check(written(fork, tmp_path / "evidence"))
    assert report.verdict is Verdict.CONSISTENT
    assert "Anyone can make a key under any name." in words(report)
    assert "key-card.json" in report.unsigned


@FORKS
def test_a_stranger_finds_the_same_without_telcon(fork: Fork, tmp_path: Path) -> None:
    written(fork, tmp_path / "evidence")
    key = VerifierKey.parse(format_vkey(CARDS[0].log))
    sizes = check_evidence(tmp_path / "evidence", key)
    assert sizes == ((5, 5) if fork is SAME else (5, 7))
    assert evidence_name(tmp_path / "evidence") == fork_hash(fork).hex()
    with pytest.raises(ProtocolError):
        check_evidence(tmp_path / "evidence", VerifierKey.parse(format_vkey(CARDS[1].log)))


def test_a_stranger_finds_the_same_for_any_two_sizes(tmp_path: Path) -> None:
    key = VerifierKey.parse(format_vkey(CARDS[0].log))
    for old in range(1, LOG.size):
        for new in range(old, LOG.size + 1):
            out = tmp_path / f"{old}-{new}"
            written(fork_between(signed(new), signed(old, b"\1" * 32), LOG.hash), out)
            assert check_evidence(out, key) == (old, new)


@FORKS
def test_every_file_and_octet_that_was_altered_is_named(fork: Fork, tmp_path: Path) -> None:
    files = written(fork, tmp_path / "evidence")
    for path, data in files.items():
        if path == "SHA256SUMS":
            continue
        altered = {**files, path: data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]}
        report = check(altered, ONE_CARD)
        assert report.verdict is Verdict.NOT_PROVEN
        assert report.faults == (f"{path} was altered",)


@FORKS
def test_a_forger_who_mends_the_sums_proves_nothing(fork: Fork, tmp_path: Path) -> None:
    files = written(fork, tmp_path / "evidence")
    for path in {"first.note", "second.note", "consistency.txt"} & files.keys():
        for at in range(len(files[path])):
            data = files[path]
            bent = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            report = check_forged({**files, path: bent}, ONE_CARD)
            assert report.verdict is Verdict.NOT_PROVEN, (path, at)


def test_two_that_can_both_be_true_are_never_proven(tmp_path: Path) -> None:
    true = fork_between(signed(5), signed(7), LOG.hash)
    with pytest.raises(ProofError):
        export_fork(true, CARDS, tmp_path / "evidence")
    files = written(DIFFERENT, tmp_path / "evidence")
    for more in (
        {"first.note": true.first},
        {"first.note": files["second.note"]},
        {"second.note": files["first.note"]},
    ):
        report = check_forged({**files, **more}, ONE_CARD)
        assert report.verdict is Verdict.NOT_PROVEN
    without = {path: data for path, data in files.items() if path != "consistency.txt"}
    assert check_forged(without, ONE_CARD).verdict is Verdict.NOT_PROVEN


def test_the_notes_are_kept_octet_for_octet(tmp_path: Path) -> None:
    files = written(DIFFERENT, tmp_path / "evidence")
    assert (files["first.note"], files["second.note"]) == (DIFFERENT.first, DIFFERENT.second)
    assert files["key-card.json"] == format_key_card(CARDS[0])


def test_an_invented_counterpart_is_never_proven(tmp_path: Path) -> None:
    """Anyone can make a key under the same name and sign nonsense twice."""
    false = SignedLine(seeds=(9, 100)).open()
    root = root_at(3, LOG.hash)
    first, second = (
        sign_checkpoint(Checkpoint(LOG.origin, 3, one), false.arcadia.log_key)
        for one in (root, b"\1" * 32)
    )
    export_fork(Fork(first, second), false.cards, tmp_path / "evidence")
    files = read_folder(tmp_path / "evidence")
    assert check(files).verdict is Verdict.CONSISTENT
    assert check(files, ONE_CARD).verdict is Verdict.NOT_PROVEN


def test_keys_of_another_log_prove_nothing(tmp_path: Path) -> None:
    files = written(SAME, tmp_path / "evidence")
    for keys in (
        keys_from_cards(CARDS[1:]),
        keys_from_policies([mirror_policy(CARDS[1].log, CARDS[0].mirror)], are_given=True),
    ):
        report = check(files, keys)
        assert report.verdict is Verdict.NOT_PROVEN
        assert "are not for the log" in report.faults[0]
    both = keys_from_cards(CARDS)
    policy = keys_from_policies([mirror_policy(CARDS[0].log, CARDS[1].mirror)], are_given=True)
    assert {check(files, keys).verdict for keys in (both, policy)} == {Verdict.PROVEN}


def test_the_card_and_the_policy_of_a_folder_must_agree(tmp_path: Path) -> None:
    files = written(SAME, tmp_path / "evidence")
    other = replace(CARDS[0], log=replace(CARDS[0].log, public=CARDS[1].log.public))
    theirs = mirror_policy(CARDS[1].log, CARDS[0].mirror)
    for more in (
        {"key-card.json": format_key_card(other)},
        {"policy.txt": format_policy(theirs)},
        {"policy.txt": b"nonsense\n"},
    ):
        assert check_forged({**files, **more}).verdict is Verdict.NOT_PROVEN


def test_exit_statuses(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    written(SAME, folder)
    card = tmp_path / "arcadia.card"
    card.write_bytes(format_key_card(CARDS[0]))
    assert verify_paths([folder], cards=[card]).exit_code == 0
    assert verify_paths([folder]).exit_code == 3
    report = json.loads(format_json(verify_paths([folder], cards=[card])))
    assert report["verdict"] == "proven"
    assert "signed that this log had 5 entries" in report["paths"][0]["also_signed"][0]
    (folder / "first.note").write_bytes(b"\0")
    assert verify_paths([folder], cards=[card]).exit_code == 1
    card.write_bytes(b"no card")
    assert verify_paths([folder], cards=[card]).exit_code == 2
    assert verify_paths([tmp_path / "nowhere"]).exit_code == 2


def test_one_card_alone_does_not_prove_a_call(tmp_path: Path) -> None:

    export(TALK, tmp_path / "call")
    card = tmp_path / "arcadia.card"
    card.write_bytes(format_key_card(CARDS[0]))
    report = verify_paths([tmp_path / "call"], cards=[card])
    assert report.exit_code == 2
    assert "needs the key cards of two nodes" in format_words(report)


def test_it_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "file").touch()
    with pytest.raises(OperatorError, match="not an empty folder"):
        export_fork(SAME, CARDS, taken)
    with pytest.raises(StorageError):
        export_fork(SAME, CARDS, tmp_path / "nowhere" / "evidence")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken"]


@FORKS
def test_the_readme_says_how_to_check_it_without_telcon(fork: Fork, tmp_path: Path) -> None:
    text = written(fork, tmp_path / "evidence")["README.txt"].decode()
    assert format_vkey(CARDS[0].log) in text
    assert fork_hash(fork).hex() in text
    assert ("consistency.txt" in text) == (fork is DIFFERENT)
    assert "What is not shown" in text
    assert max(map(len, text.splitlines())) <= 120


def test_of_a_log_with_two_kinds_of_keys_ed25519_is_what_counts(tmp_path: Path) -> None:
    line = SignedLine(ml_dsa=True).open()
    log, (own, peer) = line.arcadia.log, line.cards
    checkpoints = [Checkpoint(log.origin, 2, one) for one in (root_at(2, log.hash), b"\1" * 32)]
    first, second = (sign_checkpoint(one, line.arcadia.log_key) for one in checkpoints)
    export_fork(Fork(first, second), line.cards, tmp_path / "evidence")
    files = read_folder(tmp_path / "evidence")
    assert own.log_ml_dsa is not None
    policy = replace(mirror_policy(own.log_ml_dsa, peer.mirror), other_logs=(own.log,))
    for keys in (keys_from_cards([own]), keys_from_policies([policy], are_given=True)):
        assert check(files, keys).verdict is Verdict.PROVEN
    alone = mirror_policy(own.log_ml_dsa, peer.mirror)
    report = check(files, keys_from_policies([alone], are_given=True))
    assert report.verdict is Verdict.NOT_PROVEN

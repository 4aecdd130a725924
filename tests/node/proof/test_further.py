"""Further witnesses in proof folders: what a receipt bears, what a policy asks, what is said."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fakes.signed_line import BOREALIS, CALL, Node, SignedLine
from node.proof.rig import check, check_forged, read_folder, write_cards
from telcon.core import draft as drafts
from telcon.errors import PolicyError
from telcon.ledger import (
    COSIGNATURE_ED25519,
    Policy,
    SigningKey,
    VerifierKey,
    add_signature_lines,
    cosign,
    format_policy,
    format_vkey,
    mirror_policy,
    organisation,
    parse_note_untrusted,
    parse_policy,
    with_witnesses,
)
from telcon.node.proof import (
    PathReport,
    Verdict,
    VerifyReport,
    export_call,
    format_json,
    format_words,
    verify_paths,
)
from telcon.node.proof.receipt import further_witnesses, line_mirror
from telcon.node.proof.trust import Keys, keys_from_cards

SEEN_S = 1_800_000_000  # 2027-01-15 08:00:00 UTC


def witness(name: str, number: int) -> tuple[VerifierKey, SigningKey]:
    key = SigningKey(bytes([200 + number]) * 32)
    return VerifierKey(f"{name}/witness", COSIGNATURE_ED25519, key.public), key


CORELIA, DELIA = witness("corelia.example", 0), witness("delia.example", 1)


@dataclass
class Further:
    """Who witnesses a log, and the sizes that each of them signed."""

    node: Node
    signed: dict[int, list[tuple[VerifierKey, SigningKey]]]
    needed: int = 1
    all: list[tuple[VerifierKey, SigningKey]] = field(default_factory=lambda: [CORELIA])
    seen_s: int = SEEN_S

    @property
    def keys(self) -> tuple[tuple[VerifierKey, str], ...]:
        return tuple((key, f"https://{organisation(key.name)}/w") for key, _ in self.all)

    def note_over(self, index: int, needed: int) -> tuple[int, bytes] | None:
        for size in sorted(self.signed):
            if size > index and len(self.signed[size]) >= needed:
                note = self.node.log.notes[size].note
                text = parse_note_untrusted(note).text
                lines = [
                    cosign(text, vkey.name, key, self.seen_s + size)
                    for vkey, key in self.signed[size]
                ]
                return size, add_signature_lines(note, lines)
        return None


def export(
    line: SignedLine, out: Path, further: Further, *, whole_log: bool = False
) -> dict[str, bytes]:
    own, peer = further.node, line.other(further.node)
    export_call(
        own.log,
        peer.log,
        own_card=own.card,
        peer_card=peer.card,
        call=CALL,
        out=out,
        whole_log=whole_log,
        further=further,
    )
    return read_folder(out)


def talk() -> SignedLine:
    """Arcadia rings at 2 and hangs up at 3: its log has 4 entries, all cosigned."""
    return SignedLine().open().ring_off()


def policy_of(files: dict[str, bytes]) -> Policy:
    return parse_policy(files["ours/policy.txt"])


def note_of(files: dict[str, bytes], stem: str) -> bytes:
    return files[f"ours/receipts/{stem}.tlog-proof"].split(b"\n\n", 1)[1]


def said(report: PathReport, stem: str) -> str:
    receipts = json.loads(format_json(VerifyReport((report,))))["paths"][0]["receipts"]
    return str(next(one["says"] for one in receipts if one["file"] == f"ours/receipts/{stem}"))


def keys(line: SignedLine, *witnesses: tuple[VerifierKey, SigningKey]) -> Keys:
    return keys_from_cards(line.cards, [key for key, _ in witnesses])


RING, HANG_UP = "000002-call.ring", "000003-call.hang-up"


def test_a_policy_asks_for_what_all_receipts_bear(tmp_path: Path) -> None:
    line = talk()
    files = export(line, tmp_path / "call", Further(line.arcadia, {4: [CORELIA]}))
    policy = policy_of(files)
    assert [group.threshold for group in policy.groups] == [1, 2]
    assert not policy.is_met_by({line.borealis.card.mirror.public})
    assert policy.is_met_by({line.borealis.card.mirror.public, CORELIA[0].public})
    assert policy.witnesses[1].url == "https://corelia.example/w"
    assert parse_policy(files["theirs/policy.txt"]).witnesses[1:] == ()
    report = check(files)
    assert report.verdict is Verdict.CONSISTENT
    assert said(report, RING).endswith(
        "; and 1 of 1 further witnesses saw the checkpoint by 2027-01-15 08:00:04 UTC on its own"
        " clock (corelia.example/witness); the author's clock said 2026-09-21 14:13:25.000000 UTC."
        " Signed and cosigned with Ed25519."
    )


def test_the_words_are_the_same_under_keys_that_are_given(tmp_path: Path) -> None:
    line = talk()
    files = export(line, tmp_path / "call", Further(line.arcadia, {4: [CORELIA]}))
    report = check(files, keys(line, CORELIA, DELIA))
    assert report.verdict is Verdict.PROVEN
    assert "and 1 of 2 further witnesses saw the checkpoint by 2027" in said(report, RING)
    report = check(files, keys(line, DELIA))
    assert report.verdict is Verdict.PROVEN
    assert "and 0 of 1 further witnesses saw the checkpoint;" in said(report, RING)
    report = check(files, keys(line))
    assert report.verdict is Verdict.PROVEN
    assert "further" not in said(report, RING)


def test_a_receipt_bears_the_earliest_that_as_many_signed_as_are_needed(tmp_path: Path) -> None:
    line = talk()
    both = [CORELIA, DELIA]
    further = Further(line.arcadia, {3: [CORELIA], 4: both}, needed=2, all=both)
    files = export(line, tmp_path / "call", further)
    assert note_of(files, RING).split(b"\n")[1] == b"4"
    assert [group.threshold for group in policy_of(files).groups] == [2, 2]
    assert "and 2 of 2 further witnesses saw" in said(check(files), RING)


def test_where_not_enough_signed_the_policy_names_witnesses_and_asks_for_none(
    tmp_path: Path,
) -> None:
    line = talk()
    both = [CORELIA, DELIA]
    further = Further(line.arcadia, {3: [CORELIA]}, needed=2, all=both)
    files = export(line, tmp_path / "call", further)
    policy = policy_of(files)
    assert policy.groups == ()
    assert policy.quorum == "peer"
    assert len(policy.witnesses) == 3
    report = check(files)
    assert "and 1 of 2 further witnesses saw" in said(report, RING)
    assert "and 0 of 2 further witnesses saw the checkpoint;" in said(report, HANG_UP)
    assert note_of(files, HANG_UP) == line.arcadia.log.notes[4].note


def test_the_whole_log_is_not_cut_for_a_witness(tmp_path: Path) -> None:
    line = talk()
    line.write(line.arcadia, drafts.blank())
    cut = export(line, tmp_path / "a", Further(line.arcadia, {4: [CORELIA]}), whole_log=True)
    assert cut["ours/log/checkpoint"] == line.arcadia.log.notes[5].note
    assert policy_of(cut).quorum == "peer"
    assert any("And 0 of 1 further witnesses saw arcadia" in one for one in check(cut).also)
    whole = export(line, tmp_path / "b", Further(line.arcadia, {5: [CORELIA]}), whole_log=True)
    assert policy_of(whole).quorum == "both"
    report = check(whole, keys(line, CORELIA))
    assert report.verdict is Verdict.PROVEN
    assert sum("held it by" in one for one in report.also) == 2
    assert any("And 1 of 1 further witnesses saw arcadia" in one for one in report.also)


def test_a_witness_that_did_not_sign_what_it_is_said_to_is_found_out(tmp_path: Path) -> None:
    line = talk()
    forger = (CORELIA[0], SigningKey(bytes(32)))
    files = export(line, tmp_path / "call", Further(line.arcadia, {}))
    note = note_of(files, RING)
    text = parse_note_untrusted(note).text
    path = f"ours/receipts/{RING}.tlog-proof"
    false = cosign(text, "corelia.example/witness", forger[1], SEEN_S)
    forged = check_forged(files | {path: files[path] + false}, keys(line, CORELIA))
    assert forged.verdict is Verdict.PROVEN  # another key under that name: nobody's line
    assert "and 0 of 1 further" in said(forged, RING)
    signed = cosign(text, "corelia.example/witness", CORELIA[1], SEEN_S)
    bent = signed[:-4] + (b"AA=\n" if signed[-4:] != b"AA=\n" else b"BA=\n")
    assert (
        check_forged(files | {path: files[path] + bent}, keys(line, CORELIA)).verdict
        is Verdict.NOT_PROVEN
    )


@pytest.mark.parametrize("name", ["arcadia.example/witness", "borealis.example/witness"])
def test_a_witness_of_one_of_the_two_sides_is_refused(tmp_path: Path, name: str) -> None:
    line = talk()
    own = VerifierKey(name, COSIGNATURE_ED25519, CORELIA[0].public)
    with pytest.raises(PolicyError, match="belongs to the organisation whose log it cosigns"):
        keys_from_cards(line.cards, [own])
    export(line, tmp_path / "call", Further(line.arcadia, {}))
    cards = write_cards(line, tmp_path)
    report = verify_paths([tmp_path / "call"], cards=cards, witnesses=[format_vkey(own)])
    assert report.verdict is Verdict.NOT_PROVEN


def test_a_witness_of_the_mirrors_own_side_is_no_further_one() -> None:
    """A policy by hand may name it: it counts for nothing, and the mirror is still asked for."""
    line = talk()
    base = mirror_policy(line.arcadia.card.log, line.borealis.card.mirror)
    theirs = VerifierKey(f"{BOREALIS}/witness", COSIGNATURE_ED25519, DELIA[0].public)
    policy = with_witnesses(base, [(theirs, ""), (CORELIA[0], "")], 1)
    assert line_mirror(policy) == line.borealis.card.mirror.name
    assert further_witnesses(policy) == {"corelia.example/witness"}


def test_a_policy_that_can_do_without_the_mirror_is_no_lines_policy() -> None:
    line = talk()
    base = mirror_policy(line.arcadia.card.log, line.borealis.card.mirror)
    named = with_witnesses(base, [(CORELIA[0], "")], 0)
    assert line_mirror(named) == line.borealis.card.mirror.name
    loose = Policy(named.log, named.witnesses, (), "further-1")
    assert line_mirror(loose) == ""


def test_policies_of_witnesses_are_read_back() -> None:
    line = talk()
    base = mirror_policy(line.arcadia.card.log, line.borealis.card.mirror)
    for needed in (0, 1, 2):
        policy = with_witnesses(base, [(CORELIA[0], "https://c.example/w"), (DELIA[0], "")], needed)
        assert parse_policy(format_policy(policy)) == policy
    with pytest.raises(PolicyError, match="cannot be met"):
        with_witnesses(base, [(CORELIA[0], "")], 2)


def test_witnesses_without_cards_are_not_taken(tmp_path: Path) -> None:
    line = talk()
    export(line, tmp_path / "call", Further(line.arcadia, {}))
    report = verify_paths([tmp_path / "call"], witnesses=[format_vkey(CORELIA[0])])
    assert report.verdict is Verdict.UNREADABLE
    cards = write_cards(line, tmp_path)
    report = verify_paths([tmp_path / "call"], cards=cards, witnesses=["corelia"])
    assert "a verifier key has the form" in format_words(report)


def test_what_the_other_side_has_not_signed_lies_apart_beside_witnessed_receipts(
    tmp_path: Path,
) -> None:
    line = SignedLine().open()
    line.write(line.arcadia, drafts.cancel(CALL, line.ring()), cosigned=False)
    line.sign_alone(line.arcadia)
    files = export(line, tmp_path / "call", Further(line.arcadia, {3: [CORELIA]}))
    assert policy_of(files).quorum == "both"
    report = check(files, keys(line, CORELIA))
    assert report.verdict is Verdict.PROVEN
    assert "and 1 of 1 further witnesses saw" in said(report, RING)
    (one,) = report.alone
    assert (one.path, one.is_signed) == ("ours/alone/000003-call.cancel", True)


def test_how_late_a_ring_was_held_is_told_by_the_mirror_alone(tmp_path: Path) -> None:
    line = SignedLine().open()
    line.ring()
    line.now_us += 3_600 * 1_000_000
    line.sign(line.arcadia)
    files = export(line, tmp_path / "call", Further(line.arcadia, {3: [CORELIA]}, seen_s=1))
    report = check(files, keys(line, CORELIA))
    assert "further witnesses saw the checkpoint by 1970" in said(report, RING)
    assert any("The ring was held by the other side 36" in one for one in report.also)

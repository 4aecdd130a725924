"""Every end that a ring can have, shown by either side, countersigned or not: the words fit it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes.signed_line import ARCADIA, BOREALIS, CALL, SignedLine, handle
from node.proof.rig import card_keys, check, check_forged, export
from telcon.core import draft as drafts
from telcon.core.seal import Text
from telcon.node.proof import LAYER_NAMES, PathReport, Verdict, VerifyReport, format_words
from telcon.node.proof.report import format_json
from telcon.node.proof.trust import keys_from_cards

WHY = Text("en", "not now")
UNSEEN = "whether a device made a sound where it rang, or a person noticed it"


def ring(line: SignedLine) -> None:
    line.ring()


def ringing(line: SignedLine) -> None:
    line.write(line.borealis, drafts.ringing(CALL, line.ring(), 2))


def declined(line: SignedLine) -> None:
    line.write(line.borealis, drafts.decline(CALL, line.ring(), WHY))


def missed(line: SignedLine) -> None:
    rung = line.ring()
    line.write(line.borealis, drafts.ringing(CALL, rung, 2))
    line.write(line.borealis, drafts.missed(CALL, rung))


def cancelled(line: SignedLine) -> None:
    line.write(line.arcadia, drafts.cancel(CALL, line.ring(), WHY))


def answered_too_late(line: SignedLine) -> None:
    rung = line.ring()
    seen = line.arcadia.log
    line.write(line.arcadia, drafts.cancel(CALL, rung))
    held, line.arcadia.log = line.arcadia.log, seen.copy(3)  # type: ignore[assignment]
    line.answer(rung)
    line.arcadia.log = held


def failed(line: SignedLine) -> None:
    line.ring()
    line.write(line.arcadia, drafts.fail(CALL, Text("en", "node restarted")))


def ended(line: SignedLine) -> None:
    line.ring_off()


@dataclass(frozen=True)
class End:
    """One way in which a ring ends, and what is to be said of it."""

    acts: Callable[[SignedLine], None]
    outcome: str
    told: str
    """In README.txt and call.json."""
    shown: str
    """In the report, from receipts alone; empty: nothing besides the acts."""


ENDS = [
    End(ring, "ringing", "still ringing", "no answer, refusal or end of it is in this folder"),
    End(ringing, "ringing", "still ringing", "logged that 2 of its devices rang; no answer"),
    End(declined, "declined", "its node logged a refusal", "logged that the call was not taken"),
    End(missed, "missed", "nobody answered at borealis.example", "nobody had answered there"),
    End(cancelled, "cancelled", "took its ring back", "logged that the ring was taken back"),
    End(answered_too_late, "cancelled", "took its ring back", "Which of these acts count"),
    End(failed, "failed", "could not be carried on", "could not be carried on"),
    End(ended, "ended", "the call was ended", ""),
]
EVERY_END = pytest.mark.parametrize("end", ENDS, ids=lambda end: end.acts.__name__)


def words(report: PathReport) -> str:
    return format_words(VerifyReport((report,)))


def plain(text: bytes | str) -> str:
    """Return a text without its line breaks."""
    return " ".join((text if isinstance(text, str) else text.decode()).split())


@EVERY_END
@pytest.mark.parametrize("side", [ARCADIA, BOREALIS])
def test_each_end_is_told_and_proven_from_either_side(end: End, side: str, tmp_path: Path) -> None:
    line = SignedLine().open()
    end.acts(line)
    files = export(line, tmp_path / "call", side=side)
    summary = json.loads(files["call.json"])
    assert summary["outcome"] == end.outcome
    assert end.told in summary["words"]
    assert end.told in plain(files["README.txt"])
    assert summary["not_countersigned"] == []
    report = check(files, card_keys(line))
    assert report.verdict is Verdict.PROVEN
    assert end.shown in plain(words(report))
    assert bool(end.shown) == any("Of the ring:" in one for one in report.also)
    assert (UNSEEN in report.not_shown) == (end.acts not in (ended, answered_too_late))
    assert check(files).verdict is Verdict.CONSISTENT


@EVERY_END
def test_the_least_layer_claims_nothing_that_it_does_not_show(end: End, tmp_path: Path) -> None:
    line = SignedLine().open()
    end.acts(line)
    for layer in LAYER_NAMES:
        files = export(line, tmp_path / layer, layer=layer)
        said = json.loads(files["call.json"])["words"]
        if end.outcome in ("ended", "failed", "ringing") and layer == LAYER_NAMES[0]:
            assert "does not say" in said
        else:
            assert end.told in said
        assert check(files, card_keys(line)).verdict is Verdict.PROVEN


def silent(*, signed: bool) -> SignedLine:
    """Return a line on which Arcadia rang and gave up, and Borealis' node was never heard."""
    line = SignedLine().open()
    rung = line.ring()
    del line.arcadia.log.notes[3]
    line.write(line.arcadia, drafts.cancel(CALL, rung), cosigned=False)
    if signed:
        line.sign_alone(line.arcadia)
    return line


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("whole_log", [True, False])
def test_a_ring_that_nobody_else_held_is_never_proven(
    signed: bool, whole_log: bool, tmp_path: Path
) -> None:
    line = silent(signed=signed)
    files = export(line, tmp_path / "call", whole_log=whole_log)
    assert ("ours/alone/000002-call.ring.tlog-proof" in files) == signed
    assert "ours/alone/000002-call.ring.opened.json" in files
    told = json.loads(files["call.json"])["words"]
    assert "borealis.example is not shown to have held the ring" in told
    assert "proves nothing about borealis.example" in plain(files["README.txt"])
    assert "SIDE/alone/" in files["README.txt"].decode()
    one = keys_from_cards(line.cards[:1])
    for keys in (card_keys(line), None, one) if not whole_log else (card_keys(line), None):
        report = check(files, keys)
        assert report.verdict is Verdict.NOT_PROVEN
        said = words(report)
        assert "nobody else is shown to have held it" in said
        assert "no proof that the other side was rung" in said
        assert ("signed that it did" in said) == signed
        assert "“the river”" in said
        assert "held it, with what it was owed" not in said
    assert '"author_alone"' in format_json(VerifyReport((report,)))


def test_what_was_answered_stays_proven_beside_what_was_not_countersigned(tmp_path: Path) -> None:
    line = SignedLine().open()
    line.answer(line.ring())
    line.write(line.arcadia, drafts.hang_up(CALL, handle(line.arcadia)), cosigned=False)
    line.sign_alone(line.arcadia)
    files = export(line, tmp_path / "call")
    report = check(files, card_keys(line))
    assert report.verdict is Verdict.PROVEN
    (one,) = report.alone
    assert one.path == "ours/alone/000003-call.hang-up"
    assert "not countersigned" in words(report)


def test_the_other_sides_act_that_we_did_not_countersign_is_shown_as_theirs_alone(
    tmp_path: Path,
) -> None:
    line = SignedLine().open()
    rung = line.ring()
    line.write(line.borealis, drafts.decline(CALL, rung, WHY), cosigned=False)
    line.sign_alone(line.borealis)
    report = check(export(line, tmp_path / "call"), card_keys(line))
    (one,) = report.alone
    assert one.path == "theirs/alone/000002-call.decline"
    assert "borealis.example/line/" in one.says


def test_a_ring_that_was_held_when_it_was_over_is_said_to_be_late(tmp_path: Path) -> None:
    line = silent(signed=True)
    line.now_us += 3_600 * 1_000_000
    line.sign(line.arcadia)
    report = check(export(line, tmp_path / "call"), card_keys(line))
    assert report.verdict is Verdict.PROVEN
    assert "The ring was held by the other side 3602 seconds after" in plain(words(report))


def test_every_change_of_what_lies_alone_is_a_fault(tmp_path: Path) -> None:
    line = silent(signed=True)
    files = export(line, tmp_path / "call")
    stem = "ours/alone/000002-call.ring"
    other = SignedLine(seeds=(7, 71)).open()
    moved = {path.replace("000002", "000009"): data for path, data in files.items()}
    false = [
        {**files, stem + ".entry": files[stem + ".entry"].replace(b'"track":1', b'"track":2')},
        {**files, stem + ".entry": b"no entry"},
        {
            **files,
            stem + ".opened.json": files[stem + ".opened.json"].replace(b'"key":"', b'"key":"00'),
        },
        {path: data for path, data in files.items() if path != stem + ".entry"},
        moved,
        {path.replace("ours/alone", "theirs/alone"): data for path, data in files.items()},
        {path.replace("-call.ring", "-call.join"): data for path, data in files.items()},
    ]
    for forged in false:
        report = check_forged(forged, card_keys(line))
        assert report.verdict is Verdict.NOT_PROVEN
        assert not any("nothing in it" in fault for fault in report.faults), report.faults
    assert check(files, card_keys(other)).verdict is Verdict.NOT_PROVEN


def test_an_unsigned_act_of_another_call_lends_this_one_nothing(tmp_path: Path) -> None:
    line = silent(signed=False)
    files = export(line, tmp_path / "call")
    stem = "ours/alone/000002-call.ring.entry"
    forged = {**files, stem: files[stem].replace(CALL.encode(), b"ab" * 16)}
    report = check_forged(forged, card_keys(line))
    assert any("is no act of the call" in fault for fault in report.faults)


def test_a_summary_of_the_first_version_without_words_is_read(tmp_path: Path) -> None:
    line = SignedLine().open().ring_off()
    files = export(line, tmp_path / "call", whole_log=True)
    summary = json.loads(files["call.json"])
    del summary["words"]
    old = {**files, "call.json": json.dumps(summary).encode()}
    assert check_forged(old, card_keys(line)).verdict is Verdict.PROVEN

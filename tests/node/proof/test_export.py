"""What an export shows by layer, what it leaves out, and that it is written whole or not at all."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.signed_line import BOREALIS, CALL, SignedLine, handle
from node.proof.rig import RECORDING_NAME, card_keys, check, export, read_folder
from telcon.core import draft as drafts
from telcon.core.seal import Text
from telcon.errors import MisuseError, OperatorError, ProofError, StorageError
from telcon.node.proof import Verdict, export_call
from telcon.node.proof.export import newest_cosigned
from telcon.node.proof.files import read_pieces

TALK = SignedLine().open().talk()


def stems(files: dict[str, bytes]) -> set[str]:
    proofs = {path for path in files if path.endswith(".tlog-proof")}
    return {path.removesuffix(".tlog-proof").split("/")[2][7:] for path in proofs}


def opened(files: dict[str, bytes]) -> set[str]:
    shown = [json.loads(data) for path, data in files.items() if path.endswith(".opened.json")]
    return {opening["member"] for file in shown for opening in file["openings"]}


EXISTENCE = {"call.ring", "call.ringing", "call.answer"}
CONTENT = {"call.record-on", "call.record-chunk", "call.record-off", "message"}


@pytest.mark.parametrize(
    ("layer", "types", "members"),
    [
        ("existence", EXISTENCE, set()),
        ("duration", EXISTENCE | {"call.hang-up"}, set()),
        ("participants", EXISTENCE | {"call.hang-up"}, {"person"}),
        ("topic", EXISTENCE | {"call.hang-up"}, {"person", "topic"}),
        (
            "content",
            EXISTENCE | {"call.hang-up"} | CONTENT,
            {"person", "topic", "media", "key", "from", "to", "text"},
        ),
    ],
)
def test_a_layer_shows_its_types_and_openings_and_no_more(
    layer: str, types: set[str], members: set[str], tmp_path: Path
) -> None:
    files = export(TALK, tmp_path / "call", layer=layer)
    assert (stems(files), opened(files)) == (types, members)
    assert (f"recordings/{RECORDING_NAME}" in files) == (layer == "content")
    assert not any("/log/" in path for path in files)
    assert check(files, card_keys(TALK)).verdict is Verdict.PROVEN


def test_existence_does_not_tell_when_or_how_the_call_ended(tmp_path: Path) -> None:
    summary = json.loads(export(TALK, tmp_path / "call", layer="existence")["call.json"])
    assert (summary["outcome"], summary["ended"], summary["mode"]) == ("answered", "", "")
    assert b"ended" not in b"".join(
        data for path, data in read_folder(tmp_path / "call").items() if path.endswith(".entry")
    )


def test_existence_tells_of_a_refusal(tmp_path: Path) -> None:
    line = SignedLine().open()
    line.write(line.borealis, drafts.decline(CALL, line.ring(), Text("en", "not now")))
    files = export(line, tmp_path / "call", layer="existence")
    assert json.loads(files["call.json"])["outcome"] == "declined"
    assert (stems(files), opened(files)) == ({"call.ring", "call.decline"}, set())


def test_a_call_that_still_rings_can_be_exported(tmp_path: Path) -> None:
    line = SignedLine().open()
    line.ring()
    files = export(line, tmp_path / "call", layer="existence")
    assert json.loads(files["call.json"])["outcome"] == "rung"


def test_the_summary_is_plain(tmp_path: Path) -> None:
    summary = json.loads(export(TALK, tmp_path / "call")["call.json"])
    assert (summary["outcome"], summary["mode"]) == ("ended", "audio")
    assert (summary["ours"], summary["theirs"]) == ("arcadia.example", "borealis.example")
    assert summary["ended"] == "2026-09-21 14:13:33.000000 UTC"
    assert summary["recordings"][0]["signed_in"] == "ours/receipts/000007-call.record-off"


def test_either_side_can_export_the_call(tmp_path: Path) -> None:
    files = export(TALK, tmp_path / "call", side=BOREALIS)
    assert "theirs/receipts/000002-call.ring.entry" in files
    report = check(files, card_keys(TALK))
    assert report.verdict is Verdict.PROVEN
    assert f"recordings/{RECORDING_NAME}" not in report.unsigned


def test_whole_logs_bear_all_entries_and_no_further_openings(tmp_path: Path) -> None:
    files = export(TALK, tmp_path / "call", whole_log=True)
    entries = files["theirs/log/tile/entries/000.p/7"]
    assert all(entry in entries for entry in TALK.borealis.log.all_entries())
    assert "theirs/receipts/000005-message.entry" not in files


def test_acts_that_the_other_side_has_not_cosigned_are_left_out_and_named(tmp_path: Path) -> None:
    line = SignedLine().open()
    line.answer(line.ring())
    line.write(line.arcadia, drafts.hang_up(CALL, handle(line.arcadia)), cosigned=False)
    files = export(line, tmp_path / "call", whole_log=True)
    assert stems(files) == {"call.ring", "call.answer"}
    named = json.loads(files["call.json"])["not_countersigned"]
    assert named == ["ours: 000003-call.hang-up"]
    assert check(files, card_keys(line)).verdict is Verdict.PROVEN


def test_the_receipt_bears_the_earliest_cosigned_checkpoint(tmp_path: Path) -> None:
    files = export(TALK, tmp_path / "call")
    note = TALK.arcadia.log.notes[3].note
    assert files["ours/receipts/000002-call.ring.tlog-proof"].endswith(b"\n\n" + note)


def test_void_acts_are_not_shown(tmp_path: Path) -> None:
    line = SignedLine().open().ring_off()
    line.write(line.borealis, drafts.hang_up(CALL, handle(line.borealis)))
    line.write_bytes(line.borealis, b'{"type":"call.hang-up"}')
    assert "theirs/receipts/000003-call.hang-up.entry" not in export(line, tmp_path / "call")


def test_an_act_that_lost_is_shown_as_without_effect(tmp_path: Path) -> None:
    line = SignedLine().open()
    rung = line.ring()
    blind = line.arcadia.log.copy()
    line.answer(rung)
    cancelled(line, blind_to=2)
    entries = json.loads(export(line, tmp_path / "call")["call.json"])["entries"]
    assert [entry["effect"] for entry in entries if entry["type"] == "call.answer"] == ["none"]
    assert blind.size == 3


def cancelled(line: SignedLine, blind_to: int) -> None:
    """Let Arcadia cancel without having seen more than `blind_to` entries of Borealis."""
    hidden = line.borealis.log.rows[blind_to:]
    del line.borealis.log.rows[blind_to:]
    line.write(line.arcadia, drafts.cancel(CALL, (line.arcadia.log.origin, 2)))
    line.borealis.log.rows += hidden


def test_when_both_rang_at_once_both_rings_are_shown(tmp_path: Path) -> None:
    line = SignedLine().open()
    own = "0b0b" * 8
    theirs = line.ring(CALL, line.borealis)
    line.arcadia.log.rows, before = line.arcadia.log.rows[:], line.borealis.log.rows[:]
    del line.borealis.log.rows[2:]
    rung = line.ring(own, line.arcadia)
    line.borealis.log.rows[:] = before
    line.answer(theirs, CALL, own_ring=rung)
    files = export(line, tmp_path / "call", whole_log=True)
    assert {"ours/receipts/000002-call.ring.entry", "theirs/receipts/000002-call.ring.entry"} <= (
        files.keys()
    )
    assert len(json.loads(files["call.json"])["initiated_by"]) == 2
    assert check(files, card_keys(line)).verdict is Verdict.PROVEN


def test_an_unknown_call_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="no call"):
        export(SignedLine().open(), tmp_path / "call")
    assert not list(tmp_path.glob("*call*[!s]"))


def test_an_unknown_layer_is_misuse(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="no layer"):
        export(TALK, tmp_path / "call", layer="everything")


def test_a_folder_that_is_not_empty_is_refused_untouched(tmp_path: Path) -> None:
    out = tmp_path / "call"
    out.mkdir()
    (out / "kept").write_text("kept")
    with pytest.raises(OperatorError, match="not an empty folder") as caught:
        export(TALK, out)
    assert caught.value.advice()
    assert read_folder(out) == {"kept": b"kept"}


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "call").mkdir()
    assert export(TALK, tmp_path / "call")


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_folder_is_refused(kind: str, tmp_path: Path) -> None:
    out = tmp_path / "call"
    out.write_text("x") if kind == "file" else out.symlink_to(tmp_path / "nowhere")
    with pytest.raises(OperatorError):
        export(TALK, out)


def test_a_place_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not be written"):
        export_call(
            TALK.arcadia.log,
            TALK.borealis.log,
            own_card=TALK.arcadia.card,
            peer_card=TALK.borealis.card,
            call=CALL,
            out=tmp_path / "no" / "call",
        )


def export_with(recordings: list[tuple[str, Iterable[bytes]]], out: Path) -> None:
    export_call(
        TALK.arcadia.log,
        TALK.borealis.log,
        own_card=TALK.arcadia.card,
        peer_card=TALK.borealis.card,
        call=CALL,
        out=out,
        recordings=recordings,
    )


def test_a_recording_that_cannot_be_read_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not be read"):
        export_with([("a.opus", read_pieces(tmp_path / "missing"))], tmp_path / "call")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "..", "a/b", "../a", ".hidden", "a b", "a\n", "ä"])
def test_a_recording_needs_a_plain_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="plain"):
        export_with([(name, [b""])], tmp_path / "call")
    assert not (tmp_path / "call").exists()


def test_a_store_whose_proofs_do_not_hold_exports_nothing(tmp_path: Path) -> None:
    line = SignedLine().open().ring_off()
    line.arcadia.log.notes[3] = replace(line.arcadia.log.notes[4], size=3)
    with pytest.raises(ProofError):
        export(line, tmp_path / "call")
    assert not (tmp_path / "call").exists()


def test_whole_logs_need_a_cosigned_checkpoint(tmp_path: Path) -> None:
    line = SignedLine().open().ring_off()
    line.borealis.log.notes.clear()
    with pytest.raises(StorageError, match="cosigned yet"):
        export(line, tmp_path / "call", whole_log=True)


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    export(TALK, tmp_path / "call")
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "call").rglob("*")}
    assert modes == {0o600, 0o700}


def test_the_readme_says_what_to_do(tmp_path: Path) -> None:
    text = export(TALK, tmp_path / "call", whole_log=True)["README.txt"].decode()
    assert "telcon verify" in text
    assert "C2SP tlog-proof" in text
    assert "ours/log/" in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_newest_cosigned_checkpoint_is_found_whatever_lies_between() -> None:
    line = SignedLine()
    assert newest_cosigned(line.arcadia.log) is None
    for number in range(12):
        line.write(line.arcadia, drafts.blank(), cosigned=number in {1, 2, 7})
        sizes = [size for size in (2, 3, 8) if size <= number + 1]
        newest = newest_cosigned(line.arcadia.log)
        assert (newest[0] if newest else None) == (sizes[-1] if sizes else None)

"""Words and JSON of a report: what is quoted cannot pass itself off as ours."""

import json
from pathlib import Path

import pytest

from fakes.signed_line import CALL, SignedLine, handle
from node.proof.rig import card_keys, check, export
from telcon.core import draft as drafts
from telcon.core.seal import Media, Opening, Person, Text, make_seal
from telcon.node.proof import PathReport, Verdict, VerifyReport, format_json, format_words
from telcon.node.proof.wording import escape, quote, utc_from_seconds, utc_from_us

MEDIA = Media("aa" * 32, "bb" * 32, "cc" * 32)


def report_of(line: SignedLine, folder: Path, *, given: bool = True) -> VerifyReport:
    files = export(line, folder / "call")
    return VerifyReport((check(files, card_keys(line) if given else None),))


def line_with(person: Person, topic: Text) -> SignedLine:
    line = SignedLine().open()
    line.write(
        line.arcadia,
        drafts.ring(
            CALL,
            handle(line.arcadia),
            mode="audio",
            track=1,
            person=person,
            media=MEDIA,
            topic=topic,
        ),
    )
    return line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, Grüße, Привет", "plain text, Grüße, Привет"),
        ("a\nb\t", "a\\u{a}b\\u{9}"),
        ("\u202eabc\u2066", "\\u{202e}abc\\u{2066}"),
        ("a\u200bb\u00a0c\u2028", "a\\u{200b}b\\u{a0}c\\u{2028}"),
        ("\x1b[31m", "\\u{1b}[31m"),
        ("\\u{a}", "\\\\u{a}"),
        ("\udcff\ue000", "\\u{dcff}\\u{e000}"),
    ],
)
def test_what_cannot_be_seen_or_turns_text_is_escaped(text: str, shown: str) -> None:
    assert escape(text) == shown
    assert quote(text) == f"“{shown}”"


def test_times_are_utc_and_those_beyond_the_calendar_are_numbers() -> None:
    assert utc_from_us(1_790_000_000_000_001) == "2026-09-21 14:13:20.000001 UTC"
    assert utc_from_us(2**53) == "2255-06-05 23:47:34.740992 UTC"
    assert utc_from_seconds(1_790_000_000) == "2026-09-21 14:13:20 UTC"
    assert utc_from_seconds(2**63 - 1) == f"{2**63 - 1} seconds after 1970 UTC"
    assert utc_from_us(2**63) == f"{2**63} microseconds after 1970 UTC"


def test_quoted_names_and_topics_cannot_break_out(tmp_path: Path) -> None:
    person = Person("en", "Ada\nNOT PROVEN", "\u202etnediserP", "Arcadia”, sitting")
    words = format_words(report_of(line_with(person, Text("en", "a\r\nb")), tmp_path))
    assert "“Ada\\u{a}NOT PROVEN”, “\\u{202e}tnediserP”, “Arcadia\\u{201d}, sitting”" in words
    assert "as the author's node states" in words
    assert "topic: “a\\u{d}\\u{a}b”" in words


def test_what_is_sealed_but_unreadable_is_said_to_be(tmp_path: Path) -> None:
    line = SignedLine().open()
    key, content = bytes(32), b"no JSON"
    line.ring()
    entry = line.arcadia.log.rows.pop()[0]
    shown = line.arcadia.log.opened[2][0]
    seal = make_seal(line.arcadia.log.origin, "call.ring", "person", shown.key, shown.content)
    other = make_seal(line.arcadia.log.origin, "call.ring", "person", key, content)
    line.write_bytes(
        line.arcadia,
        entry.replace(seal.encode(), other.encode()),
        (Opening("person", key, content),),
    )
    report = report_of(line, tmp_path)
    assert report.exit_code == 0
    assert "person: unreadable, 7 octets; they are what was sealed" in format_words(report)
    (opened,) = json.loads(format_json(report))["paths"][0]["receipts"][0]["opened"]
    assert opened == {"member": "person", "unreadable": True, "content": "bm8gSlNPTg=="}


def test_a_folder_under_its_own_keys_is_called_consistent_with_a_caution(tmp_path: Path) -> None:
    words = format_words(report_of(SignedLine().open().talk(), tmp_path, given=False))
    assert "CONSISTENT under the keys in this folder" in words
    assert "Anyone can run two nodes and invent a counterpart" in words
    assert "PROVEN" not in words


def test_a_proven_folder_says_what_is_not_shown_and_what_nobody_signed(tmp_path: Path) -> None:
    words = format_words(report_of(SignedLine().open().talk(), tmp_path))
    assert "PROVEN under the keys you gave" in words
    for part in ("which person spoke or heard", "no other line exists", "clocks were right"):
        assert part in words
    assert "signed by nobody:\n    README.txt\n    call.json\n" in words


def test_json_says_the_same(tmp_path: Path) -> None:
    report = report_of(SignedLine().open().talk(), tmp_path)
    data = json.loads(format_json(report))
    assert (data["verdict"], data["exit"]) == ("proven", 0)
    receipt = data["paths"][0]["receipts"][0]
    assert (receipt["type"], receipt["index"], receipt["call"]) == ("call.ring", 2, CALL)
    assert receipt["cosigned"][0]["time"] == 1_790_000_006
    assert [opened["member"] for opened in receipt["opened"]] == ["person", "topic", "media"]
    assert receipt["opened"][1]["text"] == "the river"


def test_faults_are_escaped_and_receipts_of_a_bad_folder_are_not_recited() -> None:
    report = VerifyReport((PathReport("a\nb", Verdict.NOT_PROVEN, ("x\ny",)),))
    assert format_words(report) == "a\\u{a}b: NOT PROVEN\n  x\\u{a}y\n"
    assert json.loads(format_json(report))["paths"][0]["faults"] == ["x\ny"]


def test_the_worst_verdict_is_not_proven_then_unreadable_then_consistent() -> None:
    order = (Verdict.NOT_PROVEN, Verdict.UNREADABLE, Verdict.CONSISTENT, Verdict.PROVEN)
    for number, worst in enumerate(order):
        paths = tuple(PathReport("p", verdict) for verdict in reversed(order[number:]))
        assert VerifyReport(paths).verdict is worst

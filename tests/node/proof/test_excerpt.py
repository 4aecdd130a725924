"""One message out of many: shown with its text, and with proven counts of what is left out."""

from pathlib import Path

import pytest

from fakes.signed_line import ADA, BORIS, CALL, Node, SignedLine, handle
from node.proof.rig import card_keys, check, check_forged, read_folder
from node.proof.test_absence import claim
from telcon.core import draft as drafts
from telcon.core.seal import Text
from telcon.errors import OperatorError
from telcon.node.proof import Verdict, VerifyReport, export_message, format_words
from telcon.node.proof.excerpt import Talk, talk_around


def talk() -> tuple[SignedLine, dict[str, tuple[str, int]]]:
    """Return a line with a call of 39 messages, and where some of them stand."""
    line = SignedLine().open()
    a, b = line.arcadia, line.borealis
    places: dict[str, tuple[str, int]] = {}

    def say(who: Node, count: int, call: str | None = CALL) -> None:
        for n in range(count):
            words = Text("en", f"{who.name} {call} {n} of {count}")
            sender, receiver = (ADA, BORIS) if who is a else (BORIS, ADA)
            place = line.write(who, drafts.message(sender, receiver, words, call=call))
            places[words.text] = place

    say(a, 3, None)
    line.answer(line.ring())
    say(a, 12)
    say(b, 5)
    say(a, 20)
    say(b, 2)
    line.write(a, drafts.hang_up(CALL, handle(a)))
    say(b, 4, None)
    return line, places


LINE, PLACES = talk()
SHOWN = PLACES["arcadia.example " + CALL + " 4 of 20"]


def export(place: tuple[str, int], out: Path, line: SignedLine = LINE) -> dict[str, bytes]:
    export_message(
        line.arcadia.log,
        line.borealis.log,
        own_card=line.arcadia.card,
        peer_card=line.borealis.card,
        place=place,
        out=out,
    )
    return read_folder(out)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return export(SHOWN, tmp_path_factory.mktemp("excerpt") / "out")


def test_one_of_39_is_shown_with_the_counts_of_the_others(files: dict[str, bytes]) -> None:
    report = check(files, card_keys(LINE))
    assert report.verdict is Verdict.PROVEN, report.faults
    words = format_words(VerifyReport((report,)))
    assert f"text: “arcadia.example {CALL} 4 of 20”" in words
    assert f"This is one message of 39 of the call {CALL}" in words
    assert "Not shown are 38: by its author 16 before it and 15 after it" in words
    assert "by the other side 5 that its author had when writing it, and 2 others" in words
    assert "Not shown: what the messages say that are left out" in words


def test_nothing_else_is_opened(files: dict[str, bytes]) -> None:
    assert [path for path in files if "opened" in path] == [
        f"ours/receipts/{SHOWN[1]:06}-message.opened.json"
    ]
    assert b"3 of 20" not in b"".join(files.values())


def test_a_message_of_no_call_is_counted_among_those_of_no_call() -> None:
    place = PLACES["borealis.example None 1 of 4"]
    found = talk_around(LINE.arcadia.log, LINE.borealis.log, place)
    assert found == Talk("", before=1, after=2, other_before=3, other_after=0)


@pytest.mark.parametrize("who", ["arcadia.example", "borealis.example"])
def test_who_claims_to_have_seen_what_is_not_there_hides_no_message(who: str) -> None:
    line = SignedLine().open()
    claim(line, 1 << 40)
    for number in range(5):
        line.write(line.arcadia, drafts.message(ADA, BORIS, Text("en", f"no {number}")))
    place = line.write(line.borealis, drafts.message(BORIS, ADA, Text("en", "then we agree")))
    line.write(line.arcadia, drafts.message(ADA, BORIS, Text("en", "we do not")))
    own = next(node for node in (line.arcadia, line.borealis) if node.name == who)
    found = talk_around(own.log, line.other(own).log, place)
    assert found == Talk("", before=0, after=0, other_before=5, other_after=1)


def test_without_cards_it_is_only_consistent(files: dict[str, bytes]) -> None:
    assert check(files).verdict is Verdict.CONSISTENT


@pytest.mark.parametrize("member", ["before", "after", "other_before", "other_after"])
def test_counts_that_the_logs_contradict_are_refused(files: dict[str, bytes], member: str) -> None:
    lines = files["excerpt.json"].splitlines()
    at = next(n for n, one in enumerate(lines) if f'"{member}"'.encode() in one)
    lines[at] = f'  "{member}": 0{"," if member != "other_after" else ""}'.encode()
    report = check_forged(files | {"excerpt.json": b"\n".join(lines)}, card_keys(LINE))
    assert report.faults == ("excerpt.json says another call or count than the whole logs",)


def test_a_message_said_to_be_of_another_call_is_refused(files: dict[str, bytes]) -> None:
    other = files["excerpt.json"].replace(CALL.encode(), b"0" * 32)
    assert check_forged(files | {"excerpt.json": other}).verdict is Verdict.NOT_PROVEN


@pytest.mark.parametrize("gone", ["theirs/log/", "ours/log/", "ours/receipts/"])
def test_nothing_that_proves_may_be_missing(files: dict[str, bytes], gone: str) -> None:
    bare = {path: data for path, data in files.items() if not path.startswith(gone)}
    assert check_forged(bare, card_keys(LINE)).verdict is Verdict.NOT_PROVEN


def test_another_text_is_refused(files: dict[str, bytes], tmp_path: Path) -> None:
    other = export((SHOWN[0], SHOWN[1] + 1), tmp_path / "other")
    opened = f"ours/receipts/{SHOWN[1]:06}-message.opened.json"
    foreign = other[f"ours/receipts/{SHOWN[1] + 1:06}-message.opened.json"]
    assert check_forged(files | {opened: foreign}, card_keys(LINE)).verdict is Verdict.NOT_PROVEN


@pytest.mark.parametrize("place", [(SHOWN[0], 0), (SHOWN[0], 10**6), ("nowhere", 5)])
def test_what_is_no_message_is_refused(place: tuple[str, int], tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="no message"):
        export(place, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_message_that_had_no_effect_is_refused(tmp_path: Path) -> None:
    line = SignedLine().open()
    place = line.write(line.arcadia, drafts.message(ADA, BORIS, Text("en", "hm"), call="0" * 32))
    with pytest.raises(OperatorError, match="no message"):
        export(place, tmp_path / "out", line)


def test_two_messages_are_no_excerpt(files: dict[str, bytes], tmp_path: Path) -> None:
    other = export((SHOWN[0], SHOWN[1] + 1), tmp_path / "other")
    both = files | {path: data for path, data in other.items() if "/receipts/" in path}
    report = check_forged(both, card_keys(LINE))
    assert report.faults == ("it does not show exactly one message",)

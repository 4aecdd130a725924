"""That a line had no call in a time: shown, refused, and never more claimed than is shown.

The line is tested each hour from midnight on; the time in question is from 04:00 to 08:00. Whoever
forges here does it from inside: with the log key of one side and the mirror key of that side.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fakes.signed_line import ADA, CALL, Node, SignedLine, handle
from node.proof.rig import card_keys, check, check_forged, read_folder
from telcon.core import draft as drafts
from telcon.core.coverage import ALWAYS, read_hours
from telcon.core.draft import compose
from telcon.core.entry import MODES, Mode
from telcon.errors import OperatorError
from telcon.ledger import (
    COSIGNATURE_ED25519,
    Checkpoint,
    SigningKey,
    VerifierKey,
    add_signature_lines,
    cosign,
    format_checkpoint,
    log_files,
    root_at,
    sign_checkpoint,
)
from telcon.node.proof import Verdict, VerifyReport, attest_none, format_words
from telcon.node.proof import attest as attest_module
from telcon.node.proof.absence import Bounds, Until, survey
from telcon.node.proof.layout import CoverageAccount, format_account
from telcon.node.proof.trust import keys_from_cards
from telcon.node.proof.wording import utc_from_us

HOUR_US = 3_600_000_000
MIDNIGHT_US = 1_790_035_200_000_000  # 2026-09-22 00:00:00 UTC
FROM_US, TO_US = MIDNIGHT_US + 4 * HOUR_US, MIDNIGHT_US + 8 * HOUR_US
RING = b'{"type":"call.ring"'

Act = Callable[[SignedLine], None]


def at(line: SignedLine, hours: float) -> SignedLine:
    """Let the time be so many hours after midnight."""
    line.now_us = MIDNIGHT_US + round(hours * HOUR_US)
    return line


def day(*, acts: dict[float, Act] | None = None, until: int = 12) -> SignedLine:
    """Return a line opened at midnight, tested each hour, with `acts` at their hours."""
    line = at(SignedLine(), 0).open()
    due: dict[float, Act] = {float(hour): SignedLine.test for hour in range(1, until + 1)}
    for hour, act in sorted([*due.items(), *(acts or {}).items()], key=lambda item: item[0]):
        act(at(line, hour))
    return line


def call(line: SignedLine) -> None:
    line.ring_off()


def hologram(line: SignedLine) -> None:
    line.write_bytes(line.arcadia, b'{"type":"call.hologram","v":1}')


def claim(line: SignedLine, size: int) -> None:
    """Let Borealis say that it has seen so much of Arcadia's log, which is not there."""
    data, openings, _ = compose(
        drafts.line_test(),
        origin=line.borealis.log.origin,
        time_us=line.now_us,
        seen=(size, b"\x77" * 32),
        random=line.random.randbytes,
    )
    line.write_bytes(line.borealis, data, openings)


def attest(line: SignedLine, out: Path, own: Node | None = None) -> dict[str, bytes]:
    own = own or line.arcadia
    peer = line.other(own)
    attest_none(
        own.log,
        peer.log,
        own_card=own.card,
        peer_card=peer.card,
        from_us=FROM_US,
        to_us=TO_US,
        out=out,
    )
    return read_folder(out)


def words_of(files: dict[str, bytes], line: SignedLine) -> str:
    report = check(files, card_keys(line))
    assert report.verdict is Verdict.PROVEN, report.faults
    return format_words(VerifyReport((report,)))


def refusal(line: SignedLine, out: Path) -> str:
    with pytest.raises(OperatorError) as caught:
        attest(line, out)
    assert not out.exists()
    return str(caught.value)


def faults(files: dict[str, bytes], line: SignedLine) -> str:
    """Return why a forged folder is not proven."""
    report = check_forged(files, card_keys(line))
    assert report.verdict is Verdict.NOT_PROVEN
    return "; ".join(report.faults)


# -- what is shown


def test_a_quiet_time_is_proven_and_bounded(tmp_path: Path) -> None:
    line = day()
    words = words_of(attest(line, tmp_path / "out"), line)
    assert "has a call in the time from 2026-09-22 04:00:00.000000 UTC to 2026-09-22 08:" in words
    assert "If one of the two nodes told the truth and its clock was right" in words
    assert "Line tests asked and answered within that time: 4." in words
    assert "The nearest answered line test of before it: asked 2026-09-22 03:00:01" in words
    assert "The nearest answered line test of after it: asked 2026-09-22 08:00:01" in words
    assert "the bound is wide" not in words
    assert "Not shown: what was said on other lines and other channels" in words


def opened_at(hours: float) -> SignedLine:
    """Return a line that was opened so many hours after midnight, and tested until noon."""
    line = at(SignedLine(), hours).open()
    for hour in range(int(hours) + 1, 13):
        at(line, hour).test()
    return line


def test_of_a_time_before_the_line_it_shows_only_that_there_was_no_line(tmp_path: Path) -> None:
    line = opened_at(5.5)
    words = words_of(attest(line, tmp_path / "out"), line)
    assert "The line was opened at 2026-09-22 05:30:01.000000 UTC by arcadia.example's" in words
    assert "of before then this shows only that the line was not there to be called on" in words
    before = day()
    assert "The line was opened" not in words_of(attest(before, tmp_path / "other"), before)


def test_the_readme_says_when_a_line_was_opened_that_is_younger_than_the_time(
    tmp_path: Path,
) -> None:
    line = opened_at(5.5)
    readme = " ".join(attest(line, tmp_path / "out")["README.txt"].decode().split())
    bounded = "to 2026-09-22 08:00:00.000000 UTC. The line was opened at 2026-09-22 05:30:01.000000"
    assert bounded in readme
    assert "of before then this shows only that the line was not there" in readme
    older = attest(day(), tmp_path / "older")["README.txt"]
    assert b"08:00:00.000000 UTC.\n\nIt is about this one line." in older


def test_a_time_that_was_over_when_the_line_was_opened_is_not_attested(tmp_path: Path) -> None:
    said = refusal(opened_at(8.5), tmp_path / "out")
    assert "the line was opened at 2026-09-22 08:30:0" in said
    assert "it was not there to be called on" in said


def test_a_folder_of_a_time_before_the_line_is_still_proven_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = opened_at(8.5)
    monkeypatch.setattr(attest_module, "_require_opened", lambda *_: None)
    words = words_of(attest(line, tmp_path / "out"), line)
    assert "after that time: this shows only that the line was not there" in words


def test_without_cards_it_is_only_consistent(tmp_path: Path) -> None:
    assert check(attest(day(), tmp_path / "out")).verdict is Verdict.CONSISTENT


@pytest.mark.parametrize("hour", [3.5, 3.998, 8.0006, 9.5])
def test_calls_before_and_after_do_not_touch(hour: float, tmp_path: Path) -> None:
    line = day(acts={hour: call})
    assert "Neither log" in words_of(attest(line, tmp_path / "out"), line)


def test_nothing_is_shown_of_what_came_long_after(tmp_path: Path) -> None:
    line = day(acts={10.5: call})
    files = attest(line, tmp_path / "out")
    sizes = [int(files[f"{side}/log/checkpoint"].split(b"\n")[1]) for side in ("ours", "theirs")]
    assert sizes[0] < line.arcadia.log.size
    assert sizes[1] < line.borealis.log.size
    assert RING not in b"".join(files.values())


def test_no_content_is_opened(tmp_path: Path) -> None:
    line = day(acts={3.5: call})
    files = attest(line, tmp_path / "out")
    assert not [path for path in files if "opened" in path]
    assert b"Ada Example" not in b"".join(files.values())


def test_thousands_of_entries_are_read(tmp_path: Path) -> None:
    def talk(line: SignedLine) -> None:
        written = [bytes([65 + n % 26]) * 300 for n in range(3_000)]  # read by nobody, held by both
        line.arcadia.log.fill(written)
        line.sign(line.arcadia)

    line = day(acts={5.5: talk})
    words_of(attest(line, tmp_path / "out"), line)


# -- calls that touch the time


@pytest.mark.parametrize("hour", [4.0, 5.25, 7.999])
def test_a_call_inside_is_refused_by_its_place_alone(hour: float, tmp_path: Path) -> None:
    why = refusal(day(acts={hour: call}), tmp_path / "out")
    assert "its ring is entry" in why
    assert "Ada" not in why


def test_a_call_over_the_border_is_refused(tmp_path: Path) -> None:
    def ring(line: SignedLine) -> None:
        line.answer(line.ring())

    def hang_up(line: SignedLine) -> None:
        line.write(line.arcadia, drafts.hang_up(CALL, handle(line.arcadia)))

    assert "touches" in refusal(day(acts={3.9: ring, 4.1: hang_up}), tmp_path / "in")
    assert "touches" in refusal(day(acts={3.9: ring, 8.1: hang_up}), tmp_path / "through")
    assert "touches" in refusal(day(acts={7.9: ring, 8.1: hang_up}), tmp_path / "out")
    assert "touches" in refusal(day(acts={2.5: ring}), tmp_path / "never")


def test_a_ring_that_nobody_answered_touches(tmp_path: Path) -> None:
    def missed(line: SignedLine) -> None:
        rung = line.ring(node=line.borealis)
        line.write(line.arcadia, drafts.missed(CALL, rung))

    assert "(missed)" in refusal(day(acts={5.5: missed}), tmp_path / "out")


@pytest.mark.parametrize("who", ["arcadia.example", "borealis.example"])
@pytest.mark.parametrize("ahead", [-1, 1])
def test_one_clock_that_is_wrong_by_an_hour_hides_no_call(
    who: str, ahead: int, tmp_path: Path
) -> None:
    for hour in (4.5, 7.5):

        def wrong(line: SignedLine) -> None:
            line.ahead_us[who] = ahead * HOUR_US

        line = day(acts={2.1: wrong, hour: call}, until=14)
        assert "touches" in refusal(line, tmp_path / str(hour))


def test_a_wrong_clock_is_named_where_there_was_no_call(tmp_path: Path) -> None:
    def wrong(line: SignedLine) -> None:
        line.ahead_us["borealis.example"] = -HOUR_US

    line = day(acts={0.1: wrong})
    words = words_of(attest(line, tmp_path / "out"), line)
    assert "a clock was wrong" in words


def test_a_liar_cannot_move_its_call_out_of_the_time(tmp_path: Path) -> None:
    """Arcadia's entries lie about when they were; Borealis wrote nothing of the call."""

    def lie(hours: float) -> Act:
        def act(line: SignedLine) -> None:
            line.ahead_us["arcadia.example"] = round(hours * HOUR_US)
            rung = line.ring()
            line.write(line.arcadia, drafts.cancel(CALL, rung))
            line.ahead_us["arcadia.example"] = 0

        return act

    assert "touches" in refusal(day(acts={5.5: lie(-3)}), tmp_path / "early")
    assert "touches" in refusal(day(acts={5.5: lie(+3)}), tmp_path / "late")


# -- logs that do not reach so far, and forged ones


@pytest.mark.parametrize("size", [14, 1 << 40])
@pytest.mark.parametrize("who", ["arcadia.example", "borealis.example"])
def test_who_claims_to_have_seen_what_is_not_there_hides_no_call(
    who: str, size: int, tmp_path: Path
) -> None:
    line = day(acts={3.5: lambda line: claim(line, size), 5.25: call})
    own = next(node for node in (line.arcadia, line.borealis) if node.name == who)
    with pytest.raises(OperatorError, match="a call touches that time"):
        attest(line, tmp_path / "out", own)


@pytest.mark.parametrize("until", [3, 7])
def test_a_log_that_ends_within_is_not_enough(until: int, tmp_path: Path) -> None:
    assert "does not reach beyond" in refusal(day(until=until), tmp_path / "out")


def test_a_log_cut_off_before_its_call_is_found(tmp_path: Path) -> None:
    """Arcadia shows its log as it was before it rang, with the checkpoint of then."""
    innocent, guilty = day(until=5), day(acts={5.5: call})
    honest = day()
    files = attest(honest, tmp_path / "out")
    cut = {path: data for path, data in files.items() if not path.startswith("ours/log/")}
    cut |= whole_log("ours", innocent, innocent.arcadia.log.size)
    cut["ours/after.checkpoint"] = cut["ours/log/checkpoint"]
    assert "before the time had ended" in faults(cut, guilty)
    del cut["ours/after.checkpoint"]
    assert "may have been cut off" in faults(cut, guilty)


def whole_log(
    side: str, line: SignedLine, size: int, note: bytes | None = None
) -> dict[str, bytes]:
    """Return the files of the first entries of a side's log."""
    log = (line.arcadia if side == "ours" else line.borealis).log
    entries = log.all_entries()
    files = dict(log_files(size, log.hash, lambda first, count: entries[first : first + count]))
    found = note or log.notes[size].note
    return {f"{side}/log/{path}": data for path, data in files.items()} | {
        f"{side}/log/checkpoint": found
    }


def test_whoever_mirrors_a_log_cannot_cut_it_off(tmp_path: Path) -> None:
    """Borealis rang. Arcadia cosigns an old checkpoint of Borealis' log anew, after the time."""

    def theirs(line: SignedLine) -> None:
        rung = line.ring(node=line.borealis)
        line.write(line.borealis, drafts.cancel(CALL, rung))

    honest, guilty = day(), day(acts={5.5: theirs})
    files = attest(honest, tmp_path / "out")
    log = at(guilty, 9).borealis.log
    size = next(n for n, data in enumerate(log.all_entries()) if data.startswith(RING))
    checkpoint = Checkpoint(log.origin, size, root_at(size, log.hash))
    anew = guilty.note(guilty.borealis, checkpoint, guilty.arcadia)
    cut = {path: data for path, data in files.items() if not path.startswith("theirs/log/")}
    cut |= whole_log("theirs", guilty, size, anew)
    cut["theirs/after.checkpoint"] = anew
    assert "is cut off: by its author's own clock" in faults(cut, guilty)


def test_a_second_history_is_found(tmp_path: Path) -> None:
    """Borealis signs a log without the call besides the one with it: two roots for one size."""
    honest, guilty = day(), day(acts={5.5: call})
    files = attest(honest, tmp_path / "out")
    size = int(files["theirs/after.checkpoint"].split(b"\n")[1])
    other = guilty.borealis.log.notes.get(size) or guilty.borealis.log.notes[size + 1]
    files["theirs/after.checkpoint"] = other.note
    assert "has another root, or none" in faults(files, honest)


def test_a_log_under_false_keys_is_not_proven(tmp_path: Path) -> None:
    false = at(SignedLine(seeds=(0, 128)), 0).open()
    for hour in range(1, 13):
        at(false, hour).test()
    files = attest(false, tmp_path / "out")
    assert check(files).verdict is Verdict.CONSISTENT
    assert check(files, card_keys(day())).verdict is Verdict.NOT_PROVEN


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_one_log_alone_is_not_proven(side: str, tmp_path: Path) -> None:
    line = day()
    files = attest(line, tmp_path / "out")
    bare = {path: data for path, data in files.items() if not path.startswith(f"{side}/log/")}
    assert "the checkpoint is missing" in faults(bare, line)


def test_the_time_in_question_cannot_be_stretched(tmp_path: Path) -> None:
    line = day(acts={9.5: call})
    files = attest(line, tmp_path / "out")
    later = str(MIDNIGHT_US + 10 * HOUR_US).encode()
    files["absence.json"] = files["absence.json"].replace(str(TO_US).encode(), later)
    assert "before the time had ended" in faults(files, line)
    files = attest(line, tmp_path / "again")
    earlier = str(MIDNIGHT_US + 1 * HOUR_US).encode()
    files["absence.json"] = files["absence.json"].replace(str(FROM_US).encode(), earlier)
    assert "was cosigned after the time had begun" in faults(files, line)


def test_a_call_whose_bound_is_left_out_touches(tmp_path: Path) -> None:
    """Without the bound of before, an earlier call cannot be placed on the other side's clock."""

    def cancelled(line: SignedLine) -> None:
        line.write(line.arcadia, drafts.cancel(CALL, line.ring()))

    line = day(acts={3.5: cancelled}, until=12)
    files = attest(line, tmp_path / "out")
    del files["ours/before.checkpoint"]
    assert "touches" in faults(files, line)


def test_a_line_that_is_younger_than_the_time_is_bounded_by_its_opening(tmp_path: Path) -> None:
    line = at(SignedLine(), 5).open()
    for hour in range(6, 13):
        at(line, hour).test()
    words = words_of(attest(line, tmp_path / "out"), line)
    assert "no checkpoint of before it is here" in words
    assert "No answered line test of before it is here." in words


def test_what_a_later_version_wrote_cannot_be_told(tmp_path: Path) -> None:
    assert "does not know" not in words_of(
        attest(line := day(acts={3.5: hologram, 3.75: SignedLine.test}), tmp_path / "before"), line
    )
    # At 03:50 or at 04:00: between two entries that do tell their time, it may be of either.
    for hour in (3.9, 5.5, 7.9):
        guilty = day(acts={hour: hologram})
        assert "of a kind that this version does not know" in refusal(guilty, tmp_path / "in")


def test_a_later_version_of_the_terms_may_have_let_a_ring_have_effect(tmp_path: Path) -> None:
    def terms(line: SignedLine) -> None:
        line.write_bytes(line.arcadia, b'{"type":"line.terms","v":2}')

    assert "does not know" in refusal(day(acts={1.5: terms}), tmp_path / "out")
    assert "does not know" not in words_of(
        attest(line := day(acts={9.5: terms}), tmp_path / "after"), line
    )


def test_a_false_cosignature_hides_nothing_that_cannot_be_read() -> None:
    line = day(acts={7.5: hologram})
    honest, liar = line.arcadia.log, line.borealis.log
    index = next(n for n in range(honest.size) if b"hologram" in honest.entries(n, 1)[0])
    bounds = {
        honest.origin: Bounds(None, Until(index, TO_US // 1_000_000 + 60)),
        liar.origin: Bounds(None, Until(liar.size, TO_US // 1_000_000 + 14_400)),
    }
    assert survey(honest, liar, bounds, FROM_US, TO_US).unread == {honest.origin: 1}


# -- folders of a node that did not look


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the exporter write whatever it finds."""
    monkeypatch.setattr(attest_module, "_require_nothing", lambda _: None)


@pytest.mark.usefixtures("blind")
@pytest.mark.parametrize("hour", [4.0, 5.25, 7.999])
def test_a_call_inside_is_found_by_whoever_verifies(hour: float, tmp_path: Path) -> None:
    line = day(acts={hour: call})
    assert "a call touches that time" in faults(attest(line, tmp_path / "out"), line)


@pytest.mark.usefixtures("blind")
def test_very_many_calls_are_named_by_ten_and_counted(tmp_path: Path) -> None:
    def calls(line: SignedLine) -> None:
        for n in range(12):
            rung = line.ring(f"{n:032x}")
            line.write(line.arcadia, drafts.cancel(f"{n:032x}", rung))

    line = day(acts={5.5: calls})
    assert faults(attest(line, tmp_path / "out"), line).endswith("and so do 2 more calls")


@pytest.mark.usefixtures("blind")
def test_what_cannot_be_told_is_unreadable_and_not_denied(tmp_path: Path) -> None:
    line = day(acts={5.5: hologram})
    report = check(attest(line, tmp_path / "out"), card_keys(line))
    assert report.verdict is Verdict.UNREADABLE
    assert "verify with a newer telcon" in report.faults[0]


def test_no_bit_of_what_is_signed_can_be_turned(tmp_path: Path) -> None:
    line = day(acts={3.5: call, 5.5: cover})
    files, keys = attest(line, tmp_path / "out"), card_keys(line)
    signed = [path for path in files if path.endswith("checkpoint") or "/tile/" in path]
    assert len(signed) == 10
    for path in signed:
        for at in range(0, len(files[path]), 97):
            data = bytearray(files[path])
            data[at] ^= 1
            report = check_forged(files | {path: bytes(data)}, keys)
            assert report.verdict is Verdict.NOT_PROVEN, (path, at)


# -- bounds


FROM_S, TO_S = FROM_US // 1_000_000, TO_US // 1_000_000


def held(
    line: SignedLine, node: Node, size: int, time_s: int, witnesses: Sequence[bytes] = ()
) -> bytes:
    """Return the first `size` entries' checkpoint, cosigned by the other side in that second.

    Lines of `witnesses` stand before the other side's.
    """
    checkpoint = Checkpoint(node.log.origin, size, root_at(size, node.log.hash))
    other = line.other(node)
    own = cosign(format_checkpoint(checkpoint), other.card.mirror.name, other.mirror_key, time_s)
    return add_signature_lines(sign_checkpoint(checkpoint, node.log_key), [*witnesses, own])


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_bound_is_of_a_second_that_lies_outside_the_time(side: str, tmp_path: Path) -> None:
    line = day()
    files, keys = attest(line, tmp_path / "out"), card_keys(line)
    node = line.arcadia if side == "ours" else line.borealis

    def bounded(name: str, time_s: int) -> dict[str, bytes]:
        path = f"{side}/{name}.checkpoint"
        size = int(files[path].split(b"\n")[1])
        return files | {path: held(line, node, size, time_s)}

    assert check_forged(bounded("before", FROM_S - 1), keys).verdict is Verdict.PROVEN
    assert "after the time had begun" in faults(bounded("before", FROM_S), line)
    assert check_forged(bounded("after", TO_S), keys).verdict is Verdict.PROVEN
    assert "before the time had ended" in faults(bounded("after", TO_S - 1), line)
    for edge_us, half_us in ((FROM_US, 500_000), (TO_US, -500_000)):  # within a second
        edge, inner = str(edge_us).encode(), str(edge_us + half_us).encode()
        files["absence.json"] = files["absence.json"].replace(edge, inner)
    assert "after the time had begun" in faults(bounded("before", FROM_S), line)
    assert "before the time had ended" in faults(bounded("after", TO_S - 1), line)


def test_a_bound_beyond_what_is_shown_is_none(tmp_path: Path) -> None:
    """Borealis shows less of its log than Arcadia held after the time."""
    line = day()
    files = attest(line, tmp_path / "out")
    files = {path: data for path, data in files.items() if not path.startswith("theirs/log/")}
    size = int(files["theirs/after.checkpoint"].split(b"\n")[1])
    files |= whole_log("theirs", line, size)
    assert check_forged(files, card_keys(line)).verdict is Verdict.PROVEN
    files["theirs/after.checkpoint"] = held(line, line.borealis, size + 1, TO_S + 3600)
    assert f"has another root, or none, at {size + 1}" in faults(files, line)


def test_a_further_witness_bounds_nothing(tmp_path: Path) -> None:
    """It saw a size and a root, and not that nothing else was held by then."""
    line = day()
    files = attest(line, tmp_path / "out")
    key = SigningKey(bytes(range(200, 232)))
    name = "witness.example"
    vkey = VerifierKey(name, COSIGNATURE_ED25519, key.public)
    keys = keys_from_cards(line.cards, [vkey])
    path = "theirs/after.checkpoint"
    size = int(files[path].split(b"\n")[1])
    text = format_checkpoint(
        Checkpoint(line.borealis.log.origin, size, root_at(size, line.borealis.log.hash))
    )
    seen = [cosign(text, name, key, TO_S + 60)]
    files[path] = held(line, line.borealis, size, TO_S, seen)
    assert check_forged(files, keys).verdict is Verdict.PROVEN
    files[path] = held(line, line.borealis, size, TO_S - 60, seen)
    report = check_forged(files, keys)
    assert report.verdict is Verdict.NOT_PROVEN
    assert "before the time had ended" in report.faults[0]


def test_the_bounds_are_told_as_what_they_are(tmp_path: Path) -> None:
    line = day()
    files = attest(line, tmp_path / "out")
    bare = {path: data for path, data in files.items() if "/log/" not in path}
    for side, node in (("ours", line.arcadia), ("theirs", line.borealis)):
        bare |= whole_log(side, line, node.log.size)  # longer than by the bound
    report = check_forged(bare, card_keys(line))
    assert not [path for path in report.unsigned if path.endswith(".checkpoint")]
    for node, size in ((line.arcadia, 5), (line.borealis, 5)):
        told = next(one for one in report.also if one.startswith(f"Log of {node.name}: "))
        assert f"{size} entries were held by the other side at 2026-09-22 03:00:0" in told
        assert f", {size + 5} at 2026-09-22 08:00:0" in told


def test_an_empty_time_is_none(tmp_path: Path) -> None:
    line = day()
    files = attest(line, tmp_path / "out")
    for end_us in (FROM_US, FROM_US - 1):
        end = str(end_us).encode()
        other = files["absence.json"].replace(str(TO_US).encode(), end)
        assert "names no time" in faults(files | {"absence.json": other}, line)


# -- what is told beside it


def test_the_claim_is_of_both_clocks_and_says_what_it_rests_on(tmp_path: Path) -> None:
    words = words_of(attest(line := day(), tmp_path / "out"), line)
    assert (
        "08:00:00.000000 UTC, by the clock of either. If one of the two nodes told the truth and"
        " its clock was right, none was rung, answered or held on this line in that time." in words
    )
    assert "what both nodes together kept out of both logs, or gave false times" in words
    assert "what persons did whom the statement does not name" in words
    assert "that no other line exists; that the clocks were right" in words
    assert "what was logged after these checkpoints" in words


def test_the_time_is_read_to_the_microsecond(tmp_path: Path) -> None:
    """One line test more is asked when it begins, one answered in its last microsecond."""
    begin, end = 4 - 1 / 3600, 8 - 2.000001 / 3600
    line = day(acts={begin: SignedLine.test, end: SignedLine.test})
    words = words_of(attest(line, tmp_path / "out"), line)
    assert "Line tests asked and answered within that time: 6." in words


def test_rings_without_effect_are_told(tmp_path: Path) -> None:
    def again(line: SignedLine) -> None:
        line.ring()  # the id of an earlier call

    line, plain = day(acts={3.5: call, 5.5: again}), day(acts={3.5: call})
    words = words_of(attest(line, tmp_path / "out"), line)
    assert "1 rings of that time had no effect: they made no call." in words
    assert "no effect" not in words_of(attest(plain, tmp_path / "plain"), plain)


def test_who_claims_to_have_seen_more_than_it_cosigns_later_leaves_it_undecided(
    tmp_path: Path,
) -> None:
    line = day(acts={5.5: lambda line: claim(line, 99)})
    assert "had seen 99 entries of arcadia.example" in refusal(line, tmp_path / "out")


def test_what_an_entry_of_after_the_time_claims_to_have_seen_is_told(tmp_path: Path) -> None:
    """Borealis writes at 07:36 an entry which says that it is of 08:06."""

    def ahead(line: SignedLine) -> None:
        line.now_us += HOUR_US // 2
        claim(line, 99)

    line = day(acts={7.6: ahead})
    words = words_of(attest(line, tmp_path / "out"), line)
    size = line.arcadia.log.size
    assert f"from entry {size} on, though 99 entries of it were seen by the other side" in words
    quiet = day()
    assert "seen by the other side" not in words_of(attest(quiet, tmp_path / "quiet"), quiet)


def test_a_call_is_not_hidden_by_a_cosignature_from_a_backup(tmp_path: Path) -> None:
    """Borealis rang and talked at 05:30; Arcadia, honest, was set back to a backup of 02:45.

    Borealis had written an entry of 11:30 at 02:30, and Arcadia cosigned what it held anew.
    """

    def false(line: SignedLine) -> None:
        line.ahead_us["borealis.example"] = 9 * HOUR_US
        line.write(line.borealis, drafts.line_test())
        line.ahead_us["borealis.example"] = 0

    def talk(line: SignedLine) -> None:
        rung = line.ring(node=line.borealis)
        line.write(line.arcadia, drafts.ringing(CALL, rung, 1))
        line.answer(rung)
        line.write(line.arcadia, drafts.hang_up(CALL, handle(line.arcadia)))

    guilty = day(acts={2.5: false, 5.5: talk})
    log, ours = guilty.borealis.log, guilty.arcadia.log.size
    backup = 1 + next(
        n for n, data in enumerate(log.all_entries()) if data.startswith(b'{"type":"line.test"')
    )
    anew = held(guilty, guilty.borealis, backup, MIDNIGHT_US // 1_000_000 + 9 * 3_600)
    files = attest(day(), tmp_path / "out")
    shown = {path: data for path, data in files.items() if "/log/" not in path}
    shown |= whole_log("ours", guilty, ours) | whole_log("theirs", guilty, backup, anew)
    shown |= {
        "ours/before.checkpoint": held(guilty, guilty.arcadia, 2, FROM_US // 1_000_000 - 60),
        "ours/after.checkpoint": held(guilty, guilty.arcadia, ours, TO_US // 1_000_000 + 60),
        "theirs/before.checkpoint": log.notes[2].note,
        "theirs/after.checkpoint": anew,
    }
    report = check_forged(shown, card_keys(guilty))
    assert report.verdict is Verdict.UNREADABLE
    assert "was set back to a backup, or says so falsely" in report.faults[0]


def test_all_is_shown_that_the_shown_part_of_the_other_log_has_seen(tmp_path: Path) -> None:
    """Borealis cosigns nothing from 08:00 on until 11:00, so Arcadia shows its log up to then."""

    def test(line: SignedLine) -> None:
        place = line.write(line.arcadia, drafts.line_test(), cosigned=False)
        line.write(line.borealis, drafts.line_tested(place))

    line = at(SignedLine(), 0).open()
    for hour in range(1, 13):
        (test if 8 <= hour <= 10 else SignedLine.test)(at(line, hour))
    assert "seen by the other side" not in words_of(attest(line, tmp_path / "out"), line)


@pytest.mark.usefixtures("blind")
def test_a_call_is_denied_though_something_else_cannot_be_read(tmp_path: Path) -> None:
    line = day(acts={5.25: call, 5.5: hologram})
    assert "a call touches that time" in faults(attest(line, tmp_path / "out"), line)


@pytest.mark.parametrize("tester", ["arcadia.example", "borealis.example"])
def test_how_far_away_the_nearest_line_tests_are_is_told(tester: str, tmp_path: Path) -> None:
    """Of the two times of one exchange the farther one counts."""
    line = at(SignedLine(), 0).open()
    node = line.arcadia if tester == line.arcadia.name else line.borealis
    other = line.other(node).name
    for hour, ahead in ((1, 0.0), (3.5, -2.2), (5, 0.0), (8.5, 2.2), (9, 0.0), (12, 0.0)):
        line.ahead_us[other] = round(ahead * HOUR_US)
        at(line, hour).test(node)
    words = words_of(attest(line, tmp_path / "out"), line)
    assert f"asked 2026-09-22 03:30:01.000000 UTC by {tester}'s clock, answered" in words
    assert f"answered 2026-09-22 01:18:02.000000 UTC by {other}'s." in words
    assert words.count("away: the bound is wide") == 2
    assert words.count("a clock was wrong, or the answer came late") == 2


def test_a_summary_of_something_else_is_refused(tmp_path: Path) -> None:
    files = attest(line := day(), tmp_path / "out")
    account = CoverageAccount(line.arcadia.card.line, line.arcadia.name, line.borealis.name)
    files["absence.json"] = format_account(account)
    assert "absence.json is about something else" in faults(files, line)


# -- coverage


def cover(line: SignedLine, since_us: int = MIDNIGHT_US, hours: tuple[str, ...] = ()) -> None:
    for node in (line.arcadia, line.borealis):
        stated = read_hours(hours) if hours else ALWAYS
        line.write(node, drafts.line_coverage(since_us, None, stated, (ADA,)))


def test_without_coverage_no_more_is_claimed_than_that_nothing_was_logged(tmp_path: Path) -> None:
    line = day()
    words = words_of(attest(line, tmp_path / "out"), line)
    for name in ("arcadia.example", "borealis.example"):
        assert f"{name} had stated beforehand that its log covers nothing of that time" in words


def test_coverage_stated_beforehand_is_told(tmp_path: Path) -> None:
    line = day(acts={2.5: cover})
    words = words_of(attest(line, tmp_path / "out"), line)
    assert "arcadia.example stated before that time (entry 4) that its log covers" in words
    assert "2026-09-22 04:00:00.000000 UTC to 2026-09-22 08:00:00.000000 UTC, at all hours" in words
    assert "nothing of that time" not in words
    assert "only part of" not in words


def test_coverage_stated_afterwards_is_told_as_that(tmp_path: Path) -> None:
    line = day(acts={5.5: cover})
    words = words_of(attest(line, tmp_path / "out"), line)
    assert "stated only once it had begun" in words
    assert "had stated beforehand that its log covers nothing of that time" in words


def test_coverage_of_some_hours_is_only_part(tmp_path: Path) -> None:
    line = day(acts={2.5: lambda line: cover(line, hours=("Mon-Fri 05:00-06:00",))})
    words = words_of(attest(line, tmp_path / "out"), line)
    assert "Mon-Fri 05:00-06:00 UTC" in words
    assert "covers only part of that time" in words


def state(line: SignedLine, node: Node, ahead_us: int = 0, modes: tuple[Mode, ...] = MODES) -> None:
    """Let a side state that its log covers all the day, and date it wrongly."""
    line.ahead_us[node.name] = ahead_us
    line.write(node, drafts.line_coverage(MIDNIGHT_US, None, ALWAYS, (ADA,), modes))
    line.ahead_us[node.name] = 0


def sides(line: SignedLine) -> tuple[Node, Node]:
    return line.arcadia, line.borealis


@pytest.mark.parametrize("who", [0, 1])
@pytest.mark.parametrize("hour", [5.5, 4 - 1.5 / 3600])
def test_coverage_is_stated_beforehand_only_if_the_other_side_held_it(
    hour: float, who: int, tmp_path: Path
) -> None:
    """The author dates it before the time; the other side signed it in the time, or just then."""
    early_us = round((3.5 - hour) * HOUR_US)

    def lie(line: SignedLine) -> None:
        state(line, sides(line)[who], early_us)

    def longer(line: SignedLine) -> None:
        for _ in range(9):
            line.write(sides(line)[1 - who], drafts.line_test())

    line = day(acts={1.5: longer, hour: lie})
    name = sides(line)[who].name
    words = words_of(attest(line, tmp_path / "out"), line)
    assert f"{name} stated only once it had begun" in words
    assert f"{name} had stated beforehand that its log covers nothing of that time" in words


@pytest.mark.parametrize(("early_us", "is_beforehand"), [(1, True), (0, False)])
def test_coverage_is_stated_beforehand_only_if_its_author_says_so(
    early_us: int, is_beforehand: bool, tmp_path: Path
) -> None:
    """The other side held it an hour before the time began."""

    def ahead(line: SignedLine) -> None:
        state(line, line.arcadia, FROM_US - line.now_us - 1_000_000 - early_us)

    words = words_of(attest(line := day(acts={2.5: ahead}), tmp_path / "out"), line)
    assert ("arcadia.example stated before that time" in words) is is_beforehand
    assert ("arcadia.example had stated beforehand" in words) is not is_beforehand


def test_nothing_was_stated_before_a_line_that_is_younger_than_the_time(tmp_path: Path) -> None:
    line = at(SignedLine(), 5).open()
    for node in sides(line):
        state(line, node, -3 * HOUR_US)
    for hour in range(6, 13):
        at(line, hour).test()
    words = words_of(attest(line, tmp_path / "out"), line)
    assert "stated before that time" not in words
    assert words.count("had stated beforehand that its log covers nothing of that time") == 2


@pytest.mark.parametrize("who", [0, 1])
def test_what_one_side_stated_says_nothing_of_the_others_log(who: int, tmp_path: Path) -> None:
    line = day(acts={2.5: lambda line: state(line, sides(line)[who])})
    words = words_of(attest(line, tmp_path / "out"), line)
    stated, silent = sides(line)[who].name, sides(line)[1 - who].name
    assert f"{stated} stated before that time" in words
    assert f"{stated} had stated beforehand" not in words
    assert f"{silent} stated before that time" not in words
    assert f"{silent} had stated beforehand that its log covers nothing of that time" in words


def test_coverage_in_some_modes_is_only_part(tmp_path: Path) -> None:
    line = day(acts={2.5: lambda line: state(line, line.arcadia, modes=MODES[1:])})
    words = words_of(attest(line, tmp_path / "out"), line)
    assert f"at all hours, in the record modes {', '.join(MODES[1:])}, for persons" in words
    assert "arcadia.example had stated beforehand that its log covers only part of" in words


@pytest.mark.parametrize(
    ("since_us", "until_us"),
    [(FROM_US + 1, None), (MIDNIGHT_US, TO_US - 1), (FROM_US, TO_US - 1)],
)
def test_coverage_of_all_but_a_moment_is_only_part(
    since_us: int, until_us: int | None, tmp_path: Path
) -> None:
    def part(line: SignedLine) -> None:
        line.write(line.arcadia, drafts.line_coverage(since_us, until_us, ALWAYS, (ADA,)))

    words = words_of(attest(line := day(acts={2.5: part}), tmp_path / "out"), line)
    assert "arcadia.example had stated beforehand that its log covers only part of" in words


def test_coverage_that_was_taken_back_in_the_time_is_told(tmp_path: Path) -> None:
    def withdraw(line: SignedLine) -> None:
        six = MIDNIGHT_US + 6 * HOUR_US
        line.write(line.arcadia, drafts.line_coverage(six, six + 1, ALWAYS, (ADA,)))

    line = day(acts={2.5: cover, 5.5: withdraw})
    words = words_of(attest(line, tmp_path / "out"), line)
    assert "arcadia.example had stated beforehand that its log covers only part of" in words
    assert "arcadia.example took back, once that time had begun, what it had stated before" in words
    assert f"of {utc_from_us(FROM_US + 2 * HOUR_US)} to {utc_from_us(TO_US)}." in words


def test_coverage_that_was_taken_back_for_all_of_the_time_is_told(tmp_path: Path) -> None:
    def withdraw(line: SignedLine) -> None:
        line.write(line.arcadia, drafts.line_coverage(MIDNIGHT_US, FROM_US, ALWAYS, (ADA,)))

    line = day(acts={2.5: cover, 5.5: withdraw})
    words = words_of(attest(line, tmp_path / "out"), line)
    assert "arcadia.example had stated beforehand that its log covers nothing of" in words
    assert f"of {utc_from_us(FROM_US)} to {utc_from_us(TO_US)}." in words

"""The course of a call, as its entries tell it."""

from collections.abc import Iterable

import pytest

from fakes.two_nodes import TwoNodes, desk_of, line_of, on_two_nodes, voice
from node.test_destruction import destroy, is_destroyed, recorded_call
from node.test_modes import closed, recorders
from node.test_tape import offs, spoil
from telcon.core import draft as drafts
from telcon.core.entry import read_entry_untrusted
from telcon.core.line import Kind
from telcon.core.seal import Person, Text
from telcon.core.void import Void
from telcon.node import course, course_desk
from telcon.node.course import Fact, _moved, _unsigned_of

HOUR_US = 3_600_000_000
S_US = 1_000_000
OURS, THEIRS = "arcadia.example/line/" + "0" * 32, "borealis.example/line/" + "0" * 32


def facts(origin: str, *told: tuple[int, int]) -> list[Fact]:
    """Return entries, each with its time and how much of the other log it had seen."""
    found = []
    for index, (time_us, seen) in enumerate(told):
        data, *_ = drafts.compose(
            drafts.line_test(),
            origin=origin,
            time_us=time_us,
            seen=(seen, bytes(32)),
            random=lambda count: bytes(count),
        )
        entry = read_entry_untrusted(data)
        assert not isinstance(entry, Void)
        found.append(Fact(origin, index, entry, time_us))
    return found


def moved(ours: Iterable[tuple[int, int]], theirs: Iterable[tuple[int, int]]) -> int:
    return _moved(facts(OURS, *ours), facts(THEIRS, *theirs))


def test_times_that_can_be_true_stay_as_they_were_stated() -> None:
    assert moved([(10 * S_US, 0), (12 * S_US, 1)], [(11 * S_US, 1)]) == 0
    assert moved([(10 * S_US, 0)], [(99 * S_US, 1)]) == 0  # nothing of ours had seen theirs


def test_a_clock_five_hours_apart_is_found_to_the_second() -> None:
    for apart in (5 * HOUR_US, -5 * HOUR_US):
        base = 9 * HOUR_US
        ours = [(base, 0), (base + 2 * S_US, 1), (base + 4 * S_US, 2)]
        theirs = [(base + S_US + apart, 1), (base + 3 * S_US + apart, 2)]
        assert abs(moved(ours, theirs) + apart) <= S_US


def test_what_waited_for_a_signature_is_told_whatever_the_clocks_say() -> None:
    skew = 3 * HOUR_US
    waits = [
        (0, skew),
        (10 * S_US, skew + 60 * S_US),
        (20 * S_US, skew + 50 * S_US),
        (90 * S_US, skew),
    ]
    assert list(_unsigned_of(waits, HOUR_US)) == [(10 * S_US, 70 * S_US)]
    assert list(_unsigned_of([*waits, (100 * S_US, None)], HOUR_US))[-1] == (100 * S_US, None)
    assert list(_unsigned_of([(0, None)], S_US)) == []  # it comes within a moment
    assert list(_unsigned_of([], 0)) == []


def test_their_clock_may_say_anything_and_nothing_was_signed_later_than_now() -> None:
    waits = [(0, 0), (10 * S_US, 2**63 * S_US), (20 * S_US, -(2**62))]
    told = list(_unsigned_of(waits, HOUR_US))
    assert told
    assert all(begin <= (end or 0) <= HOUR_US for begin, end in told)


@on_two_nodes
async def test_both_sides_tell_the_same_course_of_one_call(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    await rey.say(voice("rey", 20))
    await voss.do("message", line=voss.line, text="Page two.", tag="t", lang="en")
    await rey.do("hang-up", call=call)
    await rey.wait_past(call)
    await voss.wait_past(call)
    ours, theirs = [await node.desk.course(call) for node in both.nodes]
    assert ours is not None
    assert theirs is not None
    kinds = [fact["kind"] for fact in ours["facts"] if not fact["kind"].startswith("call.record")]
    first = ["call.ring", "call.ringing", "call.answer", "message", "call.hang-up"]
    assert kinds[:5] == first
    assert {fact["who"] for fact in ours["facts"] if fact["kind"] == "message"} == {"Elena Voss"}
    assert ours["moved_us"] == 0
    assert ours["unsigned"] == []
    assert [(one["side"], one["name"]) for one in ours["people"]] == [
        ("ours", "Adrian Rey"),
        ("theirs", "Elena Voss"),
    ]
    turned = {"ours": "theirs", "theirs": "ours"}
    told = [(turned[fact["side"]], fact["kind"], fact["place"]) for fact in theirs["facts"]]
    common = {fact["place"] for fact in ours["facts"]} & {place for *_, place in told}
    assert {one for one in told if one[2] in common} == {
        (fact["side"], fact["kind"], fact["place"])
        for fact in ours["facts"]
        if fact["place"] in common
    }
    assert {one["side"] for one in ours["recorders"]} == {"ours", "theirs"}


@on_two_nodes
async def test_what_has_no_effect_is_no_fact_of_the_course(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    await voss.do("message", line=voss.line, text="Page two.", tag="t", lang="en")
    await rey.wait(lambda shown: shown["messages"][rey.line])
    (desk,) = both.arcadia.desk.lines()
    fold = desk.line.machine.fold
    (said,) = fold.messages
    fold._logs[said.origin].kinds[said.index] = Kind.VOID  # as if it had been judged so
    told = await both.arcadia.desk.course(call)
    assert told is not None
    kinds = {fact["kind"] for fact in told["facts"]}
    assert "call.answer" in kinds
    assert "message" not in kinds


@on_two_nodes
async def test_a_call_that_was_never_answered_has_a_course_too(both: TwoNodes) -> None:
    rey, voss = both.two_phones()
    call = await rey.ring()
    await voss.wait_phase("ringing")
    await voss.do("decline", call=call, reason="In a meeting")
    await rey.wait_past(call)
    told = await both.arcadia.desk.course(call)
    assert told is not None
    assert [fact["kind"] for fact in told["facts"]] == ["call.ring", "call.ringing", "call.decline"]
    assert told["facts"][-1]["detail"] == "In a meeting"
    assert told["recorders"] == []
    assert await both.arcadia.desk.course("0" * 32) is None


@on_two_nodes
async def test_what_was_written_while_the_link_was_away_is_unsigned_still(both: TwoNodes) -> None:
    rey, _, call = await both.call()
    await both.unlink()
    await rey.do("hang-up", call=call)
    await rey.wait(lambda shown: not shown["lines"][0]["up"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(course, "LATE_US", 0)  # it has not been away for five seconds yet
        told = await both.arcadia.desk.course(call)
    assert told is not None
    ends = next(fact for fact in told["facts"] if fact["kind"] == "call.hang-up")
    assert ends["signed"] is False
    assert told["unsigned"][-1][1] is None


@on_two_nodes
async def test_a_record_destroyed_long_after_is_told_and_does_not_stretch_the_call(
    both: TwoNodes,
) -> None:
    call = await recorded_call(both)
    await destroy(both.arcadia, call)
    assert is_destroyed(both.arcadia, call)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(course, "AFTER_KNOWN", 0)  # as if a year of tests lay between
        told = await both.arcadia.desk.course(call)
    assert told is not None
    (fact,) = [one for one in told["facts"] if one["kind"] == "call.record-destroyed"]
    assert (fact["side"], fact["detail"]) == ("ours", "the law")
    assert told["facts"][-1] == fact
    assert told["to_us"] < fact["at_us"]
    assert told["to_us"] in {one["at_us"] for one in told["facts"]}


@on_two_nodes
async def test_a_recorder_switched_off_is_told_once_however_many_tracks_it_had(
    both: TwoNodes,
) -> None:
    rey, voss, call = await both.call()
    await recorders(True, rey, voss)
    await rey.do("recorder", call=call, reason="The minister asked")
    await rey.wait(lambda shown: not shown["call"]["recorders"]["ours"]["on"])
    await rey.do("recorder", call=call, reason=None)
    await recorders(True, rey, voss)
    await rey.do("hang-up", call=call)
    await closed(call, rey, voss)
    for node, side in ((both.arcadia, "ours"), (both.borealis, "theirs")):
        told = await node.desk.course(call)
        assert told is not None
        offs = [fact for fact in told["facts"] if fact["kind"] == "call.record-off"]
        (off,) = [fact for fact in offs if fact["stops_recorder"]]
        assert (off["side"], off["detail"]) == (side, "The minister asked")
        assert sum(fact["detail"] == "The minister asked" for fact in offs) == 2


@on_two_nodes
async def test_a_recorder_that_failed_has_stopped_too_with_what_it_failed_by(
    both: TwoNodes,
) -> None:
    spoil(both.arcadia.folder)
    rey, voss, call = await both.call()
    for phone in (rey, voss):
        line = line_of(phone.node)
        await phone.wait(lambda _, line=line: len(offs(line, "arcadia")) == 2)  # type: ignore[misc]
    for node, side in ((both.arcadia, "ours"), (both.borealis, "theirs")):
        told = await node.desk.course(call)
        assert told is not None
        (stop,) = [fact for fact in told["facts"] if fact["stops_recorder"]]
        assert (stop["side"], stop["kind"]) == (side, "call.record-off")
        assert "the disk refused" in stop["detail"]


@on_two_nodes
async def test_a_message_is_told_whole_as_long_as_there_is_room(both: TwoNodes) -> None:
    rey, _, call = await both.call()
    long = "word " * 399 + "end"
    line = desk_of(both.arcadia).line
    eve = Person("en", "Eve", "", "")
    for text in (long, "short"):
        await line.act_bulk(drafts.message(eve, eve, Text("en", text), call=call))
    await rey.do("hang-up", call=call)
    await rey.wait_past(call)
    for room, shown, cut in ((len(long), long, False), (1_000, long[:200] + "…", True)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(course_desk, "SHOWN_WHOLE", room)
            told = await both.arcadia.desk.course(call)
        assert told is not None
        said = [fact for fact in told["facts"] if fact["kind"] == "message"]
        assert [fact["detail"] for fact in said] == [shown, "short"]
        assert [fact["cut"] for fact in said] == [cut, False]

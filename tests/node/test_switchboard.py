"""Calls between two nodes: every way one begins, goes on and ends."""

import asyncio
import sqlite3

import pytest

from fakes.two_nodes import (
    Phone,
    Snapshot,
    TwoNodes,
    Wire,
    audited,
    desk_of,
    flowing,
    line_of,
    on_two_nodes,
    recorded,
    until,
    voice,
    wait_audited,
)
from telcon.core import draft as drafts
from telcon.core.frames import Cosigned, Frame, Last, Signal
from telcon.core.seal import Media, Person
from telcon.core.signals import HintSignal, TrunkSignal, format_signal
from telcon.errors import IllegalActError, LinkDownError, OperatorError, PinError
from telcon.node.assembly import Node
from telcon.node.calls import MAX_RUNNING
from telcon.node.store.engine import DATABASE

FLOOD = 300
SOMEBODY = Person("en", "Adrian Rey", "President of Arcadia", "Arcadia")


@on_two_nodes
async def test_a_declined_call_tells_why_on_both_sides(both: TwoNodes) -> None:
    caller, callee = both.two_phones()
    call = await caller.ring()
    await callee.wait_phase("ringing")
    await callee.do("decline", call=call, reason="In a meeting")
    for phone, by in ((caller, "theirs"), (callee, "ours")):
        past = await phone.wait_past(call)
        assert (past["phase"], past["by"], past["reason"]) == ("declined", by, "In a meeting")


@on_two_nodes
async def test_a_ring_taken_back_stops_ringing_there(both: TwoNodes) -> None:
    caller, callee = both.two_phones()
    call = await caller.ring()
    await callee.wait_phase("ringing")
    await caller.do("cancel", call=call)
    assert (await callee.wait_past(call))["phase"] == "cancelled"
    with pytest.raises(OperatorError, match="over"):
        await callee.answer(call)


@on_two_nodes
async def test_a_ring_that_nobody_answers_is_missed_after_45_seconds(both: TwoNodes) -> None:
    caller, callee = both.two_phones()
    call = await caller.ring()
    await callee.wait_phase("ringing")
    await time_runs(both.borealis, call)
    both.advance(44)
    assert callee.shown["call"]["phase"] == "ringing"
    both.advance(1.1)
    assert (await caller.wait_past(call))["phase"] == "missed"


@on_two_nodes
async def test_a_ring_that_gets_no_word_is_taken_back_after_60_seconds(both: TwoNodes) -> None:
    caller = both.phone(both.arcadia)
    wire = Wire(line_of(both.borealis))
    call = await caller.ring()
    await both.phone(both.borealis).wait_phase("ringing")
    await time_runs(both.borealis, call)
    wire.hold()
    both.advance(60.1)
    await caller.wait_phase("cancelled")
    wire.release()
    # Theirs goes before, by the table; ours may be signed before theirs has come.
    await caller.wait(lambda shown: phases(shown, call) == ["missed"])


@on_two_nodes
async def test_only_the_rung_side_answers_and_only_the_ringing_side_takes_back(
    both: TwoNodes,
) -> None:
    caller, callee = both.two_phones()
    call = await caller.ring()
    await callee.wait_phase("ringing")
    for act in (
        caller.answer(call),
        caller.do("decline", call=call),
        callee.do("cancel", call=call),
    ):
        with pytest.raises(OperatorError, match="other side"):
            await act
    with pytest.raises(OperatorError, match="going on already"):
        await callee.ring()


@on_two_nodes
async def test_two_rings_at_once_become_one_call(both: TwoNodes) -> None:
    rey, voss = both.two_phones()
    wires = [Wire(line_of(node)) for node in both.nodes]
    for wire in wires:
        wire.hold()
    calls = await asyncio.gather(rey.ring(), voss.ring())
    await asyncio.gather(rey.arm(calls[0]), voss.arm(calls[1]))
    for wire in wires:
        wire.release()
    lives = calls[1]  # the node whose name sorts first answers the other's ring
    await asyncio.gather(flowing(rey, lives), flowing(voss, lives))
    for phone in (rey, voss):
        shown = phone.shown["call"]
        assert (shown["call"], shown["side"], shown["mine"]) == (lives, "both", True)
        assert len(shown["people"]) == 2
    said = voice("Rey", 10), voice("Voss", 10)
    await asyncio.gather(rey.say(said[0]), voss.say(said[1]))
    await asyncio.gather(rey.hears(said[1]), voss.hears(said[0]))


@on_two_nodes
async def test_a_third_device_joins_and_hears_both_without_renegotiation(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    third = both.phone(both.borealis)
    await third.arm(call)
    await third.join(call)
    await rey.wait(lambda shown: len(shown["call"]["people"]) == 3)
    await flowing(third, call)
    said = voice("Rey", 10), voice("Voss", 10), voice("third", 10)
    await asyncio.gather(rey.say(said[0]), voss.say(said[1]), third.say(said[2]))
    await asyncio.gather(*(third.hears(one) for one in said[:2]))
    await asyncio.gather(rey.hears(said[2]), voss.hears(said[2]))
    assert third.offers == 1
    await third.do("leave", call=call)
    await rey.wait(lambda shown: len(shown["call"]["people"]) == 2)
    assert rey.shown["call"]["phase"] == "live"


@on_two_nodes
async def test_who_joins_hears_nothing_before_the_other_side_has_signed_it(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    third = both.phone(both.arcadia)
    await third.arm(call)
    wire = Wire(line_of(both.borealis), drops=withholding)
    await third.join(call)
    said = voice("Voss", 10)
    await asyncio.gather(voss.say(said), third.say(voice("third", 10)))
    await rey.hears(said)
    assert third.heard == []
    assert refused(third, call) == 10
    wire.drops = lambda frame: False


@on_two_nodes
async def test_a_muted_microphone_is_cut_here_at_once_and_leaves_a_gap(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    third = both.phone(both.arcadia)
    await third.arm(call)
    await third.join(call)
    await flowing(third, call)
    before, muted, after = voice("before", 10), voice("muted", 10), voice("after", 10)
    await rey.say(before)
    await asyncio.gather(voss.hears(before), third.hears(before))
    await rey.do("mute", call=call, muted=True)
    await rey.say(muted)
    await voss.wait(lambda shown: any(one["muted"] for one in shown["call"]["people"]))
    await rey.do("mute", call=call, muted=False)
    await rey.say(after)
    await asyncio.gather(voss.hears(after), third.hears(after))
    assert voss.heard == third.heard == before + after
    await rey.do("hang-up", call=call)
    await rey.wait_past(call)
    await asyncio.gather(both.arcadia.close(), both.borealis.close())
    for node in both.nodes:
        assert recorded(node, call, both.arcadia) == before + after


@on_two_nodes
async def test_hanging_up_cuts_media_before_the_disk_has_it(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    running = desk_of(both.arcadia).board.calls.running[call]
    blocked = sqlite3.connect(both.arcadia.folder / DATABASE, isolation_level=None)
    blocked.execute("BEGIN IMMEDIATE")
    ending = asyncio.create_task(rey.do("hang-up", call=call))
    await asyncio.sleep(0)
    assert running.floor.is_cut
    assert not ending.done()
    await voss.wait(lambda _: not desk_of(both.borealis).board.calls.running[call].floor.gate.send)
    assert voss.shown["call"]["phase"] == "live"  # by the hint alone; the entry is still to come
    blocked.execute("ROLLBACK")
    blocked.close()
    await ending
    assert (await voss.wait_past(call))["by"] == "theirs"


@on_two_nodes
async def test_a_hint_without_an_entry_is_forgotten(both: TwoNodes) -> None:
    _rey, voss, call = await both.call()
    handle = next(iter(desk_of(both.arcadia).board.calls.running[call].seats.values()))
    line_of(both.arcadia).signal("hint", call, format_signal(HintSignal("hang-up", handle)))
    floor = desk_of(both.borealis).board.calls.running[call].floor
    await voss.wait(lambda _: not floor.gate.send)
    assert voss.passed[-1] == {"hint": {"call": call, "kind": "hang-up"}}
    both.clock.advance(5.1)
    desk_of(both.borealis).board.calls.settle(call)
    assert floor.gate.send


@on_two_nodes
async def test_nobody_is_heard_before_the_other_side_has_cosigned(both: TwoNodes) -> None:
    rey, voss = both.two_phones()
    wire = Wire(line_of(both.borealis), drops=withholding)
    call = await rey.ring()
    await voss.wait_phase("ringing")
    await asyncio.gather(rey.arm(call), voss.arm(call))
    await voss.answer(call)
    await rey.wait_phase("live")
    await asyncio.gather(rey.say(voice("Rey", 10)), voss.say(voice("Voss", 10)))
    assert voss.heard == []
    both.advance(5.1)
    wire.drops = lambda frame: False
    past = await rey.wait_past(call)
    assert (past["phase"], past["reason"]) == ("failed", "not countersigned")
    await asyncio.gather(both.arcadia.close(), both.borealis.close())
    for node in both.nodes:
        assert recorded(node, call, both.arcadia) == []


@on_two_nodes
async def test_what_an_armed_leg_sends_is_refused(both: TwoNodes) -> None:
    rey, voss = both.two_phones()
    call = await rey.ring()
    await voss.wait_phase("ringing")
    await asyncio.gather(rey.arm(call), voss.arm(call))
    await asyncio.gather(rey.say(voice("Rey", 5)), voss.say(voice("Voss", 5)))
    await until(lambda: refused(rey, call) == refused(voss, call) == 5)
    assert rey.heard == voss.heard == []


@on_two_nodes
async def test_talk_goes_on_without_the_link_and_is_countersigned_after(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    await both.unlink()
    for phone in (rey, voss):
        await phone.wait(lambda shown: shown["call"]["unsigned_since_us"] is not None)
    said = voice("Rey", 10)
    await rey.say(said)
    await voss.hears(said)
    third = both.phone(both.borealis)
    await third.arm(call)
    with pytest.raises(LinkDownError, match="down"):
        await third.join(call)
    both.relink()
    for phone in (rey, voss):
        await phone.wait(lambda shown: shown["call"]["unsigned_since_us"] is None)
        await phone.wait(lambda shown: shown["call"]["countersigned"])
        assert phone.shown["call"]["phase"] == "live"


@on_two_nodes
async def test_an_answer_without_the_link_gets_its_sound_when_the_link_is_back(
    both: TwoNodes,
) -> None:
    rey, voss = both.two_phones()
    call = await rey.ring()
    await voss.wait_phase("ringing")
    await asyncio.gather(rey.arm(call), voss.arm(call))
    await both.unlink()
    await voss.wait(lambda shown: not shown["lines"][0]["up"])
    await voss.answer(call)
    both.relink()
    await asyncio.gather(flowing(rey, call), flowing(voss, call))
    said = voice("Rey", 10)
    await rey.say(said)
    await voss.hears(said)


@on_two_nodes
async def test_link_and_trunk_both_silent_fail_the_call_after_60_seconds(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    await both.unlink()
    for node in both.nodes:
        desk_of(node).board.calls.running[call].floor._trunk.close()
    both.advance(59)
    assert rey.shown["call"]["phase"] == "live"
    both.advance(1.1)
    await asyncio.gather(rey.wait_phase("failed"), voss.wait_phase("failed"))
    both.relink()
    assert (await rey.wait_past(call))["reason"] == "link and trunk silent"


@on_two_nodes
async def test_terms_that_mute_without_a_link_do_so_after_a_minute(both: TwoNodes) -> None:
    await state_terms(both, "mute")
    rey, voss, call = await both.call()
    await both.unlink()
    await rey.wait(lambda shown: not shown["lines"][0]["up"])
    both.advance(40)
    await trunks_heard(both, call)
    said = voice("Rey", 5)
    await rey.say(said)
    await voss.hears(said)
    both.advance(20.1)
    await rey.say(voice("unheard", 5))
    both.relink()
    await asyncio.gather(flowing(rey, call), flowing(voss, call))
    again = voice("again", 5)
    await rey.say(again)
    await voss.hears(again)
    assert voss.heard == said + again


@on_two_nodes
async def test_terms_that_end_a_call_without_a_link_do_so_after_a_minute(both: TwoNodes) -> None:
    await state_terms(both, "end")
    rey, voss, call = await both.call()
    await both.unlink()
    await rey.wait(lambda shown: not shown["lines"][0]["up"])
    both.advance(40)
    await trunks_heard(both, call)
    both.advance(20.1)
    await asyncio.gather(rey.wait_phase("failed"), voss.wait_phase("failed"))
    both.relink()
    assert (await rey.wait_past(call))["reason"] == "link lost"


def phases(shown: Snapshot, call: str) -> list[str]:
    """Return what the history says of a call: once."""
    rows = (row for line in shown["history"].values() for row in line)
    return [row["phase"] for row in rows if row["call"] == call and row["signed"]]


async def time_runs(node: Node, call: str) -> None:
    """Wait until a ring is signed here: from then on its time runs, and is not pushed in vain."""
    duties = desk_of(node).board._timekeeper._duties
    await until(lambda: call in duties._watches)


async def trunks_heard(both: TwoNodes, call: str) -> None:
    """Wait for the next report of each trunk: the pushed clock makes it look silent."""
    floors = [desk_of(node).board.calls.running[call].floor for node in both.nodes]
    await until(lambda: all(floor.trunk_silent_s() < 5 for floor in floors))


async def state_terms(both: TwoNodes, link_lost: str) -> None:
    """Let Arcadia state other terms, and both sides hold them."""
    await line_of(both.arcadia).act(drafts.line_terms(link_lost))
    page = both.phone(both.borealis)
    line = line_of(both.borealis)
    origin = line.identity.peer_card.log.name
    await page.wait(lambda _: line.machine.fold.line.terms[origin].link_lost == link_lost)


@on_two_nodes
async def test_a_trunk_key_that_was_not_sealed_is_not_used(both: TwoNodes) -> None:
    rey, voss = both.two_phones()
    false = TrunkSignal(bytes(44), 7, [("127.0.0.1", 9)])
    wire = Wire(line_of(both.arcadia), drops=is_trunk)
    call = await rey.ring()
    await voss.wait_phase("ringing")
    wire.drops = lambda frame: False
    line_of(both.arcadia).signal("trunk", call, format_signal(false))
    await wait_audited(both.borealis, "audit.call.trunk-mismatch")
    assert desk_of(both.borealis).board.calls.running[call].floor._trunk.next_deadline() is None


@on_two_nodes
async def test_a_page_that_states_another_certificate_than_it_shows_is_refused(
    both: TwoNodes,
) -> None:
    rey, voss = both.two_phones()
    call = await rey.ring()
    await voss.wait_phase("ringing")
    await voss.arm(call)
    with pytest.raises(PinError, match="another certificate"):
        await voss.do("answer", call=call, certificate="00" * 32)
    await wait_audited(both.borealis, "audit.media.fingerprint-mismatch")
    await voss.answer(call)


@on_two_nodes
async def test_the_page_that_rang_closes_and_its_ring_is_taken_back(both: TwoNodes) -> None:
    rey, voss = both.two_phones()
    call = await rey.ring()
    await voss.wait_phase("ringing")
    rey.gone()
    assert (await voss.wait_past(call))["phase"] == "cancelled"


@on_two_nodes
async def test_the_last_page_on_a_call_hangs_up_as_it_closes(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    third = both.phone(both.arcadia)
    await third.arm(call)
    await third.join(call)
    await voss.wait(lambda shown: len(shown["call"]["people"]) == 3)
    rey.gone()
    await voss.wait(lambda shown: len(shown["call"]["people"]) == 2)
    assert voss.shown["call"]["phase"] == "live"
    third.gone()
    assert (await voss.wait_past(call))["phase"] == "ended"


@on_two_nodes
async def test_existence_only_is_not_recorded(both: TwoNodes) -> None:
    rey, voss, call = await both.call("existence only")
    said = voice("Rey", 10)
    await rey.say(said)
    await voss.hears(said)
    for phone in (rey, voss):
        assert not phone.shown["call"]["recorders"]["ours"]["on"]
    await rey.do("hang-up", call=call)
    await rey.wait_past(call)
    state = line_of(both.arcadia).machine.fold.calls[call]
    assert state.recordings == ()
    for node in both.nodes:
        assert not (node.folder / "recordings").exists()


@on_two_nodes
async def test_a_device_joins_once_and_only_what_is_live(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    with pytest.raises(OperatorError, match="already"):
        await voss.join(call)
    third = both.phone(both.borealis)
    with pytest.raises(OperatorError, match="not on the call"):
        await third.do("hang-up", call=call)
    await rey.do("hang-up", call=call)
    await voss.wait_past(call)
    with pytest.raises(OperatorError, match="over"):
        await third.join(call)


@on_two_nodes
async def test_a_frozen_line_cuts_its_call_and_refuses_every_act(both: TwoNodes) -> None:
    rey, voss, _call = await both.call()
    line = line_of(both.arcadia)
    await desk_of(both.arcadia).freeze("we do not trust it")
    assert rey.shown["lines"][0]["frozen"]
    await voss.wait(lambda shown: shown["lines"][0]["frozen"])
    await asyncio.gather(rey.wait_phase("failed"), voss.wait_phase("failed"))
    for phone in (rey, voss):
        with pytest.raises(IllegalActError, match="line frozen"):
            await phone.ring()
        with pytest.raises(IllegalActError, match="line frozen"):
            await phone.do("message", line=phone.line, text="hello", tag="1", lang="en")
    with pytest.raises(IllegalActError, match="line frozen"):
        await line.act(drafts.line_test())


@on_two_nodes
async def test_the_line_is_tested_by_a_signed_entry(both: TwoNodes) -> None:
    assert 0 < await desk_of(both.arcadia).board.tester.test() < 10_000


@on_two_nodes
async def test_a_flood_of_rings_gets_a_handful_of_media_and_is_missed(both: TwoNodes) -> None:
    voss = both.phone(both.borealis)
    line, calls = line_of(both.arcadia), desk_of(both.borealis).board.calls
    most = 0

    def count(_: object) -> bool:
        nonlocal most
        most = max(most, sum(one.ended_at is None for one in calls.running.values()))
        return len(line_of(both.borealis).machine.fold.calls) == FLOOD

    wanted = [f"{number:032x}" for number in range(FLOOD)]
    await asyncio.gather(*(line.act(ring_of(call)) for call in wanted))
    await voss.wait(count)
    await voss.wait(lambda _: len(line_of(both.borealis).machine.fold.going_on()) <= MAX_RUNNING)
    assert most == len(calls.running) == MAX_RUNNING
    both.advance(46)
    await voss.wait(lambda _: not line_of(both.borealis).machine.fold.going_on())


@on_two_nodes
async def test_signals_for_calls_that_are_not_there_are_bounded(both: TwoNodes) -> None:
    line, calls = line_of(both.arcadia), desk_of(both.borealis).board.calls
    trunk = format_signal(TrunkSignal(bytes(44), 7, [("127.0.0.1", 9)]))
    for number in range(200):
        line.signal("trunk", f"{number:032x}", trunk)
        line.signal("hint", f"{number:032x}", b"\xff")
        line.signal("no such kind", f"{number:032x}", b"")
    line.signal("trunk", "ff", b"\xff")
    await wait_audited(both.borealis, "audit.peer.misbehaved")
    assert len(calls._early) <= 8
    assert calls.running == {}


@on_two_nodes
async def test_garbage_as_signals_does_not_fill_the_audit_file(both: TwoNodes) -> None:
    for _ in range(300):
        line_of(both.arcadia).signal("trunk", "", b"\xff")
    page = both.phone(both.borealis)
    await desk_of(both.arcadia).board.tester.test()  # behind all of them
    assert page.shown["lines"][0]["up"]
    await both.borealis.close()
    assert 0 < len(audited(both.borealis, "audit.peer.misbehaved")) < 40


@on_two_nodes
async def test_a_call_id_rung_from_both_sides_fails_and_leaves_no_media(both: TwoNodes) -> None:
    rey = both.phone(both.arcadia)
    call = await rey.ring()
    await both.phone(both.borealis).wait_phase("ringing")
    with pytest.raises(IllegalActError, match="already used"):
        await line_of(both.borealis).act(ring_of(call))


def ring_of(call: str) -> drafts.Draft:
    """Return a ring as a program would write it that does nothing else."""
    media = Media("00" * 32, "00" * 32, "00" * 32)
    return drafts.ring(call, call[-16:], mode="audio", track=1, person=SOMEBODY, media=media)


def withholding(frame: Frame) -> bool:
    """Say whether `frame` says that something was cosigned."""
    return isinstance(frame, Cosigned | Last)


def is_trunk(frame: Frame) -> bool:
    return isinstance(frame, Signal) and frame.kind == "trunk"


def refused(phone: Phone, call: str) -> int:
    """Return how many packets of an armed leg went nowhere."""
    device = desk_of(phone.node).board.calls.running[call].floor.device(phone.device)
    assert device is not None
    return device.leg.statistics().refused["armed"]

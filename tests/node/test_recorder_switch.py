"""A recorder that somebody switches off: who sees it, what is kept, and what the log says."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.two_nodes import (
    TwoNodes,
    ask,
    audited,
    desk_of,
    flowing,
    held,
    line_of,
    on_two_nodes,
    voice,
    wait_audited,
)
from node.test_modes import closed, recorders, state_of, talk, told
from node.test_tape import offs, spoil
from telcon.core import draft as drafts
from telcon.core.duties import recorder_terms
from telcon.core.seal import Text
from telcon.errors import OperatorError
from telcon.node.settings import FILE_NAME


@on_two_nodes
async def test_a_recorder_is_switched_off_with_a_reason_and_on_again(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    await recorders(True, rey, voss)
    first = await talk(rey, voss, "first")
    await rey.do("recorder", call=call, reason="The minister asked")
    async with asyncio.timeout(2):
        await voss.wait(lambda shown: not shown["call"]["recorders"]["theirs"]["on"])
    assert voss.shown["call"]["recorders"]["ours"]["on"]
    for phone, side in ((rey, "ours"), (voss, "theirs")):
        await phone.wait(
            lambda shown, side=side: (  # type: ignore[misc]
                shown["call"]["recorders"][side]["reason"] == "The minister asked"
            )
        )
    assert rey.shown["call"]["recorders"]["ours"]["switched_off"]
    second = await talk(rey, voss, "second")
    await rey.do("recorder", call=call, reason=None)
    await recorders(True, rey, voss)
    assert not rey.shown["call"]["recorders"]["ours"]["switched_off"]
    third = await talk(rey, voss, "third")
    await rey.do("hang-up", call=call)
    await closed(call, rey, voss)
    peer = line_of(both.borealis).identity.own_card.log.name
    own = line_of(both.arcadia).identity.own_card.log.name
    await rey.wait(lambda _: {(own, 1), (peer, 1)} <= state_of(rey, call).chunks.keys())
    await rey.wait(lambda _: state_of(rey, call).chunks[peer, 1].count == 30)
    await rey.wait(lambda _: own in state_of(rey, call).held)
    await rey.wait(lambda _: state_of(rey, call).held[own].absent == 10)
    # Not asked for afterwards either: what was not to be kept stays unkept.
    for number, speaker in enumerate((both.arcadia, both.borealis)):
        kept = [packet.payload for packet in held(both.arcadia, call, speaker)]
        assert kept == first[number] + third[number]
        whole = [packet.payload for packet in held(both.borealis, call, speaker)]
        assert whole == first[number] + second[number] + third[number]
    story = told(line_of(both.arcadia))
    assert {kind for kind, *_ in story} == {"chunk"}  # they prove the other side's record
    assert sum(count for _, _, count in story) == 30
    assert "The minister asked" in await wait_audited(both.arcadia, "audit.record.switched-off")
    assert audited(both.arcadia, "audit.record.unlogged") == []


@on_two_nodes
async def test_a_recorder_that_was_off_for_a_moment_was_off_in_both_logs(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    await recorders(True, rey, voss)
    running = desk_of(both.arcadia).board.calls.running[call]
    running.switch_recorder(Text("en", "a slip"))
    running.switch_recorder(None)  # before anything was said of it
    await recorders(True, rey, voss)
    for line in map(line_of, both.nodes):
        await rey.wait(lambda _, line=line: len(offs(line, "arcadia")) == 2)  # type: ignore[misc]
    await talk(rey, voss, "on again")
    recordings = state_of(rey, call).recordings
    own = line_of(both.arcadia).identity.own_card.log.name
    assert len([one for one in recordings if one.author == own and one.off is None]) == 2
    await rey.do("hang-up", call=call)
    await closed(call, rey, voss)
    assert audited(both.arcadia, "audit.record.unlogged") == []


@pytest.mark.parametrize("is_on_again", [False, True])
def test_what_came_while_it_was_off_is_not_asked_for_after_a_restart(
    is_on_again: bool, tmp_path: Path
) -> None:
    @on_two_nodes
    async def run(both: TwoNodes) -> None:
        rey, voss, call = await both.call()
        await recorders(True, rey, voss)
        first = await talk(rey, voss, "first")
        await rey.do("recorder", call=call, reason="in private")
        await voss.wait(lambda shown: not shown["call"]["recorders"]["theirs"]["on"])
        await talk(rey, voss, "second")
        third: Sequence[list[bytes]] = ([], [])
        if is_on_again:
            await rey.do("recorder", call=call, reason=None)
            await recorders(True, rey, voss)
            third = await talk(rey, voss, "third")
        rey.gone()
        again = await both.restart(both.arcadia)
        rey = both.phone(again)
        await both.up()
        own, peer = (line_of(node).identity.own_card.log.name for node in both.nodes)
        await rey.wait(lambda _: own in state_of(rey, call).agreed)
        said = state_of(rey, call).chunks[peer, 1].count
        assert said == 30 if is_on_again else 20
        assert state_of(rey, call).held[own].absent == 10
        kept = [packet.payload for packet in held(again, call, both.borealis)]
        assert kept == first[1] + third[1]

    run(tmp_path)


@on_two_nodes
async def test_the_operator_switches_the_recorder_of_the_call_that_is_going_on(
    both: TwoNodes,
) -> None:
    with pytest.raises(OperatorError, match=r"no call with borealis\.example"):
        await ask(both.arcadia, "recorder", peer="borealis.example", reason="the disk")
    rey, voss, call = await both.call("notes only")
    with pytest.raises(OperatorError, match="Nothing of this call is recorded"):
        await rey.do("recorder", call=call, reason="in vain")
    for phone in (rey, voss):
        await phone.do("keep", call=call, mode="audio")
    await recorders(True, rey, voss)
    await ask(both.arcadia, "recorder", peer="borealis.example", reason="the disk")
    await voss.wait(lambda shown: shown["call"]["recorders"]["theirs"]["reason"] == "the disk")
    with pytest.raises(OperatorError, match="off already"):
        await ask(both.arcadia, "recorder", peer="borealis.example", reason="again")
    await ask(both.arcadia, "recorder", peer="borealis.example", reason=None)
    await recorders(True, rey, voss)
    with pytest.raises(OperatorError, match="on already"):
        await ask(both.arcadia, "recorder", peer="borealis.example", reason=None)
    with pytest.raises(OperatorError, match="no reason"):
        await ask(both.arcadia, "recorder", peer="borealis.example", reason=" ")
    assert len(audited(both.arcadia, "audit.record.switched-off")) == 1
    assert '"from_page":false' in await wait_audited(both.arcadia, "audit.record.switched-on")


async def state_condition(both: TwoNodes, condition: str) -> None:
    """Let Borealis want this of a call whose recorder stops, and both sides hold it."""
    await line_of(both.borealis).act(drafts.line_terms("go on", conditions=[condition]))
    page, line = both.phone(both.arcadia), line_of(both.arcadia)
    origin = line.identity.peer_card.log.name
    await page.wait(lambda _: line.machine.fold.line.terms[origin].conditions == (condition,))
    page.close()


@on_two_nodes
async def test_terms_that_mute_let_nobody_be_heard_while_a_recorder_is_off(both: TwoNodes) -> None:
    await state_condition(both, "recorder stopped mute")
    rey, voss, call = await both.call()
    await recorders(True, rey, voss)
    heard = await talk(rey, voss, "heard", 3)
    await rey.do("recorder", call=call, reason="in private")
    both.advance(0)
    await voss.wait(lambda shown: not shown["call"]["recorders"]["theirs"]["on"])
    both.advance(3.1)
    for phone in (rey, voss):
        await phone.wait(lambda shown: bool(shown["call"]["silenced"]))
    await asyncio.gather(rey.say(voice("unheard", 3)), voss.say(voice("unheard", 3)))
    await rey.do("recorder", call=call, reason=None)
    await recorders(True, rey, voss)
    both.advance(0)
    await asyncio.gather(flowing(rey, call), flowing(voss, call))
    again = await talk(rey, voss, "again", 3)
    assert voss.heard == heard[0] + again[0]
    assert rey.heard == heard[1] + again[1]


@on_two_nodes
async def test_terms_that_end_do_so_when_the_disk_takes_no_record(both: TwoNodes) -> None:
    await state_condition(both, "recorder stopped end")
    spoil(both.arcadia.folder)
    rey, voss, call = await both.call()
    await rey.wait(lambda shown: not shown["call"]["recorders"]["ours"]["on"])
    both.advance(0)
    both.advance(3.1)
    await asyncio.gather(rey.wait_phase("failed"), voss.wait_phase("failed"))
    assert (await rey.wait_past(call))["reason"] == "recorder stopped"


@on_two_nodes
async def test_what_the_settings_want_of_a_stopped_recorder_is_stated_at_the_next_start(
    both: TwoNodes,
) -> None:
    settings = both.arcadia.settings
    changed = replace(settings, line=replace(settings.line, recorder_stopped="mute"))
    (both.arcadia.folder / FILE_NAME).unlink()
    changed.write(both.arcadia.folder)
    arcadia = await both.restart(both.arcadia)
    await both.up()
    own, fold = line_of(arcadia).identity.own_card.log.name, line_of(both.borealis).machine.fold
    page = both.phone(both.borealis)
    await page.wait(lambda _: fold.line.terms[own].conditions == ("recorder stopped mute",))
    assert recorder_terms(fold) == "mute"

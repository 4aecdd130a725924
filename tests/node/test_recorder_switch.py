"""A recorder that somebody switches off: who sees it, what is kept, and what the log says."""

import asyncio

import pytest

from fakes.two_nodes import (
    TwoNodes,
    ask,
    audited,
    held,
    line_of,
    on_two_nodes,
    wait_audited,
)
from node.test_modes import closed, recorders, state_of, talk, told
from telcon.errors import OperatorError


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
    await rey.wait(lambda _: (own, 1) in state_of(rey, call).chunks)
    await rey.wait(lambda _: state_of(rey, call).chunks[peer, 1].count == 30)
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
    await ask(both.arcadia, "recorder", peer="borealis.example", reason=None)
    await recorders(True, rey, voss)
    assert '"from_page":false' in await wait_audited(both.arcadia, "audit.record.switched-on")

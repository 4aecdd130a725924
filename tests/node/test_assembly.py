"""A whole call between two nodes, and what they owe each other around it."""

import asyncio

from fakes.two_nodes import TwoNodes, on_two_nodes, recorded, voice


@on_two_nodes
async def test_both_hear_each_other_and_both_record_both(both: TwoNodes) -> None:
    caller, callee, call = await both.call()
    rex, elena = voice("Rey", 40), voice("Voss", 40)
    await asyncio.gather(caller.say(rex), callee.say(elena))
    await asyncio.gather(caller.hears(elena), callee.hears(rex))
    assert callee.heard == rex
    assert caller.heard == elena
    await caller.do("hang-up", call=call)
    for phone in (caller, callee):
        past = await phone.wait_past(call)
        assert past["phase"] == "ended"
    await both.arcadia.close()
    await both.borealis.close()
    for node in both.nodes:
        assert recorded(node, call, both.arcadia) == rex
        assert recorded(node, call, both.borealis) == elena

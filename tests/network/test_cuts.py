"""Cuts of leg and trunk: audio is back at once, and the recording holds the gap at its place.

Each has two nodes of its own. Two are made at once, for what they take is time and not work.
"""

import asyncio
import contextlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from fakes.two_nodes import FRAME_S, Phone, held, line_of, until
from fakes.udp_proxy import FAIR, Weather
from network.rig import BadNetwork, Talk, bad_network, positions, silence

BACK_S = 2.0  # the limit
BUSY = 5.0  # how much longer a machine may take on which everything else is tested too
FRAME = 960  # samples
OFF_BY = 1_920  # samples, 40 ms: the limit
CUT = Weather(cut=True)


async def cut_for(
    set_weather: Callable[[Weather], None], seconds: float, hears: Callable[[], int]
) -> float:
    """Cut, wait, mend; return how long it took from then on until somebody heard again."""
    loop = asyncio.get_running_loop()
    set_weather(CUT)
    began = loop.time()
    before = await silence(hears)
    await asyncio.sleep(max(0.0, began + seconds - loop.time()))
    assert hears() == before
    set_weather(FAIR)
    began = loop.time()
    await until(lambda: hears() > before + 5)
    return loop.time() - began


async def check_cut(network: BadNetwork, place: str, seconds: float) -> None:
    """Cut leg or trunk in the middle of a call in which both speak; look at both recordings."""
    caller, callee, call = await network.nodes.call()
    talks = Talk(caller, "Rey"), Talk(callee, "Voss")
    await until(lambda: len(caller.heard) > 50 and len(callee.heard) > 50)
    at = len(talks[0].said)
    set_weather = network.trunk if place == "trunk" else network.legs
    took_s = await cut_for(set_weather, seconds, lambda: min(len(caller.heard), len(callee.heard)))
    print(f"{place} cut for {seconds:g} s: heard again {took_s:.2f} s after it was mended")
    assert took_s < BACK_S * BUSY
    await asyncio.sleep(50 * FRAME_S)
    for talk in talks:
        await talk.stop()
    assert caller.offers == callee.offers == 1
    assert caller.shown["call"]["phase"] == "live"
    await caller.do("hang-up", call=call)
    await caller.wait_past(call)
    arcadia, borealis = network.nodes.nodes
    await check_same(network, caller, call)
    for node, speaker in ((arcadia, borealis), (borealis, arcadia)):
        check_gap(positions(node, call, speaker), at, seconds)
    if place == "leg":
        check_gap(positions(arcadia, call, arcadia), at, seconds)


async def check_same(network: BadNetwork, phone: Phone, call: str) -> None:
    """See that both sides hold and have signed one recording, with nothing missing on either."""
    calls = line_of(phone.node).machine.fold.calls
    await phone.wait(lambda _: calls[call].is_agreed)
    for speaker in network.nodes.nodes:
        ours, theirs = (held(node, call, speaker) for node in network.nodes.nodes)
        whole = [(packet.index, packet.timestamp, packet.payload) for packet in ours]
        assert whole == [(packet.index, packet.timestamp, packet.payload) for packet in theirs]
        assert [index for index, *_ in whole] == list(range(len(whole)))


def check_gap(at_number: dict[int, int], at: int, seconds: float) -> None:
    """See that a recording holds what was said before and after a cut, each at its place."""
    numbers = sorted(at_number)
    places = [at_number[number] - number * FRAME for number in numbers]
    assert max(places) - min(places) <= OFF_BY
    steps = [(b - a, a) for a, b in pairwise(numbers)]
    longest, begins = max(steps)
    assert abs(longest * FRAME_S - seconds) < BUSY
    assert abs(begins - at) * FRAME_S < BUSY
    assert numbers[-1] > begins + longest + 25


@pytest.mark.parametrize("seconds", [5.0, 10.0, 30.0])
def test_a_trunk_and_a_leg_that_are_cut(seconds: float, tmp_path: Path) -> None:
    async def check_both() -> None:
        async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            for place in ("trunk", "leg"):
                network = await stack.enter_async_context(bad_network(tmp_path / place))
                group.create_task(check_cut(network, place, seconds))

    asyncio.run(check_both())

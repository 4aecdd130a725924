"""Loss and jitter on leg and trunk: the talk goes on, and the speaker's encoder is told of it."""

import asyncio
from collections.abc import Callable

from fakes.two_nodes import Phone, desk_of, until
from fakes.udp_proxy import FAIR, Weather
from network.rig import (
    MOSTLY,
    BadNetwork,
    Talk,
    hears_share,
    on_a_bad_network,
    told_loss,
)

BAD = (
    Weather(loss=0.05),
    Weather(loss=0.20),
    Weather(loss=0.20, burst=3),
    Weather(delay_s=0.1, jitter_s=0.03),
)
TOLD = Weather(loss=0.10)
TELLS_S, CLEARS_S = 3.0, 10.0  # the limits
BUSY = 4.0  # how much longer a loaded machine may take; `bench/loss.py` prints what it takes
NOTABLE = 0.02
ENOUGH = 100  # packets, 2 s: of fewer, one burst or two are a tenth


async def spoken(talks: tuple[Talk, Talk]) -> tuple[list[bytes], list[bytes]]:
    """Let both speak on for a while; return what they said meanwhile."""
    begin = [len(talk.said) for talk in talks]
    await until(lambda: all(len(t.said) >= b + ENOUGH for t, b in zip(talks, begin, strict=True)))
    return talks[0].said[begin[0] :], talks[1].said[begin[1] :]


async def told_s(*phones: Phone, loss: bool) -> float:
    """Wait until all are told of loss, or of none any more; return how long that took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await until(lambda: all((told_loss(phone) > NOTABLE) is loss for phone in phones))
    return loop.time() - began


async def check(network: BadNetwork, weather: Callable[[Weather], None]) -> int:
    """Let both speak in every kind of weather; return how many packets the trunks filled."""
    caller, callee, call = await network.nodes.call()
    talks = Talk(caller, "Rey"), Talk(callee, "Voss")
    weather(TOLD)
    told = await told_s(caller, callee, loss=True)
    weather(FAIR)
    cleared = await told_s(caller, callee, loss=False)
    print(f"both were told of the loss after {told:.2f} s, and of none after {cleared:.2f} s")
    assert told < TELLS_S * BUSY
    assert cleared < CLEARS_S * BUSY
    for bad in BAD:
        weather(bad)
        said = await spoken(talks)
        weather(FAIR)
        await hears_share(callee, said[0], MOSTLY)
        await hears_share(caller, said[1], MOSTLY)
    for talk in talks:
        await talk.stop()
    assert caller.shown["call"]["phase"] == callee.shown["call"]["phase"] == "live"
    assert caller.offers == callee.offers == 1
    assert network.lost() > 0
    calls = [desk_of(node).board.calls for node in network.nodes.nodes]
    return sum(one.running[call].floor.trunk_statistics().filled for one in calls)


@on_a_bad_network
async def test_on_a_bad_trunk_the_talk_goes_on_and_the_speakers_are_told(
    network: BadNetwork,
) -> None:
    assert await check(network, network.trunk) > 0


@on_a_bad_network
async def test_on_bad_legs_the_talk_goes_on_and_the_speakers_are_told(
    network: BadNetwork,
) -> None:
    await check(network, network.legs)

"""Loss and jitter on leg and trunk: the talk goes on, and the speaker's encoder is told of it."""

import asyncio

from fakes.two_nodes import Phone, until
from fakes.udp_proxy import FAIR, Weather
from network.rig import BadNetwork, Talk, heard_share, on_a_bad_network, told_loss

LOSSES = (0.05, 0.10, 0.20)
TELLS_S = 3.0
CLEARS_S = 10.0
BUSY = (
    2.0  # how much longer than the limit a loaded machine may take; bench/loss.py holds the limit
)
ENOUGH = 75  # packets, 1.5 s


async def spoken(talk: Talk) -> list[bytes]:
    """Let somebody speak on for a while; return what they said meanwhile."""
    begin = len(talk.said)
    await until(lambda: len(talk.said) >= begin + ENOUGH)
    return talk.said[begin : begin + ENOUGH]


async def takes_s(holds: bool, phone: Phone) -> float:
    """Wait until the phone is told of loss, or of none any more; return how long that took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await until(lambda: (told_loss(phone) > 0.02) is holds)
    return loop.time() - began


@on_a_bad_network
async def test_on_a_lossy_trunk_the_talk_goes_on_and_both_speakers_are_told(
    network: BadNetwork,
) -> None:
    caller, callee, _ = await network.nodes.call()
    talks = Talk(caller, "Rey"), Talk(callee, "Voss")
    for loss in LOSSES:
        network.trunk(Weather(loss=loss))
        took_s = max(await takes_s(True, caller), await takes_s(True, callee))
        said = await spoken(talks[0]), await spoken(talks[1])
        await asyncio.sleep(0)
        assert took_s < TELLS_S * BUSY
        assert heard_share(callee, said[0]) > 1 - 3 * loss
        assert heard_share(caller, said[1]) > 1 - 3 * loss
        network.trunk(FAIR)
        assert await takes_s(False, caller) < CLEARS_S * BUSY
        assert await takes_s(False, callee) < CLEARS_S * BUSY
    for talk in talks:
        await talk.stop()
    assert caller.shown["call"]["phase"] == callee.shown["call"]["phase"] == "live"
    assert network.lost() > 0

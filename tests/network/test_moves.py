"""A phone or a node whose address changes in a call: audio goes on; nobody else can move it."""

import asyncio
from pathlib import Path

from fakes.two_nodes import until
from fakes.udp_proxy import FAIR, Weather
from network.rig import OUTSIDE, BadNetwork, Talk, bad_network, media_ports, on_a_bad_network
from telcon.node.assembly import Node
from telcon.node.media.leg import LegStatistics

FOLLOWED_S = 2.0  # the limit: audio continues
BUSY = 5.0  # how much longer a loaded machine may take


def leg_of(node: Node) -> LegStatistics:
    """Return the only leg of a node."""
    (leg,) = node._plane.statistics().legs
    return leg


async def heard_again_s(network: BadNetwork, talks: tuple[Talk, Talk]) -> float:
    """Return how long it takes until both hear ten packets of what is said from now on."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for talk, listener in zip(talks, reversed(network.nodes.phones[-2:]), strict=True):
        first = len(talk.said)
        await until(
            lambda talk=talk, listener=listener, first=first: (  # type: ignore[misc]
                len(set(talk.said[first:]) & set(listener.heard[-100:])) >= 10
            )
        )
    return loop.time() - began


@on_a_bad_network
async def test_a_phone_that_changes_its_address_goes_on_talking(network: BadNetwork) -> None:
    caller, callee, _ = await network.nodes.call()
    talks = Talk(caller, "Rey"), Talk(callee, "Voss")
    await heard_again_s(network, talks)
    moves = leg_of(network.nodes.arcadia).moves
    network.move_legs()
    took_s = await heard_again_s(network, talks)
    print(f"both hear each other {took_s:.2f} s after both phones moved")
    assert took_s < FOLLOWED_S * BUSY
    await until(lambda: leg_of(network.nodes.arcadia).moves > moves)  # a check verified it
    assert caller.offers == callee.offers == 1
    for talk in talks:
        await talk.stop()


@on_a_bad_network
async def test_a_node_that_changes_its_address_goes_on_talking(network: BadNetwork) -> None:
    caller, callee, _ = await network.nodes.call()
    talks = Talk(caller, "Rey"), Talk(callee, "Voss")
    await heard_again_s(network, talks)
    for proxy in network.proxies:
        proxy.rebind(media_ports(network.nodes))
    took_s = await heard_again_s(network, talks)
    print(f"both hear each other {took_s:.2f} s after the trunk moved")
    assert took_s < FOLLOWED_S * BUSY
    for talk in talks:
        await talk.stop()


async def talk_while_paths_die(network: BadNetwork) -> None:
    caller, callee, _ = await network.nodes.call()
    talks = Talk(caller, "Rey"), Talk(callee, "Voss")
    await heard_again_s(network, talks)
    first, second = network.proxies[:2], network.proxies[2:]
    ports = media_ports(network.nodes)
    for dead, alive in ((first, second), (second, first)):
        for proxy in alive:
            proxy.set(FAIR)
        for proxy in dead:
            proxy.set(Weather(cut=True), clients=ports)
        print(f"heard on the other path {await heard_again_s(network, talks):.2f} s later")
    for talk in talks:
        await talk.stop()


def test_when_one_path_of_the_trunk_dies_the_other_is_taken(tmp_path: Path) -> None:
    async def run() -> None:
        async with bad_network(tmp_path, (OUTSIDE, "127.0.0.8")) as network:
            await talk_while_paths_die(network)

    asyncio.run(run())


@on_a_bad_network
async def test_a_move_that_somebody_else_makes_up_moves_nothing(network: BadNetwork) -> None:
    caller, callee, _ = await network.nodes.call()
    talks = Talk(caller, "Rey"), Talk(callee, "Voss")
    await heard_again_s(network, talks)
    moves = [leg_of(node).moves for node in network.nodes.nodes]
    for proxy in network.proxies:
        assert proxy.replay() > 20  # checks, handshakes, sound and reports, all seen before
    await heard_again_s(network, talks)
    assert [leg_of(node).moves for node in network.nodes.nodes] == moves
    assert [proxy.counts()["stray"] for proxy in network.proxies] == [0, 0]
    for talk in talks:
        await talk.stop()

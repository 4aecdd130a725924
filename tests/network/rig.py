"""Two nodes whose media goes through proxies of ours: what a bad network does, made for real.

Both nodes state an address at which nobody is but a proxy, so legs and trunk go through it as they
would through a network; a client of a proxy that has the other node's port is the trunk.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakes.two_nodes import (
    FRAME_S,
    LOOPBACK,
    Phone,
    TwoNodes,
    line_of,
    place_of,
    two_nodes,
    until,
    voice,
)
from fakes.udp_proxy import FAIR, UdpProxy, Weather
from telcon.node.assembly import Node
from telcon.node.media.oggopus import parse_ogg_opus_untrusted
from telcon.node.media.rtcp import ReceiverReport
from telcon.node.record.rendering import render_recorded

OUTSIDE = "127.0.0.9"
SEED = 20_261_122
ON_THE_WAY_S = 0.5  # what was sent before a cut, or is asked for again, comes within it
MOSTLY, NEARLY_ALL = 0.9, 0.99  # shares of what was said

Test = Callable[["BadNetwork"], Coroutine[Any, Any, None]]


@dataclass
class BadNetwork:
    """Two nodes and what is between them and their devices."""

    nodes: TwoNodes
    proxies: list[UdpProxy]

    def trunk(self, weather: Weather) -> None:
        """Let `weather` begin on the trunk, both ways."""
        for proxy in self.proxies:
            proxy.set(weather, clients=media_ports(self.nodes))

    def legs(self, weather: Weather) -> None:
        """Let `weather` begin on all legs, both ways."""
        for proxy in self.proxies:
            proxy.set(weather)
            proxy.set(FAIR, clients=media_ports(self.nodes))

    def lost(self) -> int:
        """Return how many datagrams the proxies have lost so far."""
        counts = [proxy.counts() for proxy in self.proxies]
        return sum(count["up_lost"] + count["down_lost"] for count in counts)

    def move_legs(self) -> None:
        """Let all devices appear under new addresses, and not be reached under the old."""
        for proxy in self.proxies:
            proxy.rebind(but=media_ports(self.nodes))


def media_ports(both: TwoNodes) -> list[int]:
    """Return the UDP ports of both nodes: who comes from one of them is the trunk."""
    return [media_port(node) for node in both.nodes]


def media_port(node: Node) -> int:
    """Return the UDP port of a node."""
    return node.settings.media.port


@contextlib.asynccontextmanager
async def bad_network(
    folder: Path, hosts: tuple[str, ...] = (OUTSIDE,), seed: int = SEED
) -> AsyncIterator[BadNetwork]:
    """Start two paired nodes and a proxy for each of the `hosts` of each."""
    async with two_nodes(folder, hosts=hosts) as both:
        with contextlib.ExitStack() as stack:
            proxies = [
                stack.enter_context(
                    UdpProxy((host, media_port(node)), (LOOPBACK, media_port(node)), seed=seed)
                )
                for host in hosts
                for node in both.nodes
            ]
            yield BadNetwork(both, proxies)


def on_a_bad_network(test: Test) -> Callable[[Path], None]:
    """Run a test on two paired nodes with a proxy each, in fair weather."""

    async def run(folder: Path) -> None:
        async with bad_network(folder) as network:
            await test(network)

    def wrapped(tmp_path: Path) -> None:
        asyncio.run(run(tmp_path))

    wrapped.__name__, wrapped.__doc__ = test.__name__, test.__doc__
    return wrapped


class Talk:
    """A phone that speaks in real time until it is told to stop, each packet unlike all others."""

    def __init__(self, phone: Phone, name: str) -> None:
        self.said: list[bytes] = []
        self._phone = phone
        self._name = name
        self._task = asyncio.create_task(self._speak())

    async def stop(self) -> list[bytes]:
        """Stop speaking; return all that was said."""
        self._task.cancel()
        await asyncio.wait([self._task])
        return self.said

    async def _speak(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        packets = voice(self._name, 50_000)
        for number, payload in enumerate(packets):
            self._phone.leg.send_opus(payload)
            self.said.append(payload)
            await asyncio.sleep(max(0.0, began + (number + 1) * FRAME_S - loop.time()))


def told_loss(phone: Phone) -> float:
    """Return the share of its packets that the node last told this phone is lost."""
    blocks = [
        block
        for report in phone.leg.reports
        if isinstance(report, ReceiverReport)
        for block in report.blocks
    ]
    return blocks[0].fraction_lost / 256 if blocks else 0.0


def heard_share(listener: Phone, said: list[bytes]) -> float:
    """Return which share of `said` has come, each packet counted once."""
    return len(set(said) & set(listener.heard)) / len(said)


async def hears_share(listener: Phone, said: list[bytes], share: float) -> None:
    """Wait until more than `share` of `said` has come; some of it is still on its way."""
    with contextlib.suppress(TimeoutError):  # the figure says more than that time is over
        await until(lambda: heard_share(listener, said) > share)
    found = heard_share(listener, said)
    assert found > share, f"{found:.0%} of {len(said)} packets have come"


async def silence(hears: Callable[[], int]) -> int:
    """Wait until nothing comes any more; return how much has come."""
    while True:
        before = hears()
        await asyncio.sleep(ON_THE_WAY_S)
        if hears() == before:
            return before


def positions(node: Node, call: str, speaker: Node) -> dict[int, int]:
    """Return where each packet of a `Talk` stands in a node's recording, by its number.

    In samples of 1/48000 s; the first word of a payload's text is who spoke, the second the number.
    """
    track = (line_of(speaker).identity.own_card.log.name, 1)
    file = b"".join(render_recorded(place_of(node, call).read(), track))
    packets = parse_ogg_opus_untrusted(file).packets
    heard = [packet for packet in packets if not packet.is_lost]
    return {int(packet.payload[1:].split(b".")[0].split()[1]): packet.start for packet in heard}

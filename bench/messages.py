"""A countersigned message from node to node, against L.

From the moment at which the act is handed to the near node's line to the moment at which it has
verified the far node's cosignature over it: composed, committed, signed and pushed here; verified,
committed and cosigned there; verified here. The terms of L are sampled between the messages.
"""

import asyncio
import time
from dataclasses import dataclass, field

from bench.figures import median, spread
from bench.terms import Terms, terms_of
from bench.two_nodes import TwoNodes, two_nodes
from telcon.core import draft as drafts
from telcon.core.seal import Text

__all__ = ["run"]

WARM_UP = 150  # so that both write-ahead logs are in use, as after some minutes of work
MESSAGES = 400
IN_FLIGHT = 16
BURST, BURST_IN_FLIGHT = 5_000, 64
WORDS = "The delegation will be at the north gate at nine; please let your people know."


@dataclass(slots=True)
class Writer:
    """Writes messages and sees them countersigned. Times are in milliseconds."""

    nodes: TwoNodes
    durable_ms: list[float] = field(default_factory=list)
    countersigned_ms: list[float] = field(default_factory=list)

    async def write(self) -> None:
        """Write one message and wait until it is countersigned."""
        line, sender = self.nodes.line, self.nodes.near.settings.principal
        machine = line.line.machine
        draft = drafts.message(sender, line.peer, Text("en", WORDS))
        began = time.perf_counter()
        held = await line.line.act_bulk(draft)
        durable = time.perf_counter()
        signed = await self.nodes.looker.when(lambda: machine.cosigned_by_peer > held.index)
        self.durable_ms.append((durable - began) * 1e3)
        self.countersigned_ms.append((signed - began) * 1e3)

    async def many(self, count: int, in_flight: int) -> float:
        """Write `count` messages, always so many at once; return messages a second."""
        left = iter(range(count))

        async def worker() -> None:
            for _ in left:
                await self.write()

        began = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        return count / (time.perf_counter() - began)


async def one_at_a_time(nodes: TwoNodes, terms: Terms) -> None:
    """Print messages beside the terms of L, taken in turn."""
    writer = Writer(nodes)
    for _ in range(MESSAGES):
        await writer.write()
        await terms.sample()
    print("one message at a time; milliseconds")
    limit_ms = terms.show()
    print(f"  durable here     {spread(writer.durable_ms)}")
    print(f"  countersigned    {spread(writer.countersigned_ms)}")
    print(f"  countersigned / L: {median(writer.countersigned_ms) / limit_ms:.2f}")


async def in_flight(nodes: TwoNodes) -> None:
    """Print what many messages at once gain over one at a time, in turns."""
    rates: dict[int, list[float]] = {1: [], IN_FLIGHT: []}
    for _ in range(5):
        for at_once, found in rates.items():
            found.append(await Writer(nodes).many(20 * at_once, at_once))
    print("messages a second, five runs each, in turn")
    for at_once, found in rates.items():
        print(f"  {at_once:>2} in flight  " + "  ".join(f"{rate:7.0f}" for rate in found))
    ratio = median(rates[IN_FLIGHT]) / median(rates[1])
    print(f"  ratio of medians: {ratio:.1f}; the worst: {min(rates[IN_FLIGHT]):.0f} a second")


async def burst(nodes: TwoNodes) -> None:
    """Print how fast many are through."""
    writer = Writer(nodes)
    rate = await writer.many(BURST, BURST_IN_FLIGHT)
    print(f"{BURST} messages with {BURST_IN_FLIGHT} in flight: {rate:.0f} a second")
    print(f"  countersigned, ms  {spread(writer.countersigned_ms, digits=1)}")


async def measure() -> None:
    """Run all three on one pair of nodes."""
    async with two_nodes() as nodes, terms_of(nodes.folder) as terms:
        await Writer(nodes).many(WARM_UP, 1)
        await one_at_a_time(nodes, terms)
        await in_flight(nodes)
        await burst(nodes)


def run() -> None:
    """Measure and print."""
    asyncio.run(measure())

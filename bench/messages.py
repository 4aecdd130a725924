"""A countersigned message from node to node, against L.

From the moment at which the act is handed to the near node's line to the moment at which it has
verified the far node's cosignature over it: composed, committed, signed and pushed here; verified,
committed and cosigned there; verified here. The terms of L are sampled between the messages.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.figures import Row, every, median, spread
from bench.terms import Terms, terms_of
from bench.two_nodes import TwoNodes, two_nodes
from telcon.core import draft as drafts
from telcon.core.seal import Text

__all__ = ["Writer", "run"]

WARM_UP = 300  # so that both write-ahead logs are in use, as after some minutes of work
RUNS = 5
MESSAGES = 100  # of each run, one at a time
IN_FLIGHT, ROUNDS = 16, 40
BURST, BURST_IN_FLIGHT, BURSTS = 20_000, 64, 3
MEDIAN_LIMIT, HIGH_LIMIT, IN_FLIGHT_LIMIT, BURST_LIMIT = 2.0, 8.0, 1.5, 5_000
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
        began = time.perf_counter()
        draft = drafts.message(sender, line.peer, Text("en", WORDS))
        held = await line.line.act_bulk(draft)
        durable = time.perf_counter()
        signed = await self.nodes.looker.signed(held.index)
        self.durable_ms.append((durable - began) * 1e3)
        self.countersigned_ms.append((signed - began) * 1e3)

    async def many(self, count: int, in_flight: int) -> float:
        """Write `count` messages, always so many at once; return messages a second."""
        left = iter(range(count))
        began = time.perf_counter()
        await asyncio.gather(*(self._write_each(left) for _ in range(in_flight)))
        return count / (time.perf_counter() - began)

    async def _write_each(self, left: Iterator[int]) -> None:
        for _ in left:
            await self.write()


async def one_at_a_time(nodes: TwoNodes, terms: Terms) -> list[Row]:
    """Print messages beside the terms of L, taken in turn; every run and the worst."""
    runs: list[Writer] = []
    ratios: list[float] = []
    for _ in range(RUNS):
        writer, first = Writer(nodes), terms.count
        for _ in range(MESSAGES):
            await writer.write()
            await terms.sample()
        runs.append(writer)
        ratios.append(median(writer.countersigned_ms) / terms.limit_ms(first))
    times = [value for writer in runs for value in writer.countersigned_ms]
    print("one message at a time; milliseconds")
    limit_ms = terms.show()
    print(f"  durable here     {spread([ms for writer in runs for ms in writer.durable_ms])}")
    print(f"  countersigned    {spread(times)}")
    print(
        f"  medians of the runs\n{every([median(one.countersigned_ms) for one in runs], digits=3)}"
    )
    print(f"  medians / L of the same run\n{every(ratios, digits=2)}")
    high = sorted(times)[round(len(times) * 0.99) - 1]
    ratio = median(times) / limit_ms
    print(f"  countersigned / L: {ratio:.2f} (limit {MEDIAN_LIMIT:g}), worst run {max(ratios):.2f}")
    print(f"  its 99 % / L: {high / limit_ms:.2f} (limit {HIGH_LIMIT:g})")
    reference = f"L = {limit_ms:.3f} ms in the same run"
    return [
        _ratio("countersigned message, median", ratio, MEDIAN_LIMIT, "L", reference, ratios),
        _ratio("countersigned message, 99 %", high / limit_ms, HIGH_LIMIT, "L", reference, []),
    ]


async def in_flight(nodes: TwoNodes) -> list[Row]:
    """Print how much longer one of many messages at once takes than one alone, in turns."""
    alone: list[float] = []
    crowded: list[float] = []
    rates: list[float] = []
    for _ in range(RUNS):
        single, many = Writer(nodes), Writer(nodes)
        await single.many(ROUNDS, 1)
        rates.append(await many.many(ROUNDS * IN_FLIGHT, IN_FLIGHT))
        alone.append(median(single.countersigned_ms))
        crowded.append(median(many.countersigned_ms))
    ratios = [late / soon for late, soon in zip(crowded, alone, strict=True)]
    print(f"{IN_FLIGHT} in flight, in turns with one at a time; medians of a message, milliseconds")
    for name, values in (("one at a time", alone), (f"{IN_FLIGHT} in flight", crowded)):
        print(f"  {name:<14}{every(values, digits=3)}")
    print(f"  {'ratio':<14}{every(ratios, digits=2)}")
    print(f"  {'a second':<14}{every(rates, digits=0)}")
    ratio = median(crowded) / median(alone)
    print(f"  ratio: {ratio:.2f} (limit {IN_FLIGHT_LIMIT}), worst run {max(ratios):.2f}")
    reference = f"one at a time takes {median(alone):.2f} ms"
    name = f"a message with {IN_FLIGHT} in flight"
    return [_ratio(name, ratio, IN_FLIGHT_LIMIT, "one alone", reference, ratios)]


async def burst() -> list[Row]:
    """Print how fast very many are through, each burst on a new pair of nodes."""
    rates: list[float] = []
    print(f"bursts of {BURST} messages with {BURST_IN_FLIGHT} in flight")
    for _ in range(BURSTS):  # a second one would come near what a peer may send at full speed
        async with two_nodes() as nodes:
            await Writer(nodes).many(WARM_UP, 1)
            writer = Writer(nodes)
            rates.append(await writer.many(BURST, BURST_IN_FLIGHT))
            print(
                f"  {rates[-1]:6.0f} a second;"
                f" each, ms  {spread(writer.countersigned_ms, digits=1)}",
                flush=True,
            )
    middle = median(rates)
    print(f"  median {middle:.0f} (limit {BURST_LIMIT}), worst {min(rates):.0f} a second")
    name = f"burst of {BURST}, {BURST_IN_FLIGHT} in flight"
    is_met = middle >= BURST_LIMIT
    return [Row(name, middle, "a second", f"≥ {BURST_LIMIT}", is_met, "", rates)]


def _ratio(
    name: str, value: float, limit: float, of: str, reference: str, runs: list[float]
) -> Row:
    return Row(name, value, f"x {of}", f"≤ {limit:g}", value <= limit, reference, runs)


async def measure() -> list[Row]:
    """Run all three."""
    async with two_nodes() as nodes, terms_of(nodes.folder) as terms:
        await Writer(nodes).many(WARM_UP, 1)
        rows = await one_at_a_time(nodes, terms)
        rows += await in_flight(nodes)
    return rows + await burst()


def run() -> list[Row]:
    """Measure and print."""
    return asyncio.run(measure())

"""What it costs a message that the newest checkpoints are signed by ML-DSA-44 as well.

Two pairs of nodes stand side by side: one paired as ever, one whose key cards were brought back to
version 1, which has Ed25519 alone. Messages are written on one and the other in turns, so that a
busy moment is busy for both.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

from bench.figures import Row, at_most, every, median, spread
from bench.messages import WARM_UP, Writer
from bench.two_nodes import TwoNodes, two_nodes
from telcon.ledger import (
    COSIGNATURE_ML_DSA,
    Checkpoint,
    MlDsaSigningKey,
    VerifierKey,
    cosign,
    format_checkpoint,
    open_cosignature,
)

__all__ = ["run"]

TURNS = 20
MESSAGES = 50  # of each turn, one at a time
BURST, BURST_IN_FLIGHT, BURSTS = 20_000, 64, 2
SUSTAINED_S, PIECE = 60.0, 5_000
SUSTAINED_IN_FLIGHT = (BURST_IN_FLIGHT, 256)  # two nodes work by turns on 64, both at once on more
MEDIAN_LIMIT, BURST_LIMIT = 1.1, 4_000
SIGNATURES = 300
ORIGIN = "arcadia.example/line/" + "0" * 32
MIRROR = "borealis.example/mirror/" + "0" * 32


async def one_at_a_time() -> list[Row]:
    """Print a message with and without, in turns, and how often it was signed for."""
    async with AsyncExitStack() as stack:
        kinds = [await stack.enter_async_context(two_nodes(ml_dsa=on)) for on in (True, False)]
        for nodes in kinds:
            await Writer(nodes).many(WARM_UP, 1)
        times: list[list[list[float]]] = [[], []]
        for _ in range(TURNS):
            for nodes, kept in zip(kinds, times, strict=True):
                writer = Writer(nodes)
                await writer.many(MESSAGES, 1)
                kept.append(writer.countersigned_ms)
        _require_kinds(*kinds)
    ratios = [median(on) / median(off) for on, off in zip(*times, strict=True)]
    on, off = ([ms for turn in kind for ms in turn] for kind in times)
    print("one message at a time, in turns; milliseconds until countersigned")
    print(f"  with ML-DSA-44   {spread(on)}")
    print(f"  without          {spread(off)}")
    print(f"  medians of the turns, with / without\n{every(ratios, digits=3)}")
    ratio = median(on) / median(off)
    reference = f"{median(off):.2f} ms without"
    name = "a message with ML-DSA-44 on, median"
    return [at_most(name, ratio, "x without", MEDIAN_LIMIT, reference, ratios)]


def _require_kinds(on: TwoNodes, off: TwoNodes) -> None:
    """Raise unless the one pair did sign so, and the other did not."""
    for nodes, wanted in ((on, True), (off, False)):
        seconded = nodes.line.line.machine.seconded_by_peer
        if bool(seconded) is not wanted:
            raise RuntimeError(f"signed by ML-DSA-44 up to {seconded}, wanted: {wanted}")


async def burst() -> list[Row]:
    """Print how fast very many are through with it and without, each on a new pair of nodes."""
    rates: dict[bool, list[float]] = {True: [], False: []}
    print(f"bursts of {BURST} messages with {BURST_IN_FLIGHT} in flight, a second")
    for _ in range(BURSTS):
        for on, kept in rates.items():
            async with two_nodes(ml_dsa=on) as nodes:
                await Writer(nodes).many(WARM_UP, 1)
                kept.append(await Writer(nodes).many(BURST, BURST_IN_FLIGHT))
    print(f"  with ML-DSA-44{every(rates[True], digits=0)}")
    print(f"  without       {every(rates[False], digits=0)}", flush=True)
    middle = median(rates[True])
    name = f"burst of {BURST} with ML-DSA-44 on"
    reference = f"{median(rates[False]):.0f} a second without"
    is_met = middle >= BURST_LIMIT
    return [Row(name, middle, "a second", f"≥ {BURST_LIMIT}", is_met, reference, rates[True])]


async def sustained(in_flight: int) -> Row:
    """Print how fast messages are through for a whole minute, piece for piece."""
    async with two_nodes(ml_dsa=True) as nodes:
        await Writer(nodes).many(WARM_UP, 1)
        began, rates = time.perf_counter(), list[float]()
        while time.perf_counter() - began < SUSTAINED_S:
            rates.append(await Writer(nodes).many(PIECE, in_flight))
        took = time.perf_counter() - began
    print(f"for {took:.0f} s, {in_flight} in flight, pieces of {PIECE}, a second")
    print(every(rates, digits=0), flush=True)
    rate = len(rates) * PIECE / took
    name = f"a burst of {SUSTAINED_S:.0f} s with ML-DSA-44 on, {in_flight} in flight"
    beside = f"slowest {PIECE}: {min(rates):.0f} a second"
    is_met = rate >= BURST_LIMIT
    return Row(name, rate, "a second", f"≥ {BURST_LIMIT}", is_met, beside, rates)


def signatures() -> None:
    """Print how much CPU and how many octets a line takes."""
    key = MlDsaSigningKey(bytes(range(32)))
    public = VerifierKey(MIRROR, COSIGNATURE_ML_DSA, key.public)
    text = format_checkpoint(Checkpoint(ORIGIN, 20_000, bytes(32)))
    line = cosign(text, MIRROR, key, 1_790_000_000)
    print(f"a line of ML-DSA-44 has {len(line)} octets; milliseconds of CPU")
    print(f"  cosign  {_cpu_ms(lambda: cosign(text, MIRROR, key, 1_790_000_000))}")
    print(f"  open    {_cpu_ms(lambda: open_cosignature(text, line, public))}", flush=True)


def _cpu_ms(work: Callable[[], object]) -> str:
    times = []
    for _ in range(SIGNATURES):
        began = time.thread_time()
        work()
        times.append((time.thread_time() - began) * 1e3)
    return spread(times)


async def measure() -> list[Row]:
    """Run all of it."""
    signatures()
    bursts = await one_at_a_time() + await burst()
    return bursts + [await sustained(in_flight) for in_flight in SUSTAINED_IN_FLIGHT]


def run() -> list[Row]:
    """Measure and print."""
    return asyncio.run(measure())

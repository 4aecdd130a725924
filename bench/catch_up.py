"""10,000 messages that the far node missed: from the link's return until all are countersigned.

The far node is stopped, the near one writes, and the far one is started again. Counted is from the
first frame that the near node hears of it, so that neither its start nor the dialling counts. The
same number written while the line is up, as fast as it goes, is printed beside it.
"""

import asyncio
import time

from bench.figures import Row, at_most, every, median
from bench.messages import BURST_IN_FLIGHT, WARM_UP, Writer
from bench.two_nodes import TwoNodes, two_nodes
from telcon.core import draft as drafts
from telcon.core.seal import Text

__all__ = ["run"]

MISSED = 10_000
AT_ONCE = 1_000
ROUNDS = 3
LIMIT_S = 2.0
WORDS = "The delegation will be at the north gate at nine; please let your people know."


async def catch_up(nodes: TwoNodes) -> float:
    """Let the far node miss so many messages; return the seconds that making up for them takes."""
    line, sender = nodes.line, nodes.near.settings.principal
    await asyncio.to_thread(nodes.far.stop)
    await nodes.looker.when(lambda: not line.line.is_up)
    for _ in range(MISSED // AT_ONCE):
        words = (drafts.message(sender, line.peer, Text("en", WORDS)) for _ in range(AT_ONCE))
        held = await asyncio.gather(*(line.line.act_bulk(draft) for draft in words))
    heard: list[float] = []
    hear = line.line.link_frame

    def link_frame(data: bytes) -> None:
        heard.append(time.perf_counter())
        hear(data)

    line.line.link_frame = link_frame  # type: ignore[method-assign]
    await asyncio.to_thread(nodes.far.start)
    signed = await nodes.looker.signed(max(one.index for one in held))
    line.line.link_frame = hear  # type: ignore[method-assign]
    return signed - heard[0]


async def measure() -> list[Row]:
    """Print every round, and return the row."""
    async with two_nodes() as nodes:
        await Writer(nodes).many(WARM_UP, 1)
        beside = MISSED / await Writer(nodes).many(MISSED, BURST_IN_FLIGHT)
        found = [await catch_up(nodes) for _ in range(ROUNDS)]
    print(f"{MISSED:,} missed messages countersigned, seconds\n{every(found, digits=2)}")
    print(f"  as many while the line is up: {beside:.2f} s")
    name = f"catch-up of {MISSED:,} missed messages"
    reference = f"as many while the line is up: {beside:.2f} s"
    return [at_most(name, median(found), "s", LIMIT_S, reference, found)]


def run() -> list[Row]:
    """Measure, print, and return the row."""
    return asyncio.run(measure())

"""Ringing: from the wish of a page until the far node's `call.ringing` is held here and cosigned.

The ring is committed here and there, the far node rings its one open page and commits that it does,
and this is committed and cosigned here: four syncs one after the other. L is printed beside it.
"""

import asyncio
import time

from bench.figures import Row, at_most, every, median, spread
from bench.terms import Terms, terms_of
from bench.two_nodes import DEVICE, TwoNodes, two_nodes
from demo.device import ScriptedDevice

__all__ = ["run"]

CALLS = 20
LIMIT_MS = 10.0
WARM_UP = 3
CERTIFICATE = "5a" * 32


async def ring(nodes: TwoNodes) -> float:
    """Ring, wait, take the ring back; return the milliseconds until the far page rang."""
    line, desk = nodes.line, nodes.near.desk
    calls = line.line.machine.fold.calls
    ask = {
        "do": "ring",
        "line": line.line.identity.line,
        "mode": "audio",
        "certificate": CERTIFICATE,
    }
    began = time.perf_counter()
    call = str((await desk.do(DEVICE, ask))["call"])
    # The fold takes the other side's entries once they are durable and cosigned here.
    rang = await nodes.looker.when(lambda: calls[call].devices > 0)
    await desk.do(DEVICE, {"do": "cancel", "call": call})
    machine = line.line.machine
    await nodes.looker.when(lambda: machine.waiting == 0)
    return (rang - began) * 1e3


async def rings(nodes: TwoNodes, terms: Terms) -> list[float]:
    """Return so many times, the terms of L sampled between them."""
    page = await ScriptedDevice.open(await asyncio.to_thread(nodes.far.sign_in_link))
    for _ in range(WARM_UP):
        await ring(nodes)
    found = []
    for _ in range(CALLS):
        found.append(await ring(nodes))
        await page.wait(lambda shown: shown["call"] is None or bool(shown["call"]["ended"]))
        for _ in range(10):
            await terms.sample()
    await page.close()
    return found


async def measure() -> list[Row]:
    """Print all values, the spread, and what they come to in L; return the row."""
    async with two_nodes() as nodes, terms_of(nodes.folder) as terms:
        found = await rings(nodes, terms)
    limit_ms = terms.show()
    print(f"ring to call.ringing, held and cosigned by the caller; ms\n{every(found)}")
    print(f"  {spread(found, digits=1)}")
    in_limits = median(found) / limit_ms
    print(f"  median / L: {in_limits:.2f}")
    beside = f"L {limit_ms:.1f} ms: {in_limits:.2f} of it; worst {max(found):.1f} ms"
    name = "ring to ringing, held and cosigned by the caller"
    return [at_most(name, median(found), "ms", LIMIT_MS, beside, found)]


def run() -> list[Row]:
    """Measure, print, and return the row."""
    return asyncio.run(measure())

"""`make soak`: 1,000 kills by a printed seed, then a real hour of one call, with the nodes' memory.

    make soak ARGS="--kills 1000 --minutes 60 --seed 7"

Exit status 0 only if nothing acknowledged was lost and neither node grew by more than 10 MiB.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from itertools import count
from pathlib import Path

from faults.kills import Kill, Killing, plan_of
from faults.pair import FaultyNode, paired_nodes
from soak.hour import talk

A_PAIR = 50  # kills; then new nodes, for all logs are read again after each
ABREAST = 2  # pairs side by side


def main() -> int:
    """Run what was asked for; say what came of it."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=1_000, help="0: none")
    parser.add_argument("--minutes", type=float, default=60.0, help="of the call; 0: none")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="telcon-soak-") as folder:
        if wanted.kills:
            kill(Path(folder) / "kills", wanted.seed, wanted.kills)
        if wanted.minutes:
            return talk(Path(folder) / "hour", wanted.minutes)
    return 0


def kill(folder: Path, seed: int, kills: int) -> None:
    """Kill so many times; an assertion ends it where something acknowledged is lost."""
    print(f"{kills} kills, --seed {seed}", flush=True)
    began, plan, gone_through = time.monotonic(), plan_of(seed, kills), count(1)
    acknowledged = [0, 0, 0]

    def done(one: Kill) -> None:
        took = time.monotonic() - began
        print(f"{took:7.0f} s  {next(gone_through):4d} of {kills}  {one}", flush=True)

    async def kill_all(pairs: list[tuple[FaultyNode, FaultyNode]], part: list[Kill]) -> None:
        runs = (Killing.run(each, part[at::ABREAST], done) for at, each in enumerate(pairs))
        for held in await asyncio.gather(*runs):
            sizes = (len(held.held.messages), len(held.held.acts), len(held.chunks))
            acknowledged[:] = map(sum, zip(acknowledged, sizes, strict=True))

    for start in range(0, kills, ABREAST * A_PAIR):
        with ExitStack() as started:
            pairs = []
            for number in range(ABREAST):
                pairs.append(paired_nodes(folder / f"{start}-{number}"))
                for node in pairs[-1]:
                    started.callback(node.kill)
            asyncio.run(kill_all(pairs, plan[start : start + ABREAST * A_PAIR]))
    messages, acts, chunks = acknowledged
    print(
        f"{messages} messages, {acts} acts of calls and {chunks} chunks of speech were"
        " acknowledged; none is lost",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())

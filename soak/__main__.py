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
from pathlib import Path

from faults.kills import Killing, plan_of
from faults.pair import paired_nodes
from soak.hour import talk


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
    began = time.monotonic()
    nodes = paired_nodes(folder)
    plan = plan_of(seed, kills)

    def done(number: int) -> None:
        took = time.monotonic() - began
        print(f"{took:7.0f} s  {number:4d} of {kills}: {plan[number - 1]}", flush=True)

    try:
        held = asyncio.run(Killing.run(nodes, plan, done))
    finally:
        for node in nodes:
            node.kill()
    print(
        f"{len(held.held.messages)} messages, {len(held.held.acts)} acts of calls and"
        f" {len(held.chunks)} chunks of speech were acknowledged; none is lost",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())

"""`make simulate`: worlds one after the other, for so long or so many steps, or one by its seed."""

import argparse
import contextlib
import io
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from simulate.world import FAULT_POINTS, World

SHOWN_EVERY_S = 10.0


@dataclass
class Tally:
    """What all worlds came to."""

    worlds: int = 0
    steps: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, world: World) -> None:
        """Count one world that has been judged."""
        self.worlds += 1
        self.steps += world.steps
        self.ends[world.end] += 1
        self.counts += world.counts

    def show(self) -> None:
        """Print everything."""
        print(f"{self.worlds} worlds, {self.steps:,} steps; {_listed(self.ends)}")
        for name, count in sorted(self.counts.items()):
            print(f"  {count:8,}  {name}")
        for point in FAULT_POINTS:
            failed = self.counts[f"refused at {point}"] + self.counts[f"killed at {point}"]
            print(f"  {failed:8,}  commits failed at: {point}")


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def main() -> int:
    """Run what was asked for; 1 if something did not hold."""
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--steps", type=int, help="instead of so long: until so many steps")
    parser.add_argument("--seed", type=int, help="this world alone")
    parser.add_argument("--first", type=int, help="the first seed; a random one if none is given")
    wanted = parser.parse_args()
    if wanted.seed is not None:
        return 0 if _lives(wanted.seed, Tally()) else 1
    seed = int.from_bytes(os.urandom(4), "big") if wanted.first is None else wanted.first
    print(f"seeds from {seed} on", flush=True)
    return _go_on(seed, wanted.seconds, wanted.steps)


def _go_on(seed: int, seconds: float, steps: int | None) -> int:
    tally, began = Tally(), time.monotonic()
    shown = began
    while tally.steps < steps if steps is not None else time.monotonic() - began < seconds:
        if not _lives(seed + tally.worlds, tally):
            return 1
        if time.monotonic() - shown > SHOWN_EVERY_S:
            shown = time.monotonic()
            print(f"{tally.worlds} worlds, {tally.steps:,} steps", flush=True)
    tally.show()
    return 0


def _lives(seed: int, tally: Tally) -> bool:
    with contextlib.redirect_stdout(io.StringIO()):  # each world prints its seed
        world = World(seed)
    try:
        world.live()
    except Exception as error:
        print(f"seed {seed}, step {world.steps}: {type(error).__name__}: {error}", file=sys.stderr)
        print(f'again: make simulate ARGS="--seed {seed}"', file=sys.stderr, flush=True)
        raise
    tally.add(world)
    return True


if __name__ == "__main__":
    sys.exit(main())

"""What the machine costs for each message of a burst, on both sides, without disk and network.

    python bench/core_machine.py [MESSAGES]

Time is that of the thread's CPU, so that a busy computer disturbs less. Each figure holds all that
the pure core does: composing, sealing, hashing, signing; reading, verifying, folding, cosigning.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fakes.joined import Pair, Side, message
from telcon.core.draft import Draft
from telcon.errors import BusyError

ROUNDS = 3

Result = TypeVar("Result")


class Burst:
    """Arcadia sends, Borealis mirrors; commits and network cost nothing."""

    def __init__(self) -> None:
        self.pair = Pair(0, delay_s=0.0, disk_s=0.0)
        self.pair.open()
        self.spent = {side.name: 0.0 for side in self.pair.sides}
        self.frames = 0
        self.commits = 0

    def run(self, count: int) -> None:
        author = self.pair.arcadia
        drafts = [
            message(f"message {number} of a burst, as long as most") for number in range(count)
        ]
        while drafts or author.machine.waiting:
            self.timed(author, lambda: self.fill(author, drafts))
            for side in self.pair.sides:
                self.turn(side)

    def fill(self, author: Side, drafts: list[Draft]) -> None:
        while drafts:
            try:
                author.machine.append_bulk(drafts[-1], self.pair.now())
            except BusyError:
                return
            drafts.pop()

    def turn(self, side: Side) -> None:
        other = self.pair.other(side)
        for frame in self.timed(side, side.machine.frames_to_send):
            self.frames += 1
            self.timed(other, lambda: other.machine.receive_frame(frame, self.pair.now()))  # noqa: B023
        while self.timed(side, side.machine.next_event) is not None:
            pass
        commit = self.timed(side, lambda: side.machine.take_commit(self.pair.now()))
        if commit is not None:
            self.commits += 1
            side.store.commit(commit)
            side.store.mark(commit)
            self.timed(side, lambda: side.machine.committed(commit, self.pair.now()))

    def timed(self, side: Side, act: Callable[[], Result]) -> Result:
        start = time.thread_time()
        result = act()
        self.spent[side.name] += time.thread_time() - start
        return result


def main() -> None:
    """Print the best of some rounds."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    bursts = []
    for _ in range(ROUNDS):
        burst = Burst()
        burst.run(count)
        bursts.append(burst)
    best = min(bursts, key=lambda burst: sum(burst.spent.values()))
    author, mirror = (spent / count * 1e6 for spent in best.spent.values())
    print(f"{count} messages in {best.frames} frames and {best.commits} commits")
    print(f"author {author:.0f} us, mirror {mirror:.0f} us of CPU for each message")


if __name__ == "__main__":
    main()

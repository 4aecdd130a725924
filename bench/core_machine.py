"""What the machine costs for each message of a burst, on both sides, without disk and network.

Time is that of the thread's CPU, so that a busy computer disturbs less. Each figure holds all that
the pure core does: composing, sealing, hashing, signing; reading, verifying, folding, cosigning.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from bench.figures import every, spread
from fakes.joined import Pair, Side, message
from telcon.core.draft import Draft
from telcon.errors import BusyError

MESSAGES = 5_000
ROUNDS = 5

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


def run() -> None:
    """Print all rounds and the worst."""
    bursts = []
    for _ in range(ROUNDS):
        burst = Burst()
        burst.run(MESSAGES)
        bursts.append(burst)
    for burst in bursts:
        print(f"{MESSAGES} messages in {burst.frames} frames and {burst.commits} commits")
    for role, at in (("author", 0), ("mirror", 1)):
        times = [list(burst.spent.values())[at] / MESSAGES * 1e6 for burst in bursts]
        print(
            f"{role}, microseconds of CPU a message\n{every(times)}\n    {spread(times, digits=1)}"
        )

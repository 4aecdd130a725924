"""One node lies as it likes, the other is honest and its clock is right: no call is ever hidden.

The liar writes what it likes, at false times, having seen less than it has; it cosigns the honest
log at any size and time, picks out of the honest cosignatures the bounds that suit it, and cuts
both logs where it likes. The honest node's own fold, at each moment, says when there was a call.
"""

from random import Random

import pytest

from fakes.signed_line import ADA, BORIS, Node, SignedLine, handle
from node.proof.test_absence import FROM_US, HOUR_US, MIDNIGHT_US, TO_US
from telcon.core import draft as drafts
from telcon.core.draft import Draft, compose
from telcon.core.fold import LineFold
from telcon.core.seal import Media, Text
from telcon.ledger import root_at
from telcon.node.proof.absence import Bounds, Until, survey
from telcon.node.proof.export import CutLog

ACTS = 14
CHOICES = 8
LIES_H = (-6, -3, -1, 0, 0, 1, 3, 6)
MEDIA = Media("aa" * 32, "bb" * 32, "cc" * 32)


class World:
    """One line for half a day; Arcadia is honest, its entries and cosignatures tell the time."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.line = SignedLine()
        self.line.now_us = MIDNIGHT_US
        self.line.open()
        self.honest, self.liar = self.line.arcadia, self.line.borealis
        self.logs = {node.log.origin: node.log for node in (self.honest, self.liar)}
        self.fold = LineFold(frozenset(self.logs), self.root_of)
        self.held: list[tuple[int, int]] = []
        """Size of the liar's log as the honest node held it, and since when."""
        self.had_call = False
        self._seen = 0
        for _ in range(2):
            for log in self.logs.values():
                self.apply(log.origin)

    def root_of(self, origin: str, size: int) -> bytes | None:
        log = self.logs[origin]
        return root_at(size, log.hash) if size <= log.size else None

    def apply(self, origin: str) -> None:
        index = self.fold.size(origin)
        self.fold.apply(origin, index, self.logs[origin].entries(index, 1)[0])
        if origin == self.liar.log.origin:
            self.held.append((index + 1, self.line.now_us))

    def live(self) -> "World":
        """Let everything happen; call what rings or lives at any moment of the time a call."""
        moments = sorted(self.random.uniform(0.1, 12) for _ in range(ACTS))
        for hours in (*moments, 12.5):
            now_us = MIDNIGHT_US + round(hours * HOUR_US)
            is_touched = self.line.now_us < TO_US and now_us > FROM_US
            self.had_call |= is_touched and bool(self.fold.going_on())
            self.line.now_us = now_us
            self.act()
            self.had_call |= FROM_US <= now_us < TO_US and bool(self.fold.going_on())
        return self

    def act(self) -> None:
        if self.random.random() < 0.1:
            self.claim(self.honest.log.size + self.random.choice((1, 2, 5, 1 << 40)))
        elif self.random.random() < 0.6:
            self._seen = self.random.randint(self._seen, self.honest.log.size)
            lie_us = self.random.choice(LIES_H) * HOUR_US
            self.write(self.liar, self.draft(self.liar), self._seen, lie_us)
        else:
            self.write(self.honest, self.draft(self.honest), self.liar.log.size)
        for state in self.fold.going_on():  # at once, unless it is killed just then
            is_theirs = state.rung[0] == self.liar.log.origin
            if is_theirs and not state.devices and self.random.random() < 0.8:
                self.write(
                    self.honest, drafts.ringing(state.call, state.rung, 1), self.liar.log.size
                )

    def claim(self, seen: int) -> None:
        """Let the liar say that it has seen what is not there yet, or never."""
        data, *_ = compose(
            self.draft(self.liar),
            origin=self.liar.log.origin,
            time_us=self.line.now_us,
            seen=(seen, self.random.randbytes(32)),
            random=self.random.randbytes,
        )
        self.liar.log.fill([data])
        self.apply(self.liar.log.origin)

    def write(self, node: Node, draft: Draft, seen: int, lie_us: int = 0) -> None:
        other = self.line.other(node).log
        data, *_ = compose(
            draft,
            origin=node.log.origin,
            time_us=self.line.now_us + lie_us,
            seen=(seen, root_at(seen, other.hash)),
            random=self.random.randbytes,
        )
        if node is self.honest and self.fold.judge(node.log.origin, data) is not None:
            return
        node.log.fill([data])
        self.apply(node.log.origin)

    def draft(self, node: Node) -> Draft:
        random, by = self.random, handle(node)
        states = list(self.fold.calls.values())
        fresh = f"{random.getrandbits(128):032x}"
        if not states or random.random() < 0.3:
            ring = drafts.ring(fresh, by, mode="audio", track=1, person=ADA, media=MEDIA)
            quiet = (drafts.line_test(), drafts.message(ADA, BORIS, Text("en", "hm")))
            return random.choice([ring, *quiet, *quiet])
        state = random.choice(states[-2:])
        call, rung, words = state.call, state.rung, Text("en", "no more")
        answer = drafts.answer(call, by, rung, mode="audio", track=1, person=BORIS, media=MEDIA)
        ends = (drafts.hang_up(call, by), drafts.cancel(call, rung), drafts.fail(call, words))
        return random.choice([answer, *ends, drafts.missed(call, rung), drafts.decline(call, rung)])

    def shown(self) -> bool:
        """Say whether what the liar chooses to show passes for a time without a call."""
        random, honest, liar = self.random, self.honest.log, self.liar.log
        befores = [(size, us) for size, us in self.held if us < FROM_US]
        afters = [(size, us) for size, us in self.held if us >= TO_US]
        if not afters:
            return False
        before, after = random.choice([None, *befores]), random.choice(afters)
        size = random.randint(1, honest.size)
        bounds = {
            liar.origin: Bounds(
                None if before is None else Until(before[0], before[1] // 1_000_000),
                Until(after[0], after[1] // 1_000_000),
            ),
            honest.origin: Bounds(
                random.choice([None, Until(random.randint(0, size), 0)]),
                Until(random.randint(0, size), 2**40),
            ),
        }
        cut = [CutLog(liar, random.randint(after[0], liar.size)), CutLog(honest, size)]
        ours, theirs = random.sample(cut, 2)
        found = survey(ours, theirs, bounds, FROM_US, TO_US)
        return not (found.touching or found.short or found.unread)


@pytest.mark.parametrize("block", range(4))
def test_no_call_is_hidden_from_whoever_reads_both_logs(block: int) -> None:
    quiet = 0
    for seed in range(20 * block, 20 * block + 20):
        world = World(seed).live()
        passed = [world.shown() for _ in range(CHOICES)]
        assert not (world.had_call and any(passed)), f"seed {seed}"
        quiet += any(passed)
    assert quiet or block, "some of them are without a call, or this tests nothing"

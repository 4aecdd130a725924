"""Worlds of the simulator, from fixed seeds; `make simulate` lives through many more."""

from collections import Counter
from collections.abc import Callable
from functools import cache

import pytest

from fakes.joined import Side
from simulate.world import FAULT_POINTS, World
from telcon.core.machine import Commit

WORLDS = 80
BATCH = 10


def lived(seed: int) -> World:
    world = World(seed)
    world.live()
    return world


@cache
def outcome(seed: int) -> tuple[str, Counter[str]]:
    """Return how a world ended, and what was counted in it."""
    world = lived(seed)
    return world.end, world.counts


@pytest.mark.parametrize("first", range(0, WORLDS, BATCH))
def test_whatever_goes_wrong_nothing_told_is_lost_and_no_second_history_is_signed(
    first: int,
) -> None:
    ends = Counter(outcome(seed)[0] for seed in range(first, first + BATCH))
    assert set(ends) <= {"mended", "ended log", "fork proven"}
    assert ends["mended"] > 0


def test_a_world_is_the_same_each_time() -> None:
    one, other = lived(7), lived(7)
    assert one.steps == other.steps
    assert one.counts == other.counts
    assert one.carried == other.carried


def test_commits_fail_at_every_point_both_ways() -> None:
    counts: Counter[str] = Counter()
    for seed in range(30):
        counts += outcome(seed)[1]
    for point in FAULT_POINTS:
        assert counts[f"refused at {point}"] > 0
        assert counts[f"killed at {point}"] > 0


class ForgetfulDisk(World):
    """A disk that says it has stored what it has not, once in a while."""

    def _transact(self, side: Side, life: int, commit: Commit) -> None:
        if self._will.random() < 0.02 and side.life == life:
            self._confirm(side, life, commit)
        else:
            super()._transact(side, life, commit)


class HastyNode(World):
    """A node that takes a commit for durable before the disk has it."""

    def _start_commit(self, side: Side) -> None:
        super()._start_commit(side)
        commit = side.outstanding
        if commit is not None and self._will.random() < 0.02:
            self._confirm(side, side.life, commit)


@pytest.mark.parametrize("kind", [ForgetfulDisk, HastyNode])
def test_a_world_in_which_something_does_not_hold_is_noticed(kind: Callable[[int], World]) -> None:
    with pytest.raises((AssertionError, ValueError, IndexError)):
        for seed in range(20):
            kind(seed).live()

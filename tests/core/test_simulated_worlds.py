"""Worlds of the simulator, from fixed seeds; `make simulate` lives through many more."""

from collections import Counter
from collections.abc import Callable
from functools import cache

import pytest

from fakes.joined import Side
from simulate.world import FAULT_POINTS, World
from telcon.core.call import Past
from telcon.core.machine import Commit
from telcon.core.settle import Act, Acts, Outcome, settle

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


def test_worlds_hold_records_that_have_something_to_say() -> None:
    counts: Counter[str] = Counter()
    for seed in range(30):
        counts += outcome(seed)[1]
    kinds = ("on", "off", "chunk", "gap", "held", "agreed", "sealed", "destroyed")
    types = [f"call.record-{kind}" for kind in kinds] + ["line.coverage", "line.acknowledged"]
    assert [name for name in types if not counts[f"took effect: {name}"]] == []
    assert counts["tracks of several chunks"] >= 15
    assert counts["tracks with chunks after a gap"] >= 5
    assert counts["records agreed"] > 0
    assert counts["records stated otherwise"] > 0
    assert counts["void: chunk does not follow"] > 0


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


def settle_all(call: Acts, past: Past, frozen: tuple[Act, ...]) -> Outcome:
    """Judge by all that is known, not by what the author could know."""
    return settle(call, dict.fromkeys(past, 2**53), frozen)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        pytest.param("guards._follows", lambda *_: None, id="any chunk follows"),
        pytest.param("guards._held", lambda *_: None, id="any chunk is held"),
        pytest.param("settle.Acts.is_recording", lambda *_: True, id="closed twice"),
        pytest.param("settle.Acts.is_agreed", lambda acts: bool(acts.stated), id="one agrees"),
        pytest.param("fold.settle", settle_all, id="not the causal past"),
    ],
)
def test_a_fold_that_errs_is_noticed(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: Callable[..., object]
) -> None:
    monkeypatch.setattr(f"telcon.core.{name}", wrong)
    with pytest.raises((AssertionError, KeyError)):
        for seed in range(20):
            World(seed).live()

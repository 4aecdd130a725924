"""Line tests between two nodes: by the hour, by a wall clock that a test moves."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from fakes.quiet import let_lines_be_tested
from fakes.two_nodes import TwoNodes, desk_of, line_of, on_two_nodes, until
from telcon.core.line_tests import Outcome
from telcon.node import line as line_module
from telcon.node.assembly import Node

HOUR_S = 3_600


class Wall:
    """The wall clock of both nodes; monotonic time goes on as it does."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def set_forward(self, seconds: float) -> None:
        self._ahead_s += seconds

    def us(self) -> int:
        return int((time.time() + self._ahead_s) * 1e6)

    def time_ns(self) -> int:
        return self.us() * 1_000


@contextmanager
def wall_clock() -> Iterator[Wall]:
    """Let both nodes read a clock that the test moves."""
    wall = Wall()
    with pytest.MonkeyPatch.context() as patch:
        read = SimpleNamespace(time_ns=wall.time_ns, monotonic=time.monotonic)
        patch.setattr(line_module, "time", read)
        yield wall


async def each_hour(both: TwoNodes) -> None:
    for node in both.nodes:
        let_lines_be_tested(node.folder, 60)
        await both.restart(node)
    await both.up()


def outcomes(node: Node, wall: Wall) -> list[Outcome]:
    line = line_of(node)
    tests = line.machine.fold.tests.of(line.identity.own_card.log.name)
    return [one.outcome(wall.us()) for one in tests]


@on_two_nodes
async def test_both_sides_test_by_the_hour_and_both_see_it(both: TwoNodes) -> None:
    with wall_clock() as wall:
        await each_hour(both)
        assert outcomes(both.arcadia, wall) == []
        for hour in range(1, 4):
            wall.set_forward(HOUR_S)
            both.advance(0)
            for node in both.nodes:
                await until(
                    lambda n=node, h=hour: outcomes(n, wall) == [Outcome.ANSWERED] * h  # type: ignore[misc]
                )


@on_two_nodes
async def test_a_test_of_a_line_that_is_down_waits_and_stays_late(both: TwoNodes) -> None:
    with wall_clock() as wall:
        await each_hour(both)
        await both.unlink()
        wall.set_forward(HOUR_S)
        both.advance(0)
        assert outcomes(both.arcadia, wall) == [Outcome.WAITING]
        wall.set_forward(HOUR_S / 4)
        assert outcomes(both.arcadia, wall) == [Outcome.MISSED]
        both.relink()
        back = [Outcome.LATE, Outcome.ANSWERED]
        for node in both.nodes:
            await until(lambda n=node: outcomes(n, wall)[:2] == back)  # type: ignore[misc]


@on_two_nodes
async def test_a_restart_forgets_no_test_and_a_node_that_was_off_tests_at_once(
    both: TwoNodes,
) -> None:
    with wall_clock() as wall:
        await each_hour(both)
        wall.set_forward(HOUR_S)
        both.advance(0)
        await until(lambda: outcomes(both.arcadia, wall) == [Outcome.ANSWERED])
        wall.set_forward(7 * HOUR_S)
        await both.restart(both.arcadia)
        await both.up()
        both.advance(0)
        await until(lambda: outcomes(both.arcadia, wall) == [Outcome.ANSWERED] * 2)


@on_two_nodes
async def test_with_no_rhythm_a_line_is_tested_only_when_somebody_asks(both: TwoNodes) -> None:
    with wall_clock() as wall:
        wall.set_forward(5 * HOUR_S)
        both.advance(0)
        assert outcomes(both.arcadia, wall) == []
        assert 0 < await desk_of(both.arcadia).board.tester.test() < 10_000
        assert outcomes(both.arcadia, wall) == [Outcome.ANSWERED]

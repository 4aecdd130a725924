"""kill -9 of either node, and of both together, in a live call with messages flowing.

What was acknowledged is written down by the clients, outside both nodes: messages, acts of calls,
and the chunks of speech that both nodes had signed when the process died. All of it is there
afterwards, on both sides, in logs that are hashed anew by code of the tests' own.

`make test` kills 50 times, of two pairs of nodes side by side; `make soak` 1,000 times. The seed is
printed; TELCON_SEED repeats a plan.
"""

import asyncio
import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from faults.kills import KILLS_IN_TEST, Killing, plan_of
from faults.pair import paired_nodes

pytestmark = pytest.mark.process

KILLS = int(os.environ.get("TELCON_KILLS", KILLS_IN_TEST))
PAIRS = 2
SEED = int(os.environ.get("TELCON_SEED", "20261122"))


@pytest.mark.timeout(60 + 60 * KILLS)
# The clients' sockets to a killed node are closed by the kernel, some of them while nobody looks.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nothing_acknowledged_is_lost_when_nodes_are_killed(tmp_path: Path) -> None:
    plan = plan_of(SEED, KILLS)
    print(f"seed {SEED}: {', '.join(map(str, plan))}")
    with ExitStack() as started:
        pairs = []
        for number in range(PAIRS):
            nodes = paired_nodes(tmp_path / str(number))
            for node in nodes:
                started.callback(node.kill)
            pairs.append(nodes)

        async def kill_all() -> None:
            parts = (plan[number::PAIRS] for number in range(PAIRS))
            await asyncio.gather(*map(Killing.run, pairs, parts))

        asyncio.run(kill_all())
        for nodes in pairs:
            for node in nodes:
                assert node.stop() == 0


def test_a_seed_gives_the_same_plan_again_and_kills_each_and_both() -> None:
    plan = plan_of(SEED, KILLS_IN_TEST)
    assert plan == plan_of(SEED, KILLS_IN_TEST) != plan_of(SEED + 1, KILLS_IN_TEST)
    assert {kill.who for kill in plan} == {("arcadia",), ("borealis",), ("arcadia", "borealis")}

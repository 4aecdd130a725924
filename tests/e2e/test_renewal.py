"""kill -9 of a node in a renewal without words: the old line is usable, or the new one begins."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.nodes import DemoNode
from faults.evidence import held_by, require_whole, rows

pytestmark = pytest.mark.process

WAIT_S = 90.0  # a node that was away is dialled again after some time
LOOK_S = 0.001

STORED = "SELECT 1 FROM invitation WHERE peer_card IS NOT NULL"
FROZEN = """SELECT 1 FROM entry WHERE CAST(data AS TEXT) LIKE '{"type":"line.frozen"%'"""
UNSIGNED = "SELECT 1 FROM log WHERE id NOT IN (SELECT log FROM note WHERE cosigned)"
MOMENTS = {"stored": STORED, "announced": FROZEN}


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(LOOK_S)


def lines(node: DemoNode) -> int:
    return len(rows(node.folder, "SELECT line FROM line"))


def is_frozen(node: DemoNode) -> bool:
    return bool(rows(node.folder, FROZEN))


def is_up(node: DemoNode) -> bool:
    return "up since" in node.telcon("line", "list")


@pytest.mark.parametrize(("moment", "who"), [("stored", 0), ("announced", 1)])
def test_a_node_killed_in_a_renewal_leaves_the_old_line_or_the_new(
    nodes: tuple[DemoNode, DemoNode], moment: str, who: int
) -> None:
    victim, other = nodes[who], nodes[1 - who]
    until(lambda: all(map(is_up, nodes)))
    waiting = other.begin("line", "renew", victim.party.node)
    killed = victim.begin("line", "renew", other.party.node)
    until(lambda: bool(rows(victim.folder, MOMENTS[moment])) or lines(victim) == 2)
    victim.kill()
    killed.communicate()
    victim.start()
    until(lambda: held_by(nodes[0].folder).logs == held_by(nodes[1].folder).logs)
    if not any(map(is_frozen, nodes)):  # nothing has changed, and the other operator still waits
        until(lambda: is_up(victim))
        assert "has new keys" in victim.telcon("line", "renew", other.party.node)
    until(lambda: all(lines(node) == 2 for node in nodes))
    assert "has new keys" in waiting.communicate()[0]
    names = [rows(node.folder, "SELECT line FROM line ORDER BY confirmed_at_us") for node in nodes]
    assert names[0] == names[1]
    assert len(names[0]) == 2
    until(lambda: all("their log goes on from" in node.telcon("line", "list") for node in nodes))
    until(lambda: not any(rows(node.folder, UNSIGNED) for node in nodes))  # stored a little later
    for node in nodes:
        assert "BREAK" not in node.telcon("line", "list")
        require_whole(Path(node.folder))

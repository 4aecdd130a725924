"""Two nodes as processes of their own, paired by the commands that a person types."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.nodes import ARCADIA, BOREALIS, DemoNode, pair
from demo.ports import FIRST, free_ports

PORTS_A_PROCESS = 64


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[DemoNode, DemoNode]]:
    first = FIRST + PORTS_A_PROCESS * (os.getpid() % 100)
    ports = free_ports(8, first=first)
    pair_of = (DemoNode(ARCADIA, tmp_path / "arcadia"), DemoNode(BOREALIS, tmp_path / "borealis"))
    try:
        for number, node in enumerate(pair_of):
            node.set_up(ports[4 * number : 4 * number + 4])
            node.start()
        pair(pair_of[0], pair_of[1], tmp_path / "invitation")
        yield pair_of
    finally:
        for node in pair_of:
            node.kill()

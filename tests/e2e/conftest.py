"""Two nodes as processes of their own, paired by the commands that a person types."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.nodes import ARCADIA, BOREALIS, DemoNode, pair
from fakes.ports import own_ports
from fakes.quiet import let_lines_be_tested
from fakes.warm import WarmNode


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[DemoNode, DemoNode]]:
    ports = own_ports(8)
    pair_of = (WarmNode(ARCADIA, tmp_path / "arcadia"), WarmNode(BOREALIS, tmp_path / "borealis"))
    try:
        for number, node in enumerate(pair_of):
            node.set_up(ports[4 * number : 4 * number + 4])
            let_lines_be_tested(node.folder, 0)
            node.start()
        pair(pair_of[0], pair_of[1], tmp_path / "invitation")
        yield pair_of
    finally:
        for node in pair_of:
            node.kill()

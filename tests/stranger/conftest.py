"""The one real node of each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.nodes import ARCADIA, BOREALIS, DemoNode
from stranger.lines import started


@pytest.fixture
def arcadia(tmp_path: Path) -> Iterator[DemoNode]:
    with started(ARCADIA, tmp_path / "arcadia") as node:
        yield node


@pytest.fixture
def borealis(tmp_path: Path) -> Iterator[DemoNode]:
    with started(BOREALIS, tmp_path / "borealis") as node:
        yield node

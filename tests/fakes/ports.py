"""Ports for nodes under test: each test process looks in a stretch of its own."""

import os

from demo.ports import FIRST, free_ports

STRETCH = 4_000  # demo.ports goes up to 10,000 above FIRST: room for the processes of `make test`


def own_ports(count: int) -> list[int]:
    """Return `count` free ports that no other process of this test run looks at."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return free_ports(count, first=FIRST + 1_000 + STRETCH * (worker % 2))

"""The order of the files: what takes long comes first, and what waits in turns with what computes.

`make test` gives a file to one of its processes at a time. All of one kind side by side leave a
machine idle, or more than busy; and a long one at the end leaves all but one process without work.
"""

from itertools import chain, groupby, zip_longest

import pytest

KINDS = {"network": 0, "faults": 0, "e2e": 0, "stranger": 0, "web": 1}
"""Rooms of long tests: those that wait for a network, a clock or a process, and those that draw."""
OTHERS = 2


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the files of all kinds in turns; within a file nothing moves."""
    here = config.rootpath / "tests"
    kinds: list[list[list[pytest.Item]]] = [[] for _ in range(OTHERS + 1)]
    for path, file in groupby(items, key=lambda item: item.path):
        room = path.relative_to(here).parts[0]
        kinds[KINDS.get(room, OTHERS)].append(list(file))
    turns = chain.from_iterable(zip_longest(*kinds, fillvalue=list[pytest.Item]()))
    items[:] = chain.from_iterable(turns)

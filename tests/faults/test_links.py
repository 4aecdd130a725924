"""Faults of the other node and the link, of clocks, and of what a process runs out of."""

import pytest

from faults import clocks, links, resources
from faults.keeper import Keeper
from faults.row import MARKS, Row

pytestmark = MARKS
ROWS: list[Row] = [*links.ROWS, *resources.ROWS, *clocks.ROWS]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_fault_is_said_audited_survived_and_over_when_it_ends(row: Row, keeper: Keeper) -> None:
    keeper.run(row)

"""Faults that keep a node from starting, and what people do at one moment."""

import pytest

from faults import people, starting
from faults.keeper import Keeper
from faults.row import MARKS, Row

pytestmark = MARKS
ROWS: list[Row] = [*starting.ROWS, *people.ROWS]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_fault_is_said_audited_survived_and_over_when_it_ends(row: Row, keeper: Keeper) -> None:
    keeper.run(row)

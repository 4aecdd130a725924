"""The table of transitions as data: whole, and printed as it stands."""

from pathlib import Path

from telcon.core.entry import ENTRY_TYPES
from telcon.core.transitions import (
    ENDS,
    EVENTS,
    PRECEDENCE,
    STANDINGS,
    TABLE,
    Phase,
    Side,
    table_markdown,
)
from telcon.core.void import Void


def test_no_cell_is_empty() -> None:
    assert len(STANDINGS) == 17
    for standing in STANDINGS:
        assert tuple(TABLE[standing]) == EVENTS
        assert all(isinstance(cell, Phase | Void) for cell in TABLE[standing].values())


def test_every_type_of_a_call_has_a_column() -> None:
    of_calls = {name for name in ENTRY_TYPES if name.startswith("call.")} | {"message"}
    assert of_calls == set(EVENTS)


def test_every_phase_has_its_rows() -> None:
    assert {phase for phase, _ in STANDINGS} == set(Phase)
    sides = {phase: {side for p, side in STANDINGS if p is phase} for phase in Phase}
    assert sides.pop(Phase.NONE) == {Side.ANY}
    assert all(found == {Side.RINGER, Side.RUNG} for found in sides.values())


def test_every_phase_has_its_rank() -> None:
    assert sorted(PRECEDENCE) == sorted(Phase)
    assert set(Phase) - ENDS == {Phase.NONE, Phase.RINGING, Phase.LIVE}


def test_no_cell_leads_out_of_an_end() -> None:
    for phase, side in STANDINGS:
        if phase in ENDS:
            cells = TABLE[phase, side].values()
            assert all(isinstance(cell, Void) or cell is phase for cell in cells)


def test_the_table_is_printed_with_a_line_for_each_row() -> None:
    lines = table_markdown().splitlines()
    assert len(lines) == 2 + len(STANDINGS)
    assert {line.count("|") for line in lines} == {len(EVENTS) + 2}
    assert "| live, rung side |" in lines[6]
    assert "**ended**" in lines[6]


def test_the_table_is_printed_with_hits() -> None:
    page = table_markdown({((Phase.LIVE, Side.RUNG), "call.hang-up"): 17})
    assert "**ended** 17" in page
    assert "*no such call* 0" in page


def test_the_page_in_the_docs_is_printed_from_the_table() -> None:
    page = Path(__file__).parents[2] / "docs" / "transitions.md"
    assert page.read_text("utf-8").endswith("\n\n" + table_markdown())

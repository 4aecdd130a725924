"""Which line a command speaks of, where there have been several to one node."""

from types import SimpleNamespace
from typing import Any

import pytest

from telcon.cli.proof import line_named, only_line_named
from telcon.errors import OperatorError


def a_line(letter: str, confirmed_at_us: int) -> Any:
    logs = {"own_origin": f"ours {letter}", "peer_origin": f"theirs {letter}"}
    name = {"line": letter * 32, "peer_name": "borealis.example"}
    return SimpleNamespace(**name, **logs, confirmed_at_us=confirmed_at_us)


OLD, NEW, SLIP = a_line("a", 1), a_line("b", 2), a_line("c", 3)


def store_of(*lines: Any) -> Any:
    """Return a store in which the other side has never been on the line `SLIP`."""

    def stored_log(origin: str) -> Any:
        is_there = not origin.endswith("c")
        return SimpleNamespace(
            size=2 * is_there, newest_note=lambda: (2, b"") if is_there else None
        )

    return SimpleNamespace(lines=lambda: list(lines), stored_log=stored_log)


def test_a_renewed_line_is_not_attested_by_its_newest_log_alone() -> None:
    store = store_of(OLD, NEW)
    with pytest.raises(OperatorError, match="2 lines") as refused:
        only_line_named(store, "borealis.example")
    assert OLD.line in refused.value.advice()
    assert NEW.line in refused.value.advice()


def test_an_id_names_just_one() -> None:
    assert only_line_named(store_of(OLD, NEW), OLD.line).line == OLD.line
    assert only_line_named(store_of(NEW), "borealis.example").line == NEW.line
    assert line_named(store_of(OLD, NEW), "borealis.example").line == NEW.line


def test_a_line_that_the_other_side_never_confirmed_is_named_by_its_id_alone() -> None:
    store = store_of(SLIP, NEW)
    assert line_named(store, "borealis.example").line == NEW.line
    assert only_line_named(store, "borealis.example").line == NEW.line
    assert only_line_named(store, SLIP.line).line == SLIP.line
    with pytest.raises(OperatorError, match="2 lines") as refused:
        only_line_named(store_of(OLD, SLIP, NEW), "borealis.example")
    assert SLIP.line not in refused.value.advice()
    assert only_line_named(store_of(SLIP), "borealis.example").line == SLIP.line

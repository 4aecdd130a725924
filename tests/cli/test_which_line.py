"""Which line a proof speaks of, where there have been several to one node."""

from types import SimpleNamespace
from typing import Any

import pytest

from telcon.cli.proof import line_named, only_line_named
from telcon.errors import OperatorError

OLD = SimpleNamespace(line="aa" * 16, peer_name="borealis.example", confirmed_at_us=1)
NEW = SimpleNamespace(line="bb" * 16, peer_name="borealis.example", confirmed_at_us=2)


def store_of(*lines: Any) -> Any:
    return SimpleNamespace(lines=lambda: list(lines))


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

"""Faults made on running nodes; what these modules assert is told as tests tell it."""

import pytest

pytest.register_assert_rewrite(
    *(f"faults.{name}" for name in ("clocks", "disk", "evidence", "links", "pair", "people"))
)

"""How figures are printed: all of them where they are few, the spread and the worst always."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Row", "at_most", "every", "median", "spread"]

A_LINE = 10


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table of all figures, as a bench's `run()` returns them."""

    name: str
    """What was measured, in words."""
    value: float
    """The figure that the limit is about."""
    unit: str
    limit: str = ""
    """As a person writes it: `≤ 100`; empty where a figure has none."""
    met: bool | None = None
    """Whether the limit holds; None where there is none."""
    reference: str = ""
    """What was measured beside it in the same run, and how the figure compares."""
    runs: list[float] = field(default_factory=list)
    """Every value of the figure, in the order in which they were measured; may be empty."""


def at_most(
    name: str,
    value: float,
    unit: str,
    limit: float,
    reference: str = "",
    runs: Sequence[float] = (),
) -> Row:
    """Return the row of a figure that may be `limit` and not more."""
    return Row(name, value, unit, f"≤ {limit:g}", value <= limit, reference, list(runs))


def median(values: Sequence[float]) -> float:
    """Return the median, which one slow moment of the machine does not move."""
    return statistics.median(values)


def spread(values: Sequence[float], *, digits: int = 3) -> str:
    """Return median, 99th percentile and worst."""
    ordered = sorted(values)
    high = ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))]
    return (
        f"median {median(ordered):8.{digits}f}   99 % {high:8.{digits}f}"
        f"   worst {ordered[-1]:8.{digits}f}   ({len(ordered)} values)"
    )


def every(values: Sequence[float], *, digits: int = 1) -> str:
    """Return all values in the order in which they were measured."""
    rows = [values[at : at + A_LINE] for at in range(0, len(values), A_LINE)]
    return "\n".join("    " + "  ".join(f"{value:7.{digits}f}" for value in row) for row in rows)

"""How figures are printed: all of them where they are few, the spread and the worst always."""

import statistics
from collections.abc import Sequence

__all__ = ["every", "median", "spread"]

A_LINE = 10


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

"""How far an export or a check is: what is told while it runs, to whoever wants to hear."""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Final, TypeAlias, TypeVar

__all__ = ["QUIET", "TOLD_EACH", "Progress", "Step", "counted"]

T = TypeVar("T")

TOLD_EACH: Final = 256  # items; telling costs more than most of them


class Step(StrEnum):
    """What is being done."""

    LOGS = "reading both logs"
    FILES = "checking files"
    RECEIPTS = "making receipts"
    TILES = "writing the whole logs"
    ENTRIES = "checking the entries"


Progress: TypeAlias = Callable[[Step, int, int], None]
"""Hears the step, how much of it is done, and how much there is, in items."""


def QUIET(step: Step, done: int, total: int) -> None:  # noqa: N802 -- a constant that is called
    """Tell nobody."""


def counted(items: Iterable[T], step: Step, total: int, progress: Progress) -> Iterator[T]:
    """Yield `items`, of which there are `total`, and tell `progress` how far it is."""
    for number, item in enumerate(items):
        if number % TOLD_EACH == 0:
            progress(step, number, total)
        yield item
    progress(step, total, total)

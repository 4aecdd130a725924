"""How far a long command is, on standard error: a line that moves on a terminal, else plain ones.

Nothing is said of what is over within a second, and standard output stays what it was.
"""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from telcon.node.proof.steps import Step

__all__ = ["ProgressLine"]

PATIENCE_S = 1.0
MOVES_EACH_S = 0.1
LINES_EACH_S = 5.0


class ProgressLine:
    """Shows the steps of one command; as a context manager, it leaves no line behind."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Show on `stream`, standard error by default."""
        self._stream = stream or sys.stderr
        self._clock = clock
        self._moves = self._stream.isatty()
        self._next_s = clock() + PATIENCE_S
        self._shown = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._moves and self._shown:
            self._write("\r" + " " * len(self._shown) + "\r")

    def __call__(self, step: Step, done: int, total: int) -> None:
        """Show how far `step` is, unless something was shown a moment ago."""
        now_s = self._clock()
        if now_s < self._next_s:
            return
        self._next_s = now_s + (MOVES_EACH_S if self._moves else LINES_EACH_S)
        part = f" ({100 * done // total} %)" if total else ""
        text = f"{step}: {done:,} of {total:,}{part}"
        self._write("\r" + text.ljust(len(self._shown)) if self._moves else text + "\n")
        self._shown = text

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

"""How far a line is that has much to make up for: after a long cut, or when a backup was restored.

Both ways are counted together, for what a person wants to know is when all is as it should be. The
other side's word for how long its log is counts for this and for nothing else, and not for long if
nothing comes.
"""

import time
from collections.abc import Callable

from telcon.node.call_desk import View
from telcon.node.line import Line

__all__ = ["CatchingUp"]

WORTH_TELLING = 200  # entries; fewer are made up for before anybody has read a word
STUCK_S = 60.0  # nothing has come for so long: what was said to be missing is not on its way


class CatchingUp:
    """Remembers how much there was to make up for when it began."""

    def __init__(self, line: Line, clock: Callable[[], float] = time.monotonic) -> None:
        """Watch `line`; `clock` gives seconds."""
        self._line = line
        self._clock = clock
        self._total = 0
        self._behind, self._since = 0, 0.0

    def view(self) -> View | None:
        """Return how many entries of how many are made up for; None if there is nothing to tell."""
        machine = self._line.machine
        behind = machine.missing + machine.waiting if self._line.up_since_us is not None else 0
        if behind != self._behind:
            self._behind, self._since = behind, self._clock()
        is_stuck = self._clock() - self._since > STUCK_S
        self._total = max(self._total, behind) if behind and not is_stuck else 0
        if self._total < WORTH_TELLING:
            return None
        return {"count": self._total - behind, "total": self._total}

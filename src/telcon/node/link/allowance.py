"""How much a peer may send over time, so that it cannot fill our disk or take all of our time.

What a peer pushes is kept for ever, and every frame costs work. A burst of days of heavy use is
taken as fast as it comes; who goes on beyond it is read more slowly, and TCP holds it back. Nothing
is refused and nothing is lost by that: an honest peer with very much to say says it later.
"""

from collections.abc import Callable
from typing import Final

__all__ = ["BURST_OCTETS", "FRAME_OCTETS", "OCTETS_A_SECOND", "Allowance"]

BURST_OCTETS: Final = 320 * 1024 * 1024
"""A minute of 4,000 messages a second; and with a day of what follows it, less than a GiB."""
OCTETS_A_SECOND: Final = 8 * 1024
"""0.7 GB a day. A live call needs a fifth of it, heartbeats and all."""
FRAME_OCTETS: Final = 1024
"""What a frame counts beside its own octets: the smallest one costs as much work as so many."""


class Allowance:
    """What one peer may still send, over all of its connections."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start with a whole burst; `clock` is in seconds and never goes back."""
        self._clock = clock
        self._left = float(BURST_OCTETS)
        self._counted_at = clock()

    def spend(self, octets: int) -> float:
        """Count a frame of `octets`; return for how many seconds nothing more is to be read."""
        now = self._clock()
        earned = (now - self._counted_at) * OCTETS_A_SECOND
        self._left = min(BURST_OCTETS, self._left + earned) - octets - FRAME_OCTETS
        self._counted_at = now
        return max(0.0, -self._left / OCTETS_A_SECOND)

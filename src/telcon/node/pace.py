"""How often something may be done for others: a burst, then one each so many seconds."""

from collections.abc import Callable

__all__ = ["Pace"]


class Pace:
    """What is left of a burst."""

    def __init__(self, burst: int, refill_s: float, clock: Callable[[], float]) -> None:
        """Allow `burst` at once and one more each `refill_s`; `clock` gives monotonic seconds."""
        self._burst, self._refill_s, self._clock = burst, refill_s, clock
        self._left = float(burst)
        self._since = clock()

    def take(self) -> bool:
        """Say whether it may be done once more, and count it."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._since) / self._refill_s)
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

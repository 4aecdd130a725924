"""How many refusals are reported: strangers must not be able to fill the audit file.

A burst is reported in full, after that one each few seconds, which says how many were left out.
"""

from collections.abc import Callable
from typing import Final

__all__ = ["OnRefused", "RefusalReport"]

BURST: Final = 20
REFILL_S: Final = 10.0  # one more report each so many seconds

OnRefused = Callable[[str, str | None, str], None]
"""Reason, SHA-256 of the certificate shown (None if none was read), address."""


class RefusalReport:
    """An `OnRefused` that passes on what the audit file can bear."""

    def __init__(self, on_refused: OnRefused, clock: Callable[[], float]) -> None:
        """Report to `on_refused`; `clock` is in seconds and never goes back."""
        self._on_refused = on_refused
        self._clock = clock
        self._left = float(BURST)
        self._counted_at = clock()
        self._left_out = 0

    def __call__(self, reason: str, fingerprint: str | None, address: str) -> None:
        """Report this refusal, or count it."""
        now = self._clock()
        self._left = min(BURST, self._left + (now - self._counted_at) / REFILL_S)
        self._counted_at = now
        if self._left < 1:
            self._left_out += 1
            return
        self._left -= 1
        more = f" (and {self._left_out} more before it)" if self._left_out else ""
        self._left_out = 0
        self._on_refused(reason + more, fingerprint, address)

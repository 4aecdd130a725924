"""What is missing of one stream, and when it is worth asking for it again (RFC 4585 §6.2.1).

Pure: sequence numbers in, sequence numbers to ask for out. A packet that was overtaken is no lost
one: once packets have come out of order, two more have to come before one is asked for. What is
asked for and comes is a repair, played and recorded like any other packet; it still counts as lost
on the way, for the speaker's encoder has to know what the way is like.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Gaps"]

MOST_MISSING = 25
"""Packets waited for at once: half a second of speech. What a longer cut took is not asked for."""

GIVEN_UP_S = 0.5
"""After so long no listener's buffer can use it."""

MOST_ASKED = 6
"""Times that one packet is asked for."""

ASKED_AGAIN_S = 0.03
"""Least pause between two of them; longer where a round trip takes longer."""

PATIENCE = 3
"""Packets behind a gap before it is asked for, on a way where packets overtake each other."""

REORDERING_S = 10.0
"""For so long a way on which one has overtaken another is taken for such a way."""


@dataclass(slots=True)
class _Gap:
    noticed_at: float
    asked_at: float = 0.0
    asked: int = 0


class Gaps:
    """The missing packets of one stream, by its sequence numbers without their wrap."""

    def __init__(self) -> None:
        """Begin with nothing missing."""
        self.waiting = False
        """Whether anything is missing that may still come."""
        self.repaired = 0
        """Packets that came because they were asked for."""
        self._missing: dict[int, _Gap] = {}
        self._reordered_at = -REORDERING_S

    def pass_over(self, first: int, newest: int, now: float) -> None:
        """Note that `newest` came, and what lies from `first` to just before it did not."""
        if newest - first > MOST_MISSING:
            self._missing.clear()
        else:
            self._missing.update((number, _Gap(now)) for number in range(first, newest))
        while len(self._missing) > MOST_MISSING:
            del self._missing[next(iter(self._missing))]
        self.waiting = bool(self._missing)

    def fill(self, number: int, now: float, round_trip_s: float) -> None:
        """Note that a packet came late: a repair, or one that was overtaken."""
        gap = self._missing.pop(number, None)
        self.waiting = bool(self._missing)
        if gap is None:
            return
        if gap.asked and now - gap.asked_at >= 0.8 * round_trip_s:
            self.repaired += 1
        else:
            self._reordered_at = now

    def forget(self, number: int) -> None:
        """Note that a packet need not come any more: what it held rode along with another."""
        self._missing.pop(number, None)
        self.waiting = bool(self._missing)

    def note_overtaken(self, now: float) -> None:
        """Note that packets overtake each other, though none was missed for it."""
        self._reordered_at = now

    def wanted(self, newest: int, now: float, round_trip_s: float) -> list[int]:
        """Return what to ask for now; what has been missing for too long is given up."""
        patience = PATIENCE if now - self._reordered_at < REORDERING_S else 1
        pause_s = max(1.5 * round_trip_s, ASKED_AGAIN_S)
        wanted: list[int] = []
        for number, gap in list(self._missing.items()):
            if now - gap.noticed_at > GIVEN_UP_S:
                del self._missing[number]
            elif not gap.asked and newest - number < patience:
                continue
            elif gap.asked < MOST_ASKED and (not gap.asked or now - gap.asked_at >= pause_s):
                gap.asked, gap.asked_at = gap.asked + 1, now
                wanted.append(number)
        self.waiting = bool(self._missing)
        return wanted

    def clear(self) -> None:
        """Forget what is missing: the stream has begun anew."""
        self._missing.clear()
        self.waiting = False

"""Where a packet belongs in a recording. Pure: arrivals in, packets in order with their gaps out.

A packet's place follows from its timestamp alone, so the jitter of its arrival moves nothing, and
silence, loss and cuts stand where they happened. A packet behind a hole waits a moment for what the
network overtook. When timestamps leave all proportion to the time of arrival, the speaker's device
has a new clock: a new segment begins, placed by arrival.
"""

from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from telcon.node.media.opus import SAMPLE_RATE

__all__ = ["GRAIN", "Arrival", "Placed", "Timeline"]

GRAIN = 480
"""Samples, 10 ms: the shortest lost frame every mode has. Shorter holes go into the next one."""

REORDER_WINDOW_S = 0.25
"""How long a hole is kept open: a packet that was asked for again takes a round trip."""

MAX_WAITING = 64
"""Packets behind a hole, for a peer that sends a flood there."""

MAX_BACKWARD = SAMPLE_RATE
"""An earlier timestamp within this is a late packet; beyond, it is a new clock."""

MAX_FORWARD = 10 * SAMPLE_RATE
"""A longer step is a new clock, unless the time of arrival says the same."""

MAX_DISAGREEMENT = 3 * SAMPLE_RATE
"""How far timestamps may be from arrivals over such a long pause, for what comes first after a cut
may have waited; and how far they may fall behind at any time: a device that slept goes on counting
where it stopped, and its pause has to stand in the file all the same."""

MAX_LEAD = 2 * SAMPLE_RATE
"""How far places may run ahead of arrival, and a thousandth more for clocks that run fast. Nobody
speaks faster than real time: so a peer can neither fill the disk nor stretch the file."""

_BY_TIMESTAMP = attrgetter("timestamp")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One packet as it came."""

    index: int
    """The author node's count, from 0."""
    timestamp: int
    """48 kHz, unwrapped."""
    payload: bytes
    samples: int
    """How long it lasts."""
    now: float
    """When it came, monotonic seconds."""


class Placed(NamedTuple):
    """One packet in its place."""

    lost: int
    """Samples to fill before it, a multiple of GRAIN, mostly 0."""
    arrival: Arrival


class Timeline:
    """The order and the gaps of one track."""

    def __init__(self) -> None:
        self._waiting: list[Arrival] = []
        self._began: float | None = None
        self._first_index = 0
        self._base: int | None = None
        self._newest = 0
        self._written = 0
        self.dropped = 0
        """Packets that came twice, after their place was passed, or faster than time."""
        self.segments = 0
        """How often the timestamps had a new base; 1 for a whole track."""

    def receive(self, arrival: Arrival) -> list[Placed]:
        """Take one packet; return what is in its place now, mostly this one alone."""
        if self._began is None:
            self._began = arrival.now
            self._newest = arrival.timestamp
        elapsed = int((arrival.now - self._began) * SAMPLE_RATE)
        latest = elapsed + MAX_LEAD + elapsed // 1_000
        if arrival.index < self._first_index or self._written > latest:
            self.dropped += 1
            return []
        ready: list[Placed] = []
        if not self._is_same_clock(arrival, elapsed, latest):
            ready = self.drain()
            self._first_index = arrival.index
            self._start_segment(arrival, max(elapsed, self._written))
            self._newest = arrival.timestamp
        self._newest = max(self._newest, arrival.timestamp)
        self._waiting.append(arrival)
        return ready + self.release(arrival.now)

    def release(self, now: float) -> list[Placed]:
        """Return what need not wait any longer at `now`, in order."""
        ready: list[Placed] = []
        while self._waiting:
            first = min(self._waiting, key=_BY_TIMESTAMP)
            if self._is_behind_hole(first) and not self._is_overdue(now):
                break
            self._waiting.remove(first)
            self._place(first, ready)
        return ready

    def drain(self) -> list[Placed]:
        """Return all that still wait, in order."""
        ready: list[Placed] = []
        for arrival in sorted(self._waiting, key=_BY_TIMESTAMP):
            self._place(arrival, ready)
        self._waiting.clear()
        return ready

    def _is_same_clock(self, arrival: Arrival, elapsed: int, latest: int) -> bool:
        step = arrival.timestamp - self._newest
        if step < -MAX_BACKWARD:
            return False
        if self._base is None:
            return step <= MAX_FORWARD
        position = self._base + arrival.timestamp
        if step > MAX_FORWARD:
            return abs(position - elapsed) <= MAX_DISAGREEMENT
        if step > 0 and elapsed - position > MAX_DISAGREEMENT:
            return False
        return position <= latest

    def _is_behind_hole(self, arrival: Arrival) -> bool:
        if self._base is None:
            return arrival.index > 0
        return self._base + arrival.timestamp - self._written >= GRAIN

    def _is_overdue(self, now: float) -> bool:
        oldest = min(arrival.now for arrival in self._waiting)
        return now - oldest >= REORDER_WINDOW_S or len(self._waiting) > MAX_WAITING

    def _place(self, arrival: Arrival, ready: list[Placed]) -> None:
        if self._base is None:
            self._start_segment(arrival, 0)
        hole = (self._base or 0) + arrival.timestamp - self._written
        if hole <= -GRAIN:
            self.dropped += 1
            return
        lost = max(0, hole) // GRAIN * GRAIN
        self._written += lost + arrival.samples
        ready.append(Placed(lost, arrival))

    def _start_segment(self, arrival: Arrival, position: int) -> None:
        self._base = position - arrival.timestamp
        self.segments += 1

"""One published stream: whatever arrives is handed to its listeners' slots and to its taps.

A source counts what RFC 3550 asks a receiver to count (Appendix A: expected, lost, jitter) and
remembers what its listeners report as lost, because a speaker's encoder adds error correction only
for a loss that it is told of. It changes no packet. Who may publish is decided by whoever feeds it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from telcon.node.media.gaps import Gaps
from telcon.node.media.redundancy import Wrapper
from telcon.node.media.rtcp import ReportBlock, middle_of_ntp
from telcon.node.media.rtp import RtpPacket, sequence_delta

__all__ = ["CLOCK_RATE_HZ", "Source", "SourceStatistics", "Subscriber", "Tap"]

CLOCK_RATE_HZ = 48_000
"""Of every Opus stream's timestamps (RFC 7587 §4.1)."""

LISTENER_LOSS_VALID_S = 5.0
"""A listener's report counts for as long as five missing ones would take to come."""

_MAX_DROPOUT = 3_000
_MAX_MISORDER = 100
"""Packets; beyond them a stream has started again (RFC 3550 Appendix A.1)."""

Tap = Callable[[RtpPacket], None]
"""Gets every packet fed, as it came: duplicates and late ones included."""


class Subscriber(Protocol):
    """Where a listener hears a source; a `Slot` is one."""

    def forward(self, packet: RtpPacket, now: float) -> None:
        """Take one packet; `now` in monotonic seconds."""


@dataclass(frozen=True, slots=True)
class SourceStatistics:
    """What one source has received."""

    packets: int
    octets: int
    """Of payload."""
    expected: int
    """Packets by sequence numbers, since the stream began or began anew."""
    lost: int
    """Expected and not received; below zero when packets came twice."""
    jitter: int
    """In ticks of 1/48000 s, smoothed (RFC 3550 §6.4.1)."""
    repaired: int
    """Of those received, the ones that were lost on the way and came when asked for."""
    filled: int
    """Of those received, the ones that were lost on the way and rode along with a newer one."""
    restarts: int
    """How often the sequence jumped too far to be the same run."""
    listener_loss: int
    """256ths; the worst that any listener reported within the last five seconds."""
    subscribers: int
    taps: int


class Source:
    """One stream of one person, from arrival to everyone who hears or writes it."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nobody listening; `clock` gives monotonic seconds."""
        self._clock = clock
        # Replaced, never changed in place: a subscriber may leave while a packet is handed out.
        self._subscribers: tuple[Subscriber, ...] = ()
        self._taps: tuple[Tap, ...] = ()
        self._packets = self._octets = self._restarts = 0
        self._ssrc = 0
        self._received = 0
        self._base = self._highest = 0
        self._expected_before = self._received_before = 0
        self._filled = 0
        self._mended_before = 0
        self._gaps = Gaps()
        self._wrapper = Wrapper()
        # Straight to it: asked for every listener.
        self.wrapped = self._wrapper.wrapped
        """The packet that is being handed out as RED, for whoever has had those before it."""
        self._round_trip_s = 0.0
        self._transit: float | None = None
        self._jitter = 0.0
        self._listener_loss: dict[object, tuple[int, float]] = {}
        self.told_loss = 0
        """256ths; what the last `report` said."""
        self._sender_report: tuple[int, float] | None = None

    def feed(self, packet: RtpPacket, *, filled: bool = False) -> None:
        """Count `packet`, hand it to every subscriber, then to every tap.

        One that is `filled` was lost on the way and rode along with a newer one.
        """
        now = self._clock()
        self._count(packet, now, filled)
        self._wrapper.take(packet)
        for subscriber in self._subscribers:
            subscriber.forward(packet, now)
        for tap in self._taps:
            tap(packet)

    def note_overtaken(self) -> None:
        """Know that a packet that was filled has come itself: it was not lost, only overtaken."""
        self._filled -= 1
        self._gaps.note_overtaken(self._clock())

    def subscribe(self, subscriber: Subscriber) -> None:
        """Let `subscriber` have every packet from now on; once is enough."""
        if subscriber not in self._subscribers:
            self._subscribers += (subscriber,)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Let `subscriber` have no more, and forget what it reported."""
        self._subscribers = tuple(s for s in self._subscribers if s is not subscriber)
        self._listener_loss.pop(subscriber, None)

    def add_tap(self, tap: Tap) -> None:
        """Let `tap` have every packet from now on."""
        self._taps += (tap,)

    def note_listener_loss(self, listener: object, fraction_lost: int) -> None:
        """Remember that `listener` misses `fraction_lost` 256ths of what was sent to it."""
        self._listener_loss[listener] = (fraction_lost, self._clock())

    def wanted(self, round_trip_s: float = 0.0) -> list[int]:
        """Return the 16-bit sequence numbers to ask for again now; to be called after each `feed`.

        `round_trip_s` is how long an answer takes, as far as that is known.
        """
        if not self._gaps.waiting:
            return []
        self._round_trip_s = round_trip_s
        wanted = self._gaps.wanted(self._highest, self._clock(), round_trip_s)
        return [number & 0xFFFF for number in wanted]

    def note_sender_report(self, ntp: int) -> None:
        """Remember the time of the stream's last sender report, for the next `report`."""
        self._sender_report = (middle_of_ntp(ntp), self._clock())

    def report(self) -> ReportBlock | None:
        """Return the block for the speaker's next receiver report, and begin a new interval.

        The fraction lost is the worst of what was lost on the way here and on the ways to the
        listeners; what came only when asked for, or rode along with another packet, was lost on
        the way. None until the first packet.
        """
        if not self._received:
            return None
        now = self._clock()
        expected, received = self._expected(), self._received
        mended = self._gaps.repaired + self._filled
        asked, came = expected - self._expected_before, received - self._received_before
        came -= mended - self._mended_before
        self._expected_before, self._received_before = expected, received
        self._mended_before = mended
        lost_here = 256 * (asked - came) // asked if asked > came >= 0 else 0
        heard_at = self._sender_report
        self.told_loss = min(max(lost_here, self._worst_listener(now)), 255)
        return ReportBlock(
            ssrc=self._ssrc,
            fraction_lost=self.told_loss,
            cumulative_lost=max(min(expected - received + mended, 0x7F_FFFF), -0x80_0000),
            highest_sequence=self._highest & 0xFFFF_FFFF,
            jitter=int(self._jitter),
            last_report=heard_at[0] if heard_at else 0,
            delay=int((now - heard_at[1]) * 65_536) & 0xFFFF_FFFF if heard_at else 0,
        )

    def statistics(self) -> SourceStatistics:
        """Return the counts so far."""
        expected = self._expected()
        return SourceStatistics(
            packets=self._packets,
            octets=self._octets,
            expected=expected,
            lost=expected - self._received,
            jitter=int(self._jitter),
            repaired=self._gaps.repaired,
            filled=self._filled,
            restarts=self._restarts,
            listener_loss=self._worst_listener(self._clock()),
            subscribers=len(self._subscribers),
            taps=len(self._taps),
        )

    def _count(self, packet: RtpPacket, now: float, filled: bool) -> None:
        # RFC 3550 Appendix A.1, without its probation: what comes here was authenticated.
        delta = sequence_delta(packet.sequence, self._highest & 0xFFFF)
        if not self._received or packet.ssrc != self._ssrc:
            self._begin(packet)
        elif not -_MAX_MISORDER < delta < _MAX_DROPOUT:
            self._restarts += 1
            self._begin(packet)
        elif delta > 0:
            if delta > 1:
                self._gaps.pass_over(self._highest + 1, self._highest + delta, now)
            self._highest += delta
        elif filled:
            self._gaps.forget(self._highest + delta)
        elif self._gaps.waiting:
            self._gaps.fill(self._highest + delta, now, self._round_trip_s)
        self._packets += 1
        self._received += 1
        self._octets += len(packet.payload)
        self._filled += filled
        if not filled:  # it says nothing about how long its own way takes
            self._measure_jitter(packet.timestamp, now)

    def _begin(self, packet: RtpPacket) -> None:
        self._ssrc = packet.ssrc
        self._base = self._highest = packet.sequence
        self._received = self._expected_before = self._received_before = 0
        self._transit = None
        self._gaps.clear()
        self._wrapper.clear()

    def _measure_jitter(self, timestamp: int, now: float) -> None:
        # RFC 3550 Appendix A.8: differences of transit times, smoothed by a sixteenth.
        transit = now * CLOCK_RATE_HZ - timestamp
        before, self._transit = self._transit, transit
        if before is None:
            return
        change = abs(transit - before)
        if change < 2**31:  # the timestamp has wrapped otherwise
            self._jitter += (change - self._jitter) / 16

    def _expected(self) -> int:
        return self._highest - self._base + 1 if self._received else 0

    def _worst_listener(self, now: float) -> int:
        limit = now - LISTENER_LOSS_VALID_S
        return max((loss for loss, at in self._listener_loss.values() if at >= limit), default=0)

"""Numbering of the trunk's tracks: what counts up at the sender, and the same numbers far away.

The index of a packet has 48 bits and its time 64; RTP carries the low 16 and 32. Indexes start at
0, times when the node first forwards anything in the call: so both sides arrive at one numbering,
which the chunk tree hashes, and the tracks of a node lie beside each other as they were spoken.
"""

from dataclasses import dataclass, field

from telcon.node.media.history import History
from telcon.node.media.redundancy import Seen, Wrapper
from telcon.node.media.rtcp import SenderReport
from telcon.node.media.rtp import sequence_delta, timestamp_delta
from telcon.node.media.source import CLOCK_RATE_HZ

__all__ = ["Forwarded", "IncomingTrack", "OutgoingTrack"]

MAX_DISAGREEMENT_S = 3.0
"""How far a track's time may be from the call's: what comes first after a cut may have waited.
Beyond, the device has a new clock (another page, one that slept), and what it says is placed by
when it came."""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What a packet became when it was sent; the chunk tree hashes just this."""

    index: int
    """The track's count, from 0."""
    timestamp: int
    """48 kHz, unwrapped to 64 bits."""


@dataclass(slots=True)
class OutgoingTrack:
    """What one of our tracks has sent, each packet under the next index."""

    ssrc: int
    packets: int = 0
    octets: int = 0
    timestamp: int = 0
    stamp: int = 0
    """Timestamp of the newest packet as its device gave it."""
    sent_at: float = 0.0
    history: History = field(default_factory=History)
    wrapper: Wrapper = field(default_factory=Wrapper)

    def count(self, timestamp: int, size: int, began: float, now: float) -> Forwarded:
        """Give the next packet, of `size` octets of payload, its numbers.

        `began` is when the node first forwarded anything in this call.
        """
        elapsed = round((now - began) * CLOCK_RATE_HZ)
        placed = self.timestamp + timestamp_delta(timestamp & 0xFFFF_FFFF, self.stamp)
        limit = MAX_DISAGREEMENT_S * CLOCK_RATE_HZ
        if not self.packets or placed < 0 or abs(placed - elapsed) > limit:
            placed = elapsed
        self.timestamp, self.stamp = placed, timestamp & 0xFFFF_FFFF
        forwarded = Forwarded(self.packets, self.timestamp)
        self.packets += 1
        self.octets += size
        self.sent_at = now
        return forwarded

    def report(self, now: float, ntp: int) -> SenderReport:
        """Return the report for time `now`, which is `ntp` on the wall."""
        timestamp = self.timestamp + round((now - self.sent_at) * CLOCK_RATE_HZ)
        return SenderReport(
            self.ssrc,
            ntp,
            timestamp & 0xFFFF_FFFF,
            self.packets & 0xFFFF_FFFF,
            self.octets & 0xFFFF_FFFF,
        )


@dataclass(slots=True)
class IncomingTrack:
    """What has come of one of the other node's tracks."""

    received: int = 0
    """Those that rode along with newer ones included."""
    filled: int = 0
    """Of those received, the ones that rode along, and have not come themselves since."""
    timestamp: int = 0
    seen: Seen = field(default_factory=lambda: Seen(-1))

    @property
    def highest(self) -> int:
        """Return the highest of all indexes; -1 before the first."""
        return self.seen.newest

    @property
    def lost(self) -> int:
        """Return how many did not come, or have not yet."""
        return self.highest + 1 - self.received

    def index(self, sequence: int) -> int:
        """Return the index of an authentic packet, as its sender counted."""
        # libsrtp has authenticated the packet under the very same estimate (RFC 3711 §3.3.1).
        # Below 32768 a large step can only be forward, for the counter is not below 0.
        if self.highest < 0x8000:
            return sequence
        return self.highest + sequence_delta(sequence, self.highest & 0xFFFF)

    def take(self, index: int, timestamp: int, *, rides: bool = False) -> Forwarded | None:
        """Return what this packet was for its sender; None if it is here already, or too old.

        `timestamp` is that of RTP; one that `rides` came along with a newer packet.
        """
        before = self.highest
        if not (self.seen.fill(index) if rides else self.seen.take(index)):
            return None
        stamp = _unwrap(timestamp, self.timestamp if self.received else None)
        self.received += 1
        self.filled += rides
        if index > before:
            self.timestamp = stamp
        return Forwarded(index, stamp)


def _unwrap(timestamp: int, newest: int | None) -> int:
    """Return the 64-bit time next to `newest` that ends in these 32 bits, never below 0."""
    timestamp &= 0xFFFF_FFFF
    if newest is None:
        return timestamp
    unwrapped = newest + timestamp_delta(timestamp, newest & 0xFFFF_FFFF)
    return unwrapped if unwrapped >= 0 else unwrapped + (1 << 32)

"""What one stream has sent last, sealed, so that it can be sent again as it was.

Sent again is the very same ciphertext: nothing is ever protected twice under one index, and the
receiver's replay check lets it in only if the first one did not come. Who asks is authenticated,
and yet each packet is sent again a few times at most, so that asking costs nobody much.
"""

from __future__ import annotations

__all__ = ["History"]

KEPT = 128
"""Packets: 2.5 s of speech, far longer than any of them is of use."""

MOST_AGAIN = 6
"""Times that one packet is sent again."""


class History:
    """The last sealed RTP packets of one stream."""

    def __init__(self) -> None:
        """Begin empty."""
        self.ring: list[bytes | None] = [None] * KEPT
        """By the sequence number's lower bits; whoever sends puts each sealed packet here."""
        self.asked = 0
        """How many packets were asked for, each counted once."""
        self._counted: list[bytes | None] = [None] * KEPT
        self._times = [0] * KEPT

    def keep(self, sequence: int, sealed: bytes) -> None:
        """Keep one packet in the place of the one that was sent so many packets before it."""
        self.ring[sequence % KEPT] = sealed

    def again(self, sequence: int) -> bytes | None:
        """Return the packet of this 16-bit number to send again; None if it is not to be had."""
        place = sequence % KEPT
        sealed = self.ring[place]
        if sealed is None or sealed[2:4] != sequence.to_bytes(2, "big"):
            return None
        if self._counted[place] is not sealed:
            self._counted[place], self._times[place] = sealed, 0
            self.asked += 1
        self._times[place] += 1
        return sealed if self._times[place] <= MOST_AGAIN else None

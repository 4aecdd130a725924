"""One of our own devices in one call: its leg, as whom it is on it, and whom it hears where."""

from collections.abc import Callable, Mapping

from telcon.node.media.leg import FingerprintMismatch, Leg, LegEvent, LegFailed
from telcon.node.media.plane import MediaPlane
from telcon.node.media.rtp import RtpPacket
from telcon.node.media.sdp import parse_offer_untrusted
from telcon.node.media.source import Source

__all__ = ["Device"]


class Device:
    """A page with its leg, armed by its offer; it publishes and hears only while `admit`ted."""

    def __init__(
        self,
        plane: MediaPlane,
        sdp: str,
        expected: bytes | None,
        on_lost: "Callable[[Device], None]",
    ) -> None:
        """Answer the offer `sdp`; `expected` is the SHA-256 of the certificate that was logged.

        `on_lost` hears, once, that the leg has closed by itself.

        Raises:
            MalformedError: the offer cannot be read or has another shape than a leg.
            PinError: it bears another certificate than the entry.
            BusyError: the node has as many legs open as it can.
        """
        self.handle: str | None = None
        self.on_lost = on_lost
        self._heard: list[str | None] = []  # by slot
        self._leg = plane.open_leg(expected, self._event)
        try:
            self.answer = self._leg.answer(sdp)
        except BaseException:
            self._leg.close()
            raise
        self.certificate = parse_offer_untrusted(sdp).fingerprint

    @property
    def leg(self) -> Leg:
        """Return the leg, for its counts."""
        return self._leg

    def missed(self) -> float:
        """Return which part of what it says its worst listener missed of late, 0 to 1."""
        source = self._leg.source
        return 0.0 if source is None else source.statistics().listener_loss / 256

    @property
    def source(self) -> Source | None:
        """Return what the device publishes; None unless it is admitted."""
        return self._leg.source

    def restart(self, sdp: str) -> str:
        """Give the leg a new path; return the answer.

        Raises:
            MalformedError: the offer cannot be read, or differs in more than its credentials.
        """
        return self._leg.restart(sdp)

    def admit(self, tap: Callable[[RtpPacket], None]) -> None:
        """Open the leg, if it is not open; `tap` gets what the device says."""
        if self._leg.source is None:
            self._leg.admit().add_tap(tap)

    def dismiss(self) -> None:
        """Close the leg for media at once; it stays armed."""
        if self._leg.source is not None:
            self._leg.dismiss()
        self._heard = []

    def close(self) -> None:
        """Close the leg for good."""
        self._leg.close()

    def hear(self, wanted: Mapping[str, Source]) -> None:
        """Hear `wanted`, by handle; whoever has a slot keeps it, so nobody's sound jumps."""
        slots = self._leg.slots
        kept = [handle if handle in wanted else None for handle in self._heard]
        kept += [None] * (len(slots) - len(kept))
        waiting = [handle for handle in wanted if handle not in kept]
        self._heard = [handle or (waiting.pop(0) if waiting else None) for handle in kept]
        for slot, heard in zip(slots, self._heard, strict=True):
            slot.map(None if heard is None else wanted[heard])

    def heard(self) -> dict[int, str]:
        """Return whom the device hears, by slot."""
        return {slot: handle for slot, handle in enumerate(self._heard) if handle is not None}

    def _event(self, event: LegEvent) -> None:
        if isinstance(event, LegFailed | FingerprintMismatch):
            self.on_lost(self)

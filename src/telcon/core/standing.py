"""Whether our own log may be signed: what the store, the marker and the peer say about it.

A log whose store fits its marker is *whole*. One that does not is read back from the peer's mirror.
What the peer shows of it counts only under our own signature, and if it contradicts the store or
does not meet the marker, this log has ended: a second history is never signed, and no peer that
withholds what it holds can bring that about (docs/protocol.md §5, Safety).
"""

from typing import Literal, NamedTuple

from telcon.core.frames import Refill
from telcon.core.growing import GrowingLog
from telcon.core.mirror import keep_verified
from telcon.core.pushing import Cosignature
from telcon.core.refill import Refilling, UnmetError
from telcon.core.stored import NEW_LOG, Marker
from telcon.errors import MalformedError, SignatureError
from telcon.ledger import (
    Checkpoint,
    VerifierKey,
    cosignature_time,
    parse_checkpoint_untrusted,
    parse_note_untrusted,
    verify_note,
)

__all__ = ["Shown", "Standing", "State", "open_shown"]

State = Literal["asking", "going", "broken"]


class Shown(NamedTuple):
    """A checkpoint of our own log that the peer shows, signed by our own key."""

    checkpoint: Checkpoint
    cosignature: Cosignature | None
    """None if the peer did not cosign it."""


def open_shown(note: bytes, own: VerifierKey, mirror: VerifierKey) -> Shown:
    """Verify what the peer shows as our newest checkpoint.

    Raises:
        SignatureError: our own signature is not on it, or one of the two does not verify.
        MalformedError: not a checkpoint.
    """
    verified = verify_note(parse_note_untrusted(note), [own, mirror])
    checkpoint = parse_checkpoint_untrusted(verified.text)
    signers = dict(verified.verified)
    if own not in signers or checkpoint.origin != own.name:
        raise SignatureError(f"a checkpoint without the signature of {own.name}")
    if mirror not in signers:
        return Shown(checkpoint, None)
    timestamp = cosignature_time(mirror, signers[mirror])
    kept = keep_verified(note, [own, mirror])
    return Shown(checkpoint, Cosignature(checkpoint.size, timestamp, kept))


class Standing:
    """How our own log stands. Once broken it stays broken."""

    def __init__(self, log: GrowingLog, marker: Marker | None) -> None:
        """Hold the store of `log` against `marker`; None: the marker is gone."""
        self.marker = marker or NEW_LOG
        self.refilling: Refilling | None = None
        self.is_whole = False
        self.broken = ""
        self._log = log
        self._is_going = False
        self._lost_from = 0
        self._is_marked = marker is not None
        if marker is None and log.size:
            self.end("the marker is gone, so nobody can tell how far this log was signed")
        elif marker is not None:
            self._compare(marker)

    def _compare(self, marker: Marker) -> None:
        root = self._log.root_at(marker.size)
        self.is_whole = root == marker.root
        if root is not None and not self.is_whole:
            self.end(f"the store holds another history than was signed up to {marker.size}")

    @property
    def state(self) -> State:
        """Going: acts are taken and signed. Asking: the peer must be heard first. Broken: never."""
        if self.broken:
            return "broken"
        return "going" if self._is_going else "asking"

    def go(self) -> None:
        """Let acts be taken: the log is whole and its fold is."""
        self._is_going = self.is_whole

    def end(self, reason: str) -> None:
        """End this log for good."""
        self.broken = self.broken or reason
        self.refilling = None

    def learn(self, shown: Checkpoint | None) -> None:
        """Hold what the peer shows against what is stored; None: it holds nothing.

        May begin a refill, or end the log.
        """
        if self.broken:
            return
        if self.is_whole:
            self._learn_whole(shown)
        elif shown is not None:
            self._refill(shown)
        elif not self._is_marked:
            self.is_whole = True  # empty and without a marker, and the peer knows of none: new
        else:
            self.end("the other node holds nothing of this log, which is missing here")

    def _learn_whole(self, shown: Checkpoint | None) -> None:
        if shown is None:
            return
        if shown.size > self._log.stored_size:
            # Store and marker were both set back, as with the picture of a whole machine.
            if self._log.size > self._log.stored_size:
                self.end("entries were written where others had been signed")
                return
            self.is_whole = self._is_going = False
            self._refill(shown)
        elif self._log.root_at(shown.size) != shown.root:
            self.end(f"another history than the stored one was signed up to {shown.size}")

    def _refill(self, shown: Checkpoint) -> None:
        if self.refilling is not None and shown.size <= self.refilling.target.size:
            return
        if not self._is_marked:
            self.end("the marker is gone, so nobody can tell how far this log was signed")
            return
        try:
            self.refilling = Refilling(self._log, shown, self.marker)
            self._lost_from = self._log.stored_size
        except UnmetError as error:
            self.end(str(error))

    def refill(self, piece: Refill) -> None:
        """Take a piece of our own log from the peer's mirror.

        Raises:
            MalformedError: it was not asked for.
            ProofError: it is not what was signed; nothing of it was taken.
        """
        if self.refilling is None:
            raise MalformedError("a piece of our log that was not asked for")
        try:
            self.refilling.take(piece)
        except UnmetError as error:
            self.end(str(error))

    def next_marker(self) -> Marker | None:
        """Return the marker that a commit of all that waits must bring; None: as it is."""
        may_sign = self.is_whole or (self.refilling is not None and self.refilling.is_done)
        if self.broken or not may_sign or self._log.size <= self.marker.size:
            return None
        root = self._log.root_at(self._log.size)  # which keeps it: it will be signed soon
        if root is None:
            return None
        return Marker(self._log.size, root)

    def settle(self, marker: Marker | None) -> int:
        """Take note that a commit is durable, and `marker` with it.

        Returns:
            How many entries were read back, if that has ended with it.
        """
        if marker is not None:
            self.marker = marker
            self._is_marked = True
        if self.refilling and self.refilling.is_done and self._log.stored_size == self._log.size:
            self.refilling = None
            self.is_whole = True
            return self._log.stored_size - self._lost_from
        return 0

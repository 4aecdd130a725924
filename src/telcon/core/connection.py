"""What the machine knows of the one connection that stands, and forgets with it.

Answers that are owed are kept as marks, not as frames: they are made when they can be sent, so a
peer that asks a thousand times is answered once, and a slow connection holds nothing old.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from telcon.core.events import Now
from telcon.core.frames import Frame, Refused, Second, Seconded, Signal
from telcon.core.pushing import Pushes
from telcon.core.standing import Shown
from telcon.core.stored import Note

__all__ = ["Connection"]

HELLO_TIMEOUT_S: Final = 10.0
SILENCE_TIMEOUT_S: Final = 30.0  # for what the peer owes; a slow disk answers well within
MAX_SIGNALS: Final = 256  # waiting to be sent; the oldest go first, for signals age
MAX_REFUSALS: Final = 16


@dataclass(slots=True)
class Connection:
    """One connection, from the moment it stands."""

    heard_s: float
    """Monotonic time of the last thing that the peer owed and did; at first, of the start."""
    is_hello_sent: bool = False
    is_ready: bool = False
    """Whether the peer's hello was read."""
    peer_size: int = 0
    """How long the peer's log is by its hello; unverified, good for telling how far we are."""
    is_closing: bool = False
    """Whether it is to be closed: nothing is read or sent any more."""
    is_up: bool = False
    """Whether `LineUp` was told."""
    shown: Shown | None = None
    """The checkpoint of our log that the peer showed to hold; None: none."""
    pushes: Pushes | None = None
    """None until our log may be signed."""
    owes_last: bool = False
    owes_cosigned: bool = False
    owes_evidence: bool = True
    asks_last: bool = False
    """Whether to ask `last?`."""
    awaits_last: bool = False
    fetch_from: int | None = None
    """What the peer asked to fetch of its log."""
    fetching: int | None = None
    """What we asked to fetch of ours."""
    gap_told: int = -1
    """Size for which the peer was told of a gap."""
    refusals: int = 0
    refused: deque[Refused] = field(default_factory=lambda: deque(maxlen=MAX_REFUSALS))
    second_asked: Note | None = None
    """Our checkpoint that the peer is to sign by ML-DSA-44 as well, with our own such signature."""
    second_asked_s: float = 0.0
    second_answer: bytes | None = None
    """Its line for that checkpoint, not looked at yet."""
    second_wanted: bytes | None = None
    """The newest of its checkpoints that it shows to be signed so, not looked at yet."""
    second_wanted_s: float = 0.0
    seconds: list[Second | Seconded] = field(default_factory=list)
    """To be sent; at most one of each is made between two looks at them."""
    signals: deque[Signal] = field(default_factory=lambda: deque(maxlen=MAX_SIGNALS))

    @property
    def held(self) -> int:
        """How much of our log the peer has shown to hold."""
        return self.shown.checkpoint.size if self.shown else 0

    def heard(self, now: Now) -> None:
        """Take note that the peer owes nothing older than `now`."""
        self.heard_s = now.monotonic_s

    def refuse(self, refused: Refused, held: int) -> bool:
        """Answer a push with `refused`; say whether the peer has tried too often."""
        if refused.code == "gap":
            # All pushes behind a refused one are gaps: one answer for what is held now.
            if self.gap_told != held:
                self.refused.append(refused)
            self.gap_told = held
            return False
        self.refused.append(refused)
        self.refusals += 1
        return self.refusals > MAX_REFUSALS

    def answers(self) -> list[Frame]:
        """Take the signals and refusals that wait."""
        frames: list[Frame] = [*self.signals, *self.refused]
        self.signals.clear()
        self.refused.clear()
        return frames

    def deadline(self) -> float | None:
        """Return when the peer's silence is too long; None if it owes nothing."""
        if self.is_closing:
            return None
        if not self.is_ready:
            return self.heard_s + HELLO_TIMEOUT_S
        is_owing = (
            self.awaits_last
            or self.fetching is not None
            or (self.pushes is not None and self.pushes.is_waiting)
        )
        return self.heard_s + SILENCE_TIMEOUT_S if is_owing else None

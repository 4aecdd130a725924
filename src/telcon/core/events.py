"""What the machine is told besides bytes, and what it tells its caller.

Events come out of `LineMachine.next_event`; each says something that is already true and durable.
What is made for every entry is a `Struct`, which costs a fifth of a dataclass to make.
"""

from dataclasses import dataclass
from enum import Enum

from msgspec import Struct

from telcon.core.entry import Entry
from telcon.core.seal import Opening
from telcon.core.void import Void
from telcon.ledger import Fork, KeyCard, MlDsaSigningKey, SigningKey

__all__ = [
    "ActDropped",
    "Cosigned",
    "EntryHeld",
    "Event",
    "ForkFound",
    "LineBroken",
    "LineDown",
    "LineIdentity",
    "LineRefilled",
    "LineUp",
    "Misbehaviour",
    "Now",
    "PeerMisbehaved",
    "PushRefused",
    "SignalReceived",
    "Ticket",
]


@dataclass(frozen=True, slots=True)
class LineIdentity:
    """Who the two sides of a line are, and this side's keys."""

    own_name: str
    peer_name: str
    line: str
    """32 hex digits."""
    own_card: KeyCard
    peer_card: KeyCard
    log_key: SigningKey
    """Signs our own log's checkpoints."""
    mirror_key: SigningKey
    """Cosigns the other's."""
    log_ml_dsa_key: MlDsaSigningKey | None = None
    """Signs the same checkpoints by ML-DSA-44; None where our card is of version 1."""
    mirror_ml_dsa_key: MlDsaSigningKey | None = None
    """Cosigns the other's by ML-DSA-44, or None as above."""

    @property
    def has_ml_dsa(self) -> bool:
        """Whether both sides have ML-DSA-44 keys."""
        keys = (self.log_ml_dsa_key, self.mirror_ml_dsa_key, self.peer_card.log_ml_dsa)
        return None not in keys


class Now(Struct, frozen=True):
    """Both clocks, read together by the caller."""

    utc_us: int
    """Microseconds since 1970, UTC: for entries and cosignatures."""
    monotonic_s: float
    """Seconds of a clock that never jumps: for deadlines."""


class Ticket(Struct, frozen=True):
    """Names an act from `append` until its `EntryHeld` or `ActDropped`."""

    number: int


class EntryHeld(Struct, frozen=True):
    """An entry is durable here; one of the other log is cosigned too."""

    origin: str
    index: int
    entry: Entry | None
    """None where the bytes are not an entry."""
    void: Void | None
    """Why it has no effect; None if it has."""
    openings: tuple[Opening, ...]
    ticket: Ticket | None
    """The ticket of our own act; None for entries of the other side."""


@dataclass(frozen=True, slots=True)
class ActDropped:
    """An act that waited (`append_bulk`) had become void before it was written."""

    ticket: Ticket
    void: Void


class Cosigned(Struct, frozen=True):
    """The peer holds our log up to `size` and has signed that it does."""

    size: int
    timestamp: int
    """POSIX seconds on the peer's clock."""


@dataclass(frozen=True, slots=True)
class LineUp:
    """Both sides have said hello and this side may append.

    Where the line was asking before, the fold has been replayed: read it anew.
    """


@dataclass(frozen=True, slots=True)
class LineDown:
    """What `LineUp` said no longer holds."""


@dataclass(frozen=True, slots=True)
class SignalReceived:
    """Something ephemeral from the peer, unverified beyond its form."""

    kind: str
    call: str
    """Empty if of no call."""
    body: bytes


class Misbehaviour(Enum):
    """What kind of rule a peer broke."""

    FRAME = "a frame that cannot be read"
    LIMIT = "an entry or opening over its limit"
    OTHER = "another rule"


@dataclass(frozen=True, slots=True)
class PeerMisbehaved:
    """The peer broke the protocol; nothing of what it sent was taken over."""

    reason: str
    close: bool
    """Whether the connection is to be closed; the machine reads nothing more from it."""
    kind: Misbehaviour = Misbehaviour.OTHER


@dataclass(frozen=True, slots=True)
class ForkFound:
    """Two signed checkpoints of one log cannot both be true; both are stored."""

    fork: Fork


@dataclass(frozen=True, slots=True)
class LineBroken:
    """Our own log has ended: nothing is signed on this line any more. Pair a new one."""

    reason: str


@dataclass(frozen=True, slots=True)
class LineRefilled:
    """Our own log, of which the store had lost the end, was read back from the peer and proven."""

    entries: int


@dataclass(frozen=True, slots=True)
class PushRefused:
    """The peer did not take a push of ours."""

    code: str
    detail: str


Event = (
    ActDropped
    | Cosigned
    | EntryHeld
    | ForkFound
    | LineBroken
    | LineDown
    | LineRefilled
    | LineUp
    | PeerMisbehaved
    | PushRefused
    | SignalReceived
)

"""Every error telcon raises on purpose, in one tree.

The first branch says whose fault it is, for that decides what to do:

    TelconError
    ├── MisuseError            ours: a caller broke a documented rule; raised at once
    │   └── IllegalActError    an act that the fold would void; nothing was written
    ├── PeerError              the other side's, or whoever wrote the bytes
    │   ├── MalformedError     bytes that are not in the one accepted spelling
    │   ├── SignatureError     a signature is missing or does not verify
    │   ├── ProofError         hashes do not lead where they claim to
    │   ├── PinError           a TLS certificate that is not the pinned one
    │   ├── PolicyError        verified, but not what the policy demands
    │   └── SrtpError          a media packet that is forged, altered, repeated or too old
    ├── NetworkError           the network's: try again later
    │   └── LinkDownError
    │       └── KeyRefusedError  it did not accept our key, as far as we can tell
    └── OperatorError          the operator's: settings, folders, ports, invitations
        ├── LockedError        another node runs on this folder
        ├── SettingsError
        ├── InvitationError
        ├── SignInError        a sign-in link is unknown, expired or used
        ├── PortError          an address or port cannot be listened on
        ├── SealedError        the key at hand does not open a record
        ├── StorageError       the disk or database refused; nothing half-written
        └── BusyError          more is waiting than the node holds at once

A message says what was expected, what came, and of which peer, log or entry; never a secret.
"""

from enum import StrEnum

__all__ = [
    "BusyError",
    "IllegalActError",
    "InvitationError",
    "InvitationRefusal",
    "KeyRefusedError",
    "LinkDownError",
    "LockedError",
    "MalformedError",
    "MisuseError",
    "NetworkError",
    "OperatorError",
    "PeerError",
    "PinError",
    "PolicyError",
    "PortError",
    "ProofError",
    "SealedError",
    "SettingsError",
    "SignInError",
    "SignatureError",
    "SrtpError",
    "StorageError",
    "StorageTrouble",
    "TelconError",
]


class TelconError(Exception):
    """Root of everything telcon raises on purpose."""

    def __init__(self, message: str, *, advice: str = "") -> None:
        """Keep `message` for the log and `advice`, one sentence, for the person."""
        super().__init__(message)
        self._advice = advice

    def advice(self) -> str:
        """Return what the person reading this can do about it; empty if nothing."""
        return self._advice


class MisuseError(TelconError):
    """A caller inside telcon broke a documented rule."""


class IllegalActError(MisuseError):
    """The act would be void in the state the fold is in; nothing was written."""

    def __init__(self, act: str, reason: str) -> None:
        """Name the `act` (entry type) and the fold's `reason`."""
        advice = "The line does not allow that now; how it stands: telcon line list"
        super().__init__(f"{act} would be void: {reason}", advice=advice)
        self.act = act
        self.reason = reason


class PeerError(TelconError):
    """Bytes from outside broke a rule; says nothing about our own state."""


class MalformedError(PeerError):
    """Bytes are not in the one accepted spelling."""


class SignatureError(PeerError):
    """A signature is missing, by an unknown key, or does not verify."""


class ProofError(PeerError):
    """A Merkle proof, root or hash does not lead where it claims to."""


class PinError(PeerError):
    """A TLS certificate is not the pinned one."""


class PolicyError(PeerError):
    """Everything verifies, but the policy asks for something else."""


class SrtpError(PeerError):
    """A media packet is forged, altered, repeated or older than the replay window."""


class NetworkError(TelconError):
    """The network failed; the same may succeed later."""


class LinkDownError(NetworkError):
    """The other node cannot be reached right now."""


class KeyRefusedError(LinkDownError):
    """The other node did not accept our key, as far as this side can tell."""


class OperatorError(TelconError):
    """Something that the operator of this node can mend."""


class LockedError(OperatorError):
    """Another process holds this node's folder."""


class SettingsError(OperatorError):
    """A setting is missing or cannot be used."""


class InvitationRefusal(StrEnum):
    """Why a pairing came to nothing; travels in its last frame (docs/protocol.md §8)."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    USED = "used"
    LINE_EXISTS = "line exists"
    NOT_STORED = "not stored"
    OTHER = "other"


class InvitationError(OperatorError):
    """A pairing invitation is unknown, expired, used, or not confirmed."""

    def __init__(
        self,
        message: str,
        *,
        advice: str = "",
        refusal: InvitationRefusal = InvitationRefusal.OTHER,
    ) -> None:
        """Keep besides which of the reasons that others act on it is."""
        super().__init__(message, advice=advice)
        self.refusal = refusal


class PortError(OperatorError):
    """An address or port cannot be listened on."""


class SignInError(OperatorError):
    """A sign-in link is unknown, expired or used."""


class StorageTrouble(StrEnum):
    """What is wrong with the disk; the words for it are the catalogue's `trouble.*`."""

    FULL = "full"
    LOCKED = "locked"
    MEMORY = "memory"
    DISK = "disk"


class StorageError(OperatorError):
    """The disk or the database refused; nothing half-written stays."""

    def __init__(
        self, message: str, *, advice: str = "", trouble: StorageTrouble = StorageTrouble.DISK
    ) -> None:
        """Keep besides what is wrong with the disk, as far as it is known."""
        super().__init__(message, advice=advice)
        self.trouble = trouble


class UnreadableError(StorageError):
    """What the database gives is not what was written, or was written under another key."""


class SealedError(OperatorError):
    """The key at hand does not open a record: it was sealed to others, or was altered."""


class BusyError(OperatorError):
    """More is waiting than the node holds at once; try again shortly."""

"""Frames of the link: MessagePack arrays, the first element names the kind (docs/protocol.md §5).

Only form and limits are looked at here; what a frame claims is verified by the machine.
`parse_frame_untrusted` takes bytes from the network and raises `MalformedError` only.
"""

from typing import Annotated, Final

import msgspec

from telcon.core.seal import Opening
from telcon.errors import MalformedError, MisuseError
from telcon.ledger.fork import MAX_PATH_HASHES
from telcon.ledger.merkle import HASH_OCTETS

__all__ = [
    "MAX_FRAME_OCTETS",
    "AskLast",
    "Contradiction",
    "Cosigned",
    "Evidence",
    "Fetch",
    "Frame",
    "Hello",
    "Last",
    "Push",
    "Refill",
    "Refused",
    "Second",
    "Seconded",
    "SentOpening",
    "Signal",
    "cost_of",
    "format_frame",
    "openings_by_index",
    "parse_frame_untrusted",
    "sent_octets",
]

PROTOCOL_VERSION: Final = 1
MAX_FRAME_OCTETS: Final = 65_536
MAX_NOTE_OCTETS: Final = 2_048  # a checkpoint with two signatures of 255 octet names has about 900
MAX_SECOND_OCTETS: Final = 8_192  # such a checkpoint with an ML-DSA-44 line, which has 3,500
MAX_SECONDED_OCTETS: Final = 4_096
MAX_SIGNAL_OCTETS: Final = 16_384
ENTRY_COST_OCTETS: Final = 256  # what an entry of one octet takes on the disk, and more in work
REMEMBERED_COST: Final = 16  # of an entry that is kept in memory too, as calls and terms are
_FORGOTTEN: Final = (b'{"type":"message"', b'{"type":"blank"')  # but for their places

_Size = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
_Word = Annotated[str, msgspec.Meta(max_length=32)]
_CallId = Annotated[str, msgspec.Meta(max_length=32)]
_HashBytes = Annotated[bytes, msgspec.Meta(min_length=HASH_OCTETS, max_length=HASH_OCTETS)]
_NoteBytes = Annotated[bytes, msgspec.Meta(max_length=MAX_NOTE_OCTETS)]


class SentOpening(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An opening on its way, with the index of its entry."""

    index: _Size
    member: _Word
    key: bytes
    content: bytes


class Hello(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="hello"):
    """First frame of each side."""

    version: int
    name: Annotated[str, msgspec.Meta(max_length=255)]
    line: Annotated[str, msgspec.Meta(max_length=64)]
    own_size: _Size
    held_size: _Size
    """How much the sender holds of the receiver's log."""
    last: _NoteBytes
    """As in `Last`."""


class AskLast(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="last?"
):
    """Asks which of the sender's checkpoints the receiver last cosigned."""


class Last(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="last"):
    """The receiver's newest checkpoint that the sender holds, freshly cosigned; or empty."""

    note: _NoteBytes


class Push(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="push"):
    """Entries of the sender's log, and the checkpoint whose size they reach exactly."""

    first: _Size
    entries: Annotated[list[bytes], msgspec.Meta(min_length=1)]
    openings: list[SentOpening]
    note: _NoteBytes


class Cosigned(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="cosigned"
):
    """The sender holds the receiver's log up to `size`."""

    size: _Size
    line: Annotated[bytes, msgspec.Meta(max_length=MAX_NOTE_OCTETS)]
    """One cosignature line."""


class Refused(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="refused"
):
    """A push was not taken."""

    code: _Word
    first: _Size
    detail: Annotated[str, msgspec.Meta(max_length=512)]


class Fetch(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="fetch"):
    """The sender asks for a piece of its own log, from entry `first` on. One `Refill` answers."""

    first: _Size


class Refill(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="refill"
):
    """A piece of the receiver's own log, as the sender mirrors it."""

    first: _Size
    entries: list[bytes]
    openings: list[SentOpening]
    is_last: bool
    """Whether the sender holds nothing after this piece."""


class Evidence(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="evidence"
):
    """Two signed checkpoints of one log that cannot both be true."""

    note_a: _NoteBytes
    note_b: _NoteBytes


class Contradiction(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="contradiction"
):
    """Two signed checkpoints of one log, of two sizes, and what shows that one of them lies."""

    note_a: _NoteBytes
    """The smaller one."""
    note_b: _NoteBytes
    path: Annotated[list[_HashBytes], msgspec.Meta(min_length=2, max_length=MAX_PATH_HASHES)]
    """As in `telcon.ledger.Fork`."""


class Second(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="second"
):
    """The sender's checkpoint, cosigned by the receiver, with its ML-DSA-44 signature added."""

    note: Annotated[bytes, msgspec.Meta(max_length=MAX_SECOND_OCTETS)]


class Seconded(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="seconded"
):
    """The receiver's checkpoint of `size` is cosigned by ML-DSA-44 too."""

    size: _Size
    line: Annotated[bytes, msgspec.Meta(max_length=MAX_SECONDED_OCTETS)]
    """One cosignature line."""


class Signal(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="signal"
):
    """Something ephemeral that is never logged."""

    kind: _Word
    call: _CallId
    body: Annotated[bytes, msgspec.Meta(max_length=MAX_SIGNAL_OCTETS)]


Frame = (
    Hello
    | AskLast
    | Last
    | Push
    | Cosigned
    | Refused
    | Fetch
    | Refill
    | Evidence
    | Contradiction
    | Second
    | Seconded
    | Signal
)

_decoder: Final[msgspec.msgpack.Decoder[Frame]] = msgspec.msgpack.Decoder(Frame)
_encoder: Final = msgspec.msgpack.Encoder()


def parse_frame_untrusted(data: bytes) -> Frame:
    """Read one frame.

    Raises:
        MalformedError: over 65,536 octets, an unknown kind, a wrong type, count or range.
    """
    if len(data) > MAX_FRAME_OCTETS:
        raise MalformedError(f"a frame has at most {MAX_FRAME_OCTETS} octets, got {len(data)}")
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"not a frame: {error}") from error


def cost_of(data: bytes) -> int:
    """Return what a frame counts towards what its sender may send, in octets; it may be broken.

    An entry counts its row too, however short it is, and one that is more than a message counts
    many times, for the fold remembers it; a `refill` was asked for and counts nothing.
    """
    try:
        read = msgspec.msgpack.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return len(data)  # it ends the connection
    match read:
        case ["refill", *_]:
            return 0
        case ["push", _, list(entries), *_]:
            return len(data) + sum(map(_entry_cost, entries))
    return len(data)


def _entry_cost(entry: object) -> int:
    """Return what an entry of a pushed frame counts beside the octets of the frame."""
    if not isinstance(entry, bytes) or entry.startswith(_FORGOTTEN):
        return ENTRY_COST_OCTETS
    return ENTRY_COST_OCTETS + (REMEMBERED_COST - 1) * len(entry)


def format_frame(frame: Frame) -> bytes:
    """Write a frame.

    Raises:
        MisuseError: it would be over 65,536 octets.
    """
    data = _encoder.encode(frame)
    if len(data) > MAX_FRAME_OCTETS:
        raise MisuseError(f"a frame of {len(data)} octets would be refused")
    return data


# Most that MessagePack adds: 5 octets before a byte string, 9 for an integer, 5 before an array.
FRAME_OVERHEAD_OCTETS: Final = 64 + MAX_NOTE_OCTETS
_ENTRY_OVERHEAD: Final = 5
_OPENING_OVERHEAD: Final = 5 + 9 + 5 + 5 + 5


def sent_octets(entry: bytes, openings: tuple[Opening, ...]) -> int:
    """Return how many octets an entry with its openings takes in a frame, at most."""
    octets = _ENTRY_OVERHEAD + len(entry)
    for opening in openings:
        octets += _OPENING_OVERHEAD + len(opening.member) + 32 + len(opening.content)
    return octets


def openings_by_index(sent: list[SentOpening]) -> dict[int, dict[str, Opening]]:
    """Sort what was sent by entry and member; of two for one member the later counts."""
    found: dict[int, dict[str, Opening]] = {}
    for one in sent:
        members = found.setdefault(one.index, {})
        members[one.member] = Opening(one.member, one.key, one.content)
    return found

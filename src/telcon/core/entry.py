"""What stands in a line's log: one struct per entry type, exact to the byte (docs/protocol.md §2).

An entry *is* the bytes its author wrote. Reading decodes strictly, encodes again and compares, so
there is one spelling per meaning. All members that stand in clear are ASCII without escapes; what
people say is sealed and lies outside (see `telcon.core.seal`). Whether an entry has effect in the
state of its line is the fold's question, not this module's.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, ClassVar, Final, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from telcon.core.void import Void, VoidError

__all__ = [
    "ENTRY_TYPES",
    "LAYERS",
    "MAX_CHUNK_PACKETS",
    "MAX_CHUNK_TRACKS",
    "MAX_ENTRY_BYTES",
    "MODES",
    "SEALS",
    "SUPPORTED_TYPES",
    "Blank",
    "CallAnswer",
    "CallCancel",
    "CallDecline",
    "CallFail",
    "CallHangUp",
    "CallJoin",
    "CallLeave",
    "CallMissed",
    "CallMode",
    "CallRing",
    "CallRinging",
    "Entry",
    "Head",
    "Layer",
    "LineAcknowledged",
    "LineCoverage",
    "LineFrozen",
    "LineOpened",
    "LineTerms",
    "LineTest",
    "LineTested",
    "Message",
    "Mode",
    "RecordAgreed",
    "RecordChunk",
    "RecordDestroyed",
    "RecordGap",
    "RecordHeld",
    "RecordOff",
    "RecordOn",
    "RecordSealed",
    "Ref",
    "Role",
    "SealRule",
    "Void",
    "VoidError",
    "call_of",
    "entry_type",
    "format_entry",
    "parse_entry_untrusted",
    "read_entry_untrusted",
    "require_apart",
]

MAX_ENTRY_BYTES: Final = 16_384
MAX_INTEGER: Final = 2**53 - 1  # what every JSON reader can hold exactly
MAX_CHUNK_PACKETS: Final = 5_000  # of one track: ten seconds of the shortest usual packets
MAX_CHUNK_TRACKS: Final = 64  # so that an answer to all of them fits into an entry

Count = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
Nonce = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
CallId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Handle = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]
Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Origin = Annotated[str, Meta(pattern=r"^[a-z0-9.-]{1,200}/line/[0-9a-f]{32}\Z")]
TypeName = Annotated[str, Meta(pattern=r"^[a-z][a-z.-]{0,63}\Z")]
Condition = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9 -]{0,63}\Z")]
WeekMinute = Annotated[int, Meta(ge=0, le=10_080)]  # after Monday 00:00 UTC
Track = Annotated[int, Meta(ge=1, le=255)]
Seen = tuple[Count, Hash]
Ref = tuple[Origin, Count]
TrackRef = tuple[Origin, Track]
Run = tuple[Count, Annotated[int, Meta(ge=1, le=MAX_INTEGER)]]
Runs = Annotated[tuple[Run, ...], Meta(max_length=1_000)]
Mode = Literal["audio", "transcript only", "notes only", "existence only"]
Role = Literal["principal", "interpreter", "notetaker", "expert", "duty officer", "technician"]

MODES: Final[tuple[Mode, ...]] = ("audio", "transcript only", "notes only", "existence only")
"""Record modes, from the loosest to the strictest."""


class Head(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """What every entry begins with; `call`, `by` and `re` stand in the types that bear them."""

    TYPE: ClassVar[str] = ""

    v: Literal[1] = 1
    nonce: Nonce
    time: Count
    seen: Seen


class LineOpened(Head, frozen=True, kw_only=True, tag="line.opened"):
    """The first entry of a log: which key cards it belongs to and which log it continues."""

    TYPE: ClassVar[str] = "line.opened"

    cards: tuple[Hash, Hash]
    previous: tuple[Origin, Count, Hash] | None


class LineTerms(Head, frozen=True, kw_only=True, tag="line.terms"):
    """What the author gives effect to: the types, the policy, the conditions of the line."""

    TYPE: ClassVar[str] = "line.terms"

    types: tuple[tuple[TypeName, Count], ...]
    policy: Literal["mirror"]
    conditions: tuple[Condition, ...]
    link_lost: Literal["go on", "mute", "end"]

    def __post_init__(self) -> None:
        """Hold `types` to rising order: one spelling per set."""
        _require_rising(self.types)


class LineTest(Head, frozen=True, kw_only=True, tag="line.test"):
    """A regular exchange that proves that the line works."""

    TYPE: ClassVar[str] = "line.test"


class LineTested(Head, frozen=True, kw_only=True, tag="line.tested"):
    """The answer to a `line.test`."""

    TYPE: ClassVar[str] = "line.tested"

    re: tuple[Ref]


class LineFrozen(Head, frozen=True, kw_only=True, tag="line.frozen"):
    """The author trusts this line no more; nothing after it has effect."""

    TYPE: ClassVar[str] = "line.frozen"

    reason: Hash


class LineAcknowledged(Head, frozen=True, kw_only=True, tag="line.acknowledged"):
    """The author's operator has taken note that one of the two logs has two histories."""

    TYPE: ClassVar[str] = "line.acknowledged"

    evidence: Hash
    reason: Hash


class LineCoverage(Head, frozen=True, kw_only=True, tag="line.coverage"):
    """What the author's log of this line covers, so that its silence means something."""

    TYPE: ClassVar[str] = "line.coverage"

    since: Count
    until: Count | UnsetType = UNSET
    hours: Annotated[tuple[tuple[WeekMinute, WeekMinute], ...], Meta(min_length=1, max_length=64)]
    modes: Annotated[tuple[Mode, ...], Meta(min_length=1, max_length=len(MODES))]
    persons: Hash

    def __post_init__(self) -> None:
        """Hold times, hours and modes to one spelling, and to some time at all."""
        if self.until is not UNSET and self.until <= self.since:
            msg = "it ends before it begins"
            raise ValueError(msg)
        _require_rising(tuple(minute for span in self.hours for minute in span))
        _require_rising(tuple(MODES.index(mode) for mode in self.modes))


class CallRing(Head, frozen=True, kw_only=True, tag="call.ring"):
    """A call begins to ring; bears the caller's own join."""

    TYPE: ClassVar[str] = "call.ring"

    call: CallId
    by: Handle
    mode: Mode
    track: Track
    person: Hash
    topic: Hash | UnsetType = UNSET
    media: Hash


class CallRinging(Head, frozen=True, kw_only=True, tag="call.ringing"):
    """The rung side's devices ring."""

    TYPE: ClassVar[str] = "call.ringing"

    call: CallId
    re: tuple[Ref]
    devices: Count


class CallAnswer(Head, frozen=True, kw_only=True, tag="call.answer"):
    """The call is live; bears the callee's own join."""

    TYPE: ClassVar[str] = "call.answer"

    call: CallId
    by: Handle
    re: Annotated[tuple[Ref, ...], Meta(min_length=1, max_length=2)]
    mode: Mode
    glare: bool
    track: Track
    person: Hash
    media: Hash

    def __post_init__(self) -> None:
        """Hold `glare` and the second reference, the own ring, together."""
        if self.glare != (len(self.re) == 2):
            msg = "glare is true exactly when re names the own ring too"
            raise ValueError(msg)


class CallDecline(Head, frozen=True, kw_only=True, tag="call.decline"):
    """The rung side does not take the call."""

    TYPE: ClassVar[str] = "call.decline"

    call: CallId
    re: tuple[Ref]
    reason: Hash | UnsetType = UNSET


class CallCancel(Head, frozen=True, kw_only=True, tag="call.cancel"):
    """The ringing side takes its ring back."""

    TYPE: ClassVar[str] = "call.cancel"

    call: CallId
    re: tuple[Ref]
    reason: Hash | UnsetType = UNSET


class CallMissed(Head, frozen=True, kw_only=True, tag="call.missed"):
    """Nobody of the rung side answered in time."""

    TYPE: ClassVar[str] = "call.missed"

    call: CallId
    re: tuple[Ref]


class CallJoin(Head, frozen=True, kw_only=True, tag="call.join"):
    """One more person of the author's side takes part."""

    TYPE: ClassVar[str] = "call.join"

    call: CallId
    by: Handle
    role: Role
    track: Track
    person: Hash
    media: Hash


class CallLeave(Head, frozen=True, kw_only=True, tag="call.leave"):
    """A person of the author's side takes part no more."""

    TYPE: ClassVar[str] = "call.leave"

    call: CallId
    by: Handle


class CallMode(Head, frozen=True, kw_only=True, tag="call.mode"):
    """The author's side states anew what may be recorded."""

    TYPE: ClassVar[str] = "call.mode"

    call: CallId
    by: Handle
    mode: Mode


class RecordOn(Head, frozen=True, kw_only=True, tag="call.record-on"):
    """The author's node begins to record one track."""

    TYPE: ClassVar[str] = "call.record-on"

    call: CallId
    track: TrackRef


class RecordChunk(Head, frozen=True, kw_only=True, tag="call.record-chunk"):
    """What the author's own tracks said in the last seconds, as tree roots."""

    TYPE: ClassVar[str] = "call.record-chunk"

    call: CallId
    tracks: Annotated[
        tuple[tuple[Track, Count, Annotated[int, Meta(ge=1, le=MAX_CHUNK_PACKETS)], Hash], ...],
        Meta(min_length=1, max_length=MAX_CHUNK_TRACKS),
    ]
    key: Hash

    def __post_init__(self) -> None:
        """Hold `tracks` to rising numbers."""
        _require_rising(tuple(track[0] for track in self.tracks))


class RecordGap(Head, frozen=True, kw_only=True, tag="call.record-gap"):
    """Packets of the author's tracks that it forwarded and that no chunk of its holds.

    Each track: number, index of the first packet, how many.
    """

    TYPE: ClassVar[str] = "call.record-gap"

    call: CallId
    tracks: Annotated[
        tuple[tuple[Track, Count, Annotated[int, Meta(ge=1, le=MAX_INTEGER)]], ...],
        Meta(min_length=1, max_length=255),
    ]

    def __post_init__(self) -> None:
        """Hold `tracks` to rising numbers."""
        _require_rising(tuple(track[0] for track in self.tracks))


class RecordHeld(Head, frozen=True, kw_only=True, tag="call.record-held"):
    """What the author holds of a chunk of the other side: roots, and what did not come by itself.

    Of each track: its number, the root over what is held, and runs of packets that came by repair,
    are absent, or are not what their speaker's node says it sent.
    """

    TYPE: ClassVar[str] = "call.record-held"

    call: CallId
    re: tuple[Ref]
    tracks: Annotated[
        tuple[tuple[Track, Hash, Runs, Runs, Runs], ...],
        Meta(min_length=1, max_length=MAX_CHUNK_TRACKS),
    ]

    def __post_init__(self) -> None:
        """Hold `tracks` to rising numbers, and runs to rising order with a gap between."""
        _require_rising(tuple(track[0] for track in self.tracks))
        for _, _, *kinds in self.tracks:
            for runs in kinds:
                require_apart(runs)


class RecordAgreed(Head, frozen=True, kw_only=True, tag="call.record-agreed"):
    """The record of the call as the author holds it; agreed when both sides' newest say the same.

    Of each track: whose and which, its packets, then SHA-256 and octets of its Ogg Opus file.
    """

    TYPE: ClassVar[str] = "call.record-agreed"

    call: CallId
    tracks: Annotated[
        tuple[tuple[Origin, Track, Count, Hash, Count], ...], Meta(min_length=1, max_length=255)
    ]

    def __post_init__(self) -> None:
        """Hold `tracks` to rising origins and numbers."""
        _require_rising(tuple(track[:2] for track in self.tracks))


class RecordSealed(Head, frozen=True, kw_only=True, tag="call.record-sealed"):
    """The author's node says that it erased its key: record-keepers alone open the record."""

    TYPE: ClassVar[str] = "call.record-sealed"

    call: CallId
    keepers: Annotated[int, Meta(ge=1, le=255)]


class RecordDestroyed(Head, frozen=True, kw_only=True, tag="call.record-destroyed"):
    """The author's node says that it destroyed its record of the call."""

    TYPE: ClassVar[str] = "call.record-destroyed"

    call: CallId
    reason: Hash


class RecordOff(Head, frozen=True, kw_only=True, tag="call.record-off"):
    """The author's recording of one track is closed; its hash and length."""

    TYPE: ClassVar[str] = "call.record-off"

    call: CallId
    track: TrackRef
    sha256: Hash
    size: Count
    reason: Hash | UnsetType = UNSET


class CallHangUp(Head, frozen=True, kw_only=True, tag="call.hang-up"):
    """The call is over."""

    TYPE: ClassVar[str] = "call.hang-up"

    call: CallId
    by: Handle


class CallFail(Head, frozen=True, kw_only=True, tag="call.fail"):
    """The author's node cannot carry the call on."""

    TYPE: ClassVar[str] = "call.fail"

    call: CallId
    reason: Hash


class Message(Head, frozen=True, kw_only=True, tag="message", rename={"sender": "from"}):
    """A text from one person to another, in or out of a call."""

    TYPE: ClassVar[str] = "message"

    call: CallId | UnsetType = UNSET
    re: tuple[Ref] | UnsetType = UNSET
    sender: Hash
    to: Hash
    text: Hash


class Blank(Head, frozen=True, kw_only=True, tag="blank"):
    """Nothing, so that a watcher cannot count acts."""

    TYPE: ClassVar[str] = "blank"


Entry: TypeAlias = (
    LineOpened
    | LineTerms
    | LineTest
    | LineTested
    | LineFrozen
    | LineAcknowledged
    | LineCoverage
    | CallRing
    | CallRinging
    | CallAnswer
    | CallDecline
    | CallCancel
    | CallMissed
    | CallJoin
    | CallLeave
    | CallMode
    | RecordOn
    | RecordChunk
    | RecordGap
    | RecordHeld
    | RecordAgreed
    | RecordSealed
    | RecordDestroyed
    | RecordOff
    | CallHangUp
    | CallFail
    | Message
    | Blank
)

_CLASSES: Final[tuple[type[Entry], ...]] = Entry.__args__

ENTRY_TYPES: Final[Mapping[str, type[Entry]]] = {cls.TYPE: cls for cls in _CLASSES}
"""Every type of version 1, in the order of docs/protocol.md."""

SUPPORTED_TYPES: Final[tuple[tuple[str, int], ...]] = tuple(
    sorted((name, 1) for name in ENTRY_TYPES)
)
"""What a node of this version lists in its terms and gives effect to."""


class SealRule(NamedTuple):
    """One sealed member of an entry type."""

    member: str
    optional: bool  # whether an entry may come without the member
    owed: bool = True  # whether the peer must get the opening; False keeps it on the own side


def _required(*members: str) -> tuple[SealRule, ...]:
    return tuple(SealRule(member, optional=False) for member in members)


_REASON = SealRule("reason", optional=True)

SEALS: Final[Mapping[str, tuple[SealRule, ...]]] = dict.fromkeys(ENTRY_TYPES, ()) | {
    "line.frozen": _required("reason"),
    "line.acknowledged": _required("reason"),
    "line.coverage": _required("persons"),
    "call.ring": (*_required("person"), SealRule("topic", optional=True), *_required("media")),
    "call.answer": _required("person", "media"),
    "call.decline": (_REASON,),
    "call.cancel": (_REASON,),
    "call.join": _required("person", "media"),
    "call.record-chunk": _required("key"),
    "call.record-destroyed": _required("reason"),
    "call.record-off": (_REASON,),
    "call.fail": _required("reason"),
    "message": _required("from", "to", "text"),
}
"""The sealed members of every type, in the entry's order (S and s of docs/protocol.md §2)."""


class Layer(NamedTuple):
    """One of the five layers of a proof; each is shown together with those before it."""

    name: str
    types: frozenset[str]  # entry types that this layer adds
    members: frozenset[str]  # seals that this layer opens, in its own types and in those before


LAYERS: Final[tuple[Layer, ...]] = (
    Layer(
        "existence",
        frozenset(
            {"call.ring", "call.ringing", "call.answer"}
            | {"call.decline", "call.cancel", "call.missed"}
        ),
        frozenset(),
    ),
    Layer("duration", frozenset({"call.hang-up", "call.fail"}), frozenset()),
    Layer("participants", frozenset({"call.join", "call.leave"}), frozenset({"person", "persons"})),
    Layer("topic", frozenset(), frozenset({"topic", "reason"})),
    Layer(
        "content",
        frozenset({"call.mode", "call.record-on", "call.record-chunk", "call.record-gap"})
        | {"call.record-held", "call.record-agreed", "call.record-sealed", "call.record-destroyed"}
        | {"call.record-off", "message"},
        frozenset({"media", "key", "from", "to", "text"}),
    ),
)

_DECODER: Final[msgspec.json.Decoder[Entry]] = msgspec.json.Decoder(Entry)
_ENCODER: Final = msgspec.json.Encoder()
# An entry of a later version shows its type and version in its first octets and nothing more.
_UNKNOWN: Final = re.compile(rb'\{"type":"([a-z][a-z.-]{0,63})","v":(0|[1-9][0-9]{0,15})[,}]')


def entry_type(entry: Entry) -> str:
    """Return the type of `entry` as it stands in its bytes."""
    return type(entry).TYPE


def call_of(entry: Entry) -> str | None:
    """Return the id of the call that `entry` bears, if it bears one."""
    call = getattr(entry, "call", UNSET)
    return None if call is UNSET else str(call)


def format_entry(entry: Entry) -> bytes:
    """Return the one spelling of `entry`."""
    return _ENCODER.encode(entry)


def parse_entry_untrusted(data: bytes) -> Entry:
    """Read the bytes of an entry written by anybody.

    Raises:
        VoidError: `not canonical` for what is too long or not in the one accepted spelling,
            `unknown type` for a type or version that is not of this protocol version.
    """
    if len(data) > MAX_ENTRY_BYTES:
        msg = f"{len(data)} octets, at most {MAX_ENTRY_BYTES}"
        raise VoidError(Void.NOT_CANONICAL, msg)
    try:
        entry = _DECODER.decode(data)
        again = _ENCODER.encode(entry)
    except (ValueError, RecursionError) as error:  # msgspec's and Unicode errors are ValueErrors
        raise VoidError(_reason_of(data), str(error)) from error
    if again != data:
        raise VoidError(Void.NOT_CANONICAL, "it reads, but its one spelling is another")
    return entry


def read_entry_untrusted(data: bytes) -> Entry | Void:
    """Read what stands in a log: an entry, or why the bytes have no effect."""
    try:
        return parse_entry_untrusted(data)
    except VoidError as error:
        return error.reason


def _reason_of(data: bytes) -> Void:
    """Tell an entry of a later version from one that is badly written."""
    head = _UNKNOWN.match(data)
    if head is None:
        return Void.NOT_CANONICAL
    known = head[1].decode() in ENTRY_TYPES and head[2] == b"1"
    return Void.NOT_CANONICAL if known else Void.UNKNOWN_TYPE


def _require_rising(keys: tuple[object, ...]) -> None:
    # All keys are of one shape, a string and a number; `object` cannot say so.
    if not all(low < high for low, high in pairwise(keys)):  # type: ignore[operator]
        msg = "not in rising order"
        raise ValueError(msg)


def require_apart(runs: Sequence[tuple[int, int]]) -> None:
    """Hold runs, each a first index and a count, to rising and not touching.

    Raises:
        ValueError: they do not.
    """
    if not all(first + count < after for (first, count), (after, _) in pairwise(runs)):
        msg = "runs that touch or do not rise"
        raise ValueError(msg)

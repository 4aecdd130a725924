"""Bodies of the signals that go over the link and are never logged (docs/protocol.md §6).

The link says who sent them; nothing here is proof. Parsers take foreign bytes and raise
`MalformedError` only.
"""

from typing import Annotated, Literal, TypeVar

import msgspec

from telcon.core.entry import require_apart
from telcon.errors import MalformedError

__all__ = [
    "MAX_GIVEN",
    "MAX_LEAVES",
    "MAX_PACKET_OCTETS",
    "MAX_RUNS",
    "RENEW_S",
    "AskSignal",
    "GiveSignal",
    "HintKind",
    "HintSignal",
    "HouseAnswerSignal",
    "HouseAskSignal",
    "HouseSignal",
    "RecorderSignal",
    "RenewCardSignal",
    "RenewHashSignal",
    "RenewSignal",
    "ReturnSignal",
    "ReturnedSignal",
    "TrunkSignal",
    "format_signal",
    "parse_hint_untrusted",
    "parse_house_answer_untrusted",
    "parse_house_ask_untrusted",
    "parse_house_untrusted",
    "parse_record_ask_untrusted",
    "parse_record_give_untrusted",
    "parse_record_return_untrusted",
    "parse_record_returned_untrusted",
    "parse_recorder_untrusted",
    "parse_renew_card_untrusted",
    "parse_renew_hash_untrusted",
    "parse_renew_untrusted",
    "parse_trunk_untrusted",
]

MAX_ADDRESSES = 8
MAX_RUNS = 64  # of packets, in one ask
MAX_LEAVES = 448  # hashes in one give: 14 KiB
MAX_GIVEN = 256  # packets in one give
MAX_PACKET_OCTETS = 1_338  # of payload: what fits on the trunk
HASH_OCTETS = 32
MAX_VKEY_OCTETS = 2_048  # a name of 255 octets and an ML-DSA-44 key of 1,312
RENEW_S = 600  # for which an operator's wish to renew the keys stands
MAX_CARD_OCTETS = 6_000  # four keys under names of 255 octets take 5,500
MAX_STATED_OCTETS = 10_000  # and with the card within what a signal may bear
MAX_HOUSE_OCTETS = 12_000  # two keys beside it, and it is within what a signal may bear

T = TypeVar("T")

HintKind = Literal["hang-up", "cancel", "decline", "mute", "unmute", "leave"]
Handle = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{16}\Z")]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Host = Annotated[str, msgspec.Meta(min_length=2, max_length=64)]


class TrunkSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sender's half of a call's trunk."""

    key: Annotated[bytes, msgspec.Meta(min_length=44, max_length=44)]
    """AES-256-GCM key (32 octets) and salt (12); its SHA-256 is sealed in ring or answer."""
    ssrc: Annotated[int, msgspec.Meta(ge=0, lt=1 << 24)]
    """The upper 24 bits of every SSRC the sender uses in this call."""
    addresses: Annotated[list[tuple[Host, Port]], msgspec.Meta(max_length=MAX_ADDRESSES)]
    """Where the sender's media socket can be reached: IP literals and ports."""


class HintSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that closes media is about to be logged, or a microphone went quiet."""

    kind: HintKind
    handle: Handle


class RecorderSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The heartbeat of the sender's recorder, each second of a live call."""

    on: bool
    age_ms: Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)] | None
    """Milliseconds since the newest packet was written; None before the first."""


Index = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
Number = Annotated[int, msgspec.Meta(ge=1, le=255)]
Run = tuple[Index, Annotated[int, msgspec.Meta(ge=1, lt=1 << 53)]]
Time = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
Payload = Annotated[bytes, msgspec.Meta(max_length=MAX_PACKET_OCTETS)]
Line = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
Leaf = Annotated[bytes, msgspec.Meta(min_length=HASH_OCTETS, max_length=HASH_OCTETS)]


class AskSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sender lacks packets of one track of a chunk that the receiver logged."""

    chunk: Index
    """Where the chunk's entry stands in the receiver's log."""
    track: Number
    leaves: bool
    """The hashes of the leaves are asked for instead of the packets."""
    runs: Annotated[list[Run], msgspec.Meta(min_length=1, max_length=MAX_RUNS)]
    """First index and count of what is asked for; rising, with gaps between."""

    def __post_init__(self) -> None:
        """Hold the runs apart: one ask must not make for the work of many."""
        require_apart(self.runs)


class GiveSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of what was asked for; the rest is asked for again."""

    chunk: Index
    track: Number
    packets: Annotated[list[tuple[Index, Time, Payload]], msgspec.Meta(max_length=MAX_GIVEN)]
    """Index, timestamp, Opus payload."""
    leaves: Annotated[list[Leaf], msgspec.Meta(max_length=MAX_LEAVES)]
    """Of the packets from `first` on, each the next."""
    first: Index
    gone: Annotated[list[Run], msgspec.Meta(max_length=MAX_RUNS)]
    """What was asked for and the sender does not hold; rising, with gaps between."""

    def __post_init__(self) -> None:
        """Hold the runs apart."""
        require_apart(self.gone)


class HouseSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sender's house log and witness key, and what it holds of the receiver's house log."""

    log: Annotated[str, msgspec.Meta(max_length=MAX_VKEY_OCTETS)]
    """The vkey that signs the sender's house log."""
    witness: Annotated[str, msgspec.Meta(max_length=MAX_VKEY_OCTETS)]
    """The vkey under which the sender cosigns house logs of others."""
    last: Annotated[bytes, msgspec.Meta(max_length=MAX_HOUSE_OCTETS)]
    """The receiver's newest house checkpoint that the sender has cosigned; empty if none."""


class HouseAskSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sender asks for a cosignature of its house log."""

    body: Annotated[bytes, msgspec.Meta(max_length=MAX_HOUSE_OCTETS)]
    """The body of `add-checkpoint`, see `telcon.ledger.witness`."""


class HouseAnswerSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to the one `house-ask` that is open."""

    status: Annotated[int, msgspec.Meta(ge=100, le=599)]
    body: Annotated[bytes, msgspec.Meta(max_length=MAX_HOUSE_OCTETS)]


class RenewSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether the sender's operator wants this line to have new keys, as `telcon line renew` says.

    Sent whenever the line is up too: who sends it knows renewals without words.
    """

    for_s: Annotated[int, msgspec.Meta(ge=0, le=RENEW_S)]
    """Seconds for which the wish still stands; 0: there is none, or no more."""


class RenewCardSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the sender states for the line that is to take the place of this one."""

    line: Line
    """The new line, as the node says whose name sorts first."""
    card: Annotated[bytes, msgspec.Meta(max_length=MAX_CARD_OCTETS)]
    statement: Annotated[bytes, msgspec.Meta(max_length=MAX_STATED_OCTETS)]


class RenewHashSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sender has stored what both have stated, and this is the hash of it all."""

    line: Line
    """The new line."""
    hash: Leaf


class ReturnSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sender's node was killed, and asks for its own packets of a track from there on."""

    track: Number
    """Of the sender."""
    first: Index


class ReturnedSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer: what the receiver of the packets holds of them, in one piece or several."""

    track: Number
    """Of the receiver of this signal."""
    first: Index
    """As it was asked for."""
    packets: Annotated[list[tuple[Index, Time, Payload]], msgspec.Meta(max_length=MAX_GIVEN)]
    """Index, timestamp, Opus payload."""
    is_last: bool


Body = (
    TrunkSignal
    | HintSignal
    | RecorderSignal
    | AskSignal
    | GiveSignal
    | ReturnSignal
    | ReturnedSignal
    | RenewSignal
    | RenewCardSignal
    | RenewHashSignal
    | HouseSignal
    | HouseAskSignal
    | HouseAnswerSignal
)

_trunk = msgspec.msgpack.Decoder(TrunkSignal)
_hint = msgspec.msgpack.Decoder(HintSignal)
_recorder = msgspec.msgpack.Decoder(RecorderSignal)
_ask = msgspec.msgpack.Decoder(AskSignal)
_give = msgspec.msgpack.Decoder(GiveSignal)
_return = msgspec.msgpack.Decoder(ReturnSignal)
_returned = msgspec.msgpack.Decoder(ReturnedSignal)
_renew = msgspec.msgpack.Decoder(RenewSignal)
_renew_card = msgspec.msgpack.Decoder(RenewCardSignal)
_renew_hash = msgspec.msgpack.Decoder(RenewHashSignal)
_house = msgspec.msgpack.Decoder(HouseSignal)
_house_ask = msgspec.msgpack.Decoder(HouseAskSignal)
_house_answer = msgspec.msgpack.Decoder(HouseAnswerSignal)


def format_signal(body: Body) -> bytes:
    """Write a signal's body as a MessagePack map."""
    return msgspec.msgpack.encode(body)


def _read(decoder: msgspec.msgpack.Decoder[T], kind: str, data: bytes) -> T:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"{kind} signal: {error}") from error


def parse_trunk_untrusted(data: bytes) -> TrunkSignal:
    """Read the body of a `trunk` signal.

    Raises:
        MalformedError: anything but one map of exactly these members.
    """
    return _read(_trunk, "trunk", data)


def parse_hint_untrusted(data: bytes) -> HintSignal:
    """Read the body of a `hint` signal.

    Raises:
        MalformedError: anything but one map of exactly these members.
    """
    return _read(_hint, "hint", data)


def parse_recorder_untrusted(data: bytes) -> RecorderSignal:
    """Read the body of a `recorder` signal.

    Raises:
        MalformedError: anything but one map of exactly these members.
    """
    return _read(_recorder, "recorder", data)


def parse_record_ask_untrusted(data: bytes) -> AskSignal:
    """Read the body of a `record-ask` signal.

    Raises:
        MalformedError: anything but one map of exactly these members.
    """
    return _read(_ask, "record-ask", data)


def parse_record_give_untrusted(data: bytes) -> GiveSignal:
    """Read the body of a `record-give` signal.

    Raises:
        MalformedError: anything but one map of exactly these members.
    """
    return _read(_give, "record-give", data)


def parse_record_return_untrusted(data: bytes) -> ReturnSignal:
    """Read the body of a `record-return` signal.

    Raises:
        MalformedError: anything but one map of exactly these members.
    """
    return _read(_return, "record-return", data)


def parse_record_returned_untrusted(data: bytes) -> ReturnedSignal:
    """Read the body of a `record-returned` signal.

    Raises:
        MalformedError: anything but one map of exactly these members.
    """
    return _read(_returned, "record-returned", data)


def parse_renew_untrusted(data: bytes) -> RenewSignal:
    """Read the body of a `renew` signal.

    Raises:
        MalformedError: anything but one map of exactly these members.
    """
    return _read(_renew, "renew", data)


def parse_renew_card_untrusted(data: bytes) -> RenewCardSignal:
    """Read the body of a `renew-card` signal.

    Raises:
        MalformedError: anything but one map of exactly these members, or over their limits.
    """
    return _read(_renew_card, "renew-card", data)


def parse_renew_hash_untrusted(data: bytes) -> RenewHashSignal:
    """Read the body of a `renew-hash` signal.

    Raises:
        MalformedError: anything but one map of exactly these members.
    """
    return _read(_renew_hash, "renew-hash", data)


def parse_house_untrusted(data: bytes) -> HouseSignal:
    """Read the body of a `house` signal.

    Raises:
        MalformedError: anything but one map of exactly these members, or over their limits.
    """
    return _read(_house, "house", data)


def parse_house_ask_untrusted(data: bytes) -> HouseAskSignal:
    """Read the body of a `house-ask` signal.

    Raises:
        MalformedError: anything but one map of exactly these members, or over their limits.
    """
    return _read(_house_ask, "house-ask", data)


def parse_house_answer_untrusted(data: bytes) -> HouseAnswerSignal:
    """Read the body of a `house-answer` signal.

    Raises:
        MalformedError: anything but one map of exactly these members, or over their limits.
    """
    return _read(_house_answer, "house-answer", data)

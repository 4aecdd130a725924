"""Bodies of the signals that go over the link and are never logged (docs/protocol.md §6).

The link says who sent them; nothing here is proof. Parsers take foreign bytes and raise
`MalformedError` only.
"""

from typing import Annotated, Literal

import msgspec

from telcon.errors import MalformedError

__all__ = [
    "HintKind",
    "HintSignal",
    "RecorderSignal",
    "TrunkSignal",
    "format_signal",
    "parse_hint_untrusted",
    "parse_recorder_untrusted",
    "parse_trunk_untrusted",
]

MAX_ADDRESSES = 8

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


Body = TrunkSignal | HintSignal | RecorderSignal

_trunk = msgspec.msgpack.Decoder(TrunkSignal)
_hint = msgspec.msgpack.Decoder(HintSignal)
_recorder = msgspec.msgpack.Decoder(RecorderSignal)


def format_signal(body: Body) -> bytes:
    """Write a signal's body as a MessagePack map."""
    return msgspec.msgpack.encode(body)


def parse_trunk_untrusted(data: bytes) -> TrunkSignal:
    """Read the body of a `trunk` signal.

    Raises:
        MalformedError: anything but one map of exactly these members.
    """
    try:
        return _trunk.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"trunk signal: {error}") from error


def parse_hint_untrusted(data: bytes) -> HintSignal:
    """Read the body of a `hint` signal.

    Raises:
        MalformedError: anything but one map of exactly these members.
    """
    try:
        return _hint.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"hint signal: {error}") from error


def parse_recorder_untrusted(data: bytes) -> RecorderSignal:
    """Read the body of a `recorder` signal.

    Raises:
        MalformedError: anything but one map of exactly these members.
    """
    try:
        return _recorder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"recorder signal: {error}") from error

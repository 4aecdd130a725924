"""What a page may ask for, and the strict reading of it: one tagged object per act."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from telcon.errors import MalformedError

ASK_LIMIT_BYTES = 65_536  # an offer with five audio sections is about 8 KiB
TEXT_LIMIT = 2_000  # characters; 8 KiB is the limit of what a seal holds
REASON_LIMIT = 300

Id = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
Fingerprint = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_LIMIT)]
Sdp = Annotated[str, msgspec.Meta(min_length=1, max_length=32_768)]
Language = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,6}\Z")]
Mode = Literal["audio", "transcript only", "notes only", "existence only"]


class Ask(msgspec.Struct, forbid_unknown_fields=True, tag_field="do", kw_only=True):
    """Any act. `ask` numbers it, so that the page can tell answers apart; 0 wants none."""

    ask: Annotated[int, msgspec.Meta(ge=0, lt=2**53)] = 0


class Ring(Ask, tag="ring"):
    """Ring the principal at the other end of `line`."""

    line: Id
    mode: Mode
    certificate: Fingerprint
    topic: Reason | None = None


class Answer(Ask, tag="answer"):
    """Answer a call on this device, letting no more be kept than `mode` says."""

    call: Id
    certificate: Fingerprint
    mode: Mode = "audio"


class Keep(Ask, tag="keep"):
    """State anew what our side lets be kept of a live call."""

    call: Id
    mode: Mode


class Recorder(Ask, tag="recorder"):
    """Switch our recorder of a live call off for a reason; without one, on again."""

    call: Id
    reason: Reason | None = None
    lang: Language = "en"


class Decline(Ask, tag="decline"):
    """Decline a ringing call."""

    call: Id
    reason: Reason | None = None
    lang: Language = "en"


class Cancel(Ask, tag="cancel"):
    """Stop ringing."""

    call: Id


class HangUp(Ask, tag="hang-up"):
    """End a live call."""

    call: Id


class Join(Ask, tag="join"):
    """Hear a call that another device of the same person is in."""

    call: Id
    certificate: Fingerprint


class Leave(Ask, tag="leave"):
    """Stop hearing a call on this device."""

    call: Id


class Mute(Ask, tag="mute"):
    """Close or open this device's microphone."""

    call: Id
    muted: bool


class Text(Ask, tag="message"):
    """Send a message; `tag` is the page's own name for it until it has a place in the log."""

    line: Id
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_LIMIT)]
    tag: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    lang: Language


class Offer(Ask, tag="offer"):
    """Begin this device's media leg for a call."""

    call: Id
    sdp: Sdp


class Restart(Ask, tag="restart"):
    """Find a new path for this device's media leg."""

    call: Id
    sdp: Sdp


class History(Ask, tag="history"):
    """Fetch calls older than the call `before`."""

    line: Id
    before: Id | None = None


class Messages(Ask, tag="messages"):
    """Fetch messages before, around or after the one at `place` (`ORIGIN#INDEX`)."""

    line: Id
    place: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9./-]{1,300}#[0-9]{1,16}\Z")]
    side: Literal["before", "around", "after"] = msgspec.field(name="from")


class Search(Ask, tag="search"):
    """Look for messages that hold all `words`; `before` is what the last answer called `next`."""

    line: Id
    words: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    before: Annotated[int, msgspec.Meta(ge=0, lt=2**53)] | None = None


class Wish(Ask, tag="wish"):
    """Want to be told when `line` is back, or want it no more."""

    line: Id
    wanted: bool


class Here(Ask, tag="here"):
    """Ask whether the node hears this page; answered at once, and not passed on."""


class MicrophoneRefused(Ask, tag="microphone-refused"):
    """Say that the browser gave no microphone; written to the audit file, not passed on."""

    why: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z]{1,40}\Z")]


AnyAsk = (
    Ring
    | Answer
    | Keep
    | Recorder
    | Decline
    | Cancel
    | HangUp
    | Join
    | Leave
    | Mute
    | Text
    | Offer
    | Restart
    | History
    | Messages
    | Search
    | Wish
    | Here
    | MicrophoneRefused
)
_decoder: msgspec.json.Decoder[AnyAsk] = msgspec.json.Decoder(AnyAsk)


def parse_ask_untrusted(data: str) -> AnyAsk:
    """Read one text message of a page. Raises MalformedError, and nothing else."""
    if len(data) > ASK_LIMIT_BYTES:
        raise MalformedError(f"an ask of {len(data)} characters; the limit is {ASK_LIMIT_BYTES}")
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise MalformedError(f"an ask that is none: {error}") from error


def message_of(ask: AnyAsk) -> dict[str, Any]:
    """Return `ask` as the object that `Desk.do` takes, without its number."""
    message: dict[str, Any] = msgspec.to_builtins(ask)
    del message["ask"]
    return message

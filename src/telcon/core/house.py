"""What stands in a house log: one node's inner acts, entry by entry (docs/protocol.md §11).

An entry of a house log is written and read as one of a line log is: strictly, in one spelling. It
is shown to nobody but by a receipt; peers witness the log's checkpoints and never see an entry.
What an act was about is sealed, so that a receipt can show that it was without showing of what. How
the log grows is `telcon.core.house_log`.
"""

import hmac
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Final, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta, Struct

from telcon.core.entry import MAX_ENTRY_BYTES, MAX_INTEGER
from telcon.core.seal import KEY_BYTES, MAX_CONTENT_BYTES, Opening, make_seal
from telcon.errors import MalformedError, MisuseError

__all__ = [
    "DETAILS",
    "HOUR_US",
    "STEP",
    "By",
    "Detail",
    "HouseAct",
    "HouseBlank",
    "HouseEntry",
    "HouseOpened",
    "compose_act",
    "compose_blank",
    "compose_opened",
    "format_details",
    "format_house_entry",
    "house_entry_type",
    "house_opening_fits",
    "house_origin",
    "is_house_origin",
    "padded_size",
    "parse_details_untrusted",
    "parse_house_entry_untrusted",
    "turn_before",
]

DETAILS: Final = "details"
"""The one sealed member."""

HOUR_US: Final = 3_600_000_000
STEP: Final = 64
"""Entries by which a house log grows in an hour in which no more was done."""

NONCE_BYTES: Final = 16
MAX_VALUE_CHARACTERS: Final = 200  # where the details as a whole would be over their limit

Count = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
Nonce = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Origin = Annotated[str, Meta(pattern=r"^[a-z0-9.-]{1,200}/house/[0-9a-f]{32}\Z")]
ActName = Annotated[str, Meta(pattern=r"^[a-z][a-z.-]{0,63}\Z")]
By = Literal["operator", "principal", "node", "peer", "stranger"]
"""Whose act it was, as far as the node can tell."""
Detail = str | Annotated[int, Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)] | bool | None

_ORIGIN: Final = re.compile(r"[a-z0-9.-]{1,200}/house/[0-9a-f]{32}")


class _Head(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """What every entry begins with. There is no other log that it could have seen."""

    v: Literal[1] = 1
    nonce: Nonce
    time: Count


class HouseOpened(_Head, frozen=True, kw_only=True, tag="house.opened"):
    """The first entry of a log: which log of this node it continues."""

    previous: tuple[Origin, Count, Hash] | None


class HouseAct(_Head, frozen=True, kw_only=True, tag="house.act"):
    """Something was done that people must be able to answer for."""

    act: ActName
    by: By
    details: Hash


class HouseBlank(_Head, frozen=True, kw_only=True, tag="blank"):
    """Nothing, so that a witness cannot count acts."""


HouseEntry: TypeAlias = HouseOpened | HouseAct | HouseBlank


class ComposedAct(NamedTuple):
    """An act as it is written, and what opens its seal."""

    data: bytes
    opening: Opening


_entry: Final[msgspec.json.Decoder[HouseEntry]] = msgspec.json.Decoder(HouseEntry)
_details: Final = msgspec.json.Decoder(dict[str, Detail])
_encoder: Final = msgspec.json.Encoder()


# -- names and sizes


def house_origin(node: str, log: str) -> str:
    """Return the origin of the house log `log` (32 hex digits) of `node`."""
    return f"{node}/house/{log}"


def is_house_origin(origin: str) -> bool:
    """Say whether `origin` is that of a house log."""
    return _ORIGIN.fullmatch(origin) is not None


def turn_before(now_us: int) -> int:
    """Return the last full hour by `now_us`, both in microseconds UTC."""
    return now_us - now_us % HOUR_US


def padded_size(last: int, size: int) -> int:
    """Return up to where to pad a log of `size` that had `last` entries at its last full hour.

    It is `last` and 64, 128, 256 … more: what an hour's growth tells is a power of two that is not
    below what was done, and 64 for every hour in which no more was done than that.
    """
    step = STEP
    while last + step < size:
        step *= 2
    return last + step


# -- writing


def compose_opened(
    previous: tuple[str, int, bytes] | None, time_us: int, random: Callable[[int], bytes]
) -> bytes:
    """Return the first entry of a log; `previous`: origin, size, root of the one it continues.

    Raises:
        MisuseError: `previous` is no house log.
    """
    before = None if previous is None else (previous[0], previous[1], previous[2].hex())
    return _write(HouseOpened(nonce=_nonce(random), time=time_us, previous=before))


def compose_blank(time_us: int, random: Callable[[int], bytes]) -> bytes:
    """Return an entry that says nothing. Its nonce keeps its leaf hash from being guessed."""
    return _write(HouseBlank(nonce=_nonce(random), time=time_us))


def compose_act(
    act: str,
    by: By,
    details: Mapping[str, Detail],
    *,
    origin: str,
    time_us: int,
    random: Callable[[int], bytes],
) -> ComposedAct:
    """Return the entry of an act and the opening of its seal; `random(n)` gives fresh octets.

    Raises:
        MisuseError: not a name of an act, or details that cannot be written.
    """
    content = format_details(details)
    key = random(KEY_BYTES)
    seal = make_seal(origin, "house.act", DETAILS, key, content)
    entry = HouseAct(nonce=_nonce(random), time=time_us, act=act, by=by, details=seal)
    return ComposedAct(_write(entry), Opening(DETAILS, key, content))


def format_details(details: Mapping[str, Detail]) -> bytes:
    """Return the one spelling of `details`; long values are cut where all would be too long.

    Raises:
        MisuseError: still too long, a value that is none, or a number of 2^53 and above.
    """
    for most in (MAX_CONTENT_BYTES, MAX_VALUE_CHARACTERS):
        content = _encoder.encode({name: _cut(value, most) for name, value in details.items()})
        if len(content) <= MAX_CONTENT_BYTES:
            break
    try:
        parse_details_untrusted(content)
    except MalformedError as error:
        raise MisuseError(f"details that no reader would accept: {error}") from error
    return content


def _cut(value: Detail, most: int) -> Detail:
    if not isinstance(value, str):
        return value
    short = value if len(value) <= most else value[:most] + "…"
    # Names of files may be no text; what is shown of them is the same here as in the audit file.
    return short.encode("utf-8", "backslashreplace").decode()


def format_house_entry(entry: HouseEntry) -> bytes:
    """Return the one spelling of `entry`."""
    return _encoder.encode(entry)


def _write(entry: HouseEntry) -> bytes:
    """Make the bytes and read them back as any stranger would: that is the only check of values."""
    data = format_house_entry(entry)
    try:
        parse_house_entry_untrusted(data)
    except MalformedError as error:
        raise MisuseError(f"this makes no entry: {error}") from error
    return data


def _nonce(random: Callable[[int], bytes]) -> str:
    return random(NONCE_BYTES).hex()


# -- reading


def parse_house_entry_untrusted(data: bytes) -> HouseEntry:
    """Read one entry of a house log.

    Raises:
        MalformedError: an unknown type, another spelling, or over 16,384 octets.
    """
    if not 0 < len(data) <= MAX_ENTRY_BYTES:
        raise MalformedError(f"an entry has 1 to {MAX_ENTRY_BYTES} octets, got {len(data)}")
    try:
        entry = _entry.decode(data)
        again = format_house_entry(entry)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not an entry of a house log: {error}") from error
    if again != data:
        raise MalformedError("an entry that reads, but its one spelling is another")
    return entry


def parse_details_untrusted(content: bytes) -> dict[str, Detail]:
    """Read what the seal of an act holds: names and values, in their author's order.

    Raises:
        MalformedError: not in the one accepted spelling, or over 8,192 octets.
    """
    if len(content) > MAX_CONTENT_BYTES:
        raise MalformedError(f"details have at most {MAX_CONTENT_BYTES} octets, got {len(content)}")
    try:
        details = _details.decode(content)
        again = _encoder.encode(details)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"details cannot be read: {error}") from error
    if again != content:
        raise MalformedError("details that read, but their one spelling is another")
    return details


def house_entry_type(entry: HouseEntry) -> str:
    """Return the type of `entry`, as it stands in its bytes."""
    return str(type(entry).__struct_config__.tag)


def house_opening_fits(entry: HouseEntry, origin: str, opening: Opening) -> bool:
    """Return whether `opening`, from anybody, opens the seal of `entry` of the log `origin`."""
    if not isinstance(entry, HouseAct) or opening.member != DETAILS:
        return False
    if len(opening.key) != KEY_BYTES or len(opening.content) > MAX_CONTENT_BYTES:
        return False
    seal = make_seal(origin, "house.act", DETAILS, opening.key, opening.content)
    return hmac.compare_digest(seal, entry.details)

"""Seals: keyed hashes that stand in an entry for content outside the log (docs/protocol.md §3).

A seal is bound to the log, the entry type and the member it stands in, so it fits nowhere else.
What it opens with, an `Opening`, travels beside the entry and can be destroyed without touching the
log. The contents that telcon itself seals are small JSON objects, read here as strictly as entries.
"""

import hmac
from functools import lru_cache
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct

from telcon.core.entry import SEALS, Entry
from telcon.errors import MalformedError, MisuseError

__all__ = [
    "KEY_BYTES",
    "MAX_CONTENT_BYTES",
    "Media",
    "Opening",
    "Person",
    "Persons",
    "Text",
    "format_media",
    "format_person",
    "format_persons",
    "format_text",
    "make_seal",
    "opening_fits",
    "owed_members",
    "parse_media_untrusted",
    "parse_person_untrusted",
    "parse_persons_untrusted",
    "parse_text_untrusted",
    "sealed_members",
]

KEY_BYTES: Final = 32  # another length is refused, so a key has one spelling under HMAC's padding
MAX_CONTENT_BYTES: Final = 8_192

_CONTEXT: Final = b"telcon seal v1"
_MEMBERS: Final = {kind: {rule.member for rule in rules} for kind, rules in SEALS.items()}

Lang = Annotated[str, Meta(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*\Z", max_length=35)]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
DigestOrNone = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")]


class Opening(Struct, frozen=True):
    """What shows the content of one seal."""

    member: str
    key: bytes  # KEY_BYTES random octets
    content: bytes  # at most MAX_CONTENT_BYTES

    def __repr__(self) -> str:
        """Name the member alone: key and content have no place in a log or a traceback."""
        return f"Opening({self.member!r})"


class Person(Struct, frozen=True, forbid_unknown_fields=True):
    """A person as the stating side names them; sealed in `person`, `from` and `to`."""

    lang: Lang
    name: str
    office: str
    organisation: str


class Persons(Struct, frozen=True, forbid_unknown_fields=True):
    """The persons for whom a log speaks; sealed in `persons`."""

    persons: Annotated[tuple[Person, ...], Meta(min_length=1)]


class Text(Struct, frozen=True, forbid_unknown_fields=True):
    """Words in a language; sealed in `topic`, `reason` and `text`."""

    lang: Lang
    text: str


class Media(Struct, frozen=True, forbid_unknown_fields=True):
    """Hashes that bind the media path to the log; sealed in `media`."""

    node: Digest  # SHA-256 of the node's DTLS certificate, DER
    device: Digest  # SHA-256 of the device's
    trunk: DigestOrNone  # SHA-256 of trunk key and salt; empty in a join


def make_seal(origin: str, entry_type: str, member: str, key: bytes, content: bytes) -> str:
    """Return the seal over `content`, as it stands in an entry of the log `origin`.

    Raises:
        MisuseError: the key is not `KEY_BYTES` long, or the content is over its limit.
    """
    if len(key) != KEY_BYTES:
        msg = f"a seal's key has {KEY_BYTES} octets, not {len(key)}"
        raise MisuseError(msg)
    if len(content) > MAX_CONTENT_BYTES:
        msg = f"sealed content has at most {MAX_CONTENT_BYTES} octets, not {len(content)}"
        raise MisuseError(msg)
    message = _prefix(origin, entry_type, member) + content
    return hmac.digest(key, message, "sha256").hex()


@lru_cache(maxsize=1024)  # of a few lines and the seals of all types
def _prefix(origin: str, entry_type: str, member: str) -> bytes:
    # No part of it can hold a zero octet, so the message reads in one way only.
    where = (_CONTEXT, origin.encode(), entry_type.encode(), member.encode())
    return b"\0".join((*where, b""))


def sealed_members(entry: Entry) -> dict[str, str]:
    """Return the seals that `entry` bears, member to hex, in the entry's order."""
    return {
        rule.member: seal
        for rule in SEALS[entry.TYPE]
        if (seal := _seal(entry, rule.member)) is not None
    }


def owed_members(entry: Entry) -> frozenset[str]:
    """Return the members present in `entry` whose openings the peer must get with it."""
    rules = SEALS[entry.TYPE]
    return frozenset(
        rule.member for rule in rules if rule.owed and _seal(entry, rule.member) is not None
    )


def opening_fits(entry: Entry, origin: str, opening: Opening) -> bool:
    """Return whether `opening`, from anybody, opens a seal of `entry` of the log `origin`."""
    if len(opening.key) != KEY_BYTES or len(opening.content) > MAX_CONTENT_BYTES:
        return False
    kind, member = entry.TYPE, opening.member
    seal = _seal(entry, member) if member in _MEMBERS[kind] else None
    if seal is None:
        return False
    return hmac.compare_digest(make_seal(origin, kind, member, opening.key, opening.content), seal)


@lru_cache(maxsize=64)  # the same few write and are written to
def format_person(person: Person) -> bytes:
    """Return the one spelling of `person`.

    Raises:
        MisuseError: it cannot be read back: half a surrogate pair, no language tag, no hash.
    """
    return _format(person, _PERSON)


def format_persons(persons: Persons) -> bytes:
    """Return the one spelling of `persons`.

    Raises:
        MisuseError: it cannot be read back: nobody, half a surrogate pair, no language tag.
    """
    return _format(persons, _PERSONS)


def format_text(text: Text) -> bytes:
    """Return the one spelling of `text`.

    Raises:
        MisuseError: it cannot be read back: half a surrogate pair, no language tag, no hash.
    """
    return _format(text, _TEXT)


def format_media(media: Media) -> bytes:
    """Return the one spelling of `media`.

    Raises:
        MisuseError: it cannot be read back: half a surrogate pair, no language tag, no hash.
    """
    return _format(media, _MEDIA)


def parse_person_untrusted(content: bytes) -> Person:
    """Read the content of a `person`, `from` or `to` seal.

    Raises:
        MalformedError: not in the one accepted spelling; shown as unreadable, it fits all the same.
    """
    return _parse(content, _PERSON)


def parse_persons_untrusted(content: bytes) -> Persons:
    """Read the content of a `persons` seal.

    Raises:
        MalformedError: not in the one accepted spelling; shown as unreadable, it fits all the same.
    """
    return _parse(content, _PERSONS)


def parse_text_untrusted(content: bytes) -> Text:
    """Read the content of a `topic`, `reason` or `text` seal.

    Raises:
        MalformedError: not in the one accepted spelling; shown as unreadable, it fits all the same.
    """
    return _parse(content, _TEXT)


def parse_media_untrusted(content: bytes) -> Media:
    """Read the content of a `media` seal.

    Raises:
        MalformedError: not in the one accepted spelling.
    """
    return _parse(content, _MEDIA)


_PERSON: Final = msgspec.json.Decoder(Person)
_PERSONS: Final = msgspec.json.Decoder(Persons)
_TEXT: Final = msgspec.json.Decoder(Text)
_MEDIA: Final = msgspec.json.Decoder(Media)
_Content = TypeVar("_Content", bound=Struct)


def _format(content: _Content, decoder: "msgspec.json.Decoder[_Content]") -> bytes:
    try:
        data = msgspec.json.encode(content)
        _parse(data, decoder)
    except (UnicodeEncodeError, MalformedError) as error:
        msg = f"content that no reader would accept: {error}"
        raise MisuseError(msg) from error
    return data


def _parse(content: bytes, decoder: "msgspec.json.Decoder[_Content]") -> _Content:
    if len(content) > MAX_CONTENT_BYTES:
        msg = f"sealed content has at most {MAX_CONTENT_BYTES} octets, not {len(content)}"
        raise MalformedError(msg)
    try:
        found = decoder.decode(content)
        again = msgspec.json.encode(found)
    except (ValueError, RecursionError) as error:
        msg = f"sealed content cannot be read: {error}"
        raise MalformedError(msg) from error
    if again != content:
        msg = "sealed content reads, but its one spelling is another"
        raise MalformedError(msg)
    return found


def _seal(entry: Entry, member: str) -> str | None:
    # `from` is a word of Python's, so the struct calls that member `sender`.
    seal = getattr(entry, "sender" if member == "from" else member)
    return None if seal is UNSET else str(seal)

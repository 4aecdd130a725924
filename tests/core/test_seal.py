"""Seals: against an independent computation, and in no other place than their own."""

import hashlib
import json
from pathlib import Path

import msgspec
import pytest

from telcon.core.entry import Message, format_entry, parse_entry_untrusted
from telcon.core.seal import (
    MAX_CONTENT_BYTES,
    Media,
    Opening,
    Person,
    Text,
    format_media,
    format_person,
    format_text,
    make_seal,
    opening_fits,
    owed_members,
    parse_media_untrusted,
    parse_person_untrusted,
    parse_text_untrusted,
    sealed_members,
)
from telcon.errors import MalformedError, MisuseError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "entries.json").read_text("utf-8"))
ENTRIES = {
    json.loads(text)["type"]: parse_entry_untrusted(text.encode()) for text in VECTORS["entries"]
}
RING = parse_entry_untrusted(next(t for t in VECTORS["entries"] if '"topic"' in t).encode())
ORIGIN = VECTORS["seals"][0]["origin"]
KEY = bytes(range(32))


def opening_of(vector: dict[str, str]) -> Opening:
    content = vector["content"]
    is_key = vector["member"] == "key"
    data = bytes.fromhex(content) if is_key else content.encode()
    return Opening(vector["member"], bytes.fromhex(vector["key"]), data)


PERSON_OF_RING = opening_of(
    next(v for v in VECTORS["seals"] if (v["type"], v["member"]) == ("call.ring", "person"))
)


def hmac_by_hand(key: bytes, message: bytes) -> str:
    """RFC 2104 written out: no hmac module, so that a slip in its use would show."""
    block = key + bytes(64 - len(key))
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block) + message).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in block) + inner).hexdigest()


def test_a_seal_is_what_the_protocol_says() -> None:
    made = make_seal("a.example/line/00", "message", "text", KEY, b"content")
    written_out = b"telcon seal v1\0a.example/line/00\0message\0text\0content"
    assert made == hmac_by_hand(KEY, written_out)


@pytest.mark.parametrize("vector", VECTORS["seals"], ids=lambda v: f"{v['type']} {v['member']}")
def test_old_seals_are_made_again(vector: dict[str, str]) -> None:
    opening = opening_of(vector)
    made = make_seal(
        vector["origin"], vector["type"], vector["member"], opening.key, opening.content
    )
    assert made == vector["seal"]


@pytest.mark.parametrize("vector", VECTORS["seals"], ids=lambda v: f"{v['type']} {v['member']}")
def test_old_openings_fit_their_entries(vector: dict[str, str]) -> None:
    entry = RING if vector["member"] == "topic" else ENTRIES[vector["type"]]
    if vector["member"] in owed_members(entry):
        assert opening_fits(entry, vector["origin"], opening_of(vector))


def test_a_seal_copied_under_another_origin_fits_nothing() -> None:
    assert opening_fits(RING, ORIGIN, PERSON_OF_RING)
    theirs = ORIGIN.replace("arcadia", "borealis")
    assert not opening_fits(RING, theirs, PERSON_OF_RING)


def test_a_seal_copied_into_another_type_fits_nothing() -> None:
    join = ENTRIES["call.join"]
    seal = sealed_members(RING)["person"]
    copied = msgspec.structs.replace(join, person=seal)
    assert sealed_members(copied)["person"] == seal
    assert not opening_fits(copied, ORIGIN, PERSON_OF_RING)


def test_a_seal_copied_into_another_member_fits_nothing() -> None:
    copied = msgspec.structs.replace(RING, topic=sealed_members(RING)["person"])
    moved = Opening("topic", PERSON_OF_RING.key, PERSON_OF_RING.content)
    assert not opening_fits(copied, ORIGIN, moved)


def test_other_content_or_another_key_does_not_fit() -> None:
    key, content = PERSON_OF_RING.key, PERSON_OF_RING.content
    assert not opening_fits(RING, ORIGIN, Opening("person", key, content + b" "))
    assert not opening_fits(RING, ORIGIN, Opening("person", key[::-1], content))


def test_an_opening_for_no_seal_of_the_entry_does_not_fit() -> None:
    for member in ("text", "call", "sender", "", "__class__"):
        opening = Opening(member, PERSON_OF_RING.key, PERSON_OF_RING.content)
        assert not opening_fits(RING, ORIGIN, opening)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_key_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(MisuseError, match="32 octets"):
        make_seal(ORIGIN, "message", "text", bytes(size), b"")
    assert not opening_fits(RING, ORIGIN, Opening("person", bytes(size), b""))


def test_a_key_padded_with_zeros_is_no_second_spelling() -> None:
    # HMAC pads short keys with zeros: without the rule on length these two would be one.
    assert hmac_by_hand(KEY, b"") == hmac_by_hand(KEY + b"\0", b"")
    assert not opening_fits(
        RING, ORIGIN, Opening("person", PERSON_OF_RING.key + b"\0", PERSON_OF_RING.content)
    )


def test_content_has_its_limit() -> None:
    full = bytes(MAX_CONTENT_BYTES)
    seal = make_seal(ORIGIN, "call.ring", "person", KEY, full)
    ring = msgspec.structs.replace(RING, person=seal)
    assert opening_fits(ring, ORIGIN, Opening("person", KEY, full))
    assert not opening_fits(ring, ORIGIN, Opening("person", KEY, full + b"\0"))
    with pytest.raises(MisuseError, match="8192"):
        make_seal(ORIGIN, "call.ring", "person", KEY, full + b"\0")


def test_owed_are_the_seals_that_are_there() -> None:
    assert owed_members(RING) == {"person", "topic", "media"}
    without = msgspec.structs.replace(RING, topic=msgspec.UNSET)
    assert owed_members(without) == {"person", "media"}
    assert owed_members(ENTRIES["blank"]) == frozenset()


def test_the_sender_of_a_message_is_sealed_as_from() -> None:
    entry = ENTRIES["message"]
    assert isinstance(entry, Message)
    assert list(sealed_members(entry)) == ["from", "to", "text"]
    assert sealed_members(entry)["from"] == entry.sender
    assert format_entry(entry)


def test_an_opening_shows_no_secret_in_a_traceback() -> None:
    assert repr(Opening("text", b"k" * 32, b"secret")) == "Opening('text')"


# Contents

PERSON = Person("zh-Hant-TW", "Ada “Example”\n", "", "Arcadia")
TEXT = Text("en", "\u202eevil\U0001f600")
MEDIA = Media("0" * 64, "f" * 64, "")


def test_contents_have_one_spelling() -> None:
    assert parse_person_untrusted(format_person(PERSON)) == PERSON
    assert parse_text_untrusted(format_text(TEXT)) == TEXT
    assert parse_media_untrusted(format_media(MEDIA)) == MEDIA
    assert format_text(Text("en", "x")) == b'{"lang":"en","text":"x"}'


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"{}",
        b"[" * 8_000,
        b'{"lang":"en","text":1}',
        b'{"lang":"en","text":null}',
        b'{"text":"x","lang":"en"}',
        b'{"lang":"en","text":"x" }',
        b'{"lang":"en","text":"x","text":"x"}',
        b'{"lang":"en","text":"x","more":"x"}',
        b'{"lang":"en","text":"\\u0078"}',
        b'{"lang":"","text":"x"}',
        b'{"lang":"en\\n","text":"x"}',
        b'{"lang":"en","text":"' + b"x" * MAX_CONTENT_BYTES + b'"}',
    ],
    ids=lambda content: repr(content[:40]),
)
def test_content_in_another_spelling_cannot_be_read(content: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_text_untrusted(content)


def test_half_a_surrogate_pair_is_sealed_by_nobody() -> None:
    with pytest.raises(MisuseError, match="no reader"):
        format_text(Text("en", "\ud83d"))
    with pytest.raises(MisuseError, match="no reader"):
        format_text(Text("not a language", "x"))
    with pytest.raises(MisuseError, match="no reader"):
        format_text(Text("en", "x" * MAX_CONTENT_BYTES))

"""Key cards: one spelling, names that belong together, keys that differ."""

import base64
import json
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from ledger.vectors import LOG, MIRROR, VECTORS
from telcon.errors import MalformedError
from telcon.ledger import (
    COSIGNATURE_ED25519,
    COSIGNATURE_ML_DSA,
    ED25519,
    KeyCard,
    MlDsaSigningKey,
    VerifierKey,
    check_node_name,
    format_key_card,
    format_vkey,
    key_card_hash,
    log_origin,
    mirror_name,
    parse_key_card,
)
from telcon.ledger.keycard import MAX_CARD_OCTETS
from telcon.ledger.note import key_id

NAME, LINE = "arcadia.example", "4b1d" * 8
CARD = KeyCard(
    NAME,
    LINE,
    VerifierKey(log_origin(NAME, LINE), ED25519, LOG.public),
    VerifierKey(mirror_name(NAME, LINE), COSIGNATURE_ED25519, MIRROR.public),
    "ab" * 32,
)
DATA = format_key_card(CARD)
LOG_44_NAME, MIRROR_44_NAME = log_origin(NAME, LINE), mirror_name(NAME, LINE)


def test_a_card_round_trips_and_is_named_by_its_bytes() -> None:
    assert parse_key_card(DATA) == CARD
    assert key_card_hash(CARD) == sha256(DATA).digest()


def test_a_card_is_the_documented_object() -> None:
    assert DATA.decode() == (
        f'{{"card":"telcon key card v1","name":"{NAME}","line":"{LINE}",'
        f'"log":"{format_vkey(CARD.log)}","mirror":"{format_vkey(CARD.mirror)}",'
        f'"tls":"{"ab" * 32}"}}'
    )


LOG_44, MIRROR_44 = MlDsaSigningKey(bytes([1]) * 32), MlDsaSigningKey(bytes([2]) * 32)
CARD_2 = replace(
    CARD,
    log_ml_dsa=VerifierKey(log_origin(NAME, LINE), COSIGNATURE_ML_DSA, LOG_44.public),
    mirror_ml_dsa=VerifierKey(mirror_name(NAME, LINE), COSIGNATURE_ML_DSA, MIRROR_44.public),
)
DATA_2 = format_key_card(CARD_2)


def test_a_card_of_version_2_round_trips_and_is_the_documented_object() -> None:
    assert parse_key_card(DATA_2) == CARD_2
    assert CARD_2.log_ml_dsa is not None
    assert CARD_2.mirror_ml_dsa is not None
    assert DATA_2.decode() == (
        f'{{"card":"telcon key card v2","name":"{NAME}","line":"{LINE}",'
        f'"log":"{format_vkey(CARD.log)}","mirror":"{format_vkey(CARD.mirror)}",'
        f'"log_ml_dsa_44":"{format_vkey(CARD_2.log_ml_dsa)}",'
        f'"mirror_ml_dsa_44":"{format_vkey(CARD_2.mirror_ml_dsa)}","tls":"{"ab" * 32}"}}'
    )


def test_the_longest_card_is_within_the_limit() -> None:
    name = "a" * 200
    keys = {
        "log": VerifierKey(log_origin(name, LINE), ED25519, LOG.public),
        "mirror": VerifierKey(mirror_name(name, LINE), COSIGNATURE_ED25519, MIRROR.public),
        "log_ml_dsa": VerifierKey(log_origin(name, LINE), COSIGNATURE_ML_DSA, LOG_44.public),
        "mirror_ml_dsa": VerifierKey(mirror_name(name, LINE), COSIGNATURE_ML_DSA, MIRROR_44.public),
    }
    card = KeyCard(name, LINE, tls="ab" * 32, **keys)
    assert 4_096 < len(format_key_card(card)) <= MAX_CARD_OCTETS
    assert parse_key_card(format_key_card(card)) == card


def second(name: str, key_type: int, public: bytes) -> str:
    return format_vkey(VerifierKey(name, key_type, public))


def with_second(**members: Any) -> bytes:
    return json.dumps(json.loads(DATA_2) | members, separators=(",", ":")).encode()


def without_second(name: str) -> bytes:
    members = json.loads(DATA_2)
    del members[name]
    return json.dumps(members, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "data",
    [
        with_second(card="telcon key card v1"),
        with_second(card="telcon key card v3"),
        without_second("log_ml_dsa_44"),
        without_second("mirror_ml_dsa_44"),
        with_second(log_ml_dsa_44=second(MIRROR_44_NAME, 0x06, LOG_44.public)),
        with_second(log_ml_dsa_44=second("borealis.example/line/" + LINE, 0x06, LOG_44.public)),
        with_second(log_ml_dsa_44=second(LOG_44_NAME, 0x01, bytes(LOG.public))),
        with_second(mirror_ml_dsa_44=second(MIRROR_44_NAME, 0x06, LOG_44.public)),
        with_second(mirror_ml_dsa_44=None),
        DATA_2 + b"\n",
    ],
)
def test_refuses_a_bent_card_of_version_2(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_key_card(data)


def with_member(name: str, value: Any) -> bytes:
    return json.dumps(json.loads(DATA) | {name: value}, separators=(",", ":")).encode()


def vkey(name: str, key_type: int, public: bytes) -> str:
    return format_vkey(VerifierKey(name, key_type, public))


LOG_NAME, MIRROR_NAME = CARD.log.name, CARD.mirror.name
BAD_CARDS = {
    "line feed": DATA + b"\n",
    "spaces": DATA.replace(b":", b": "),
    "escapes": DATA.replace(b'arcadia.example",', b'arcadia\\u002eexample",'),
    "escaped slash": DATA.replace(b"arcadia.example/line", b"arcadia.example\\/line"),
    "duplicate member": DATA.replace(b',"line"', b',"name":"arcadia.example","line"'),
    "unknown member": with_member("more", "x"),
    "other order": b'{"name":"arcadia.example",'
    + DATA[1:].replace(b'"name":"arcadia.example",', b""),
    "missing member": DATA.replace(b',"tls":"' + b"ab" * 32 + b'"', b""),
    "another heading": with_member("card", "telcon key card v2"),
    "number": with_member("tls", 1),
    "null": with_member("name", None),
    "another name": with_member("name", "borealis.example"),
    "upper-case name": with_member("name", "Arcadia.example"),
    "another line": with_member("line", "00" * 16),
    "upper-case line": with_member("line", "4B1D" * 8),
    "short hash": with_member("tls", "ab" * 31),
    "log key as mirror": with_member("mirror", vkey(MIRROR_NAME, 0x04, LOG.public)),
    "mirror of type 1": with_member("mirror", vkey(MIRROR_NAME, 0x01, MIRROR.public)),
    "log of type 4": with_member("log", vkey(LOG_NAME, 0x04, LOG.public)),
    "another's log": with_member("log", vkey("borealis.example/line/" + LINE, 0x01, LOG.public)),
    "keys swapped": with_member("log", vkey(MIRROR_NAME, 0x04, MIRROR.public)),
    "not an object": b"[]",
    "deep": b"[" * 4000,
    "not ASCII": "é".encode(),
    "not UTF-8": b"\xff",
    "nothing": b"",
    "too long": b" " * 8193,
}


@pytest.mark.parametrize("data", BAD_CARDS.values(), ids=BAD_CARDS.keys())
def test_refuses_a_bent_card(data: bytes) -> None:
    assert data != DATA
    with pytest.raises(MalformedError):
        parse_key_card(data)


@pytest.mark.parametrize("public", VECTORS["weak_ed25519_public_keys_hex"])
def test_refuses_a_card_with_a_weak_key(public: str) -> None:
    weak = bytes.fromhex(public)
    label = key_id(LOG_NAME, ED25519, weak).hex()
    text = f"{LOG_NAME}+{label}+{base64.b64encode(bytes([ED25519]) + weak).decode()}"
    with pytest.raises(MalformedError, match="weak"):
        parse_key_card(DATA.replace(format_vkey(CARD.log).encode(), text.encode()))


@pytest.mark.parametrize("name", ["a", "arcadia.example", "a-1.b", "a" * 200])
def test_takes_dns_like_names(name: str) -> None:
    check_node_name(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a.", ".a", "a..b", "-a", "a-", "A", "a/b", "a b", "é", "a\n", "a" * 201],
)
def test_refuses_other_names(name: str) -> None:
    with pytest.raises(MalformedError):
        check_node_name(name)

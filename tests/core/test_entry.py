"""Entries: one spelling for each, every other refused with its reason."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from telcon.core import entry as entries
from telcon.core.entry import (
    ENTRY_TYPES,
    LAYERS,
    MAX_ENTRY_BYTES,
    SEALS,
    SUPPORTED_TYPES,
    CallRing,
    Message,
    RecordChunk,
    Void,
    VoidError,
    call_of,
    entry_type,
    format_entry,
    parse_entry_untrusted,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "entries.json").read_text("utf-8"))
GOOD: list[bytes] = [text.encode() for text in VECTORS["entries"]]
BY_TYPE = {json.loads(data)["type"]: data for data in reversed(GOOD)}
RING, CHUNK = BY_TYPE["call.ring"], BY_TYPE["call.record-chunk"]
TERMS, BLANK = BY_TYPE["line.terms"], BY_TYPE["blank"]
COVERAGE = next(data for data in GOOD if b'"until"' in data)
ANSWER = next(data for data in GOOD if b'"glare":true' in data)


def reason_of(data: bytes) -> Void:
    with pytest.raises(VoidError) as caught:
        parse_entry_untrusted(data)
    return caught.value.reason


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def changed(data: bytes, **members: Any) -> bytes:
    """Return `data` with members replaced, in the place where they stood."""
    value = json.loads(data)
    assert members.keys() <= value.keys()
    return compact(value | members)


# The spelling


@pytest.mark.parametrize("data", GOOD, ids=lambda data: json.loads(data)["type"])
def test_an_old_entry_stays_readable(data: bytes) -> None:
    entry = parse_entry_untrusted(data)
    assert entry_type(entry) == json.loads(data)["type"]
    assert format_entry(entry) == data


def test_there_is_an_old_entry_of_every_type() -> None:
    assert {json.loads(data)["type"] for data in GOOD} == set(ENTRY_TYPES)


def test_the_vectors_are_what_their_script_writes() -> None:
    from vectors import make_entries

    assert [make_entries.compact(entry).encode() for entry in make_entries.ENTRIES] == GOOD
    assert list(make_entries.SEALS.values()) == VECTORS["seals"]


@pytest.mark.parametrize("data", GOOD, ids=lambda data: json.loads(data)["type"])
def test_no_octet_of_an_entry_can_be_added_or_taken_away(data: bytes) -> None:
    for position in range(len(data) + 1):
        reason_of(data[:position] + b" " + data[position:])
        if position < len(data):
            without = data[:position] + data[position + 1 :]
            try:  # a digit of a number may go: that is another entry, not another spelling
                assert format_entry(parse_entry_untrusted(without)) == without
            except VoidError:
                continue


@pytest.mark.parametrize("data", GOOD, ids=lambda data: json.loads(data)["type"])
def test_members_stand_in_their_order_and_once(data: bytes) -> None:
    value = json.loads(data)
    for member in list(value)[1:]:
        moved = {k: v for k, v in value.items() if k != member} | {member: value[member]}
        if list(moved) != list(value):
            assert reason_of(compact(moved)) is Void.NOT_CANONICAL
        twice = data[:-1] + b"," + compact({member: value[member]})[1:]
        assert reason_of(twice) is Void.NOT_CANONICAL


@pytest.mark.parametrize("data", GOOD, ids=lambda data: json.loads(data)["type"])
def test_a_member_that_must_be_there_is_missed_and_none_may_be_null(data: bytes) -> None:
    value = json.loads(data)
    optional = {
        ("call.ring", "topic"),
        ("message", "call"),
        ("message", "re"),
        ("line.coverage", "until"),
    }
    optional |= {("line.coverage", "until")}
    optional |= {(kind, "reason") for kind in ("call.decline", "call.cancel", "call.record-off")}
    for member in list(value)[1:]:
        if (value["type"], member) not in optional:
            without = {k: v for k, v in value.items() if k != member}
            assert reason_of(compact(without))
        if member != "previous":
            assert reason_of(changed(data, **{member: None})) is Void.NOT_CANONICAL


def test_a_null_is_never_an_absent_member() -> None:
    entry = parse_entry_untrusted(RING)
    assert isinstance(entry, CallRing)
    without = msgspec.structs.replace(entry, topic=msgspec.UNSET)
    assert b"topic" not in format_entry(without)
    assert parse_entry_untrusted(format_entry(without)) == without


@pytest.mark.parametrize(
    ("members", "data"),
    [
        ({"since": -1}, COVERAGE),
        ({"until": 1_790_000_000_000_000}, COVERAGE),
        ({"hours": []}, COVERAGE),
        ({"hours": [[0, 10_081]]}, COVERAGE),
        ({"hours": [[5, 5]]}, COVERAGE),
        ({"hours": [[0, 10], [10, 20]]}, COVERAGE),
        ({"hours": [[20, 30], [0, 10]]}, COVERAGE),
        ({"hours": [[n, n + 1] for n in range(0, 130, 2)]}, COVERAGE),
        ({"modes": []}, COVERAGE),
        ({"modes": ["existence only", "audio"]}, COVERAGE),
        ({"modes": ["audio", "audio"]}, COVERAGE),
        ({"nonce": "0" * 31}, BLANK),
        ({"nonce": "0" * 32 + "\n"}, BLANK),
        ({"nonce": "A" * 32}, BLANK),
        ({"time": -1}, BLANK),
        ({"time": 2**53}, BLANK),
        ({"time": 1.0}, BLANK),
        ({"time": True}, BLANK),
        ({"time": "1"}, BLANK),
        ({"seen": [1]}, BLANK),
        ({"seen": [1, "0" * 63]}, BLANK),
        ({"seen": [2**53, "0" * 64]}, BLANK),
        ({"seen": [1, "0" * 64, 1]}, BLANK),
        ({"call": "0" * 31}, RING),
        ({"by": "0" * 15}, RING),
        ({"mode": "video"}, RING),
        ({"track": 0}, RING),
        ({"track": 256}, RING),
        ({"person": "0" * 65}, RING),
        ({"re": []}, ANSWER),
        ({"glare": False}, ANSWER),
        ({"re": [["arcadia.example", 1]] * 2}, ANSWER),
        ({"re": json.loads(ANSWER)["re"] * 2}, ANSWER),
        ({"re": json.loads(ANSWER)["re"][:1]}, ANSWER),
        ({"types": [["message", 1], ["blank", 1]]}, TERMS),
        ({"types": [["blank", 1], ["blank", 1]]}, TERMS),
        ({"types": [["BLANK", 1]]}, TERMS),
        ({"conditions": ["\u00e9"]}, TERMS),
        ({"policy": "quorum"}, TERMS),
        ({"link_lost": "wait"}, TERMS),
        ({"tracks": []}, CHUNK),
        ({"tracks": [[1, 0, 0, "0" * 64]]}, CHUNK),
        ({"tracks": [[0, 0, 1, "0" * 64]]}, CHUNK),
        ({"tracks": [[2, 0, 1, "0" * 64], [1, 0, 1, "0" * 64]]}, CHUNK),
        ({"tracks": [[1, 0, 1, "0" * 64], [1, 1, 1, "0" * 64]]}, CHUNK),
    ],
    ids=repr,
)
def test_a_member_out_of_its_form_is_not_canonical(members: dict[str, Any], data: bytes) -> None:
    assert reason_of(changed(data, **members)) is Void.NOT_CANONICAL


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        BLANK[:-1],
        BLANK + b"\n",
        BLANK.replace(b"blank", b"bl\xffnk"),
        BLANK.replace(b"blank", b"bl\\u0061nk"),
        BLANK[:-1] + b',"a":"\\ud800"}',
        b'{"a":' + b"[" * 16_000,
        b'{"type":"blank","v":1,"nonce":' + b"[" * 16_000,
        b'{"type":"blank","v":01,"nonce":0}',
        b'{"type":"","v":1}',
    ],
    ids=lambda data: repr(data[:30]),
)
def test_what_is_no_entry_is_not_canonical(data: bytes) -> None:
    assert reason_of(data) is Void.NOT_CANONICAL


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"call.applaud","v":1}',
        b'{"type":"call.applaud","v":1,"anything":[[[]]]}',
        b'{"type":"call.applaud","v":1,' + b"[" * 16_000,
        BLANK.replace(b'"v":1', b'"v":2'),
        BLANK.replace(b'"v":1', b'"v":0'),
    ],
    ids=lambda data: repr(data[:40]),
)
def test_a_later_type_or_version_is_unknown_and_nothing_worse(data: bytes) -> None:
    assert reason_of(data) is Void.UNKNOWN_TYPE


def test_an_entry_has_its_limit() -> None:
    empty = len(changed(TERMS, conditions=["", ""]))
    count, rest = divmod(MAX_ENTRY_BYTES - empty, 67)  # 64 octets, two quotes, a comma
    full = changed(TERMS, conditions=["c" * 64] * count + ["c" * (rest // 2), "c" * -(-rest // 2)])
    assert len(full) == MAX_ENTRY_BYTES
    parse_entry_untrusted(full)
    longer = changed(
        full, conditions=[*json.loads(full)["conditions"][:-1], "c" * (-(-rest // 2) + 1)]
    )
    assert len(longer) == MAX_ENTRY_BYTES + 1
    assert reason_of(longer) is Void.NOT_CANONICAL


def test_the_widest_chunk_fits_into_an_entry_only_as_far_as_the_limit_goes() -> None:
    track = (1, 2**53 - 1, 2**53 - 1, "0" * 64)
    entry = parse_entry_untrusted(CHUNK)
    assert isinstance(entry, RecordChunk)
    tracks = tuple((number, *track[1:]) for number in range(1, 256))
    data = format_entry(msgspec.structs.replace(entry, tracks=tracks))
    assert reason_of(data) is Void.NOT_CANONICAL


# What stands beside the bytes


def test_a_call_is_read_from_entries_that_bear_one() -> None:
    calls = {entry_type(entry): call_of(entry) for entry in map(parse_entry_untrusted, GOOD)}
    assert calls["call.ring"] == json.loads(RING)["call"]
    assert calls["blank"] is None
    assert calls["message"] is None, "the last one of the vectors is in no call"


def test_this_version_gives_effect_to_every_type() -> None:
    names = [name for name, _ in SUPPORTED_TYPES]
    assert names == sorted(names)
    assert set(ENTRY_TYPES) == set(names)


def test_every_seal_is_a_member_and_opens_in_one_layer() -> None:
    for kind, rules in SEALS.items():
        fields = {field.encode_name: field for field in msgspec.structs.fields(ENTRY_TYPES[kind])}
        for rule in rules:
            assert rule.optional == (not fields[rule.member].required)
            assert sum(rule.member in layer.members for layer in LAYERS) == 1


def test_every_type_of_a_call_belongs_to_one_layer() -> None:
    for kind in ENTRY_TYPES:
        layers = sum(kind in layer.types for layer in LAYERS)
        assert layers == (0 if kind.startswith("line.") or kind == "blank" else 1)


def test_the_members_stand_as_the_protocol_lists_them() -> None:
    page = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")
    for kind, cls in ENTRY_TYPES.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{kind}` |"))
        cells = [cell.strip() for cell in row.split("|")[1:-1]]
        head = ["type", "v", "nonce", "time", "seen"]
        named = [m for m, cell in zip(("call", "by", "re"), cells[1:4], strict=True) if cell]
        fields = [field.encode_name for field in msgspec.structs.fields(cls)]
        assert [*head[1:], *named] == fields[: 4 + len(named)]
        own = [part.split("`")[1] for part in cells[4].split(";") if "`" in part]
        assert own == fields[4 + len(named) :]


def test_the_sender_of_a_message_is_written_as_from() -> None:
    entry = parse_entry_untrusted(GOOD[-2])
    assert isinstance(entry, Message)
    assert json.loads(GOOD[-2])["from"] == entry.sender


def test_what_is_exported_is_there() -> None:
    assert all(hasattr(entries, name) for name in entries.__all__)

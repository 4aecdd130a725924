"""Entries of a house log: their bytes and seals, each in one spelling; the grid of its hours."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest

from telcon.core.house import (
    HOUR_US,
    STEP,
    Detail,
    HouseAct,
    compose_act,
    compose_blank,
    compose_opened,
    format_details,
    format_house_entry,
    house_opening_fits,
    house_origin,
    is_house_origin,
    padded_size,
    parse_details_untrusted,
    parse_house_entry_untrusted,
    turn_before,
)
from telcon.core.seal import Opening
from telcon.errors import MalformedError, MisuseError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "house.json").read_text("utf-8"))
ENTRIES = [entry.encode() for entry in VECTORS["entries"]]
ORIGIN = house_origin("arcadia.example", "0123456789abcdef" * 2)
TIME_US = 1_767_225_600_000_000


def counting(octets: int) -> bytes:
    return bytes(range(octets))


def test_entries_written_by_the_first_version_are_read() -> None:
    for data in ENTRIES:
        assert format_house_entry(parse_house_entry_untrusted(data)) == data


def test_entries_are_written_as_the_first_version_wrote_them() -> None:
    details: dict[str, Detail] = {"principal": "Adrian Rey", "client": "192.0.2.1"}
    act = compose_act(
        "audit.web.signed-in",
        "principal",
        details,
        origin=ORIGIN,
        time_us=TIME_US,
        random=counting,
    )
    previous = (ORIGIN, 64, bytes(range(32)))
    assert [
        compose_opened(None, TIME_US, counting),
        compose_opened(previous, TIME_US, counting),
        act.data,
        compose_blank(TIME_US, counting),
    ] == ENTRIES
    assert act.opening.content == VECTORS["details"].encode()


def test_the_seal_of_an_act_is_bound_to_log_type_and_member() -> None:
    entry = parse_house_entry_untrusted(ENTRIES[2])
    assert isinstance(entry, HouseAct)
    content = VECTORS["details"].encode()
    message = b"telcon seal v1\0" + ORIGIN.encode() + b"\0house.act\0details\0" + content
    assert entry.details == hmac.new(bytes(range(32)), message, hashlib.sha256).hexdigest()
    good = Opening("details", bytes(range(32)), content)
    assert house_opening_fits(entry, ORIGIN, good)
    bad = [
        Opening("details", bytes(range(32)), content + b" "),
        Opening("details", bytes(32), content),
        Opening("details", bytes(range(33)), content),
        Opening("reason", bytes(range(32)), content),
    ]
    assert not any(house_opening_fits(entry, ORIGIN, one) for one in bad)
    assert not house_opening_fits(entry, ORIGIN.replace("arcadia", "borealis"), good)
    assert not house_opening_fits(parse_house_entry_untrusted(ENTRIES[3]), ORIGIN, good)


@pytest.mark.parametrize("data", ENTRIES)
def test_no_second_spelling_is_read(data: bytes) -> None:
    spellings = [
        data + b" ",
        b" " + data,
        data.replace(b'"v":1', b'"v": 1'),
        data.replace(b'"v":1', b'"v":2'),
        data.replace(b'"v":1', b'"v":1,"v":1'),
        data.replace(b'"v":1', b'"v":1,"seen":1'),
        data.replace(b'"nonce":"0', b'"nonce":"A'),
        data.replace(b'"time":', b'"time":-'),
        b"[" + data + b"]",
        b"",
        data + b" " * 16_384,
    ]
    for other in spellings:
        with pytest.raises(MalformedError):
            parse_house_entry_untrusted(other)


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b'{"a":"b","c":1,"d":true,"e":null}',
        b'{"z":-9007199254740991,"a":9007199254740991}',
    ],
)
def test_details_are_read_in_their_order(content: bytes) -> None:
    assert format_details(parse_details_untrusted(content)) == content


@pytest.mark.parametrize(
    "content",
    [
        b'{"a":1.5}',
        b'{"a":[]}',
        b'{"a":{}}',
        b'{"a":9007199254740992}',
        b'{"a":1,"a":2}',
        b'{"a": 1}',
        b'{"a":"\\u0061"}',
        b"[]",
        b"null",
        b"\xff",
        b'{"a":"' + b"x" * 8_192 + b'"}',
    ],
)
def test_details_in_another_form_are_refused(content: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_details_untrusted(content)


def test_what_is_too_long_is_cut_and_what_is_no_text_is_shown_as_it_is() -> None:
    long = parse_details_untrusted(format_details({"a": "\x01" * 2_000, "b": "\udcff", "c": 5}))
    assert long == {"a": "\x01" * 200 + "…", "b": "\\udcff", "c": 5}
    with pytest.raises(MisuseError):
        format_details({f"field {number}": "x" * 200 for number in range(50)})
    with pytest.raises(MisuseError):
        format_details({"a": 2**53})


def test_what_is_no_act_is_not_written() -> None:
    for act in ("", "Audit", "a" * 65, "audit web"):
        with pytest.raises(MisuseError):
            compose_act(act, "node", {}, origin=ORIGIN, time_us=TIME_US, random=counting)
    with pytest.raises(MisuseError):
        compose_opened(("arcadia.example/line/" + "0" * 32, 1, bytes(32)), TIME_US, counting)


def test_blanks_of_one_time_have_different_leaves() -> None:
    fresh = iter(range(100))
    made = {compose_blank(TIME_US, lambda octets: bytes([next(fresh)]) * octets) for _ in range(99)}
    assert len(made) == 99


def test_origins_of_house_logs_are_told_from_others() -> None:
    assert is_house_origin(ORIGIN)
    for other in (ORIGIN + "0", ORIGIN.replace("house", "line"), ORIGIN.upper(), ORIGIN + "\n", ""):
        assert not is_house_origin(other)


# -- hours


@pytest.mark.parametrize(
    ("done", "grown"),
    [(0, 64), (1, 64), (63, 64), (64, 64), (65, 128), (128, 128), (129, 256), (1_000, 1_024)],
)
@pytest.mark.parametrize("last", [0, 64, 6_400])
def test_an_hour_grows_by_a_power_of_two_and_mostly_by_the_same(
    last: int, done: int, grown: int
) -> None:
    assert padded_size(last, last + done) == last + grown


def test_the_grid_holds_for_every_count() -> None:
    for done in range(5_000):
        grown = padded_size(640, 640 + done) - 640
        assert done <= grown
        assert grown == STEP or grown < 2 * done
        assert grown & (grown - 1) == 0


def test_a_turn_is_the_full_hour() -> None:
    noon = 1_767_268_800_000_000
    assert turn_before(noon) == noon
    assert turn_before(noon - 1) == noon - HOUR_US
    assert turn_before(noon + HOUR_US - 1) == noon

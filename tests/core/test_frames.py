"""Frames: one spelling of limits, and nothing but `MalformedError` for what is not one."""

import random

import msgspec
import pytest

from telcon.core import frames
from telcon.core.pushing import cut_piece
from telcon.core.seal import Opening
from telcon.errors import MalformedError, MisuseError

ONE_OF_EACH: list[frames.Frame] = [
    frames.Hello(1, "arcadia.example", "0" * 32, 7, 5, b"note"),
    frames.AskLast(),
    frames.Last(b""),
    frames.Push(3, [b"entry"], [frames.SentOpening(3, "text", b"k" * 32, b"content")], b"note"),
    frames.Cosigned(4, b"line"),
    frames.Refused("gap", 9, "7 entries are held"),
    frames.Fetch(12),
    frames.Refill(12, [], [], True),
    frames.Evidence(b"one", b"two"),
    frames.Contradiction(b"one", b"two", [b"r" * 32, b"p" * 32]),
    frames.Second(b"n" * 8_192),
    frames.Seconded(4, b"l" * 4_096),
    frames.Signal("hint", "", b"body"),
]


@pytest.mark.parametrize("frame", ONE_OF_EACH, ids=lambda frame: type(frame).__name__)
def test_a_frame_is_read_as_it_was_written(frame: frames.Frame) -> None:
    assert frames.parse_frame_untrusted(frames.format_frame(frame)) == frame


def test_the_bytes_of_a_push_are_those_of_the_protocol() -> None:
    data = frames.format_frame(ONE_OF_EACH[3])
    assert msgspec.msgpack.decode(data) == [
        "push", 3, [b"entry"], [[3, "text", b"k" * 32, b"content"]], b"note",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x90",
        b"\xc0",
        b"\x91" * 60_000,
        b"\xdd\xff\xff\xff\xff",
        b"\x92\xa4last\xa1x",
        b"\x92\xa2\xff\xff\x01",
        msgspec.msgpack.encode(["push"]),
        msgspec.msgpack.encode(["push", 0, [], [], b""]),
        msgspec.msgpack.encode(["push", -1, [b"x"], [], b""]),
        msgspec.msgpack.encode(["push", 1 << 53, [b"x"], [], b""]),
        msgspec.msgpack.encode(["push", 0, [b"x"], [[0, "m", b"k"]], b""]),
        msgspec.msgpack.encode(["push", 0, ["text"], [], b""]),
        msgspec.msgpack.encode(["last?", 1]),
        msgspec.msgpack.encode(["teleport"]),
        msgspec.msgpack.encode({"push": 1}),
        msgspec.msgpack.encode(["fetch", True]),
        msgspec.msgpack.encode(["fetch", 1.0]),
        msgspec.msgpack.encode(["cosigned", 1, b"x" * 2_049]),
        msgspec.msgpack.encode(["second", b"x" * 8_193]),
        msgspec.msgpack.encode(["second", "text"]),
        msgspec.msgpack.encode(["seconded", 1, b"x" * 4_097]),
        msgspec.msgpack.encode(["seconded", -1, b"x"]),
        msgspec.msgpack.encode(["seconded", 1]),
        msgspec.msgpack.encode(["signal", "k" * 33, "", b""]),
        frames.format_frame(frames.AskLast()) + b"\0",
    ],
)
def test_what_is_no_frame_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        frames.parse_frame_untrusted(data)


def test_a_frame_over_the_limit_is_neither_read_nor_written() -> None:
    overhead = len(frames.format_frame(frames.Push(0, [b"x" * 60_000], [], b""))) - 60_000
    just = frames.Push(0, [b"x" * (frames.MAX_FRAME_OCTETS - overhead)], [], b"")
    over = frames.Push(0, [b"x" * (frames.MAX_FRAME_OCTETS - overhead + 1)], [], b"")
    assert frames.parse_frame_untrusted(frames.format_frame(just)) == just
    with pytest.raises(MisuseError):
        frames.format_frame(over)
    with pytest.raises(MalformedError, match="65536"):
        frames.parse_frame_untrusted(msgspec.msgpack.encode(over))


def test_any_bytes_are_a_frame_or_malformed() -> None:
    world = random.Random(11)
    print("seed 11")
    for _ in range(20_000):
        data = bytearray(frames.format_frame(world.choice(ONE_OF_EACH)))
        for _ in range(world.randrange(1, 4)):
            data[world.randrange(len(data))] = world.randrange(256)
        try:
            frames.parse_frame_untrusted(bytes(data[: world.randrange(len(data) + 1)]))
        except MalformedError:
            continue


def test_a_piece_is_cut_where_the_frame_is_full() -> None:
    openings = (Opening("text", b"k" * 32, b"c" * 300),)
    piece = [(b"e" * 400, openings)] * 500
    count = cut_piece(piece)
    sent = [frames.SentOpening(2**52, one.member, one.key, one.content) for one in openings] * count
    frame = frames.Push(2**52, [b"e" * 400] * count, sent, b"n" * frames.MAX_NOTE_OCTETS)
    data = frames.format_frame(frame)
    assert frames.MAX_FRAME_OCTETS - 2_000 < len(data) <= frames.MAX_FRAME_OCTETS


def test_the_largest_entry_with_the_largest_openings_fits_one_frame() -> None:
    openings = tuple(Opening(name, b"k" * 32, b"c" * 8_192) for name in ("from", "to", "text"))
    assert cut_piece([(b"e" * 16_384, openings)]) == 1

"""One track's file, made of packets alone: gaps, wraps, and the same octets wherever it is made."""

import random
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import pytest

from fakes.audio import duration_s, silences, tone
from telcon.node.media.oggopus import OpusFile, parse_ogg_opus_untrusted
from telcon.node.record.journal import Packet
from telcon.node.record.rendering import MAX_FILLED, Rendering, measure

CALL = "cd" * 16
TRACK = ("arcadia.example/line/" + "ab" * 16, 1)
FRAME = 960
FRAMES = [b"\xfc" + bytes((n & 0xFF, 1)) for n in range(400)]


def packets(payloads: Iterable[bytes], base: int = 0) -> list[Packet]:
    return [Packet(n, base + n * FRAME, payload) for n, payload in enumerate(payloads)]


def render(said: Iterable[Packet]) -> bytes:
    rendering = Rendering(CALL, TRACK)
    return rendering.add(said) + rendering.finish()


def write(folder: Path, said: Iterable[Packet]) -> Path:
    path = folder / "arcadia.example-1.opus"
    path.write_bytes(render(said))
    return path


def read(said: Iterable[Packet]) -> OpusFile:
    return parse_ogg_opus_untrusted(render(said))


def heard(file: OpusFile) -> list[bytes]:
    return [packet.payload for packet in file.packets if not packet.is_lost]


def test_a_tone_is_as_long_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path, packets(tone(4)))
    assert duration_s(path) == pytest.approx(4.0, abs=0.02)
    assert silences(path)[1:] == []  # the encoder's first 10 ms at most


@pytest.mark.parametrize("cut_s", [2.0, 30.0])
def test_a_cut_is_heard_where_it_was(tmp_path: Path, cut_s: float) -> None:
    skip = round(cut_s * 48_000)
    said = [Packet(p.index, p.timestamp + skip * (p.index >= 50), p.payload)
            for p in packets(tone(2))]  # fmt: skip
    path = write(tmp_path, said)
    assert duration_s(path) == pytest.approx(2.0 + cut_s, abs=0.04)
    start, end = max(silences(path), key=lambda span: span[1] - span[0])
    assert [start, end] == pytest.approx([1.0, 1.0 + cut_s], abs=0.04)


def test_a_packet_that_is_not_held_is_a_hole_of_its_length(tmp_path: Path) -> None:
    said = [p for p in packets(tone(6)) if not 100 <= p.index < 200]
    path = write(tmp_path, said)
    assert duration_s(path) == pytest.approx(6.0, abs=0.04)
    start, end = max(silences(path), key=lambda span: span[1] - span[0])
    assert [start, end] == pytest.approx([2.0, 4.0], abs=0.04)


@pytest.mark.parametrize("base", [2**32 - 5 * FRAME, 2**33, 2**63])
def test_timestamps_beyond_32_bits_are_times_like_others(base: int) -> None:
    file = read(packets(FRAMES[:100], base))
    assert heard(file) == FRAMES[:100]
    assert [packet.start for packet in file.packets] == [i * FRAME for i in range(100)]
    assert file.comments["TELCON_TIMESTAMP"] == str(base)


def test_what_is_no_opus_packet_is_a_gap(tmp_path: Path) -> None:
    said = packets(tone(2))
    said[50] = Packet(50, 50 * FRAME, b"")
    said[51] = Packet(51, 51 * FRAME, b"\xff\x00")
    assert len(heard(read(said))) == 98
    assert duration_s(write(tmp_path, said)) == pytest.approx(2.0, abs=0.02)


@pytest.mark.parametrize("length", ["10", "60"])
def test_frames_of_other_lengths_keep_the_time(tmp_path: Path, length: str) -> None:
    payloads = tone(2, "-b:a", "24k", "-frame_duration", length)
    said = [Packet(n, n * int(length) * 48, payload) for n, payload in enumerate(payloads)]
    seconds = len(payloads) * int(length) / 1_000
    assert duration_s(write(tmp_path, said)) == pytest.approx(seconds, abs=0.02)


def test_the_file_says_whose_it_is_and_nothing_that_one_side_alone_knows() -> None:
    file = read([Packet(3, 5_000, FRAMES[0])])
    assert file.comments == {
        "ARTIST": "arcadia.example",
        "TELCON_CALL": CALL,
        "TELCON_ORIGIN": TRACK[0],
        "TELCON_TRACK": "1",
        "TELCON_INDEX": "3",
        "TELCON_TIMESTAMP": "5000",
    }
    assert file.finished


def test_a_speaker_who_never_spoke_leaves_a_file_that_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, [])
    assert heard(read([])) == []
    assert duration_s(path) == pytest.approx(0.02, abs=0.01)


def test_the_same_packets_make_the_same_file_in_whatever_pieces_they_come() -> None:
    chance = random.Random(4)
    said = [p for p in packets(FRAMES) if chance.random() > 0.1]
    for _ in range(5):
        rendering, at, file = Rendering(CALL, TRACK), 0, b""
        while at < len(said):
            count = chance.randrange(1, 90)
            file += rendering.add(said[at : at + count])
            at += count
        assert file + rendering.finish() == render(said)


def test_a_file_is_measured_piece_by_piece() -> None:
    pieces = [b"a" * 100, b"", b"b" * 7]
    assert measure(pieces) == (sha256(b"".join(pieces)).digest(), 107)


def test_a_speakers_node_that_lies_about_time_cannot_fill_the_disk() -> None:
    said = [Packet(n, n * 2**40, FRAMES[0]) for n in range(500)]
    assert len(render(said)) < 500 * 100
    day = [Packet(n, n * (MAX_FILLED // 3), FRAMES[0]) for n in range(100)]
    assert len(render(day)) < 12_000_000


def test_time_that_runs_backwards_loses_no_packet() -> None:
    said = [Packet(n, (500 - n) * 48_000, payload) for n, payload in enumerate(FRAMES)]
    assert heard(read(said)) == FRAMES

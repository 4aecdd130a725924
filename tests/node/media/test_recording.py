"""One speaker's file: gaps, order, wraps, and what a crash leaves."""

import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from fakes.audio import duration_s, silences, tone
from telcon.errors import MalformedError
from telcon.node.media.disk import DiskWriter
from telcon.node.media.ogg import scan_pages_untrusted
from telcon.node.media.oggopus import OggOpusWriter, OpusFile, parse_ogg_opus_untrusted
from telcon.node.media.recording import ClosedRecording, Label, Recording, recover

ORIGIN = "arcadia.example/line/" + "ab" * 16
LABEL = Label("cd" * 16, ORIGIN, 1, "President of Arcadia")
FRAME = 960
FRAME_S = 0.02
FRAMES = [b"\xfc" + bytes((n & 0xFF, 1)) for n in range(400)]


class Writing:
    """A recording with its disk, fed packet by packet of 20 ms."""

    def __init__(self, folder: Path, base: int = 0) -> None:
        self.path = folder / "arcadia.example-1.opus"
        self.disk = DiskWriter("test")
        self.recording = Recording(self.disk, self.path, LABEL, lambda now: round(now * 1e6), 0.0)
        self.base = base

    def write(self, index: int, payload: bytes, now: float | None = None) -> None:
        at = index * FRAME_S if now is None else now
        self.recording.write(index, self.base + index * FRAME, payload, at)

    def close(self, now: float = 1e6) -> ClosedRecording:
        self.recording.finish(now)
        self.disk.close(now).result(10)
        closed = self.recording.result()
        assert closed is not None
        return closed


def read(path: Path) -> OpusFile:
    return parse_ogg_opus_untrusted(path.read_bytes())


def heard(file: OpusFile) -> list[bytes]:
    return [packet.payload for packet in file.packets if not packet.is_lost]


def record(folder: Path, packets: Iterable[tuple[int, bytes]], base: int = 0) -> ClosedRecording:
    writing = Writing(folder, base)
    for index, payload in packets:
        writing.write(index, payload)
    return writing.close()


def test_a_tone_is_as_long_as_it_was(tmp_path: Path) -> None:
    closed = record(tmp_path, enumerate(tone(4)))
    assert duration_s(closed.path) == pytest.approx(4.0, abs=0.02)
    assert silences(closed.path)[1:] == []  # the encoder's first 10 ms at most
    assert closed.packets == 200


def test_a_cut_is_heard_where_it_was(tmp_path: Path) -> None:
    packets = [(i, p) for i, p in enumerate(tone(6)) if not 100 <= i < 200]
    closed = record(tmp_path, packets)
    assert duration_s(closed.path) == pytest.approx(6.0, abs=0.04)
    start, end = max(silences(closed.path), key=lambda span: span[1] - span[0])
    assert [start, end] == pytest.approx([2.0, 4.0], abs=0.04)


@pytest.mark.parametrize("cut_s", [10.5, 30.0])
def test_a_long_cut_is_heard_where_it_was(tmp_path: Path, cut_s: float) -> None:
    skip = round(cut_s * 50)
    packets = [(i if i < 50 else i + skip, p) for i, p in enumerate(tone(2))]
    closed = record(tmp_path, packets)
    assert duration_s(closed.path) == pytest.approx(2.0 + cut_s, abs=0.04)
    start, end = max(silences(closed.path), key=lambda span: span[1] - span[0])
    assert [start, end] == pytest.approx([1.0, 1.0 + cut_s], abs=0.04)


def test_a_mute_keeps_indexes_and_loses_time(tmp_path: Path) -> None:
    writing = Writing(tmp_path)
    for index, payload in enumerate(FRAMES[:100]):
        pause = 0.0 if index < 50 else 3.0
        now = index * FRAME_S + pause
        writing.recording.write(index, round(now * 48_000), payload, now)
    closed = writing.close()
    assert heard(read(closed.path)) == FRAMES[:100]
    assert duration_s(closed.path) == pytest.approx(5.0, abs=0.02)


def test_a_new_clock_of_the_device_changes_nothing_that_is_heard(tmp_path: Path) -> None:
    writing = Writing(tmp_path)
    for index, payload in enumerate(tone(4)):
        now = index * FRAME_S + (0.5 if index >= 100 else 0.0)
        timestamp = index * FRAME + (3_000_000_000 if index >= 100 else 77)
        writing.recording.write(index, timestamp, payload, now)
    closed = writing.close()
    assert duration_s(closed.path) == pytest.approx(4.5, abs=0.04)
    start, end = max(silences(closed.path), key=lambda span: span[1] - span[0])
    assert [start, end] == pytest.approx([2.0, 2.5], abs=0.04)
    assert writing.recording.statistics().segments == 2


def test_disorder_within_60_ms_and_doubles_leave_no_trace(tmp_path: Path) -> None:
    shuffle = random.Random(2)
    sent = [(i * FRAME_S + shuffle.uniform(0, 0.055), i, p) for i, p in enumerate(FRAMES)]
    writing = Writing(tmp_path)
    for now, index, payload in sorted(sent + sent[::7]):
        writing.write(index, payload, now)
    closed = writing.close()
    assert heard(read(closed.path)) == FRAMES
    assert closed.packets == len(FRAMES)
    assert duration_s(closed.path) == pytest.approx(len(FRAMES) * FRAME_S, abs=0.02)


@pytest.mark.parametrize("base", [2**32 - 5 * FRAME, 2**33, 2**63])
def test_timestamps_beyond_32_bits_are_times_like_others(tmp_path: Path, base: int) -> None:
    closed = record(tmp_path, enumerate(FRAMES[:100]), base)
    file = read(closed.path)
    assert heard(file) == FRAMES[:100]
    assert [packet.start for packet in file.packets] == [i * FRAME for i in range(100)]
    assert file.comments["TELCON_TIMESTAMP"] == str(base)


def test_what_is_no_opus_packet_is_a_gap(tmp_path: Path) -> None:
    packets = list(enumerate(tone(2)))
    packets[50] = (50, b"")
    packets[51] = (51, b"\xff\x00")
    writing = Writing(tmp_path)
    for index, payload in packets:
        writing.write(index, payload)
    closed = writing.close()
    assert closed.packets == 98
    assert writing.recording.statistics().refused == 2
    assert duration_s(closed.path) == pytest.approx(2.0, abs=0.02)


def test_frames_of_other_lengths_keep_the_time(tmp_path: Path) -> None:
    for length in ("10", "60"):
        packets = tone(2, "-b:a", "24k", "-frame_duration", length)
        folder = tmp_path / length
        writing = Writing(folder)
        for index, payload in enumerate(packets):
            at = index * int(length) / 1_000
            writing.recording.write(index, round(at * 48_000), payload, at)
        assert duration_s(writing.close().path) == pytest.approx(
            len(packets) * int(length) / 1_000, abs=0.02
        )


def test_a_page_goes_to_the_disk_after_a_second_of_few_packets(tmp_path: Path) -> None:
    writing = Writing(tmp_path)
    for index, now in [(0, 0.0), (1, 0.5), (2, 2.4), (3, 2.95)]:
        writing.write(index, FRAMES[index], now)
        writing.recording.handle_time(now + 0.4)
        writing.recording.handle_time(now + 0.5)
    writing.disk.close(4.0).result(10)
    granules = [page.granule for page in scan_pages_untrusted(writing.path.read_bytes())]
    assert granules == [0, 0, 2 * FRAME, 4 * FRAME]
    assert heard(read(writing.path)) == FRAMES[:4]
    assert writing.recording.newest_on_disk == 2.95


def test_the_file_says_whose_and_when(tmp_path: Path) -> None:
    writing = Writing(tmp_path)
    for index in range(3, 50):
        writing.write(index, FRAMES[index])
    assert read(writing.close().path).comments == {
        "ARTIST": "President of Arcadia",
        "TELCON_CALL": LABEL.call,
        "TELCON_ORIGIN": ORIGIN,
        "TELCON_TRACK": "1",
        "TELCON_START": "60000",
        "TELCON_INDEX": "3",
        "TELCON_TIMESTAMP": str(3 * FRAME),
    }


def test_a_speaker_who_never_spoke_leaves_a_file_that_says_so(tmp_path: Path) -> None:
    closed = Writing(tmp_path).close()
    assert closed.packets == 0
    assert read(closed.path).finished
    assert duration_s(closed.path) == pytest.approx(0.02)


def test_a_crash_before_the_first_page_leaves_a_file_that_says_so(tmp_path: Path) -> None:
    writing = Writing(tmp_path)
    writing.write(0, FRAMES[0])
    writing.disk.close(5.0).result(10)
    assert recover(writing.path).packets == 0
    assert duration_s(writing.path) == pytest.approx(0.02)


def interrupted(folder: Path) -> tuple[Path, bytes]:
    """Return a file as a crash leaves it, and what it would be if closed there."""
    writing = Writing(folder)
    for index, payload in enumerate(FRAMES[:250]):
        writing.write(index, payload)
    writing.disk.close(5.0).result(10)
    return writing.path, writing.path.read_bytes()


def test_an_interrupted_file_is_closed(tmp_path: Path) -> None:
    path, _ = interrupted(tmp_path)
    closed = recover(path)
    assert (closed.origin, closed.number, closed.packets) == (ORIGIN, 1, 250)
    assert closed.size == path.stat().st_size
    assert read(path).finished
    assert heard(read(path)) == FRAMES[:250]


def test_a_closed_file_stays_as_it_is(tmp_path: Path) -> None:
    closed = record(tmp_path, enumerate(FRAMES))
    before = closed.path.read_bytes()
    assert recover(closed.path) == closed
    assert closed.path.read_bytes() == before


def test_any_torn_end_is_cut_off(tmp_path: Path) -> None:
    path, data = interrupted(tmp_path)
    headers = data.index(b"OpusTags")
    for size in range(headers + 300, len(data), 37):
        path.write_bytes(data[:size])
        closed = recover(path)
        assert read(path).finished
        assert FRAMES[: closed.packets] == heard(read(path))
        assert recover(path) == closed


def test_zeros_that_a_power_cut_left_are_cut_off(tmp_path: Path) -> None:
    path, data = interrupted(tmp_path)
    path.write_bytes(data + bytes(4_096))
    assert recover(path).packets == 250


def test_a_file_damaged_in_its_middle_is_left_alone(tmp_path: Path) -> None:
    path, data = interrupted(tmp_path)
    broken = bytearray(data)
    broken[len(data) // 2] ^= 1
    path.write_bytes(broken)
    with pytest.raises(MalformedError, match="damaged at offset"):
        recover(path)
    assert path.read_bytes() == broken


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    writer = OggOpusWriter(1, {"ARTIST": "somebody"})
    path = tmp_path / "x.opus"
    path.write_bytes(writer.header())
    with pytest.raises(MalformedError, match="whose track"):
        recover(path)


@pytest.mark.parametrize("content", [b"", b"rubbish", b"OggS"])
def test_what_is_no_recording_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.opus"
    path.write_bytes(content)
    with pytest.raises(MalformedError, match="does not begin"):
        recover(path)
    assert path.read_bytes() == content

"""Ogg Opus files, written and read."""

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.audio import duration_s, loudness, run_ffmpeg, tone
from telcon.errors import MalformedError, MisuseError
from telcon.node.media.ogg import LAST_PAGE, format_page, scan_pages_untrusted
from telcon.node.media.oggopus import OggOpusWriter, parse_ogg_opus_untrusted
from telcon.node.media.opus import lost_frame

FRAME = b"\xfc\xff\xfe"  # 20 ms
LOST = b"\xfc"
VOICES = Path(__file__).parents[3] / "demo" / "voices"


def file_of(packets: list[bytes]) -> bytes:
    writer = OggOpusWriter(7, {"ARTIST": "A"})
    pages = [writer.header(), *(writer.write(packet, 960) for packet in packets), writer.finish()]
    return b"".join(pages)


def test_packets_and_comments_come_back() -> None:
    file = parse_ogg_opus_untrusted(file_of([FRAME, LOST, FRAME + bytes(600)]))
    assert [packet.payload for packet in file.packets] == [FRAME, LOST, FRAME + bytes(600)]
    assert [packet.start for packet in file.packets] == [0, 960, 1_920]
    assert [packet.is_lost for packet in file.packets] == [False, True, False]
    assert (file.comments, file.channels, file.pre_skip, file.finished) == (
        {"ARTIST": "A"},
        1,
        0,
        True,
    )


def test_a_page_holds_a_second() -> None:
    pages = list(scan_pages_untrusted(file_of([FRAME] * 120)))
    assert [page.granule for page in pages] == [0, 0, 48_000, 96_000, 115_200]
    assert pages[-1].flags == LAST_PAGE


def test_a_page_is_whole_when_packets_are_long() -> None:
    data = file_of([b"\xfc" + bytes(1_275)] * 50)
    assert all(sum(page.lacing) == len(page.body) for page in scan_pages_untrusted(data))
    assert all(not page.flags & 1 for page in scan_pages_untrusted(data))
    assert len(parse_ogg_opus_untrusted(data).packets) == 50


@given(st.integers(0, 49), st.integers(0, 400))
def test_filling_is_the_same_as_writing_one_by_one(before: int, count: int) -> None:
    bulk, single = OggOpusWriter(7, {}), OggOpusWriter(7, {})
    for writer in (bulk, single):
        for _ in range(before):
            writer.write(FRAME, 960)
    expected = b"".join(single.write(LOST, 960) for _ in range(count)) + single.finish()
    assert bulk.fill(LOST, 960, count) + bulk.finish() == expected


def test_nothing_follows_the_last_page() -> None:
    writer = OggOpusWriter(7, {})
    writer.finish()
    with pytest.raises(MisuseError, match="finished"):
        writer.write(FRAME, 960)


def test_ffmpeg_hears_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "tone.opus"
    path.write_bytes(file_of(list(tone(3))))
    assert duration_s(path) == pytest.approx(3.0, abs=0.02)
    assert min(loudness(path)[10:290]) > 0.1


@pytest.mark.parametrize("bitrate", ["8k", "14k", "32k", "96k"])
def test_ffmpeg_is_silent_in_a_gap_of_every_mode(tmp_path: Path, bitrate: str) -> None:
    packets = list(tone(3, "-b:a", bitrate, "-application", "voip"))
    packets[50:100] = [lost_frame(packets[49][0], 960)] * 50
    path = tmp_path / "gap.opus"
    path.write_bytes(file_of(packets))
    assert duration_s(path) == pytest.approx(3.0, abs=0.02)
    assert max(loudness(path)[110:198]) < 0.02


@pytest.mark.parametrize("name", ["arcadia.opus", "borealis.opus"])
def test_the_voices_of_the_demo_are_six_seconds_of_constant_packets(name: str) -> None:
    file = parse_ogg_opus_untrusted((VOICES / name).read_bytes())
    assert {(packet.samples, len(packet.payload)) for packet in file.packets} == {(960, 80)}
    assert 300 <= len(file.packets) <= 301
    run_ffmpeg("ffprobe", str(VOICES / name))


def headers(head: bytes, tags: bytes) -> bytes:
    return format_page(2, 0, 7, 0, bytes((len(head),)), head) + format_page(
        0, 0, 7, 1, bytes((len(tags),)), tags
    )


HEAD = struct.pack("<8sBBHIhB", b"OpusHead", 1, 1, 0, 48_000, 0, 0)
TAGS = struct.pack("<8sI", b"OpusTags", 0)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "within its headers"),
        (b"rubbish", "offset 0"),
        (headers(b"OpusHead", TAGS + bytes(4)), "not an OpusHead"),
        (headers(HEAD[:9] + b"\x03" + HEAD[10:], TAGS + bytes(4)), "1 or 2 channels"),
        (headers(HEAD[:18] + b"\x01", TAGS + bytes(4)), "of one stream"),
        (headers(HEAD, b"rubbish"), "not OpusTags"),
        (headers(HEAD, TAGS + b"\x41\x00\x00\x00"), "at most 64"),
        (headers(HEAD, TAGS + b"\x01\x00\x00\x00\x09\x00\x00\x00x"), "within a string"),
        (headers(HEAD, TAGS + b"\x01\x00\x00\x00\x01\x00\x00\x00x"), "no name"),
        (headers(HEAD, TAGS + b"\x01\x00\x00\x00\x01\x00\x00\x00\xff"), "not UTF-8"),
    ],
)
def test_refuses_wrong_headers(data: bytes, fault: str) -> None:
    with pytest.raises(MalformedError, match=fault):
        parse_ogg_opus_untrusted(data)


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        (format_page(0, 961, 7, 2, b"\x03", FRAME), "says 961"),
        (format_page(0, -1, 7, 2, b"\x03", FRAME), "says -1"),
        (format_page(1, 960, 7, 2, b"\x03", FRAME), "does not continue"),
        (format_page(0, 960, 7, 2, b"\xff", b"\xfc" * 255), "within its headers or a packet"),
        (format_page(0, 960, 7, 2, b"\x00", b""), "octets, not 0"),
        (format_page(0, 960, 7, 3, b"\x03", FRAME), "not the next page"),
    ],
)
def test_refuses_a_page_that_does_not_fit(page: bytes, fault: str) -> None:
    with pytest.raises(MalformedError, match=fault):
        parse_ogg_opus_untrusted(headers(HEAD, TAGS + bytes(4)) + page)


def test_takes_a_packet_that_goes_over_two_pages() -> None:
    long = FRAME + bytes(300)
    first = format_page(0, -1, 7, 2, b"\xff", long[:255])
    second = format_page(1 | LAST_PAGE, 960, 7, 3, bytes((len(long) - 255,)), long[255:])
    file = parse_ogg_opus_untrusted(headers(HEAD, TAGS + bytes(4)) + first + second)
    assert [packet.payload for packet in file.packets] == [long]


def test_an_encoder_may_trim_the_end() -> None:
    last = format_page(LAST_PAGE, 500, 7, 2, b"\x03", FRAME)
    assert parse_ogg_opus_untrusted(headers(HEAD, TAGS + bytes(4)) + last).finished


def test_every_cut_of_a_file_is_refused_or_unfinished() -> None:
    data = file_of([FRAME] * 60)
    for size in range(len(data)):
        with contextlib.suppress(MalformedError):
            assert not parse_ogg_opus_untrusted(data[:size]).finished

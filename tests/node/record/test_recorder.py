"""The recorder of a call: tracks, chunks, the lamp, and the worst that a disk or a kill can do."""

import asyncio
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from fakes.audio import run_ffmpeg
from telcon.core.entry import MAX_CHUNK_PACKETS
from telcon.errors import MisuseError
from telcon.ledger.merkle import EMPTY_FRONTIER, leaf_hash
from telcon.node.record.chunks import Chunk, format_leaf
from telcon.node.record.journal import Head, Packet
from telcon.node.record.place import RecordPlace
from telcon.node.record.recorder import (
    BURST_S,
    MAX_PACKETS_A_SECOND,
    CallRecorder,
    RecorderFailed,
    RecorderStatus,
)
from telcon.node.record.rendering import render_recorded
from telcon.node.record.shelf import Shelf

LINE, CALL = "ab" * 16, "cd" * 16
OWN, THEIRS = f"arcadia.example/line/{LINE}", f"borealis.example/line/{LINE}"
OURS, OTHERS = (OWN, 1), (THEIRS, 2)
FRAME_S = 0.02
FRAMES = [b"\xfc" + n.to_bytes(2, "big") for n in range(1_000)]
HEAD = Head(CALL, OWN, THEIRS, 1_700_000_000_000_000)


class Recording:
    """A recorder with its shelf, and the clock that both are told."""

    def __init__(
        self, folder: Path, now: float = 100.0, *, call_began: float | None = None
    ) -> None:
        self.place = RecordPlace.of(folder, LINE, CALL)
        self.shelf = Shelf(f"record {CALL[:8]}", partial(self.place.begin, HEAD, ()), now)
        keys = random.Random(1)
        self.recorder = CallRecorder(
            self.shelf,
            OWN,
            call_began=now if call_began is None else call_began,
            now=now,
            random_bytes=keys.randbytes,
        )

    def say(self, track: tuple[str, int], numbers: range, base: int = 0) -> None:
        for n in numbers:
            packet = Packet(n, base + n * 960, FRAMES[n % len(FRAMES)])
            self.recorder.write(track, packet, 100.0 + n * FRAME_S)

    def close(self, now: float = 1_000.0) -> bool:
        self.recorder.close(now)
        return asyncio.run(self.shelf.close(now))

    def payloads(self, track: tuple[str, int]) -> list[bytes]:
        journal = self.place.read()
        return [p.payload for p in journal.read(track, 0, journal.bound(track)).values()]


def test_every_track_is_kept(tmp_path: Path) -> None:
    made = Recording(tmp_path)
    for track in (OURS, OTHERS):
        made.recorder.add_track(track, 100.0)
        made.say(track, range(100))
    assert made.close()
    assert made.payloads(OURS) == made.payloads(OTHERS) == FRAMES[:100]


def test_a_chunk_comes_every_five_seconds_and_follows_the_one_before(tmp_path: Path) -> None:
    made = Recording(tmp_path)
    made.recorder.add_track(OURS, 100.0)
    chunks: list[Chunk] = []
    for index in range(600):
        made.say(OURS, range(index, index + 1))
        chunks += made.recorder.due(100.0 + index * FRAME_S + 0.001)
    chunks += made.recorder.take_chunks(112.0)
    made.close()
    spans = [(c.tracks[0].first, c.tracks[0].count) for c in chunks]
    assert spans == [(0, 251), (251, 250), (501, 99)]
    assert len({chunk.key for chunk in chunks}) == 3


def test_the_record_proves_the_chunks(tmp_path: Path) -> None:
    made = Recording(tmp_path)
    made.recorder.add_track(OURS, 100.0)
    made.say(OURS, range(300), 2**32 - 960)
    (chunk,) = made.recorder.take_chunks(110.0)
    made.close()
    tree = EMPTY_FRONTIER
    for packet in made.place.read().read(OURS, 0, 300).values():
        leaf = format_leaf(chunk.key, packet.index, packet.timestamp, packet.payload)
        tree, _ = tree.append(leaf_hash(leaf))
    assert tree.root() == chunk.tracks[0].root


def test_all_that_a_chunk_covers_is_on_the_disk_before_it_is_claimed(tmp_path: Path) -> None:
    made = Recording(tmp_path)
    made.recorder.add_track(OURS, 100.0)
    made.say(OURS, range(30))
    made.recorder.take_chunks(100.7)
    assert asyncio.run(made.shelf.wait_kept(100.7))
    assert made.payloads(OURS) == FRAMES[:30]
    made.close()


def test_a_chunk_that_the_log_does_not_take_for_long_is_followed_by_others(tmp_path: Path) -> None:
    made = Recording(tmp_path)
    made.recorder.add_track(OURS, 100.0)
    made.say(OURS, range(MAX_CHUNK_PACKETS + 10))
    spans = [(c.tracks[0].first, c.tracks[0].count) for c in made.recorder.take_chunks(300.0)]
    assert spans == [(0, MAX_CHUNK_PACKETS), (MAX_CHUNK_PACKETS, 10)]
    made.close()


def test_silence_piles_up_no_right_to_flood(tmp_path: Path) -> None:
    made = Recording(tmp_path)
    made.recorder.add_track(OTHERS, 100.0)
    for n in range(3_000):
        made.recorder.write(OTHERS, Packet(n, n, b"\xfc"), 500.0)
    made.close()
    assert made.recorder.dropped() == 3_000 - round(BURST_S * MAX_PACKETS_A_SECOND)


def test_received_tracks_are_in_no_chunk(tmp_path: Path) -> None:
    made = Recording(tmp_path)
    made.recorder.add_track(OTHERS, 100.0)
    made.say(OTHERS, range(10))
    assert made.recorder.due(106.0) == []
    made.close()


def test_an_own_packet_has_to_follow(tmp_path: Path) -> None:
    made = Recording(tmp_path)
    made.recorder.add_track(OURS, 100.0)
    made.say(OURS, range(1))
    with pytest.raises(MisuseError, match="packet 1 of track 1 is due, not 3"):
        made.say(OURS, range(3, 4))
    made.close()


def test_a_track_is_recorded_once(tmp_path: Path) -> None:
    made = Recording(tmp_path)
    made.recorder.add_track(OURS, 100.0)
    with pytest.raises(MisuseError, match="is or was being recorded"):
        made.recorder.add_track(OURS, 100.0)
    made.close()
    with pytest.raises(MisuseError):
        made.recorder.add_track((OWN, 2), 100.0)


def test_more_than_anybody_speaks_is_not_kept(tmp_path: Path) -> None:
    made = Recording(tmp_path)
    made.recorder.add_track(OTHERS, 100.0)
    limit = round(BURST_S * MAX_PACKETS_A_SECOND)
    for n in range(limit + 70):
        made.recorder.write(OTHERS, Packet(n, n, b"\xfc"), 100.0)
    assert made.recorder.dropped() == 70
    for n in range(2_100, 2_170):
        made.recorder.write(OTHERS, Packet(n, n, bytes(1_300)), 101.0)
    made.close()
    assert made.recorder.dropped() == 70


def test_an_index_that_nobody_has_come_to_by_now_is_not_kept(tmp_path: Path) -> None:
    made = Recording(tmp_path)
    made.recorder.add_track(OTHERS, 100.0)
    made.recorder.write(OTHERS, Packet(32_000, 0, b"\xfc"), 101.0)
    assert made.recorder.dropped() == 1
    made.recorder.write(OTHERS, Packet(32_000, 0, b"\xfc"), 161.0)  # a minute of silence, or lost
    made.close()
    assert made.recorder.dropped() == 1


def test_a_recorder_that_begins_late_takes_indexes_that_counted_on_meanwhile(
    tmp_path: Path,
) -> None:
    made = Recording(tmp_path, call_began=100.0 - 3_600)
    made.recorder.add_track(OTHERS, 100.0)
    an_hour = 3_600 * 50
    made.recorder.write(OTHERS, Packet(an_hour, 0, b"\xfc"), 100.0)
    assert made.recorder.dropped() == 0
    made.recorder.write(OTHERS, Packet(an_hour * 11, 0, b"\xfc"), 100.0)
    made.close()
    assert made.recorder.dropped() == 1


def test_a_chunk_tells_the_leaves_of_what_is_not_kept(tmp_path: Path) -> None:
    made = Recording(tmp_path)
    made.recorder.add_track(OURS, 100.0)
    made.say(OURS, range(3))
    (kept,) = made.recorder.take_chunks(101.0)
    assert kept.is_kept
    made.recorder.hash_only(1, Packet(3, 3 * 960, FRAMES[3]))
    (chunk,) = made.recorder.take_chunks(102.0)
    assert not chunk.is_kept
    assert chunk.leaves == {1: leaf_hash(format_leaf(chunk.key, 3, 3 * 960, FRAMES[3]))}
    made.close()


def test_the_lamp_shows_the_age_of_what_is_on_the_disk(tmp_path: Path) -> None:
    made = Recording(tmp_path)
    made.recorder.add_track(OURS, 100.0)
    assert made.recorder.status(100.0) == RecorderStatus(on=True, age_ms=None)
    made.say(OURS, range(50))
    made.close()
    assert made.recorder.status(101.5) == RecorderStatus(on=False, age_ms=520)


def slow(reached: threading.Event, released: threading.Event) -> Callable[[int, bytes], int]:
    write = os.write

    def wait(descriptor: int, data: bytes) -> int:
        reached.set()
        assert released.wait(10)
        return write(descriptor, data)

    return wait


def test_a_disk_that_hesitates_turns_the_lamp_off_and_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, released = threading.Event(), threading.Event()
    monkeypatch.setattr("os.write", slow(reached, released))
    made = Recording(tmp_path)
    made.recorder.add_track(OURS, 100.0)
    made.say(OURS, range(1))
    assert reached.wait(10)
    assert made.recorder.status(100.9).on
    assert not made.recorder.status(101.1).on
    assert made.recorder.next_event() is None
    released.set()
    assert made.close()
    assert made.payloads(OURS) == FRAMES[:1]


def test_a_disk_that_never_answers_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, released = threading.Event(), threading.Event()
    monkeypatch.setattr("telcon.node.record.shelf.CLOSE_TIMEOUT_S", 0.05)
    monkeypatch.setattr("os.write", slow(reached, released))
    made = Recording(tmp_path)
    made.recorder.add_track(OURS, 100.0)
    made.say(OURS, range(1))
    assert not made.close()
    failed = RecorderFailed("the disk did not answer at the end of the call")
    assert made.recorder.next_event() == failed
    released.set()
    for thread in [t for t in threading.enumerate() if t.name == f"record {CALL[:8]}"]:
        thread.join(10)
        assert not thread.is_alive()


def test_a_failure_is_told_once_and_chunks_go_on(tmp_path: Path) -> None:
    (tmp_path / "recordings").write_text("a file where the folder should be")
    made = Recording(tmp_path)
    made.recorder.add_track(OURS, 100.0)
    made.say(OURS, range(1))
    made.close()
    told = made.recorder.next_event()
    assert told is not None
    assert told.reason.startswith("the disk refused: ")
    assert made.recorder.next_event() is None
    assert not made.recorder.status(100.0).on
    assert len(made.recorder.take_chunks(100.0)) == 1


def memory_in_use() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_an_hour_over_the_wrap_needs_little_memory_and_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fdatasync", lambda fd: None)
    made = Recording(tmp_path)
    made.recorder.add_track(OURS, 100.0)
    payload = b"\xfc" + bytes(79)
    base = 2**32 - 10_000 * 960
    began, memory = time.process_time(), memory_in_use()
    for index in range(180_000):
        now = 100.0 + index * FRAME_S
        made.recorder.write(OURS, Packet(index, base + index * 960, payload), now)
        if index % 25 == 0:
            made.recorder.due(now)
        if index % 10_000 == 0:  # faster than life: the disk must not fall behind
            assert asyncio.run(made.shelf.wait_kept(now))
    grown, spent = memory_in_use() - memory, time.process_time() - began
    made.close()
    files = b"".join(render_recorded(made.place.read(), OURS))
    path = tmp_path / "hour.opus"
    path.write_bytes(files)
    show = ("-show_entries", "format=duration", "-of", "csv=p=0", str(path))
    assert float(run_ffmpeg("ffprobe", *show)) == pytest.approx(3_600, abs=0.02)
    assert grown < 10_000_000
    assert spent < 15


WRITER = """
import asyncio, sys, time, random
from functools import partial
from pathlib import Path
from telcon.node.media.oggopus import parse_ogg_opus_untrusted
from telcon.node.record.journal import Head, Packet
from telcon.node.record.place import RecordPlace
from telcon.node.record.recorder import CallRecorder
from telcon.node.record.shelf import Shelf
voice, folder, speed = sys.argv[1:]
packets = [p.payload for p in parse_ogg_opus_untrusted(Path(voice).read_bytes()).packets]
own, other = (f"{name}.example/line/" + "ab" * 16 for name in ("arcadia", "borealis"))
place = RecordPlace.of(Path(folder), "ab" * 16, "cd" * 16)
shelf = Shelf("record", partial(place.begin, Head("cd" * 16, own, other, 0), ()), 0.0)
recorder = CallRecorder(shelf, own, call_began=0.0, now=0.0, random_bytes=random.randbytes)
recorder.add_track((own, 1), 0.0)
for index in range(20_000):
    now = index * 0.02
    recorder.write((own, 1), Packet(index, index * 960, packets[index % len(packets)]), now)
    recorder.due(now)
    if failure := recorder.next_event():
        print("failed", failure.reason, flush=True)
        recorder.close(now); asyncio.run(shelf.close(now)); break
    print(index, flush=True)
    time.sleep(0.02 / float(speed))
"""
VOICE = Path(__file__).parents[3] / "demo" / "voices" / "arcadia.opus"


def start_writer(folder: Path, speed: float, shell: str = "exec") -> subprocess.Popen[str]:
    command = f'{shell} "$0" "$@"'
    arguments = [sys.executable, "-c", WRITER, str(VOICE), str(folder), str(speed)]
    return subprocess.Popen(["bash", "-c", command, *arguments], stdout=subprocess.PIPE, text=True)


def duration_of(folder: Path) -> float:
    """Return how long the record of a killed writer plays, after decoding has shown no fault."""
    journal = RecordPlace.of(folder, LINE, CALL).read()
    path = folder / "found.opus"
    path.write_bytes(b"".join(render_recorded(journal, OURS)))
    run_ffmpeg("ffmpeg", "-y", "-i", str(path), "-f", "null", "-")
    show = ("-show_entries", "format=duration", "-of", "csv=p=0", str(path))
    return float(run_ffmpeg("ffprobe", *show))


def test_kill_9_loses_a_second_at_the_most(tmp_path: Path) -> None:
    moments = random.Random(9)
    folders = [tmp_path / str(number) for number in range(5)]
    processes = [start_writer(folder, speed=1) for folder in folders]
    for folder, process in zip(folders, processes, strict=True):
        said = kill_after(process, packets=moments.randrange(50, 270))
        found = duration_of(folder)
        assert (said + 1) * FRAME_S - 1.2 <= found
        assert found <= (said + 2) * FRAME_S


def kill_after(process: "subprocess.Popen[str]", packets: int) -> int:
    """Kill a writer when it has written so many packets; return the last it spoke of."""
    said = -1
    with process:
        assert process.stdout is not None
        while said < packets:
            said = int(process.stdout.readline())
        process.kill()
        rest = process.stdout.read().split("\n")[:-1]  # without a torn line
    return int(rest[-1]) if rest else said


def test_a_full_disk_ends_the_recording_and_not_the_writer(tmp_path: Path) -> None:
    with start_writer(tmp_path, speed=1_000, shell="ulimit -f 20 && exec") as process:
        output, _ = process.communicate(timeout=60)
    assert output.splitlines()[-1] == "failed the disk refused: File too large"
    assert RecordPlace.of(tmp_path, LINE, CALL).journal.stat().st_size <= 20 * 1024
    assert duration_of(tmp_path) > 3

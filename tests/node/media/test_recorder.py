"""The recorder of a call: tracks, chunks, the lamp, and the worst that a disk or a kill can do."""

import asyncio
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fakes.audio import duration_s, run_ffmpeg
from telcon.errors import MisuseError
from telcon.ledger.merkle import EMPTY_FRONTIER, leaf_hash
from telcon.node.media.chunks import Chunk, format_leaf
from telcon.node.media.oggopus import OggOpusWriter, parse_ogg_opus_untrusted
from telcon.node.media.recorder import CallRecorder, RecorderFailed, RecorderStatus
from telcon.node.media.recording import ClosedRecording, recover

CALL = "cd" * 16
OWN = "arcadia.example/line/" + "ab" * 16
THEIRS = "borealis.example/line/" + "ab" * 16
FRAME_S = 0.02
FRAMES = [b"\xfc" + n.to_bytes(2, "big") for n in range(1_000)]
NIGHT_US = 1_700_000_000_000_000


def make(folder: Path, now: float = 100.0) -> CallRecorder:
    keys = random.Random(1)
    return CallRecorder(
        folder / CALL, CALL, OWN, started_us=NIGHT_US, now=now, random_bytes=keys.randbytes
    )


def close(recorder: CallRecorder, now: float = 1_000.0) -> list[ClosedRecording]:
    return asyncio.run(recorder.close(now))


def payloads(path: Path) -> list[bytes]:
    packets = parse_ogg_opus_untrusted(path.read_bytes()).packets
    return [packet.payload for packet in packets if not packet.is_lost]


def root_of_file(chunk: Chunk, path: Path) -> bytes:
    """Compute the first track's root from the recording alone."""
    file = parse_ogg_opus_untrusted(path.read_bytes())
    first = int(file.comments["TELCON_INDEX"])
    base = int(file.comments["TELCON_TIMESTAMP"])
    track = chunk.tracks[0]
    tree = EMPTY_FRONTIER
    spoken = [packet for packet in file.packets if not packet.is_lost]
    for index in range(track.first, track.first + track.count):
        packet = spoken[index - first]
        leaf = format_leaf(chunk.key, index, base + packet.start, packet.payload)
        tree, _ = tree.append(leaf_hash(leaf))
    return tree.root()


def test_every_speaker_has_a_file_named_after_node_and_track(tmp_path: Path) -> None:
    recorder = make(tmp_path)
    ours = recorder.track(OWN, 1, "President", 100.0)
    theirs = recorder.track(THEIRS, 2, "Prime Minister", 100.0)
    for index, frame in enumerate(FRAMES[:100]):
        ours.write(index, index * 960, frame, 100.0 + index * FRAME_S)
        theirs.write(index, index * 960, frame + b"x", 100.0 + index * FRAME_S)
    closed = close(recorder)
    assert [(c.origin, c.number, c.path.name, c.packets) for c in closed] == [
        (OWN, 1, "arcadia.example-1.opus", 100),
        (THEIRS, 2, "borealis.example-2.opus", 100),
    ]
    assert payloads(closed[0].path) == FRAMES[:100]
    assert {key: s.packets for key, s in recorder.statistics().items()} == {
        (OWN, 1): 100,
        (THEIRS, 2): 100,
    }


def test_what_is_closed_is_what_recovery_would_find(tmp_path: Path) -> None:
    recorder = make(tmp_path)
    track = recorder.track(OWN, 1, "President", 100.0)
    for index, frame in enumerate(FRAMES[:100]):
        track.write(index, index * 960, frame, 100.0 + index * FRAME_S)
    assert [recover(closed.path) for closed in close(recorder)]


def test_a_chunk_comes_every_five_seconds_and_follows_the_one_before(tmp_path: Path) -> None:
    recorder = make(tmp_path)
    track = recorder.track(OWN, 1, "President", 100.0)
    chunks = []
    for index, frame in enumerate(FRAMES[:600]):
        now = 100.0 + index * FRAME_S
        track.write(index, index * 960, frame, now)
        if (chunk := recorder.due(now + 0.001)) is not None:
            chunks.append(chunk)
    if (last := recorder.take_chunk(112.0)) is not None:
        chunks.append(last)
    close(recorder)
    spans = [(c.tracks[0].first, c.tracks[0].count) for c in chunks]
    assert spans == [(0, 251), (251, 250), (501, 99)]
    assert len({chunk.key for chunk in chunks}) == 3


def test_the_recording_proves_the_chunks(tmp_path: Path) -> None:
    recorder = make(tmp_path)
    track = recorder.track(OWN, 1, "President", 100.0)
    for index, frame in enumerate(FRAMES[:300]):
        pause = 0 if index < 100 else 2 * 48_000
        now = 100.0 + index * FRAME_S + pause / 48_000
        track.write(index, 2**32 - 960 + index * 960 + pause, frame, now)
    chunk = recorder.take_chunk(110.0)
    path = close(recorder)[0].path
    assert chunk is not None
    assert root_of_file(chunk, path) == chunk.tracks[0].root


def test_a_changed_packet_proves_the_chunk_no_longer(tmp_path: Path) -> None:
    recorder = make(tmp_path)
    track = recorder.track(OWN, 1, "President", 100.0)
    for index, frame in enumerate(FRAMES[:50]):
        track.write(index, index * 960, frame, 100.0 + index * FRAME_S)
    chunk = recorder.take_chunk(110.0)
    path = close(recorder)[0].path
    file = parse_ogg_opus_untrusted(path.read_bytes())
    writer = OggOpusWriter(1, file.comments)
    spoken = [packet.payload for packet in file.packets]
    spoken[30] = spoken[30][:-1] + b"!"
    pages = [writer.header(), *(writer.write(packet, 960) for packet in spoken), writer.finish()]
    path.write_bytes(b"".join(pages))
    assert chunk is not None
    assert root_of_file(chunk, path) != chunk.tracks[0].root


def test_received_tracks_are_in_no_chunk(tmp_path: Path) -> None:
    recorder = make(tmp_path)
    recorder.track(THEIRS, 1, "Prime Minister", 100.0).write(0, 0, FRAMES[0], 100.0)
    assert recorder.due(106.0) is None
    close(recorder)


def test_an_own_packet_has_to_follow(tmp_path: Path) -> None:
    recorder = make(tmp_path)
    track = recorder.track(OWN, 1, "President", 100.0)
    track.write(0, 0, FRAMES[0], 100.0)
    with pytest.raises(MisuseError, match="packet 1 of track 1 is due, not 3"):
        track.write(3, 0, FRAMES[3], 100.0)
    close(recorder)


@pytest.mark.parametrize(
    ("origin", "number"), [("../x/line/1", 1), ("", 1), (".x", 1), (OWN, 0), (OWN, 256)]
)
def test_no_file_outside_the_folder(tmp_path: Path, origin: str, number: int) -> None:
    recorder = make(tmp_path)
    with pytest.raises(MisuseError, match="no file can be named"):
        recorder.track(origin, number, "x", 100.0)
    assert close(recorder) == []


def test_a_track_is_recorded_once(tmp_path: Path) -> None:
    recorder = make(tmp_path)
    recorder.track(OWN, 1, "President", 100.0)
    with pytest.raises(MisuseError, match="is or was being recorded"):
        recorder.track(OWN, 1, "President", 100.0)
    close(recorder)
    with pytest.raises(MisuseError):
        recorder.track(OWN, 2, "President", 100.0)
    with pytest.raises(MisuseError, match="closed already"):
        close(recorder)


def test_the_lamp_shows_the_age_of_what_is_on_the_disk(tmp_path: Path) -> None:
    recorder = make(tmp_path)
    track = recorder.track(OWN, 1, "President", 100.0)
    assert recorder.status(100.0) == RecorderStatus(on=True, age_ms=None)
    for index in range(50):
        track.write(index, index * 960, FRAMES[index], 100.0 + index * FRAME_S)
    close(recorder)
    assert recorder.status(101.5) == RecorderStatus(on=False, age_ms=520)


def test_a_disk_that_hesitates_turns_the_lamp_off_and_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, released = threading.Event(), threading.Event()
    write = os.write

    def slow(descriptor: int, data: bytes) -> int:
        reached.set()
        assert released.wait(10)
        return write(descriptor, data)

    monkeypatch.setattr("os.write", slow)
    recorder = make(tmp_path)
    track = recorder.track(OWN, 1, "President", 100.0)
    track.write(0, 0, FRAMES[0], 100.0)
    assert reached.wait(10)
    assert recorder.status(100.9).on
    assert not recorder.status(101.1).on
    assert recorder.next_event() is None
    released.set()
    assert [c.packets for c in close(recorder)] == [1]


def test_a_disk_that_never_answers_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    monkeypatch.setattr("telcon.node.media.recorder.CLOSE_TIMEOUT_S", 0.05)
    monkeypatch.setattr("os.write", lambda fd, data: released.wait(10) and len(data))
    recorder = make(tmp_path)
    recorder.track(OWN, 1, "President", 100.0).write(0, 0, FRAMES[0], 100.0)
    assert close(recorder) == []
    assert recorder.next_event() == RecorderFailed("the disk did not answer at the end of the call")
    released.set()
    [thread] = [t for t in threading.enumerate() if t.name == f"recorder {CALL[:8]}"]
    thread.join(10)
    assert not thread.is_alive()


def test_a_failure_is_told_once_and_chunks_go_on(tmp_path: Path) -> None:
    (tmp_path / CALL).write_text("a file where the folder should be")
    recorder = make(tmp_path)
    track = recorder.track(OWN, 1, "President", 100.0)
    track.write(0, 0, FRAMES[0], 100.0)
    assert close(recorder) == []
    assert recorder.next_event() == RecorderFailed("the disk refused: File exists")
    assert recorder.next_event() is None
    assert not recorder.status(100.0).on
    assert recorder.take_chunk(100.0) is not None


def memory_in_use() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_an_hour_over_the_wrap_needs_little_memory_and_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fdatasync", lambda fd: None)  # 720 in a few seconds
    recorder = make(tmp_path)
    track = recorder.track(OWN, 1, "President", 100.0)
    payload = b"\xfc" + bytes(79)
    base = 2**32 - 10_000 * 960
    began, memory = time.process_time(), memory_in_use()
    for index in range(180_000):
        now = 100.0 + index * FRAME_S
        track.write(index, base + index * 960, payload, now)
        if index % 25 == 0:
            recorder.due(now)
    grown, spent = memory_in_use() - memory, time.process_time() - began
    closed = close(recorder)[0]
    assert closed.packets == 180_000
    assert duration_s(closed.path) == pytest.approx(3_600, abs=0.02)
    assert grown < 10_000_000
    assert spent < 10


WRITER = """
import sys, time, random
from pathlib import Path
from telcon.node.media.oggopus import OggOpusWriter, parse_ogg_opus_untrusted
from telcon.node.media.recorder import CallRecorder
voice, folder, speed = sys.argv[1:]
packets = [p.payload for p in parse_ogg_opus_untrusted(Path(voice).read_bytes()).packets]
recorder = CallRecorder(Path(folder), "cd" * 16, "arcadia.example/line/1",
    started_us=0, now=0.0, random_bytes=random.randbytes)
track = recorder.track("arcadia.example/line/1", 1, "President", 0.0)
for index in range(10_000):
    track.write(index, index * 960, packets[index % len(packets)], index * 0.02)
    recorder.due(index * 0.02)
    if failure := recorder.next_event():
        print("failed", failure.reason, flush=True)
        import asyncio; asyncio.run(recorder.close(0.0)); break
    print(index, flush=True)
    time.sleep(0.02 / float(speed))
"""
VOICE = Path(__file__).parents[3] / "demo" / "voices" / "arcadia.opus"


def start_writer(folder: Path, speed: float, shell: str = "exec") -> subprocess.Popen[str]:
    command = f'{shell} "$0" "$@"'
    arguments = [sys.executable, "-c", WRITER, str(VOICE), str(folder), str(speed)]
    return subprocess.Popen(["bash", "-c", command, *arguments], stdout=subprocess.PIPE, text=True)


def test_kill_9_loses_a_second_at_the_most(tmp_path: Path) -> None:
    moments = random.Random(9)
    folders = [tmp_path / str(number) for number in range(5)]
    processes = [start_writer(folder, speed=1) for folder in folders]
    for folder, process in zip(folders, processes, strict=True):
        said = kill_after(process, packets=moments.randrange(50, 270))
        path = folder / "arcadia.example-1.opus"
        before = duration_s(path)
        assert (said + 1) * FRAME_S - 1.2 <= before
        run_ffmpeg("ffmpeg", "-i", str(path), "-f", "null", "-")
        closed = recover(path)
        assert duration_s(path) == pytest.approx(before, abs=0.001)
        assert closed.packets == round(before / FRAME_S)


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
    path = tmp_path / "arcadia.example-1.opus"
    assert path.stat().st_size <= 20 * 1024
    run_ffmpeg("ffmpeg", "-i", str(path), "-f", "null", "-")
    assert duration_s(path) > 3

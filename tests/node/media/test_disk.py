"""The thread through which recordings reach the disk."""

import os
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from stat import S_IMODE

import pytest

from telcon.node.media.disk import MAX_WAITING, DiskWriter

TIMEOUT_S = 10


class StuckDisk:
    """A disk that takes nothing until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached = threading.Event()
        self.released = threading.Event()
        write = os.write

        def stuck(descriptor: int, data: bytes) -> int:
            self.reached.set()
            assert self.released.wait(TIMEOUT_S)
            return write(descriptor, data)

        monkeypatch.setattr("os.write", stuck)


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[StuckDisk]:
    disk = StuckDisk(monkeypatch)
    yield disk
    disk.released.set()


def test_files_hold_what_was_written_in_order(tmp_path: Path) -> None:
    writer = DiskWriter("test")
    files = [writer.open(tmp_path / "call" / name, 0.0) for name in ("a", "b")]
    for number in range(20):
        for file in files:
            writer.write(file, b"%d " % number, float(number), 0.0)
    writer.close(0.0).result(TIMEOUT_S)
    expected = b"".join(b"%d " % number for number in range(20))
    for file in files:
        assert file.path.read_bytes() == expected
        assert (file.size, file.newest, file.hash.digest()) == (
            len(expected),
            19.0,
            sha256(expected).digest(),
        )
    assert writer.failure is None


def test_only_the_node_may_read_the_files(tmp_path: Path) -> None:
    writer = DiskWriter("test")
    file = writer.open(tmp_path / "call" / "a", 0.0)
    writer.close(0.0).result(TIMEOUT_S)
    assert S_IMODE(file.path.stat().st_mode) == 0o600
    assert S_IMODE(file.path.parent.stat().st_mode) == 0o700


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"evidence")
    writer = DiskWriter("test")
    file = writer.open(path, 0.0)
    writer.write(file, b"x", 0.0, 0.0)
    writer.close(0.0).result(TIMEOUT_S)
    assert writer.failure == "the disk refused: File exists"
    assert path.read_bytes() == b"evidence"


def test_a_full_disk_leaves_whole_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    room = [25]

    def full(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        taken = write(descriptor, data[: room[0]])
        room[0] -= taken
        return taken

    monkeypatch.setattr("os.write", full)
    writer = DiskWriter("test")
    file = writer.open(tmp_path / "a", 0.0)
    for _ in range(5):
        writer.write(file, b"0123456789", 0.0, 0.0)
    writer.close(0.0).result(TIMEOUT_S)
    assert file.path.read_bytes() == b"01234567890123456789"
    assert file.hash.digest() == sha256(b"01234567890123456789").digest()
    assert writer.failure == "the disk refused: No space left on device"


def test_a_page_behind_one_that_failed_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    answers = iter([False, True, False])

    def flaky(descriptor: int, data: bytes) -> int:
        if next(answers):
            raise OSError(5, "Input/output error")
        return write(descriptor, data)

    monkeypatch.setattr("os.write", flaky)
    writer = DiskWriter("test")
    file = writer.open(tmp_path / "a", 0.0)
    for page in (b"one", b"two", b"three"):
        writer.write(file, page, 0.0, 0.0)
    writer.close(0.0).result(TIMEOUT_S)
    assert file.path.read_bytes() == b"one"


def test_a_stuck_disk_holds_nobody_up_and_shows(tmp_path: Path, stuck: StuckDisk) -> None:
    writer = DiskWriter("test")
    file = writer.open(tmp_path / "a", 1.0)
    writer.write(file, b"x", 2.0, 2.0)
    assert stuck.reached.wait(TIMEOUT_S)
    assert writer.waiting_since() == 2.0
    assert writer.failure is None
    stuck.released.set()
    writer.close(3.0).result(TIMEOUT_S)
    assert file.path.read_bytes() == b"x"


def test_what_waits_for_a_stuck_disk_is_bounded(tmp_path: Path, stuck: StuckDisk) -> None:
    writer = DiskWriter("test")
    file = writer.open(tmp_path / "a", 0.0)
    writer.write(file, b"x", 0.0, 0.0)
    assert stuck.reached.wait(TIMEOUT_S)
    for _ in range(MAX_WAITING):
        writer.write(file, b"x", 0.0, 0.0)
    assert writer.failure is None
    writer.write(file, b"x", 0.0, 0.0)
    assert writer.failure == "the disk has taken nothing for a long time"


def test_the_thread_ends_with_the_writer(tmp_path: Path) -> None:
    writer = DiskWriter("the thread that ends")
    writer.close(0.0).result(TIMEOUT_S)
    for thread in threading.enumerate():
        if thread.name == "the thread that ends":
            thread.join(TIMEOUT_S)
            assert not thread.is_alive()

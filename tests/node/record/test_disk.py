"""The thread through which records reach the disk."""

import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from telcon.node.record.disk import MAX_WAITING, DiskWriter, write_whole

TIMEOUT_S = 10


def nothing() -> None:
    pass


@pytest.fixture
def released() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def stuck(released: threading.Event, reached: threading.Event) -> Callable[[], None]:
    def job() -> None:
        reached.set()
        assert released.wait(TIMEOUT_S)

    return job


def refuse() -> None:
    raise OSError(28, "No space left on device")


def test_jobs_are_done_in_their_order() -> None:
    writer, done = DiskWriter("test"), list[int]()
    for number in range(20):
        writer.give(0.0, partial(done.append, number))
    writer.close(0.0, nothing).result(TIMEOUT_S)
    assert done == list(range(20))
    assert writer.failure is None


def test_what_is_behind_a_failure_is_not_done_and_the_last_is() -> None:
    writer, done = DiskWriter("test"), list[str]()
    writer.give(0.0, refuse)
    writer.give(0.0, partial(done.append, "behind"))
    assert writer.done(0.0).result(TIMEOUT_S) is None
    writer.close(0.0, partial(done.append, "last")).result(TIMEOUT_S)
    assert done == ["last"]
    assert writer.failure == "the disk refused: No space left on device"


def test_a_full_disk_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    room = [25]

    def full(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        taken = write(descriptor, data[: room[0]])
        room[0] -= taken
        return taken

    monkeypatch.setattr("os.write", full)
    path = tmp_path / "a"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    write_whole(descriptor, b"0123456789", 0)
    write_whole(descriptor, b"0123456789", 10)
    with pytest.raises(OSError, match="No space"):
        write_whole(descriptor, b"0123456789", 20)
    os.close(descriptor)
    assert path.read_bytes() == b"0123456789" * 2


def test_a_stuck_disk_holds_nobody_up_and_shows(released: threading.Event) -> None:
    writer, reached = DiskWriter("test"), threading.Event()
    writer.give(2.0, stuck(released, reached))
    assert reached.wait(TIMEOUT_S)
    assert writer.waiting_since() == 2.0
    assert writer.failure is None
    released.set()
    writer.close(3.0, nothing).result(TIMEOUT_S)


def test_what_waits_for_a_stuck_disk_is_bounded(released: threading.Event) -> None:
    writer, reached = DiskWriter("test"), threading.Event()
    writer.give(0.0, stuck(released, reached))
    assert reached.wait(TIMEOUT_S)
    for _ in range(MAX_WAITING):
        writer.give(0.0, nothing)
    assert writer.failure is None
    writer.give(0.0, nothing)
    assert writer.failure == "the disk has taken nothing for a long time"


def test_the_thread_ends_with_the_writer() -> None:
    writer = DiskWriter("the thread that ends")
    writer.close(0.0, nothing).result(TIMEOUT_S)
    for thread in threading.enumerate():
        if thread.name == "the thread that ends":
            thread.join(TIMEOUT_S)
            assert not thread.is_alive()

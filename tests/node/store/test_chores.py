"""Chores: what is dirty is synced, what has grown is moved."""

from pathlib import Path

import pytest

from telcon.core.stored import NEW_LOG, Marker
from telcon.node.store.chores import ROWS_PER_CHECKPOINT, StoreChores
from telcon.node.store.engine import connect_writer, disconnect, driver_of, transaction
from telcon.node.store.marker import Markers

LINE = "ab" * 16


class Bench:
    """A database with one table, markers beside it, and chores over both."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "test.db"
        self.writer = connect_writer(self.path)
        driver_of(self.writer).execute("CREATE TABLE number (n BLOB)")
        self.markers = Markers(folder)
        self.markers.create(LINE, NEW_LOG)
        self.chores = StoreChores(self.writer, self.markers)

    def add_rows(self, count: int) -> None:
        with transaction(self.writer):
            rows = [(b"." * 400,)] * count
            driver_of(self.writer).executemany("INSERT INTO number VALUES (?)", rows)

    def close(self) -> None:
        self.markers.close()
        disconnect(self.writer)


def test_a_clean_marker_and_few_rows_are_no_work(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.add_rows(ROWS_PER_CHECKPOINT - 1)
    assert not bench.chores.after_commit()
    bench.close()


def test_a_dirty_marker_is_synced(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.markers.write(LINE, Marker(1, b"\x01" * 32))
    assert bench.chores.after_commit()
    bench.chores.run()
    assert not bench.chores.after_commit()
    bench.close()


def test_many_rows_are_moved_into_the_database(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    before = bench.path.stat().st_size
    bench.add_rows(ROWS_PER_CHECKPOINT)
    assert bench.path.stat().st_size == before
    assert bench.chores.after_commit()
    bench.chores.run()
    assert bench.path.stat().st_size > before
    assert not bench.chores.after_commit()
    bench.close()


def test_the_write_ahead_log_is_used_again_and_stays_small(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    sizes = []
    for _ in range(5):
        bench.add_rows(ROWS_PER_CHECKPOINT)
        bench.chores.run()
        sizes.append(bench.path.with_name("test.db-wal").stat().st_size)
    assert max(sizes) < 2 * sizes[0]
    bench.close()


def test_a_checkpoint_that_is_refused_is_said_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path)
    bench.add_rows(ROWS_PER_CHECKPOINT)
    with transaction(bench.writer):  # a checkpoint is refused within a transaction
        driver_of(bench.writer).execute("INSERT INTO number VALUES (x'00')")
        bench.chores.run()
    assert "store.checkpoint-failed" in caplog.text
    assert bench.chores.after_commit()
    bench.close()

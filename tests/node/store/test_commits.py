"""The commit thread: it groups, it isolates failures, it tells after the sync, it does chores."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection

from telcon.errors import MisuseError, StorageError
from telcon.node.store import commits
from telcon.node.store.commits import MAX_GROUP, CommitThread
from telcon.node.store.engine import connect_reader, connect_writer, disconnect, driver_of
from telcon.node.store.reader import Reader


class CountedChores:
    """Chores that only count; due while `is_due`."""

    def __init__(self) -> None:
        self.is_due = False
        self.runs = 0
        self.ran = threading.Event()

    def after_commit(self) -> bool:
        return self.is_due

    def run(self) -> None:
        self.runs += 1
        self.ran.set()


class Bench:
    """A commit thread over a database with one table of numbers."""

    def __init__(self, folder: Path) -> None:
        self.writer = connect_writer(folder / "test.db")
        driver_of(self.writer).execute("CREATE TABLE number (n INTEGER PRIMARY KEY)")
        self.chores = CountedChores()
        self.thread = CommitThread(self.writer, self.chores)
        self.reader = Reader(connect_reader(folder / "test.db"))

    def numbers(self) -> list[int]:
        return [row[0] for row in self.reader.rows("SELECT n FROM number ORDER BY n")]


def run(folder: Path, test: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        bench = Bench(folder)
        try:
            await test(bench)
        finally:
            await bench.thread.close()
            bench.reader.close()
            disconnect(bench.writer)

    asyncio.run(main())


def add(number: int) -> Callable[[Connection], int]:
    """Return a work that adds `number` and returns it."""

    def work(connection: Connection) -> int:
        connection.exec_driver_sql("INSERT INTO number VALUES (?)", (number,))
        return number

    return work


def fail(_: Connection) -> None:
    raise ValueError("this work fails")


async def gathered(bench: Bench, *works: Callable[[Connection], object]) -> list[object]:
    """Hand in `works` before the thread runs, so that they make one group."""
    handed = [asyncio.ensure_future(bench.thread.run(work)) for work in works]
    await asyncio.sleep(0)
    bench.thread.start()
    return list(await asyncio.gather(*handed, return_exceptions=True))


def test_what_waits_goes_into_one_transaction(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        results = await gathered(bench, *(add(number) for number in range(100)))
        assert results == bench.numbers() == list(range(100))
        found = bench.thread.statistics()
        assert (found.transactions, found.works, found.largest_group) == (1, 100, 100)

    run(tmp_path, test)


def test_a_group_is_bounded(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await gathered(bench, *(add(number) for number in range(MAX_GROUP + 1)))
        assert bench.thread.statistics().transactions == 2
        assert bench.thread.statistics().largest_group == MAX_GROUP

    run(tmp_path, test)


def test_a_failing_work_fails_alone(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        results = await gathered(bench, add(1), fail, add(2), add(1), add(3))
        assert results[0] == 1
        assert isinstance(results[1], ValueError)
        assert isinstance(results[3], MisuseError)
        assert (results[2], results[4]) == (2, 3)
        assert bench.numbers() == [1, 2, 3]
        assert bench.thread.statistics().failed == 2

    run(tmp_path, test)


def test_half_a_work_leaves_nothing(tmp_path: Path) -> None:
    def half(connection: Connection) -> None:
        add(7)(connection)
        fail(connection)

    async def test(bench: Bench) -> None:
        await gathered(bench, half)
        assert bench.numbers() == []

    run(tmp_path, test)


def test_an_outcome_is_told_after_the_commit_and_after_what_follows_it(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        bench.thread.start()
        done: list[str] = []
        await bench.thread.run(add(1), after=lambda: done.append("after"))
        assert (bench.numbers(), done) == ([1], ["after"])

    run(tmp_path, test)


def test_what_follows_a_commit_is_not_done_when_it_fails(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        bench.thread.start()
        done: list[str] = []
        with pytest.raises(ValueError, match="fails"):
            await bench.thread.run(fail, after=lambda: done.append("after"))
        assert done == []

    run(tmp_path, test)


def test_when_what_follows_fails_the_work_stays(tmp_path: Path) -> None:
    def refuse() -> None:
        raise StorageError("no marker")

    async def test(bench: Bench) -> None:
        bench.thread.start()
        with pytest.raises(StorageError):
            await bench.thread.run(add(1), after=refuse)
        assert bench.numbers() == [1]

    run(tmp_path, test)


def test_the_thread_goes_on_after_errors(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        bench.thread.start()
        for number in range(5):
            with pytest.raises(ValueError, match="fails"):
                await bench.thread.run(fail)
            assert await bench.thread.run(add(number)) == number

    run(tmp_path, test)


def test_a_cancelled_wait_harms_nobody(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        waiting = asyncio.ensure_future(bench.thread.run(add(1)))
        await asyncio.sleep(0)
        waiting.cancel()
        bench.thread.start()
        assert await bench.thread.run(add(2)) == 2
        assert bench.numbers() == [1, 2]

    run(tmp_path, test)


def test_closing_finishes_what_waits(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        handed = [asyncio.ensure_future(bench.thread.run(add(number))) for number in range(3)]
        await asyncio.sleep(0)
        bench.thread.start()
        await bench.thread.close()
        assert await asyncio.gather(*handed) == bench.numbers() == [0, 1, 2]
        with pytest.raises(MisuseError, match="closed"):
            await bench.thread.run(add(4))

    run(tmp_path, test)


def test_works_run_in_the_order_given(tmp_path: Path) -> None:
    seen: list[int] = []

    def note(number: int) -> Callable[[Connection], None]:
        return lambda _: seen.append(number)

    async def test(bench: Bench) -> None:
        await gathered(bench, *(note(number) for number in range(50)))
        assert seen == list(range(50))

    run(tmp_path, test)


def test_chores_run_when_nothing_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "IDLE_S", 0.0)

    async def test(bench: Bench) -> None:
        bench.chores.is_due = True
        bench.thread.start()
        await bench.thread.run(add(1))
        assert await asyncio.to_thread(bench.chores.ran.wait, 10)

    run(tmp_path, test)


def test_chores_run_in_a_busy_thread_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "IDLE_S", 1_000.0)
    monkeypatch.setattr(commits, "MAX_CHORE_DELAY_S", 0.0)

    async def test(bench: Bench) -> None:
        bench.chores.is_due = True
        bench.thread.start()
        for number in range(5):
            await bench.thread.run(add(number))
        assert bench.chores.runs >= 4

    run(tmp_path, test)


def test_chores_run_at_the_end(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        bench.thread.start()
        await bench.thread.run(add(1))
        await bench.thread.close()
        assert bench.chores.runs == 1

    run(tmp_path, test)


def test_an_outcome_for_a_loop_that_is_gone_is_said_and_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path)

    async def hand_in() -> None:
        waiting = asyncio.ensure_future(bench.thread.run(add(1)))
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(hand_in())
    bench.thread.start()

    async def close() -> None:
        await bench.thread.close()

    asyncio.run(close())
    assert bench.numbers() == [1]
    assert "store.outcome-lost" in caplog.text
    bench.reader.close()
    disconnect(bench.writer)

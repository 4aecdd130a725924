"""Real faults: full disks, foreign locks, kill -9. Nothing acknowledged is lost or half-written."""

import asyncio
import os
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from fakes.disk import LINE, GrowingLog, a_line, commit_line, open_recordings, start
from telcon.errors import LockedError, MisuseError, StorageError
from telcon.ledger.merkle import root_at
from telcon.node.store import Store, engine

OWN = a_line().own_origin
PROCESSES = "fakes.disk_processes"


async def opened(folder: Path) -> Store:
    store = Store.open(folder)
    if not store.lines():
        await store.add_line(a_line())
    return store


def end(process: "subprocess.Popen[str]") -> str:
    """Let a process of ours end and return what it said last."""
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return said


def said_first(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.process
def test_a_second_node_on_the_folder_is_refused_until_the_first_dies(tmp_path: Path) -> None:
    first = start(PROCESSES, "hold-folder", str(tmp_path))
    assert said_first(first) == "open"
    with pytest.raises(LockedError, match=rf"process {first.pid}\) runs on the folder {tmp_path}"):
        Store.open(tmp_path)
    first.kill()
    first.communicate()
    asyncio.run(Store.open(tmp_path).close())


def test_a_second_open_in_one_process_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        store = Store.open(tmp_path)
        with pytest.raises(LockedError) as caught:
            Store.open(tmp_path)
        assert "Stop that node first" in caught.value.advice()
        await store.close()
        await Store.open(tmp_path).close()

    asyncio.run(main())


@pytest.mark.process
def test_a_database_locked_by_another_program_fails_the_work_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 20)

    async def main() -> None:
        store, log = await opened(tmp_path), GrowingLog(OWN)
        other = start(PROCESSES, "hold-database", str(tmp_path))
        assert said_first(other) == "locked"
        commit = log.commit()
        with pytest.raises(StorageError, match="locked") as caught:
            await commit_line(store, LINE, commit)
        assert "Another program" in caught.value.advice()
        end(other)
        await commit_line(store, LINE, commit)
        assert store.stored_log(OWN).size == 1
        await store.close()

    asyncio.run(main())


def test_a_full_database_refuses_whole_commits_and_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    async def allow_pages(store: Store, count: int) -> None:
        pragma = f"PRAGMA max_page_count = {count}"
        await store.commit(lambda connection: connection.exec_driver_sql(pragma).all())

    async def main() -> None:
        store, log = await opened(tmp_path), GrowingLog(OWN)
        await commit_line(store, LINE, log.commit())
        held = log.marker()
        await allow_pages(store, 1)  # SQLite takes what it has now
        commit = log.commit(20, octets=4_000)
        with pytest.raises(StorageError, match="full") as caught:
            await commit_line(store, LINE, commit)
        assert "Free space" in caught.value.advice()
        assert (store.stored_log(OWN).size, store.read_marker(LINE)) == (1, held)
        await allow_pages(store, 1_000_000)
        await commit_line(store, LINE, commit)
        assert store.stored_log(OWN).entries(0, 10**6) == log.entries
        await store.close()

    asyncio.run(main())


@pytest.mark.process
def test_a_file_that_may_not_grow_refuses_whole_commits(tmp_path: Path) -> None:
    said = end(start(PROCESSES, "fill-disk", str(tmp_path))).splitlines()
    assert said == ["refused True", "held True", "went on True"]


@pytest.mark.process
@pytest.mark.parametrize("acknowledged", [1, 20, 150])
def test_kill_9_in_a_burst_loses_nothing_acknowledged(tmp_path: Path, acknowledged: int) -> None:
    process = start(PROCESSES, "commit-for-ever", str(tmp_path))
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(acknowledged)]
    os.kill(process.pid, signal.SIGKILL)
    told += process.stdout.read().splitlines(keepends=True)
    process.communicate()
    size, turn = (int(word) for word in [line for line in told if line.endswith("\n")][-1].split())
    check_after_kill(tmp_path, size, turn)


def check_after_kill(folder: Path, size: int, turn: int) -> None:
    """Prove that the store holds what was told, whole, under a marker that fits."""

    async def main() -> None:
        store, log = await opened(folder), GrowingLog(OWN)
        held, marker = store.stored_log(OWN), store.read_marker(LINE)
        assert held.size >= size
        log.commit(held.size)
        assert held.entries(0, 10**9) == log.entries
        assert len(held.openings(0, held.size)) == 2 * held.size
        assert root_at(held.size, held.hash) == log.frontier.root()
        assert marker is not None
        assert size <= marker.size <= held.size
        assert root_at(marker.size, held.hash) == marker.root
        assert len(store.read(open_recordings)) >= turn + 1
        await store.close()

    asyncio.run(main())


@pytest.mark.process
def test_a_folder_that_may_not_be_written_says_what_to_do() -> None:
    # Not under tmp_path, which only root may enter.
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "node"
        asyncio.run(Store.open(folder).close())
        Path(place).chmod(0o755)
        for path in (folder, folder / "never-restore"):
            path.chmod(0o555)
        said = end(start(PROCESSES, "open-as-nobody", str(folder)))
    assert said.startswith("StorageError")
    assert str(folder) in said
    assert "its user owns" in said


def test_a_marker_that_cannot_be_written_stops_the_line_but_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(5, "Input/output error")

    async def main() -> None:
        store, log = await opened(tmp_path), GrowingLog(OWN)
        await commit_line(store, LINE, log.commit())
        held = log.marker()
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", refuse)
            with pytest.raises(StorageError, match="marker"):
                await commit_line(store, LINE, log.commit())
        with pytest.raises(StorageError, match="marker"):
            await commit_line(store, LINE, log.commit())
        assert store.read_marker(LINE) == held
        await store.close()
        store = Store.open(tmp_path)
        # The database is ahead of the marker by the entry that nobody was told of: that fits.
        assert store.stored_log(OWN).size == 2
        assert root_at(1, store.stored_log(OWN).hash) == held.root
        await store.close()

    asyncio.run(main())


def test_a_marker_left_out_of_a_restored_backup_does_not_fit(tmp_path: Path) -> None:
    async def main() -> None:
        store, log = await opened(tmp_path), GrowingLog(OWN)
        await commit_line(store, LINE, log.commit(3))
        await store.close()
        backup = (tmp_path / "telcon.db").read_bytes()
        store = Store.open(tmp_path)
        await commit_line(store, LINE, log.commit(2))
        await store.close()
        (tmp_path / "telcon.db").write_bytes(backup)
        store = Store.open(tmp_path)
        assert store.stored_log(OWN).size == 3
        assert store.read_marker(LINE) == log.marker()
        await store.close()

    asyncio.run(main())


def test_chores_that_fail_are_said_and_cost_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    async def main() -> None:
        store, log = await opened(tmp_path), GrowingLog(OWN)
        with monkeypatch.context() as patch:
            patch.setattr("telcon.node.store.marker.os.fdatasync", refuse)
            await commit_line(store, LINE, log.commit())
            await store.close()
        assert "store.marker-sync-failed" in caplog.text
        store = Store.open(tmp_path)
        assert store.read_marker(LINE) == log.marker()
        await store.close()

    asyncio.run(main())


def test_misuse_is_not_a_storage_error(tmp_path: Path) -> None:
    async def main() -> None:
        store = await opened(tmp_path)
        twice = "INSERT INTO log VALUES ('house', 99, 'no such line', 'origin', 1)"
        with pytest.raises(MisuseError, match="breaks its rules"):
            await store.commit(lambda connection: connection.exec_driver_sql(twice))
        await store.close()

    asyncio.run(main())

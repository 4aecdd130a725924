"""What a store keeps, and how it is read back."""

import asyncio
import stat
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from fakes.disk import LINE, OTHER_LINE, GrowingLog, a_line, commit_line, open_recordings
from telcon.core.stored import NEW_LOG, Commit, Marker, Note, StoredLog
from telcon.errors import MisuseError, StorageError
from telcon.ledger import Fork
from telcon.ledger.merkle import root_at
from telcon.node.store import RecordingRecord, Store
from telcon.node.store.records import find_left_out, leave_out

OWN = a_line().own_origin
THEIRS = a_line().peer_origin
CALL = "0a" * 16


def run(folder: Path, test: Callable[[Store], Awaitable[None]]) -> None:
    """Run `test` on a store in `folder`, which has one line."""

    async def main() -> None:
        store = Store.open(folder)
        try:
            if not store.lines():
                await store.add_line(a_line())
            await test(store)
        finally:
            await store.close()

    asyncio.run(main())


def test_a_new_line_has_two_empty_logs_and_a_marker_that_says_so(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        assert store.lines() == [a_line()]
        assert store.stored_log(OWN).size == store.stored_log(THEIRS).size == 0
        assert store.read_marker(LINE) == NEW_LOG

    run(tmp_path, test)


def test_the_ml_dsa_seeds_of_a_line_come_back_and_are_not_shown(tmp_path: Path) -> None:
    line = replace(a_line(), log_ml_dsa_seed=b"\x03" * 32, mirror_ml_dsa_seed=b"\x04" * 32)
    assert "\\x03" not in repr(line)

    async def main() -> None:
        store = Store.open(tmp_path)
        await store.add_line(line)
        await store.close()
        with Store.open_read_only(tmp_path) as reader:
            assert reader.lines() == [line]

    asyncio.run(main())


def test_seconded_checkpoints_stay_and_are_found_by_what_they_cover(tmp_path: Path) -> None:
    log = GrowingLog(OWN)

    async def write(store: Store) -> None:
        assert store.stored_log(OWN).seconded_size() == 0
        for size in (1, 4, 9):
            await commit_line(store, LINE, log.commit(size - log.frontier.size))
            for note in (b"first", b"again"):
                kept = Note(OWN, size, b"%s at %d" % (note, size), cosigned=True)
                await commit_line(store, LINE, Commit((), (), (), None, (kept,)))

    async def read(store: Store) -> None:
        held = store.stored_log(OWN)
        assert held.seconded_size() == 9
        assert [held.seconded_note_over(index) for index in (0, 1, 3, 4, 8, 9)] == [
            (1, b"first at 1"),
            (4, b"first at 4"),
            (4, b"first at 4"),
            (9, b"first at 9"),
            (9, b"first at 9"),
            None,
        ]
        assert store.stored_log(THEIRS).seconded_note_over(0) is None
        assert held.cosigned_note_over(0) is None  # a table of its own

    run(tmp_path, write)
    run(tmp_path, read)


def test_a_seconded_checkpoint_of_another_line_is_misuse(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        kept = Note("corelia.example/line/" + LINE, 1, b"note", cosigned=True)
        with pytest.raises(MisuseError):
            await commit_line(store, LINE, Commit((), (), (), None, (kept,)))

    run(tmp_path, test)


def test_a_line_is_added_once(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        await commit_line(store, LINE, GrowingLog(OWN).commit())
        with pytest.raises(MisuseError):
            await store.add_line(a_line())
        marker = store.read_marker(LINE)
        assert marker is not None
        assert marker.size == 1

    run(tmp_path, test)


def test_a_line_record_shows_no_seed() -> None:
    assert "\\x01" not in repr(a_line())
    assert "seed" not in repr(a_line())


def test_an_error_shows_no_seed(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        with pytest.raises(MisuseError) as caught:
            await store.add_line(a_line())
        error: BaseException | None = caught.value
        while error is not None:
            assert "\\x01" not in str(error) + repr(error)
            error = error.__cause__ or error.__context__

    run(tmp_path, test)


def test_entries_openings_and_tree_come_back_after_a_restart(tmp_path: Path) -> None:
    log = GrowingLog(OWN)

    async def write(store: Store) -> None:
        for count in (1, 2, 64, 3, 1):
            await commit_line(store, LINE, log.commit(count))

    async def read(store: Store) -> None:
        held: StoredLog = store.stored_log(OWN)
        assert held.size == 71
        assert held.entries(0, 1_000_000) == log.entries
        assert sorted(held.openings(0, 71), key=lambda one: one[0]) == log.openings
        assert store.read_marker(LINE) == log.marker()

    run(tmp_path, write)
    run(tmp_path, read)


def test_every_hash_that_a_root_needs_can_be_read(tmp_path: Path) -> None:
    log = GrowingLog(THEIRS)

    async def test(store: Store) -> None:
        held = store.stored_log(THEIRS)
        for _ in range(70):
            await commit_line(store, LINE, log.commit())
            assert root_at(held.size, held.hash) == log.frontier.root()

    run(tmp_path, test)


def test_a_hash_beyond_the_log_is_refused(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        await commit_line(store, LINE, GrowingLog(OWN).commit(3))
        for level, index in ((0, 3), (1, 1), (2, 0)):
            with pytest.raises(MisuseError, match="no hash"):
                store.stored_log(OWN).hash(level, index)

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("first", "max_bytes", "count"),
    [(0, 1, 1), (0, 299, 1), (0, 600, 2), (0, 899, 2), (70, 300, 1), (0, 10**6, 150), (150, 1, 0)],
)
def test_entries_keep_to_the_limit_but_give_one(
    tmp_path: Path, first: int, max_bytes: int, count: int
) -> None:
    log = GrowingLog(OWN)

    async def test(store: Store) -> None:
        await commit_line(store, LINE, log.commit(150, octets=300))
        found = store.stored_log(OWN).entries(first, max_bytes)
        assert found == log.entries[first : first + count]

    run(tmp_path, test)


def test_openings_are_those_of_the_entries_asked_for(tmp_path: Path) -> None:
    log = GrowingLog(OWN)

    async def test(store: Store) -> None:
        await commit_line(store, LINE, log.commit(5))
        assert store.stored_log(OWN).openings(2, 2) == log.openings[4:8]
        assert store.stored_log(OWN).openings(5, 1) == []

    run(tmp_path, test)


def test_growth_that_does_not_follow_is_refused_whole(tmp_path: Path) -> None:
    log = GrowingLog(OWN)

    async def test(store: Store) -> None:
        await commit_line(store, LINE, log.commit(2))
        log.commit()  # never stored
        with pytest.raises(MisuseError, match="holds 2 entries, was to grow from 3"):
            await commit_line(store, LINE, log.commit())
        assert store.stored_log(OWN).size == 2
        assert store.read_marker(LINE) != log.marker()

    run(tmp_path, test)


def test_a_log_of_another_line_is_refused(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        await store.add_line(a_line(OTHER_LINE))
        with pytest.raises(MisuseError, match="no log of this line"):
            await commit_line(store, OTHER_LINE, GrowingLog(OWN).commit())
        with pytest.raises(MisuseError, match="no line"):
            await commit_line(store, "00" * 16, GrowingLog(OWN).commit())

    run(tmp_path, test)


def test_a_commit_without_marker_leaves_it(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        theirs = GrowingLog(THEIRS).commit()
        await commit_line(store, LINE, Commit(theirs.grown, (), (), None))
        assert store.read_marker(LINE) == NEW_LOG
        assert store.stored_log(THEIRS).size == 1

    run(tmp_path, test)


def notes(*found: Note) -> Commit:
    return Commit((), found, (), None)


def test_a_cosigned_note_replaces_an_uncosigned_one_and_stays(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        held = store.stored_log(OWN)
        await commit_line(store, LINE, notes(Note(OWN, 5, b"signed", cosigned=False)))
        assert held.note(5) == b"signed"
        await commit_line(store, LINE, notes(Note(OWN, 5, b"cosigned", cosigned=True)))
        await commit_line(store, LINE, notes(Note(OWN, 5, b"signed", cosigned=False)))
        await commit_line(store, LINE, notes(Note(OWN, 5, b"cosigned later", cosigned=True)))
        assert held.note(5) == b"cosigned"
        assert held.note(4) is None

    run(tmp_path, test)


def test_newest_note_is_cosigned_for_ours_and_signed_for_theirs(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ours, theirs = store.stored_log(OWN), store.stored_log(THEIRS)
        assert ours.newest_note() is theirs.newest_note() is None
        for origin in (OWN, THEIRS):
            await commit_line(store, LINE, notes(Note(origin, 3, b"cosigned", cosigned=True)))
            await commit_line(store, LINE, notes(Note(origin, 7, b"signed", cosigned=False)))
        assert ours.newest_note() == (3, b"cosigned")
        assert theirs.newest_note() == (7, b"signed")

    run(tmp_path, test)


def test_a_receipt_stands_on_the_earliest_cosigned_note_that_covers_it(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        for size in (2, 5, 9):
            note = Note(THEIRS, size, b"%d" % size, cosigned=size != 5)
            await commit_line(store, LINE, notes(note))
        held = store.stored_log(THEIRS)
        assert held.cosigned_note_over(1) == (2, b"2")
        assert held.cosigned_note_over(2) == (9, b"9")
        assert held.cosigned_note_over(9) is None

    run(tmp_path, test)


def test_evidence_is_kept_once(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        forks = (Fork(b"one", b"other"), Fork(b"two", b"other", (b"r" * 32, b"p" * 32)))
        await commit_line(store, LINE, Commit((), (), forks, None))
        await commit_line(store, LINE, Commit((), (), forks[:1], None))
        assert store.evidence(LINE) == list(forks)

    run(tmp_path, test)


def test_what_the_operator_says_of_evidence_is_kept_and_stays(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        forks = (Fork(b"one", b"other"), Fork(b"two", b"other"))
        await commit_line(store, LINE, Commit((), (), forks[:1], None))
        await store.acknowledge(LINE, b"seen")
        await commit_line(store, LINE, Commit((), (), forks, None))
        said = [kept.acknowledged for kept in store.forks(LINE)]
        assert said == [b"seen", None]
        await store.acknowledge(LINE, b"seen again")
        said = [kept.acknowledged for kept in store.forks(LINE)]
        assert said == [b"seen", b"seen again"]

    run(tmp_path, test)


def test_a_recording_is_opened_and_closed_once(tmp_path: Path) -> None:
    opened = RecordingRecord(CALL, OWN, 1, "recordings/one.opus", 5)
    closed = RecordingRecord(CALL, OWN, 1, "recordings/one.opus", 5, b"\x05" * 32, 1_234)

    async def test(store: Store) -> None:
        await store.open_recording(opened)
        assert store.recordings(CALL) == store.read(open_recordings) == [opened]
        await store.close_recording(closed)
        assert store.recordings(CALL) == [closed]
        assert store.read(open_recordings) == []
        with pytest.raises(MisuseError, match="no open recording"):
            await store.close_recording(closed)

    run(tmp_path, test)


def test_what_is_left_out_of_a_call_is_not_wiped_by_another_line_with_its_id(
    tmp_path: Path,
) -> None:
    other = a_line(OTHER_LINE)
    lines = [(OWN, THEIRS), (other.own_origin, other.peer_origin)]
    left = [[((theirs, 1), first, 9)] for first, (_, theirs) in enumerate(lines)]

    async def test(store: Store) -> None:
        await store.add_line(other)
        for origins, spans in zip(lines, left, strict=True):
            await store.commit(partial(leave_out, call=CALL, origins=origins, spans=spans))
        find = [partial(find_left_out, call=CALL, origins=origins) for origins in lines]
        assert [store.read(one) for one in find] == left
        await store.commit(partial(leave_out, call=CALL, origins=lines[1], spans=[]))
        assert [store.read(one) for one in find] == [left[0], []]

    run(tmp_path, test)


def test_only_this_user_may_read_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "node"

    async def test(store: Store) -> None:
        await commit_line(store, LINE, GrowingLog(OWN).commit())
        for path in (folder, *folder.rglob("*")):
            allowed = 0o700 if path.is_dir() else 0o600
            assert stat.S_IMODE(path.stat().st_mode) == allowed, path

    run(folder, test)
    assert {path.name for path in folder.iterdir()} == {"telcon.db", "keys", "never-restore"}


def test_a_folder_open_to_others_is_closed_to_them(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    async def test(store: Store) -> None:
        assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700

    run(tmp_path, test)


def test_backup_programs_find_the_tag(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        folder = store.folder / "never-restore"
        tag = (folder / "CACHEDIR.TAG").read_bytes()
        assert tag.startswith(b"Signature: 8a477f597d28d172789f06886806bc55\n")
        assert "Never restore" in (folder / "README.txt").read_text()

    run(tmp_path, test)


def test_a_reader_sees_a_running_store_as_it_was_when_it_was_opened(tmp_path: Path) -> None:
    log = GrowingLog(OWN)

    async def test(store: Store) -> None:
        await commit_line(store, LINE, log.commit(3))
        await commit_line(store, LINE, notes(Note(OWN, 2, b"2", cosigned=True)))
        with Store.open_read_only(tmp_path) as reader:
            await commit_line(store, LINE, log.commit(3))
            await commit_line(store, LINE, notes(Note(OWN, 6, b"6", cosigned=True)))
            held = reader.stored_log(OWN)
            assert held.size == 3
            assert len(held.entries(0, 10**6)) == 3
            assert held.newest_note() == held.cosigned_note_over(1) == (2, b"2")
            assert held.cosigned_note_over(2) is None
            assert reader.lines() == [a_line()]
        with Store.open_read_only(tmp_path) as reader:
            assert reader.stored_log(OWN).size == 6
            assert reader.stored_log(OWN).cosigned_note_over(2) == (6, b"6")

    run(tmp_path, test)


def test_a_reader_reads_a_closed_store(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        await commit_line(store, LINE, GrowingLog(OWN).commit(3))

    run(tmp_path, test)
    with Store.open_read_only(tmp_path) as reader:
        assert reader.stored_log(OWN).size == 3
        assert reader.read_marker(LINE) is not None


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        del store
        with Store.open_read_only(tmp_path) as reader, pytest.raises(StorageError):
            reader.read(lambda connection: connection.exec_driver_sql("DELETE FROM line"))

    run(tmp_path, test)


def test_reading_where_there_is_no_store_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be opened"):
        Store.open_read_only(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "telcon.db").write_bytes(b"no database at all, though long enough" * 100)
    with pytest.raises(StorageError) as caught:
        Store.open(tmp_path)
    assert "Restore the database" in caught.value.advice()


def test_a_closed_store_takes_no_work(tmp_path: Path) -> None:
    async def main() -> None:
        store = Store.open(tmp_path)
        await store.close()
        with pytest.raises(MisuseError, match="closed"):
            await store.commit(lambda connection: None)

    asyncio.run(main())


def test_a_growth_moves_the_size_only_when_it_is_durable(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        held, log = store.stored_log(OWN), GrowingLog(OWN)
        committing = asyncio.ensure_future(commit_line(store, LINE, log.commit()))
        await asyncio.sleep(0)
        assert held.size == 0
        await committing
        assert held.size == 1

    run(tmp_path, test)


def test_the_marker_is_written_when_the_commit_is_told(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        log = GrowingLog(OWN)
        for _ in range(20):
            await commit_line(store, LINE, log.commit())
            found = store.read_marker(LINE)
            assert found == Marker(log.frontier.size, log.frontier.root())

    run(tmp_path, test)

"""What seals open with lies encrypted in the database, and its key outside it."""

import asyncio
import signal
import sqlite3
import stat
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fakes.disk import LINE, GrowingLog, a_line, commit_line, start
from node.store.test_schema import make_first_database
from telcon.core.seal import Opening
from telcon.errors import StorageError, UnreadableError
from telcon.node.store import Store
from telcon.node.store.cipher import OPENINGS_KEY, OpeningCipher
from telcon.node.store.engine import DATABASE
from telcon.node.store.house import find_acts

ORIGIN = a_line().own_origin
OPENING = Opening("text", b"\x07" * 32, b"what was said")


def a_key(folder: Path) -> Path:
    return folder / "keys" / OPENINGS_KEY


def written(folder: Path) -> list[tuple[int, Opening]]:
    """Make a store with three openings in `folder`; return them."""
    log = GrowingLog(ORIGIN)

    async def main() -> None:
        store = Store.open(folder)
        await store.add_line(a_line())
        await commit_line(store, LINE, log.commit(3))
        await store.close()

    asyncio.run(main())
    assert log.openings
    return log.openings


def change(folder: Path, statement: str) -> None:
    database = sqlite3.connect(folder / DATABASE)
    with database:
        database.execute(statement)
    database.close()


def octets_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob(f"{DATABASE}*")))


def refused(folder: Path) -> StorageError:
    """Return why a node does not start on `folder`, of which nothing changes."""
    before = octets_of(folder)
    with pytest.raises(StorageError) as caught:
        Store.open(folder)
    assert octets_of(folder) == before
    assert f"keys/{OPENINGS_KEY}" in caught.value.advice()
    return caught.value


def test_neither_what_openings_say_nor_their_key_stands_in_the_database(tmp_path: Path) -> None:
    openings = written(tmp_path)
    octets = octets_of(tmp_path)
    assert not any(opening.content in octets for _, opening in openings)
    assert bytes.fromhex(a_key(tmp_path).read_text()) not in octets


def test_the_key_is_for_this_user_alone_and_stays_the_same(tmp_path: Path) -> None:
    openings = written(tmp_path)
    path = a_key(tmp_path)
    key = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(bytes.fromhex(key)) == 32
    with Store.open_read_only(tmp_path) as reader:
        assert reader.stored_log(ORIGIN).openings(0, 3) == openings
    asyncio.run(Store.open(tmp_path).close())
    assert path.read_text() == key


def test_its_bytes_are_those_that_are_documented(tmp_path: Path) -> None:
    openings = written(tmp_path)
    cipher = AESGCM(bytes.fromhex(a_key(tmp_path).read_text()))
    database = sqlite3.connect(tmp_path / DATABASE)
    rows = database.execute("SELECT log, position, member, sealed FROM opening").fetchall()
    database.close()
    for (log, position, member, sealed), (_, opening) in zip(rows, openings, strict=True):
        bound = f"telcon opening v1\0opening\0{log}\0{position}\0{member}".encode()
        opened = cipher.decrypt(sealed[:12], sealed[12:], bound)
        assert (opened[:32], opened[32:]) == (opening.key, opening.content)


def test_no_two_are_sealed_with_one_nonce() -> None:
    cipher = OpeningCipher(bytes(32))
    assert len({cipher.seal("opening", 1, 2, OPENING)[:12] for _ in range(1_000)}) == 1_000


@pytest.mark.parametrize(
    "place", [("house_opening", 1, 2), ("opening", 2, 2), ("opening", 1, 3)], ids=str
)
def test_one_in_the_place_of_another_is_not_opened(place: tuple[str, int, int]) -> None:
    cipher = OpeningCipher(bytes(32))
    sealed = cipher.seal("opening", 1, 2, OPENING)
    assert cipher.open("opening", 1, 2, "text", sealed) == OPENING
    with pytest.raises(StorageError, match="cannot be read"):
        cipher.open(*place, "text", sealed)
    with pytest.raises(StorageError, match="cannot be read"):
        cipher.open("opening", 1, 2, "topic", sealed)


@pytest.mark.parametrize("length", [0, 11, 12, 27, 40])
def test_one_that_was_cut_or_altered_is_not_opened(length: int) -> None:
    cipher = OpeningCipher(bytes(32))
    sealed = cipher.seal("opening", 1, 2, OPENING)
    altered = bytes([sealed[length] ^ 1])
    for damaged in (sealed[:length], sealed[:length] + altered + sealed[length + 1 :]):
        with pytest.raises(StorageError, match="cannot be read"):
            cipher.open("opening", 1, 2, "text", damaged)


def test_a_database_whose_key_is_missing_is_refused_and_gets_no_other(tmp_path: Path) -> None:
    openings = written(tmp_path)
    aside = a_key(tmp_path).rename(tmp_path / "aside")
    assert "is missing" in str(refused(tmp_path))
    with pytest.raises(StorageError, match="is missing"):
        Store.open_read_only(tmp_path)
    assert not a_key(tmp_path).exists()
    aside.rename(a_key(tmp_path))
    with Store.open_read_only(tmp_path) as reader:
        assert reader.stored_log(ORIGIN).openings(0, 3) == openings


def test_a_database_with_the_key_of_another_is_refused(tmp_path: Path) -> None:
    written(tmp_path)
    a_key(tmp_path).write_text("00" * 32 + "\n")
    assert "is another" in str(refused(tmp_path))


@pytest.mark.parametrize(
    "content",
    [b"", b"00\n", b"\xff" * 32, b"zz" * 32 + b"\n", b"AA" * 32 + b"\n", b"aa" * 32],
    ids=repr,
)
def test_a_file_that_is_no_key_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    written(tmp_path)
    a_key(tmp_path).write_bytes(content)
    assert str(refused(tmp_path)) == f"{a_key(tmp_path)} is no key of 32 octets in hex"


def test_an_empty_database_without_a_key_gets_one(tmp_path: Path) -> None:
    asyncio.run(Store.open(tmp_path).close())
    a_key(tmp_path).unlink()
    written(tmp_path)


def test_a_reader_with_another_key_reads_no_opening(tmp_path: Path) -> None:
    written(tmp_path)
    a_key(tmp_path).write_text("00" * 32 + "\n")
    with Store.open_read_only(tmp_path) as reader, pytest.raises(UnreadableError):
        reader.stored_log(ORIGIN).openings(0, 3)


def test_one_damaged_row_does_not_keep_the_node_from_starting(tmp_path: Path) -> None:
    openings = written(tmp_path)
    change(tmp_path, "UPDATE opening SET sealed = zeroblob(60) WHERE position = 2")
    asyncio.run(Store.open(tmp_path).close())
    with Store.open_read_only(tmp_path) as reader:
        log = reader.stored_log(ORIGIN)
        assert log.openings(0, 2) == openings[:4]
        with pytest.raises(UnreadableError, match="entry 2 "):
            log.openings(2, 1)


# -- databases of before


def test_a_database_of_before_is_encrypted_and_what_stood_in_clear_is_gone(tmp_path: Path) -> None:
    make_first_database(tmp_path)
    log = GrowingLog(ORIGIN)
    log.commit(3, octets=40)
    assert all(opening.content in octets_of(tmp_path) for _, opening in log.openings)

    async def main() -> None:
        store = Store.open(tmp_path)
        octets = octets_of(tmp_path)  # while the store is open, its write-ahead log beside it
        assert not any(opening.content in octets for _, opening in log.openings)
        assert store.stored_log(ORIGIN).openings(0, 3) == log.openings
        await store.close()

    asyncio.run(main())


def make_clear(folder: Path, rows: int) -> None:
    """Bring a store back to revision 0008, with so many openings of a house log in clear."""
    asyncio.run(Store.open(folder).close())
    a_key(folder).unlink()
    database = sqlite3.connect(folder / DATABASE)
    with database:
        for table, entry in (("opening", "entry"), ("house_opening", "house_entry")):
            database.execute(f"DROP TABLE {table}")
            database.execute(
                f"CREATE TABLE {table} (house TEXT NOT NULL, log INTEGER, position BIGINT,"
                " member TEXT, key BLOB NOT NULL, content BLOB NOT NULL, PRIMARY KEY (log,"
                f" position, member), FOREIGN KEY (log, position) REFERENCES {entry}"
                " (log, position)) WITHOUT ROWID"
            )
        database.execute("INSERT INTO house_log VALUES ('house', 1, 'o', x'00', 0, NULL)")
        database.executemany(
            "INSERT INTO house_entry VALUES ('house', 1, ?, ?, x'')",
            ((at, b'{"act":"audit.node.started"}') for at in range(rows)),
        )
        database.executemany(
            "INSERT INTO house_opening VALUES ('house', 1, ?, 'details', ?, ?)",
            ((at, b"\x07" * 32, b"what act %d was about" % at) for at in range(rows)),
        )
        database.execute("UPDATE alembic_version SET version_num = '0008'")
    database.close()


def abouts(folder: Path, rows: int) -> list[bytes]:
    with Store.open_read_only(folder) as reader:
        find = partial(find_acts, cipher=reader.cipher, log=1, before=rows, count=rows)
        return [act.opening.content for act in reader.read(find)][::-1]


def test_acts_of_a_house_log_of_before_are_encrypted_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_clear(tmp_path, 3)
    assert b"what act 2 was about" in octets_of(tmp_path)
    assert caplog.messages == []
    asyncio.run(Store.open(tmp_path).close())
    (said,) = caplog.messages
    assert "takes minutes" in said
    assert b"what act" not in octets_of(tmp_path)
    assert abouts(tmp_path, 3) == [b"what act %d was about" % at for at in range(3)]


def test_an_old_backup_beside_a_key_is_encrypted_under_that_one(tmp_path: Path) -> None:
    make_clear(tmp_path, 3)
    (tmp_path / "keys" / OPENINGS_KEY).write_text("0a" * 32 + "\n")
    asyncio.run(Store.open(tmp_path).close())
    assert a_key(tmp_path).read_text() == "0a" * 32 + "\n"
    assert len(abouts(tmp_path, 3)) == 3


@pytest.mark.process
def test_a_kill_while_a_database_is_encrypted_loses_nothing(tmp_path: Path) -> None:
    """The process dies by a signal from within, after so many rows; the next start goes on."""
    make_clear(tmp_path, 1_000)
    process = start("fakes.disk_processes", "die-encrypting", str(tmp_path))
    said, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, said
    key = a_key(tmp_path).read_text()
    assert b"what act 999 was about" in octets_of(tmp_path)
    asyncio.run(Store.open(tmp_path).close())
    assert a_key(tmp_path).read_text() == key
    assert abouts(tmp_path, 1_000) == [b"what act %d was about" % at for at in range(1_000)]
    assert b"what act" not in octets_of(tmp_path)


# -- destruction


def test_what_was_destroyed_leaves_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pragma is looked for besides: SQLite may have been built to do so in any case."""
    asked: list[str] = []

    class Asked(sqlite3.Connection):
        def execute(self, statement: str, values: Any = ()) -> sqlite3.Cursor:
            asked.append(statement)
            return super().execute(statement, values)

    written(tmp_path)
    database = sqlite3.connect(tmp_path / DATABASE)
    sealed = [row[0] for row in database.execute("SELECT sealed FROM opening")]
    database.close()
    assert all(one in octets_of(tmp_path) for one in sealed)

    async def main() -> None:
        with monkeypatch.context() as patch:
            patch.setattr("sqlite3.connect", partial(sqlite3.connect, factory=Asked))
            store = Store.open(tmp_path)
        await store.commit(lambda connection: connection.exec_driver_sql("DELETE FROM opening"))
        await store.close()

    asyncio.run(main())
    assert "PRAGMA secure_delete = ON" in asked
    octets = octets_of(tmp_path)
    assert not any(one in octets for one in sealed)

"""Migrations: from nothing, from the first version, and not from the future."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from fakes.disk import LINE, GrowingLog, a_line, commit_line, open_recordings, start
from telcon.errors import StorageError
from telcon.ledger import Fork
from telcon.node.people import SignIn
from telcon.node.store import Store, schema
from telcon.node.store.engine import DATABASE, connect_reader, disconnect
from telcon.node.store.forks import KeptFork
from telcon.node.store.invitations import find_invitations
from telcon.node.store.tables import METADATA

FIRST_DATABASE = Path(__file__).with_name("first_database.sql")


def make_first_database(folder: Path) -> None:
    connection = sqlite3.connect(folder / DATABASE)
    connection.executescript(FIRST_DATABASE.read_text())
    connection.close()


def set_revision(folder: Path, revision: str) -> None:
    connection = sqlite3.connect(folder / DATABASE)
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.close()


def test_the_newest_revision_is_the_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).with_name("migrations")))
    assert ScriptDirectory.from_config(config).get_heads() == [schema.NEWEST_REVISION]


def test_migrations_make_the_tables_that_the_code_knows(tmp_path: Path) -> None:
    asyncio.run(Store.open(tmp_path).close())
    connection = connect_reader(tmp_path / DATABASE)
    assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    disconnect(connection)


def test_every_table_has_a_house() -> None:
    assert all("house" in table.c for table in METADATA.tables.values())


def test_a_database_of_the_first_version_is_read(tmp_path: Path) -> None:
    make_first_database(tmp_path)

    async def main() -> None:
        store, log = Store.open(tmp_path), GrowingLog(a_line().own_origin)
        log.commit(3, octets=40)
        held = store.stored_log(log.origin)
        assert store.lines() == [a_line()]
        assert held.entries(0, 1_000) == log.entries
        assert held.openings(0, 3) == log.openings
        assert held.newest_note() == (3, b"a cosigned note")
        assert store.forks(LINE) == [KeptFork(Fork(b"one", b"other"), None)]
        assert [record.path for record in store.read(open_recordings)] == ["recordings/a.opus"]
        assert [record.line for record in store.read(find_invitations)] == ["ef" * 16]
        token = "BgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgY"
        assert SignIn(store, bytes, lambda: 1_001).who(token) == "principal"
        await store.close()

    asyncio.run(main())


def test_a_database_of_the_first_version_is_written(tmp_path: Path) -> None:
    make_first_database(tmp_path)

    async def main() -> None:
        store, log = Store.open(tmp_path), GrowingLog(a_line().own_origin)
        log.commit(3, octets=40)
        await commit_line(store, LINE, log.commit(2))
        assert store.stored_log(log.origin).entries(0, 10_000) == log.entries
        await store.close()

    asyncio.run(main())


def test_the_first_database_is_what_the_first_revision_makes(tmp_path: Path) -> None:
    make_first_database(tmp_path)
    connection = connect_reader(tmp_path / DATABASE)
    assert schema.current_revision(connection) == "0001"
    disconnect(connection)


def test_a_database_of_a_newer_telcon_is_refused_and_untouched(tmp_path: Path) -> None:
    make_first_database(tmp_path)
    set_revision(tmp_path, "9999")
    with pytest.raises(StorageError, match="at revision 9999") as caught:
        Store.open(tmp_path)
    assert "newer version" in caught.value.advice()
    with pytest.raises(StorageError, match="at revision 9999"):
        Store.open_read_only(tmp_path)
    set_revision(tmp_path, "0001")
    asyncio.run(Store.open(tmp_path).close())


def test_a_migration_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("alembic.op.create_table", fail)
        with pytest.raises(StorageError, match="full"):
            Store.open(tmp_path)
    connection = sqlite3.connect(tmp_path / DATABASE)
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()
    asyncio.run(Store.open(tmp_path).close())


@pytest.mark.process
def test_a_current_database_opens_without_alembic(tmp_path: Path) -> None:
    asyncio.run(Store.open(tmp_path).close())
    process = start("fakes.disk_processes", "imports-after-open", str(tmp_path))
    said, _ = process.communicate(timeout=60)
    assert said.strip() == "alembic False"

"""What seals open with lies encrypted in the database, and its key outside it."""

import asyncio
import sqlite3
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fakes.disk import LINE, GrowingLog, a_line, commit_line
from node.store.test_schema import make_first_database
from telcon.core.seal import Opening
from telcon.errors import StorageError
from telcon.node.store import Store
from telcon.node.store.cipher import OPENINGS_KEY, OpeningCipher
from telcon.node.store.engine import DATABASE

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


def octets_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob(f"{DATABASE}*")))


def refused(folder: Path) -> StorageError:
    """Return why a node does not start on `folder`."""
    with pytest.raises(StorageError) as caught:
        Store.open(folder)
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
    assert "does not fit" in str(refused(tmp_path))


@pytest.mark.parametrize("content", [b"", b"00", b"\xff" * 32, b"zz" * 32], ids=repr)
def test_a_file_that_is_no_key_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    written(tmp_path)
    a_key(tmp_path).write_bytes(content)
    assert str(refused(tmp_path)) == f"{a_key(tmp_path)} is no key of 32 octets in hex"


def test_an_empty_database_without_a_key_gets_one(tmp_path: Path) -> None:
    asyncio.run(Store.open(tmp_path).close())
    a_key(tmp_path).unlink()
    written(tmp_path)


def test_a_database_of_before_is_encrypted_and_what_stood_in_clear_is_gone(tmp_path: Path) -> None:
    make_first_database(tmp_path)
    log = GrowingLog(ORIGIN)
    log.commit(3, octets=40)
    assert all(opening.content in octets_of(tmp_path) for _, opening in log.openings)
    asyncio.run(Store.open(tmp_path).close())
    octets = octets_of(tmp_path)
    assert not any(opening.content in octets for _, opening in log.openings)
    with Store.open_read_only(tmp_path) as reader:
        assert reader.stored_log(ORIGIN).openings(0, 3) == log.openings


def test_what_was_destroyed_leaves_the_file(tmp_path: Path) -> None:
    written(tmp_path)
    database = sqlite3.connect(tmp_path / DATABASE)
    sealed = [row[0] for row in database.execute("SELECT sealed FROM opening")]
    database.close()
    assert all(one in octets_of(tmp_path) for one in sealed)

    async def main() -> None:
        store = Store.open(tmp_path)
        await store.commit(lambda connection: connection.exec_driver_sql("DELETE FROM opening"))
        await store.close()

    asyncio.run(main())
    octets = octets_of(tmp_path)
    assert not any(one in octets for one in sealed)

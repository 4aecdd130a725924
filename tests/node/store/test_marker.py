"""The marker file: two slots, any of which may be torn."""

import os
import stat
from pathlib import Path

import pytest

from telcon.core.stored import NEW_LOG, Marker
from telcon.errors import StorageError
from telcon.node.store.marker import MarkerFile, Markers

SLOTS = (0, 4096)
SLOT_OCTETS = 88
LINE = "ab" * 16


def a_marker(size: int) -> Marker:
    return Marker(size, bytes([size % 256]) * 32)


def written(path: Path, *sizes: int) -> MarkerFile:
    file = MarkerFile(path)
    file.create(NEW_LOG)
    for size in sizes:
        file.write(a_marker(size))
        file.sync()
    return file


def damage(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def test_a_missing_file_is_no_marker(tmp_path: Path) -> None:
    assert MarkerFile(tmp_path / "marker").read() is None


def test_the_newest_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "marker"
    for size in range(1, 6):
        written(path, size).close()
        assert MarkerFile(path).read() == a_marker(size)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_making_a_marker_never_replaces_one(tmp_path: Path) -> None:
    path = tmp_path / "marker"
    written(path, 5).close()
    MarkerFile(path).create(NEW_LOG)
    assert MarkerFile(path).read() == a_marker(5)


def test_a_marker_may_go_back_when_the_caller_says_so(tmp_path: Path) -> None:
    path = tmp_path / "marker"
    written(path, 9, 3).close()
    assert MarkerFile(path).read() == a_marker(3)


@pytest.mark.parametrize("octet", range(SLOT_OCTETS))
def test_a_torn_slot_leaves_the_one_before(tmp_path: Path, octet: int) -> None:
    path = tmp_path / "marker"
    written(path, 1, 2).close()  # into slot 0, then into slot 1
    damage(path, SLOTS[1] + octet)
    assert MarkerFile(path).read() == a_marker(1)


def test_two_torn_slots_are_no_marker(tmp_path: Path) -> None:
    path = tmp_path / "marker"
    written(path, 1, 2).close()
    for slot in SLOTS:
        damage(path, slot + 20)
    assert MarkerFile(path).read() is None


@pytest.mark.parametrize("octets", [0, 1, 87, 88, 4096, 4183])
def test_a_cut_file_gives_what_is_whole(tmp_path: Path, octets: int) -> None:
    path = tmp_path / "marker"
    written(path, 1, 2).close()
    path.write_bytes(path.read_bytes()[:octets])
    assert MarkerFile(path).read() == (a_marker(1) if octets >= SLOT_OCTETS else None)


def test_writing_goes_on_after_a_torn_slot(tmp_path: Path) -> None:
    path = tmp_path / "marker"
    written(path, 1, 2).close()
    damage(path, SLOTS[1])
    file = MarkerFile(path)
    for size in (3, 4):
        file.write(a_marker(size))
        assert MarkerFile(path).read() == a_marker(size)
    file.close()


def test_between_two_syncs_one_slot_stays_as_it_is_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "marker"
    file = written(path, 1, 2)
    synced = path.read_bytes()[SLOTS[1] :]
    for size in (3, 4, 5):
        file.write(a_marker(size))
        assert path.read_bytes()[SLOTS[1] :] == synced
    file.close()
    damage(path, SLOTS[0])  # as a power loss may
    assert MarkerFile(path).read() == a_marker(2)


def test_what_a_killed_node_left_unsynced_is_synced_before_the_other_slot_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "marker"
    file = written(path, 1)
    file.write(a_marker(2))  # into slot 1, and no sync
    done: list[str] = []
    sync, pwrite = os.fdatasync, os.pwrite

    def noted_sync(descriptor: int) -> None:
        done.append("sync")
        sync(descriptor)

    def noted_pwrite(descriptor: int, data: bytes, offset: int) -> int:
        done.append(f"write {offset}")
        return pwrite(descriptor, data, offset)

    monkeypatch.setattr(os, "fdatasync", noted_sync)
    monkeypatch.setattr(os, "pwrite", noted_pwrite)
    after = MarkerFile(path)
    after.write(a_marker(3))
    assert done == ["sync", "write 0"]
    assert MarkerFile(path).read() == a_marker(3)
    after.close()
    file.close()


def test_it_is_dirty_until_synced(tmp_path: Path) -> None:
    file = written(tmp_path / "marker")
    assert not file.is_dirty
    file.write(a_marker(1))
    assert file.is_dirty
    file.sync()
    assert not file.is_dirty
    file.close()


def test_a_place_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    file = MarkerFile(tmp_path / "no folder" / "marker")
    with pytest.raises(StorageError, match="cannot be used"):
        file.create(NEW_LOG)
    with pytest.raises(StorageError, match="cannot be used"):
        file.write(a_marker(1))
    with pytest.raises(StorageError, match="cannot be used"):
        MarkerFile(tmp_path).read()


def test_a_line_whose_marker_failed_stays_stopped(tmp_path: Path) -> None:
    markers = Markers(tmp_path / "no folder")
    markers.require_usable(LINE)
    with pytest.raises(StorageError):
        markers.write(LINE, a_marker(1))
    with pytest.raises(StorageError):
        markers.require_usable(LINE)
    markers.require_usable("cd" * 16)


def test_each_line_has_a_marker_of_its_own(tmp_path: Path) -> None:
    markers = Markers(tmp_path)
    markers.create(LINE, a_marker(1))
    markers.create("cd" * 16, a_marker(2))
    markers.write(LINE, a_marker(3))
    assert (markers.read(LINE), markers.read("cd" * 16)) == (a_marker(3), a_marker(2))
    assert markers.is_dirty
    markers.sync()
    assert not markers.is_dirty
    markers.close()

"""Folders on disk when the disk does not do what it should."""

import errno
import os
from pathlib import Path

import pytest

from node.proof.rig import read_folder
from telcon.errors import MalformedError, OperatorError, StorageError
from telcon.node.proof import files, verify_paths
from telcon.node.proof.files import DiskFiles, FolderWriter


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        pytest.raises(StorageError, match="No space left on device; nothing half-written"),
        FolderWriter(tmp_path / "call") as writer,
    ):
        writer.write("a", b"a")
        monkeypatch.setattr(os, "fsync", full)
        writer.write("b", b"b")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_while_copying_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StorageError), FolderWriter(tmp_path / "call") as writer:
        monkeypatch.setattr(os, "fsync", full)
        writer.write_pieces("recordings/a.opus", [b"a", b"b"])
    assert read_folder(tmp_path) == {}


def test_a_disk_that_fails_at_the_end_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StorageError), FolderWriter(tmp_path / "call") as writer:
        writer.write("a", b"a")
        monkeypatch.setattr(Path, "rename", full)
        writer.finish()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_seen_under_the_name_before_the_end(tmp_path: Path) -> None:
    with FolderWriter(tmp_path / "call") as writer:
        writer.write("a", b"a")
        assert not (tmp_path / "call").exists()
        writer.finish()
    assert read_folder(tmp_path / "call").keys() == {"a", "SHA256SUMS"}


def test_what_took_the_place_meanwhile_is_left_alone(tmp_path: Path) -> None:
    with (
        pytest.raises(OperatorError, match="not an empty folder"),
        FolderWriter(tmp_path / "call") as writer,
    ):
        (tmp_path / "call").write_bytes(b"mine")
        writer.finish()
    assert read_folder(tmp_path) == {"call": b"mine"}


def test_where_no_folder_can_be_made_it_is_said_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="there is no folder") as missing:
        FolderWriter(tmp_path / "no" / "a b" / "call")
    assert missing.value.advice() == f"Make it first: mkdir -p '{tmp_path}/no/a b'"
    for place in (tmp_path / "file" / "call", tmp_path / "file" / "more" / "call"):
        with pytest.raises(StorageError, match="file is a file; nothing was written"):
            FolderWriter(place)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_folder_of_others_is_no_place_to_write_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(StorageError, match="this user may not write to"):
        FolderWriter(tmp_path / "call")


def test_what_is_told_first_is_told_once_the_place_is_there_and_stops_the_writing(
    tmp_path: Path,
) -> None:
    told: list[str] = []

    def refuse() -> None:
        raise OperatorError("the house log takes nothing")

    def tell() -> None:
        told.append("told")

    with pytest.raises(StorageError):
        FolderWriter(tmp_path / "no" / "call", tell)
    assert told == []
    with FolderWriter(tmp_path / "call", tell) as writer:
        assert told == ["told"]
        writer.write("a", b"a")
    with pytest.raises(OperatorError, match="takes nothing"):
        FolderWriter(tmp_path / "call", refuse)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_too_many_files_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_FILES", 2)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"")
    assert DiskFiles(tmp_path).paths() == ["a", "b"]
    (tmp_path / "c").write_bytes(b"")
    with pytest.raises(MalformedError, match="more than 2 files"):
        DiskFiles(tmp_path).paths()
    assert verify_paths([tmp_path]).exit_code == 2


def test_a_folder_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not be read"):
        DiskFiles(tmp_path / "gone").paths()

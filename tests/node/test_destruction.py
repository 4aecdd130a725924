"""Destroying a record: all that the store names of it, wherever an older version put it."""

from asyncio import to_thread
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from fakes.two_nodes import (
    TwoNodes,
    ask,
    desk_of,
    line_of,
    on_two_nodes,
    place_of,
    voice,
)
from telcon.cli import main
from telcon.errors import OperatorError, StorageError
from telcon.node.assembly import Node
from telcon.node.destruction import _named
from telcon.node.store import RecordingRecord, tables


async def recorded_call(both: TwoNodes) -> str:
    """Let Arcadia's principal say something, and the record be agreed."""
    rey, voss, call = await both.call()
    said = voice("Rey", 5)
    await rey.say(said)
    await voss.hears(said)
    await rey.do("hang-up", call=call)
    calls = desk_of(both.arcadia).board.calls
    await rey.wait(lambda _: line_of(both.arcadia).machine.fold.calls[call].is_agreed)
    await rey.wait(lambda _: not calls.agreements.is_open(call))
    return call


def _name(connection: Connection, path: str, row: RecordingRecord) -> None:
    rows = tables.recording.c
    same = (rows.call == row.call) & (rows.origin == row.origin) & (rows.track == row.track)
    connection.execute(update(tables.recording).where(same).values(path=path))


async def older(node: Node, call: str) -> list[Path]:
    """Let the rows of `call` name plain files, as those of older versions do, and make these."""
    files = []
    for row in node.store.recordings(call):
        path = f"recordings/{call}/{row.origin.partition('/')[0]}-{row.track}.opus"
        await node.store.commit(partial(_name, path=path, row=row))
        files.append(node.folder / path)
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        files[-1].write_bytes(b"OggS: what was said")
    return files


async def destroy(node: Node, call: str) -> None:
    await ask(node, "record-destroy", call=call, reason="the law", peer=None)


def is_destroyed(node: Node, call: str) -> bool:
    line = line_of(node)
    return line.identity.own_card.log.name in line.machine.fold.calls[call].destroyed


@on_two_nodes
async def test_files_from_before_there_was_a_folder_for_each_line_are_destroyed(
    both: TwoNodes,
) -> None:
    call = await recorded_call(both)
    folder = (await older(both.arcadia, call))[0].parent
    await destroy(both.arcadia, call)
    assert is_destroyed(both.arcadia, call)
    assert not folder.exists()
    assert not place_of(both.arcadia, call).journal.parent.exists()


@on_two_nodes
async def test_a_file_of_another_line_stays_though_both_knew_the_call_by_that_id(
    both: TwoNodes,
) -> None:
    call = await recorded_call(both)
    files = await older(both.arcadia, call)
    theirs = files[0].with_name("cassia.example-1.opus")
    theirs.write_bytes(b"OggS: what another said")
    await destroy(both.arcadia, call)
    assert not any(file.exists() for file in files)
    assert theirs.exists()


def test_a_file_that_two_lines_name_is_of_the_one_that_began_first(tmp_path: Path) -> None:
    path = f"recordings/{'0a' * 16}/arcadia.example-1.opus"
    origins = [f"arcadia.example/line/{digits * 16}" for digits in ("aa", "bb")]
    rows = [RecordingRecord("0a" * 16, one, 1, path, at) for at, one in enumerate(origins, 5)]
    assert _named(tmp_path, rows, {origins[0]}) == [tmp_path / path]
    assert _named(tmp_path, rows, {origins[1]}) == []


@pytest.mark.parametrize("path", ["node.toml", "recordings/../kept.opus", "/etc/hostname"])
def test_nothing_outside_the_folder_of_recordings_is_destroyed(path: str, tmp_path: Path) -> None:
    async def test(both: TwoNodes) -> None:
        call = await recorded_call(both)
        kept = both.arcadia.folder / "kept.opus"
        kept.write_bytes(b"kept")
        (row, *_) = both.arcadia.store.recordings(call)
        await both.arcadia.store.commit(partial(_name, path=path, row=row))
        with pytest.raises(StorageError, match="no file of a record"):
            await destroy(both.arcadia, call)
        assert not is_destroyed(both.arcadia, call)
        assert (both.arcadia.folder / "node.toml").exists()
        assert kept.exists()
        assert place_of(both.arcadia, call).journal.exists()

    on_two_nodes(test)(tmp_path)


@on_two_nodes
async def test_what_is_destroyed_is_not_exported_though_a_file_of_it_lies_there(
    both: TwoNodes,
) -> None:
    call = await recorded_call(both)
    for number in range(2):  # of an older version, which said so and left the files
        files = await older(both.arcadia, call)
        out = both.folder / f"exported-{number}"
        export = ["--data", str(both.arcadia.folder), "export", "--call", call, "--out", str(out)]
        assert await to_thread(main, export) == 0
        assert (out / "recordings" / files[0].name).exists() == (number == 0)
        await destroy(both.arcadia, call)  # again, for the files are there again
        assert not files[0].exists()
    with pytest.raises(OperatorError, match="destroyed already"):
        await destroy(both.arcadia, call)

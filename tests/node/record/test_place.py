"""Where a record lies: begun whole, or not at all."""

import resource
from pathlib import Path

import pytest

from fakes.limits import limited
from telcon.node.record.journal import Head
from telcon.node.record.place import RecordPlace
from telcon.node.record.sealing import PrivateKey

LINE, CALL = "ab" * 16, "cd" * 16
HEAD = Head(CALL, f"arcadia.example/line/{LINE}", f"borealis.example/line/{LINE}", 1)


@pytest.mark.parametrize("keepers", [0, 1])
@pytest.mark.parametrize("octets", [50, 200], ids=["not the key", "the key alone"])
def test_a_full_disk_at_the_start_of_a_call_leaves_neither_journal_nor_key(
    octets: int, keepers: int, tmp_path: Path
) -> None:
    place = RecordPlace.of(tmp_path, LINE, CALL)
    readers = [PrivateKey.generate().reader] * keepers
    full = limited(resource.RLIMIT_FSIZE, octets)
    with full, pytest.raises(OSError, match="File too large"):
        place.begin(HEAD, readers)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    place.begin(HEAD, readers).close()
    assert place.read().head == HEAD


def test_a_record_that_is_there_already_stays_as_it_is(tmp_path: Path) -> None:
    place = RecordPlace.of(tmp_path, LINE, CALL)
    place.begin(HEAD, []).close()
    with pytest.raises(FileExistsError):
        place.begin(HEAD, [PrivateKey.generate().reader])
    assert place.read().head == HEAD
    assert not list((tmp_path / "never-restore" / "records").iterdir())

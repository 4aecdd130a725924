"""The sealed file of a call: what goes in comes out, and nothing else does."""

import os
import resource
from pathlib import Path
from stat import S_IMODE

import pytest

from fakes.limits import limited
from telcon.errors import MalformedError, MisuseError, SealedError
from telcon.node.record.journal import (
    MAX_BLOCK_BYTES,
    SEGMENT_S,
    Head,
    How,
    Journal,
    Packet,
    count_readers,
)
from telcon.node.record.sealing import PrivateKey

OWN, OTHER = "arcadia.example/line/" + "ab" * 16, "borealis.example/line/" + "ab" * 16
HEAD = Head("cd" * 16, OWN, OTHER, 1_700_000_000_000_000)
OURS, THEIRS = (OWN, 1), (OTHER, 2)
KEY, KEEPER = PrivateKey.generate(), PrivateKey.generate()


def packets(first: int, count: int, mark: bytes = b"said") -> list[Packet]:
    return [Packet(n, n * 960, b"%s %d" % (mark, n)) for n in range(first, first + count)]


def begin(folder: Path) -> Journal:
    return Journal.create(folder / "l" / "c" / "call.record", HEAD, (KEY.reader, KEEPER.reader))


def write(journal: Journal, seconds: int = 12) -> None:
    """Write both tracks, a block a second."""
    for second in range(seconds):
        block = [(OURS, p) for p in packets(second * 50, 50)]
        block += [(THEIRS, p) for p in packets(second * 50, 50, b"heard")]
        journal.append(block, float(second))


def test_each_reader_reads_what_was_written(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    write(journal)
    assert list(journal.read(THEIRS, 90, 120).values()) == packets(90, 120, b"heard")
    journal.close()
    for key in (KEY, KEEPER):
        again = Journal.open(journal.path, key)
        assert again.head == HEAD
        assert again.tracks() == [OURS, THEIRS]
        assert again.bound(OURS) == 600
        assert list(again.read(OURS, 0, 600).values()) == packets(0, 600)
        assert again.read(OURS, 600, 10) == {}
        assert again.read((OWN, 7), 0, 10) == {}


@pytest.mark.parametrize(
    ("limit", "room"),
    [(resource.RLIMIT_FSIZE, 200), (resource.RLIMIT_NOFILE, 1)],
    ids=["the head", "the folder"],
)
def test_a_disk_that_refuses_at_the_start_leaves_no_file_and_nothing_open(
    limit: int, room: int, tmp_path: Path
) -> None:
    (tmp_path / "l" / "c").mkdir(parents=True)
    opened = len(os.listdir("/proc/self/fd"))
    if limit == resource.RLIMIT_NOFILE:  # the file can be opened, its folder then not any more
        room += lowest_free()
    with limited(limit, room), pytest.raises(OSError, match=r"File too large|Too many open"):
        begin(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == opened
    assert list((tmp_path / "l" / "c").iterdir()) == []
    begin(tmp_path).close()


def lowest_free() -> int:
    """Return the descriptor that the next file gets."""
    number = os.dup(0)
    os.close(number)
    return number


def test_an_index_far_away_costs_nothing(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    far = Packet(1 << 47, 0, b"far")
    journal.append([(THEIRS, one) for one in packets(0, 50)], 0.0)
    journal.append([(THEIRS, far)], 1.0)
    windows = list(journal.windows(THEIRS, journal.bound(THEIRS)))
    assert [list(one.values()) for one in windows] == [packets(0, 50), [far]]
    assert len(list(journal.windows(THEIRS, 1 << 40))) == 1


def test_nothing_that_was_said_stands_in_the_file(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    write(journal)
    data = journal.path.read_bytes()
    assert b"said" not in data
    assert b"heard" not in data
    with pytest.raises(SealedError):
        Journal.open(journal.path, PrivateKey.generate())


def test_a_new_key_every_five_seconds_and_at_every_start(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    write(journal, 11)
    journal.close()
    assert len(journal._wrapped) == 3
    again = Journal.open(journal.path, KEY, is_writing=True)
    again.append([(OURS, Packet(550, 0, b"later"))], 10.5)
    assert len(again._wrapped) == 4
    assert SEGMENT_S == 5.0


def test_what_was_kept_once_is_never_replaced(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    write(journal, 1)
    journal.append([(OURS, Packet(7, 7, b"another", How.REPAIRED))], 1.0)
    assert journal.read(OURS, 7, 1)[7] == packets(7, 1)[0]
    assert Journal.open(journal.path, KEY).read(OURS, 7, 1)[7] == packets(7, 1)[0]


def test_what_comes_late_or_was_repaired_is_found_in_its_place(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    said = packets(0, 10)
    journal.append([(OURS, p) for p in said if p.index != 4], 0.0)
    repaired = Packet(4, 4 * 960, b"said 4", How.REPAIRED)
    journal.append([(OURS, repaired)], 1.0)
    assert list(journal.read(OURS, 0, 10).values()) == [*said[:4], repaired, *said[5:]]


def test_a_torn_end_is_left_out_and_cut_off_by_the_next_writer(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    write(journal, 2)
    before = journal.path.read_bytes()
    journal.append([(OURS, p) for p in packets(100, 50)], 2.0)
    journal.close()
    whole = journal.path.read_bytes()
    for size in (len(before) + 1, len(before) + 4, len(before) + 100, len(whole) - 1):
        journal.path.write_bytes(whole[:size])
        assert Journal.open(journal.path, KEY).bound(OURS) == 100
        again = Journal.open(journal.path, KEY, is_writing=True)
        again.append([(OURS, p) for p in packets(100, 5)], 0.0)
        again.close()
        assert Journal.open(journal.path, KEY).bound(OURS) == 105


@pytest.mark.parametrize("zeros", [1, 5, 4_096, 100_000])
def test_a_length_that_a_power_cut_left_without_its_octets_is_a_torn_end(
    tmp_path: Path, zeros: int
) -> None:
    journal = begin(tmp_path)
    write(journal, 2)
    journal.close()
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + bytes(zeros))
    again = Journal.open(journal.path, KEY, is_writing=True)
    assert again.bound(OURS) == 100
    again.close()
    assert journal.path.read_bytes() == whole
    journal.path.write_bytes(whole + bytes(zeros) + b"more than a power cut")
    with pytest.raises(MalformedError):
        Journal.open(journal.path, KEY)


def test_every_altered_octet_is_found(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    journal.append([(OURS, p) for p in packets(0, 3)], 0.0)
    journal.close()
    whole = journal.path.read_bytes()
    for at in range(len(whole)):
        altered = bytearray(whole)
        altered[at] ^= 0x20
        journal.path.write_bytes(altered)
        try:
            found = Journal.open(journal.path, KEY).read(OURS, 0, 10)
        except (MalformedError, SealedError):
            continue
        # A longer length tears the last part off; another reader's key is not ours to check.
        assert found in ({}, {p.index: p for p in packets(0, 3)}), at


def test_blocks_cannot_change_places(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    sizes = [journal._size]
    for second in range(3):
        journal.append([(OURS, p) for p in packets(second * 10, 10)], float(second))
        sizes.append(journal._size)
    journal.close()
    data = journal.path.read_bytes()
    swapped = data[: sizes[1]] + data[sizes[2] : sizes[3]] + data[sizes[1] : sizes[2]]
    journal.path.write_bytes(swapped)
    with pytest.raises(MalformedError, match="not what was written"):
        Journal.open(journal.path, KEY)


def test_only_the_node_may_read_the_file_and_none_is_written_over(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    assert S_IMODE(journal.path.stat().st_mode) == 0o600
    assert S_IMODE(journal.path.parent.stat().st_mode) == 0o700
    with pytest.raises(FileExistsError):
        begin(tmp_path)


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = begin(tmp_path)
    write(journal, 1)

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            journal.append([(OURS, p) for p in packets(50, 50)], 1.0)
    assert Journal.open(journal.path, KEY).bound(OURS) == 50


def test_what_was_opened_for_reading_takes_nothing(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    with pytest.raises(MisuseError):
        Journal.open(journal.path, KEY).append([(OURS, packets(0, 1)[0])], 0.0)


@pytest.mark.parametrize(
    "content",
    [b"", b"telcon record v1\n", b"OggS" + bytes(100), b"telcon record v1\n\x00\x02{}\x00"],
)
def test_what_is_no_record_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(MalformedError):
        Journal.open(path, KEY)


def test_what_is_written_on_is_for_the_same_readers_whoever_keeps_records_by_then(
    tmp_path: Path,
) -> None:
    journal = begin(tmp_path)
    write(journal, 1)
    journal.close()
    assert count_readers(journal.path) == 2
    again = Journal.open(journal.path, KEY, is_writing=True)
    again.append([(OURS, Packet(50, 0, b"later"))], 0.0)
    again.close()
    assert Journal.open(journal.path, KEEPER).read(OURS, 50, 1)[50].payload == b"later"


def test_what_is_more_than_a_block_is_written_as_several(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    said = [Packet(n, n, bytes(1_338)) for n in range(4_000)]
    journal.append([(OURS, packet) for packet in said], 0.0)
    assert max(block.size for block in journal._blocks) < MAX_BLOCK_BYTES + 100
    assert list(Journal.open(journal.path, KEY).read(OURS, 0, 4_000).values()) == said

"""Tiles and bundles: worked paths and bytes, the sizes around full tiles, every altered octet."""

from collections.abc import Callable

import pytest

from fakes.tree import MemoryTree
from ledger.vectors import ENTRIES, VECTORS
from telcon.errors import MalformedError, MisuseError, ProofError
from telcon.ledger import (
    EMPTY_ROOT,
    format_bundle,
    log_files,
    parse_bundle_untrusted,
    root_at,
    tile_bytes,
    tile_path,
    tiles_of,
    verify_bundles,
    verify_tiles,
)

TILES = VECTORS["tiles"]
LARGE = [b"%d" % index for index in range(65_538)]
TREE = MemoryTree(LARGE)
SIZES = [0, 1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537]


def files_of(size: int) -> dict[str, bytes]:
    return dict(log_files(size, TREE.read, lambda first, count: LARGE[first : first + count]))


@pytest.mark.parametrize(("words", "path"), TILES["paths"].items())
def test_paths_are_the_worked_ones(words: str, path: str) -> None:
    _, level, _, index, _, width = words.split()
    assert (
        tile_path("entries" if level == "entries" else int(level), int(index), int(width)) == path
    )


def test_bytes_are_the_worked_ones() -> None:
    tree = MemoryTree(ENTRIES)
    assert format_bundle(ENTRIES).hex() == TILES["entry_bundle_size_3_hex"]
    assert tile_bytes(0, 0, 3, tree.read).hex() == TILES["tile_0_000_p_3_hex"]


@pytest.mark.parametrize(
    ("level", "index", "width"), [(-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)]
)
def test_what_is_no_tile_has_no_path(level: int, index: int, width: int) -> None:
    with pytest.raises(MisuseError):
        tile_path(level, index, width)


def test_a_log_of_256_has_one_full_tile_and_one_hash_above_it() -> None:
    assert list(tiles_of(256)) == [(0, 0, 256), (1, 0, 1)]


def test_a_log_of_70000_has_the_tiles_of_the_specification() -> None:
    tiles = list(tiles_of(70_000))
    assert [tile for tile in tiles if tile[2] < 256] == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert len(tiles) == 273 + 1 + 1 + 1 + 1


@pytest.mark.parametrize("size", SIZES)
def test_tiles_lead_to_the_root_and_bundles_to_the_entries(size: int) -> None:
    files = files_of(size)
    verify_tiles(size, root_at(size, TREE.read), files.__getitem__)
    bundles = list(verify_bundles(size, files.__getitem__))
    assert [entry for bundle in bundles for entry in bundle] == LARGE[:size]
    assert len(files) == sum(1 + (level == 0) for level, _, _ in tiles_of(size))


@pytest.mark.parametrize("size", SIZES[1:])
def test_tiles_do_not_lead_to_another_root(size: int) -> None:
    with pytest.raises(ProofError, match="another root"):
        verify_tiles(size, root_at(size - 1, TREE.read), files_of(size).__getitem__)


def test_the_empty_log_has_no_tiles() -> None:
    assert files_of(0) == {}
    verify_tiles(0, EMPTY_ROOT, files_of(0).__getitem__)
    with pytest.raises(ProofError):
        verify_tiles(0, bytes(32), files_of(0).__getitem__)


def refused(size: int, files: dict[str, bytes]) -> bool:
    try:
        verify_tiles(size, root_at(size, TREE.read), files.__getitem__)
        list(verify_bundles(size, files.__getitem__))
    except (ProofError, MalformedError):
        return True
    return False


def test_every_altered_octet_of_every_file_is_refused() -> None:
    size, tried = 258, 0
    files = files_of(size)
    for path, data in files.items():
        step = 1 if len(data) < 100 else 61
        for at in range(0, len(data), step):
            altered = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            assert refused(size, files | {path: altered}), (path, at)
            tried += 1
    assert tried > 150


BENT: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "empty": lambda _: b"",
}


@pytest.mark.parametrize("bend", BENT.values(), ids=BENT.keys())
@pytest.mark.parametrize("path", files_of(257))
def test_files_of_another_length_are_refused(path: str, bend: Callable[[bytes], bytes]) -> None:
    files = files_of(257)
    assert refused(257, files | {path: bend(files[path])})


def test_a_hash_above_that_does_not_follow_is_named() -> None:
    files = files_of(257)
    files["tile/1/000.p/1"] = bytes(32)
    with pytest.raises(ProofError, match=r"tile/1/000\.p/1 does not follow"):
        verify_tiles(257, root_at(257, TREE.read), files.__getitem__)


def test_entries_of_0_and_65535_octets_fit_a_bundle_and_65536_do_not() -> None:
    entries = [b"", bytes(65_535)]
    assert parse_bundle_untrusted(format_bundle(entries), 2) == entries
    with pytest.raises(MisuseError):
        format_bundle([bytes(65_536)])


@pytest.mark.parametrize("count", [0, 257])
def test_a_bundle_has_1_to_256_entries(count: int) -> None:
    with pytest.raises(MisuseError):
        format_bundle([b"x"] * count)


@pytest.mark.parametrize("width", [1, 2, 4])
def test_a_bundle_of_another_width_is_refused(width: int) -> None:
    with pytest.raises(MalformedError):
        parse_bundle_untrusted(format_bundle(ENTRIES), width)


@pytest.mark.parametrize("data", [b"\0", b"\0\1", b"\0\2a", b"\0\1ab"])
def test_a_bundle_cut_or_overlong_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_bundle_untrusted(data, 1)

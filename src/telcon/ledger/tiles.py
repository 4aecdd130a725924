"""Tiles and entry bundles, c2sp.org/tlog-tiles v0.1.0: a whole log as plain files.

`tile/<level>/<index>[.p/<width>]` holds 256 (or `width`) hashes; hash i of tile n at level l is
the perfect subtree number 256n+i of height 8l, so only full tiles feed the level above.
`tile/entries/<index>[.p/<width>]` holds the entries beside level 0, each with a u16 length.

Reading and writing files is the caller's: paths and bytes are given and taken.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Final, Literal

from telcon.errors import MalformedError, MisuseError, ProofError
from telcon.ledger.merkle import (
    EMPTY_FRONTIER,
    HASH_OCTETS,
    Frontier,
    HashReader,
)

TILE_WIDTH: Final = 256
TILE_HEIGHT: Final = 8
MAX_TILED_ENTRY_OCTETS: Final = 65_535  # a bundle's length prefix is a u16

Fetch = Callable[[str], bytes]
"""Bytes of the file at a path below the log's prefix."""


def tile_path(level: int | Literal["entries"], index: int, width: int = TILE_WIDTH) -> str:
    """Return the path of a tile, or of a bundle at level "entries".

    Raises:
        MisuseError: a level outside 0 to 63, a negative index, or a width outside 1 to 256.
    """
    if level != "entries" and not 0 <= level <= 63:
        raise MisuseError(f"tile levels are 0 to 63, not {level}")
    if index < 0 or not 1 <= width <= TILE_WIDTH:
        raise MisuseError(f"no tile {index} of width {width}")
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03}")
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(groups)}{partial}"


def tiles_of(size: int) -> Iterator[tuple[int, int, int]]:
    """Yield (level, index, width) of every tile of a log of `size` entries, lowest level first.

    The bundles are those of level 0.
    """
    level = 0
    while count := size >> TILE_HEIGHT * level:
        for index in range(count // TILE_WIDTH):
            yield level, index, TILE_WIDTH
        if count % TILE_WIDTH:
            yield level, count // TILE_WIDTH, count % TILE_WIDTH
        level += 1


def tile_bytes(level: int, index: int, width: int, read: HashReader) -> bytes:
    """Return the bytes of one tile of a log whose hashes `read` gives."""
    first = TILE_WIDTH * index
    return b"".join(read(TILE_HEIGHT * level, first + i) for i in range(width))


def format_bundle(entries: Sequence[bytes]) -> bytes:
    """Write one bundle.

    Raises:
        MisuseError: none or more than 256 entries, or one above 65,535 octets.
    """
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise MisuseError(f"a bundle has 1 to 256 entries, not {len(entries)}")
    for entry in entries:
        if len(entry) > MAX_TILED_ENTRY_OCTETS:
            raise MisuseError(f"an entry of {len(entry)} octets does not fit a bundle")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def parse_bundle_untrusted(data: bytes, width: int) -> list[bytes]:
    """Read a bundle of exactly `width` entries.

    Raises:
        MalformedError: cut short, too long, or with another number of entries.
    """
    entries = []
    position = 0
    try:
        for _ in range(width):
            start = position + 2
            position = start + (data[position] << 8 | data[position + 1])
            entries.append(data[start:position])
    except IndexError as error:
        raise MalformedError(f"a bundle of {width} entries is cut short") from error
    if position > len(data):  # only the last can reach beyond, or there was none to follow it
        raise MalformedError(f"a bundle of {width} entries is cut short")
    if position < len(data):
        raise MalformedError(f"a bundle of {width} entries has octets after them")
    return entries


def log_files(
    size: int, read: HashReader, entries: Callable[[int, int], Sequence[bytes]]
) -> Iterator[tuple[str, bytes]]:
    """Yield path and bytes of every bundle and tile of a log of `size` entries.

    `entries(first, count)` gives exactly `count` entries from `first` on. The caller makes all of
    this durable before it publishes the checkpoint.

    Raises:
        MisuseError: an entry does not fit a bundle.
    """
    for level, index, width in tiles_of(size):
        if level == 0:
            bundle = format_bundle(entries(TILE_WIDTH * index, width))
            yield tile_path("entries", index, width), bundle
        yield tile_path(level, index, width), tile_bytes(level, index, width, read)


def verify_tiles(size: int, root: bytes, fetch: Fetch) -> None:
    """Check that the tiles of a log of `size` entries lead to `root`, every hash of each.

    At no time is more held than one tile and the roots of the tiles of two levels.

    Raises:
        ProofError: they do not; the message names the tile.
        Whatever `fetch` raises.
    """
    below = b""  # roots of the full tiles one level down
    tails: list[tuple[bytes, ...]] = []  # what each level's partial tile adds to the frontier
    folded: list[bytes] = []
    level = -1
    for at, index, width in tiles_of(size):
        if at != level:
            below, folded, level = b"".join(folded), [], at
        tile = read_tile(at, index, width, fetch)
        first = HASH_OCTETS * TILE_WIDTH * index
        if at > 0 and tile != below[first : first + HASH_OCTETS * width]:
            raise ProofError(f"{tile_path(at, index, width)} does not follow from the level below")
        if width == TILE_WIDTH:
            folded.append(fold_hashes(tile))
        else:
            tails.append(_frontier(tile))
    frontier = Frontier(size, tuple(h for tail in reversed(tails) for h in tail))
    if frontier.root() != root:
        raise ProofError(f"the tiles of {size} entries lead to another root")


def verify_bundles(size: int, fetch: Fetch) -> Iterator[list[bytes]]:
    """Yield the entries of each bundle of a log, checked against the hashes in its level-0 tile.

    The tiles themselves are checked by `verify_tiles`.

    Raises:
        ProofError: an entry has another hash; the message names its index.
        MalformedError: a bundle cannot be read.
        Whatever `fetch` raises.
    """
    for level, index, width in tiles_of(size):
        if level > 0:
            return
        tile = read_tile(0, index, width, fetch)
        entries = read_bundle(index, width, fetch)
        # All of a bundle at once: a call for each entry would cost more than its hash.
        hashes = b"".join([sha256(b"\x00" + entry).digest() for entry in entries])
        if hashes != tile:
            wrong = next(at for at in range(width) if _differs(hashes, tile, at))
            path = tile_path("entries", index, width)
            raise ProofError(f"{path}: entry {TILE_WIDTH * index + wrong} has another hash")
        yield entries


def read_tile(level: int, index: int, width: int, fetch: Fetch) -> bytes:
    """Return the hashes of one tile, `HASH_OCTETS` each, unchecked.

    Raises:
        ProofError: it has another length.
        Whatever `fetch` raises.
    """
    path = tile_path(level, index, width)
    data = fetch(path)
    if len(data) != HASH_OCTETS * width:
        raise ProofError(f"{path}: expected {HASH_OCTETS * width} octets, got {len(data)}")
    return data


def read_bundle(index: int, width: int, fetch: Fetch) -> list[bytes]:
    """Return the entries of one bundle, unchecked.

    Raises:
        MalformedError: it cannot be read; the message names it.
        Whatever `fetch` raises.
    """
    path = tile_path("entries", index, width)
    try:
        return parse_bundle_untrusted(fetch(path), width)
    except MalformedError as error:
        raise MalformedError(f"{path}: {error}") from error


def fold_hashes(hashes: bytes) -> bytes:
    """Return the root over hashes written one after the other; how many is a power of two."""
    while len(hashes) > HASH_OCTETS:  # each level at once, as in `verify_bundles`
        pairs = range(0, len(hashes), 2 * HASH_OCTETS)
        hashes = b"".join(
            [sha256(b"\x01" + hashes[at : at + 2 * HASH_OCTETS]).digest() for at in pairs]
        )
    return hashes


def _differs(hashes: bytes, others: bytes, at: int) -> bool:
    place = slice(HASH_OCTETS * at, HASH_OCTETS * (at + 1))
    return hashes[place] != others[place]


def _frontier(tile: bytes) -> tuple[bytes, ...]:
    frontier = EMPTY_FRONTIER
    for at in range(0, len(tile), HASH_OCTETS):
        frontier, _ = frontier.append(tile[at : at + HASH_OCTETS])
    return frontier.hashes

"""Tiles and entry bundles, c2sp.org/tlog-tiles v0.1.0: a whole log as plain files.

`tile/<level>/<index>[.p/<width>]` holds 256 (or `width`) hashes; hash i of tile n at level l is
the perfect subtree number 256n+i of height 8l, so only full tiles feed the level above.
`tile/entries/<index>[.p/<width>]` holds the entries beside level 0, each with a u16 length.

Reading and writing files is the caller's: paths and bytes are given and taken.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal

from telcon.errors import MalformedError, MisuseError, ProofError
from telcon.ledger.merkle import (
    EMPTY_FRONTIER,
    HASH_OCTETS,
    Frontier,
    HashReader,
    leaf_hash,
    node_hash,
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
    for _ in range(width):
        start = position + 2
        position = start + int.from_bytes(data[position:start], "big")
        if start > len(data) or position > len(data):
            raise MalformedError(f"a bundle of {width} entries is cut short")
        entries.append(data[start:position])
    if position != len(data):
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

    Raises:
        ProofError: they do not; the message names the tile.
        Whatever `fetch` raises.
    """
    below: list[bytes] = []  # roots of the full tiles one level down
    tails: list[tuple[bytes, ...]] = []  # what each level's partial tile adds to the frontier
    folded: list[bytes] = []
    level = -1
    for at, index, width in tiles_of(size):
        if at != level:
            below, folded, level = folded, [], at
        hashes = _tile_hashes(at, index, width, fetch)
        first = TILE_WIDTH * index
        if at > 0 and hashes != below[first : first + width]:
            raise ProofError(f"{tile_path(at, index, width)} does not follow from the level below")
        if width == TILE_WIDTH:
            folded.append(_fold(hashes))
        else:
            tails.append(_frontier(hashes))
    frontier = Frontier(size, tuple(h for tail in reversed(tails) for h in tail))
    if frontier.root() != root:
        raise ProofError(f"the tiles of {size} entries lead to another root")


def verify_bundles(size: int, fetch: Fetch) -> Iterator[bytes]:
    """Yield every entry of a log, each checked against its hash in the level-0 tile.

    The tiles themselves are checked by `verify_tiles`.

    Raises:
        ProofError: an entry has another hash; the message names its index.
        MalformedError: a bundle cannot be read.
        Whatever `fetch` raises.
    """
    for level, index, width in tiles_of(size):
        if level > 0:
            return
        hashes = _tile_hashes(0, index, width, fetch)
        path = tile_path("entries", index, width)
        try:
            entries = parse_bundle_untrusted(fetch(path), width)
        except MalformedError as error:
            raise MalformedError(f"{path}: {error}") from error
        for offset, (entry, expected) in enumerate(zip(entries, hashes, strict=True)):
            if leaf_hash(entry) != expected:
                raise ProofError(f"{path}: entry {TILE_WIDTH * index + offset} has another hash")
            yield entry


def _tile_hashes(level: int, index: int, width: int, fetch: Fetch) -> list[bytes]:
    path = tile_path(level, index, width)
    data = fetch(path)
    if len(data) != HASH_OCTETS * width:
        raise ProofError(f"{path}: expected {HASH_OCTETS * width} octets, got {len(data)}")
    return [data[at : at + HASH_OCTETS] for at in range(0, len(data), HASH_OCTETS)]


def _fold(hashes: Sequence[bytes]) -> bytes:
    """Root of a full tile."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]


def _frontier(hashes: Sequence[bytes]) -> tuple[bytes, ...]:
    frontier = EMPTY_FRONTIER
    for value in hashes:
        frontier, _ = frontier.append(value)
    return frontier.hashes

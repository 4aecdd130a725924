"""Whole logs in a proof folder: from the signed root to the tiles, the entries, and the fold."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from telcon.core.call import CallState
from telcon.core.fold import Applied
from telcon.core.seal import Opening
from telcon.errors import ProofError
from telcon.ledger import (
    Policy,
    fold_hashes,
    read_bundle,
    read_tile,
    root_at,
    tile_path,
    tiles_of,
    verify_bundles,
    verify_checkpoint,
    verify_tiles,
)
from telcon.ledger.merkle import HASH_OCTETS
from telcon.node.proof.receipt import ProvenReceipt
from telcon.node.proof.selection import fold_line
from telcon.node.proof.steps import QUIET, Progress, Step

TILE_ENTRIES: Final = 256  # leaves of a full tile
TILE_HEIGHT: Final = 8
KEPT_TILES: Final = 64  # 8 KiB each

Fetch = Callable[[str], bytes]


class WholeLog:
    """Every entry of one log, each proven to stand under the signed checkpoint; a `StoredLog`.

    Nothing but a few tiles and one bundle is held in memory: what is asked for is read again from
    the files, which are taken not to change while they are checked.
    """

    def __init__(self, origin: str, size: int, fetch: Fetch) -> None:
        """Read the log of `size` entries whose files `fetch` gives; `read_log` has checked them."""
        self._origin = origin
        self._size = size
        self._fetch = fetch
        self._bundle: tuple[int, list[bytes]] = (-1, [])
        self._tile = lru_cache(maxsize=KEPT_TILES)(self._read_tile)

    @property
    def origin(self) -> str:
        """The log's origin."""
        return self._origin

    @property
    def size(self) -> int:
        """How many entries it has."""
        return self._size

    def hash(self, level: int, index: int) -> bytes:
        """Return the hash of a perfect subtree."""
        at, inner = divmod(level, TILE_HEIGHT)
        tile, place = divmod(index << inner, TILE_ENTRIES)
        first = HASH_OCTETS * place
        return fold_hashes(self._tile(at, tile)[first : first + (HASH_OCTETS << inner)])

    def entries(self, first: int, max_bytes: int) -> list[bytes]:
        """Return entries from `first` on, together at most `max_bytes` but one at least if any.

        What is asked for within one bundle is read once.
        """
        if first >= self._size:
            return []
        index, place = divmod(first, TILE_ENTRIES)
        if self._bundle[0] != index:
            width = min(TILE_ENTRIES, self._size - index * TILE_ENTRIES)
            self._bundle = (index, read_bundle(index, width, self._fetch))
        found = self._bundle[1][place : place + 1]
        octets = len(found[0])
        for entry in self._bundle[1][place + 1 :]:
            octets += len(entry)
            if octets > max_bytes:
                break
            found.append(entry)
        return found

    def openings(self, first: int, count: int) -> list[tuple[int, Opening]]:
        """Return none: contents do not lie in the log."""
        return []

    def note(self, size: int) -> bytes | None:
        """Return None: the checkpoint was checked when the log was read."""
        return None

    def newest_note(self) -> tuple[int, bytes] | None:
        """Return None, as `note`."""
        return None

    def seconded_size(self) -> int:
        """Return 0, as `note`."""
        return 0

    def check_receipt(self, receipt: ProvenReceipt) -> None:
        """Check that a receipt of this log speaks of the same log.

        Raises:
            ProofError: another entry stands there, or its checkpoint has another root.
        """
        index, size = receipt.proven.index, receipt.proven.size
        if self.entries(index, 1) != [receipt.data]:
            raise ProofError(f"{receipt.path}: the whole log has another entry {index}")
        if size > self.size or root_at(size, self.hash) != receipt.proven.root:
            raise ProofError(f"{receipt.path}: the whole log has another root, or none, at {size}")

    def _read_tile(self, level: int, index: int) -> bytes:
        width = min(TILE_ENTRIES, (self._size >> TILE_HEIGHT * level) - index * TILE_ENTRIES)
        return read_tile(level, index, width, self._fetch)


@dataclass(frozen=True, slots=True)
class ReadLog:
    """A whole log and what its checkpoint proves."""

    log: WholeLog
    cosigned: tuple[tuple[str, int], ...]
    """Key name and POSIX time in seconds of each cosigner."""


def expected_files(size: int) -> frozenset[str]:
    """Return the paths of all tiles and bundles of a log of `size` entries."""
    paths = {tile_path(level, index, width) for level, index, width in tiles_of(size)}
    bundles = {
        tile_path("entries", index, width) for level, index, width in tiles_of(size) if level == 0
    }
    return frozenset(paths | bundles)


def read_log(
    checkpoint: bytes,
    policy: Policy,
    paths: Sequence[str],
    fetch: Fetch,
    progress: Progress = QUIET,
) -> ReadLog:
    """Check a whole log: its checkpoint, all its tiles, all its entries.

    `paths` are the files there are, `fetch` reads one; both relative to the log's folder.
    `progress` hears how far it is.

    Raises:
        PeerError: it does not hold, or a file is missing or too much; the message says which.
    """
    accepted = verify_checkpoint(checkpoint, policy)
    size, root = accepted.checkpoint.size, accepted.checkpoint.root
    if size > TILE_ENTRIES * len(paths):  # before a list of them is made: it may say 2^63
        raise ProofError(f"{len(paths)} files are too few for {size} entries")
    expected = expected_files(size)
    for path in sorted(expected.symmetric_difference(paths)):
        what = "is missing" if path in expected else "is no file of this log"
        raise ProofError(f"{path} {what}")
    verify_tiles(size, root, fetch)
    for number, _ in enumerate(verify_bundles(size, fetch)):
        progress(Step.ENTRIES, TILE_ENTRIES * number, size)
    progress(Step.ENTRIES, size, size)
    log = WholeLog(policy.log.name, size, fetch)
    return ReadLog(log, tuple((key.name, time_s) for key, time_s in accepted.cosigned))


@dataclass(frozen=True, slots=True)
class Unseen:
    """Entries of `author` that claim to have seen what `log` does not hold here.

    They have no effect in the fold. Either `log` was cut off or they claim falsely; who reads both
    logs cannot tell.
    """

    author: str
    log: str
    count: int
    size: int
    """How many entries of `log` they claim to have seen, at most."""


def fold_call(
    logs: Mapping[str, WholeLog], call: str, progress: Progress = QUIET
) -> tuple[CallState | None, tuple[Unseen, ...]]:
    """Fold both whole logs, by origin, and return what they tell of `call`, and what they lack."""
    first, second = logs.values()
    other = {first.origin: second, second.origin: first}
    claims: dict[str, list[int]] = {origin: [] for origin in other}

    def note(origin: str, _: int, applied: Applied) -> None:
        if applied.entry is not None and applied.entry.seen[0] > other[origin].size:
            claims[origin].append(applied.entry.seen[0])

    state = fold_line(first, second, note, progress).calls.get(call)
    unseen = (
        Unseen(author, other[author].origin, len(sizes), max(sizes))
        for author, sizes in claims.items()
        if sizes
    )
    return state, tuple(unseen)

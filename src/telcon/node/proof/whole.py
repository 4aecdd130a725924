"""Whole logs in a proof folder: from the signed root to the tiles, the entries, and the fold."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from telcon.core.call import CallState
from telcon.core.fold import LineFold
from telcon.errors import ProofError
from telcon.ledger import (
    EMPTY_FRONTIER,
    Frontier,
    Policy,
    leaf_hash,
    root_at,
    tile_path,
    tiles_of,
    verify_bundles,
    verify_checkpoint,
    verify_tiles,
)
from telcon.node.proof.receipt import ProvenReceipt
from telcon.node.proof.replay import replay

Fetch = Callable[[str], bytes]


class WholeLog:
    """Every entry of one log, each proven to stand under the signed checkpoint."""

    def __init__(self, origin: str) -> None:
        """Start empty; `read_log` fills it."""
        self.origin = origin
        self.entries: list[bytes] = []
        self._completed: list[tuple[bytes, ...]] = []
        self._frontier: Frontier = EMPTY_FRONTIER

    def append(self, entry: bytes) -> None:
        """Add the next entry."""
        self.entries.append(entry)
        self._frontier, completed = self._frontier.append(leaf_hash(entry))
        self._completed.append(completed)

    def root(self, size: int) -> bytes | None:
        """Return the root at `size`; None if the log is shorter."""
        if size > len(self.entries):
            return None
        return root_at(
            size, lambda level, index: self._completed[((index + 1) << level) - 1][level]
        )

    def check_receipt(self, receipt: ProvenReceipt) -> None:
        """Check that a receipt of this log speaks of the same log.

        Raises:
            ProofError: another entry stands there, or its checkpoint has another root.
        """
        index, size = receipt.proven.index, receipt.proven.size
        if index >= len(self.entries) or self.entries[index] != receipt.data:
            raise ProofError(f"{receipt.path}: the whole log has another entry {index}")
        if self.root(size) != receipt.proven.root:
            raise ProofError(f"{receipt.path}: the whole log has another root, or none, at {size}")


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


def read_log(checkpoint: bytes, policy: Policy, paths: Sequence[str], fetch: Fetch) -> ReadLog:
    """Check a whole log: its checkpoint, all its tiles, all its entries.

    `paths` are the files there are, `fetch` reads one; both relative to the log's folder.

    Raises:
        PeerError: it does not hold, or a file is missing or too much; the message says which.
    """
    accepted = verify_checkpoint(checkpoint, policy)
    size, root = accepted.checkpoint.size, accepted.checkpoint.root
    expected = expected_files(size)
    for path in sorted(expected.symmetric_difference(paths)):
        what = "is missing" if path in expected else "is no file of this log"
        raise ProofError(f"{path} {what}")
    verify_tiles(size, root, fetch)
    log = WholeLog(policy.log.name)
    for entry in verify_bundles(size, fetch):
        log.append(entry)
    return ReadLog(log, tuple((key.name, time_s) for key, time_s in accepted.cosigned))


def fold_call(logs: Mapping[str, WholeLog], call: str) -> CallState | None:
    """Fold two whole logs and return what they tell of `call`; None if they know none."""
    fold = LineFold(frozenset(logs), lambda origin, size: logs[origin].root(size))
    entries: dict[str, Iterator[bytes]] = {o: iter(log.entries) for o, log in logs.items()}
    for _ in replay(fold, entries):
        pass
    return fold.calls.get(call)

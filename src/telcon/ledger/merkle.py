"""The Merkle tree of RFC 6962 §2 (= RFC 9162 §2.1): roots, the frontier, proofs made and checked.

Nothing is stored here. A log's hashes are read through a `HashReader`; appending needs the
`Frontier` alone. Whoever keeps a log stores what `Frontier.append` returns. Equal entries have
equal leaf hashes: an entry is named by origin and index, never by its hash alone.

The verifiers follow RFC 9162 §2.1.3.2 and §2.1.4.2 step by step and share no code with the makers;
that of a run of leaves, which no RFC has, makes the tree again level by level.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from telcon.errors import MisuseError, ProofError

HASH_OCTETS = 32
MAX_PROOF_HASHES = 63  # a tree of at most 2^63-1 leaves is at most 63 high

HashReader = Callable[[int, int], bytes]
"""`read(level, index)`: hash of the perfect subtree of height `level` over the leaves from
`index << level` to `(index + 1) << level`. Binary levels, not tile levels."""

EMPTY_ROOT = sha256(b"").digest()
"""Root of the tree without leaves."""


def leaf_hash(data: bytes) -> bytes:
    """Hash one entry as a leaf. The prefix keeps leaves and nodes apart."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into their parent."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The O(log n) state that suffices to append: one hash for each set bit of `size`."""

    size: int
    """Number of leaves."""
    hashes: tuple[bytes, ...]
    """Roots of the perfect subtrees, largest first."""

    @classmethod
    def load(cls, size: int, read: HashReader) -> "Frontier":
        """Read the frontier of the first `size` leaves of a stored log.

        Raises:
            MisuseError: `size` is negative.
        """
        return cls(size, tuple(read(level, index) for level, index in _subtrees(0, size)))

    def append(self, leaf: bytes) -> tuple["Frontier", tuple[bytes, ...]]:
        """Append one leaf hash.

        Returns:
            The new frontier, and the hashes of the perfect subtrees that this leaf completes,
            level 0 (the leaf itself) first: hash (level, j) is completed by leaf
            `((j + 1) << level) - 1`.

        Raises:
            MisuseError: `leaf` is not a hash of 32 octets.
        """
        if len(leaf) != HASH_OCTETS:
            raise MisuseError(f"expected a leaf hash of 32 octets, got {len(leaf)}")
        pending = self.size
        kept = len(self.hashes)
        grown = leaf
        completed = [leaf]
        while pending & 1:
            kept -= 1
            grown = node_hash(self.hashes[kept], grown)
            completed.append(grown)
            pending >>= 1
        return Frontier(self.size + 1, (*self.hashes[:kept], grown)), tuple(completed)

    def root(self) -> bytes:
        """Return the root of the whole tree."""
        return _fold_right(self.hashes)


EMPTY_FRONTIER = Frontier(0, ())
"""Where every log starts."""


def root_at(size: int, read: HashReader) -> bytes:
    """Return the root of the first `size` leaves.

    Raises:
        MisuseError: `size` is negative.
    """
    return _range_root(0, size, read)


def inclusion_proof(index: int, size: int, read: HashReader) -> list[bytes]:
    """Prove that leaf `index` is in the tree of `size` leaves; hashes from the leaf upward.

    Raises:
        MisuseError: `index` is not below `size`, or negative.
    """
    if not 0 <= index < size:
        raise MisuseError(f"no leaf {index} in a tree of {size}")
    proof = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(_range_root(middle, end, read))
            end = middle
        else:
            proof.append(_range_root(start, middle, read))
            start = middle
    return proof[::-1]


def consistency_proof(old: int, new: int, read: HashReader) -> list[bytes]:
    """Prove that the tree of `new` leaves only appends to that of `old`.

    Raises:
        MisuseError: `old` is 0 (nothing can be proven about it), or above `new`.
    """
    if not 0 < old <= new:
        raise MisuseError(f"no consistency proof from size {old} to {new}")
    proof = []
    start, end = 0, new
    while old < end:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(_range_root(middle, end, read))
            end = middle
        else:
            proof.append(_range_root(start, middle, read))
            start = middle
    if start > 0:  # else the old tree is itself a node, which the verifier knows
        proof.append(_range_root(start, end, read))
    return proof[::-1]


def range_proof(first: int, count: int, size: int, read: HashReader) -> list[bytes]:
    """Prove that `count` leaves from `first` on stand together in the tree of `size` leaves.

    The hashes of what lies before them, largest subtree first (the frontier of the tree of `first`
    leaves), then of what lies after them, smallest first. Of one leaf this is its inclusion proof,
    sorted by side.

    Raises:
        MisuseError: there are no such leaves, or none is asked for.
    """
    if not (first >= 0 and count >= 1 and first + count <= size):
        raise MisuseError(f"no leaves {first} to {first + count - 1} in a tree of {size}")
    before = [read(level, index) for level, index in _subtrees(0, first)]
    after: list[bytes] = []
    start, end = 0, size
    while end > first + count:
        middle = start + _split(end - start)
        if first + count <= middle:
            after.append(_range_root(middle, end, read))
            end = middle
        else:
            start = middle
    return before + after[::-1]


def verify_inclusion(
    index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that `leaf` (a leaf hash) stands at `index` in the tree of `size` leaves and `root`.

    Raises:
        ProofError: it does not, or the proof has another length than it must have.
    """
    # RFC 9162 §2.1.3.2
    _check_hashes(leaf, root, *proof)
    if not 0 <= index < size:
        raise ProofError(f"index {index} is outside a tree of {size}")
    node, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError(f"inclusion proof of {index} in {size} is too long")
        if node & 1 or node == last:
            computed = node_hash(sibling, computed)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise ProofError(f"inclusion proof of {index} in {size} is too short")
    if computed != root:
        raise ProofError(f"inclusion proof of {index} in {size} leads to another root")


def verify_range(
    first: int, size: int, leaves: Sequence[bytes], proof: Sequence[bytes], root: bytes
) -> None:
    """Check that `leaves` (leaf hashes) stand from `first` on in the tree of `size` and `root`.

    Raises:
        ProofError: they do not, or the proof has another length than it must have.
    """
    if len(proof) > 2 * MAX_PROOF_HASHES:
        raise ProofError(f"a range proof has at most {2 * MAX_PROOF_HASHES} hashes")
    for value in (root, *leaves, *proof):
        _check_hashes(value)
    if not (first >= 0 and leaves and first + len(leaves) <= size):
        raise ProofError(f"no leaves {first} to {first + len(leaves) - 1} in a tree of {size}")
    split = first.bit_count()
    before, after = list(proof[:split]), list(reversed(proof[split:]))
    level = list(leaves)
    # One level after the other: a node without a sibling is its own parent (RFC 6962 §2.1).
    start, width = first, size
    while width > 1:
        if start % 2 == 1:
            level.insert(0, _next_of(before))
            start -= 1
        if len(level) % 2 == 1 and start + len(level) < width:
            level.append(_next_of(after))
        pairs = range(0, len(level) - 1, 2)
        parents = [node_hash(level[at], level[at + 1]) for at in pairs]
        level = parents + level[len(parents) * 2 :]
        start, width = start // 2, (width + 1) // 2
    if before or after:
        raise ProofError(f"range proof of {len(leaves)} from {first} in {size} is too long")
    if level != [root]:
        raise ProofError(
            f"range proof of {len(leaves)} from {first} in {size} leads to another root"
        )


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree (`new`, `new_root`) only appends to the tree (`old`, `old_root`).

    Raises:
        ProofError: it does not; or `old` is 0, which says nothing about the new tree.
    """
    # RFC 9162 §2.1.4.2
    _check_hashes(old_root, new_root, *proof)
    if not 0 < old <= new:
        raise ProofError(f"no consistency proof exists from size {old} to {new}")
    if old == new:
        if proof or old_root != new_root:
            raise ProofError(f"two roots, or a proof without need, for one size {old}")
        return
    if not proof:
        raise ProofError(f"consistency proof from {old} to {new} is too short")
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    _climb(node, last, path, old_root, new_root)


def _climb(node: int, last: int, path: list[bytes], old_root: bytes, new_root: bytes) -> None:
    """Rebuild both roots at once: steps 4 to 6 of RFC 9162 §2.1.4.2."""
    old_computed = new_computed = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("consistency proof is too long")
        if node & 1 or node == last:
            old_computed = node_hash(sibling, old_computed)
            new_computed = node_hash(sibling, new_computed)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new_computed = node_hash(new_computed, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise ProofError("consistency proof is too short")
    if old_computed != old_root:
        raise ProofError("consistency proof does not start from the old root")
    if new_computed != new_root:
        raise ProofError("consistency proof does not lead to the new root")


def _next_of(hashes: list[bytes]) -> bytes:
    if not hashes:
        raise ProofError("range proof is too short")
    return hashes.pop()


def _check_hashes(*hashes: bytes) -> None:
    if len(hashes) > MAX_PROOF_HASHES + 2:
        raise ProofError(f"a proof has at most {MAX_PROOF_HASHES} hashes")
    for value in hashes:
        if len(value) != HASH_OCTETS:
            raise ProofError(f"expected hashes of 32 octets, got {len(value)}")


def _split(count: int) -> int:
    """Largest power of two below `count` (which is above 1)."""
    return 1 << ((count - 1).bit_length() - 1)


def _subtrees(start: int, end: int) -> list[tuple[int, int]]:
    """(level, index) of the perfect subtrees of falling height that make up [start, end).

    `start` is a multiple of the smallest power of two not below `end - start`, as every range
    met in a proof is.
    """
    if start < 0 or end < start:
        raise MisuseError(f"no tree over the leaves {start} to {end}")
    subtrees = []
    while start < end:
        level = (end - start).bit_length() - 1
        subtrees.append((level, start >> level))
        start += 1 << level
    return subtrees


def _range_root(start: int, end: int, read: HashReader) -> bytes:
    return _fold_right([read(level, index) for level, index in _subtrees(start, end)])


def _fold_right(hashes: Sequence[bytes]) -> bytes:
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root

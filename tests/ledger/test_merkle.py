"""The tree against worked values, against the RFC's literal text, and for every size to 300."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.tree import MemoryTree, literal_root
from ledger.vectors import VECTORS
from telcon.errors import MisuseError, ProofError
from telcon.ledger import (
    EMPTY_FRONTIER,
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    range_proof,
    root_at,
    verify_consistency,
    verify_inclusion,
    verify_range,
)

MERKLE = VECTORS["merkle"]
INPUTS = [bytes.fromhex(text) for text in MERKLE["leaf_inputs_hex"]]
LEAVES = [leaf_hash(entry) for entry in INPUTS]
WORKED = MemoryTree(INPUTS)
TREE = MemoryTree(b"%d" % index for index in range(301))
ROOTS = [root_at(size, TREE.read) for size in range(302)]
SIZES = range(1, 301)


def hexes(values: list[bytes]) -> list[str]:
    return [value.hex() for value in values]


def test_leaf_and_node_hashes_are_the_published_ones() -> None:
    assert leaf_hash(b"").hex().startswith("6e340b9cffb37a98")
    assert leaf_hash(b"L123456").hex().startswith("395aa064aa4c29f7")
    assert node_hash(b"N123", b"N456").hex().startswith("aa217fe888e47007")
    assert hexes(LEAVES) == MERKLE["leaf_hashes_hex"]


def test_roots_are_the_worked_ones() -> None:
    assert hexes([root_at(n, WORKED.read) for n in range(9)]) == MERKLE["roots_hex_by_size"]
    assert root_at(0, WORKED.read) == EMPTY_ROOT == EMPTY_FRONTIER.root()


@pytest.mark.parametrize("case", MERKLE["inclusion"])
def test_inclusion_proofs_are_the_worked_ones(case: dict[str, Any]) -> None:
    index, size = case["index"], case["size"]
    proof = inclusion_proof(index, size, WORKED.read)
    assert hexes(proof) == case["path_hex"]
    verify_inclusion(index, size, LEAVES[index], proof, root_at(size, WORKED.read))


@pytest.mark.parametrize("case", MERKLE["consistency"])
def test_consistency_proofs_are_the_worked_ones(case: dict[str, Any]) -> None:
    assert hexes(consistency_proof(case["old"], case["new"], WORKED.read)) == case["path_hex"]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 9, 127, 128, 255, 256, 257, 300])
def test_frontier_and_root_agree_with_the_literal_definition(size: int) -> None:
    leaves = [TREE.read(0, index) for index in range(size)]
    assert root_at(size, TREE.read) == literal_root(leaves)
    assert Frontier.load(size, TREE.read).root() == literal_root(leaves)


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257])
def test_a_loaded_frontier_goes_on_as_the_first_one_did(size: int) -> None:
    loaded, completed = Frontier.load(size, TREE.read).append(TREE.read(0, size))
    assert (loaded.size, loaded.root()) == (size + 1, ROOTS[size + 1])
    assert completed == TREE.rows[size]
    assert len(loaded.hashes) == (size + 1).bit_count()


def test_every_leaf_of_every_size_is_proven() -> None:
    for size in SIZES:
        for index in range(size):
            proof = inclusion_proof(index, size, TREE.read)
            verify_inclusion(index, size, TREE.read(0, index), proof, ROOTS[size])


def test_every_pair_of_sizes_is_proven_consistent() -> None:
    for new in SIZES:
        for old in range(1, new + 1):
            proof = consistency_proof(old, new, TREE.read)
            verify_consistency(old, new, ROOTS[old], ROOTS[new], proof)


def bent(proof: list[bytes]) -> list[list[bytes]]:
    """Return the proofs that must not pass in place of `proof`."""
    spare = leaf_hash(b"spare")
    wrong = [[*proof, spare], [spare, *proof], proof[::-1], proof[:-1], proof[1:]]
    wrong += [[*proof[:i], spare, *proof[i + 1 :]] for i in range(len(proof))]
    return [other for other in wrong if other != proof]


def test_no_bent_inclusion_proof_passes_at_any_size() -> None:
    tried = 0
    for size in SIZES:
        for index in {0, size // 3, size // 2, size - 1}:
            leaf = TREE.read(0, index)
            for proof in bent(inclusion_proof(index, size, TREE.read)):
                tried += 1
                with pytest.raises(ProofError):
                    verify_inclusion(index, size, leaf, proof, ROOTS[size])
    assert tried > 10_000


def test_no_bent_consistency_proof_passes_at_any_size() -> None:
    tried = 0
    for new in SIZES:
        for old in {1, new // 3 or 1, new // 2 or 1, new}:
            for proof in bent(consistency_proof(old, new, TREE.read)):
                tried += 1
                with pytest.raises(ProofError):
                    verify_consistency(old, new, ROOTS[old], ROOTS[new], proof)
    assert tried > 8_000


def test_a_proof_holds_for_its_own_index_leaf_and_root_only() -> None:
    for size in SIZES:
        index = size // 2
        leaf, proof = TREE.read(0, index), inclusion_proof(index, size, TREE.read)
        for claim in (
            (index, size, leaf_hash(b"x"), ROOTS[size]),
            (index, size, leaf, ROOTS[size + 1]),
            (size, size, leaf, ROOTS[size]),
            (-1, size, leaf, ROOTS[size]),
        ):
            with pytest.raises(ProofError):
                verify_inclusion(claim[0], claim[1], claim[2], proof, claim[3])


def test_index_equal_to_size_is_refused_by_maker_and_verifier() -> None:
    with pytest.raises(MisuseError):
        inclusion_proof(3, 3, TREE.read)
    with pytest.raises(ProofError, match="outside"):
        verify_inclusion(3, 3, LEAVES[0], [], ROOTS[3])


def test_the_empty_tree_is_consistent_with_nothing() -> None:
    with pytest.raises(MisuseError):
        consistency_proof(0, 3, TREE.read)
    with pytest.raises(ProofError):
        verify_consistency(0, 3, EMPTY_ROOT, ROOTS[3], [])


def test_two_roots_for_one_size_are_refused() -> None:
    verify_consistency(5, 5, ROOTS[5], ROOTS[5], [])
    with pytest.raises(ProofError):
        verify_consistency(5, 5, ROOTS[5], ROOTS[6], [])
    with pytest.raises(ProofError):
        verify_consistency(5, 5, ROOTS[5], ROOTS[5], [ROOTS[5]])


def test_a_shrunken_tree_is_refused() -> None:
    with pytest.raises(MisuseError):
        consistency_proof(6, 5, TREE.read)
    with pytest.raises(ProofError):
        verify_consistency(6, 5, ROOTS[6], ROOTS[5], [])


@pytest.mark.parametrize("octets", [0, 31, 33, 64])
def test_hashes_of_another_length_are_refused(octets: int) -> None:
    proof = inclusion_proof(1, 3, TREE.read)
    with pytest.raises(ProofError, match="32 octets"):
        verify_inclusion(1, 3, TREE.read(0, 1), [bytes(octets), *proof[1:]], ROOTS[3])
    with pytest.raises(ProofError, match="32 octets"):
        verify_inclusion(1, 3, bytes(octets), proof, ROOTS[3])
    with pytest.raises(MisuseError):
        EMPTY_FRONTIER.append(bytes(octets))


def test_an_endless_proof_is_refused_before_it_is_hashed() -> None:
    with pytest.raises(ProofError, match="at most 63"):
        verify_inclusion(0, 2**63 - 1, LEAVES[0], [LEAVES[0]] * 100, ROOTS[3])


def test_negative_sizes_are_misuse() -> None:
    with pytest.raises(MisuseError):
        root_at(-1, TREE.read)
    with pytest.raises(MisuseError):
        Frontier.load(-1, TREE.read)


# -- ranges


def test_every_run_of_small_trees_is_proven() -> None:
    for size in range(1, 34):
        for first in range(size):
            for count in range(1, size - first + 1):
                proof = range_proof(first, count, size, TREE.read)
                leaves = [TREE.read(0, index) for index in range(first, first + count)]
                verify_range(first, size, leaves, proof, ROOTS[size])


def test_a_run_of_one_is_an_inclusion_proof_and_a_whole_tree_needs_none() -> None:
    for size in (1, 2, 7, 64, 255, 300):
        for index in {0, size // 2, size - 1}:
            found = range_proof(index, 1, size, TREE.read)
            assert sorted(found) == sorted(inclusion_proof(index, size, TREE.read))
        assert range_proof(0, size, size, TREE.read) == []


@st.composite
def runs(draw: st.DrawFn) -> tuple[int, int, int]:
    size = draw(st.integers(1, 300))
    first = draw(st.integers(0, size - 1))
    return first, draw(st.integers(1, size - first)), size


@given(runs(), st.data())
def test_a_run_that_is_bent_anywhere_is_refused(
    run: tuple[int, int, int], data: st.DataObject
) -> None:
    first, count, size = run
    leaves = [TREE.read(0, index) for index in range(first, first + count)]
    proof = range_proof(first, count, size, TREE.read)
    # The root as the RFC's text has it, of nothing but what a verifier is given and the rest.
    rest = [TREE.read(0, index) for index in range(size)]
    root = literal_root([*rest[:first], *leaves, *rest[first + count :]])
    verify_range(first, size, leaves, proof, root)
    bent = data.draw(st.sampled_from(["leaf", "hash", "drop", "add", "move", "swap", "more"]))
    other = bytes(32)
    at = data.draw(st.integers(0, count - 1))
    if bent == "leaf":
        leaves[at] = other
    elif bent == "drop":
        del leaves[at]
    elif bent == "add":
        leaves.insert(at, leaves[at])
    elif bent == "move":
        first += data.draw(st.sampled_from([-1, 1]))
    elif bent == "swap" and count > 1:
        leaves[at], leaves[at - 1] = leaves[at - 1], leaves[at]
    elif bent == "hash" and proof:
        proof[data.draw(st.integers(0, len(proof) - 1))] = other
    else:
        proof.insert(data.draw(st.integers(0, len(proof))), other)
    with pytest.raises(ProofError):
        verify_range(first, size, leaves, proof, root)


def test_hashes_of_another_length_and_too_many_are_refused() -> None:
    leaf = TREE.read(0, 0)
    for leaves, proof in (([leaf[:31]], []), ([leaf], [b""]), ([leaf], [leaf] * 127), ([], [])):
        with pytest.raises(ProofError):
            verify_range(0, 1, leaves, proof, ROOTS[1])


@pytest.mark.parametrize("run", [(0, 0, 1), (-1, 1, 2), (0, 2, 1), (1, 1, 1)])
def test_no_proof_is_made_of_leaves_that_are_not_there(run: tuple[int, int, int]) -> None:
    with pytest.raises(MisuseError):
        range_proof(*run, TREE.read)

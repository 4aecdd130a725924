"""Two checkpoints that cannot both be true: every pair of small sizes, and what proves nothing."""

from itertools import product

import pytest

from fakes.tree import MemoryTree, literal_root
from ledger.vectors import LOG, LOG_KEY, MIRROR, MIRROR_KEY, VECTORS
from telcon.errors import MalformedError, MisuseError, PeerError, ProofError, SignatureError
from telcon.ledger import (
    Checkpoint,
    Fork,
    consistency_proof,
    fork_between,
    fork_hash,
    format_path,
    leaf_hash,
    parse_path_untrusted,
    sign_checkpoint,
    verify_fork,
)

SIZES = range(1, 20)
ENTRIES = [b"%d" % index for index in range(20)]
TREE = MemoryTree(ENTRIES)


def note(size: int, root: bytes | None = None) -> bytes:
    """Return a signed checkpoint: true, or with another root."""
    true = literal_root([leaf_hash(entry) for entry in ENTRIES[:size]])
    return sign_checkpoint(Checkpoint(LOG_KEY.name, size, root or true), LOG)


@pytest.mark.parametrize("old", SIZES)
def test_a_smaller_one_that_lies_is_proven_under_every_larger_one(old: int) -> None:
    for new in range(old, 20):
        fork = fork_between(note(new), note(old, b"\1" * 32), TREE.read)
        first, second = verify_fork(fork, LOG_KEY)
        assert (first.size, second.size) == (old, new)


def test_two_that_are_both_true_prove_nothing() -> None:
    for old, new in product(SIZES, SIZES):
        fork = fork_between(note(old), note(new), TREE.read)
        with pytest.raises(ProofError):
            verify_fork(fork, LOG_KEY)


def test_a_changed_path_proves_nothing() -> None:
    fork = fork_between(note(5, b"\1" * 32), note(13), TREE.read)
    for at in range(len(fork.path)):
        changed = (*fork.path[:at], b"\2" * 32, *fork.path[at + 1 :])
        shorter = (*fork.path[:at], *fork.path[at + 1 :])
        for path in (changed, shorter, fork.path[: at + 1][:-1], (*fork.path, b"\2" * 32)):
            with pytest.raises(ProofError):
                verify_fork(fork._replace(path=path), LOG_KEY)


def test_a_path_for_one_size_or_in_the_wrong_order_proves_nothing() -> None:
    fork = fork_between(note(5, b"\1" * 32), note(13), TREE.read)
    same = Fork(note(5), note(5, b"\1" * 32))
    verify_fork(same, LOG_KEY)
    for false in (same._replace(path=fork.path), Fork(fork.second, fork.first, fork.path)):
        with pytest.raises(ProofError):
            verify_fork(false, LOG_KEY)


def test_both_must_be_signed_by_the_key_of_the_log() -> None:
    other = sign_checkpoint(Checkpoint(LOG_KEY.name, 5, b"\1" * 32), MIRROR)
    for fork in (Fork(note(5), other), Fork(other, note(5)), Fork(note(5), b"no note")):
        with pytest.raises((SignatureError, MalformedError)):
            verify_fork(fork, LOG_KEY)
    with pytest.raises(SignatureError):
        verify_fork(Fork(note(5), note(5, b"\1" * 32)), MIRROR_KEY)


def test_every_changed_octet_of_a_note_is_noticed() -> None:
    good = note(5, b"\1" * 32)
    for at in range(len(good)):
        bad = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
        with pytest.raises(PeerError):
            verify_fork(Fork(note(5), bad), LOG_KEY)


def test_the_name_of_a_fork_does_not_hang_on_the_order() -> None:
    one, other = note(5), note(5, b"\1" * 32)
    assert fork_hash(Fork(one, other)) == fork_hash(Fork(other, one))
    assert fork_hash(Fork(one, other)) != fork_hash(Fork(one, note(5, b"\2" * 32)))
    assert fork_hash(Fork(note(3), note(5))) == fork_hash(Fork(note(5), note(3)))


def test_a_path_has_one_spelling() -> None:
    path = fork_between(note(5, b"\1" * 32), note(13), TREE.read).path
    data = format_path(path)
    assert parse_path_untrusted(data) == path
    assert data.startswith(b"telcon consistency v1\n")
    for bad in (data[:-1], data + b"\n", b" " + data, data.replace(b"v1", b"v2"), b"", b"\xff"):
        with pytest.raises(MalformedError):
            parse_path_untrusted(bad)
    for number in (1, 66):
        lines = data.splitlines(keepends=True)[:2]
        with pytest.raises(MalformedError):
            parse_path_untrusted(lines[0] + lines[1] * number)
    with pytest.raises(MisuseError):
        format_path(path[:1])


def test_the_worked_values() -> None:
    worked = VECTORS["fork"]
    fork = fork_between(worked["second"].encode(), worked["first"].encode(), TREE.read)
    assert fork.first == worked["first"].encode()
    assert format_path(fork.path).decode() == worked["path"]
    assert fork_hash(fork).hex() == worked["hash"]
    assert list(fork.path[1:]) == consistency_proof(5, 13, TREE.read)

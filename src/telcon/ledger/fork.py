"""Two signed checkpoints of one log that cannot both be true, and what shows that they cannot.

Of one size they have two roots, and that is all. Of two sizes the smaller one lies if every tree
with the larger one's root had another root when it was so small: a consistency proof (RFC 6962
§2.1.2) from that other root to the larger one shows it. So nobody needs the log to be convinced.

    telcon consistency v1 LF
    base64(root) LF             what the larger one's tree was at the smaller size
    base64(hash) LF             one or more: the consistency proof
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from telcon.errors import MalformedError, MisuseError, ProofError
from telcon.ledger._spelling import format_base64, parse_base64_hash
from telcon.ledger.checkpoint import Checkpoint, parse_checkpoint_untrusted
from telcon.ledger.log_signature import open_checkpoint
from telcon.ledger.merkle import (
    HASH_OCTETS,
    MAX_PROOF_HASHES,
    HashReader,
    consistency_proof,
    root_at,
    verify_consistency,
)
from telcon.ledger.note import VerifierKey, parse_note_untrusted

MAX_PATH_HASHES: Final = MAX_PROOF_HASHES + 2  # the root, and a consistency proof
MAX_PATH_OCTETS: Final = 4_096

_HEADING = "telcon consistency v1"
_CONTEXT = b"telcon evidence v1\0"


class Fork(NamedTuple):
    """What proves that a log's key signed two histories; unproven until `verify_fork` says so."""

    first: bytes
    """A signed note; its size is not above that of `second`."""
    second: bytes
    path: tuple[bytes, ...] = ()
    """Where the sizes differ: the root of `second`'s tree at the size of `first`, then the proof
    that it is."""


def fork_between(note_a: bytes, note_b: bytes, tree: HashReader) -> Fork:
    """Return the two notes as a fork; `tree` reads the tree of the one with the larger size.

    Raises:
        MalformedError: one is no checkpoint.
        MisuseError: the smaller one has size 0, which says nothing.
    """
    first, second = sorted((note_a, note_b), key=_size_of)
    old, new = _size_of(first), _size_of(second)
    if old == new:
        return Fork(first, second)
    return Fork(first, second, (root_at(old, tree), *consistency_proof(old, new, tree)))


def verify_fork(fork: Fork, log_key: VerifierKey) -> tuple[Checkpoint, Checkpoint]:
    """Check that `log_key` signed both, and that they cannot both be true; return them.

    1. Both are checkpoints of the key's log, signed by it.
    2. Of one size: the roots differ, and no path is given.
    3. Of two sizes: the path leads to the root of the larger, from another than the smaller's.

    Raises:
        MalformedError: one is no checkpoint in its one spelling.
        SignatureError: one is of another log, or not signed by its key.
        ProofError: both may be true, as far as this shows.
    """
    first = open_checkpoint(fork.first, log_key)  # 1
    second = open_checkpoint(fork.second, log_key)
    if first.size == second.size:  # 2
        if first.root == second.root or fork.path:
            raise ProofError("the two checkpoints do not contradict each other")
        return first, second
    if first.size > second.size or not fork.path:  # 3
        raise ProofError("nothing shows that the two checkpoints contradict each other")
    root, *proof = fork.path
    verify_consistency(first.size, second.size, root, second.root, proof)
    if root == first.root:
        raise ProofError("the two checkpoints do not contradict each other")
    return first, second


def fork_hash(fork: Fork) -> bytes:
    """Return the name of a fork: a hash of both notes, in whatever order they were kept.

    Raises:
        MalformedError: one is no checkpoint.
    """
    digest = sha256(_CONTEXT)
    for note in sorted((fork.first, fork.second), key=lambda note: (_size_of(note), note)):
        digest.update(len(note).to_bytes(4, "big") + note)
    return digest.digest()


def format_path(path: Sequence[bytes]) -> bytes:
    """Write what shows that two checkpoints of different sizes contradict each other.

    Raises:
        MisuseError: too few hashes or too many, or one that is none.
    """
    if not 2 <= len(path) <= MAX_PATH_HASHES or any(len(one) != HASH_OCTETS for one in path):
        raise MisuseError(f"not a consistency proof with its root: {len(path)} hashes")
    return "".join(f"{line}\n" for line in (_HEADING, *map(format_base64, path))).encode()


def parse_path_untrusted(data: bytes) -> tuple[bytes, ...]:
    """Read what `format_path` writes.

    Raises:
        MalformedError: anything but the one spelling, or over 65 hashes.
    """
    if len(data) > MAX_PATH_OCTETS:
        raise MalformedError(f"a consistency proof has at most {MAX_PATH_OCTETS} octets")
    try:
        heading, *lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise MalformedError("a consistency proof is ASCII") from error
    if heading != _HEADING or not lines or lines.pop():
        raise MalformedError(f"a consistency proof starts with {_HEADING} and ends in a line feed")
    if not 2 <= len(lines) <= MAX_PATH_HASHES:
        raise MalformedError(f"a consistency proof has 2 to {MAX_PATH_HASHES} hashes")
    return tuple(parse_base64_hash(line, "hash of the consistency proof") for line in lines)


def _size_of(note: bytes) -> int:
    return parse_checkpoint_untrusted(parse_note_untrusted(note).text).size

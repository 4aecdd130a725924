"""Receipts, c2sp.org/tlog-proof@v1: that an entry stands in a log, checked offline.

    c2sp.org/tlog-proof@v1 LF
    extra SP base64 LF         optional, NOT authenticated
    index SP decimal LF
    base64(32) LF              zero or more, from the leaf's sibling up
    LF
    checkpoint, verbatim, with all signatures

The entry's bytes are not inside: a verifier must be told which bytes are claimed.
"""

from dataclasses import dataclass
from typing import Final

from telcon.errors import MalformedError, MisuseError
from telcon.ledger._spelling import (
    MAX_SIZE,
    format_base64,
    parse_base64,
    parse_base64_hash,
    parse_decimal,
)
from telcon.ledger.merkle import HASH_OCTETS, MAX_PROOF_HASHES, leaf_hash, verify_inclusion
from telcon.ledger.note import parse_note_untrusted
from telcon.ledger.policy import Policy, verify_checkpoint

MAX_PROOF_OCTETS: Final = 1024 * 1024
MAX_EXTRA_OCTETS: Final = 64 * 1024

_HEADING = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A receipt as read, which proves nothing until `verify_tlog_proof` says so."""

    index: int
    """The entry's place in its log, from 0."""
    hashes: tuple[bytes, ...]
    """From the leaf's sibling up."""
    checkpoint_note: bytes
    """The whole signed note."""
    extra: bytes = b""
    """Anything; nobody signed it."""


@dataclass(frozen=True, slots=True)
class ProvenEntry:
    """What a receipt proved about the entry it was checked with."""

    origin: str
    index: int
    size: int
    """Size of the log in the checkpoint that was checked."""
    root: bytes
    """Root of the log in that checkpoint, 32 octets."""
    cosigned: tuple[tuple[str, int], ...]
    """Key name and POSIX time in seconds of each of the policy's cosigners that signed."""
    cosigned_with: tuple[int, ...]
    """The type of key of each of `cosigned`."""
    signed_with: tuple[int, ...]
    """The types of the log's own keys that signed."""


def parse_tlog_proof(data: bytes) -> TlogProof:
    """Read a receipt without looking at its signatures.

    Raises:
        MalformedError: anything but the one spelling, or over a limit (1 MiB, 63 hashes, 64 KiB).
    """
    if len(data) > MAX_PROOF_OCTETS:
        raise MalformedError(f"a receipt has at most {MAX_PROOF_OCTETS} octets")
    # The first empty line parts receipt and checkpoint; a note is parted at its last one.
    head, parted, note = data.partition(b"\n\n")
    if not parted:
        raise MalformedError("a receipt has an empty line before its checkpoint")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise MalformedError("a receipt's first part is ASCII") from error
    if lines.pop(0) != _HEADING:
        raise MalformedError(f"a receipt starts with {_HEADING}")
    extra = _parse_extra(lines.pop(0)) if lines and lines[0].startswith("extra ") else b""
    if not lines or not lines[0].startswith("index "):
        raise MalformedError("a receipt has an index line")
    index = parse_decimal(lines.pop(0)[len("index ") :], "index of the receipt")
    if len(lines) > MAX_PROOF_HASHES:
        raise MalformedError(f"a receipt has at most {MAX_PROOF_HASHES} hashes")
    hashes = tuple(parse_base64_hash(line, "hash of the receipt") for line in lines)
    parse_note_untrusted(note)
    return TlogProof(index, hashes, note, extra)


def format_tlog_proof(proof: TlogProof) -> bytes:
    """Write a receipt in its one spelling.

    Raises:
        MisuseError: a value out of range, or no note.
    """
    lines = [_HEADING]
    if proof.extra:
        lines.append(f"extra {format_base64(proof.extra)}")
    lines.append(f"index {proof.index}")
    lines += [format_base64(value) for value in proof.hashes]
    data = "\n".join(lines).encode() + b"\n\n" + proof.checkpoint_note
    if not 0 <= proof.index <= MAX_SIZE or any(len(h) != HASH_OCTETS for h in proof.hashes):
        raise MisuseError("not a receipt: index or hashes are out of range")
    try:
        parse_tlog_proof(data)
    except MalformedError as error:
        raise MisuseError(f"not a receipt: {error}") from error
    return data


def verify_tlog_proof(proof: TlogProof, entry: bytes, policy: Policy) -> ProvenEntry:
    """Check that `entry` stands in the policy's log, under the policy's signatures.

    1. The log of the policy signed the checkpoint, and its origin is that log's name.
    2. The cosignatures satisfy the policy.
    3. The entry's leaf hash and the proof's hashes lead to the checkpoint's root.

    Raises:
        MalformedError: the checkpoint is not in the one spelling.
        SignatureError: of another log, not signed by it, or a cosignature that does not verify.
        PolicyError: the quorum is not met.
        ProofError: the entry does not stand there.
    """
    accepted = verify_checkpoint(proof.checkpoint_note, policy)  # steps 1 and 2
    checkpoint = accepted.checkpoint
    leaf = leaf_hash(entry)  # step 3
    verify_inclusion(proof.index, checkpoint.size, leaf, proof.hashes, checkpoint.root)
    return ProvenEntry(
        checkpoint.origin,
        proof.index,
        checkpoint.size,
        checkpoint.root,
        cosigned=tuple((key.name, timestamp) for key, timestamp in accepted.cosigned),
        cosigned_with=tuple(key.type for key, _ in accepted.cosigned),
        signed_with=tuple(key.type for key in accepted.signed),
    )


def _parse_extra(line: str) -> bytes:
    extra = parse_base64(line[len("extra ") :], "extra data of the receipt")
    if not 1 <= len(extra) <= MAX_EXTRA_OCTETS:
        raise MalformedError(f"extra data has 1 to {MAX_EXTRA_OCTETS} octets")
    return extra

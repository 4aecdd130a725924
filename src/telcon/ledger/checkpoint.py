"""Checkpoints, c2sp.org/tlog-checkpoint v1.0.0: what a log signs about itself.

    origin LF
    size LF
    base64(root) LF

No extension lines: what we want signed is an entry, and witnesses of another type leave such
lines out of what they sign. The log's key name equals its origin.
"""

from dataclasses import dataclass
from functools import lru_cache

from telcon.errors import MalformedError, MisuseError, SignatureError
from telcon.ledger._spelling import MAX_SIZE, format_base64, parse_base64_hash, parse_decimal
from telcon.ledger.merkle import EMPTY_ROOT, HASH_OCTETS
from telcon.ledger.note import (
    ED25519,
    PARSED_NOTES,
    VerifierKey,
    check_key_name,
    parse_note_untrusted,
    sign_note,
    verify_note,
)
from telcon.ledger.signing import SigningKey


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The claim that the log `origin` had `size` entries whose tree has this `root`."""

    origin: str
    size: int
    """Number of entries, at most 2^63-1."""
    root: bytes
    """32 octets."""


@lru_cache(maxsize=PARSED_NOTES)
def parse_checkpoint_untrusted(text: bytes) -> Checkpoint:
    """Read the text of a checkpoint's note.

    Raises:
        MalformedError: anything but the three lines in their one spelling; size 0 with a root.
    """
    checkpoint = parse_claim_untrusted(text)
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        raise MalformedError(f"{checkpoint.origin!r}: the empty tree has another root")
    return checkpoint


def parse_claim_untrusted(text: bytes) -> Checkpoint:
    """Read the text of a checkpoint's note as a witness does, which answers for size 0 itself.

    Raises:
        MalformedError: anything but the three lines in their one spelling.
    """
    try:
        lines = text.decode().split("\n")
    except UnicodeDecodeError as error:
        raise MalformedError("a checkpoint is UTF-8") from error
    if len(lines) != 4 or lines[3]:
        raise MalformedError("a checkpoint has three lines: origin, size and root")
    check_key_name(lines[0])
    size = parse_decimal(lines[1], f"size of {lines[0]!r}")
    root = parse_base64_hash(lines[2], f"root of {lines[0]!r}")
    return Checkpoint(lines[0], size, root)


def format_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Write the text of a checkpoint's note.

    Raises:
        MisuseError: a value out of range.
    """
    if not 0 <= checkpoint.size <= MAX_SIZE or len(checkpoint.root) != HASH_OCTETS:
        raise MisuseError(f"not a checkpoint: {checkpoint}")
    root = format_base64(checkpoint.root)
    return f"{checkpoint.origin}\n{checkpoint.size}\n{root}\n".encode()


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> bytes:
    """Return the signed note of `checkpoint`; the key's name is the origin.

    The caller has made size and root durable before: a log must never sign two checkpoints that
    are not consistent.

    Raises:
        MisuseError: a value out of range, or an origin that cannot name a key.
    """
    return sign_note(format_checkpoint(checkpoint), checkpoint.origin, key)


def open_checkpoint(data: bytes, log_key: VerifierKey) -> Checkpoint:
    """Read a checkpoint and verify the log's own signature on it; further lines are ignored.

    Raises:
        MalformedError: not a checkpoint in the one spelling.
        SignatureError: of another origin than `log_key`, or not signed by it.
    """
    if log_key.type != ED25519:
        raise SignatureError(f"{log_key.name}: not the key of a log")
    note = parse_note_untrusted(data)
    checkpoint = parse_checkpoint_untrusted(note.text)
    if checkpoint.origin != log_key.name:
        raise SignatureError(f"a checkpoint of {checkpoint.origin}, not of {log_key.name}")
    verify_note(note, [log_key])
    return checkpoint

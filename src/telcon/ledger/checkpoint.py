"""The text of a checkpoint, c2sp.org/tlog-checkpoint v1.0.0: what a log says about itself.

    origin LF
    size LF
    base64(root) LF

No extension lines: what we want signed is an entry, and witnesses of another type leave such
lines out of what they sign. The log's key name equals its origin. `telcon.ledger.log_signature`
signs it.
"""

from dataclasses import dataclass
from functools import lru_cache

from telcon.errors import MalformedError, MisuseError
from telcon.ledger._spelling import (
    MAX_SIZE,
    PARSED_NOTES,
    check_key_name,
    format_base64,
    parse_base64_hash,
    parse_decimal,
)
from telcon.ledger.merkle import EMPTY_ROOT, HASH_OCTETS


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

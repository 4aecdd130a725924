"""Checkpoints as a log signs them with its Ed25519 key, and as others open them."""

from telcon.errors import SignatureError
from telcon.ledger.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint_untrusted
from telcon.ledger.note import ED25519, VerifierKey, parse_note_untrusted, sign_note, verify_note
from telcon.ledger.signing import SigningKey


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

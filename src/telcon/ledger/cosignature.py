"""Timestamped cosignatures, c2sp.org/tlog-cosignature v1.1.0-rc.1, key types 0x04 and 0x06.

The signature line's blob is `u64 timestamp || signature`: of type 0x04 by Ed25519 over a header
with the time and the whole checkpoint text, of type 0x06 by ML-DSA-44 over names, time, size and
root. Either means: of all trees of this origin that the cosigner has seen up to this time this is
the largest, and all were consistent. A mirror's key says besides that it holds all entries durably.
Type 0x04 does not sign the cosigner's name, so every role has a key of its own.

Time 0, of type 0x06 alone, says nothing about the largest: a log so signs its own checkpoint, under
its origin as name.
"""

from telcon.errors import MalformedError, MisuseError, SignatureError
from telcon.ledger._spelling import MAX_SIZE, check_key_name
from telcon.ledger.checkpoint import parse_checkpoint_untrusted
from telcon.ledger.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_ML_DSA,
    ED25519,
    TIMESTAMP_OCTETS,
    NoteSignature,
    UnverifiedNote,
    VerifierKey,
    cosigned_message,
    format_signature_line,
    key_id,
    parse_signature_lines_untrusted,
    subtree_message,
    verify_note,
)
from telcon.ledger.signing import MlDsaSigningKey, SigningKey


def cosign(note_text: bytes, name: str, key: SigningKey | MlDsaSigningKey, timestamp: int) -> bytes:
    """Return the signature line of `key` under `name` for a checkpoint's text.

    `timestamp` is in POSIX seconds. The caller has made what it vouches for durable before.

    Raises:
        MisuseError: not a checkpoint's text, not a key name, or a time out of range.
    """
    if not 0 <= timestamp <= MAX_SIZE:
        raise MisuseError(f"a cosignature's time is 0 to 2^63-1, not {timestamp}")
    try:
        check_key_name(name)
        checkpoint = parse_checkpoint_untrusted(note_text)
    except MalformedError as error:
        raise MisuseError(f"cannot be cosigned: {error}") from error
    if isinstance(key, SigningKey):
        key_type, message = COSIGNATURE_ED25519, cosigned_message(note_text, timestamp)
    else:
        key_type, message = COSIGNATURE_ML_DSA, subtree_message(checkpoint, name, timestamp)
    blob = timestamp.to_bytes(TIMESTAMP_OCTETS, "big") + key.sign(message)
    label = key_id(name, key_type, key.public)
    return format_signature_line(NoteSignature(name, label, blob))


def open_cosignature(note_text: bytes, line: bytes, mirror: VerifierKey) -> int:
    """Verify one cosignature line for a checkpoint's text and return its POSIX time in seconds.

    Raises:
        MalformedError: not exactly one signature line.
        SignatureError: not by `mirror`, or it does not verify.
    """
    signatures = parse_signature_lines_untrusted(line)
    if len(signatures) != 1:
        raise MalformedError(f"expected one cosignature line, got {len(signatures)}")
    verified = verify_note(UnverifiedNote(note_text, signatures), [mirror])
    return cosignature_time(*verified.verified[0])


def cosignature_time(key: VerifierKey, signature: NoteSignature) -> int:
    """Return the POSIX time in seconds of a verified cosignature.

    Raises:
        SignatureError: `key` is of a type that bears no time.
    """
    if key.type == ED25519:
        raise SignatureError(f"{key.name}: a log's key, which cosigns nothing")
    return int.from_bytes(signature.blob[:TIMESTAMP_OCTETS], "big")

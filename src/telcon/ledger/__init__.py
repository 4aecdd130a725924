"""A transparency log's bytes: tree, signed notes, checkpoints, cosignatures, tiles, proofs.

Bytes in, bytes out: no disk, socket, clock or random source, and nothing of calls. Usable alone.
Read in this order: `merkle`, `note`, `checkpoint`, `cosignature`, `tiles`, `policy`, `proof`.
Formats: RFC 6962 §2 and c2sp.org signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles,
tlog-proof, tlog-policy. Everything is read in one spelling only.
"""

from telcon.ledger.checkpoint import (
    Checkpoint,
    format_checkpoint,
    open_checkpoint,
    parse_checkpoint_untrusted,
    sign_checkpoint,
)
from telcon.ledger.cosignature import cosign, cosignature_time, open_cosignature
from telcon.ledger.keycard import (
    KeyCard,
    check_node_name,
    format_key_card,
    key_card_hash,
    log_origin,
    mirror_name,
    parse_key_card,
)
from telcon.ledger.merkle import (
    EMPTY_FRONTIER,
    EMPTY_ROOT,
    Frontier,
    HashReader,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_at,
    verify_consistency,
    verify_inclusion,
)
from telcon.ledger.note import (
    COSIGNATURE_ED25519,
    ED25519,
    NoteSignature,
    UnverifiedNote,
    VerifiedNote,
    VerifierKey,
    add_signature_lines,
    format_signature_line,
    format_vkey,
    organisation,
    parse_note_untrusted,
    parse_signature_lines_untrusted,
    parse_vkey,
    sign_note,
    verify_note,
)
from telcon.ledger.signing import SigningKey, is_weak_public_key, verify_signature

__all__ = [
    "COSIGNATURE_ED25519",
    "ED25519",
    "EMPTY_FRONTIER",
    "EMPTY_ROOT",
    "Checkpoint",
    "Frontier",
    "HashReader",
    "KeyCard",
    "NoteSignature",
    "SigningKey",
    "UnverifiedNote",
    "VerifiedNote",
    "VerifierKey",
    "add_signature_lines",
    "check_node_name",
    "consistency_proof",
    "cosign",
    "cosignature_time",
    "format_checkpoint",
    "format_key_card",
    "format_signature_line",
    "format_vkey",
    "inclusion_proof",
    "is_weak_public_key",
    "key_card_hash",
    "leaf_hash",
    "log_origin",
    "mirror_name",
    "node_hash",
    "open_checkpoint",
    "open_cosignature",
    "organisation",
    "parse_checkpoint_untrusted",
    "parse_key_card",
    "parse_note_untrusted",
    "parse_signature_lines_untrusted",
    "parse_vkey",
    "root_at",
    "sign_checkpoint",
    "sign_note",
    "verify_consistency",
    "verify_inclusion",
    "verify_note",
    "verify_signature",
]

"""What targets and seeds share: two nodes with keys that anybody can compute, and a short log.

Every octet is the same in each process, so that the seeds can be made again and compared.
"""

import base64
import datetime
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from telcon.core.seal import Person
from telcon.ledger import (
    COSIGNATURE_ED25519,
    COSIGNATURE_ML_DSA,
    ED25519,
    Checkpoint,
    KeyCard,
    MlDsaSigningKey,
    SigningKey,
    TlogProof,
    VerifierKey,
    add_signature_lines,
    cosign,
    format_checkpoint,
    format_key_card,
    inclusion_proof,
    leaf_hash,
    log_origin,
    mirror_name,
    mirror_policy,
    node_hash,
    parse_vkey,
    root_at,
    sign_checkpoint,
)
from telcon.node.link.invitation import Invitation, make_invitation
from telcon.node.link.pairing import OwnSide
from telcon.node.link.statement import Statement, Terms, format_statement
from telcon.node.link.tls import certificate_hash

LINE: Final = "0123456789abcdef" * 2
NOW_US: Final = 1_800_000_000_000_000
COSIGNED_AT: Final = 1_800_000_000
"""POSIX seconds."""


@dataclass(frozen=True, slots=True)
class Node:
    """One side of the line."""

    log: SigningKey
    mirror: SigningKey
    card: KeyCard
    certificate: bytes
    """DER."""
    own: OwnSide
    nonce: bytes
    """Of its pairing, 32 octets."""


def _certificate(name: str, seed: bytes) -> bytes:
    """Return a certificate like a node's own, but by a key whose signatures never change."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "telcon node")])
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1 + seed[0])
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(True, *[False] * 8), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    return builder.sign(key, None).public_bytes(serialization.Encoding.DER)


def _node(name: str, seed: int, version: int, line: str = LINE, was: int | None = None) -> Node:
    """Return a node with keys of `seed`; `was`: the seed of the certificate, if it is another."""
    log, mirror = SigningKey(bytes([seed]) * 32), SigningKey(bytes([seed + 1]) * 32)
    certificate = _certificate(name, bytes([(seed if was is None else was) + 2]) * 32)
    card = KeyCard(
        name=name,
        line=line,
        log=VerifierKey(log_origin(name, line), ED25519, log.public),
        mirror=VerifierKey(mirror_name(name, line), COSIGNATURE_ED25519, mirror.public),
        tls=certificate_hash(certificate),
    )
    if version == 2:
        ml_dsa = [MlDsaSigningKey(bytes([seed + n]) * 32).public for n in (4, 5)]
        card = replace(
            card,
            log_ml_dsa=VerifierKey(card.log.name, COSIGNATURE_ML_DSA, ml_dsa[0]),
            mirror_ml_dsa=VerifierKey(card.mirror.name, COSIGNATURE_ML_DSA, ml_dsa[1]),
        )
    statement = Statement(
        addresses=(f"{name}:7443", "[2001:db8::1]:7443"),
        principal=Person(lang="en", name="A. Nother", office="Head", organisation=name),
        terms=Terms(policy="mirror", conditions=(), link_lost="go on"),
        previous=None,
        certificate=base64.b64encode(certificate).decode(),
    )
    own = OwnSide(card=format_key_card(card), statement=format_statement(statement))
    return Node(log, mirror, card, certificate, own, bytes([seed + 3]) * 32)


ARCADIA: Final = _node("arcadia.example", 10, 2)
BOREALIS: Final = _node("borealis.example", 20, 1)
"""Its key card is of version 1, Arcadia's of version 2: so both are read in a pairing."""
NEXT_LINE: Final = "89abcdef01234567" * 2
"""Takes the place of `LINE`."""
NEXT_ARCADIA: Final = _node("arcadia.example", 30, 2, NEXT_LINE, 10)
NEXT_BOREALIS: Final = _node("borealis.example", 40, 2, NEXT_LINE, 20)

INVITATION: Final[Invitation] = make_invitation(
    ARCADIA.own.card, ("192.0.2.1:7444",), now_us=NOW_US, random=bytes
)
"""From Arcadia to Borealis."""

ENTRIES: Final = (b"ring", b"answer", b"hang up")
"""Arcadia's log, as far as the ledger cares."""


def read_hash(level: int, index: int) -> bytes:
    """Return a hash of the tree over `ENTRIES`, as `telcon.ledger.HashReader` asks for it."""
    if level == 0:
        return leaf_hash(ENTRIES[index])
    return node_hash(read_hash(level - 1, 2 * index), read_hash(level - 1, 2 * index + 1))


POLICY: Final = mirror_policy(ARCADIA.card.log, BOREALIS.card.mirror)
CHECKPOINT: Final = Checkpoint(ARCADIA.card.log.name, 3, root_at(3, read_hash))
CHECKPOINT_TEXT: Final = format_checkpoint(CHECKPOINT)
COSIGNATURE: Final = cosign(
    CHECKPOINT_TEXT, BOREALIS.card.mirror.name, BOREALIS.mirror, COSIGNED_AT
)
SIGNED: Final = sign_checkpoint(CHECKPOINT, ARCADIA.log)
COSIGNED: Final = add_signature_lines(SIGNED, [COSIGNATURE])
_VECTORS: Final = json.loads(
    (Path(__file__).parents[1] / "tests" / "vectors" / "ledger.json").read_text("utf-8")
)
# Signing by ML-DSA-44 gives other octets each time: here the worked ones must do.
ML_DSA_KEY: Final = parse_vkey(_VECTORS["keys"]["mirror_mldsa44"]["vkey"])
ML_DSA_NOTE: Final = _VECTORS["checkpoints"]["cosigned_size_3"].encode()
ML_DSA_COSIGNED_AT: Final = _VECTORS["checkpoints"]["timestamp"]
ML_DSA_LINE: Final = (
    f"\N{EM DASH} {ML_DSA_KEY.name} {_VECTORS['mldsa44']['signature_blob_base64_with_key_id']}\n"
).encode()
RECEIPT: Final = TlogProof(1, tuple(inclusion_proof(1, 3, read_hash)), COSIGNED)
"""Of the answer."""

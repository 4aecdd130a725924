"""A pairing as a record: begun with fresh keys, turned into a line, or emptied."""

import base64
import os
from dataclasses import replace

from telcon.errors import InvitationError
from telcon.ledger import (
    COSIGNATURE_ED25519,
    COSIGNATURE_ML_DSA,
    ED25519,
    KeyCard,
    MlDsaSigningKey,
    SigningKey,
    VerifierKey,
    format_key_card,
    parse_key_card,
)
from telcon.ledger.keycard import log_origin, mirror_name
from telcon.node.link.pairing import OwnSide
from telcon.node.link.renewing import renewal_hash
from telcon.node.link.statement import Statement, Terms, format_statement, parse_statement_untrusted
from telcon.node.link.tls import NodeCertificate
from telcon.node.settings import NodeSettings
from telcon.node.store.invitations import InvitationRecord
from telcon.node.store.records import LineRecord

__all__ = ["begun", "emptied", "line_of", "peer_name", "renewal_hash_of", "words_of"]

SEED_OCTETS = 32


def begun(
    settings: NodeSettings, certificate: NodeCertificate, line: str, *, invited: bool
) -> InvitationRecord:
    """Make fresh keys for `line`, and what this node states with them."""
    name = settings.name
    log_seed, mirror_seed, log_ml_dsa_seed, mirror_ml_dsa_seed = (
        os.urandom(SEED_OCTETS) for _ in range(4)
    )
    log, mirror = SigningKey(log_seed), SigningKey(mirror_seed)
    log_ml_dsa, mirror_ml_dsa = (
        MlDsaSigningKey(log_ml_dsa_seed),
        MlDsaSigningKey(mirror_ml_dsa_seed),
    )
    origin, mirroring = log_origin(name, line), mirror_name(name, line)
    card = KeyCard(
        name=name,
        line=line,
        log=VerifierKey(origin, ED25519, log.public),
        mirror=VerifierKey(mirroring, COSIGNATURE_ED25519, mirror.public),
        tls=certificate.hash,
        log_ml_dsa=VerifierKey(origin, COSIGNATURE_ML_DSA, log_ml_dsa.public),
        mirror_ml_dsa=VerifierKey(mirroring, COSIGNATURE_ML_DSA, mirror_ml_dsa.public),
    )
    statement = Statement(
        addresses=settings.link.addresses,
        principal=settings.principal,
        terms=Terms(policy="mirror", conditions=(), link_lost="go on"),
        previous=None,
        certificate=base64.b64encode(certificate.der).decode(),
    )
    return InvitationRecord(
        line=line,
        invited=invited,
        own_card=format_key_card(card),
        log_seed=log_seed,
        mirror_seed=mirror_seed,
        own_statement=format_statement(statement),
        secret_hash=b"",
        expires_at_us=0,
        log_ml_dsa_seed=log_ml_dsa_seed,
        mirror_ml_dsa_seed=mirror_ml_dsa_seed,
    )


def emptied(record: InvitationRecord, now_us: int) -> InvitationRecord:
    """Return what is left of a pairing that has failed: no keys, and out of date."""
    return replace(
        record,
        log_seed=b"",
        mirror_seed=b"",
        log_ml_dsa_seed=None,
        mirror_ml_dsa_seed=None,
        peer_card=None,
        peer_statement=None,
        words=None,
        expires_at_us=now_us,
    )


def line_of(record: InvitationRecord, own_name: str, now_us: int) -> LineRecord:
    """Return the line that a confirmed pairing came to.

    Raises:
        InvitationError: the exchange has not taken place.
    """
    if record.peer_card is None or record.peer_statement is None:
        raise InvitationError("nobody has accepted this invitation yet")
    peer = parse_statement_untrusted(record.peer_statement)
    return LineRecord(
        line=record.line,
        own_name=own_name,
        peer_name=peer_name(record),
        own_card=record.own_card,
        peer_card=record.peer_card,
        log_seed=record.log_seed,
        mirror_seed=record.mirror_seed,
        own_statement=record.own_statement,
        peer_statement=record.peer_statement,
        peer_principal=peer.principal,
        peer_addresses=peer.addresses,
        link_lost=parse_statement_untrusted(record.own_statement).terms.link_lost,
        confirmed_at_us=now_us,
        log_ml_dsa_seed=record.log_ml_dsa_seed,
        mirror_ml_dsa_seed=record.mirror_ml_dsa_seed,
    )


def renewal_hash_of(record: InvitationRecord, replaced: str) -> bytes:
    """Return the hash of all that both sides stated for a line that takes the place of `replaced`.

    Raises:
        InvitationError: the exchange has not taken place.
    """
    if record.peer_card is None or record.peer_statement is None:
        raise InvitationError("nothing has come of this exchange yet")
    ours = OwnSide(record.own_card, record.own_statement)
    theirs = OwnSide(record.peer_card, record.peer_statement)
    is_first = parse_key_card(record.own_card).name < peer_name(record)
    return renewal_hash(replaced, record.line, (ours, theirs) if is_first else (theirs, ours))


def peer_name(record: InvitationRecord) -> str:
    """Return the node at the other end; empty before the exchange."""
    return "" if record.peer_card is None else parse_key_card(record.peer_card).name


def words_of(record: InvitationRecord) -> tuple[str, ...]:
    """Return the six words; none before the exchange."""
    return tuple((record.words or "").split())

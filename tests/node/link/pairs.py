"""Two sides to be paired, and an invitation book in memory."""

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import msgspec

from telcon.core.seal import Person
from telcon.errors import InvitationError
from telcon.ledger.keycard import KeyCard, format_key_card, log_origin, mirror_name
from telcon.ledger.note import COSIGNATURE_ED25519, ED25519, VerifierKey
from telcon.ledger.signing import SigningKey
from telcon.node.link.invitation import Invitation, make_invitation, secret_hash
from telcon.node.link.pairing import OwnSide, Paired
from telcon.node.link.statement import Statement, Terms, format_statement
from telcon.node.link.tls import NodeCertificate, load_or_make_certificate

LINE = "0123456789abcdef0123456789abcdef"
NOW_US = 1_800_000_000_000_000


@dataclass(frozen=True)
class Side:
    """One node at pairing."""

    certificate: NodeCertificate
    card: KeyCard
    statement: Statement

    @property
    def own(self) -> OwnSide:
        return OwnSide(card=format_key_card(self.card), statement=format_statement(self.statement))


def side(folder: Path, name: str, *, seed: int, line: str = LINE) -> Side:
    certificate = load_or_make_certificate(folder / name, name)
    log, mirror = (SigningKey(bytes([seed + n]) * 32).public for n in (0, 1))
    card = KeyCard(
        name=name,
        line=line,
        log=VerifierKey(log_origin(name, line), ED25519, log),
        mirror=VerifierKey(mirror_name(name, line), COSIGNATURE_ED25519, mirror),
        tls=certificate.hash,
    )
    return Side(certificate, card, statement(certificate, name))


def statement(certificate: NodeCertificate, name: str) -> Statement:
    import base64

    return Statement(
        addresses=(f"{name}:7443",),
        principal=Person(lang="en", name="A. Nother", office="Head", organisation=name),
        terms=Terms(policy="mirror", conditions=(), link_lost="go on"),
        previous=None,
        certificate=base64.b64encode(certificate.der).decode(),
    )


def invite(inviter: Side, *ports: int) -> Invitation:
    addresses = tuple(f"127.0.0.1:{port}" for port in ports or (7444,))
    return make_invitation(inviter.own.card, addresses, now_us=NOW_US)


class Book:
    """An `InvitationBook` in memory; `fail_keep` makes the disk refuse."""

    def __init__(self) -> None:
        self.pending: dict[bytes, tuple[OwnSide, int]] = {}
        self.used: set[bytes] = set()
        self.kept: list[Paired] = []

    def add(self, invitation: Invitation, own: OwnSide) -> None:
        known_by = secret_hash(bytes.fromhex(invitation.secret))
        self.pending[known_by] = (own, invitation.expires)

    async def use(self, secret_hash: bytes, now_us: int) -> OwnSide:
        if secret_hash in self.used:
            raise InvitationError("the invitation is used already")
        if secret_hash not in self.pending:
            raise InvitationError("the invitation is unknown")
        own, expires = self.pending[secret_hash]
        if now_us >= expires:
            raise InvitationError("the invitation is expired")
        self.used.add(secret_hash)
        return own

    async def keep(self, paired: Paired) -> None:
        self.kept.append(paired)


def altered(original: Invitation, /, **changes: object) -> Invitation:
    return msgspec.structs.replace(original, **changes)


def renamed(own: Side, name: str) -> Side:
    """The same keys and certificate under another name."""
    card = replace(
        own.card,
        name=name,
        log=replace(own.card.log, name=log_origin(name, own.card.line)),
        mirror=replace(own.card.mirror, name=mirror_name(name, own.card.line)),
    )
    return replace(own, card=card)


def digest(data: bytes) -> bytes:
    return sha256(data).digest()

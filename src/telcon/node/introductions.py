"""Pairing as this node's operator does it: invite or accept, compare six words, confirm.

The exchange itself is `telcon.node.link.pairing`'s. What it came to lives in memory until the operator
confirms the words, ten minutes at most: a node that restarts meanwhile begins anew.
"""

import asyncio
import base64
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from telcon.errors import InvitationError, StorageError
from telcon.ledger import (
    COSIGNATURE_ED25519,
    ED25519,
    KeyCard,
    SigningKey,
    VerifierKey,
    format_key_card,
)
from telcon.ledger.keycard import log_origin, mirror_name
from telcon.node.audit import AuditEvent
from telcon.node.link.invitation import (
    INVITATION_LIFE_US,
    format_invitation,
    make_invitation,
    parse_invitation_untrusted,
    secret_hash,
)
from telcon.node.link.pairing import OwnSide, Paired
from telcon.node.link.pairing_link import accept_invitation
from telcon.node.link.statement import Statement, Terms, format_statement
from telcon.node.link.tls import NodeCertificate
from telcon.node.settings import NodeSettings
from telcon.node.store import Store
from telcon.node.store.invitations import (
    InvitationRecord,
    add_invitation,
    delete_expired_invitations,
    use_invitation,
)
from telcon.node.store.records import LineRecord

__all__ = ["Introductions"]

SEED_OCTETS = 32


@dataclass(frozen=True, slots=True)
class _Keys:
    """Fresh keys of this node for a line, and what it states with them."""

    line: str
    own: OwnSide
    log_seed: bytes
    mirror_seed: bytes


@dataclass(frozen=True, slots=True)
class _Unconfirmed:
    """What a pairing came to, waiting for the operator."""

    keys: _Keys
    paired: Paired
    until_us: int


class Introductions:
    """The pairings under way on this node; also the `InvitationBook` of its pairing listener."""

    def __init__(
        self,
        settings: NodeSettings,
        certificate: NodeCertificate,
        store: Store,
        audit: Callable[..., None],
    ) -> None:
        """Pair in the name of `settings`, with lines kept in `store`."""
        self._settings = settings
        self._certificate = certificate
        self._store = store
        self._audit = audit
        self._invited: dict[str, _Keys] = {}  # by line
        self._arrived: dict[str, asyncio.Future[Paired]] = {}  # by line
        self._unconfirmed: dict[str, _Unconfirmed] = {}  # by peer name

    # -- the inviter

    async def invite(self, out: Path, addresses: tuple[str, ...]) -> str:
        """Write an invitation to `out`; return the line's id. `addresses`: the pairing listener's.

        Raises:
            StorageError: the file or the store cannot be written.
        """
        keys = self._make_keys(os.urandom(16).hex())
        now_us = _now_us()
        invitation = make_invitation(keys.own.card, addresses, now_us=now_us)
        record = InvitationRecord(
            line=keys.line,
            invited=True,
            own_card=keys.own.card,
            log_seed=keys.log_seed,
            mirror_seed=keys.mirror_seed,
            own_statement=keys.own.statement,
            secret_hash=secret_hash(bytes.fromhex(invitation.secret)),
            expires_at_us=invitation.expires,
        )
        await self._store.commit(lambda c: delete_expired_invitations(c, now_us))
        await self._store.commit(lambda c: add_invitation(c, record))
        self._invited[keys.line] = keys
        self._arrived[keys.line] = asyncio.get_running_loop().create_future()
        _write_secret_file(out, format_invitation(invitation))
        self._audit(AuditEvent.INVITATION_MADE, line=keys.line)
        return keys.line

    async def wait_accepted(self, line: str) -> Paired:
        """Wait until the invitation for `line` was accepted.

        Raises:
            InvitationError: nobody accepted it within its ten minutes.
        """
        try:
            async with asyncio.timeout(INVITATION_LIFE_US / 1e6):
                return await asyncio.shield(self._arrived[line])
        except TimeoutError as error:
            raise InvitationError(
                "nobody accepted the invitation in ten minutes",
                advice="Make a new one and send it again.",
            ) from error

    async def use(self, secret_hash: bytes, now_us: int) -> OwnSide:
        """Use the invitation up; return what this side states.

        Raises:
            InvitationError: it is unknown, expired or used already.
        """
        try:
            record = await self._store.commit(lambda c: use_invitation(c, secret_hash, now_us))
        except InvitationError as error:
            reason = str(error)
            event = AuditEvent.INVITATION_UNKNOWN
            if "expired" in reason:
                event = AuditEvent.INVITATION_EXPIRED
            elif "used" in reason:
                event = AuditEvent.INVITATION_REUSED
            self._audit(event, reason=reason)
            raise
        return OwnSide(record.own_card, record.own_statement)

    async def keep(self, paired: Paired) -> None:
        """Keep what a pairing came to until it is confirmed."""
        keys = self._invited.pop(paired.line)
        self._remember(keys, paired)
        arrived = self._arrived[paired.line]
        if not arrived.done():
            arrived.set_result(paired)

    # -- the accepter

    async def accept(self, invitation_text: str) -> Paired:
        """Accept an invitation given as the text of its file.

        Raises:
            InvitationError: it cannot be read, is expired, used, or the other side is another.
            LinkDownError: the inviter cannot be reached.
        """
        invitation = parse_invitation_untrusted(invitation_text.encode())
        if invitation.node == self._settings.name:
            raise InvitationError("this invitation is this node's own", advice="Send it to them.")
        keys = self._make_keys(invitation.line)
        paired = await accept_invitation(invitation, keys.own)
        self._remember(keys, paired)
        return paired

    # -- both

    def confirm(self, peer: str, typed: str) -> LineRecord:
        """Return the line to `peer` if `typed` are the six words; the caller stores it.

        Raises:
            InvitationError: no pairing with `peer` waits, it is too late, or the words differ.
        """
        waiting = self._unconfirmed.get(peer)
        if waiting is None or waiting.until_us < _now_us():
            raise InvitationError(
                f"no pairing with {peer} waits to be confirmed",
                advice="Begin again with: telcon line invite --out FILE",
            )
        if not waiting.paired.confirm(typed):
            del self._unconfirmed[peer]
            self._audit(AuditEvent.PAIRING_REFUSED, line=waiting.keys.line, reason="words differ")
            raise InvitationError(
                "These are not the words. Somebody may sit between the two nodes; nothing was kept.",
                advice="Begin again with a new invitation, and read the words slowly.",
            )
        return self._line(waiting)

    def forget(self, peer: str) -> None:
        """Drop the pairing with `peer`, after its line was stored."""
        self._unconfirmed.pop(peer, None)

    # -- pieces

    def _make_keys(self, line: str) -> _Keys:
        name = self._settings.name
        log_seed, mirror_seed = os.urandom(SEED_OCTETS), os.urandom(SEED_OCTETS)
        card = KeyCard(
            name=name,
            line=line,
            log=VerifierKey(log_origin(name, line), ED25519, SigningKey(log_seed).public),
            mirror=VerifierKey(
                mirror_name(name, line), COSIGNATURE_ED25519, SigningKey(mirror_seed).public
            ),
            tls=self._certificate.hash,
        )
        statement = Statement(
            addresses=self._settings.link.addresses,
            principal=self._settings.principal,
            terms=Terms(policy="mirror", conditions=(), link_lost="go on"),
            previous=None,
            certificate=base64.b64encode(self._certificate.der).decode(),
        )
        own = OwnSide(format_key_card(card), format_statement(statement))
        return _Keys(line, own, log_seed, mirror_seed)

    def _remember(self, keys: _Keys, paired: Paired) -> None:
        until_us = _now_us() + INVITATION_LIFE_US
        self._unconfirmed[paired.peer_card.name] = _Unconfirmed(keys, paired, until_us)

    def _line(self, waiting: _Unconfirmed) -> LineRecord:
        keys, paired = waiting.keys, waiting.paired
        return LineRecord(
            line=keys.line,
            own_name=self._settings.name,
            peer_name=paired.peer_card.name,
            own_card=keys.own.card,
            peer_card=paired.peer.card,
            log_seed=keys.log_seed,
            mirror_seed=keys.mirror_seed,
            own_statement=keys.own.statement,
            peer_statement=paired.peer.statement,
            peer_principal=paired.peer_statement.principal,
            peer_addresses=paired.peer_statement.addresses,
            link_lost=paired.peer_statement.terms.link_lost,
            confirmed_at_us=_now_us(),
        )


def _now_us() -> int:
    return time.time_ns() // 1_000


def _write_secret_file(path: Path, data: bytes) -> None:
    """Write a new file that its owner alone can read."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError as error:
        raise StorageError(
            f"the invitation cannot be written to {path}: {error.strerror}",
            advice="Name a new file in a folder that exists.",
        ) from error

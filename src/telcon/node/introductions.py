"""Pairing as this node's operator does it: invite or accept, compare six words, confirm.

The exchange itself is `telcon.node.link.pairing`'s. What it came to is stored before the other side
can see the words, and waits ten minutes for the operator: a node that restarts meanwhile goes on.
"""

import asyncio
import os
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from telcon.errors import InvitationError, InvitationRefusal, StorageError
from telcon.node.audit import AuditEvent
from telcon.node.link.invitation import (
    INVITATION_LIFE_US,
    Invitation,
    format_invitation,
    make_invitation,
    parse_invitation_untrusted,
    secret_hash,
)
from telcon.node.link.pairing import OwnSide, Paired
from telcon.node.link.pairing_link import accept_invitation
from telcon.node.link.tls import NodeCertificate
from telcon.node.link.words import words_match
from telcon.node.pairings import begun, emptied, line_of, peer_name, words_of
from telcon.node.settings import NodeSettings
from telcon.node.store import Store
from telcon.node.store.invitations import (
    InvitationRecord,
    add_invitation,
    change_invitation,
    delete_expired_invitations,
    find_invitation,
    find_invitations,
    require_invitation,
    use_invitation,
)
from telcon.node.store.records import LineRecord

__all__ = ["Introductions"]

LINE_OCTETS = 16
KEPT_EXPIRED_US = 24 * 3_600 * 1_000_000  # so that who comes too late is told so
_REFUSED = {
    InvitationRefusal.UNKNOWN: AuditEvent.INVITATION_UNKNOWN,
    InvitationRefusal.EXPIRED: AuditEvent.INVITATION_EXPIRED,
    InvitationRefusal.USED: AuditEvent.INVITATION_REUSED,
    InvitationRefusal.LINE_EXISTS: AuditEvent.PAIRING_REFUSED,
    InvitationRefusal.NOT_STORED: AuditEvent.PAIRING_REFUSED,
    InvitationRefusal.OTHER: AuditEvent.PAIRING_REFUSED,
}
BEGIN_AGAIN = "Begin again with: telcon line invite --out FILE"


class Introductions:
    """The pairings under way on this node; also the `InvitationBook` of its pairing listener."""

    def __init__(
        self,
        settings: NodeSettings,
        certificate: NodeCertificate,
        store: Store,
        audit: Callable[..., None],
        *,
        known: Callable[[], Collection[str]],
        stopped: Callable[[], Collection[str]],
        now_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        """Pair in the name of `settings`, with lines kept in `store`.

        `known` are the nodes with which a line is in use; nobody needs a second one with them.
        `stopped` are those with which a line stopped on evidence that nobody has taken note of.
        """
        self._settings = settings
        self._certificate = certificate
        self._store = store
        self._audit = audit
        self._known = known
        self._stopped = stopped
        self._now_us = now_us
        self._arrived: dict[str, asyncio.Future[Paired]] = {}  # by line, while somebody waits

    # -- the inviter

    async def invite(self, out: Path, addresses: tuple[str, ...]) -> str:
        """Write an invitation to `out`; return the line's id. `addresses`: the pairing listener's.

        Raises:
            StorageError: the file or the store cannot be written; there is no invitation.
        """
        now_us = self._now_us()
        record = self._begin(os.urandom(LINE_OCTETS).hex(), invited=True)
        invitation = make_invitation(record.own_card, addresses, now_us=now_us)
        record = replace(
            record,
            secret_hash=secret_hash(bytes.fromhex(invitation.secret)),
            expires_at_us=invitation.expires,
        )
        await self._add(record)
        try:
            _write_secret_file(out, format_invitation(invitation))
        except StorageError:
            await self._drop([record])
            raise
        self._arrived[record.line] = asyncio.get_running_loop().create_future()
        self._audit(AuditEvent.INVITATION_MADE, line=record.line)
        return record.line

    async def wait_accepted(self, line: str) -> Paired:
        """Wait until the invitation for `line`, made just now, was accepted.

        Raises:
            InvitationError: nobody accepted it within its ten minutes, or who did is a node with
                which a line is in use.
        """
        try:
            async with asyncio.timeout(INVITATION_LIFE_US / 1e6):
                return await self._arrived[line]
        except TimeoutError as error:
            raise InvitationError(
                "nobody accepted the invitation in ten minutes",
                advice="Make a new one and send it again.",
            ) from error
        finally:
            del self._arrived[line]

    async def use(self, secret_hash: bytes, now_us: int) -> OwnSide:
        """Use the invitation up; return what this side states.

        Raises:
            InvitationError: it is unknown, expired or used already.
        """
        try:
            # A stranger who guesses is answered from what is read: a work that fails in the commit
            # thread has all works beside it done again, one by one.
            self._store.read(lambda c: require_invitation(c, secret_hash))
            record = await self._store.commit(lambda c: use_invitation(c, secret_hash, now_us))
        except InvitationError as error:
            self._audit(_REFUSED[error.refusal], reason=str(error))
            raise
        return OwnSide(record.own_card, record.own_statement)

    async def keep(self, paired: Paired) -> None:
        """Keep what a pairing came to until it is confirmed.

        Raises:
            InvitationError: a line with that node is in use already.
            StorageError: it cannot be stored.
        """
        try:
            self._require_new(paired.peer_card.name)
        except InvitationError as error:
            self._arrive(paired.line, error)
            raise
        record = await self._store.commit(lambda c: find_invitation(c, paired.line))
        if record is None:
            raise InvitationError("the invitation is no longer here", advice=BEGIN_AGAIN)
        await self._change(self._filled(record, paired))
        self._arrive(paired.line, paired)

    def _arrive(self, line: str, outcome: Paired | InvitationError) -> None:
        """Tell who waits for the invitation of `line` what came of it."""
        arrived = self._arrived.get(line)
        if arrived is None or arrived.done():
            return
        if isinstance(outcome, Paired):
            arrived.set_result(outcome)
        else:
            arrived.set_exception(outcome)

    # -- the accepter

    async def accept(self, invitation_text: str) -> Paired:
        """Accept an invitation given as the text of its file.

        Raises:
            InvitationError: it cannot be read, is expired, used, or the other side is another; it
                is this node's own, or a line with that node is in use already.
            LinkDownError: the inviter cannot be reached.
            StorageError: it cannot be stored.
        """
        try:
            return await self._accept(parse_invitation_untrusted(invitation_text.encode()))
        except InvitationError as error:
            self._audit(_REFUSED[error.refusal], reason=str(error))
            raise

    async def _accept(self, invitation: Invitation) -> Paired:
        if invitation.node == self._settings.name:
            raise InvitationError("this invitation is this node's own", advice="Send it to them.")
        self._require_new(invitation.node)
        record = self._begin(invitation.line, invited=False)
        paired = await accept_invitation(invitation, OwnSide(record.own_card, record.own_statement))
        await self._add(self._filled(record, paired))
        return paired

    # -- both

    def waiting(self) -> list[InvitationRecord]:
        """Return the pairings whose words wait to be compared."""
        now_us = self._now_us()
        records = self._store.read(find_invitations)
        return [one for one in records if one.words is not None and one.expires_at_us > now_us]

    async def confirm(self, peer: str, typed: str) -> LineRecord:
        """Return the line to `peer`, which is stored now, if `typed` are the six words.

        Raises:
            InvitationError: no pairing with `peer` waits, it is too late, or the words differ;
                then nothing is kept of it.
            StorageError: the line cannot be stored.
        """
        waiting = [record for record in self.waiting() if peer_name(record) == peer]
        if not waiting:
            raise InvitationError(
                f"no pairing with {peer} waits to be confirmed", advice=BEGIN_AGAIN
            )
        self._require_new(peer)
        fitting = [record for record in waiting if words_match(words_of(record), typed)]
        if not fitting:
            await self._drop(waiting)
            self._audit(AuditEvent.PAIRING_REFUSED, peer=peer, reason="words differ")
            raise InvitationError(
                "these are not the words: somebody may sit between the two nodes; nothing was kept",
                advice="Begin again with a new invitation, and read the words slowly.",
            )
        line = line_of(fitting[0], self._settings.name, self._now_us())
        await self._store.add_line(line)
        await self._drop([record for record in waiting if record is not fitting[0]])
        return line

    # -- pieces

    def _require_new(self, peer: str) -> None:
        if peer in self._stopped():
            raise InvitationError(
                f"the line with {peer} stopped on proof of two histories, which has to be"
                " acknowledged first",
                advice="See: telcon evidence --out FOLDER; then: telcon line acknowledge NAME",
            )
        if peer in self._known():
            raise InvitationError(
                f"there is a line with {peer} already",
                advice="Use that one, or freeze it first if it is not to be trusted.",
                refusal=InvitationRefusal.LINE_EXISTS,
            )

    def _begin(self, line: str, *, invited: bool) -> InvitationRecord:
        return begun(self._settings, self._certificate, line, invited=invited)

    def _filled(self, record: InvitationRecord, paired: Paired) -> InvitationRecord:
        """Return `record` with what the exchange brought, good for as long as an invitation is."""
        return replace(
            record,
            peer_card=paired.peer.card,
            peer_statement=paired.peer.statement,
            words=" ".join(paired.words),
            expires_at_us=self._now_us() + INVITATION_LIFE_US,
        )

    async def _add(self, record: InvitationRecord) -> None:
        before_us = self._now_us() - KEPT_EXPIRED_US
        await self._store.commit(lambda c: delete_expired_invitations(c, before_us))
        await self._store.commit(lambda c: add_invitation(c, record))

    async def _drop(self, records: Collection[InvitationRecord]) -> None:
        """Forget pairings, with their keys."""
        for record in records:
            await self._change(emptied(record, self._now_us()))

    async def _change(self, record: InvitationRecord) -> None:
        await self._store.commit(lambda c: change_invitation(c, record))


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

"""New keys for a line without words: both operators ask, and the line that is trusted vouches.

docs/protocol.md §8. The two nodes state new key cards to each other over the pinned link of the old
line, and compare the hash of all that was stated. Each then announces the new line, with that hash,
by the entry by which it freezes the old one; once both have and ours is cosigned, the new begins.

What a crash leaves, step by step:

1. before what was stated is stored: nothing; the old line is usable;
2. stored, our hash perhaps sent: the old line is usable. Only the other side can still announce,
   and what is stored is kept for that, until another renewal takes its place;
3. announced in either log: who has stored it announces too, and both go on from that alone at
   every start. Nobody needs to ask.
"""

import asyncio
import hmac
import logging
import math
import os
import time
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection

from telcon.core.events import (
    Cosigned,
    EntryHeld,
    Event,
    LineBroken,
    LineDown,
    LineUp,
    SignalReceived,
)
from telcon.core.renewal import Standing, announcement, standing
from telcon.core.signals import (
    MAX_STATED_OCTETS,
    RENEW_S,
    RenewCardSignal,
    RenewHashSignal,
    RenewSignal,
    format_signal,
    parse_renew_card_untrusted,
    parse_renew_hash_untrusted,
    parse_renew_untrusted,
)
from telcon.errors import (
    BusyError,
    IllegalActError,
    InvitationError,
    LinkDownError,
    MalformedError,
    OperatorError,
    StorageError,
    TelconError,
)
from telcon.ledger import parse_key_card, parse_vkey
from telcon.node.audit import AuditEvent
from telcon.node.control import Progress
from telcon.node.line import now
from telcon.node.line_desk import LineDesk
from telcon.node.link.pairing import OwnSide
from telcon.node.link.renewing import check_renewed_untrusted, is_another
from telcon.node.pairings import emptied, line_of, peer_name, renewal_hash_of
from telcon.node.store import Store
from telcon.node.store.invitations import (
    UNTIL_DONE_US,
    InvitationRecord,
    add_invitation,
    change_invitation,
    find_invitation,
    find_invitations,
)
from telcon.node.store.records import LineRecord
from telcon.node.witnesses import Witnesses

__all__ = ["Renewal", "require_renewable"]

KINDS: Final = frozenset({"renew", "renew-card", "renew-hash"})
MAX_WAITING: Final = 8  # of what the other node sent; a renewal takes four signals of each side
LINE_OCTETS: Final = 16
KNOWN_WITHIN_S: Final = 5.0  # a node that knows renewals has said so when the line came up
WITNESSED_WITHIN_S: Final = 30.0  # for the command to be able to say so; nothing hangs on it
FINISHED_WITHIN_S: Final = 60.0  # the same; it goes on after that
AGREED_WITHIN_US: Final = 600_000_000  # after a call; a side that has not stated by then may never
RETRY_S: Final = 5.0  # after the disk refused to store the new line

WITH_WORDS: Final = "With words it can be done: telcon line renew NAME --out FILE"

_LOG = logging.getLogger(__name__)


def require_renewable(desk: LineDesk) -> None:
    """Say why a line cannot be renewed now, if it cannot.

    Raises:
        OperatorError: it is frozen or has ended, or a call goes on.
    """
    peer = desk.line.identity.peer_name
    if desk.evidence.is_open or desk.line.machine.fold.is_frozen:
        raise OperatorError(
            f"the line to {peer} is frozen already",
            advice="Pair anew with: telcon line invite --out FILE",
        )
    if desk.board.calls.current() is not None:
        raise OperatorError(
            f"a call with {peer} is going on, and renewing would cut it",
            advice="Renew once it is over.",
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """Our operator's wish, as long as the command waits."""

    say: Progress
    until_s: float
    """Monotonic."""
    agreed: asyncio.Future[None]
    """Done once the other node holds the same."""
    done: asyncio.Future[str]
    """The new line, once it is stored."""

    @property
    def is_agreed(self) -> bool:
        """Whether the other node holds the same: from then on the logs say what is due."""
        agreed = self.agreed
        return agreed.done() and not agreed.cancelled() and agreed.exception() is None


class Renewal:
    """One line's way to new keys. Everything happens on the loop's thread."""

    def __init__(
        self,
        desk: LineDesk,
        record: LineRecord,
        store: Store,
        witnesses: Witnesses,
        *,
        begun: Callable[[str], InvitationRecord],
        confirmed: Callable[[LineRecord], None],
        audit: Callable[..., None],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        """Renew the line `record`; `begun` makes keys for a new one, `confirmed` starts it."""
        self._desk, self._line, self._record = desk, desk.line, record
        self._store, self._witnesses = store, witnesses
        self._begun, self._confirmed = begun, confirmed
        self._audit, self._spawn = audit, spawn
        self._is_known = asyncio.Event()  # the other node has said that it knows renewals
        self._theirs_until_s = 0.0  # monotonic: until then their operator's wish stands
        self._asked: _Asked | None = None
        self._exchange: InvitationRecord | None = None  # what we have stated, once we have
        self._hash = b""  # of what both have stated, once it is stored
        self._waiting: deque[SignalReceived] = deque()
        self._is_taking = self._is_finishing = self._is_due = False

    @property
    def wanted_by(self) -> str | None:
        """Which operator has asked, `ours` or `theirs`; None: neither."""
        if self._asked is not None:
            return "ours"
        return "theirs" if self._is_wanted_there else None

    @property
    def _is_wanted_there(self) -> bool:
        return time.monotonic() < self._theirs_until_s

    @property
    def _is_agreed(self) -> bool:
        return self._asked is not None and self._asked.is_agreed

    # -- what our operator does

    async def ask(self, say: Progress) -> str:
        """Renew the keys with the other node, once its operator has asked too; return the new line.

        Raises:
            OperatorError: the line is frozen, a call goes on, or its record is not agreed; the
                other node does not know renewals, or its operator does not ask within ten minutes,
                or what it states does not fit; or it was asked again, and the newer asking waits.
                Nothing has changed.
            LinkDownError: the link is down, and nothing has changed; or the new line is announced
                and has not begun within a minute: it does so when the link is back.

        Cancellation: the wish ends; what both have agreed on goes on.
        """
        peer = self._record.peer_name
        require_renewable(self._desk)
        if self._desk.board.calls.agreements.is_waiting(now().utc_us - AGREED_WITHIN_US):
            raise OperatorError(
                f"the record of a call with {peer} is still being agreed on: nothing more of it"
                " could be stated on this line",
                advice=f"Give the command again in a minute. {WITH_WORDS}",
            )
        await self._require_known()
        if self._exchange is not None or self._is_agreed:
            raise OperatorError("it is under way", advice="See: telcon line list")
        self._end(OperatorError("the command was given again, and the newer one waits"))
        loop = asyncio.get_running_loop()
        asked = _Asked(say, time.monotonic() + RENEW_S, loop.create_future(), loop.create_future())
        self._asked = asked
        self._audit(AuditEvent.RENEWAL_ASKED, line=self._record.line, peer=peer)
        own = self._record.own_name
        say({"say": f"{peer} has ten minutes to give: telcon line renew {own}. Waiting …"})
        try:
            self._send_wish()
            self._begin()
            new = await self._outcome(asked)
        finally:
            if self._asked is asked:
                self._asked, self._exchange, self._hash = None, None, b""
                self._send_wish()
        await self._tell_witnesses(say)
        return new

    async def _require_known(self) -> None:
        peer = self._record.peer_name
        try:
            async with asyncio.timeout(KNOWN_WITHIN_S):
                await self._is_known.wait()
        except TimeoutError as error:
            if not self._line.is_up:
                raise LinkDownError(
                    f"the line to {peer} is down, and vouches for nothing",
                    advice=f"Wait until it is up. {WITH_WORDS}",
                ) from error
            raise OperatorError(
                f"the node of {peer} does not take a renewal without words", advice=WITH_WORDS
            ) from error

    async def _outcome(self, asked: _Asked) -> str:
        peer = self._record.peer_name
        try:
            async with asyncio.timeout(RENEW_S):
                await asked.agreed
        except TimeoutError as error:
            raise InvitationError(
                f"{peer} has not asked for it too in ten minutes; the line stays as it is",
                advice="Agree on the hour with its operator, and give the command again.",
            ) from error
        try:
            async with asyncio.timeout(FINISHED_WITHIN_S):
                return await asked.done
        except TimeoutError as error:
            raise LinkDownError(
                f"the new line is announced, and {peer} has yet to sign that, and to announce it",
                advice="There is nothing to do: the new line begins once it has."
                " See: telcon line list",
            ) from error

    async def _tell_witnesses(self, say: Progress) -> None:
        """Have the end of the old log seen by its further witnesses now, and say who has."""
        size = self._line.machine.cosigned_by_peer
        reports = await self._witnesses.cover(self._record, size, WITNESSED_WITHIN_S)
        for one in reports:
            has_signed = one.newest is not None and one.newest.size >= size
            has_it = "has signed the end of the old log" if has_signed else "has yet to sign it"
            say({"say": f"{parse_vkey(one.witness.vkey).name} {has_it}."})
        if reports:
            say({"say": "The new line has no further witness yet: telcon line witness add"})

    # -- what the line tells

    def event(self, event: Event) -> None:
        """Take one event of the line."""
        match event:
            case LineUp():
                self._send_wish()
                self._begin()
                self.look()
            case LineDown():
                self._down()
            case LineBroken(reason=reason):
                self._end(OperatorError(f"the line has ended: {reason}", advice=WITH_WORDS))
            case SignalReceived(kind=kind) if kind in KINDS:
                self._queue(event)
            case Cosigned() | EntryHeld():
                self.look()

    def _down(self) -> None:
        """Forget the exchange; once the line is up again, it is begun anew or announced already."""
        self._is_known.clear()
        self._theirs_until_s = 0.0
        self._waiting.clear()
        self._exchange, self._hash = None, b""

    def _end(self, error: TelconError) -> None:
        """End the exchange, and our operator's wish with `error`.

        What is stored stays: our hash may have been sent, and then the other side may announce.
        """
        self._exchange, self._hash = None, b""
        asked = self._asked
        if asked is not None and not asked.agreed.done():
            asked.agreed.set_exception(error)
        elif asked is not None and asked.is_agreed and not asked.done.done():
            asked.done.set_exception(error)

    def _queue(self, signal: SignalReceived) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._misbehaved("more about a renewal than it takes")
            return
        self._waiting.append(signal)
        if not self._is_taking:
            self._is_taking = True
            self._spawn(self._take_all())

    def _misbehaved(self, reason: str) -> None:
        self._audit(AuditEvent.PEER_MISBEHAVED, line=self._record.line, reason=reason)

    async def _take_all(self) -> None:
        try:
            while self._waiting:
                await self._take(self._waiting.popleft())
        finally:
            self._is_taking = False

    async def _take(self, signal: SignalReceived) -> None:
        try:
            match signal.kind:
                case "renew":
                    self._take_wish(parse_renew_untrusted(signal.body))
                case "renew-card":
                    await self._take_card(parse_renew_card_untrusted(signal.body))
                case "renew-hash":
                    await self._take_hash(parse_renew_hash_untrusted(signal.body))
        except MalformedError as error:
            self._misbehaved(str(error))
        except StorageError as error:
            self._audit(AuditEvent.STORAGE_REFUSED, line=self._record.line, error=str(error))
            self._end(error)
        except OperatorError as error:
            self._end(error)

    # -- the exchange; the node whose name sorts first states its card first

    @property
    def _is_first(self) -> bool:
        return self._record.own_name < self._record.peer_name

    def _send(self, kind: str, body: RenewSignal | RenewCardSignal | RenewHashSignal) -> None:
        self._line.signal(kind, "", format_signal(body))

    def _send_wish(self) -> None:
        left_s = 0.0
        if self._asked is not None and not self._asked.agreed.done():
            left_s = self._asked.until_s - time.monotonic()
        self._send("renew", RenewSignal(max(0, math.ceil(left_s))))

    def _take_wish(self, said: RenewSignal) -> None:
        self._is_known.set()
        if said.for_s and not self._is_wanted_there:
            self._exchange, self._hash = None, b""  # it asks anew, and has forgotten what we stated
        self._theirs_until_s = time.monotonic() + said.for_s if said.for_s else 0.0
        if self._line.machine.fold.is_frozen or self._is_agreed:
            return  # the logs say what is due
        if said.for_s == 0 and self._exchange is not None:
            peer = self._record.peer_name
            self._end(
                InvitationError(
                    f"the node of {peer} has ended it; the line stays as it is",
                    advice="Its operator was told why. Give the command again once both can.",
                )
            )
        self._begin()

    def _begin(self) -> None:
        """State our card, if it is on us and both have asked."""
        asked = self._asked
        if asked is None or asked.agreed.done() or self._exchange is not None:
            return
        if not self._is_first or not self._is_wanted_there or self._line.up_since_us is None:
            return
        try:
            require_renewable(self._desk)  # since it was asked for
            self._exchange = self._made(os.urandom(LINE_OCTETS).hex())
        except OperatorError as error:
            self._end(error)
            return
        self._send_card(self._exchange)

    def _made(self, line: str) -> InvitationRecord:
        """Make keys for a new line, and what this node states with them.

        Raises:
            OperatorError: it would be refused for what this node states.
        """
        record = self._begun(line)
        what = is_another(_own(self._record), _own(record))
        if what is None and len(record.own_statement) > MAX_STATED_OCTETS:
            what = "statement"
        if what is not None:
            why = "too long" if what == "statement" else "another than when the line was paired"
            raise OperatorError(
                f"the {what} of this node is {why}, and has to be confirmed by people",
                advice=WITH_WORDS,
            )
        return record

    def _send_card(self, record: InvitationRecord) -> None:
        card = RenewCardSignal(record.line, record.own_card, record.own_statement)
        self._send("renew-card", card)

    async def _take_card(self, said: RenewCardSignal) -> None:
        """Store what both have stated, then say so.

        Raises:
            OperatorError: the line cannot be renewed now, or not by what this node states.
            StorageError: the disk refused.
        """
        if self._asked is None or self._asked.agreed.done():
            self._misbehaved("it states keys for a renewal that nobody here asks for")
            return
        if self._hash or (self._exchange is None) is self._is_first:
            self._misbehaved("it states keys out of turn")
            return
        require_renewable(self._desk)  # since it was asked for
        try:
            record = self._checked(said)
        except MalformedError as error:
            self._refuse(str(error))
            return
        filled = replace(
            record,
            peer_card=said.card,
            peer_statement=said.statement,
            expires_at_us=UNTIL_DONE_US,
        )
        self._exchange = filled
        await self._put(filled)
        if self._exchange is not filled:
            await self._forget([filled])  # it has ended meanwhile, and our hash was not sent
            return
        self._hash = renewal_hash_of(filled, self._record.line)
        if not self._is_first:
            self._send_card(filled)
        self._send("renew-hash", RenewHashSignal(filled.line, self._hash))

    def _checked(self, said: RenewCardSignal) -> InvitationRecord:
        """Return what we state, if what they state fits it and the line.

        Raises:
            MalformedError: it does not; it says why.
            OperatorError: this node has nothing to state.
        """
        stored = self._store.lines()
        is_taken = self._store.read(lambda c: find_invitation(c, said.line)) is not None
        if is_taken or said.line in {one.line for one in stored}:
            raise MalformedError("the line stated is there already")
        record = self._exchange or self._made(said.line)
        if said.line != record.line:
            raise MalformedError("the line stated is not the one that was stated to it")
        cards = [
            parse_key_card(card)
            for one in stored
            if one.peer_name == self._record.peer_name
            for card in (one.own_card, one.peer_card)
        ]
        check_renewed_untrusted(
            _own(record),
            OwnSide(said.card, said.statement),
            OwnSide(self._record.peer_card, self._record.peer_statement),
            {key.public for card in cards for key in card.keys},
        )
        return record

    async def _take_hash(self, said: RenewHashSignal) -> None:
        """Announce the new line, if what both have stored is the same.

        Raises:
            OperatorError: a call has begun meanwhile.
            StorageError: the disk refused.
        """
        asked, record = self._asked, self._exchange
        if asked is None or asked.agreed.done():
            return
        if record is None or not self._hash or said.line != record.line:
            return
        if not hmac.compare_digest(said.hash, self._hash):
            await self._forget([record])
            self._refuse("what the other node holds of the exchange is not what is held here")
            return
        require_renewable(self._desk)
        asked.agreed.set_result(None)
        try:
            await self._announce(record)
        except (IllegalActError, LinkDownError, BusyError) as error:
            # Not written. If the other side announces, it is tried again, see `look`.
            _LOG.info("line %s could not be announced: %s", record.line, error)
            self._end(error)

    def _refuse(self, reason: str) -> None:
        peer = self._record.peer_name
        self._audit(AuditEvent.PAIRING_REFUSED, line=self._record.line, peer=peer, reason=reason)
        self._end(
            InvitationError(
                f"the renewal with {peer} was refused: {reason}; the line stays as it is",
                advice=f"Ask its operator what was changed there. {WITH_WORDS}",
            )
        )

    async def _announce(self, record: InvitationRecord) -> None:
        """Freeze the old line in our log, naming the new one.

        Raises:
            IllegalActError: our log freezes it already, or the line has ended.
            LinkDownError: it may not be signed yet, or the node is closing.
            BusyError: the disk does not keep up.
        """
        await self._desk.freeze(self._words(record))

    def _words(self, record: InvitationRecord) -> str:
        return announcement(record.line, renewal_hash_of(record, self._record.line))

    # -- what is stored of it

    def _stored(self) -> list[InvitationRecord]:
        """Return what is kept of renewals with this node: one, as a rule."""
        records = self._store.read(find_invitations)
        return [
            one for one in records if one.is_renewal and peer_name(one) == self._record.peer_name
        ]

    async def _put(self, record: InvitationRecord) -> None:
        """Store `record` in place of an earlier one: whoever states keys has not announced any."""
        earlier = [emptied(one, now().utc_us) for one in self._stored()]

        def work(connection: Connection) -> None:
            for one in earlier:
                change_invitation(connection, one)
            add_invitation(connection, record)

        await self._store.commit(work)

    async def _forget(self, records: Collection[InvitationRecord]) -> None:
        """Keep no keys of what came to nothing."""
        for one in records:
            await self._store.commit(partial(change_invitation, record=emptied(one, now().utc_us)))

    # -- the end of the old line, and the new one

    def look(self) -> None:
        """Go on with what stands in the logs, if there is anything to go on with; quick."""
        self._is_due = self._line.machine.fold.is_frozen
        if self._is_due and not self._is_finishing:
            self._is_finishing = True
            self._spawn(self._finish())

    async def _finish(self) -> None:
        try:
            while self._is_due:
                self._is_due = False
                if not await self._is_settled():
                    self._is_due = True
                    await asyncio.sleep(RETRY_S)
        finally:
            self._is_finishing = False

    async def _is_settled(self) -> bool:
        """Go on as far as can be; False: the disk refused, and the same is to be tried again."""
        try:
            await self._go_on()
        except StorageError as error:
            self._audit(AuditEvent.STORAGE_REFUSED, line=self._record.line, error=str(error))
            return False
        except (IllegalActError, BusyError) as error:  # our operator froze it just now, perhaps
            _LOG.info("line %s is not announced yet: %s", self._record.line, error)
            return False
        except LinkDownError as error:  # once it may be signed, the line comes up
            _LOG.info("line %s cannot be announced yet: %s", self._record.line, error)
        return True

    async def _go_on(self) -> None:
        if not self._is_durable() or self._has_successor():
            return
        if self._desk.evidence.is_open:
            return  # two histories of one of the old logs: it goes on once that is taken note of
        ours, theirs = map(self._reason, self._origins)
        stored, is_held = self._stored(), self._line.machine.waiting == 0
        for record in stored:
            match standing(ours, theirs, self._words(record), is_held=is_held):
                case Standing.UNSAID:
                    await self._announce(record)
                    return  # what comes of it brings us here again
                case Standing.ANNOUNCED:
                    return  # so does what the other side writes, or cosigns
                case Standing.DUE:
                    await self._start(record)
                    return
        self._end(
            OperatorError(
                f"the line to {self._record.peer_name} was frozen for another reason",
                advice="Ask its operator, then pair anew: telcon line invite --out FILE",
            )
        )
        await self._forget(stored)

    async def _start(self, record: InvitationRecord) -> None:
        began_us = max(now().utc_us, self._record.confirmed_at_us + 1)  # the clock may be set back
        line = line_of(record, self._record.own_name, began_us)
        await self._store.add_line(line)
        self._confirmed(line)
        if self._asked is not None:
            self._asked.say({"say": f"Announced in the old line, held by {line.peer_name}."})
            if not self._asked.agreed.done():
                self._asked.agreed.set_result(None)
            if not self._asked.done.done():
                self._asked.done.set_result(line.line)

    def _has_successor(self) -> bool:
        """Say whether the new line began already, or people have paired anew since."""
        return any(
            one.peer_name == self._record.peer_name
            and one.confirmed_at_us > self._record.confirmed_at_us
            for one in self._store.lines()
        )

    @property
    def _origins(self) -> tuple[str, str]:
        return self._record.own_origin, self._record.peer_origin

    def _is_durable(self) -> bool:
        """Say whether what freezes the line is on the disk; its `EntryHeld` comes once it is."""
        fold = self._line.machine.fold
        places = ((origin, fold.frozen_at(origin)) for origin in self._origins)
        return all(
            index is None or index < self._store.stored_log(origin).size for origin, index in places
        )

    def _reason(self, origin: str) -> bytes | None:
        """Return why the log `origin` freezes the line, as it was sealed; None if it does not."""
        index = self._line.machine.fold.frozen_at(origin)
        if index is None:
            return None
        ((_, opening),) = self._store.stored_log(origin).openings(index, 1)
        return opening.content


def _own(record: InvitationRecord | LineRecord) -> OwnSide:
    return OwnSide(record.own_card, record.own_statement)

"""House logs over one line: ours goes to the other node to be cosigned, and theirs comes here.

`telcon.core.house_exchange` decides what is asked and believed, this node's witness what is
cosigned. What the other node sends is taken one by one, in a task: neither the link nor the line
waits for it, nor for the disk.
"""

import logging
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from hashlib import sha256
from typing import Any, Final, Protocol

from telcon.core.events import Event, LineDown, LineUp, SignalReceived
from telcon.core.house_exchange import HouseExchange, Pins, Stated
from telcon.core.signals import (
    HouseAnswerSignal,
    HouseAskSignal,
    HouseSignal,
    format_signal,
    parse_house_ask_untrusted,
)
from telcon.errors import MalformedError, MisuseError, OperatorError, PeerError, StorageError
from telcon.ledger import VerifierKey, format_vkey, parse_vkey
from telcon.ledger.witness import Answer, Cosignatures, Refusal, parse_submission_untrusted
from telcon.node.audit import AuditEvent
from telcon.node.house import House
from telcon.node.line import Line, now
from telcon.node.store import Store
from telcon.node.store.house import PinRecord, find_pin, put_pin

__all__ = ["HouseLink", "Witness"]

KINDS: Final = frozenset({"house", "house-ask", "house-answer"})
MAX_WAITING: Final = 8  # of what the other node sent; it owes one answer and asks one thing
NOT_YOURS: Final = Answer(404, b"this is not the house log that you stated\n", "")

_LOG = logging.getLogger(__name__)


class Witness(Protocol):
    """What cosigns logs of others on this node, see `telcon.node.witnessing`."""

    @property
    def vkey(self) -> VerifierKey:
        """Return its key."""

    async def admit(self, vkey: str) -> object:
        """Take the log of that key from now on."""

    async def dismiss(self, origin: str) -> None:
        """Take that log no more."""

    async def add_checkpoint(self, body: bytes) -> Answer:
        """Answer one request."""

    def checkpoint(self, hashed_origin: str) -> bytes | None:
        """Return the newest cosigned checkpoint of the log whose origin has that SHA-256."""


class HouseLink:
    """One line's share in house logs. Everything happens on the loop's thread."""

    def __init__(
        self,
        line: Line,
        house: House,
        witness: Witness,
        store: Store,
        *,
        audit: Callable[..., None],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        """Exchange over `line`; `witness` cosigns the other node's house log."""
        self._line = line
        self._id = line.identity.line
        self._house = house
        self._witness = witness
        self._store = store
        self._audit = audit
        self._spawn = spawn
        self._stated: Pins | None = None  # as the other node did last
        self._said = ""  # the house log that was stated on this connection
        self._waiting: deque[SignalReceived] = deque()
        self._is_taking = False
        pin = store.read(partial(find_pin, line=self._id))
        self._exchange = HouseExchange(
            line.identity.peer_name, self._taken(), _pins(pin) if pin is not None else None
        )

    def _taken(self) -> frozenset[bytes]:
        """Return the public keys of this line that have other duties."""
        cards = (self._line.identity.own_card, self._line.identity.peer_card)
        return frozenset(key.public for card in cards for key in (card.log, card.mirror))

    @property
    def pins(self) -> Pins | None:
        """The other node's keys as pinned; None before it stated any."""
        return self._exchange.pins

    @property
    def stated(self) -> Pins | None:
        """The other node's keys as it last stated them; None if not since this node started."""
        return self._stated

    def event(self, event: Event) -> None:
        """Take one event of the line."""
        match event:
            case LineUp():
                self._greet()
            case LineDown():
                self._exchange.down()
                self._said = ""
                self._waiting.clear()
            case SignalReceived(kind=kind) if kind in KINDS:
                self._queue(event)

    def ask(self) -> None:
        """Ask for a cosignature of our house log if there is something new to be cosigned.

        Where the disk refuses it is asked the next time: at the next full hour at the latest.
        """
        try:
            self._ask()
        except StorageError as error:
            self._audit(AuditEvent.STORAGE_REFUSED, line=self._id, error=str(error))

    def _ask(self) -> None:
        log = self._house.log
        if self._said not in ("", log.origin):
            self._greet()  # it was renewed
        if self._exchange.pins is None and self._stated is not None:
            self._spawn(self._take_first(self._stated))  # the disk refused then
            return
        if self._exchange.is_owed_late(log):
            self._unwitnessed(0, "it has not answered for an hour")
            return
        body = self._exchange.ask(log)
        if body is not None:
            self._send("house-ask", HouseAskSignal(body))

    async def trust(self) -> Pins:
        """Pin what the other node states now, in place of what it stated first.

        Raises:
            OperatorError: it has stated nothing, or what it states cannot be witnessed.
            StorageError: the disk refused; nothing has changed.
        """
        stated, old = self._stated, self._exchange.pins
        if stated is None:
            raise OperatorError(
                f"{self._line.identity.peer_name} has not stated its house log",
                advice="Wait until the line is up, then try again.",
            )
        await self._pin(stated, AuditEvent.HOUSE_TRUSTED)
        if old is not None and old.log != stated.log:
            await self._witness.dismiss(old.log.name)
        self.ask()
        return stated

    # -- what we say

    def _greet(self) -> None:
        try:
            self._state()
        except StorageError as error:
            self._audit(AuditEvent.STORAGE_REFUSED, line=self._id, error=str(error))

    def _state(self) -> None:
        log, pins = self._house.log, self._exchange.pins
        held = self._held(pins) if pins is not None else None
        self._said = log.origin
        self._send("house", self._exchange.statement(log, self._witness.vkey, held or b""))

    def _held(self, pins: Pins) -> bytes | None:
        return self._witness.checkpoint(sha256(pins.log.name.encode()).hexdigest())

    def _send(self, kind: str, body: HouseSignal | HouseAskSignal | HouseAnswerSignal) -> None:
        self._line.signal(kind, "", format_signal(body))

    # -- what the other node says

    def _queue(self, signal: SignalReceived) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._misbehaved("more about house logs than it is owed")
            return
        self._waiting.append(signal)
        if not self._is_taking:
            self._is_taking = True
            self._spawn(self._take_all())

    async def _take_all(self) -> None:
        try:
            while self._waiting:
                await self._take(self._waiting.popleft())
        finally:
            self._is_taking = False

    async def _take(self, signal: SignalReceived) -> None:
        try:
            match signal.kind:
                case "house":
                    await self._take_statement(signal.body)
                case "house-ask":
                    answer = await self._answer(parse_house_ask_untrusted(signal.body).body)
                    self._send("house-answer", HouseAnswerSignal(answer.status, answer.body))
                case "house-answer":
                    self._take_answer(signal.body)
        except PeerError as error:
            self._misbehaved(str(error))
        except StorageError as error:
            self._audit(AuditEvent.STORAGE_REFUSED, line=self._id, error=str(error))

    def _unwitnessed(self, status: int, reason: str) -> None:
        event = AuditEvent.HOUSE_UNWITNESSED
        self._audit(event, line=self._id, status=status, reason=reason)

    def _misbehaved(self, reason: str) -> None:
        self._audit(AuditEvent.PEER_MISBEHAVED, line=self._id, reason=reason)

    async def _take_statement(self, data: bytes) -> None:
        stated = self._exchange.state(data)
        self._stated = stated.pins
        if stated.is_first:
            await self._take_first(stated.pins)
        if stated.changed:
            names = " ".join(stated.changed)
            self._audit(AuditEvent.HOUSE_PIN_REFUSED, line=self._id, changed=names)
        self._learn(stated)
        self.ask()

    async def _take_first(self, pins: Pins) -> None:
        try:
            await self._pin(pins, AuditEvent.HOUSE_PINNED)
        except StorageError:
            raise
        except OperatorError as error:  # this node witnesses as many logs as it can
            self._audit(AuditEvent.HOUSE_PIN_REFUSED, line=self._id, changed=str(error))

    async def _pin(self, pins: Pins, event: AuditEvent) -> None:
        log, witness = format_vkey(pins.log), format_vkey(pins.witness)
        await self._witness.admit(log)
        record = PinRecord(self._id, log, witness, now().utc_us)
        await self._store.commit(partial(put_pin, record=record))
        self._exchange.pins = pins
        self._audit(event, line=self._id, log=log, witness=witness)

    def _learn(self, stated: Stated) -> None:
        """Take what the other node holds of our house log; of one that has ended it is nothing."""
        size = 0
        if stated.last:
            try:
                size = self._house.learn(stated.last)
            except PeerError as error:
                _LOG.info("line %s: what is shown is not our house log: %s", self._id, error)
        self._exchange.shown(size)

    def _take_answer(self, data: bytes) -> None:
        try:
            found = self._exchange.answer(data, self._house.log)
        except PeerError as error:
            self._audit(AuditEvent.HOUSE_WITNESS_LIED, line=self._id, reason=str(error))
            return
        match found:
            case None:
                self.ask()
            case Cosignatures():
                self._house.kept()
                self.ask()  # an hour may have come meanwhile
            case Refusal(status=status, reason=reason):
                self._unwitnessed(status, reason)

    async def _answer(self, body: bytes) -> Answer:
        """Let the witness answer, for the one log that the other node has stated first."""
        pins = self._exchange.pins
        try:
            asked = parse_submission_untrusted(body)
        except MalformedError as error:
            return Answer(400, f"{error}\n".encode(), "")
        if pins is None or asked.checkpoint.origin != pins.log.name:
            return NOT_YOURS
        return await self._witness.add_checkpoint(body)


def _pins(record: PinRecord) -> Pins:
    try:
        return Pins(parse_vkey(record.log_vkey), parse_vkey(record.witness_vkey))
    except PeerError as error:
        raise MisuseError(f"the pinned keys of line {record.line} are none: {error}") from error

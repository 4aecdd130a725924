"""The records of one line's calls that are not agreed yet."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from telcon.core.events import EntryHeld, Event, LineUp, SignalReceived
from telcon.core.signals import (
    parse_record_ask_untrusted,
    parse_record_give_untrusted,
    parse_record_return_untrusted,
    parse_record_returned_untrusted,
)
from telcon.errors import MalformedError
from telcon.node.agreement import Agreement
from telcon.node.audit import AuditEvent

__all__ = ["Agreements"]

MAX_OPEN: Final = 32
"""Calls whose record is worked on at once; each has a thread. One more, and the oldest waits for
the next start of the node."""


class Agreements:
    """Hands what the line tells to the records that wait for it."""

    def __init__(
        self, spawn: Callable[[Coroutine[Any, Any, None]], Any], audit: Callable[..., None]
    ) -> None:
        """Run each record's work by `spawn`."""
        self._spawn = spawn
        self._audit = audit
        self._open: dict[str, Agreement] = {}

    def has_room(self) -> bool:
        """Say whether one more can be worked on."""
        return len(self._open) < MAX_OPEN

    def is_open(self, call: str) -> bool:
        """Say whether the record of `call` is being worked on."""
        return call in self._open

    def is_waiting(self, since_us: int) -> bool:
        """Say whether a side has yet to state the record of a call that ended since then."""
        return any(agreement.is_waiting(since_us) for agreement in self._open.values())

    def add(self, agreement: Agreement) -> None:
        """Work on a record until it is agreed."""
        if not self.has_room():
            oldest = (one for one in self._open.values() if not one.is_closing)
            if (evicted := next(oldest, None)) is not None:
                evicted.close()
        self._open[agreement.call] = agreement
        self._spawn(self._run(agreement))

    async def _run(self, agreement: Agreement) -> None:
        try:
            await agreement.run()
        finally:
            del self._open[agreement.call]

    async def end(self, call: str) -> None:
        """Work on the record of `call` no more, and wait until its journal is closed."""
        if (agreement := self._open.get(call)) is not None:
            agreement.close()
            await agreement.ended.wait()

    def event(self, event: Event) -> None:
        """Take one event of the line."""
        match event:
            case EntryHeld() | LineUp():
                for agreement in self._open.values():
                    agreement.look()
            case SignalReceived(call=call) if call in self._open:
                self._signal(self._open[call], event)

    def _signal(self, agreement: Agreement, signal: SignalReceived) -> None:
        try:
            match signal.kind:
                case "record-ask":
                    agreement.giving.take(parse_record_ask_untrusted(signal.body))
                case "record-give":
                    agreement.take_give(parse_record_give_untrusted(signal.body))
                case "record-return":
                    agreement.giving.take(parse_record_return_untrusted(signal.body))
                case "record-returned":
                    agreement.bringing_back.take(parse_record_returned_untrusted(signal.body))
        except MalformedError as error:
            self._audit(AuditEvent.PEER_MISBEHAVED, call=signal.call, reason=str(error))

    def close(self) -> None:
        """Let all end as soon as their recordings are closed."""
        for agreement in self._open.values():
            agreement.close()

"""The messages of one line as its principal sees them: the newest, older ones, and what is sought.

Drawn from the fold and the store; what is remembered here are messages that have no place in the
log yet, and how those read that nothing changes any more.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

from telcon.core import draft as drafts
from telcon.core.line import Messages, MessageState
from telcon.core.seal import Person, Text
from telcon.errors import OperatorError
from telcon.node.call_desk import View, short
from telcon.node.contents import Contents
from telcon.node.line import Line
from telcon.node.search import search_messages
from telcon.node.store import Store

__all__ = ["SHOWN_MESSAGES", "MessageDesk"]

SHOWN_MESSAGES = 50
KEPT_VIEWS = 4 * SHOWN_MESSAGES


class MessageDesk:
    """What was written on one line."""

    def __init__(self, line: Line, contents: Contents, store: Store) -> None:
        """Show the messages of `line`; search them in `store`."""
        self._line = line
        self._contents = contents
        self._store = store
        self._own = line.identity.own_card.log.name
        origins = (self._own, line.identity.peer_card.log.name)
        self._numbers = {origin: store.stored_log(origin).number for origin in origins}
        self._pending: dict[str, View] = {}  # messages by tag, until they have a place in the log
        self._signed: OrderedDict[tuple[str, int], View] = OrderedDict()  # by place; final

    async def write(
        self,
        sender: Person,
        receiver: Person,
        text: Text,
        *,
        tag: str,
        call: str | None,
        changed: Callable[[], None],
    ) -> str:
        """Write a message; return its place once it is durable here. Delivery shows later.

        `changed` is called when it is to be shown as waiting.

        Raises:
            BusyError: too many messages wait already.
            IllegalActError: the line is frozen, or has ended.
            LinkDownError: what was lost of our log has to be read back first.
        """
        self._pending[tag] = {
            "id": tag,
            "ours": True,
            "text": text.text,
            "time_us": time.time_ns() // 1_000,
            "state": "waiting",
            "from": sender.name,
        }
        changed()
        try:
            held = await self._line.act_bulk(drafts.message(sender, receiver, text, call=call))
        finally:
            self._pending.pop(tag, None)
        return f"{held.origin}#{held.index}"

    def newest(self) -> list[View]:
        """Return the newest messages, oldest first, those still without a place last."""
        newest = self._line.machine.fold.messages[-SHOWN_MESSAGES:]
        waiting = list(self._pending.values())[-SHOWN_MESSAGES:]
        return self._views(newest) + waiting

    def count(self) -> int:
        """Return how many messages there are."""
        return len(self._line.machine.fold.messages)

    def waiting(self) -> int:
        """Return how many of ours the other side has not signed, of the newest that are shown."""
        held = self._line.machine.cosigned_by_peer
        newest = self._line.machine.fold.messages[-SHOWN_MESSAGES:]
        unsigned = sum(one.origin == self._own and one.index >= held for one in newest)
        return unsigned + len(self._pending)

    def before(self, place: str) -> View:
        """Return the messages before the one at `place`, oldest first, and how many come before.

        Raises:
            OperatorError: no such message.
        """
        end = self._position(place)
        first = max(0, end - SHOWN_MESSAGES)
        return {"messages": self._views(self._messages()[first:end]), "older": first}

    def around(self, place: str) -> View:
        """Return messages around the one at `place`, and how many come before and after them.

        Raises:
            OperatorError: no such message.
        """
        messages = self._messages()
        first = max(0, self._position(place) - SHOWN_MESSAGES // 2)
        shown = messages[first : first + SHOWN_MESSAGES]
        newer = len(messages) - first - len(shown)
        return {"messages": self._views(shown), "older": first, "newer": newer}

    def after(self, place: str) -> View:
        """Return the messages after the one at `place`, and how many come after these.

        Raises:
            OperatorError: no such message.
        """
        messages = self._messages()
        first = self._position(place) + 1
        shown = messages[first : first + SHOWN_MESSAGES]
        newer = len(messages) - first - len(shown)
        return {"messages": self._views(shown), "newer": newer}

    async def search(self, words: str, before: int | None) -> View:
        """Return messages that hold all `words`, newest first, of a bounded number of them.

        `before` is what the ask before this one said to go on from; so does `next`, 0 at the end.

        Raises:
            StorageError: the database or the disk refused.
        """
        messages = self._messages()
        end = len(messages) if before is None else min(before, len(messages))
        found = await search_messages(self._store, self._numbers, messages, words, end)
        return {
            "found": self._views(messages[at] for at in found.positions),
            "next": found.next,
            "of": len(messages),
        }

    # -- pieces

    def _messages(self) -> Messages:
        return self._line.machine.fold.messages

    def _position(self, place: str) -> int:
        origin, _, index = place.rpartition("#")
        at = None
        if index.isdecimal():
            at = self._line.machine.fold.messages.position(origin, int(index))
        if at is None:
            raise OperatorError("There is no such message on this line.")
        return at

    def _views(self, messages: Iterable[MessageState]) -> list[View]:
        views = (self._signed.get((one.origin, one.index)) or self._view(one) for one in messages)
        return [view for view in views if view is not None]

    def _view(self, message: MessageState) -> View | None:
        """Return how a message reads; None for one that is not durable yet."""
        ours = message.origin == self._own
        place = (message.origin, message.index)
        if not self._contents.is_held(place):
            return None
        text = self._contents.text(place, "text")
        sender = self._contents.person(place, "from")
        is_signed = not ours or message.index < self._line.machine.cosigned_by_peer
        view = {
            "id": f"{message.origin}#{message.index}",
            "ours": ours,
            "text": text.text if text else None,
            "time_us": message.time_us,
            "state": "signed by both" if is_signed else "waiting",
            "from": short(sender.name) if sender else "",
        }
        if is_signed:
            self._signed[place] = view
            if len(self._signed) > KEPT_VIEWS:
                self._signed.popitem(last=False)
        return view

"""One line as its principal sees it: its state, its messages, its history.

Everything is drawn from the fold, every time; nothing shown is remembered here but messages that
have no place in the log yet.
"""

import time
from collections.abc import Callable, Iterator

from telcon.core import draft as drafts
from telcon.core.call import CallState
from telcon.core.line import MessageState
from telcon.core.seal import Person, Text
from telcon.core.transitions import ENDS, Phase
from telcon.node.call_desk import CallDesk, View, person_view, short
from telcon.node.contents import Contents
from telcon.node.line import Line
from telcon.node.switchboard import Switchboard

__all__ = ["LineDesk"]

SHOWN_MESSAGES = 50
SHOWN_CALLS = 50


class LineDesk:
    """One line as its principal sees it."""

    def __init__(self, line: Line, board: Switchboard, peer: Person, contents: Contents) -> None:
        """Show `line`, to the principal `peer` as their node stated them at pairing."""
        self.line = line
        self.board = board
        self.peer = peer
        self.broken: str | None = None
        """Why nothing more will be signed on this line; for good."""
        self.trouble: str | None = None
        """Why nothing can be written just now."""
        self.calls = CallDesk(line, board, peer, contents)
        self._contents = contents
        self._own = line.identity.own_card.log.name
        self._pending: dict[str, View] = {}  # messages by tag, until they have a place in the log

    # -- acts

    async def message(
        self, sender: Person, text: str, tag: str, lang: str, changed: Callable[[], None]
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
            "text": text,
            "time_us": time.time_ns() // 1_000,
            "state": "waiting",
            "from": sender.name,
        }
        changed()
        try:
            held = await self.line.act_bulk(
                drafts.message(sender, self.peer, Text(lang, text), call=self._live_call())
            )
        finally:
            self._pending.pop(tag, None)
        return f"{held.origin}#{held.index}"

    async def freeze(self, reason: str) -> None:
        """Trust the line no more: nobody is heard on it from now on, whatever the disk does.

        Raises:
            IllegalActError: the line is frozen already, or has ended.
        """
        for running in self.board.calls.running.values():
            running.cut()
        await self.line.act(drafts.line_frozen(Text("en", reason)))

    def _live_call(self) -> str | None:
        """Return the call that a message of this moment belongs to."""
        running = self.board.calls.current()
        is_live = running is not None and self.board.calls.is_live(running.call)
        return running.call if running is not None and is_live else None

    # -- the view

    def view(self) -> View:
        """Return the line as the contacts show it."""
        machine = self.line.machine
        up = self.line.up_since_us
        return {
            "line": self.line.identity.line,
            "peer": person_view(self.peer) | {"node": self.line.identity.peer_name},
            "up": self.line.is_up,
            "since_us": up if up is not None else self.line.down_since_us,
            "waiting": machine.waiting,
            "frozen": bool(machine.fold.line.frozen_by),
            "broken": self.broken or self.trouble,
        }

    def messages(self) -> list[View]:
        """Return the newest messages, oldest first, those still without a place last."""
        newest = self.line.machine.fold.messages[-SHOWN_MESSAGES:]
        waiting = list(self._pending.values())[-SHOWN_MESSAGES:]
        held = [one for one in newest if self._contents.is_held((one.origin, one.index))]
        return [self._message(message) for message in held] + waiting

    def history(self, before_us: int | None = None) -> list[View]:
        """Return calls that are over, newest first; those before the one rung at `before_us`."""
        states = self._newest_first()
        if before_us is not None:
            any(state.rung_us == before_us for state in states)  # goes on behind that call
        found = []
        for state in states:
            if state.phase in ENDS and state.phase is not Phase.MERGED:
                found.append(self._past(state))
            if len(found) == SHOWN_CALLS:
                break
        return found

    def _newest_first(self) -> Iterator[CallState]:
        calls = self.line.machine.fold.calls
        return (calls[call] for call in reversed(calls))

    # -- pieces

    def _message(self, message: MessageState) -> View:
        ours = message.origin == self._own
        place = (message.origin, message.index)
        text = self._contents.text(place, "text")
        sender = self._contents.person(place, "from")
        signed = not ours or message.index < self.line.machine.cosigned_by_peer
        return {
            "id": f"{message.origin}#{message.index}",
            "ours": ours,
            "text": text.text if text else None,
            "time_us": message.time_us,
            "state": "signed by both" if signed else "waiting",
            "from": short(sender.name) if sender else "",
        }

    def _past(self, state: CallState) -> View:
        ended = self.calls.ended(state)
        return {
            "call": state.call,
            "phase": ended["phase"],
            "side": self.calls.rung_by(state),
            "rung_us": state.rung_us,
            "answered_us": state.answered_us,
            "ended_us": state.ended_us,
            "by": ended["by"],
            "reason": ended["reason"],
            "signed": self._signed(state),
        }

    def _signed(self, state: CallState) -> bool:
        """Say whether both sides have signed how the call ended."""
        held = self.line.machine.cosigned_by_peer
        return all(origin != self._own or index < held for origin, index in state.ended_by)

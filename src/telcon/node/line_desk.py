"""One line as its principal sees it: its state, its call, its messages, its history.

Everything is drawn from the fold, every time; nothing shown is remembered here but messages that
have no place in the log yet.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from telcon.core import draft as drafts
from telcon.core.call import CallState, Seat
from telcon.core.line import MessageState
from telcon.core.seal import Person, Text
from telcon.core.transitions import ENDS, Phase
from telcon.node.contents import Contents
from telcon.node.line import Line
from telcon.node.running import RunningCall
from telcon.node.switchboard import Switchboard

__all__ = ["LineDesk", "View", "person_view"]

SHOWN_MESSAGES = 50
SHOWN_CALLS = 50
SHOWN_CHARACTERS = 300  # of a name or a reason; ours are no longer
STALE_LAMP_MS = 2_000  # a recorder heard of longer ago than this counts as stopped

View = dict[str, Any]


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
        self._contents = contents
        self._own = line.identity.own_card.log.name
        self._peer_origin = line.identity.peer_card.log.name
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

    def call_view(self, device: str) -> View | None:
        """Return the call that is going on, or ended just now; None if there is none."""
        running = self.board.calls.shown()
        state = self.line.machine.fold.calls.get(running.call) if running else None
        if running is None or state is None:
            return None
        theirs = next((s for s in state.roster.values() if s.origin != self._own), None)
        stated = running.persons.get(theirs.handle) if theirs is not None else None
        return {
            "call": running.call,
            "line": self.line.identity.line,
            "phase": str(state.phase),
            "side": self._rung_by(state),
            "peer": person_view(stated or self.peer) | {"node": self.line.identity.peer_name},
            "rung_us": state.rung_us,
            "answered_us": state.answered_us,
            "mode": state.mode,
            "mine": device in running.seats,
            "countersigned": self.line.machine.cosigned_by_peer
            >= self.line.machine.fold.size(self._own),
            "unsigned_since_us": None if self.line.up_since_us else self.line.down_since_us,
            "recorders": {
                "ours": self._our_lamp(running, state),
                "theirs": self._their_lamp(running, state),
            },
            "people": [
                self._seat(running, seat) for seat in state.roster.values() if seat.left is None
            ],
            "ended": None if state.phase not in ENDS else self._ended(state),
            "late": bool(state.late),
        }

    def slots(self, device: str) -> View | None:
        """Return who is heard where on `device`, or None if it is on no call."""
        running = self.board.calls.current()
        if running is None or running.floor.device(device) is None:
            return None
        heard = running.floor.heard_by(device).items()
        names = {handle: running.persons.get(handle) for _, handle in heard}
        return {
            "call": running.call,
            "slots": [
                {"slot": slot, "handle": handle, "name": _short(person.name) if person else ""}
                for slot, handle in heard
                for person in [names[handle]]
            ],
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

    def _seat(self, running: RunningCall, seat: Seat) -> View:
        person = running.persons.get(seat.handle)
        return {
            "handle": seat.handle,
            "side": "ours" if seat.origin == self._own else "theirs",
            "name": _short(person.name) if person else "",
            "office": _short(person.office) if person else "",
            "role": seat.role,
            "muted": seat.handle in running.muted,
        }

    def _our_lamp(self, running: RunningCall, state: CallState) -> View:
        lamp = running.recorder()
        return {"on": lamp.on and _records(state, self._own), "age_ms": lamp.age_ms}

    def _their_lamp(self, running: RunningCall, state: CallState) -> View:
        """Return their lamp: their log must say that they record, and their recorder must beat."""
        if running.their_recorder is None or not _records(state, self._peer_origin):
            return {"on": False, "age_ms": None}
        beat, came = running.their_recorder
        since_ms = round((time.monotonic() - came) * 1_000)
        age = None if beat.age_ms is None else beat.age_ms + since_ms
        return {"on": beat.on and since_ms < STALE_LAMP_MS, "age_ms": age}

    def _rung_by(self, state: CallState) -> str:
        if len(state.initiated_by) == 2:
            return "both"
        return "ours" if self._own in state.initiated_by else "theirs"

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
            "from": _short(sender.name) if sender else "",
        }

    def _ended(self, state: CallState) -> View:
        sides = {origin for origin, _ in state.ended_by}
        by = None
        if sides:
            by = "both" if len(sides) > 1 else ("ours" if self._own in sides else "theirs")
        reasons = (self._contents.text(place, "reason") for place in state.ended_by)
        reason = next((_short(words.text) for words in reasons if words is not None), None)
        return {"phase": str(state.phase), "by": by, "reason": reason}

    def _past(self, state: CallState) -> View:
        ended = self._ended(state)
        return {
            "call": state.call,
            "phase": ended["phase"],
            "side": self._rung_by(state),
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


def _records(state: CallState, author: str) -> bool:
    """Say whether the log of `author` states that its node is recording the call."""
    return any(one.author == author and one.off is None for one in state.recordings)


def person_view(person: Person) -> View:
    """Return a person as pages show them."""
    return {
        "name": _short(person.name),
        "office": _short(person.office),
        "organisation": _short(person.organisation),
    }


def _short(words: str) -> str:
    """Cut what the other side may have made as long as 8 KiB: the buttons stand below it."""
    return words if len(words) <= SHOWN_CHARACTERS else words[:SHOWN_CHARACTERS] + "…"

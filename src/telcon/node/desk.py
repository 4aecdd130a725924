"""What the signed-in principal sees and can do: all lines of the node on one screen.

`snapshot` draws the whole screen from the folds, every time; nothing it shows is remembered here, so
that no screen can say what the logs do not. Acts go on to the line's switchboard.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from telcon.core import draft as drafts
from telcon.core.call import CallState, Seat
from telcon.core.line import MessageState
from telcon.core.seal import Person, Text
from telcon.core.transitions import Phase
from telcon.errors import OperatorError
from telcon.node.contents import Contents
from telcon.node.line import Line
from telcon.node.switchboard import RunningCall, Switchboard

__all__ = ["LineDesk", "PrincipalDesk"]

SHOWN_MESSAGES = 50
SHOWN_CALLS = 50
GOING_ON = (Phase.RINGING, Phase.LIVE)
STALE_LAMP_MS = 2_000  # a recorder heard of longer ago than this counts as stopped

Send = Callable[[Mapping[str, Any]], None]
Changed = Callable[[], None]
View = dict[str, Any]


class LineDesk:
    """One line as its principal sees it."""

    def __init__(self, line: Line, board: Switchboard, peer: Person, contents: Contents) -> None:
        """Show `line`, to the principal `peer` as their node stated them at pairing."""
        self.line = line
        self.board = board
        self.peer = peer
        self.broken: str | None = None
        self._contents = contents
        self._own = line.identity.own_card.log.name
        self._pending: dict[str, View] = {}  # messages by tag, until they have a place in the log

    # -- acts

    async def message(self, sender: Person, text: str, tag: str, lang: str) -> str:
        """Write a message; return its place once it is durable here. Delivery shows later.

        Raises:
            BusyError: too many messages wait already.
        """
        self._pending[tag] = {
            "id": tag,
            "ours": True,
            "text": text,
            "time_us": time.time_ns() // 1_000,
            "state": "waiting",
            "from": sender.name,
        }
        try:
            held = await self.line.act_bulk(
                drafts.message(sender, self.peer, Text(lang, text), call=self._live_call())
            )
        finally:
            self._pending.pop(tag, None)
        return f"{held.origin}#{held.index}"

    def _live_call(self) -> str | None:
        """Return the call that a message of this moment belongs to."""
        running = self.board.current()
        return running.call if running is not None and self.board.is_live(running.call) else None

    # -- the view

    def view(self) -> View:
        """Return the line as the contacts show it."""
        machine = self.line.machine
        up = self.line.up_since_us
        return {
            "line": self.line.identity.line,
            "peer": self._person(self.peer) | {"node": self.line.identity.peer_name},
            "up": up is not None,
            "since_us": up if up is not None else self.line.down_since_us,
            "waiting": max(0, machine.fold.size(self._own) - machine.cosigned_by_peer),
            "frozen": bool(machine.fold.line.frozen_by),
            "broken": self.broken,
        }

    def call_view(self, device: str) -> View | None:
        """Return the call that is going on, or ended just now; None if there is none."""
        running = self.board.shown()
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
            "peer": self._person(stated or self.peer) | {"node": self.line.identity.peer_name},
            "rung_us": state.rung_us,
            "answered_us": state.answered_us,
            "mode": state.mode,
            "mine": device in running.seats,
            "countersigned": self.line.machine.cosigned_by_peer
            >= self.line.machine.fold.size(self._own),
            "unsigned_since_us": None if self.line.up_since_us else self.line.down_since_us,
            "recorders": {"ours": self._our_lamp(running), "theirs": self._their_lamp(running)},
            "people": [self._seat(running, seat) for seat in state.roster.values()],
            "ended": None if state.phase in GOING_ON else self._ended(state),
            "late": bool(state.late),
        }

    def slots(self, device: str) -> View | None:
        """Return who is heard where on `device`, or None if it is on no call."""
        running = self.board.current()
        if running is None or not running.floor.has(device):
            return None
        heard = running.floor.heard_by(device)
        names = [running.persons.get(handle) for handle in heard]
        return {
            "call": running.call,
            "slots": [
                {"slot": n, "handle": handle, "name": person.name if person else ""}
                for n, (handle, person) in enumerate(zip(heard, names, strict=True))
            ],
        }

    def messages(self) -> list[View]:
        """Return the newest messages, oldest first, those still without a place last."""
        held = self.line.machine.fold.messages[-SHOWN_MESSAGES:]
        return [self._message(message) for message in held] + list(self._pending.values())

    def history(self, before_us: int | None = None) -> list[View]:
        """Return calls that are over, newest first; only those rung before `before_us` if given."""
        over = [
            state
            for state in self.line.machine.fold.calls.values()
            if state.phase not in (*GOING_ON, Phase.MERGED)
            and (before_us is None or state.rung_us < before_us)
        ]
        over.sort(key=lambda state: state.rung_us, reverse=True)
        return [self._past(state) for state in over[:SHOWN_CALLS]]

    # -- pieces

    def _person(self, person: Person) -> View:
        return {
            "name": person.name,
            "office": person.office,
            "organisation": person.organisation,
        }

    def _seat(self, running: RunningCall, seat: Seat) -> View:
        person = running.persons.get(seat.handle)
        return {
            "handle": seat.handle,
            "side": "ours" if seat.origin == self._own else "theirs",
            "name": person.name if person else "",
            "office": person.office if person else "",
            "role": seat.role,
            "muted": seat.handle in running.muted,
        }

    def _our_lamp(self, running: RunningCall) -> View:
        lamp = running.recorder()
        return {"on": lamp.on, "age_ms": lamp.age_ms}

    def _their_lamp(self, running: RunningCall) -> View:
        if running.their_recorder is None:
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
            "from": sender.name if sender else "",
        }

    def _ended(self, state: CallState) -> View:
        sides = {origin for origin, _ in state.ended_by}
        by = None
        if sides:
            by = "both" if len(sides) > 1 else ("ours" if self._own in sides else "theirs")
        reasons = (self._contents.text(place, "reason") for place in state.ended_by)
        reason = next((words.text for words in reasons if words is not None), None)
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


class PrincipalDesk:
    """The desk of the node's principal, over all lines; the `Desk` that telcon.web asks."""

    def __init__(self, principal: Person, node: str) -> None:
        """Start without lines; `add` brings them."""
        self._principal = principal
        self._node = node
        self._lines: dict[str, LineDesk] = {}
        self._pages: dict[str, tuple[Changed, Send]] = {}
        self._slots: dict[str, View | None] = {}

    def add(self, desk: LineDesk) -> None:
        """Show one more line."""
        self._lines[desk.line.identity.line] = desk
        self.changed()

    def lines(self) -> Iterable[LineDesk]:
        """Return the lines shown."""
        return self._lines.values()

    def pages(self) -> int:
        """Return how many pages are open: the devices that would ring."""
        return len(self._pages)

    def changed(self) -> None:
        """Let every page draw itself anew."""
        for device, (changed, send) in list(self._pages.items()):
            changed()
            self._send_slots(device, send)

    # -- telcon.web.desk_protocol.Desk

    def snapshot(self, device: str) -> View:
        """Return all that `device` shows."""
        calls = (desk.call_view(device) for desk in self._lines.values())
        return {
            "me": {
                "name": self._principal.name,
                "office": self._principal.office,
                "organisation": self._principal.organisation,
            },
            "node": self._node,
            "now_us": time.time_ns() // 1_000,
            "lines": [desk.view() for desk in self._lines.values()],
            "call": next((call for call in calls if call is not None), None),
            "messages": {line: desk.messages() for line, desk in self._lines.items()},
            "history": {line: desk.history() for line, desk in self._lines.items()},
        }

    def subscribe(self, device: str, changed: Changed, send: Send) -> Callable[[], None]:
        """Tell `device` of changes until the returned function is called."""
        self._pages[device] = (changed, send)
        self._slots.pop(device, None)

        def unsubscribe() -> None:
            if self._pages.get(device, (None,))[0] is changed:
                del self._pages[device]

        return unsubscribe

    async def do(self, device: str, message: Mapping[str, Any]) -> View:
        """Carry out one act of `device`.

        Raises:
            TelconError: it is not possible now; the message says why in words for the person.
        """
        match message:
            case {"do": "ring", "line": line, "mode": mode, "certificate": certificate}:
                board = self._line(line).board
                return {"call": await board.ring(device, mode, certificate, message.get("topic"))}
            case {"do": "message", "line": line, "text": text, "tag": tag, "lang": lang}:
                desk = self._line(line)
                self.changed()
                return {"id": await desk.message(self._principal, text, tag, lang)}
            case {"do": "history", "line": line}:
                return {"history": self._line(line).history(message.get("before"))}
            case {"do": str(do), "call": str(call)}:
                return await self._do_in_call(device, do, call, message)
        raise OperatorError("This page asked for something that this node does not know.")

    async def _do_in_call(
        self, device: str, do: str, call: str, message: Mapping[str, Any]
    ) -> View:
        board = self._board_of(call)
        match do:
            case "answer":
                await board.answer(device, call, message["certificate"])
            case "join":
                await board.join(device, call, message["certificate"])
            case "decline":
                await board.decline(call, message.get("reason"))
            case "cancel":
                await board.cancel(call)
            case "hang-up":
                await board.hang_up(device, call)
            case "leave":
                await board.leave(device, call)
            case "mute":
                board.mute(device, call, muted=message["muted"])
            case "offer":
                return {"sdp": board.offer(device, call, message["sdp"])}
            case "restart":
                return {"sdp": board.restart(device, call, message["sdp"])}
        return {}

    def device_gone(self, device: str) -> None:
        """Forget a page that was closed."""
        self._pages.pop(device, None)
        self._slots.pop(device, None)
        for desk in self._lines.values():
            desk.board.device_gone(device)

    # -- pieces

    def _line(self, line: str) -> LineDesk:
        desk = self._lines.get(line)
        if desk is None:
            raise OperatorError("There is no such line on this node.")
        return desk

    def _board_of(self, call: str) -> Switchboard:
        for desk in self._lines.values():
            if call in desk.board.running:
                return desk.board
        raise OperatorError("This call is over.")

    def _send_slots(self, device: str, send: Send) -> None:
        for desk in self._lines.values():
            slots = desk.slots(device)
            if slots is not None and slots != self._slots.get(device):
                self._slots[device] = slots
                send({"slots": slots})

"""What the signed-in principal sees and can do: all lines of the node on one screen.

`snapshot` draws the whole screen from the folds, every time; nothing it shows is remembered here,
so that no screen can say what the logs do not. Acts go on to the line's switchboard.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from telcon.core.seal import Person
from telcon.errors import OperatorError
from telcon.node.acts import Acts
from telcon.node.call_desk import View, person_view
from telcon.node.line_desk import LineDesk

__all__ = ["LineDesk", "PrincipalDesk"]

Send = Callable[[Mapping[str, Any]], None]
Changed = Callable[[], None]


class PrincipalDesk:
    """The desk of the node's principal, over all lines; the `Desk` that telcon.web asks."""

    def __init__(self, principal: Person, node: str) -> None:
        """Start without lines; `add` brings them."""
        self._principal = principal
        self._node = node
        self._lines: dict[str, LineDesk] = {}
        self._pages: dict[str, tuple[Changed, Send]] = {}
        self._slots: dict[str, View | None] = {}
        self.on_back: list[Callable[[str], None]] = []
        """Each is told the line that is back, when the principal wished to be told."""

    def add(self, desk: LineDesk) -> None:
        """Show one more line."""
        self._lines[desk.line.identity.line] = desk
        self.changed()

    def remove(self, desk: LineDesk) -> None:
        """Show a line no more: nothing ever came of it."""
        self._lines.pop(desk.line.identity.line, None)
        self.changed()

    def lines(self) -> Iterable[LineDesk]:
        """Return the lines shown."""
        return self._lines.values()

    def pages(self) -> int:
        """Return how many pages are open: the devices that would ring."""
        return len(self._pages)

    def changed(self) -> None:
        """Let every page draw itself anew, and who waits for a line hear that it is back."""
        for line, desk in self._lines.items():
            if desk.came_back():
                for hear in self.on_back:
                    hear(line)
        for device, (changed, send) in list(self._pages.items()):
            changed()
            self._send_slots(device, send)

    def passed(self, message: Mapping[str, Any]) -> None:
        """Tell every page something that passes by."""
        for _, send in list(self._pages.values()):
            send(message)

    # -- telcon.web.desk_protocol.Desk

    def snapshot(self, device: str) -> View:
        """Return all that `device` shows."""
        calls = [desk.calls.view(device) for desk in self._lines.values()]
        history = {line: desk.history.calls() for line, desk in self._lines.items()}
        return {
            "me": person_view(self._principal),
            "node": self._node,
            "now_us": time.time_ns() // 1_000,
            "lines": [desk.view() for desk in self._lines.values()],
            "call": min((call for call in calls if call is not None), key=_rank, default=None),
            "messages": {line: desk.messages.newest() for line, desk in self._lines.items()},
            "history": history,
            "gaps": {line: self._lines[line].history.gaps(past) for line, past in history.items()},
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
                acts = self._line(line).board.acts
                return {"call": await acts.ring(device, mode, certificate, message.get("topic"))}
            case {"do": "message", "line": line, "text": text, "tag": tag, "lang": lang}:
                desk = self._line(line)
                place = await desk.message(self._principal, text, tag, lang, self.changed)
                return {"id": place}
            case {"do": "history" | "messages" | "search" | "wish", "line": line}:
                return await self._do_on_line(self._line(line), message)
            case {"do": str(do), "call": str(call)}:
                return await self._do_in_call(device, do, call, message)
        raise OperatorError("This page asked for something that this node does not know.")

    async def _do_on_line(self, desk: LineDesk, message: Mapping[str, Any]) -> View:
        match message:
            case {"do": "history"}:
                before = message.get("before")
                calls = desk.history.calls(before)
                return {"history": calls, "gaps": desk.history.gaps(calls, before)}
            case {"do": "messages", "from": "before", "place": place}:
                return desk.messages.before(place)
            case {"do": "messages", "from": "after", "place": place}:
                return desk.messages.after(place)
            case {"do": "messages", "place": place}:
                return desk.messages.around(place)
            case {"do": "search", "words": words}:
                return await desk.messages.search(words, message.get("before"))
        desk.wished = message["wanted"]
        self.changed()
        return {}

    async def _do_in_call(
        self, device: str, do: str, call: str, message: Mapping[str, Any]
    ) -> View:
        acts = self._acts_of(call)
        match do:
            case "answer":
                mode = message.get("mode", "audio")
                await acts.answer(device, call, message["certificate"], mode)
            case "keep":
                await acts.keep(device, call, message["mode"])
            case "join":
                await acts.join(device, call, message["certificate"])
            case "decline":
                await acts.decline(call, message.get("reason"), message.get("lang", "en"))
            case "cancel":
                await acts.cancel(call)
            case "hang-up":
                await acts.hang_up(device, call)
            case "recorder":
                reason, lang = message.get("reason"), message.get("lang", "en")
                acts.switch_recorder(call, reason, lang, device)
            case "leave":
                await acts.leave(device, call)
            case "mute":
                acts.mute(device, call, muted=message["muted"])
            case "offer":
                return {"sdp": acts.offer(device, call, message["sdp"])}
            case "restart":
                return {"sdp": acts.restart(device, call, message["sdp"])}
        return {}

    async def course(self, call: str) -> View | None:
        """Return the course of `call`, None if no line here has it.

        Raises:
            StorageError: the database or the disk refused.
        """
        for desk in self._lines.values():
            if call in desk.line.machine.fold.calls:
                told = await desk.course(call)
                return told | {"me": person_view(self._principal), "own_node": self._node}
        return None

    def device_gone(self, device: str) -> None:
        """Forget a page that was closed."""
        self._pages.pop(device, None)
        self._slots.pop(device, None)
        for desk in self._lines.values():
            desk.board.acts.device_gone(device)

    # -- pieces

    def _line(self, line: str) -> LineDesk:
        desk = self._lines.get(line)
        if desk is None:
            raise OperatorError("There is no such line on this node.")
        return desk

    def _acts_of(self, call: str) -> Acts:
        for desk in self._lines.values():
            if call in desk.board.calls.running:
                return desk.board.acts
        raise OperatorError("This call is over.")

    def _send_slots(self, device: str, send: Send) -> None:
        for desk in self._lines.values():
            slots = desk.calls.slots(device)
            if slots is not None and slots != self._slots.get(device):
                self._slots[device] = slots
                send({"slots": slots})


def _rank(call: View) -> int:
    """Of the lines' calls, show the one that most wants a hand: on it here, ringing, live, over."""
    if call["ended"] is not None:
        return 3
    if call["mine"]:
        return 0
    return 1 if call["phase"] == "ringing" else 2

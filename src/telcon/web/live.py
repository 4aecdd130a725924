"""The one WebSocket between page and node: snapshots out, asks in, answers back.

Only the newest of what passes by is kept for a slow page, snapshots are joined to at most one in
`GAP_S`, and no more than `ASKS_AT_ONCE` acts of one page run together: a stuck browser costs the
node a bounded amount, and nobody else waits for it.

Close codes that the page understands: 4401 no session (any more), 4409 the same page connected
again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from telcon.errors import BusyError, MalformedError, TelconError
from telcon.web.asks import AnyAsk, Here, MicrophoneRefused, message_of, parse_ask_untrusted
from telcon.web.desk_protocol import Audit, Desk, DeviceId, Message
from telcon.web.session import Sessions
from telcon.web.words import sentences

GAP_S = 0.03  # between two snapshots; a person sees no faster, a flood of entries costs no more
QUIET_S = 5.0  # a page that hears nothing for 12 s says that it has lost its node
ASKS_AT_ONCE = 16
AWAY_S = 20.0  # a page that is back within this keeps its media leg
SIGNED_OUT = 4401
REPLACED = 4409
RELOAD_S = 10.0  # a page that was reloaded is back within this, under its own name
GRACE_S = {1000: 0.0, 1001: RELOAD_S, SIGNED_OUT: 0.0}
"""By close code: a page that says good-bye, one that is closed or reloaded, one without session."""
PAGE_FORM = re.compile(r"[0-9a-f]{32}")


@dataclass(slots=True)
class LiveEnd:
    """All open pages of a node; owns the one fact shared between them: which are there."""

    desk: Desk
    sessions: Sessions
    audit: Audit
    _open: dict[DeviceId, WebSocket] = field(default_factory=dict)
    _leaving: dict[DeviceId, asyncio.TimerHandle] = field(default_factory=dict)

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one page until it goes; the guard has judged Host and Origin before."""
        token = self.sessions.token(websocket)
        page = websocket.query_params.get("page", "")
        await websocket.accept()
        if token is None or not PAGE_FORM.fullmatch(page):
            await websocket.close(SIGNED_OUT)
            return
        device = DeviceId(page)
        await self._came(device, websocket)
        link = LiveLink(websocket, device, self.desk, self.audit, self._still_there(token))
        code = 1006
        try:
            code = await link.run()
        finally:
            self._went(device, websocket, GRACE_S.get(code, AWAY_S))

    def _still_there(self, token: str) -> Callable[[], bool]:
        return lambda: self.sessions.sign_in.who(token) is not None

    async def _came(self, device: DeviceId, websocket: WebSocket) -> None:
        timer = self._leaving.pop(device, None)
        if timer is not None:
            timer.cancel()
        older = self._open.get(device)
        self._open[device] = websocket
        if older is not None:
            await older.close(REPLACED)

    def _went(self, device: DeviceId, websocket: WebSocket, grace_s: float) -> None:
        if self._open.get(device) is not websocket:
            return  # the page is here already on a newer connection
        del self._open[device]
        if not grace_s:
            self.desk.device_gone(device)
            return
        loop = asyncio.get_running_loop()
        self._leaving[device] = loop.call_later(grace_s, self._forget, device)

    def _forget(self, device: DeviceId) -> None:
        self._leaving.pop(device, None)
        self.desk.device_gone(device)


class LiveLink:
    """One connection of one page."""

    def __init__(
        self,
        websocket: WebSocket,
        device: DeviceId,
        desk: Desk,
        audit: Audit,
        signed_in: Callable[[], bool],
    ) -> None:
        """Carry between `websocket` (accepted) and `desk` for as long as `signed_in()`."""
        self._websocket = websocket
        self._device = device
        self._desk = desk
        self._audit = audit
        self._signed_in = signed_in
        self._wake = asyncio.Event()
        self._changed = True
        self._next_state_at = 0.0
        self._answers: list[Message] = []
        self._passing: dict[str, Message] = {}
        self._running = 0

    async def run(self) -> int:
        """Carry until either side ends it; returns the WebSocket close code."""
        self._wake.set()
        unsubscribe = self._desk.subscribe(self._device, self._on_changed, self._on_passing)
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write())
                code = await self._read(tasks)
                writer.cancel()
        finally:
            unsubscribe()
        return code

    def _on_changed(self) -> None:
        self._changed = True
        self._wake.set()

    def _on_passing(self, message: Message) -> None:
        self._passing[next(iter(message))] = message
        self._wake.set()

    async def _read(self, tasks: asyncio.TaskGroup) -> int:
        while True:
            try:
                text = await self._websocket.receive_text()
            except WebSocketDisconnect as end:
                return end.code
            except KeyError:  # Starlette's way to say that a binary message came
                await self._websocket.close(1003)
                return 1003
            if not self._signed_in():
                await self._websocket.close(SIGNED_OUT)
                return SIGNED_OUT
            self._begin(tasks, text)

    def _begin(self, tasks: asyncio.TaskGroup, text: str) -> None:
        ask: AnyAsk | None = None
        try:
            ask = parse_ask_untrusted(text)
            if self._running >= ASKS_AT_ONCE:
                raise BusyError(f"{self._running} asks of one page are under way")
        except (MalformedError, BusyError) as error:
            self._answer(ask.ask if ask else _number_of(text), error)
            return
        self._running += 1
        tasks.create_task(self._do(ask))

    async def _do(self, ask: AnyAsk) -> None:
        try:
            if isinstance(ask, MicrophoneRefused):
                self._audit("audit.web.microphone-refused", why=ask.why)
                self._answer(ask.ask, {})
            elif isinstance(ask, Here):
                self._answer(ask.ask, {})
            else:
                self._answer(ask.ask, await self._desk.do(self._device, message_of(ask)))
        except TelconError as error:
            self._answer(ask.ask, error)
        finally:
            self._running -= 1

    def _answer(self, number: int, result: Message | TelconError) -> None:
        if number == 0 and not isinstance(result, TelconError):
            return
        if isinstance(result, TelconError):
            what, advice = sentences(result)
            self._answers.append({"answer": number, "ok": False, "error": what, "advice": advice})
        else:
            self._answers.append({**result, "answer": number, "ok": True})
        self._wake.set()

    async def _write(self) -> None:
        try:
            while True:
                await self._wait()
                if not self._signed_in():
                    await self._websocket.close(SIGNED_OUT)
                    return
                for message in self._take():
                    await self._websocket.send_text(msgspec.json.encode(message).decode())
        except WebSocketDisconnect:
            return  # the reader hears of it too, and with the code

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(QUIET_S):
                await self._wake.wait()
        except TimeoutError:
            self._changed = True  # nothing new, but the page must hear that we are there
        self._wake.clear()

    def _take(self) -> list[Message]:
        # Answers first: an act's answer must not stand behind what it changed.
        messages = [*self._answers, *self._passing.values()]
        self._answers.clear()
        self._passing.clear()
        if not self._changed:
            return messages
        loop = asyncio.get_running_loop()
        if loop.time() < self._next_state_at:
            loop.call_at(self._next_state_at, self._wake.set)
            return messages
        self._changed = False
        self._next_state_at = loop.time() + GAP_S
        return [*messages, {"state": self._desk.snapshot(self._device)}]


class _Numbered(msgspec.Struct):
    ask: int = 0


def _number_of(text: str) -> int:
    try:
        return msgspec.json.decode(text, type=_Numbered).ask
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return 0

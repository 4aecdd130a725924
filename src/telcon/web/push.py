"""Waking a browser while no page is open: what it may ask, and what has become of the ring.

The node does the waking (`telcon.node.push`); here are its two addresses for pages and service
workers, and the count of who has a page open and so needs no waking.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from telcon.errors import MalformedError, OperatorError
from telcon.web.desk_protocol import Desk, DeviceId
from telcon.web.session import Sessions
from telcon.web.words import sentences

BODY_LIMIT_BYTES = 4096  # a subscription is some 400 octets
NOBODY = DeviceId("")  # asks about the ring without being a page
MISSED = ("missed", "cancelled")


class Push(Protocol):
    """The node's half: which browsers it wakes, and by which key."""

    def key(self) -> str | None:
        """Return the public key that browsers subscribe under, base64url; None without push."""

    def is_on(self, token: str) -> bool:
        """Tell whether the browser of that session is woken."""

    async def turn_on(self, token: str, subscription: bytes) -> None:
        """Wake the browser of that session; `subscription` is what it stated, as JSON.

        Raises:
            MalformedError: it is none.
            OperatorError: the node speaks to no such push service.
        """

    async def turn_off(self, token: str) -> None:
        """Wake the browser of that session no more."""

    def present(self, token: str) -> Callable[[], None]:
        """Note that a page of that session is open, until the returned function is called."""


class NoPush:
    """A node that wakes nobody."""

    def key(self) -> str | None:
        """Return None."""
        return None

    def is_on(self, token: str) -> bool:
        """Return False."""
        return False

    async def turn_on(self, token: str, subscription: bytes) -> None:
        """Refuse."""
        raise OperatorError("This node wakes no browsers.")

    async def turn_off(self, token: str) -> None:
        """Do nothing."""

    def present(self, token: str) -> Callable[[], None]:
        """Note nothing."""
        return lambda: None


@dataclass(frozen=True, slots=True)
class PushEnd:
    """Answers browsers on behalf of `push`."""

    push: Push
    desk: Desk
    sessions: Sessions

    async def answer(self, request: Request) -> Response:
        """Answer `/push`: whether this browser is woken; `POST` and `DELETE` change it."""
        token = self.sessions.token(request)
        if token is None:
            return JSONResponse({"error": "signed out"}, 401)
        try:
            if request.method == "POST":
                await self.push.turn_on(token, await _body(request))
            elif request.method == "DELETE":
                await self.push.turn_off(token)
            return JSONResponse({"key": self.push.key(), "on": self.push.is_on(token)})
        except (MalformedError, OperatorError) as error:
            what, advice = sentences(error)
            return JSONResponse({"error": what, "advice": advice}, 400)

    async def ringing(self, request: Request) -> Response:
        """Answer `/ringing`: whether it still rings here, for a browser that was woken by it."""
        if self.sessions.token(request) is None:
            return JSONResponse({"ring": "over"}, 401)
        call = self.desk.snapshot(NOBODY)["call"]
        theirs = call is not None and call["side"] == "theirs"
        phase = call["phase"] if call is not None and theirs else "over"
        ring = "ringing" if phase == "ringing" else "missed" if phase in MISSED else "over"
        return JSONResponse({"ring": ring}, headers={"Cache-Control": "no-store"})

    def beside(
        self, serve: Callable[[WebSocket], Awaitable[None]]
    ) -> Callable[[WebSocket], Awaitable[None]]:
        """Return `serve`, with the push knowing for as long as it runs that a page is open."""

        async def served(websocket: WebSocket) -> None:
            token = self.sessions.token(websocket)
            gone = self.push.present(token) if token else lambda: None
            try:
                await serve(websocket)
            finally:
                gone()

        return served


async def _body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_LIMIT_BYTES:
            raise MalformedError(f"a subscription of more than {BODY_LIMIT_BYTES} octets")
    return body

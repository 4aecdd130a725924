"""Who may speak to the pages at all: Host, Origin, and the headers every answer bears.

1. Host must be one of the node's own names and ports, once. A page on another site that
   points its own name at this address (DNS rebinding) is stopped here.
2. Whatever changes something (every method but GET and HEAD, every WebSocket) must come from a
   page of the very host it speaks to. Cookies ignore ports and WebSockets ignore same-origin
   rules: without this, any page in the same browser could ring.
3. Every answer bears the content policy. Nothing is loaded from elsewhere, nothing inline runs.

It also notes which language whoever asks wants to read, for all that is done for the request.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telcon.web.desk_protocol import Audit
from telcon.web.words import COOKIE, catalogue, choose_language, spoken

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "media-src 'self' blob:",
        "manifest-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types telcon-worker",  # one policy, for the one address in static/install.js
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Permissions-Policy": "microphone=(self), screen-wake-lock=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
QUOTED_LENGTH = 200  # of what a stranger sent, in the audit file


class Guard:
    """ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str], address: str, audit: Audit) -> None:
        """Let requests for `hosts` through to `app`; tell all others to open `address`."""
        self._app = app
        self._address = address
        self._hosts = tuple(host.lower() for host in hosts)
        self._audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request or handshake, then hand it on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        cookies = cookie_parser(headers.get("cookie", ""))
        spoken.set(choose_language(cookies.get(COOKIE, ""), headers.get("accept-language", "")))
        if not self._is_our_host(headers):
            await self._refuse(scope, receive, send, "audit.web.wrong-host", 421)
        elif _changes_something(scope) and not is_own_origin(headers):
            await self._refuse(scope, receive, send, "audit.web.wrong-origin", 403)
        else:
            await self._app(scope, receive, _with_headers(send))

    def _is_our_host(self, headers: Headers) -> bool:
        hosts = headers.getlist("host")
        return len(hosts) == 1 and hosts[0].lower() in self._hosts

    async def _refuse(
        self, scope: Scope, receive: Receive, send: Send, event: str, status: int
    ) -> None:
        headers = Headers(scope=scope)
        self._audit(
            event,
            path=str(scope["path"])[:QUOTED_LENGTH],
            host=headers.get("host", "")[:QUOTED_LENGTH],
            origin=headers.get("origin", "")[:QUOTED_LENGTH],
            client=(scope.get("client") or ("",))[0],
        )
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        words = catalogue()[f"refused.{event.rsplit('.', 1)[1]}"]
        text = words.replace("{address}", self._address)
        response = PlainTextResponse(text + "\n", status, {"Connection": "close"})
        await response(scope, receive, _with_headers(send))


def is_own_origin(headers: Headers) -> bool:
    """Tell whether the request comes from a page of the host that it is sent to."""
    origins = headers.getlist("origin")
    host = headers.get("host", "").lower()
    return len(origins) == 1 and origins[0].lower() in (f"http://{host}", f"https://{host}")


def _changes_something(scope: Scope) -> bool:
    return scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-cache")
        await send(message)

    return send_with_headers

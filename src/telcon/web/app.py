"""Puts the pages together: routes, guard, static files.

| path | what |
|---|---|
| `/` | the page of the principal; the same for everybody, for all it shows comes over `/live` |
| `/live` | the WebSocket |
| `/sign-in` | the page a one-time link opens; `POST` redeems it |
| `/sign-out` | `POST` ends the session |
| `/static/` | modules, styles, fonts |
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from telcon.web.desk_protocol import Audit, Desk, SignIn
from telcon.web.guard import Guard
from telcon.web.live import LiveEnd
from telcon.web.session import Sessions
from telcon.web.words import catalogue

Endpoint = Callable[[Request], Awaitable[Response]]
STATIC = Path(__file__).parent / "static"


def build_app(
    desk: Desk, sign_in: SignIn, audit: Audit, *, name: str, hosts: Iterable[str], address: str
) -> Starlette:
    """Return the application of node `name`, reachable under `hosts` alone, best at `address`."""
    sessions = Sessions(name, sign_in, audit)
    routes: list[BaseRoute] = [
        Route("/", _page("index.html", name)),
        Route("/sign-in", _page("sign-in.html", name)),
        Route("/sign-in", sessions.redeem, methods=["POST"]),
        Route("/sign-out", sessions.sign_out, methods=["POST"]),
        WebSocketRoute("/live", LiveEnd(desk, sessions, audit).serve),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    guard = Middleware(Guard, hosts=tuple(hosts), address=address, audit=audit)
    return Starlette(routes=routes, middleware=[guard], exception_handlers={404: _not_found})


def _page(template: str, name: str) -> Endpoint:
    # Rendered once: a page depends on the node's name and the words alone.
    templates = Environment(
        loader=PackageLoader("telcon.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = templates.get_template(template).render(node=name, words=catalogue())

    async def show(request: Request) -> Response:
        return HTMLResponse(text)

    return show


async def _not_found(request: Request, error: Exception) -> Response:
    return Response(catalogue()["refused.not-found"] + "\n", 404, media_type="text/plain")

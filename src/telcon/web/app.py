"""Puts the pages together: routes, guard, static files.

| path | what |
|---|---|
| `/` | the page of the principal; the same for everybody, for all it shows comes over `/live` |
| `/live` | the WebSocket |
| `/calls/CALL` | the timeline of one call, to look at and to print |
| `/sign-in` | the page a one-time link opens; `POST` redeems it |
| `/sign-out` | `POST` ends the session |
| `/push` | whether this browser is rung while no page is open; `POST` and `DELETE` change it |
| `/ringing` | what has become of the ring that woke a browser |
| `/static/` | modules, styles, fonts |
| `/sw.js`, `/offline`, `/manifest.webmanifest` | what makes it installable: `telcon.web.shell` |

Every page is rendered once for each language.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from telcon.web.course import CoursePage
from telcon.web.desk_protocol import Audit, Desk, SignIn
from telcon.web.files import Files
from telcon.web.guard import Guard
from telcon.web.live import LiveEnd
from telcon.web.modules import modules_of
from telcon.web.push import NoPush, Push, PushEnd
from telcon.web.session import Sessions
from telcon.web.shell import Shell
from telcon.web.words import catalogue, languages, spoken

Endpoint = Callable[[Request], Awaitable[Response]]
STATIC = Path(__file__).parent / "static"


def build_app(
    desk: Desk,
    sign_in: SignIn,
    audit: Audit,
    *,
    name: str,
    hosts: Iterable[str],
    address: str,
    organisation: str = "",
    push: Push | None = None,
) -> Starlette:
    """Return the application of node `name`, reachable under `hosts` alone, best at `address`.

    `organisation` is what the page is called where it is installed; `push` wakes browsers.
    """
    sessions = Sessions(name, sign_in, audit)
    page = _pages(name)
    shell = Shell(STATIC, organisation or name, lambda: page("offline.html"))
    bell = PushEnd(push or NoPush(), desk, sessions)
    live = LiveEnd(desk, sessions, audit)
    routes: list[BaseRoute] = [
        Route("/", _show(page, "index.html")),
        Route("/calls/{call}", CoursePage(desk, sessions, _renderer(name), audit).show),
        Route("/sign-in", _show(page, "sign-in.html")),
        Route("/sign-in", sessions.redeem, methods=["POST"]),
        Route("/sign-out", sessions.sign_out, methods=["POST"]),
        Route("/push", bell.answer, methods=["GET", "POST", "DELETE"]),
        Route("/ringing", bell.ringing),
        Route("/offline", _show(page, "offline.html")),
        Route("/sw.js", shell.worker),
        Route("/manifest.webmanifest", shell.manifest),
        WebSocketRoute("/live", bell.beside(live.serve)),
        Mount("/static", Files(STATIC)),
    ]
    guard = Middleware(Guard, hosts=tuple(hosts), address=address, audit=audit)
    nothing = {404: _not_found(_renderer(name))}
    return Starlette(routes=routes, middleware=[guard], exception_handlers=nothing)


@cache  # what is compiled once serves every node of a process
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("telcon.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _renderer(name: str) -> Callable[..., str]:
    """Return what renders a template anew each time, with values besides the words."""
    templates = _templates()

    def render(template: str, **values: Any) -> str:
        return templates.get_template(template).render(node=name, words=catalogue(), **values)

    return render


def _pages(name: str) -> Callable[[str], str]:
    templates = _templates()

    @cache  # a page depends on the node's name and the language alone
    def render(template: str, language: str) -> str:
        words = catalogue(language)
        names = {code: catalogue(code)["language.name"] for code in languages()}
        page = templates.get_template(template)
        modules = modules_of(STATIC, "main.js")
        return page.render(node=name, words=words, languages=names, modules=modules)

    return lambda template: render(template, spoken.get())


def _show(page: Callable[[str], str], template: str) -> Endpoint:
    async def show(request: Request) -> Response:
        return HTMLResponse(page(template), headers={"Vary": "Accept-Language, Cookie"})

    return show


def _not_found(
    render: Callable[..., str],
) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def say(request: Request, error: Exception) -> Response:
        page = render("refused.html", heading=catalogue()["refused.not-found"], text="")
        return HTMLResponse(page, 404, {"Vary": "Accept-Language, Cookie"})

    return say

"""Runs an application inside the node's own loop: uvicorn without its hands on our signals."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from telcon.errors import PortError
from telcon.node.listening import ListeningSocket
from telcon.web.asks import ASK_LIMIT_BYTES
from telcon.web.words import catalogue

GRACE_S = 3  # for answers under way when the node ends; live connections are closed at once


async def serve(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    started: Callable[[int], None] = lambda port: None,
    on_full: Callable[[], None] = lambda: None,
) -> None:
    """Serve `app` on `host`:`port` until cancelled; port 0 takes any.

    `started` is called once with the port, when connections are accepted; `on_full` for each that
    was turned away because the process may open no more files.

    Raises: PortError when the address cannot be had.
    Cancellation: stops accepting, closes live connections (1012), waits up to `GRACE_S`.
    """
    listening = ListeningSocket(listen(host, port), on_full=on_full, words=_too_many())
    with contextlib.closing(listening) as listener:
        bound = int(listener.getsockname()[1])
        server = _Server(_config(app), lambda: started(bound))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await asyncio.shield(serving)
        finally:
            server.should_exit = True
            await serving


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises PortError with words for what is in the way."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortError(
                f"port {port} on {host} is in use by another program",
                advice="End that program, or give the pages another port in node.toml.",
            ) from error
        raise PortError(
            f"cannot listen on {host} port {port}: {error.strerror or error}",
            advice="Give the pages an address of this machine and a port above 1023 in node.toml.",
        ) from error


def _too_many() -> bytes:
    """Return the answer to a page that cannot be let in."""
    body = catalogue()["refused.too-many"].encode()
    head = (
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="websockets-sansio",
        ws_max_size=ASK_LIMIT_BYTES,
        ws_per_message_deflate=False,
        ws_ping_interval=10.0,
        ws_ping_timeout=10.0,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
    )


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave SIGINT and SIGTERM to the node."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say so once connections are accepted; uvicorn itself offers no event for it."""
        await super().startup(sockets)
        self._on_started()

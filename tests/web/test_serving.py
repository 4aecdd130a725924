"""Running inside the node's loop: ports, signals, the end."""

from __future__ import annotations

import asyncio
import signal
import socket

import pytest
from starlette.types import Receive, Scope, Send

from telcon.errors import PortError
from telcon.web.serving import serve


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError(scope)


def test_a_port_in_use_is_said_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortError, match=f"port {port} .* in use") as caught:
            asyncio.run(serve(nothing, "127.0.0.1", port))
    assert "node.toml" in caught.value.advice()


def test_an_address_of_another_machine_is_said_in_words() -> None:
    with pytest.raises(PortError, match=r"cannot listen on 192\.0\.2\.1"):
        asyncio.run(serve(nothing, "192.0.2.1", 0))


def serve_shortly(port: int = 0) -> tuple[int, list[object]]:
    """Serve until it has begun; return the port, and SIGINT's handlers before and then."""
    handlers: list[object] = []
    ports: list[int] = []

    async def run() -> None:
        handlers.append(signal.getsignal(signal.SIGINT))

        def stop(port: int) -> None:
            handlers.append(signal.getsignal(signal.SIGINT))
            ports.append(port)
            task.cancel()

        task = asyncio.ensure_future(serve(nothing, "127.0.0.1", port, started=stop))
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    return ports[0], handlers


def test_leaves_the_signals_to_the_node() -> None:
    _, (before, during) = serve_shortly()
    assert during is before


def test_gives_the_port_back_when_cancelled() -> None:
    port, _ = serve_shortly()
    assert serve_shortly(port)[0] == port

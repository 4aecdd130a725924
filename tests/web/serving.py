"""Serves the pages over a fake desk, on a loop in a thread of its own, for tests that block.

A host may serve the pages of one test after the other: what a browser keeps of them, connections
too, stays good.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from random import Random
from typing import Any, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.websockets import websockets_sansio_impl

from fakes.desk import FakeAudit, FakeDesk, FakeSignIn
from fakes.push import FakePush
from telcon.web import build_app
from telcon.web.serving import serve

T = TypeVar("T")
NAME = "arcadia.example"


class Served:
    """The pages of one node, with handles on everything behind them."""

    def __init__(self, port: int, loop: asyncio.AbstractEventLoop) -> None:
        """Begin with fakes that a test may change."""
        self.desk = FakeDesk()
        self.sign_in = FakeSignIn()
        self.audit = FakeAudit()
        self.port = port
        self.push = FakePush()
        self.loop = loop

    @property
    def address(self) -> str:
        """Where a browser opens the pages."""
        return f"http://{self.host}"

    @property
    def host(self) -> str:
        """The Host header of the pages."""
        return f"arcadia.localhost:{self.port}"

    def call(self, function: Callable[[], T]) -> T:
        """Run `function` on the loop of the pages and return its result."""
        done: Future[T] = Future()
        self.loop.call_soon_threadsafe(lambda: done.set_result(function()))
        return done.result(10)

    def show(self, snapshot: Mapping[str, Any]) -> None:
        """Let the desk show `snapshot`."""
        self.call(lambda: self.desk.show(snapshot))

    def signed_in(self) -> str:
        """Return the Cookie header of a session."""
        self.sign_in.tokens.add("token-of-tests")
        return f"telcon-{NAME}=token-of-tests"

    def app(self) -> ASGIApp:
        """Return what answers; the names a node answers to hold its port."""
        return build_app(
            self.desk,
            self.sign_in,
            self.audit,
            name=NAME,
            hosts=[self.host, f"127.0.0.1:{self.port}"],
            address=f"{self.address}/",
            organisation="Arcadia",
            push=self.push,
        )


# The pings of a host that other tests run beside draw from the generator that Hypothesis watches.
websockets_sansio_impl.random = Random()  # type: ignore[assignment,attr-defined]


class Host:
    """A port, and the pages that are served there now."""

    def __init__(self, port: int) -> None:
        """Serve at `port`; 0 takes any. See `hosted`."""
        self.port = port
        self.loop = asyncio.new_event_loop()
        self._app: ASGIApp | None = None
        self._has_app = asyncio.Event()
        self._started: Future[int] = Future()

    @contextmanager
    def serve(self) -> Iterator[Served]:
        """Serve the pages of a new node, in place of the one before; who came early has waited."""
        it = Served(self.port, self.loop)
        self._app = it.app()
        self.loop.call_soon_threadsafe(self._has_app.set)
        yield it

    def wait(self) -> None:
        """Wait until it listens."""
        self.port = self._started.result(10)

    def run(self) -> None:
        """Run the loop until it is stopped."""
        loop = self.loop

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self._has_app.wait()
            assert self._app is not None
            await self._app(scope, receive, send)

        started = self._started.set_result
        serving = loop.create_task(serve(app, "127.0.0.1", self.port, started=started))
        loop.run_forever()
        serving.cancel()
        loop.run_until_complete(asyncio.gather(serving, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@contextmanager
def hosted(port: int = 0) -> Iterator[Host]:
    """Listen until the block ends; 0 takes any port."""
    host = Host(port)
    thread = threading.Thread(target=host.run)
    thread.start()
    try:
        host.wait()
        yield host
    finally:
        host.loop.call_soon_threadsafe(host.loop.stop)
        thread.join()


@contextmanager
def served(port: int = 0) -> Iterator[Served]:
    """Serve the pages of one node alone until the block ends; 0 takes any port."""
    with hosted(port) as host, host.serve() as it:
        yield it

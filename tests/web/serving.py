"""Serves the pages over a fake desk, on a loop in a thread of its own, for tests that block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

from fakes.desk import FakeAudit, FakeDesk, FakeSignIn
from fakes.push import FakePush
from telcon.web import build_app
from telcon.web.serving import serve

T = TypeVar("T")
NAME = "arcadia.example"


class Served:
    """The pages of one node, with handles on everything behind them."""

    def __init__(self, port: int = 0) -> None:
        """Begin with fakes that a test may change before and after starting."""
        self.desk = FakeDesk()
        self.sign_in = FakeSignIn()
        self.audit = FakeAudit()
        self.port = port
        self.push = FakePush()
        self.loop = asyncio.new_event_loop()

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


@contextmanager
def served(port: int = 0) -> Iterator[Served]:
    """Serve until the block ends; 0 takes any port."""
    it = Served(port)
    started: Future[int] = Future()
    thread = threading.Thread(target=_run, args=(it, started))
    thread.start()
    try:
        it.port = started.result(10)
        yield it
    finally:
        it.loop.call_soon_threadsafe(it.loop.stop)
        thread.join()


def _run(it: Served, started: Future[int]) -> None:
    loop = it.loop
    built: list[ASGIApp] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await built[0](scope, receive, send)

    def know(port: int) -> None:  # the names a node answers to hold its port
        hosts = [f"arcadia.localhost:{port}", f"127.0.0.1:{port}"]
        address = f"http://{hosts[0]}/"
        built.append(
            build_app(
                it.desk,
                it.sign_in,
                it.audit,
                name=NAME,
                hosts=hosts,
                address=address,
                organisation="Arcadia",
                push=it.push,
            )
        )
        started.set_result(port)

    serving = loop.create_task(serve(app, "127.0.0.1", it.port, started=know))
    loop.run_forever()
    serving.cancel()
    loop.run_until_complete(asyncio.gather(serving, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()

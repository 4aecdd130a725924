"""A node and its pages in one loop, until told to end."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from telcon.errors import MisuseError, TelconError
from telcon.node.assembly import Node
from telcon.node.audit import AuditEvent
from telcon.web.app import build_app
from telcon.web.serving import serve

__all__ = ["leave_what_stays", "run_node", "served_pages"]


async def run_node(folder: Path, ending: asyncio.Event) -> None:
    """Run the node in `folder` and its pages until `ending` is set.

    Raises:
        OperatorError: a setting, the folder or a port cannot be used; says what to do.
    """
    node = await Node.start(folder)
    try:
        async with served_pages(node) as serving:
            leave_what_stays()
            name, web = node.settings.name, node.settings.web
            print(f"{name} page: {web.address(node.web_port)}", flush=True)
            print(f"{name} ready", flush=True)
            await _first_of(serving, ending)
    finally:
        await node.close()


def leave_what_stays() -> None:
    """Let the garbage collector pass over what is there once a node has started, for good.

    That is nearly all that a node ever holds, modules above all. To look through it takes 50 ms in
    which nothing else runs: two and a half packets of a talk, every few thousand messages.
    """
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def served_pages(node: Node) -> AsyncIterator["asyncio.Task[None]"]:
    """Serve the pages of `node`; yields once they are there, with the task that serves them.

    Raises:
        PortError: the port is in use, or the address is not this machine's.
    """
    started = asyncio.Event()
    built: list[ASGIApp] = []

    def ready(port: int) -> None:
        node.web_port = port
        built.append(_app(node, port))
        started.set()

    def turned_away() -> None:
        node.audit(AuditEvent.OUT_OF_FILES, what="page")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await built[0](scope, receive, send)

    web = node.settings.web
    serving = asyncio.create_task(
        serve(app, web.host, web.port, started=ready, on_full=turned_away)
    )
    try:
        await _first_of(serving, started)
        yield serving
    except TelconError as error:
        if not built:
            node.audit(AuditEvent.PORT_IN_USE, why=str(error))
        raise
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def _app(node: Node, port: int) -> ASGIApp:
    web = node.settings.web
    return build_app(
        node.desk,
        node.sign_in,
        node.audit,
        name=node.settings.name,
        hosts=web.hosts(port),
        address=web.address(port),
        organisation=node.settings.organisation,
        push=node.push,
    )


async def _first_of(serving: "asyncio.Task[None]", event: asyncio.Event) -> None:
    """Return when `event` is set; raise what ends the pages before."""
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if serving.done() and not event.is_set():
        await serving
        raise MisuseError("the pages have ended by themselves")

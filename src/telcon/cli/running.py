"""A node and its pages in one loop, until told to end."""

import asyncio
from pathlib import Path

from telcon.errors import OperatorError, PortError, SettingsError
from telcon.node.assembly import Node
from telcon.node.audit import AuditEvent
from telcon.web.app import build_app
from telcon.web.serving import serve

__all__ = ["run_node"]


async def run_node(folder: Path, ending: asyncio.Event) -> None:
    """Run the node in `folder` and its pages until `ending` is set.

    Raises:
        OperatorError: a setting, the folder or a port cannot be used; says what to do.
    """
    node = await Node.start(folder)
    try:
        await _run_pages(node, ending)
    finally:
        await node.close()


async def _run_pages(node: Node, ending: asyncio.Event) -> None:
    web = node.settings.web
    started = asyncio.Event()

    def ready(port: int) -> None:
        node.web_port = port
        started.set()

    app = build_app(
        node.desk,
        node.sign_in,
        node.audit,
        name=node.settings.name,
        hosts=[f"{name}:{web.port}" for name in (*web.names, web.host)],
    )
    serving = asyncio.create_task(serve(app, web.host, web.port, started=ready))
    waiting = [asyncio.create_task(event.wait()) for event in (started, ending)]
    try:
        await asyncio.wait([serving, waiting[0]], return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            _raise_refused(node, serving)
        print(f"{node.settings.name} page: http://{web.names[0]}:{node.web_port}/", flush=True)
        print(f"{node.settings.name} ready", flush=True)
        await asyncio.wait([serving, waiting[1]], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (serving, *waiting):
            task.cancel()
        await asyncio.gather(serving, *waiting, return_exceptions=True)


def _raise_refused(node: Node, serving: "asyncio.Task[None]") -> None:
    error = serving.exception()
    if isinstance(error, SettingsError | PortError):
        node.audit(AuditEvent.PORT_IN_USE, why=str(error))
    raise error or OperatorError("the pages ended before they began")

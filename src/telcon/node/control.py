"""The node's control socket: how commands that change something reach the running node.

A Unix socket in the node's never-restore folder, mode 0600. One JSON object a line in, lines out:
any number of `{"progress": …}`, then `{"ok": true, …}` or `{"ok": false, "error": …, "advice": …}`.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from telcon.errors import MisuseError, OperatorError, TelconError
from telcon.node.folder import NEVER_RESTORE

__all__ = ["Command", "ControlServer", "Progress", "call_node", "control_socket"]

MAX_REQUEST_OCTETS = 256 * 1024
ANSWER_TIMEOUT_S = 700.0  # an invitation is good for ten minutes

Progress = Callable[[Mapping[str, Any]], None]
Command = Callable[[Mapping[str, Any], Progress], Awaitable[Mapping[str, Any]]]


def control_socket(folder: Path) -> Path:
    """Return the path of the control socket of the node in `folder`."""
    return folder / NEVER_RESTORE / "control"


class ControlServer:
    """Listens on the control socket and runs the named commands."""

    def __init__(self, path: Path, commands: Mapping[str, Command]) -> None:
        """Serve `commands` by name on the Unix socket `path`."""
        self._path = path
        self._commands = commands
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen; a socket file left by a dead node is replaced (the folder's lock is ours)."""
        self._path.unlink(missing_ok=True)
        with _short_path(self._path) as short, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(short)
            self._path.chmod(0o600)
            listener.setblocking(False)
            self._server = await asyncio.start_unix_server(
                self._serve, sock=listener.dup(), limit=MAX_REQUEST_OCTETS
            )

    async def close(self) -> None:
        """Stop listening and remove the socket file. Commands under way are cancelled."""
        if self._server is not None:
            self._server.close()
            for client in list(self._clients):
                client.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def progress(step: Mapping[str, Any]) -> None:
            writer.write(_line({"progress": step}))

        self._clients.add(writer)
        try:
            request = json.loads(await reader.readline())
            answer = await self._run(request, progress)
            writer.write(_line({"ok": True, **answer}))
        except TelconError as error:
            writer.write(_line({"ok": False, "error": str(error), "advice": error.advice()}))
        except (ValueError, ConnectionError) as error:
            writer.write(_line({"ok": False, "error": f"unreadable request: {error}"}))
        finally:
            self._clients.discard(writer)
            writer.close()

    async def _run(self, request: Any, progress: Progress) -> Mapping[str, Any]:
        if not isinstance(request, dict) or request.get("do") not in self._commands:
            raise MisuseError(f"no such command: {request!r:.100}")
        return await self._commands[request["do"]](request, progress)


@contextlib.contextmanager
def _short_path(path: Path) -> Iterator[str]:
    """Name `path` within the 108 octets of a socket address, however deep its folder lies."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _line(answer: Mapping[str, Any]) -> bytes:
    return json.dumps(answer, ensure_ascii=False).encode() + b"\n"


def call_node(path: Path, request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Send `request` to the node behind `path`; yield each progress step, then the answer.

    Raises:
        OperatorError: no node runs on this folder, or it refused, in its own words.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_TIMEOUT_S)
        try:
            with _short_path(path) as short:
                connection.connect(short)
        except OSError as error:
            raise OperatorError(
                f"no node runs on {path.parent.parent}",
                advice="Start it with: telcon --data FOLDER node run",
            ) from error
        connection.sendall(_line(request))
        with connection.makefile("rb") as answers:
            for raw in answers:
                answer = json.loads(raw)
                if "progress" in answer:
                    yield answer["progress"]
                elif answer["ok"]:
                    yield answer
                    return
                else:
                    raise OperatorError(answer["error"], advice=answer.get("advice", ""))
    raise OperatorError("the node ended before it answered", advice="Look at its output.")

"""The node's control socket: how commands that change something reach the running node.

A Unix socket in the node's never-restore folder, mode 0600. One JSON object a line in, lines out:
any number of `{"progress": …}`, then `{"ok": true, …}` or `{"ok": false, "error": …, "advice": …}`.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from telcon.errors import MisuseError, OperatorError, TelconError
from telcon.node.folder import NEVER_RESTORE
from telcon.node.listening import ListeningSocket

__all__ = ["Command", "ControlServer", "Progress", "call_node", "control_socket"]

MAX_REQUEST_OCTETS = 256 * 1024
ANSWER_TIMEOUT_S = 700.0  # an invitation is good for ten minutes

_TOO_MANY = (
    b'{"ok": false, "error": "the node may open no more files",'
    b' "advice": "Try again; if it stays so, raise its LimitNOFILE and see who connects."}\n'
)
_LOG = logging.getLogger(__name__)

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
        self._serving: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Listen; a socket file left by a dead node is replaced (the folder's lock is ours)."""
        self._path.unlink(missing_ok=True)
        with _short_path(self._path) as short, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(short)
            self._path.chmod(0o600)
            listener.setblocking(False)
            listening = ListeningSocket(listener.dup(), on_full=_say_full, words=_TOO_MANY)
            self._server = await asyncio.start_unix_server(
                self._serve, sock=listening, limit=MAX_REQUEST_OCTETS
            )

    async def close(self) -> None:
        """Stop listening, cancel what is under way, and remove the socket file."""
        if self._server is None:
            return
        self._server.close()
        for task in self._serving:
            task.cancel()
        if self._serving:
            await asyncio.wait(self._serving)
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

        def progress(step: Mapping[str, Any]) -> None:
            writer.write(_line({"progress": step}))

        try:
            writer.write(_line(await self._answer(reader, progress)))
        except asyncio.CancelledError:
            writer.write(_line(_refusal(OperatorError("the node is ending"))))
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, progress: Progress) -> Mapping[str, Any]:
        try:
            request = json.loads(await reader.readline())
            return {"ok": True, **await self._run(request, progress)}
        except TelconError as error:
            return _refusal(error)
        except (ValueError, OSError, RecursionError) as error:
            return _refusal(MisuseError(f"unreadable request: {error}"))
        except Exception:  # noqa: BLE001 -- the edge of a task: a defect ends this command alone
            _LOG.exception("a command failed as it should not")
            return _refusal(MisuseError("a defect of the node; its output says more"))

    async def _run(self, request: Any, progress: Progress) -> Mapping[str, Any]:
        if not isinstance(request, dict) or request.get("do") not in self._commands:
            raise MisuseError(f"no such command: {request!r:.100}")
        return await self._commands[request["do"]](request, progress)


def _refusal(error: TelconError) -> Mapping[str, Any]:
    return {"ok": False, "error": str(error), "advice": error.advice()}


def _say_full() -> None:
    _LOG.warning("a command was turned away: the process may open no more files")


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
        _connect(connection, path)
        try:
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
        except OSError as error:
            raise OperatorError(
                f"the node does not answer: {error}", advice="Look at its output."
            ) from error
    raise OperatorError("the node ended before it answered", advice="Look at its output.")


def _connect(connection: socket.socket, path: Path) -> None:
    folder = path.parent.parent
    try:
        with _short_path(path) as short:
            connection.connect(short)
    except PermissionError as error:
        raise OperatorError(
            f"this user may not speak to the node on {folder}",
            advice="Be the user that the node runs as.",
        ) from error
    except OSError as error:
        raise OperatorError(f"no node runs on {folder}", advice=_how_to_reach(folder)) from error


def _how_to_reach(folder: Path) -> str:
    if (folder / "node.toml").exists():
        return f"Start it with: telcon --data {folder} node run"
    return "There is no node in that folder. Name the node's own: telcon --data FOLDER …"

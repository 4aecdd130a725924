"""A listener for strangers: HTTP/1.1, one request a connection, a few seconds, little memory.

No cookie, no page, no session. TLS is for a proxy in front, as with the pages. Past the limit of
connections, the oldest of the address that holds the most goes, so that nobody can shut out others
by opening and saying nothing.
"""

import asyncio
import contextlib
import errno
import http
import logging
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

import h11

from telcon.errors import PortError
from telcon.ledger.witness import MAX_SUBMISSION_OCTETS, PLAIN_TYPE, Answer
from telcon.node.listening import ListeningSocket
from telcon.node.pace import Pace

__all__ = ["Ask", "PublicListener"]

REQUEST_S: Final = 10.0  # from the connection to the last octet of the answer
MAX_CONNECTIONS: Final = 64
MAX_HEAD_OCTETS: Final = 8_192  # and what one read brings
READ_OCTETS: Final = 4_096
BURST: Final = 200  # requests of all strangers together: a signature verified costs 0.2 ms
REFILL_S: Final = 0.02
METHODS: Final = (b"GET", b"HEAD", b"POST")

_LOG = logging.getLogger(__name__)

Ask = Callable[[str, str, bytes], Awaitable[Answer]]
"""`ask(method, path, body)`; the method is `GET` or `POST`."""


class _RefusedError(Exception):
    """The request is answered at once with this status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.answer = Answer(status, f"{reason}\n".encode(), PLAIN_TYPE)


class PublicListener:
    """Listens on one port and answers by `ask`."""

    def __init__(
        self,
        ask: Ask,
        *,
        on_full: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        request_s: float = REQUEST_S,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        """Answer by `ask`; `on_full` hears when the process may open no more files."""
        self._ask = ask
        self._on_full = on_full
        self._pace = Pace(BURST, REFILL_S, clock)
        self._request_s, self._max_connections = request_s, max_connections
        self._server: asyncio.Server | None = None
        self._serving: dict[asyncio.Task[None], str] = {}  # with host, oldest first

    @property
    def port(self) -> int:
        """Return the port listened on; 0 before `start`."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else 0

    async def start(self, host: str, port: int) -> None:
        """Listen on `host`, at a free port if `port` is 0.

        Raises:
            PortError: the port is in use, or the address is not this machine's.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            made = socket.create_server((host, port), family=family)
            listening = ListeningSocket(made, on_full=self._on_full)
            self._server = await asyncio.start_server(
                self._serve, sock=listening, limit=READ_OCTETS
            )
        except OSError as error:
            where = f"{host}:{port}"
            if error.errno == errno.EADDRINUSE:
                raise PortError(
                    f"something else listens on {where} already",
                    advice="Stop the other program, or set another port at public.listen.",
                ) from error
            raise PortError(
                f"cannot listen on {where}: {error.strerror or error}",
                advice="Set an address of this machine and a port above 1023 at public.listen.",
            ) from error

    async def close(self) -> None:
        """Stop listening and cut who is being answered."""
        if self._server is None:
            return
        loop = asyncio.get_running_loop()
        for listening in self._server.sockets:
            loop.remove_reader(listening.fileno())
        # asyncio makes an accepted socket's transport two turns later, and loses it if the server
        # is closed by then.
        for _ in range(3):
            await asyncio.sleep(0)
        self._server.close()
        for task in list(self._serving):
            task.cancel()
        if self._serving:
            await asyncio.wait(list(self._serving))
        await self._server.wait_closed()
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        peer = writer.get_extra_info("peername")
        if task is not None:
            self._serving[task] = str(peer[0]) if peer else ""
            self._make_room()
        try:
            async with asyncio.timeout(self._request_s):
                await self._exchange(reader, writer)
        except (TimeoutError, OSError) as error:
            _LOG.debug("a stranger went away: %s", error)
        except asyncio.CancelledError:
            _LOG.debug("a stranger was cut off")  # by `close`, or to make room
        except Exception:  # noqa: BLE001 -- the edge of a task: a defect ends this request alone
            _LOG.exception("a request of a stranger failed as it should not")
        finally:
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()
            if task is not None:
                self._serving.pop(task, None)

    def _make_room(self) -> None:
        if len(self._serving) > self._max_connections:
            crowded, _ = Counter(self._serving.values()).most_common(1)[0]
            oldest = next(each for each, host in self._serving.items() if host == crowded)
            del self._serving[oldest]
            oldest.cancel()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_OCTETS)
        head: h11.Request | None = None
        try:
            head = await _read_head(connection, reader)
            if head is None:
                return
            if not self._pace.take():
                raise _RefusedError(429, "too many ask: try again in a minute")
            if head.method not in METHODS:
                raise _RefusedError(405, "GET, HEAD and POST alone")
            body = await _read_body(connection, reader, writer, is_post=head.method == b"POST")
            asked = "POST" if head.method == b"POST" else "GET"
            answer = await self._ask(asked, head.target.decode("ascii", "replace"), body)
        except _RefusedError as refused:
            answer = refused.answer
        except h11.RemoteProtocolError as error:
            answer = Answer(error.error_status_hint, b"not HTTP as it should be\n", PLAIN_TYPE)
        is_head = head is not None and head.method == b"HEAD"
        _write(connection, writer, answer, with_body=not is_head)
        await writer.drain()
        await _wait_read(reader, writer)


async def _read_head(
    connection: h11.Connection, reader: asyncio.StreamReader
) -> h11.Request | None:
    """Return the head of the request; None if there came none.

    Raises:
        h11.RemoteProtocolError: no HTTP, or too long a head.
    """
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(await reader.read(READ_OCTETS))
    return event if isinstance(event, h11.Request) else None


async def _read_body(
    connection: h11.Connection,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    is_post: bool,
) -> bytes:
    """Return the body of the request, which is empty but for a POST.

    Raises:
        h11.RemoteProtocolError: no HTTP, or it ends before its body does.
        _RefusedError: a body that nobody here takes.
    """
    body, most = b"", MAX_SUBMISSION_OCTETS if is_post else 0
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                writer.write(connection.send(go_on) or b"")
            connection.receive_data(await reader.read(READ_OCTETS))
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > most:
                raise _RefusedError(400, f"a body has at most {most} octets here")
    return body


def _write(
    connection: h11.Connection, writer: asyncio.StreamWriter, answer: Answer, *, with_body: bool
) -> None:
    headers = [
        ("Content-Type", answer.content_type),
        ("Content-Length", str(len(answer.body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Connection", "close"),
    ]
    if answer.status == http.HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append(("Allow", "GET, HEAD, POST"))
    if answer.status == http.HTTPStatus.TOO_MANY_REQUESTS:
        headers.append(("Retry-After", "60"))
    reason = http.HTTPStatus(answer.status).phrase.encode()
    response = h11.Response(status_code=answer.status, headers=headers, reason=reason)
    writer.write(connection.send(response) or b"")
    if with_body:
        writer.write(connection.send(h11.Data(answer.body)) or b"")


async def _wait_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let the other side read the answer: what it still sends would take it back."""
    with contextlib.suppress(OSError):
        writer.write_eof()
        while await reader.read(READ_OCTETS):
            pass

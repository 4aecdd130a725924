"""Listens on one port and bounds what strangers can hold there.

Until a connection speaks WebSocket it counts as half-open: it has a deadline, there is a limit to
their number, and past it the oldest of the address that holds the most goes. So one address cannot
shut out others, and nobody can shut out everyone by opening and saying nothing.
"""

import asyncio
import errno
import http
import os
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from telcon.errors import PortError, TelconError
from telcon.node.link.connection import Connection, accepting
from telcon.node.link.connection_owner import ConnectionOwner
from telcon.node.link.refusals import OnRefused, RefusalReport
from telcon.node.link.secure_session import SecureSession
from telcon.node.link.times import LinkTimes
from telcon.node.link.tls import certificate_hash
from telcon.node.link.transport import ByteTransport
from telcon.node.listening import ListeningSocket

__all__ = ["HALF_OPEN_LIMIT", "Listener"]

HALF_OPEN_LIMIT: Final = 64
BACKLOG: Final = 100  # that the kernel keeps for us, as asyncio has it


class Listener(ConnectionOwner):
    """Accepts connections and passes what happens on them to `owner`."""

    def __init__(
        self,
        owner: ConnectionOwner,
        make_session: Callable[[], SecureSession],
        *,
        on_refused: OnRefused,
        times: LinkTimes,
        half_open_limit: int = HALF_OPEN_LIMIT,
        on_full: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_full = on_full
        self._owner = owner
        self._make_session = make_session
        self.report_refused = RefusalReport(on_refused, time.monotonic)
        self._times = times
        self._half_open_limit = half_open_limit
        self._half_open: dict[Connection, str] = {}  # with host, oldest first
        self._alive: set[Connection] = set()
        self._is_closing = False
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Return the port listened on; 0 before `start`."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else 0

    @property
    def half_open(self) -> int:
        """Return how many connections do not speak WebSocket yet."""
        return len(self._half_open)

    async def start(self, host: str, port: int) -> None:
        """Listen on `host`, at a free port if `port` is 0.

        Raises:
            PortError: the port is in use, or the address is not this machine's.

        Cancellation: nothing listens.
        """
        loop = asyncio.get_running_loop()
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            made = socket.create_server((host, port), family=family, backlog=BACKLOG)
            listening = ListeningSocket(made, on_full=self._on_full)
            self._server = await loop.create_server(self._accept, sock=listening)
        except OSError as error:
            raise _explain(host, port, error) from error

    async def stop(self) -> None:
        """Accept nobody any more, and cut what is half-open. What is open stays.

        Cancellation: the port may stay open; call it again.
        """
        if self._server is None:
            return
        self._is_closing = True
        loop = asyncio.get_running_loop()
        for listening in self._server.sockets:
            loop.remove_reader(listening.fileno())
        # asyncio makes an accepted socket's transport two turns later, and loses it if the server
        # is closed by then.
        for _ in range(3):
            await asyncio.sleep(0)
        self._server.close()
        for connection in list(self._half_open):
            connection.abort("this node is closing")

    async def close(self) -> None:
        """Stop, and wait until every accepted connection is closed; the owner closes the open ones.

        Cancellation: sockets that linger close by themselves.
        """
        await self.stop()
        for connection in list(self._alive):
            await connection.wait_lost()
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    def _accept(self) -> ByteTransport:
        connection = accepting(self, self._times)
        return ByteTransport(self._make_session(), connection, linger_s=self._times.linger_s)

    # -- ConnectionOwner

    def connected(self, connection: Connection) -> None:
        """Count it, and make room."""
        self._alive.add(connection)
        self._half_open[connection] = connection.address.rpartition(":")[0]
        if len(self._half_open) > self._half_open_limit:
            self._evict()
        self._owner.connected(connection)

    def secured(self, connection: Connection) -> None:
        """Pass on."""
        self._owner.secured(connection)

    def admit(self, connection: Connection, path: str) -> http.HTTPStatus:
        """Pass on."""
        return self._owner.admit(connection, path)

    def opened(self, connection: Connection) -> None:
        """Stop counting it."""
        self._half_open.pop(connection, None)
        self._owner.opened(connection)

    def frame(self, connection: Connection, data: bytes) -> None:
        """Pass on."""
        self._owner.frame(connection, data)

    def ended(self, connection: Connection, error: TelconError) -> None:
        """Report it as refused if it was never open."""
        expected = self._is_closing or connection.answered == http.HTTPStatus.CONFLICT
        if not connection.was_open and not expected:
            shown = connection.certificate
            fingerprint = certificate_hash(shown) if shown else None
            self.report_refused(str(error), fingerprint, connection.address)
        self._owner.ended(connection, error)

    def lost(self, connection: Connection) -> None:
        """Stop counting it."""
        self._half_open.pop(connection, None)
        self._alive.discard(connection)
        self._owner.lost(connection)

    def _evict(self) -> None:
        crowded, _ = Counter(self._half_open.values()).most_common(1)[0]
        oldest = next(each for each, host in self._half_open.items() if host == crowded)
        del self._half_open[oldest]
        oldest.abort(f"more than {self._half_open_limit} connections that say nothing")


def _explain(host: str, port: int, error: OSError) -> PortError:
    where = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return PortError(
            f"something else listens on {where} already",
            advice="Stop the other program, or set another port for this node.",
        )
    if error.errno == errno.EACCES:
        return PortError(
            f"this user may not listen on {where}",
            advice="Set a port above 1023, or let the node have that port.",
        )
    words = os.strerror(error.errno) if error.errno else str(error)
    return PortError(
        f"cannot listen on {where}: {words}",
        advice="Set an address that this machine has, or 0.0.0.0 for all of them.",
    )

"""The link of a node: one listener for all lines, one `LineLink` for each.

A peer is let in by the certificate it shows, and belongs to the line whose id it asks for; both
must fit. Lines come and go while the listener runs: each new connection meets the pins of its day.
"""

import http
import random
from collections.abc import Callable
from dataclasses import dataclass

from telcon.errors import MisuseError, PinError, TelconError
from telcon.node.link.connection import Connection
from telcon.node.link.connection_owner import ConnectionOwner
from telcon.node.link.line_link import (
    LINK_PATH,
    LineLink,
    LineStatistics,
    LinkHandler,
    LinkPeer,
    OnDialFailed,
    OnSlowed,
)
from telcon.node.link.listener import HALF_OPEN_LIMIT, Listener
from telcon.node.link.refusals import OnRefused
from telcon.node.link.secure_session import TlsSession
from telcon.node.link.times import LinkTimes
from telcon.node.link.tls import (
    NodeCertificate,
    certificate_hash,
    dialling_context,
    listening_context,
)

__all__ = ["LinkServer", "LinkStatistics"]


@dataclass(frozen=True, slots=True)
class LinkStatistics:
    """How the node's links stand."""

    half_open: int
    """Connections that do not speak WebSocket yet."""
    lines: dict[str, LineStatistics]
    """By line id."""


class LinkServer(ConnectionOwner):
    """Listens and dials for every line of a node. Everything belongs to the event loop's thread."""

    def __init__(
        self,
        own: NodeCertificate,
        *,
        on_refused: OnRefused,
        on_dial_failed: OnDialFailed,
        on_slowed: OnSlowed,
        random: Callable[[], float] = random.random,
        times: LinkTimes | None = None,
        half_open_limit: int = HALF_OPEN_LIMIT,
        on_full: Callable[[], None] = lambda: None,
    ) -> None:
        """Show `own` to every peer; the callbacks are for the audit file and must not block."""
        self._own = own
        self._on_dial_failed = on_dial_failed
        self._on_slowed = on_slowed
        self._random = random
        self._times = times or LinkTimes()
        self._lines: dict[str, LineLink] = {}
        self._accepted: dict[Connection, LineLink] = {}
        self._context = listening_context(own, [])
        self._listener = Listener(
            self,
            lambda: TlsSession(self._context, server=True),
            on_refused=on_refused,
            times=self._times,
            half_open_limit=half_open_limit,
            on_full=on_full,
        )

    @property
    def port(self) -> int:
        """Return the port listened on; 0 before `start`."""
        return self._listener.port

    async def start(self, host: str, port: int) -> None:
        """Listen for peers on `host`, at a free port if `port` is 0.

        Raises:
            PortError: the port is in use, or the address is not this machine's.

        Cancellation: nothing listens.
        """
        await self._listener.start(host, port)

    def add_line(self, peer: LinkPeer, handler: LinkHandler) -> LineLink:
        """Let the peer of a line in from now on, and dial it; `handler` gets what happens.

        Raises:
            MisuseError: the line is there already.
        """
        if peer.line in self._lines:
            raise MisuseError(f"line {peer.line} has a link already")
        link = LineLink(
            peer,
            handler,
            dialling_context(self._own, peer.certificate),
            on_dial_failed=self._on_dial_failed,
            on_slowed=self._on_slowed,
            random=self._random,
            times=self._times,
        )
        self._lines[peer.line] = link
        self._pin()
        link.start_dialling()
        return link

    async def remove_line(self, line: str) -> None:
        """Close the link of `line`, if there is one, and let its peer in no more.

        Cancellation: the line is gone; sockets that linger close by themselves.
        """
        link = self._lines.pop(line, None)
        if link is not None:
            self._pin()
            await link.close("this line is closed")

    def statistics(self) -> LinkStatistics:
        """Return how things stand now."""
        lines = {line: link.statistics() for line, link in self._lines.items()}
        return LinkStatistics(half_open=self._listener.half_open, lines=lines)

    async def close(self) -> None:
        """Close every line and the listener, and wait for all of it, at most the linger time.

        Cancellation: what is still open closes by itself after the linger time.
        """
        await self._listener.stop()
        lines, self._lines = list(self._lines.values()), {}
        for link in lines:
            await link.close()
        await self._listener.close()

    def _pin(self) -> None:
        pinned = {link.peer.certificate for link in self._lines.values()}
        self._context = listening_context(self._own, sorted(pinned))

    # -- ConnectionOwner, for what the listener accepts

    def secured(self, connection: Connection) -> None:
        """Compare the pin after the handshake too, with the lines of this moment."""
        shown = connection.certificate
        pin = certificate_hash(shown) if shown is not None else None
        if not any(link.pin == pin for link in self._lines.values()):
            raise PinError("the certificate shown belongs to no line")

    def admit(self, connection: Connection, path: str) -> http.HTTPStatus:
        """Let a peer in to its own line, unless a better connection stands."""
        link = self._lines.get(path.removeprefix(LINK_PATH))
        shown = connection.certificate
        if link is None or shown is None or certificate_hash(shown) != link.pin:
            return http.HTTPStatus.NOT_FOUND
        if path != LINK_PATH + link.peer.line:
            return http.HTTPStatus.NOT_FOUND
        if not link.may_connect():
            return http.HTTPStatus.TOO_MANY_REQUESTS
        if not link.would_keep(link.peer.peer_name):
            link.doubt_current()
            return http.HTTPStatus.CONFLICT
        self._accepted[connection] = link
        return http.HTTPStatus.SWITCHING_PROTOCOLS

    def opened(self, connection: Connection) -> None:
        """Give it to its line."""
        link = self._accepted[connection]
        link.take(connection, link.peer.peer_name)

    def frame(self, connection: Connection, data: bytes) -> None:
        """Pass on to the line."""
        self._accepted[connection].frame(connection, data)

    def ended(self, connection: Connection, error: TelconError) -> None:
        """Pass on to the line, if it got as far as one."""
        link = self._accepted.get(connection)
        if link is not None:
            link.ended(connection, error)

    def lost(self, connection: Connection) -> None:
        """Pass on to the line, and forget it."""
        link = self._accepted.pop(connection, None)
        if link is not None:
            link.lost(connection)

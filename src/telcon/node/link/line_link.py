"""The link of one line: of the connections that come and go, exactly one is reported up.

Either node dials; when both do, the connection dialled by the node whose name sorts first stays
(docs/protocol.md §5). Both sides decide that alike and alone. A frame that was on its way in the
connection that goes is lost; the `hello` on the one that stays settles what is missing.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from websockets.frames import CloseCode

from telcon.core.frames import cost_of
from telcon.errors import LinkDownError, PeerError, PinError, TelconError
from telcon.node.link.allowance import Allowance
from telcon.node.link.connection import Connection
from telcon.node.link.connection_owner import ConnectionOwner
from telcon.node.link.dialling import AnotherStandsError, Backoff, dial
from telcon.node.link.times import LinkTimes
from telcon.node.link.tls import certificate_hash

__all__ = [
    "LINK_PATH",
    "LineLink",
    "LineStatistics",
    "LinkHandler",
    "LinkPeer",
    "OnDialFailed",
    "OnSlowed",
]

LINK_PATH: Final = "/telcon/v1/"  # and the line's id
CONNECTION_OCTETS: Final = 65_536  # what a connection of the peer counts: a handshake is much work

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LinkPeer:
    """What the link has to know of a line."""

    line: str
    """Its id, 32 hex digits."""
    own_name: str
    peer_name: str
    certificate: bytes
    """The peer's certificate, DER; its hash stands in the peer's key card."""
    addresses: tuple[str, ...] = ()
    """Where the peer can be dialled, `host:port`; empty if only the peer dials."""


class LinkHandler(Protocol):
    """Who uses the link of a line. Called on the loop's thread; must not block."""

    def link_up(self, send: Callable[[bytes], None], close: Callable[[str], None]) -> None:
        """Take a connection that stands: `send` puts a frame on the wire, `close` ends it (1008).

        Both do nothing once the connection is ending; `link_down` follows, never from within
        them. Every `link_up` has exactly one `link_down` before the next.
        """

    def link_frame(self, data: bytes) -> None:
        """Take one frame, unverified; a PeerError raised here closes the connection (1008)."""

    def link_down(self, reason: str) -> None:
        """Take that the connection is gone, for `reason`."""


OnDialFailed = Callable[[str, str, LinkDownError], None]
"""Line, address, and what went wrong, with advice; its cause is a PinError for a wrong key.

Called when an address begins to fail and when it fails in another way, not at each attempt.
"""


OnSlowed = Callable[[str], None]
"""Line; called once, when its peer has sent so much that it is read slowly."""


@dataclass(frozen=True, slots=True)
class LineStatistics:
    """How the link of a line stands."""

    is_up: bool
    dialled_by: str | None
    """The node that dialled the connection that stands; None if none does."""
    times_up: int
    failed_dials: int
    failures: dict[str, str]
    """Why each address could not be dialled last, since the link was last up."""


class LineLink(ConnectionOwner):
    """One line's connections. Made by `LinkServer.add_line`, which also closes it."""

    def __init__(
        self,
        peer: LinkPeer,
        handler: LinkHandler,
        context: ssl.SSLContext,
        *,
        on_dial_failed: OnDialFailed,
        on_slowed: OnSlowed,
        random: Callable[[], float],
        times: LinkTimes,
    ) -> None:
        self.peer = peer
        self.pin = certificate_hash(peer.certificate)
        self._handler = handler
        self._context = context
        self._on_dial_failed = on_dial_failed
        self._on_slowed = on_slowed
        self._times = times
        self._backoff = Backoff(random, times)
        self._allowance = Allowance(asyncio.get_running_loop().time)
        self._is_slowed = False
        self._preferred = min(peer.own_name, peer.peer_name)
        self._current: Connection | None = None
        self._dialled_by: dict[Connection, str] = {}  # all that are not lost yet
        self._down = asyncio.Event()
        self._down.set()
        self._up_since = 0.0
        self._times_up = 0
        self._failed_dials = 0
        self._failures: dict[str, str] = {}  # by address, since the link was last up
        self._dialler: asyncio.Task[None] | None = None
        self._closed = False

    def start_dialling(self) -> None:
        """Keep a connection to the peer, if it has an address, until `close`."""
        if self.peer.addresses and self._dialler is None:
            name = f"dialling {self.peer.peer_name} for line {self.peer.line}"
            self._dialler = asyncio.get_running_loop().create_task(self._keep_dialling(), name=name)

    def statistics(self) -> LineStatistics:
        """Return how the link stands now."""
        return LineStatistics(
            is_up=self._current is not None,
            dialled_by=self._dialled_by[self._current] if self._current else None,
            times_up=self._times_up,
            failed_dials=self._failed_dials,
            failures=dict(self._failures),
        )

    async def close(self, reason: str = "this node is closing") -> None:
        """Stop dialling, close every connection and wait until their sockets are closed.

        Bounded by the linger time. Cancellation: what is still open closes by itself after that.
        """
        self._closed = True
        if self._dialler is not None:
            self._dialler.cancel()
            await asyncio.wait([self._dialler])
        connections = list(self._dialled_by)
        for connection in connections:
            connection.close(CloseCode.GOING_AWAY, reason)
        for connection in connections:
            await connection.wait_lost()

    # -- which connection stays

    def may_connect(self) -> bool:
        """Say whether the peer may connect once more; each time costs some of what it may send."""
        return self._allowance.spend(CONNECTION_OCTETS) == 0

    def would_keep(self, dialled_by: str) -> bool:
        """Return whether a connection dialled by that node would become the one that stands.

        One dialled by the same node replaces the old one: that node knows that the old is dead.
        """
        if self._closed:
            return False
        current = self._current
        if current is None or not current.is_open:
            return True
        return dialled_by in (self._preferred, self._dialled_by[current])

    def doubt_current(self) -> None:
        """Have the current connection prove that it lives: the peer dials as if it did not."""
        if self._current is not None:
            self._current.probe()

    def take(self, connection: Connection, dialled_by: str) -> None:
        """Take an open, identified connection; at once either it or another one is closed."""
        self._dialled_by[connection] = dialled_by
        if not self.would_keep(dialled_by):
            connection.close(CloseCode.NORMAL_CLOSURE, "another connection of this line stays")
            self.doubt_current()
            return
        if self._current is not None:
            replaced = self._current
            self._report_down("another connection of this line took over")
            replaced.close(CloseCode.NORMAL_CLOSURE, "another connection of this line stays")
        self._current = connection
        self._down.clear()
        self._up_since = asyncio.get_running_loop().time()
        self._times_up += 1
        self._failures.clear()
        self._handler.link_up(
            connection.send, lambda reason: connection.close(CloseCode.POLICY_VIOLATION, reason)
        )

    def _report_down(self, reason: str) -> None:
        # One that falls at once, as at a peer that misbehaves, is not dialled any faster for it.
        if asyncio.get_running_loop().time() - self._up_since >= self._times.ping_s:
            self._backoff.reset()
        self._current = None
        self._down.set()
        self._handler.link_down(reason)

    # -- ConnectionOwner: of those dialled here, and of those accepted once `take` has them

    def connected(self, connection: Connection) -> None:
        """Note what this node dialled, so that `close` can wait for it."""
        self._dialled_by[connection] = self.peer.own_name

    def secured(self, connection: Connection) -> None:
        """Compare the pin after the handshake too; OpenSSL's judgement alone is not asked."""
        if connection.certificate is None or certificate_hash(connection.certificate) != self.pin:
            raise PinError(f"the certificate shown is not that of {self.peer.peer_name}")

    def opened(self, connection: Connection) -> None:
        """Take what this node dialled."""
        self.take(connection, self.peer.own_name)

    def frame(self, connection: Connection, data: bytes) -> None:
        """Pass a frame on, if it came on the connection that stands."""
        if connection is not self._current:
            return
        try:
            self._handler.link_frame(data)
        except PeerError as error:
            connection.close(CloseCode.POLICY_VIOLATION, str(error))
        cost = cost_of(data)
        if cost:  # else we have asked for it
            self._charge(connection, cost)

    def _charge(self, connection: Connection, octets: int) -> None:
        pause_s = self._allowance.spend(octets)
        if pause_s:
            connection.pause(pause_s)
            if not self._is_slowed:
                self._is_slowed = True
                self._on_slowed(self.peer.line)

    def ended(self, connection: Connection, error: TelconError) -> None:
        """Report the link down if this was the connection that stood."""
        if connection is self._current:
            self._report_down(str(error))

    def lost(self, connection: Connection) -> None:
        """Forget it."""
        self._dialled_by.pop(connection, None)

    # -- dialling

    async def _keep_dialling(self) -> None:
        addresses = list(self.peer.addresses)
        while True:
            await self._down.wait()
            await asyncio.sleep(self._backoff.next_pause_s())
            try:
                await self._dial_in_turn(addresses)
            except Exception:  # noqa: BLE001 -- the task's edge: a defect must not end it
                _LOG.exception("dialling %s failed as it should not", self.peer.peer_name)

    async def _dial_in_turn(self, addresses: list[str]) -> None:
        for address in list(addresses):
            if not self._down.is_set() or await self._dial(address):
                return
            addresses.append(addresses.pop(0))  # so the one that works comes first next time

    async def _dial(self, address: str) -> bool:
        try:
            await dial(
                address,
                self,
                self._context,
                node=self.peer.peer_name,
                path=LINK_PATH + self.peer.line,
                times=self._times,
            )
        except AnotherStandsError:
            return True
        except LinkDownError as error:
            self._failed_dials += 1
            if self._failures.get(address) != str(error):
                self._failures[address] = str(error)
                self._on_dial_failed(self.peer.line, address, error)
            return False
        return True

"""The frames of one connection, to be awaited one by one: for an exchange that takes turns."""

import asyncio
import collections

from websockets.frames import CloseCode

from telcon.errors import PinError, TelconError
from telcon.node.link.connection import Connection
from telcon.node.link.connection_owner import ConnectionOwner
from telcon.node.link.tls import certificate_hash

__all__ = ["FrameStream"]

_MAX_WAITING_FRAMES = 4


class FrameStream(ConnectionOwner):
    """The frames of one connection, to be awaited one by one; a few may wait."""

    def __init__(self, pin: str | None = None) -> None:
        """Demand the certificate with the hash `pin`; None where none is shown."""
        self._pin = pin
        self._frames: collections.deque[bytes] = collections.deque()
        self._changed = asyncio.Event()
        self._error: TelconError | None = None
        self._connection: Connection | None = None

    async def receive(self) -> bytes:
        """Return the next frame.

        Raises:
            TelconError: the connection ended.

        Cancellation: no frame is lost.
        """
        while not self._frames:
            if self._error is not None:
                raise self._error
            self._changed.clear()
            await self._changed.wait()
        return self._frames.popleft()

    def fail(self, error: TelconError) -> None:
        """Have `receive` raise `error` once no frame is left."""
        self._error = error
        self._changed.set()

    def secured(self, connection: Connection) -> None:
        """Compare the pin before the secret goes out."""
        shown = connection.certificate
        if self._pin is not None and (shown is None or certificate_hash(shown) != self._pin):
            raise PinError("the certificate shown is not that of the invitation")

    def opened(self, connection: Connection) -> None:
        """Belong to this connection."""
        self._connection = connection

    def frame(self, connection: Connection, data: bytes) -> None:
        """Keep it."""
        if len(self._frames) >= _MAX_WAITING_FRAMES:
            connection.close(CloseCode.POLICY_VIOLATION, "frames out of turn")
            return
        self._frames.append(data)
        self._changed.set()

    def ended(self, connection: Connection, error: TelconError) -> None:
        """Tell who waits, unless it is a connection that never came about."""
        if connection is self._connection:
            self.fail(error)

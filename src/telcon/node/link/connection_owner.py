"""What happens on a connection, as calls to whoever owns it."""

import http
from typing import TYPE_CHECKING

from telcon.errors import TelconError

if TYPE_CHECKING:
    from telcon.node.link.connection import Connection

__all__ = ["ConnectionOwner"]


class ConnectionOwner:
    """What happens on a connection; every answer here is the one that does nothing.

    Calls come in this order, `ended` always once; `opened` and `frame` not after it.
    """

    def connected(self, connection: "Connection") -> None:
        """Take that TCP stands; who it is, is unknown."""

    def secured(self, connection: "Connection") -> None:
        """`connection.certificate` is known; raise PinError to refuse it."""

    def admit(self, connection: "Connection", path: str) -> http.HTTPStatus:
        """Return SWITCHING_PROTOCOLS to let in who asks for `path`; anything else refuses."""
        del connection, path
        return http.HTTPStatus.NOT_FOUND

    def opened(self, connection: "Connection") -> None:
        """Take that frames can go both ways."""

    def frame(self, connection: "Connection", data: bytes) -> None:
        """Take one frame, at most `MAX_FRAME_OCTETS`, otherwise unverified."""

    def ended(self, connection: "Connection", error: TelconError) -> None:
        """Take that no frame goes any more; `error` says why, also if it was never open."""

    def lost(self, connection: "Connection") -> None:
        """Take that the socket is closed."""

"""One TCP connection with a secure session on it: bytes of the receiver's in clear, no task.

Everything runs in the callbacks of the event loop: what arrives is decrypted and handed on in the
same call, what is written is encrypted and given to the kernel in the same call. The end is gentle:
say that nothing more comes, read on for a moment, then close. Closing at once with unread bytes
would reset the connection, and the peer would lose the alert or close frame that tells it why.
"""

import asyncio
import socket
from typing import Protocol

from telcon.errors import LinkDownError, PinError
from telcon.node.link.secure_session import SecureSession

__all__ = ["ByteReceiver", "ByteTransport"]


class ByteReceiver(Protocol):
    """What lives on a `ByteTransport`. Calls come in this order; nothing after `lost`."""

    def connected(self, transport: "ByteTransport") -> None:
        """Take that TCP stands; nothing can be written yet."""

    def secured(self, certificate: bytes | None) -> None:
        """Take that the handshake is done; `certificate` is what the peer showed, as DER."""

    def received(self, data: bytes) -> None:
        """Take `data`, in clear."""

    def ended(self) -> None:
        """Take that the peer sends nothing more."""

    def failed(self, error: PinError | LinkDownError) -> None:
        """Take that the secure session broke; `lost` follows."""

    def lost(self, error: Exception | None) -> None:
        """Take that the connection is gone; `error` is the system's, if it had one."""


class ByteTransport(asyncio.Protocol):
    """Carries the bytes of one receiver; made for one connection."""

    def __init__(self, session: SecureSession, receiver: ByteReceiver, *, linger_s: float) -> None:
        """Bind `session` to `receiver`; after `finish` the peer has `linger_s` to close too."""
        self._session = session
        self._receiver = receiver
        self._linger_s = linger_s
        self._linger: asyncio.TimerHandle | None = None
        self._closing = False
        self._secured = False
        self._tcp: asyncio.Transport | None = None

    # -- the receiver's side

    @property
    def address(self) -> str:
        """Return the peer's host and port, for people."""
        peer = self._tcp.get_extra_info("peername") if self._tcp else None
        if not peer:
            return "unknown"
        return f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"

    @property
    def unsent_octets(self) -> int:
        """Return how much the kernel has not taken yet."""
        return self._tcp.get_write_buffer_size() if self._tcp else 0

    def write(self, data: bytes) -> None:
        """Send `data` now; after `finish` and after the end it goes nowhere."""
        if self._tcp is None or self._closing:
            return
        self._session.send(data)
        self._flush()

    def pause(self) -> None:
        """Read nothing until `resume`: what the peer sends stays with it."""
        if self._tcp is not None and not self._tcp.is_closing():
            self._tcp.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._tcp is not None and not self._tcp.is_closing():
            self._tcp.resume_reading()

    def finish(self) -> None:
        """Send what is left, then the end; close when the peer does, or after a moment."""
        if self._tcp is None or self._closing:
            return
        self._closing = True
        self._linger = asyncio.get_running_loop().call_later(self._linger_s, self.abort)
        self._session.finish()
        self._flush()
        self._tcp.write_eof()

    def abort(self) -> None:
        """Close at once; what is unsent is lost."""
        self._closing = True
        if self._tcp is not None:
            self._tcp.abort()

    # -- the event loop's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("expected a TCP transport")
        self._tcp = transport
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._receiver.connected(self)
        if self._closing:
            return
        self._session.start()
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Decrypt and hand on."""
        if self._session.ended:
            return
        try:
            clear = self._session.receive(data)
        except (PinError, LinkDownError) as error:
            self._break(error)
            return
        self._flush()
        if self._session.established and not self._secured:
            self._secured = True
            self._receiver.secured(self._session.certificate)
        if clear:
            self._receiver.received(clear)
        if self._session.ended:
            self._receiver.ended()
            self.finish()

    def eof_received(self) -> bool:
        """Tell the receiver, unless TLS told it already; the connection closes after this."""
        if not self._session.ended:
            self._receiver.ended()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the receiver that this is the end."""
        self._tcp = None
        if self._linger is not None:
            self._linger.cancel()
        self._receiver.lost(error)

    def _flush(self) -> None:
        data = self._session.data_to_send()
        if data and self._tcp is not None:
            self._tcp.write(data)

    def _break(self, error: PinError | LinkDownError) -> None:
        if self._closing:  # it is ending anyway; what still comes does not matter
            return
        self._flush()  # the alert
        self._receiver.failed(error)
        self.finish()

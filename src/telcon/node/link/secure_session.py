"""A secure channel as bytes in and bytes out, and TLS 1.3 as one.

Without IO, so that the bytes may come from anywhere, so that a handshake that fails can be told
apart by its alert, and so that TLS of another make can take over at this seam.
"""

import contextlib
import ssl
from typing import Protocol

from telcon.errors import KeyRefusedError, LinkDownError, PinError

__all__ = ["SecureSession", "TlsSession"]

_READ_OCTETS = 64 * 1024

# RFC 8446 §6: what the other side sends when it does not accept the key we showed.
_KEY_REFUSED_ALERTS = (
    "ALERT_UNKNOWN_CA",
    "ALERT_CERTIFICATE_REQUIRED",
    "ALERT_BAD_CERTIFICATE",
    "ALERT_UNSUPPORTED_CERTIFICATE",
    "ALERT_CERTIFICATE_UNKNOWN",
    "ALERT_CERTIFICATE_REVOKED",
    "ALERT_CERTIFICATE_EXPIRED",
    "ALERT_ACCESS_DENIED",
    "ALERT_DECRYPT_ERROR",
)


class SecureSession(Protocol):
    """One side of one secure channel, without IO: bytes from the network in, bytes for it out.

    The seam where TLS of another make can take over. After each call take `data_to_send`, also
    after one that raised: an alert may have to go out.
    """

    @property
    def certificate(self) -> bytes | None:
        """Return what the peer showed, as DER; None until `established`, or if it showed none."""

    @property
    def established(self) -> bool:
        """Return whether the handshake is done on this side."""

    @property
    def ended(self) -> bool:
        """Return whether the peer said that nothing more will come."""

    def start(self) -> None:
        """Begin the handshake."""

    def receive(self, data: bytes) -> bytes:
        """Take `data` from the network and return what it holds in clear, perhaps nothing.

        Raises:
            PinError: the peer showed no certificate, or not a pinned one.
            LinkDownError: the peer refused our certificate, or does not speak TLS as we do.
        """

    def send(self, data: bytes) -> None:
        """Encrypt `data`; only once `established`."""

    def data_to_send(self) -> bytes:
        """Return what is to be written to the network now."""

    def finish(self) -> None:
        """Say that nothing more will come from here."""


class TlsSession:
    """`SecureSession` over the standard library's OpenSSL."""

    def __init__(self, context: ssl.SSLContext, *, server: bool) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server)
        self.certificate: bytes | None = None
        self.established = False
        self.ended = False

    def start(self) -> None:
        """See `SecureSession`."""
        self._shake_hands()

    def receive(self, data: bytes) -> bytes:
        """See `SecureSession`."""
        self._incoming.write(data)
        if not self.established:
            self._shake_hands()
        return self._read() if self.established else b""

    def send(self, data: bytes) -> None:
        """See `SecureSession`."""
        self._tls.write(data)

    def data_to_send(self) -> bytes:
        """See `SecureSession`."""
        return self._outgoing.read()

    def finish(self) -> None:
        """See `SecureSession`."""
        if not self.established:
            return
        # It writes our close_notify, then complains that the peer's own is not there yet.
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as error:
            raise _explain(error) from error
        self.certificate = self._tls.getpeercert(binary_form=True)
        self.established = True

    def _read(self) -> bytes:
        pieces = []
        try:
            while piece := self._tls.read(_READ_OCTETS):
                pieces.append(piece)
                if not self._incoming.pending and not self._tls.pending():
                    return b"".join(pieces)  # to be told so by an exception costs more
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as error:
            raise _explain(error) from error
        return b"".join(pieces)


def _explain(error: ssl.SSLError) -> PinError | LinkDownError:
    reason = error.reason or "unknown"
    if isinstance(error, ssl.SSLCertVerificationError):
        return PinError("the certificate shown is not a pinned one")
    if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return PinError("no certificate was shown")
    if any(alert in reason for alert in _KEY_REFUSED_ALERTS):
        return KeyRefusedError("the other side refused our certificate")
    return LinkDownError(f"no TLS 1.3 connection: {reason.lower().replace('_', ' ')}")

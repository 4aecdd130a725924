"""DTLS-SRTP (RFC 5763, RFC 5764): one handshake a leg, by OpenSSL over memory.

Every peer shows a certificate that it signed itself, so the handshake alone proves nothing: OpenSSL
is told to demand one and to accept any, and whoever uses `DtlsSession` must compare
`peer_certificate_sha256` with what signalling promised before a single packet is sent. No sockets
and no clock here; transport.py drives it.
"""

from __future__ import annotations

import datetime
import hashlib
import secrets
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from telcon.errors import PeerError
from telcon.node.media.srtp import DTLS_PROFILES, SrtpProfile

__all__ = ["DtlsIdentity", "DtlsSession", "SrtpSecrets"]

DATAGRAM_BYTES = 1_200
"""What every path carries, IPv6 and tunnels included."""

_RECORD_HEADER_BYTES = 13
_MAX_PENDING_BYTES = 65_536
_EXPORTER_LABEL = b"EXTRACTOR-dtls_srtp"  # RFC 5764 §4.2
_CIPHERS = (
    b"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
    b"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305"
)


@dataclass(frozen=True, slots=True, repr=False)
class SrtpSecrets:
    """Keys that a handshake has agreed."""

    profile: SrtpProfile
    local: bytes
    """Master key and salt for what we send."""
    remote: bytes
    """Master key and salt for what we receive."""


class DtlsIdentity:
    """A certificate, its key, and the OpenSSL context that all legs under it share."""

    def __init__(self) -> None:
        """Make a fresh P-256 key and a certificate for it: some ten milliseconds."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _make_certificate(key)
        self.certificate_sha256 = _sha256(certificate)
        self._context = _make_context(key, certificate)

    def open_session(self, *, is_client: bool) -> DtlsSession:
        """Return one side of a handshake; the client has to `start` it."""
        connection = SSL.Connection(self._context)
        connection.set_ciphertext_mtu(DATAGRAM_BYTES)
        if is_client:
            connection.set_connect_state()
        else:
            connection.set_accept_state()
        return DtlsSession(connection, is_client=is_client)


def _make_certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "WebRTC")])
    now = datetime.datetime.now(tz=datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(secrets.randbits(64) | 1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )


def _make_context(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> SSL.Context:
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_cipher_list(_CIPHERS)
    context.use_certificate(certificate)
    context.use_privatekey(key)
    context.set_tlsext_use_srtp(b":".join(profile.name.encode() for profile in DTLS_PROFILES))
    # A certificate must come; which one is right is compared by hash, afterwards, by our caller.
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    return context


class DtlsSession:
    """One side of one handshake: datagrams in, datagrams out, keys at the end.

    After `start`, `receive` or `handle_timeout`, send what `datagrams_to_send` returns and ask
    `timeout_s` when to call `handle_timeout` next.
    """

    def __init__(self, connection: SSL.Connection, *, is_client: bool) -> None:
        """Use `DtlsIdentity.open_session`."""
        self._connection = connection
        self._is_client = is_client
        self.is_established = False
        self.is_closed = False
        self.peer_certificate_sha256 = b""

    def start(self) -> None:
        """Begin the handshake as the client.

        Raises:
            PeerError: OpenSSL cannot begin.
        """
        self._shake_hands()

    def receive(self, data: bytes) -> None:
        """Take one datagram.

        Raises:
            PeerError: the other side broke the handshake off, or broke its rules.
        """
        if self.is_closed or not 0 < len(data) <= _MAX_PENDING_BYTES:
            return
        self._connection.bio_write(data)
        if self.is_established:
            self._read_on()
        else:
            self._shake_hands()

    def datagrams_to_send(self) -> list[bytes]:
        """Return what is to be sent now, each at most 1200 octets where records allow it."""
        try:
            pending = self._connection.bio_read(_MAX_PENDING_BYTES)
        except SSL.WantReadError:
            return []
        return _pack_records(pending)

    def timeout_s(self) -> float | None:
        """Return in how many seconds `handle_timeout` is due; None if nothing is awaited."""
        if self.is_closed:
            return None
        return self._connection.DTLSv1_get_timeout()

    def handle_timeout(self) -> None:
        """Send the last flight again if its time has come.

        Raises:
            PeerError: it was sent too often without an answer.
        """
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error as error:
            raise PeerError("the DTLS handshake was never answered") from error

    def secrets(self) -> SrtpSecrets:
        """Return the agreed keys of an established session.

        Raises:
            PeerError: the other side agreed to no SRTP profile of ours.
        """
        name = self._connection.get_selected_srtp_profile().decode()
        profile = next((p for p in DTLS_PROFILES if p.name == name), None)
        if profile is None:
            raise PeerError("the device agreed to no SRTP profile that this node offers")
        # RFC 5764 §4.2: client key, server key, client salt, server salt.
        key, salt = profile.key_bytes, profile.salt_bytes
        block = self._connection.export_keying_material(_EXPORTER_LABEL, 2 * (key + salt))
        client = block[:key] + block[2 * key : 2 * key + salt]
        server = block[key : 2 * key] + block[2 * key + salt :]
        local, remote = (client, server) if self._is_client else (server, client)
        return SrtpSecrets(profile, local, remote)

    def close(self) -> None:
        """Say goodbye; `datagrams_to_send` holds the alert. Can be called again."""
        if self.is_closed:
            return
        self.is_closed = True
        try:
            self._connection.shutdown()
        except SSL.Error:
            return  # in the middle of a handshake there is no goodbye to say

    def _shake_hands(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return
        except SSL.Error as error:
            raise PeerError(f"the DTLS handshake failed: {_reason(error)}") from error
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            raise PeerError("the device showed no certificate")
        self.peer_certificate_sha256 = _sha256(certificate)
        self.is_established = True

    def _read_on(self) -> None:
        # Nothing but handshakes repeated and alerts is expected; application data is dropped.
        # Reading makes OpenSSL repeat our last flight when the other side did not get it.
        try:
            while True:
                self._connection.recv(4_096)
        except SSL.WantReadError:
            return
        except (SSL.ZeroReturnError, SSL.SysCallError):
            self.is_closed = True
        except SSL.Error as error:
            raise PeerError(f"DTLS failed after the handshake: {_reason(error)}") from error


def _pack_records(pending: bytes) -> list[bytes]:
    # A record must not be cut: each begins with 13 octets, the last two its length (RFC 6347 §4.1).
    datagrams, begin, end = [], 0, 0
    while end + _RECORD_HEADER_BYTES <= len(pending):
        size = int.from_bytes(pending[end + 11 : end + 13], "big") + _RECORD_HEADER_BYTES
        if end > begin and end + size - begin > DATAGRAM_BYTES:
            datagrams.append(pending[begin:end])
            begin = end
        end += size
    if end > begin:
        datagrams.append(pending[begin:end])
    return datagrams


def _sha256(certificate: x509.Certificate) -> bytes:
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()


def _reason(error: SSL.Error) -> str:
    parts = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(str(part[-1]) for part in parts) or type(error).__name__

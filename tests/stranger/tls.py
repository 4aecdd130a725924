"""Certificates and TLS 1.3 as docs/protocol.md §5 wants them: self-signed and pinned."""

import datetime
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from stranger.tlog import require, sha256


@dataclass(frozen=True)
class Certificate:
    """A key of ours with its self-signed certificate."""

    der: bytes
    pem: bytes  # certificate and key

    @classmethod
    def make(cls) -> "Certificate":
        private = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whatever")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.datetime(1999, 1, 1, tzinfo=datetime.UTC))
            .not_valid_after(datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))  # means nothing
            .sign(private, hashes.SHA256())
        )
        encoding = serialization.Encoding
        key = private.private_bytes(
            encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        pem = certificate.public_bytes(encoding.PEM) + key
        return cls(certificate.public_bytes(encoding.DER), pem)

    @property
    def hash(self) -> str:
        return sha256(self.der).hex()

    def _load(self, context: ssl.SSLContext) -> None:
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:  # ssl reads keys from files only
            Path(file.name).write_bytes(self.pem)
            context.load_cert_chain(file.name)

    def listening(self, peer: bytes | None) -> ssl.SSLContext:
        """Return the context of a listener, for pairing (`peer` None) or for one line."""
        context = _context(ssl.PROTOCOL_TLS_SERVER)
        context.num_tickets = 0
        self._load(context)
        if peer is not None:
            _trust(context, peer)
        return context

    def dialling(self, peer: bytes) -> ssl.SSLContext:
        """Return the context for dialling the peer whose certificate (DER) is known."""
        context = _context(ssl.PROTOCOL_TLS_CLIENT)
        self._load(context)
        _trust(context, peer)
        return context


def pinning(fingerprint: str) -> ssl.SSLContext:
    """Return a client's context that accepts the certificate with this hash and no other."""

    class Pinned(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            der = self.getpeercert(binary_form=True)
            require(der is not None and sha256(der).hex() == fingerprint, "another certificate")

    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    context.sslobject_class = Pinned
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _context(side: int) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _trust(context: ssl.SSLContext, peer: bytes) -> None:
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=peer)

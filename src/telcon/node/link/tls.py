"""TLS of the link: the node's key and certificate, and contexts that trust pinned ones alone.

Nobody vouches for these certificates: each node signs its own, and the other side pins the SHA-256
of its DER form at pairing. TLS 1.3 alone, no session tickets, so that every connection shows the
pinned key anew. What a certificate says beside its key means nothing here; it never expires
(RFC 5280 §4.1.2.5), for a clock must not be able to cut a line.
"""

import datetime
import hashlib
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from telcon.errors import MalformedError, SettingsError, StorageError
from telcon.node.folder import write_once

__all__ = [
    "MAX_CERTIFICATE_OCTETS",
    "NodeCertificate",
    "certificate_hash",
    "check_certificate",
    "dialling_context",
    "listening_context",
    "load_or_make_certificate",
    "open_listening_context",
    "unpinned_dialling_context",
]

CERTIFICATE_FILE: Final = "link.pem"  # key and certificate in one file, so that both or none exist

MAX_CERTIFICATE_OCTETS: Final = 4_096

_ALWAYS = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_NEVER = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)

_NO_CHECK_TIME: Final = 0x20_0000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, for which `ssl` has no name: the peer's certificate may bear
any dates, for the pin alone counts and no clock must be able to cut a line."""


@dataclass(frozen=True, slots=True)
class NodeCertificate:
    """The node's own TLS key and certificate."""

    path: Path
    """The PEM file with both."""
    der: bytes
    """The certificate, as it is exchanged at pairing."""

    @property
    def hash(self) -> str:
        """Return the SHA-256 of the DER form, 64 hex digits, as key cards bear it."""
        return certificate_hash(self.der)


def certificate_hash(der: bytes) -> str:
    """Return the SHA-256 of a certificate's DER form, 64 lower-case hex digits."""
    return hashlib.sha256(der).hexdigest()


def check_certificate(der: bytes) -> None:
    """Refuse what cannot be pinned: not exactly one certificate in DER, or too long.

    Raises:
        MalformedError: it cannot be pinned.
    """
    if len(der) > MAX_CERTIFICATE_OCTETS:
        raise MalformedError(f"a certificate has at most {MAX_CERTIFICATE_OCTETS} octets")
    try:
        certificate = x509.load_der_x509_certificate(der)
        _trust(_context(ssl.PROTOCOL_TLS_CLIENT, None), [der])
    except (ValueError, x509.InvalidVersion, ssl.SSLError) as error:
        raise MalformedError(f"not a certificate in DER: {error}") from error
    if certificate.public_bytes(serialization.Encoding.DER) != der:
        raise MalformedError("the certificate is not in its one DER form")
    _check_usages(certificate)


def _check_usages(certificate: x509.Certificate) -> None:
    """Refuse now what TLS would refuse later: a certificate that may not dial, or not listen."""
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise MalformedError(f"the certificate's extensions cannot be read: {error}") from error
    if not {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH} <= set(usages):
        raise MalformedError("the certificate's usages must allow both TLS client and TLS server")


def load_or_make_certificate(folder: Path, name: str) -> NodeCertificate:
    """Return the certificate of the node `name` from `folder`, made now if there is none yet.

    Raises:
        SettingsError: the file is there but is not this node's key and certificate.
        StorageError: the folder refuses.
    """
    path = folder / CERTIFICATE_FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            write_once(path, _make_pem(name))
        data = path.read_bytes()
    except OSError as error:
        raise StorageError(
            f"the link's key {path} cannot be used: {error.strerror}",
            advice="Give the node a folder that its user owns and may write to.",
        ) from error
    return NodeCertificate(path=path, der=_read_certificate(path, data, name))


def listening_context(own: NodeCertificate, pinned: Iterable[bytes]) -> ssl.SSLContext:
    """Return the context of the link's listener: exactly the `pinned` certificates (DER) may come.

    An empty `pinned` refuses everyone.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, own)
    context.verify_mode = ssl.CERT_REQUIRED
    _trust(context, pinned)
    return context


def dialling_context(own: NodeCertificate, pinned: bytes) -> ssl.SSLContext:
    """Return the context for dialling one node: it must show exactly the `pinned` certificate."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, own)
    context.verify_mode = ssl.CERT_REQUIRED
    _trust(context, [pinned])
    return context


def open_listening_context(own: NodeCertificate) -> ssl.SSLContext:
    """Return the context of the pairing listener: whoever comes shows no certificate."""
    return _context(ssl.PROTOCOL_TLS_SERVER, own)


def unpinned_dialling_context() -> ssl.SSLContext:
    """Return a context that takes any certificate: who dials with it compares the hash."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, None)


def _context(side: int, own: NodeCertificate | None) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # the pin says who it is; a name in a certificate says nothing
    context.verify_mode = ssl.CERT_NONE
    context.verify_flags |= _NO_CHECK_TIME
    # A pinned certificate is then found by all of its bytes. By its subject alone another peer's
    # might be, for a hostile peer can have copied it; and the right peer would be refused.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if side == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0  # a resumed session would not show the certificate again
    if own is not None:
        try:
            context.load_cert_chain(own.path)
        except (OSError, ssl.SSLError) as error:
            raise _not_ours(own.path) from error
    return context


def _trust(context: ssl.SSLContext, pinned: Iterable[bytes]) -> None:
    for der in pinned:
        context.load_verify_locations(cadata=der)


def _make_pem(name: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    own_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # The key's id stands in the subject, so that OpenSSL never has to guess among equal subjects.
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "telcon node"),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, own_id.digest.hex()),
        ]
    )
    usage = x509.KeyUsage(True, *[False] * 8)  # digital signature alone
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_ALWAYS)
        .not_valid_after(_NEVER)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(own_id, critical=False)
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)


def _read_certificate(path: Path, data: bytes, name: str) -> bytes:
    try:
        certificate = x509.load_pem_x509_certificate(data)
        key = serialization.load_pem_private_key(data, password=None)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (ValueError, TypeError, x509.ExtensionNotFound) as error:
        raise _not_ours(path) from error
    if key.public_key() != certificate.public_key():
        raise _not_ours(path)
    if names.value.get_values_for_type(x509.DNSName) != [name]:
        raise SettingsError(
            f"the link's key {path} belongs to another node than {name}",
            advice="Set the node's name back, or take the folder that belongs to this name.",
        )
    return certificate.public_bytes(serialization.Encoding.DER)


def _not_ours(path: Path) -> SettingsError:
    return SettingsError(
        f"the link's key {path} is damaged",
        advice="Put it back from a backup; without it all lines are to be paired anew.",
    )

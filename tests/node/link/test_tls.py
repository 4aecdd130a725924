import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from telcon.errors import (
    KeyRefusedError,
    LinkDownError,
    MalformedError,
    PinError,
    SettingsError,
    StorageError,
)
from telcon.node.link.secure_session import TlsSession
from telcon.node.link.tls import (
    CERTIFICATE_FILE,
    NodeCertificate,
    certificate_hash,
    check_certificate,
    dialling_context,
    listening_context,
    load_or_make_certificate,
    open_listening_context,
    unpinned_dialling_context,
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, NodeCertificate]:
    names = ("arcadia.example", "borealis.example", "cordova.example")
    return {
        name[0]: load_or_make_certificate(tmp_path_factory.mktemp(name), name) for name in names
    }


def pump(dialler: TlsSession, listener: TlsSession) -> None:
    """Carry bytes between both until neither has any; errors pass through, alerts first."""
    dialler.start()
    while (onward := dialler.data_to_send()) or (back := listener.data_to_send()):
        if onward:
            listener.receive(onward)
        elif back:
            dialler.receive(back)


def sessions(dialler: ssl.SSLContext, listener: ssl.SSLContext) -> tuple[TlsSession, TlsSession]:
    return TlsSession(dialler, server=False), TlsSession(listener, server=True)


def test_both_pinned_sides_meet_and_see_each_others_certificate(
    keys: dict[str, NodeCertificate],
) -> None:
    a, b = keys["a"], keys["b"]
    dialler, listener = sessions(dialling_context(a, b.der), listening_context(b, [a.der]))
    pump(dialler, listener)
    assert dialler.established
    assert listener.established
    assert (dialler.certificate, listener.certificate) == (b.der, a.der)


def test_bytes_arrive_in_clear_and_the_end_is_told(keys: dict[str, NodeCertificate]) -> None:
    a, b = keys["a"], keys["b"]
    dialler, listener = sessions(dialling_context(a, b.der), listening_context(b, [a.der]))
    pump(dialler, listener)
    dialler.send(b"x" * 100_000)
    assert listener.receive(dialler.data_to_send()) == b"x" * 100_000
    dialler.finish()
    assert listener.receive(dialler.data_to_send()) == b""
    assert listener.ended


def test_an_unknown_client_is_refused_and_learns_that_its_key_was(
    keys: dict[str, NodeCertificate],
) -> None:
    a, b, c = keys.values()
    dialler, listener = sessions(dialling_context(c, b.der), listening_context(b, [a.der]))
    with pytest.raises(PinError, match="not a pinned one"):
        pump(dialler, listener)
    with pytest.raises(KeyRefusedError):
        dialler.receive(listener.data_to_send())


def test_a_client_without_certificate_is_refused(keys: dict[str, NodeCertificate]) -> None:
    a, b = keys["a"], keys["b"]
    dialler, listener = sessions(unpinned_dialling_context(), listening_context(b, [a.der]))
    with pytest.raises(PinError, match="no certificate"):
        pump(dialler, listener)
    with pytest.raises(KeyRefusedError):
        dialler.receive(listener.data_to_send())


def test_without_any_pin_everyone_is_refused(keys: dict[str, NodeCertificate]) -> None:
    a, b = keys["a"], keys["b"]
    dialler, listener = sessions(dialling_context(a, b.der), listening_context(b, []))
    with pytest.raises(PinError):
        pump(dialler, listener)


def test_a_dialler_refuses_a_listener_with_another_certificate(
    keys: dict[str, NodeCertificate],
) -> None:
    a, b, c = keys.values()
    dialler, listener = sessions(dialling_context(a, b.der), listening_context(c, [a.der]))
    with pytest.raises(PinError):
        pump(dialler, listener)


def test_each_of_many_pinned_peers_is_let_in(keys: dict[str, NodeCertificate]) -> None:
    b = keys["b"]
    listening = listening_context(b, [key.der for key in keys.values()])
    for key in keys.values():
        dialler, listener = sessions(dialling_context(key, b.der), listening)
        pump(dialler, listener)
        assert listener.certificate == key.der


def test_a_new_key_under_a_pinned_nodes_name_is_refused(
    keys: dict[str, NodeCertificate], tmp_path: Path
) -> None:
    a, b = keys["a"], keys["b"]
    imitation = load_or_make_certificate(tmp_path, "arcadia.example")
    dialler, listener = sessions(dialling_context(imitation, b.der), listening_context(b, [a.der]))
    with pytest.raises(PinError):
        pump(dialler, listener)


def test_a_certificate_signed_by_a_pinned_key_is_refused(
    keys: dict[str, NodeCertificate], tmp_path: Path
) -> None:
    a, b = keys["a"], keys["b"]
    child = issue_under(a, tmp_path / "child.pem")
    dialler, listener = sessions(dialling_context(child, b.der), listening_context(b, [a.der]))
    with pytest.raises(PinError):
        pump(dialler, listener)


def issue_under(parent: NodeCertificate, path: Path) -> NodeCertificate:
    """A certificate that the holder of `parent`'s key signed for another key."""
    signer = serialization.load_pem_private_key(parent.path.read_bytes(), password=None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    above = x509.load_der_x509_certificate(parent.der)
    key = ec.generate_private_key(ec.SECP256R1())
    child = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(above.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2999, 1, 1, tzinfo=datetime.UTC))
        .sign(signer, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    chain = [child.public_bytes(serialization.Encoding.PEM), parent.path.read_bytes()]
    path.write_bytes(private + b"".join(chain))
    return NodeCertificate(path=path, der=child.public_bytes(serialization.Encoding.DER))


def test_an_older_tls_is_refused(keys: dict[str, NodeCertificate]) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    dialler, listener = sessions(old, open_listening_context(keys["b"]))
    with pytest.raises(LinkDownError, match=r"no TLS 1\.3"):
        pump(dialler, listener)


def test_no_session_can_be_resumed(keys: dict[str, NodeCertificate]) -> None:
    assert listening_context(keys["b"], []).num_tickets == 0
    assert open_listening_context(keys["b"]).num_tickets == 0


def test_what_is_not_tls_is_refused(keys: dict[str, NodeCertificate]) -> None:
    listener = TlsSession(open_listening_context(keys["b"]), server=True)
    with pytest.raises(LinkDownError, match="no TLS"):
        listener.receive(b"GET /telcon/v1 HTTP/1.1\r\n\r\n")


def test_an_altered_record_breaks_the_session(keys: dict[str, NodeCertificate]) -> None:
    dialler, listener = sessions(unpinned_dialling_context(), open_listening_context(keys["b"]))
    pump(dialler, listener)
    dialler.send(b"hello")
    record = bytearray(dialler.data_to_send())
    record[-1] ^= 1
    with pytest.raises(LinkDownError):
        listener.receive(bytes(record))


def test_the_certificate_is_made_once_and_readable_by_its_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    first = load_or_make_certificate(folder, "arcadia.example")
    assert load_or_make_certificate(folder, "arcadia.example") == first
    assert first.path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert first.hash == certificate_hash(first.der)
    assert list(folder.iterdir()) == [first.path]


def test_the_certificate_names_its_node_and_outlives_every_clock(tmp_path: Path) -> None:
    own = load_or_make_certificate(tmp_path, "arcadia.example")
    certificate = x509.load_der_x509_certificate(own.der)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["arcadia.example"]
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    assert certificate.not_valid_after_utc.year == 9999


def test_a_name_of_200_octets_gets_a_certificate(tmp_path: Path) -> None:
    name = ".".join(["a" * 49] * 4)
    assert load_or_make_certificate(tmp_path, name).der


def test_what_a_crash_left_half_written_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "link.new").write_bytes(b"-----BEGIN PRIV")
    own = load_or_make_certificate(tmp_path, "arcadia.example")
    assert list(tmp_path.iterdir()) == [own.path]


def test_a_damaged_key_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / CERTIFICATE_FILE).write_bytes(b"not a key")
    with pytest.raises(SettingsError, match="damaged"):
        load_or_make_certificate(tmp_path, "arcadia.example")
    assert (tmp_path / CERTIFICATE_FILE).read_bytes() == b"not a key"


def test_a_key_of_another_node_is_refused(tmp_path: Path) -> None:
    load_or_make_certificate(tmp_path, "borealis.example")
    with pytest.raises(SettingsError, match=r"another node than arcadia\.example"):
        load_or_make_certificate(tmp_path, "arcadia.example")


def test_a_folder_that_cannot_be_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError) as refused:
        load_or_make_certificate(tmp_path / "file", "arcadia.example")
    assert "folder" in refused.value.advice()


@pytest.mark.parametrize(
    "spoil", [lambda der: der + b"\0", lambda der: der[:-1], lambda der: der * 2]
)
def test_only_exactly_one_certificate_can_be_pinned(
    spoil: "object", keys: dict[str, NodeCertificate]
) -> None:
    assert callable(spoil)
    check_certificate(keys["a"].der)
    with pytest.raises(MalformedError):
        check_certificate(spoil(keys["a"].der))


@pytest.mark.parametrize("der", [b"", b"junk", b"0" * 5_000])
def test_junk_cannot_be_pinned(der: bytes) -> None:
    with pytest.raises(MalformedError):
        check_certificate(der)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a003020102", "a003020103"),  # version 4
        ("551d0f", "551d13"),  # basic constraints twice
        ("820f", "a30f"),  # a name for X.400
    ],
)
def test_a_certificate_that_its_library_cannot_read_is_malformed_like_any_other(
    old: str, new: str, keys: dict[str, NodeCertificate]
) -> None:
    der, good = keys["a"].der, bytes.fromhex(old)
    assert der.count(good) == 1
    with pytest.raises(MalformedError):
        check_certificate(der.replace(good, bytes.fromhex(new)))


@pytest.mark.parametrize(
    "usage", [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
)
def test_a_certificate_that_may_only_dial_or_only_listen_cannot_be_pinned(
    usage: x509.ObjectIdentifier,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "borealis.example")])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(day)
        .not_valid_after(day + datetime.timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .sign(key, hashes.SHA256())
    )
    with pytest.raises(MalformedError, match="usages"):
        check_certificate(certificate.public_bytes(serialization.Encoding.DER))

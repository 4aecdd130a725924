"""DTLS: two sessions over memory agree on keys, whatever the network loses or adds."""

from __future__ import annotations

import hashlib

import pytest
from OpenSSL import SSL

from telcon.errors import PeerError
from telcon.node.media.dtls import DATAGRAM_BYTES, DtlsIdentity, DtlsSession, _pack_records
from telcon.node.media.srtp import AEAD_AES_256_GCM

NODE, DEVICE = DtlsIdentity(), DtlsIdentity()


def both() -> tuple[DtlsSession, DtlsSession]:
    client, server = DEVICE.open_session(is_client=True), NODE.open_session(is_client=False)
    client.start()
    return client, server


def exchange(client: DtlsSession, server: DtlsSession, rounds: int = 4) -> list[bytes]:
    """Carry everything both ways; return the datagrams."""
    carried: list[bytes] = []
    for _ in range(rounds):
        for sender, receiver in ((client, server), (server, client)):
            for datagram in sender.datagrams_to_send():
                carried.append(datagram)
                receiver.receive(datagram)
    return carried


def test_both_ends_know_each_others_certificate_and_the_same_keys() -> None:
    client, server = both()
    exchange(client, server)
    assert client.peer_certificate_sha256 == NODE.certificate_sha256
    assert server.peer_certificate_sha256 == DEVICE.certificate_sha256
    ours, theirs = client.secrets(), server.secrets()
    assert (ours.local, ours.remote) == (theirs.remote, theirs.local)
    assert ours.local != ours.remote
    assert ours.profile is AEAD_AES_256_GCM
    assert len(ours.local) == 44


def test_each_handshake_has_keys_of_its_own() -> None:
    locals_ = set()
    for _ in range(3):
        client, server = both()
        exchange(client, server)
        locals_.add(client.secrets().local)
    assert len(locals_) == 3


def test_no_datagram_is_longer_than_every_path_carries() -> None:
    assert max(len(datagram) for datagram in exchange(*both())) <= DATAGRAM_BYTES


def test_records_are_never_cut() -> None:
    records = [b"\x16" + bytes(10) + size.to_bytes(2, "big") + bytes(size) for size in (900, 300)]
    records += [b"\x16" + bytes(10) + (20).to_bytes(2, "big") + bytes(20)] * 3
    packed = _pack_records(b"".join(records))
    assert b"".join(packed) == b"".join(records)
    assert packed == [records[0], b"".join(records[1:])]


def test_asks_to_be_called_again_until_it_is_done() -> None:
    client, server = both()
    due = client.timeout_s()
    assert due is not None
    assert 0.5 < due <= 1.0
    exchange(client, server)
    assert client.timeout_s() is server.timeout_s() is None


def test_garbage_between_changes_nothing() -> None:
    client, server = both()
    for garbage in (b"", b"\x16", b"\x16\xfe\xfd" + bytes(10), b"\x17" * 100, bytes(70_000)):
        server.receive(garbage)
        client.receive(garbage)
    exchange(client, server)
    assert client.is_established
    assert server.is_established
    server.receive(b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28")  # a forged alert
    assert not server.is_closed


def test_says_goodbye() -> None:
    client, server = both()
    exchange(client, server)
    client.close()
    client.close()
    for datagram in client.datagrams_to_send():
        server.receive(datagram)
    assert server.is_closed
    assert server.timeout_s() is None


def bare_client(*, profiles: bytes) -> SSL.Connection:
    """A client of OpenSSL's own with no certificate."""
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    context.set_tlsext_use_srtp(profiles)
    connection = SSL.Connection(context)
    connection.set_connect_state()
    return connection


def test_a_device_without_a_certificate_is_refused() -> None:
    client, server = (
        bare_client(profiles=b"SRTP_AEAD_AES_256_GCM"),
        NODE.open_session(is_client=False),
    )
    with pytest.raises(PeerError, match="certificate"):
        for _ in range(4):
            with pytest.raises(SSL.WantReadError):
                client.do_handshake()
            server.receive(client.bio_read(65_536))
            for datagram in server.datagrams_to_send():
                client.bio_write(datagram)


def test_a_certificates_hash_is_over_its_der_form() -> None:
    client, server = both()
    exchange(client, server)
    certificate = client._connection.get_peer_certificate(as_cryptography=False)
    assert certificate is not None
    assert certificate.digest("sha256").replace(b":", b"").decode().lower() == (
        NODE.certificate_sha256.hex()
    )
    assert len(NODE.certificate_sha256) == hashlib.sha256().digest_size

"""A paired peer whose link certificate looks like another peer's."""

import asyncio
from itertools import permutations
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from node.link.rig import ARCADIA, BOREALIS, Handler, Node, run
from telcon.errors import PinError
from telcon.node.link.secure_session import TlsSession
from telcon.node.link.tls import (
    check_certificate,
    dialling_context,
    listening_context,
    load_or_make_certificate,
)


def lookalike(der: bytes, *, is_ca: bool = False) -> bytes:
    """Return a certificate with another key, and all else as in `der`."""
    real = x509.load_der_x509_certificate(der)
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        x509.CertificateBuilder()
        .subject_name(real.subject)
        .issuer_name(real.issuer)
        .public_key(key.public_key())
        .serial_number(real.serial_number)
        .not_valid_before(real.not_valid_before_utc)
        .not_valid_after(real.not_valid_after_utc)
    )
    for extension in real.extensions:
        value = extension.value
        if is_ca and isinstance(value, x509.BasicConstraints):
            value = x509.BasicConstraints(ca=True, path_length=None)
        made = made.add_extension(value, extension.critical)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def shake_hands(server: TlsSession, client: TlsSession) -> None:
    client.start()
    for _ in range(4):
        server.receive(client.data_to_send())
        if data := server.data_to_send():
            client.receive(data)
    assert server.established
    assert client.established


@pytest.mark.parametrize("is_ca", [False, True])
def test_a_peer_is_known_among_lookalikes_of_it(tmp_path: Path, is_ca: bool) -> None:
    own = load_or_make_certificate(tmp_path / "a", ARCADIA)
    honest = load_or_make_certificate(tmp_path / "b", BOREALIS)
    false = [lookalike(honest.der, is_ca=is_ca) for _ in range(2)]
    for der in false:
        check_certificate(der)  # it can be pinned
    client = dialling_context(honest, own.der)
    for pinned in permutations([honest.der, *false]):
        server = TlsSession(listening_context(own, pinned), server=True)
        shake_hands(server, TlsSession(client, server=False))
        assert server.certificate == honest.der
    with pytest.raises(PinError):
        shake_hands(
            TlsSession(listening_context(own, false), server=True),
            TlsSession(client, server=False),
        )


def test_a_peer_that_copied_anothers_certificate_does_not_cut_that_ones_line(
    tmp_path: Path,
) -> None:
    async def attack() -> None:
        victim, honest = Node(tmp_path / "a", ARCADIA), Node(tmp_path / "b", BOREALIS)
        hostile = Node(tmp_path / "e", "eve.example")
        await victim.server.start("127.0.0.1", 0)
        heard, other = Handler(), Handler()
        for number in range(4):
            false = lookalike(honest.certificate.der)
            victim.add(hostile, Handler(), line=f"{number:032x}", der=false)
        victim.add(honest, heard)
        honest.add(victim, other, victim.server.port)
        await asyncio.gather(heard.until_up(), other.until_up())
        await asyncio.gather(victim.server.close(), honest.server.close())

    run(attack())

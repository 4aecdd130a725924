"""The protected way: nothing flows before the peer is verified, and its costs are bounded."""

from __future__ import annotations

import pytest

from node.media.rig import LOOPBACK, in_loop
from telcon.errors import MisuseError
from telcon.node.media.dtls import DtlsIdentity
from telcon.node.media.mux import UdpMux
from telcon.node.media.rtcp import ReceiverReport, format_rtcp
from telcon.node.media.rtp import RtpPacket, format_rtp
from telcon.node.media.srtp import AEAD_AES_256_GCM, Protector, Unprotector
from telcon.node.media.transport import MAX_ADDRESSES, MAX_STREAMS, SecureTransport

IDENTITY = DtlsIdentity()


class Owner:
    def __init__(self) -> None:
        self.told: list[str] = []

    def on_secured(self) -> None:
        self.told.append("secured")

    def on_mismatch(self, found: bytes) -> None:
        self.told.append("mismatch")

    def on_transport_failed(self, reason: str) -> None:
        self.told.append(reason)

    def on_rtp(self, data: bytes) -> None:
        self.told.append("rtp")

    def on_rtcp(self, data: bytes) -> None:
        self.told.append("rtcp")


def a_transport(mux: UdpMux, owner: Owner) -> SecureTransport:
    return SecureTransport(mux, IDENTITY.open_session(is_client=False), owner)


@in_loop
async def test_sends_and_takes_nothing_before_there_are_keys() -> None:
    mux, owner = UdpMux.open(LOOPBACK, 0), Owner()
    transport = a_transport(mux, owner)
    transport.adopt((LOOPBACK, 9), select=True)
    transport.receive_srtp(b"\x80" * 40)
    transport.receive_srtcp(b"\x80" * 40)
    for send in (transport.send_rtp, transport.send_rtcp):
        with pytest.raises(MisuseError):
            send(b"\x80" * 40)
    assert (owner.told, transport.statistics().too_early) == ([], 2)
    mux.close()


@in_loop
async def test_must_be_told_what_to_expect() -> None:
    mux = UdpMux.open(LOOPBACK, 0)
    transport = a_transport(mux, Owner())
    for hashes in ((), (b"short",), (bytes(32), b"")):
        with pytest.raises(MisuseError):
            transport.expect(*hashes)
    mux.close()


@in_loop
async def test_expecting_nothing_is_trusting_nobody() -> None:
    mux, owner = UdpMux.open(LOOPBACK, 0), Owner()
    transport = a_transport(mux, owner)
    client = DtlsIdentity().open_session(is_client=True)
    client.start()
    for _ in range(3):
        for datagram in client.datagrams_to_send():
            transport.receive_dtls(datagram)
        for datagram in transport._session.datagrams_to_send():
            client.receive(datagram)
    assert owner.told == []  # without an address its answers were thrown away
    transport._session.is_established = True
    transport._conclude()
    assert owner.told == ["mismatch"]
    assert transport.is_closed
    mux.close()


@in_loop
async def test_keeps_four_addresses_and_the_selected_one_among_them() -> None:
    mux = UdpMux.open(LOOPBACK, 0)
    transport = a_transport(mux, Owner())
    assert transport.adopt((LOOPBACK, 1), select=False)
    for port in range(2, 20):
        assert transport.adopt((LOOPBACK, port), select=False)
    assert transport.address == (LOOPBACK, 1)
    assert transport.statistics().addresses == mux.statistics().bound == MAX_ADDRESSES
    transport.close()
    assert mux.statistics().bound == 0
    mux.close()


@in_loop
async def test_leaves_an_address_to_the_leg_that_has_it() -> None:
    mux = UdpMux.open(LOOPBACK, 0)
    first, second = a_transport(mux, Owner()), a_transport(mux, Owner())
    assert first.adopt((LOOPBACK, 1), select=True)
    assert not second.adopt((LOOPBACK, 1), select=True)
    first.close()
    assert second.adopt((LOOPBACK, 1), select=True)
    second.close()
    assert not second.adopt((LOOPBACK, 1), select=True)
    mux.close()


@in_loop
async def test_takes_packets_of_eight_streams_and_no_more() -> None:
    mux, owner = UdpMux.open(LOOPBACK, 0), Owner()
    transport, protector = a_transport(mux, owner), Protector(AEAD_AES_256_GCM, bytes(44))
    transport._unprotector = Unprotector(AEAD_AES_256_GCM, bytes(44))
    for sequence in range(2):
        for ssrc in range(MAX_STREAMS + 3):
            packet = RtpPacket(111, False, sequence, 0, ssrc, b"opus")
            transport.receive_srtp(protector.protect(format_rtp(packet)))
    assert owner.told == ["rtp"] * MAX_STREAMS * 2
    assert transport.statistics().forged == 6
    mux.close()


@in_loop
async def test_takes_reports_of_eight_streams_and_no_more() -> None:
    mux, owner = UdpMux.open(LOOPBACK, 0), Owner()
    transport, protector = a_transport(mux, owner), Protector(AEAD_AES_256_GCM, bytes(44))
    transport._unprotector = Unprotector(AEAD_AES_256_GCM, bytes(44))
    for ssrc in range(MAX_STREAMS + 3):
        transport.receive_srtcp(protector.protect_rtcp(format_rtcp([ReceiverReport(ssrc)])))
    assert owner.told == ["rtcp"] * MAX_STREAMS
    assert transport.statistics().forged == 3
    mux.close()


@in_loop
async def test_a_handshake_that_cannot_be_is_told_once() -> None:
    mux, owner = UdpMux.open(LOOPBACK, 0), Owner()
    transport = a_transport(mux, owner)
    transport.expect(bytes(32))
    alert = b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28"  # fatal: handshake failure
    transport.receive_dtls(alert)
    transport.receive_dtls(alert)
    assert len(owner.told) <= 1
    transport.close()
    mux.close()


@in_loop
async def test_counts_forged_packets_and_reports_and_hands_none_on() -> None:
    mux, owner = UdpMux.open(LOOPBACK, 0), Owner()
    transport = a_transport(mux, owner)
    transport._unprotector = Unprotector(AEAD_AES_256_GCM, bytes(44))
    stranger = Protector(AEAD_AES_256_GCM, b"\x01" * 44)
    transport.receive_srtp(stranger.protect(b"\x80\x6f" + bytes(20)))
    transport.receive_srtcp(stranger.protect_rtcp(format_rtcp([ReceiverReport(7)])))
    assert (owner.told, transport.statistics().forged) == ([], 2)
    mux.close()

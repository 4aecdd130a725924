"""The port: who gets a datagram, who gets none, and what is counted."""

from __future__ import annotations

import asyncio
import socket

import pytest

from node.media.rig import LOOPBACK, Changes, in_loop
from telcon.errors import PortError
from telcon.node.media.mux import Address, UdpMux

STUN = bytes(20)
DTLS = b"\x16" + bytes(20)
SRTP = b"\x80\x6f" + bytes(6) + bytes.fromhex("0a0b0c01") + b"payload"
SRTCP = b"\x80\xc8\x00\x06" + bytes.fromhex("0a0b0c01") + bytes(20)
UNKNOWN = b"\x40" + bytes(20)


class Receiver:
    """Takes everything and tells what kind it was."""

    def __init__(self, *, authenticates: bool = True) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.changes = Changes()
        self.authenticates = authenticates

    def _take(self, kind: str, data: bytes) -> None:
        self.taken.append((kind, data))
        self.changes.notify()

    def receive_dtls(self, data: bytes) -> None:
        self._take("dtls", data)

    def receive_srtp(self, data: bytes) -> None:
        self._take("srtp", data)

    def receive_srtcp(self, data: bytes) -> None:
        self._take("srtcp", data)

    def receive_stun(self, data: bytes, address: Address) -> bool:
        self._take("stun", data)
        return self.authenticates

    def receive_unbound(self, data: bytes, address: Address, *, is_rtcp: bool) -> bool:
        self._take("trunk reports" if is_rtcp else "trunk", data)
        return self.authenticates

    async def took(self, count: int) -> None:
        await self.changes.until(lambda: len(self.taken) >= count)


class Sender:
    """A plain socket, and the mux it sends to."""

    def __init__(self, mux: UdpMux) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((LOOPBACK, 0))
        self.socket.connect((LOOPBACK, mux.port))
        self.address: Address = self.socket.getsockname()
        self.seen = Receiver()
        mux.on_stun = self.seen.receive_stun

    async def send(self, *datagrams: bytes) -> None:
        """Send and return when all of it has been looked at."""
        before = len(self.seen.taken)
        for datagram in (*datagrams, STUN):
            self.socket.send(datagram)
        await self.seen.took(before + 1)

    def close(self) -> None:
        self.socket.close()


@in_loop
async def test_tells_the_kinds_apart_for_a_bound_address() -> None:
    mux, receiver = UdpMux.open(LOOPBACK, 0), Receiver()
    sender = Sender(mux)
    assert mux.bind(sender.address, receiver)
    await sender.send(DTLS, SRTP, SRTCP)
    assert receiver.taken == [("dtls", DTLS), ("srtp", SRTP), ("srtcp", SRTCP)]
    assert set(mux.statistics().refused.values()) == {0}
    sender.close()
    mux.close()


@in_loop
async def test_counts_and_drops_what_comes_from_unbound_addresses() -> None:
    mux = UdpMux.open(LOOPBACK, 0)
    sender = Sender(mux)
    sender.seen.authenticates = False
    await sender.send(DTLS, DTLS, SRTP, SRTCP, UNKNOWN, b"", b"\x80short")
    refused = mux.statistics().refused
    assert refused == {"dtls": 2, "srtp": 1, "srtcp": 1, "unknown": 3, "stun": 1}
    sender.close()
    mux.close()


@in_loop
async def test_takes_nothing_more_once_unbound() -> None:
    mux, receiver = UdpMux.open(LOOPBACK, 0), Receiver()
    sender = Sender(mux)
    mux.bind(sender.address, receiver)
    mux.unbind(sender.address, receiver)
    await sender.send(SRTP)
    assert receiver.taken == []
    sender.close()
    mux.close()


@in_loop
async def test_an_address_cannot_be_taken_from_another() -> None:
    mux, first, second = UdpMux.open(LOOPBACK, 0), Receiver(), Receiver()
    sender = Sender(mux)
    assert mux.bind(sender.address, first)
    assert mux.bind(sender.address, first)
    assert not mux.bind(sender.address, second)
    mux.unbind(sender.address, second)
    await sender.send(SRTP)
    assert (len(first.taken), len(second.taken)) == (1, 0)
    sender.close()
    mux.close()


@in_loop
async def test_offers_a_trunk_what_bears_its_prefix_until_one_authenticates_it() -> None:
    mux, stranger, trunk, third = UdpMux.open(LOOPBACK, 0), Receiver(), Receiver(), Receiver()
    stranger.authenticates = False
    for receiver in (stranger, trunk, third, trunk):
        mux.register_ssrc(0x0A0B0C, receiver)
    sender = Sender(mux)
    await sender.send(SRTP, SRTCP)
    assert stranger.taken == trunk.taken == [("trunk", SRTP), ("trunk reports", SRTCP)]
    assert third.taken == []
    sender.close()
    mux.close()


@in_loop
async def test_refuses_what_no_trunk_authenticates() -> None:
    mux, stranger = UdpMux.open(LOOPBACK, 0), Receiver(authenticates=False)
    mux.register_ssrc(0x0A0B0C, stranger)
    sender = Sender(mux)
    await sender.send(SRTP)
    mux.unregister_ssrc(0x0A0B0C, stranger)
    await sender.send(SRTP)
    assert len(stranger.taken) == 1
    assert mux.statistics().refused["srtp"] == 2
    sender.close()
    mux.close()


@in_loop
async def test_a_bound_address_goes_before_a_trunk() -> None:
    mux, leg, trunk = UdpMux.open(LOOPBACK, 0), Receiver(), Receiver()
    sender = Sender(mux)
    mux.bind(sender.address, leg)
    mux.register_ssrc(0x0A0B0C, trunk)
    await sender.send(SRTP)
    assert (len(leg.taken), trunk.taken) == (1, [])
    sender.close()
    mux.close()


@in_loop
async def test_drains_more_than_one_wake_up_takes() -> None:
    mux, receiver = UdpMux.open(LOOPBACK, 0), Receiver()
    sender = Sender(mux)
    mux.bind(sender.address, receiver)
    for _ in range(300):
        sender.socket.send(SRTP)
    await receiver.took(300)
    assert mux.statistics().received == 300
    sender.close()
    mux.close()


def test_a_receiver_that_fails_does_not_stop_the_others() -> None:
    reported: list[str] = []

    class Failing(Receiver):
        def receive_dtls(self, data: bytes) -> None:
            raise ZeroDivisionError

    async def test() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, what: reported.append(str(what["message"])))
        mux, receiver = UdpMux.open(LOOPBACK, 0), Failing()
        sender = Sender(mux)
        mux.bind(sender.address, receiver)
        await sender.send(*[DTLS] * 20, SRTP)
        assert receiver.taken == [("srtp", SRTP)]
        assert mux.statistics().receiver_errors == 20
        assert len(reported) == 2  # the first and the tenth
        sender.close()
        mux.close()

    asyncio.run(test())


@in_loop
async def test_sends_and_counts_what_cannot_be_sent() -> None:
    mux, other = UdpMux.open(LOOPBACK, 0), UdpMux.open(LOOPBACK, 0)
    mux.send(SRTP, (LOOPBACK, other.port))
    mux.send(bytes(70_000), (LOOPBACK, other.port))
    statistics = mux.statistics()
    assert (statistics.sent, statistics.send_failures) == (1, 1)
    mux.close()
    other.close()


@in_loop
async def test_says_which_port_is_taken_and_what_to_do() -> None:
    mux = UdpMux.open(LOOPBACK, 0)
    with pytest.raises(PortError, match=f"port {mux.port}") as caught:
        UdpMux.open(LOOPBACK, mux.port)
    assert "another" in caught.value.advice()
    mux.close()


@in_loop
async def test_refuses_a_host_that_is_no_address() -> None:
    with pytest.raises(PortError, match="not an IP address"):
        UdpMux.open("arcadia.example", 0)


@in_loop
async def test_frees_its_port_when_closed() -> None:
    mux = UdpMux.open(LOOPBACK, 0)
    port = mux.port
    mux.close()
    mux.close()
    UdpMux.open(LOOPBACK, port).close()


@in_loop
async def test_speaks_ipv6() -> None:
    mux, receiver = UdpMux.open("::1", 0), Receiver()
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.bind(("::1", 0))
    mux.bind(sock.getsockname(), receiver)
    sock.sendto(SRTP, ("::1", mux.port))
    await receiver.took(1)
    assert receiver.taken == [("srtp", SRTP)]
    sock.close()
    mux.close()

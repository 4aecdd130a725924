import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from node.link.pairs import NOW_US, Book, Side, altered, invite, side
from node.link.rig import Node, Watched, run
from telcon.errors import InvitationError, LinkDownError, PortError, StorageError
from telcon.node.link.invitation import Invitation
from telcon.node.link.pairing import Paired
from telcon.node.link.pairing_link import MAX_GUESTS, PairingServer, accept_invitation
from telcon.node.link.times import LinkTimes

TIMES = LinkTimes(linger_s=0.3)


class Inviter(Watched):
    """Arcadia's pairing listener with its book and its audit."""

    def __init__(self, own: Side, book: Book | None = None) -> None:
        super().__init__()
        self.own = own
        self.book = book or Book()
        self.refused: list[str] = []
        self.paired: list[Paired] = []
        self.now_us = NOW_US
        self.server = PairingServer(
            own.certificate,
            self.book,
            on_refused=self._note_refused,
            on_paired=self._note_paired,
            times=TIMES,
            now_us=lambda: self.now_us,
        )

    def invite(self) -> Invitation:
        invitation = invite(self.own, self.server.port)
        self.book.add(invitation, self.own.own)
        return invitation

    def _note_refused(self, reason: str, fingerprint: str | None, address: str) -> None:
        self.refused.append(reason)
        self.change()

    def _note_paired(self, paired: Paired) -> None:
        self.paired.append(paired)
        self.change()


@contextlib.asynccontextmanager
async def inviting(folder: Path, book: Book | None = None) -> AsyncIterator[tuple[Inviter, Side]]:
    inviter = Inviter(side(folder, "arcadia.example", seed=1), book)
    await inviter.server.start("127.0.0.1", 0)
    try:
        yield inviter, side(folder, "borealis.example", seed=5)
    finally:
        await inviter.server.close()


async def accept(invitation: Invitation, own: Side, now_us: int = NOW_US) -> Paired:
    return await accept_invitation(invitation, own.own, times=TIMES, now_us=lambda: now_us)


def test_two_nodes_pair_and_see_the_same_words(tmp_path: Path) -> None:
    async def test() -> None:
        async with inviting(tmp_path) as (arcadia, borealis):
            theirs = await accept(arcadia.invite(), borealis)
            await arcadia.until(lambda: arcadia.paired)
        (ours,) = arcadia.paired
        assert ours.words == theirs.words
        assert arcadia.book.kept == [ours]
        assert ours.peer_certificate == borealis.certificate.der
        assert theirs.peer_certificate == arcadia.own.certificate.der
        assert arcadia.refused == []

    run(test())


async def both_refuse(
    arcadia: Inviter, invitation: Invitation, borealis: Side, reason: str
) -> None:
    """Expect the reason at the accepter's person and in the inviter's audit; nothing kept."""
    with pytest.raises(InvitationError, match=reason) as refused:
        await accept(invitation, borealis)
    assert "new invitation" in refused.value.advice()
    await arcadia.until(lambda: arcadia.refused)
    assert reason in arcadia.refused[0]
    assert arcadia.book.kept == []


def test_a_used_invitation_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with inviting(tmp_path) as (arcadia, borealis):
            invitation = arcadia.invite()
            await accept(invitation, borealis)
            arcadia.book.kept.clear()
            await both_refuse(arcadia, invitation, borealis, "used already")

    run(test())


def test_of_two_at_once_one_gets_the_invitation(tmp_path: Path) -> None:
    async def test() -> None:
        async with inviting(tmp_path) as (arcadia, borealis):
            invitation = arcadia.invite()
            outcomes = await asyncio.gather(
                *(accept(invitation, borealis) for _ in range(2)), return_exceptions=True
            )
        assert sorted(type(outcome).__name__ for outcome in outcomes) == [
            "InvitationError",
            "Paired",
        ]

    run(test())


def test_an_unknown_secret_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with inviting(tmp_path) as (arcadia, borealis):
            guess = altered(arcadia.invite(), secret="f" * 32)
            await both_refuse(arcadia, guess, borealis, "unknown")

    run(test())


def test_an_expired_invitation_is_refused_by_the_inviters_clock(tmp_path: Path) -> None:
    async def test() -> None:
        async with inviting(tmp_path) as (arcadia, borealis):
            invitation = arcadia.invite()
            arcadia.now_us = invitation.expires
            await both_refuse(arcadia, invitation, borealis, "expired")

    run(test())


def test_the_secret_goes_to_no_other_certificate(tmp_path: Path) -> None:
    async def test() -> None:
        async with inviting(tmp_path) as (arcadia, borealis):
            invitation = altered(arcadia.invite(), tls="0" * 64)
            with pytest.raises(InvitationError, match="not the node") as refused:
                await accept(invitation, borealis)
            assert "Somebody else" in refused.value.advice()
            assert arcadia.book.used == set()

    run(test())


def test_a_second_address_is_tried(tmp_path: Path) -> None:
    async def test() -> None:
        async with inviting(tmp_path) as (arcadia, borealis):
            invitation = arcadia.invite()
            addresses = ("127.0.0.1:1", *invitation.addresses)
            assert await accept(altered(invitation, addresses=addresses), borealis)

    run(test())


def test_an_inviter_that_cannot_be_reached_is_said_in_words(tmp_path: Path) -> None:
    async def test() -> None:
        async with inviting(tmp_path) as (arcadia, borealis):
            invitation = altered(arcadia.invite(), addresses=("127.0.0.1:1",))
            with pytest.raises(LinkDownError, match="cannot be reached") as down:
                await accept(invitation, borealis)
            assert "firewall" in down.value.advice()

    run(test())


def test_an_address_of_the_link_instead_is_said_in_words(tmp_path: Path) -> None:
    async def test() -> None:
        async with inviting(tmp_path) as (arcadia, borealis):
            link = Node(tmp_path / "arcadia.example", "arcadia.example")
            await link.server.start("127.0.0.1", 0)
            address = f"127.0.0.1:{link.server.port}"
            with pytest.raises(LinkDownError, match="does not take pairings") as down:
                await accept(altered(arcadia.invite(), addresses=(address,)), borealis)
            assert "port for pairing" in down.value.advice()
            await link.server.close()

    run(test())


def test_a_disk_that_refuses_at_the_inviter_lets_nobody_see_words(tmp_path: Path) -> None:
    class FullDisk(Book):
        async def keep(self, paired: Paired) -> None:
            raise StorageError("the disk is full")

    async def test() -> None:
        async with inviting(tmp_path, FullDisk()) as (arcadia, borealis):
            with pytest.raises(InvitationError, match="could not store"):
                await accept(arcadia.invite(), borealis)
            await arcadia.until(lambda: arcadia.refused)
        assert arcadia.refused == ["the disk is full"]
        assert arcadia.paired == []

    run(test())


def test_the_pairing_listener_does_nothing_but_pair(tmp_path: Path) -> None:
    async def test() -> None:
        async with inviting(tmp_path) as (arcadia, _):
            for path in ("/", "/telcon/v1/" + "0" * 32, "/telcon/pair/"):
                with pytest.raises(InvalidStatus, match="404"):
                    async with strange(arcadia, path):
                        pass

    run(test())


def strange(arcadia: Inviter, path: str = "/telcon/pair") -> connect:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return connect(f"wss://127.0.0.1:{arcadia.server.port}{path}", ssl=context, proxy=None)


@pytest.mark.parametrize("frame", [b"\xc1", b"\x91\xa5hello", b"\x93\xa7refused"])
def test_a_malformed_frame_is_answered_and_closes(tmp_path: Path, frame: bytes) -> None:
    async def test() -> None:
        async with inviting(tmp_path) as (arcadia, _), strange(arcadia) as client:
            await client.send(frame)
            answer = await client.recv()
            assert isinstance(answer, bytes)
            assert msgspec.msgpack.decode(answer) == [
                "refused",
                "a frame that cannot be read",
                "other",
            ]
            with pytest.raises(ConnectionClosed):
                await client.recv()
            await arcadia.until(lambda: arcadia.refused)

    run(test())


def test_guests_that_pair_nothing_are_bounded_and_a_real_one_gets_in(tmp_path: Path) -> None:
    async def test() -> None:
        async with inviting(tmp_path) as (arcadia, borealis), contextlib.AsyncExitStack() as stack:
            for _ in range(MAX_GUESTS + 4):
                await stack.enter_async_context(strange(arcadia))
            assert await accept(arcadia.invite(), borealis)
            assert "too many at once" in arcadia.refused

    run(test())


def test_closing_gives_up_what_is_under_way(tmp_path: Path) -> None:
    async def test() -> None:
        async with inviting(tmp_path) as (arcadia, _), strange(arcadia) as client:
            await arcadia.server.close()
            with pytest.raises(ConnectionClosed):
                await client.recv()
        assert arcadia.refused == []

    run(test())


def test_a_pairing_port_in_use_is_said_in_words(tmp_path: Path) -> None:
    async def test() -> None:
        async with inviting(tmp_path) as (arcadia, _):
            second = Inviter(arcadia.own)
            with pytest.raises(PortError, match="something else listens"):
                await second.server.start("127.0.0.1", arcadia.server.port)

    run(test())

"""Who pairs under a name that is not theirs, guesses, or sits in the middle."""

import asyncio
import contextlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from hostile.peer import VICTIM, HostilePeer, node_in, run
from node.link.pairs import NOW_US, invite, renamed, side
from node.link.test_pairing_link import accept, inviting, strange
from telcon.errors import InvitationError, MalformedError, TelconError
from telcon.ledger import KeyCard
from telcon.node.commands import Commands
from telcon.node.link.pairing import AccepterMachine, InviterMachine, Paired
from telcon.node.link.pairing_link import MAX_GUESTS


def _ignore(_: object) -> None:
    pass


@pytest.mark.parametrize("name", ["аrcadia.example", "Borealis.example", "b\nx", "b\u202e", "-b"])
def test_names_that_only_look_like_names_cannot_even_be_written(name: str, tmp_path: Path) -> None:
    one = side(tmp_path, "borealis.example", seed=1)
    with pytest.raises(MalformedError):
        renamed(one, name)


def test_the_victims_own_name_and_the_name_of_another_peer_are_refused(tmp_path: Path) -> None:
    async def attack() -> None:
        async with node_in(tmp_path / "arcadia") as node:
            await HostilePeer(tmp_path, node).pair(tmp_path)
            for name in (VICTIM, "borealis.example"):
                eve = HostilePeer(tmp_path / "eve", node, name)
                with pytest.raises(TelconError):
                    await eve.accept(tmp_path)
            lines = (await Commands(node)._lines({}, _ignore))["lines"]
            assert [line["peer"] for line in lines] == ["borealis.example"]

    run(attack())


def test_a_guessed_secret_costs_no_commit(tmp_path: Path) -> None:
    async def attack() -> None:
        async with node_in(tmp_path / "arcadia") as node:
            before = node.store.statistics().failed
            for _ in range(20):
                with pytest.raises(InvitationError, match="unknown"):
                    await node.introductions.use(os.urandom(32), 0)
            assert node.store.statistics().failed == before

    run(attack())


def test_a_crowd_of_strangers_does_not_push_out_who_has_shown_the_secret(tmp_path: Path) -> None:
    async def attack() -> None:
        async with inviting(tmp_path) as (arcadia, borealis), contextlib.AsyncExitStack() as crowd:
            shown = asyncio.Event()
            keep = arcadia.book.keep

            async def slowly(paired: Paired) -> None:
                shown.set()
                for _ in range(MAX_GUESTS + 4):
                    await crowd.enter_async_context(strange(arcadia))
                await keep(paired)

            arcadia.book.keep = slowly  # type: ignore[method-assign]
            assert await accept(arcadia.invite(), borealis)
            assert shown.is_set()

    run(attack())


def test_words_of_the_wrong_pairing_open_nothing(tmp_path: Path) -> None:
    async def attack() -> None:
        async with node_in(tmp_path / "arcadia") as node:
            eve = HostilePeer(tmp_path, node)
            paired, inviting = await eve.accept(tmp_path)
            await inviting
            words = " ".join(reversed(paired.words))
            with pytest.raises(InvitationError, match="not the words"):
                await Commands(node)._confirm({"peer": eve.name, "words": words}, _ignore)
            assert node.store.lines() == []

    run(attack())


def test_in_the_middle_neither_card_nor_nonce_can_be_chosen_after_the_others_nonce(
    tmp_path: Path,
) -> None:
    """Eve is bound towards both before she sees either nonce; what she changes after is refused."""
    inviter, accepter = side(tmp_path, "a.example", seed=1), side(tmp_path, "b.example", seed=3)
    invitation = invite(inviter)
    asking = AccepterMachine(invitation, accepter.own, bytes(32), now_us=NOW_US)
    giving = InviterMachine(b"n" * 32)
    (accept,) = asking.frames_to_send()
    giving.receive_frame(accept)
    giving.admit(inviter.own)
    (card,) = giving.frames_to_send()
    asking.receive_frame(card)
    (theirs,) = asking.frames_to_send()
    other_nonce = theirs[:-32] + b"x" * 32
    with pytest.raises(InvitationError, match="nonce is not the one"):
        giving.receive_frame(other_nonce)


def test_a_card_that_borrows_a_key_of_ours_is_refused(tmp_path: Path) -> None:
    inviter, accepter = side(tmp_path, "a.example", seed=1), side(tmp_path, "b.example", seed=3)
    mine: KeyCard = inviter.card
    stolen = replace(accepter.card, log=replace(accepter.card.log, public=mine.mirror.public))
    asking = AccepterMachine(
        invite(inviter), replace(accepter, card=stolen).own, bytes(32), now_us=NOW_US
    )
    giving = InviterMachine(b"n" * 32)
    giving.receive_frame(asking.frames_to_send()[0])
    giving.admit(inviter.own)
    with pytest.raises(InvitationError, match="one key stands in both"):
        asking.receive_frame(giving.frames_to_send()[0])

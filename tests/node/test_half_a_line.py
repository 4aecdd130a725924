"""A line that one side has confirmed and the other has not: it must not stand in the way."""

import asyncio
from pathlib import Path

import pytest

from fakes.two_nodes import TwoNodes, ask, audited, exchange, pair, two_nodes, until
from telcon.errors import InvitationError
from telcon.node.assembly import Node

NAMES = ("arcadia.example", "borealis.example")
OTHER_WORDS = "abandon ability able about above absent"


async def half_a_line(both: TwoNodes) -> None:
    """Let Arcadia confirm, and Borealis mistype."""
    words, _ = await exchange(*both.nodes, both.folder / "first")
    await ask(both.arcadia, "confirm", peer=NAMES[1], words=words)
    with pytest.raises(InvitationError, match="not the words"):
        await ask(both.borealis, "confirm", peer=NAMES[0], words=OTHER_WORDS)


def test_the_two_can_pair_again_and_the_screen_shows_one_line(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path, paired=False) as both:
            await half_a_line(both)
            await pair(*both.nodes, both.folder / "second")
            await both.up()
            assert len(both.arcadia.desk.snapshot("page")["lines"]) == 1
            await until(lambda: log_size(both.borealis, NAMES[0]) > 0)
            assert audited(both.borealis, "audit.line.wrong-previous") == []
            lines = (await ask(both.borealis, "lines"))["lines"]
            assert [line["previous"] for line in lines] == [None]

    asyncio.run(run())


def log_size(node: Node, peer: str) -> int:
    """Return how much of the newest log of `peer` is here."""
    record = next(one for one in node.store.lines() if one.peer_name == peer)
    return node.store.stored_log(record.peer_origin).size


def test_a_restart_does_not_bring_the_dead_line_back_to_the_screen(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path, paired=False) as both:
            await half_a_line(both)
            await pair(*both.nodes, both.folder / "second")
            await both.up()
            await both.restart(both.arcadia)
            assert len(both.arcadia.desk.snapshot("page")["lines"]) == 1

    asyncio.run(run())

"""A real node, and a line with it: paired both ways, opened, and called over it."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from demo.device import ScriptedDevice
from demo.nodes import DemoNode, Party
from fakes.ports import own_ports
from fakes.quiet import let_lines_be_tested
from fakes.warm import WarmNode
from stranger.entries import TYPES
from stranger.node import Line
from stranger.pairing import Invitation, Paired, Self, accept, knock
from stranger.tlog import sha256

OURS = {"lang": "en", "name": "Sam Doe", "office": "Nobody you know", "organisation": "Elsewhere"}


@contextmanager
def started(party: Party, folder: Path) -> Iterator[DemoNode]:
    """Run a node of its own process."""
    node = WarmNode(party, folder)
    node.set_up(own_ports(4))
    let_lines_be_tested(folder, 0)
    node.start()
    try:
        yield node
    finally:
        node.kill()


def own_address() -> str:
    """Return a free address for us to listen on."""
    return f"127.0.0.1:{own_ports(1)[0]}"


@asynccontextmanager
async def sign_in(node: DemoNode) -> AsyncIterator[ScriptedDevice]:
    """Be the principal of `node`, on a device that sees the line up."""
    device = await ScriptedDevice.open(await asyncio.to_thread(node.sign_in_link))
    try:
        await device.wait(lambda shown: bool(shown["lines"]) and shown["lines"][0]["up"])
        yield device
    finally:
        await device.close()


def words_in(printed: str) -> str:
    found = re.search(r"^Words: (.+)$", printed, re.MULTILINE)
    assert found is not None, printed
    return found[1]


async def command(node: DemoNode, *arguments: str) -> str:
    return await asyncio.to_thread(node.telcon, *arguments)


async def be_invited(node: DemoNode, file: Path, name: str) -> Paired:
    """Pair with `node` by the invitation that it writes, and have it confirm."""
    inviting = node.begin("line", "invite", "--out", str(file))
    assert inviting.stdout is not None
    await asyncio.to_thread(inviting.stdout.readline)
    invitation = await asyncio.to_thread(file.read_bytes)
    kind, _reason, code = await knock(invitation, os.urandom(16))
    assert (kind, code) == ("refused", "unknown")  # and the invitation is not used up by that
    paired = await accept(invitation, name, OURS)
    printed, _ = await asyncio.to_thread(inviting.communicate)
    assert paired.words == words_in(printed)
    await command(node, "line", "confirm", name, "--words", paired.words)
    return paired


async def invite(node: DemoNode, file: Path, name: str, address: str) -> Paired:
    """Pair with `node` by an invitation of ours, and have it confirm."""
    async with Invitation(Self(name, os.urandom(16).hex(), OURS, [address])) as invitation:
        await asyncio.to_thread(file.write_bytes, invitation.file)
        printed = await command(node, "line", "accept", str(file))
        paired = await asyncio.wait_for(invitation.paired, 30)
    assert paired.words == words_in(printed)
    await command(node, "line", "confirm", name, "--words", paired.words)
    return paired


def open_log(line: Line) -> None:
    """Write the two entries that begin our log."""
    cards = sorted([(line.me.name, line.me.card), (line.peer.name, line.peer.card)])
    line.append("line.opened", cards=[sha256(card).hex() for _, card in cards], previous=None)
    line.append(
        "line.terms",
        types=[[name, 1] for name in sorted(TYPES)],
        policy="mirror",
        conditions=[],
        link_lost="go on",
    )


async def be_opened(line: Line) -> None:
    """Wait until both logs are open and ours is cosigned; check what theirs says."""
    _, opened = await line.entry("line.opened")
    _, terms = await line.entry("line.terms")
    await line.wait(lambda: line.ours.cosigned == line.ours.size)
    cards = sorted([(line.me.name, line.me.card), (line.peer.name, line.peer.card)])
    assert opened["cards"] == [sha256(card).hex() for _, card in cards]
    assert opened["previous"] is None
    assert {name for name, _ in terms["types"]} == set(TYPES)
    assert terms["types"] == sorted(terms["types"])
    assert (terms["policy"], terms["conditions"]) == ("mirror", [])
    assert terms["link_lost"] == line.peer.terms["link_lost"]

"""Whole nodes that come back on old disks, and one that runs twice: sockets, files and all."""

import asyncio
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.ports import own_ports
from fakes.two_nodes import (
    TwoNodes,
    ask,
    audited,
    desk_of,
    line_of,
    on_two_nodes,
    pair,
    until,
    wait_audited,
)
from telcon.core import draft as drafts
from telcon.core.duties import ENDED_THERE_REASON
from telcon.core.seal import Person, Text
from telcon.errors import OperatorError
from telcon.node.assembly import Node
from telcon.node.folder import NEVER_RESTORE
from telcon.node.settings import NodeSettings
from telcon.node.store.engine import DATABASE

EVE = Person("en", "Eve", "", "")


async def say(node: Node, text: str) -> None:
    await line_of(node).act(drafts.message(EVE, EVE, Text("en", text)))


async def said(node: Node, other: Node, text: str) -> None:
    """Say something, and wait until the other node has signed that it holds it."""
    await say(node, text)
    line = line_of(node)
    await until(lambda: line.machine.waiting == 0)
    assert line_of(other).machine.cosigned_here == line.machine.fold.size(own(node))


def own(node: Node) -> str:
    return str(line_of(node).identity.own_card.log.name)


def entries(node: Node) -> int:
    return line_of(node).machine.fold.size(own(node))


def back_up(node: Node, to: Path) -> None:
    """Copy the database of a running node as docs/operating.md says."""
    with sqlite3.connect(node.folder / DATABASE) as source, sqlite3.connect(to) as copy:
        source.backup(copy)
    source.close()
    copy.close()


async def restored(both: TwoNodes, backup: Path, *, with_marker: bool) -> Node:
    """End Arcadia, put the backup in place of its database, and start it again."""
    folder = both.arcadia.folder
    await both.arcadia.close()
    for old in folder.glob(f"{DATABASE}*"):
        old.unlink()
    shutil.copy(backup, folder / DATABASE)
    if not with_marker:
        shutil.rmtree(folder / NEVER_RESTORE)
    both.arcadia = await Node.start(folder, both.clock)
    return both.arcadia


@on_two_nodes
async def test_a_node_on_an_old_backup_reads_back_what_it_lacks_and_goes_on(
    both: TwoNodes,
) -> None:
    await said(both.arcadia, both.borealis, "in the backup")
    back_up(both.arcadia, both.folder / "backup")
    for number in range(3):
        await said(both.arcadia, both.borealis, f"after it {number}")
        await said(both.borealis, both.arcadia, f"theirs after it {number}")
    size = entries(both.arcadia)
    node = await restored(both, both.folder / "backup", with_marker=True)
    await both.up()
    assert entries(node) == size
    assert '"entries":3' in await wait_audited(node, "audit.line.refilled")
    await said(node, both.borealis, "as if nothing had been")
    assert both.borealis.store.evidence(line_of(node).identity.line) == []
    assert desk_of(node).broken is None


@on_two_nodes
async def test_a_node_on_an_old_backup_without_its_marker_signs_no_more_and_says_so(
    both: TwoNodes,
) -> None:
    await said(both.arcadia, both.borealis, "in the backup")
    back_up(both.arcadia, both.folder / "backup")
    await said(both.arcadia, both.borealis, "after it")
    node = await restored(both, both.folder / "backup", with_marker=False)
    assert "the marker is gone" in await wait_audited(node, "audit.line.broken")
    assert "has ended" in (desk_of(node).broken or "")
    assert not desk_of(node).evidence.is_open  # nobody has signed twice
    await until(lambda: line_of(both.borealis).up_since_us is not None)
    await say(both.borealis, "can you read this")
    await until(lambda: bool(audited(both.borealis, "audit.peer.push-refused")))
    assert both.borealis.store.evidence(line_of(node).identity.line) == []


@on_two_nodes
async def test_who_rings_a_side_whose_log_has_ended_hears_so_at_once(both: TwoNodes) -> None:
    await said(both.arcadia, both.borealis, "in the backup")
    back_up(both.arcadia, both.folder / "backup")
    await said(both.arcadia, both.borealis, "after it")
    await restored(both, both.folder / "backup", with_marker=False)
    await until(lambda: line_of(both.borealis).is_up)
    voss = both.phone(both.borealis)
    call = await voss.ring()  # nothing was pushed before that the other side could have refused
    await voss.wait_phase("failed")  # the clock of the time-outs stands still
    await voss.wait(lambda shown: shown["call"]["ended"]["reason"] == ENDED_THERE_REASON.text)
    assert "its log of this line has ended" in voss.shown["lines"][0]["broken"]
    size = entries(both.borealis)
    with pytest.raises(OperatorError, match="it takes no call"):
        await voss.ring()
    assert entries(both.borealis) == size
    assert call in line_of(both.borealis).machine.fold.calls
    (listed,) = (await ask(both.borealis, "lines"))["lines"]
    assert "Pair the line anew" in listed["broken"]
    await pair(*both.nodes, both.folder / "anew")  # neither line stands in the way
    await both.up()


@on_two_nodes
async def test_a_node_and_its_copy_sign_one_history_and_one_of_them_ends(both: TwoNodes) -> None:
    await said(both.arcadia, both.borealis, "before")
    copied = both.folder / "copied"
    elsewhere = own_ports(4)  # while the original holds its own
    await both.arcadia.close()
    await asyncio.to_thread(shutil.copytree, both.arcadia.folder, copied, ignore=_control)
    both.arcadia = await Node.start(both.arcadia.folder, both.clock)
    await until(lambda: line_of(both.arcadia).is_up)
    await said(both.arcadia, both.borealis, "the original")
    original = both.arcadia
    await original.close()  # a machine that was moved, and nobody looks at it
    moved(copied, elsewhere)
    copy = await Node.start(copied, both.clock)
    try:
        await until(lambda: line_of(copy).is_up and entries(copy) == 4)
        await said(copy, both.borealis, "the copy, which has read what the original wrote")
        await copy._link.remove_line(line_of(copy).identity.line)
        both.arcadia = await Node.start(original.folder, both.clock)
        await until(lambda: line_of(both.arcadia).is_up and entries(both.arcadia) == 5)
        await say(copy, "the copy, unlinked")
        await said(both.arcadia, both.borealis, "the original again")
    finally:
        await copy.close()
    copy = await Node.start(copied, both.clock)
    try:
        assert "another history" in await wait_audited(copy, "audit.line.broken")
        assert not desk_of(copy).evidence.is_open  # what it wrote was never signed
        assert "has ended" in (desk_of(copy).broken or "")
    finally:
        await copy.close()
    await until(lambda: line_of(both.arcadia).is_up)
    await said(both.arcadia, both.borealis, "goes on")
    assert both.borealis.store.evidence(line_of(both.arcadia).identity.line) == []


def _control(_: str, names: list[str]) -> set[str]:
    return {name for name in names if name == "control"}


def moved(folder: Path, ports: list[int]) -> None:
    """Give the node in `folder` ports of its own, as another machine would."""
    settings = NodeSettings.read(folder)
    (folder / "node.toml").unlink()
    web, link, pairing, media = ports
    replace(
        settings,
        web=replace(settings.web, port=web),
        link=replace(settings.link, port=link, pairing_port=pairing),
        media=replace(settings.media, port=media),
    ).write(folder)

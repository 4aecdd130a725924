"""House logs over a line of two real nodes: pinned, cosigned, refused, forked, lied about."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fakes.two_nodes import TwoNodes, ask, audited, line_of, on_two_nodes, until, wait_audited
from telcon.cli import main
from telcon.core.house import STEP
from telcon.core.signals import HouseAskSignal
from telcon.errors import OperatorError
from telcon.ledger import (
    Checkpoint,
    SigningKey,
    format_vkey,
    open_checkpoint,
    sign_checkpoint,
)
from telcon.ledger.witness import format_submission
from telcon.node.assembly import Node
from telcon.node.house_acts import acts_of
from telcon.node.house_link import HouseLink
from telcon.node.store import Store
from telcon.node.store.engine import DATABASE, connect_reader
from telcon.node.store.reader import Reader


def link_of(node: Node) -> HouseLink:
    return node.house_link(line_of(node).identity.line)


def hour(node: Node) -> None:
    """Let a full hour come on this node."""
    node.house._turned_us = 0
    node.house.look()


async def cosigned(node: Node, by: Node, size: int) -> None:
    """Wait until the first `size` entries of a node's house log are cosigned, and stored so."""
    await pinned(node)
    log, witness = node.house.log, by.witnessing.vkey
    await until(lambda: log.signed is not None and log.signed.size >= size)
    await until(lambda: log.is_cosigned(size, witness))
    await node.house.flush()
    stored = node.store.stored_house(node.store.house_logs()[-1])
    assert stored.note(size) == log.signed_note(size)


async def pinned(node: Node) -> None:
    await until(lambda: link_of(node).pins is not None)


@on_two_nodes
async def test_each_witnesses_the_other_each_hour_and_sees_no_entry(both: TwoNodes) -> None:
    arcadia, borealis = both.nodes
    for one, other in ((arcadia, borealis), (borealis, arcadia)):
        await pinned(one)
        pins = link_of(one).pins
        assert pins is not None
        assert (pins.log, pins.witness) == (other.house.log.vkey, other.witnessing.vkey)
        told = json.loads(await wait_audited(one, "audit.house.pinned"))["fields"]
        assert told["log"] == format_vkey(other.house.log.vkey)
    for size in (STEP, 2 * STEP):
        for node in both.nodes:
            hour(node)
        await cosigned(arcadia, borealis, size)
        await cosigned(borealis, arcadia, size)
    arcadia = await both.restart(arcadia)
    await both.up()
    hour(arcadia)
    await cosigned(arcadia, borealis, 3 * STEP)
    held = [log for log in borealis.witnessing.logs() if log.origin == arcadia.house.log.origin]
    assert [log.size for log in held] == [3 * STEP]
    assert b"audit." not in b"".join(log.note or b"" for log in held)


@on_two_nodes
async def test_what_a_closed_database_kept_from_one_line_is_asked_an_hour_later(
    both: TwoNodes,
) -> None:
    node = both.arcadia
    hour(node)
    await cosigned(node, both.borealis, STEP)
    asked: list[str] = []
    another: Any = SimpleNamespace(ask=lambda: asked.append("another"), event=lambda _: None)
    node._house_links["another"] = another
    held: Any = node.house.log._stored
    closed = Reader(connect_reader(node.folder / DATABASE))
    closed.close()
    whole, held._reader = held._reader, closed
    hour(node)
    async with asyncio.timeout(20):
        await node.house.flush()
    held._reader = whole
    line = line_of(node).identity.line
    assert line in await wait_audited(node, "audit.node.storage-refused")
    assert asked == ["another"]
    hour(node)
    await cosigned(node, both.borealis, 3 * STEP)
    assert audited(node, "audit.house.not-cosigned") == []
    del node._house_links["another"]


@on_two_nodes
async def test_strangers_are_shown_the_last_full_hour_and_not_who_witnessed_it(
    both: TwoNodes,
) -> None:
    node = both.arcadia
    answers = node._public._ask
    path = "/house/checkpoint"
    assert (await answers("GET", path, b"")).status == 404
    hour(node)
    await cosigned(node, both.borealis, STEP)
    answer = await answers("GET", path, b"")
    assert open_checkpoint(answer.body, node.house.log.vkey) == node.house.log.signed
    assert both.borealis.settings.name.encode() in node.house.log.signed_note(STEP)
    assert both.borealis.settings.name.encode() not in answer.body
    assert (await answers("POST", path, b"")).status == 405
    for other in (path + "/", "/house", "/house/checkpoint?all"):
        assert (await answers("GET", other, b"")).status == 404


@on_two_nodes
async def test_an_entry_is_exported_beside_the_running_node_and_verified(both: TwoNodes) -> None:
    node, out = both.arcadia, both.folder / "out"
    hour(node)
    await cosigned(node, both.borealis, STEP)
    started = next(act for act in acts_of(node.store) if act.act == "audit.node.started")
    fields = {"origin": started.origin, "index": started.index, "folder": str(out)}
    await ask(node, "note", event="audit.house.exported", fields=fields)
    (act,) = [act for act in acts_of(node.store) if act.act == "audit.house.exported"]
    assert (act.by, act.details) == ("operator", fields)
    await wait_audited(node, "audit.house.exported")
    await node.close()  # the command below finds no node, and writes alone
    data = ["--data", str(node.folder), "house"]
    index = ["--entry", str(started.index)]
    assert await asyncio.to_thread(main, [*data, "export", *index, "--out", str(out)]) == 0
    receipt = out / "receipts" / f"{started.index:06}-audit.node.started.tlog-proof"
    policy = ["--policy", str(out / "policy.txt")]
    assert await asyncio.to_thread(main, ["verify", *policy, str(receipt)]) == 0
    assert await asyncio.to_thread(main, [*data, "log"]) == 0
    assert await asyncio.to_thread(main, [*data, "keys"]) == 0
    with Store.open_read_only(node.folder) as store:
        assert next(act.act for act in acts_of(store)) == "audit.house.exported"


@on_two_nodes
async def test_a_forked_house_log_is_refused_and_the_evidence_is_kept(both: TwoNodes) -> None:
    arcadia, borealis = both.nodes
    hour(arcadia)
    await cosigned(arcadia, borealis, STEP)
    key = SigningKey(arcadia.store.house_logs()[-1].seed)
    origin = arcadia.house.log.origin
    forks = [
        format_submission(STEP, (), sign_checkpoint(Checkpoint(origin, STEP, bytes(32)), key)),
        format_submission(
            STEP, (bytes(32),), sign_checkpoint(Checkpoint(origin, 99, bytes(32)), key)
        ),
    ]
    for body in forks:
        link_of(arcadia)._send("house-ask", HouseAskSignal(body))
    await until(lambda: len(borealis.witnessing.refused()) == len(forks))
    kept = borealis.witnessing.refused()
    assert [one.request for one in kept] == forks
    held = arcadia.house.log.signed_note(STEP).partition(b"\n\n")[0]
    assert all(one.held is not None and one.held.startswith(held) for one in kept)
    await until(lambda: len(audited(borealis, "audit.witness.refused")) == len(forks))
    hour(arcadia)  # the true one goes on
    await cosigned(arcadia, borealis, 2 * STEP)


@on_two_nodes
async def test_a_witness_that_lies_is_named_and_believed_again_by_command_alone(
    both: TwoNodes,
) -> None:
    arcadia, borealis = both.nodes
    await pinned(arcadia)
    true = borealis.witnessing.vkey
    borealis.witnessing._own = SigningKey(bytes(32))  # another than it has stated
    hour(arcadia)
    await wait_audited(arcadia, "audit.house.false-cosignature")
    assert arcadia.house.log.signed is not None
    assert not arcadia.house.log.is_cosigned(STEP, borealis.witnessing.vkey)
    await both.unlink()
    both.relink()
    await both.up()
    told = json.loads(await wait_audited(arcadia, "audit.house.pin-refused"))["fields"]
    assert told["changed"] == true.name
    pins = link_of(arcadia).pins
    assert pins is not None
    assert pins.witness == true
    hour(arcadia)
    await arcadia.house.flush()
    assert len(borealis.witnessing.logs()) == 1
    answer = await ask(arcadia, "trust-house", peer="borealis.example")
    assert answer["witness"] == format_vkey(borealis.witnessing.vkey)
    await cosigned(arcadia, borealis, 2 * STEP)
    await wait_audited(arcadia, "audit.house.trusted")


@on_two_nodes
async def test_what_makes_no_sense_is_named_and_costs_nobody_anything(both: TwoNodes) -> None:
    arcadia, borealis = both.nodes
    await pinned(arcadia)
    await pinned(borealis)
    pins = link_of(borealis).pins
    for kind in ("house", "house-ask", "house-answer", "house-else"):
        for body in (b"", b"\xff", b"\x80", b"\x81\xa4body\xc4\x00", b"\xc1" * 12_000):
            line_of(arcadia).signal(kind, "", body)
    await wait_audited(borealis, "audit.peer.misbehaved")
    await both.unlink()
    both.relink()
    await both.up()
    hour(arcadia)
    await cosigned(arcadia, borealis, STEP)
    assert link_of(borealis).pins == pins


@on_two_nodes
async def test_who_has_stated_nothing_cannot_be_trusted(both: TwoNodes) -> None:
    link = link_of(both.arcadia)
    await pinned(both.arcadia)
    link._stated = None
    with pytest.raises(OperatorError, match="has not stated its house log"):
        await link.trust()
    with pytest.raises(OperatorError):
        await ask(both.arcadia, "trust-house", peer="corelia.example")


def change(settings: Path) -> None:
    settings.write_text(settings.read_text() + "\n# a change\n")


@on_two_nodes
async def test_a_changed_setting_is_an_act(both: TwoNodes) -> None:
    node = both.arcadia
    await node.close()
    change(node.folder / "node.toml")
    node = await both.restart(node)
    await node.house.flush()
    (act,) = [act for act in acts_of(node.store) if act.act == "audit.settings.changed"]
    assert act.by == "operator"
    assert act.details["was"] != act.details["settings"]
    await both.up()

"""A node starts, is used, is killed or ends, and starts again."""

import asyncio
import json
import resource
import shutil
from pathlib import Path

import pytest

from demo.nodes import ARCADIA
from fakes.disk import open_recordings
from fakes.ports import own_ports
from fakes.two_nodes import (
    TwoNodes,
    ask,
    audited,
    desk_of,
    held,
    line_of,
    on_two_nodes,
    recorded,
    set_up,
    until,
    voice,
)
from telcon.core.call import CallState, Recording
from telcon.errors import LinkDownError, LockedError, PortError, SettingsError
from telcon.node.assembly import Node
from telcon.node.record.journal import How
from telcon.node.store import Store
from telcon.node.store.engine import DATABASE


@on_two_nodes
async def test_both_hear_each_other_and_both_record_both(both: TwoNodes) -> None:
    caller, callee, call = await both.call()
    rey, voss = voice("Rey", 40), voice("Voss", 40)
    await asyncio.gather(caller.say(rey), callee.say(voss))
    await asyncio.gather(caller.hears(voss), callee.hears(rey))
    assert (callee.heard, caller.heard) == (rey, voss)
    await caller.do("hang-up", call=call)
    for phone in (caller, callee):
        past = await phone.wait_past(call)
        assert past["phase"] == "ended"
    await asyncio.gather(both.arcadia.close(), both.borealis.close())
    for node in both.nodes:
        assert recorded(node, call, both.arcadia) == rey
        assert recorded(node, call, both.borealis) == voss


def own_recordings(state: CallState) -> list[Recording]:
    return [one for one in state.recordings if one.author.startswith("arcadia")]


@on_two_nodes
async def test_a_node_that_ends_in_a_call_says_so_and_closes_its_recordings(
    both: TwoNodes,
) -> None:
    rey, voss, call = await both.call()
    said = voice("Rey", 10)
    await rey.say(said)
    await voss.hears(said)
    calls = line_of(both.arcadia).machine.fold.calls
    await until(lambda: len(own_recordings(calls[call])) == 2)
    await both.arcadia.close()
    assert (await voss.wait_phase("failed"))["ended"]["reason"] == "node stopped"
    again = await both.restart(both.arcadia)
    state = line_of(again).machine.fold.calls[call]
    own = own_recordings(state)
    assert len(own) == 2
    assert all(one.off is not None for one in own)
    assert recorded(again, call, both.arcadia) == said


@on_two_nodes
async def test_a_killed_node_fails_its_call_and_recovers_its_recordings(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    said = voice("Rey", 70)
    await rey.say(said)
    await voss.hears(said)
    killed = both.folder / "killed"
    await asyncio.to_thread(copy, both.arcadia.folder, killed)  # as a crash leaves it
    await both.unlink()
    await both.arcadia.close()
    await asyncio.to_thread(put_back, killed, both.arcadia.folder)
    both.arcadia = await Node.start(both.arcadia.folder, both.clock)
    both.relink_one(both.borealis)
    past = await voss.wait_past(call)
    assert (past["phase"], past["reason"]) == ("failed", "node restarted")
    store = both.arcadia.store
    await until(lambda: not store.read(open_recordings))
    fold = line_of(both.arcadia).machine.fold
    offs = [one.off for one in fold.calls[call].recordings if one.author.startswith("arcadia")]
    assert len(offs) == 2
    assert None not in offs
    await until(
        lambda: all(line_of(node).machine.fold.calls[call].is_agreed for node in both.nodes)
    )
    for node in both.nodes:  # what was not on the disk yet came back from the other side
        assert recorded(node, call, both.arcadia) == said
    kept = held(both.arcadia, call, both.arcadia)
    returned = [packet.index for packet in kept if packet.how is How.RETURNED]
    assert returned == list(range(returned[0], len(said)))
    assert len(returned) * 20 <= 1_200


def copy(folder: Path, to: Path) -> None:
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("control"))


def put_back(copy: Path, folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)


@on_two_nodes
async def test_what_rings_here_rings_on_after_a_restart(both: TwoNodes) -> None:
    rey, voss = both.two_phones()
    call = await rey.ring()
    await voss.wait_phase("ringing")
    await rey.arm(call)
    await both.restart(both.borealis)
    await both.up()
    voss = both.phone(both.borealis)
    shown = await voss.wait_phase("ringing")
    assert shown["peer"]["name"] == "Adrian Rey"
    await voss.arm(call)
    await voss.answer(call)
    said = voice("Rey", 10)
    await rey.wait(lambda _: bool(desk_of(both.arcadia).board.calls.running[call].floor.gate.send))
    await rey.say(said)
    await voss.hears(said)


@on_two_nodes
async def test_a_node_that_ends_while_it_rings_tells_the_other_side_first(both: TwoNodes) -> None:
    rey, voss = both.two_phones()
    await rey.ring()
    await voss.wait_phase("ringing")
    await both.arcadia.close()
    assert line_of(both.borealis).machine.fold.going_on() == []


@on_two_nodes
async def test_a_ring_of_ours_does_not_outlive_a_crash(both: TwoNodes) -> None:
    rey, voss = both.two_phones()
    call = await rey.ring()
    await voss.wait_phase("ringing")
    await both.unlink()
    killed = both.folder / "killed"
    await asyncio.to_thread(copy, both.arcadia.folder, killed)
    await both.arcadia.close()
    await asyncio.to_thread(put_back, killed, both.arcadia.folder)
    both.arcadia = await Node.start(both.arcadia.folder, both.clock)
    both.relink_one(both.borealis)
    past = await voss.wait_past(call)
    assert (past["phase"], past["reason"]) == ("failed", "node restarted")


@on_two_nodes
async def test_a_recording_without_a_file_does_not_keep_the_node_from_starting(
    both: TwoNodes,
) -> None:
    rey, _, _ = await both.call()
    await rey.say(voice("Rey", 5))
    await both.unlink()
    killed = both.folder / "killed"
    await asyncio.to_thread(copy, both.arcadia.folder, killed)
    await asyncio.to_thread(shutil.rmtree, killed / "recordings")
    await both.arcadia.close()
    await asyncio.to_thread(put_back, killed, both.arcadia.folder)
    both.arcadia = await Node.start(both.arcadia.folder, both.clock)
    await until(lambda: not both.arcadia.store.read(open_recordings))


@on_two_nodes
async def test_a_node_ends_although_its_disk_refuses(both: TwoNodes) -> None:
    page = both.phone(both.arcadia)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (both.arcadia.folder / f"{DATABASE}-wal").stat().st_size  # not an octet more
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        writing = asyncio.create_task(page.do("message", **a_message(page)))
        for _ in range(60):
            await asyncio.sleep(0)
        await both.arcadia.close()
        with pytest.raises(LinkDownError, match="closing"):
            await writing
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def a_message(page: object, text: str = "x" * 1_900) -> dict[str, str]:
    return {"line": page.line, "text": text, "tag": "1", "lang": "en"}  # type: ignore[attr-defined]


@on_two_nodes
async def test_no_act_is_taken_once_the_node_has_ended(both: TwoNodes) -> None:
    page = both.phone(both.arcadia)
    await both.arcadia.close()
    with pytest.raises(LinkDownError, match="closing"):
        await page.do("message", **a_message(page))


@on_two_nodes
async def test_a_log_whose_terms_a_crash_lost_gets_them_at_the_next_start(both: TwoNodes) -> None:
    line = line_of(both.arcadia)
    assert set(line.machine.fold.line.terms) == {
        line.identity.own_card.log.name,
        line.identity.peer_card.log.name,
    }
    again = await both.restart(both.arcadia)
    assert line_of(again).machine.fold.size(line.identity.own_card.log.name) == 2


@on_two_nodes
async def test_a_second_node_on_the_folder_is_refused(both: TwoNodes) -> None:
    with pytest.raises(LockedError, match="another node"):
        await Node.start(both.arcadia.folder)
    await until(lambda: bool(audited(both.arcadia, "audit.node.second")))


@on_two_nodes
async def test_a_port_in_use_leaves_the_folder_free_again(both: TwoNodes) -> None:
    taken = [
        both.arcadia.settings.link.port,
        both.arcadia.settings.link.pairing_port,
        both.arcadia.settings.media.port,
    ]
    for number, port in enumerate(taken):
        ports = own_ports(4)
        ports[number + 1] = port
        folder = set_up(ARCADIA, both.folder / f"third-{number}", ports)
        with pytest.raises(PortError):
            await Node.start(folder)
        await Store.open(folder).close()
        told = (folder / "audit.jsonl").read_text().splitlines()
        events = [json.loads(line)["event"] for line in told]
        assert events == ["audit.node.port-in-use"]


def test_a_folder_without_settings_is_no_node(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"node\.toml"):
        asyncio.run(Node.start(tmp_path))
    assert list(tmp_path.iterdir()) == []


@on_two_nodes
async def test_the_operator_sees_every_line_and_signs_in(both: TwoNodes) -> None:
    (line,) = (await ask(both.arcadia, "lines"))["lines"]
    assert (line["peer"], line["up"], line["frozen"]) == ("borealis.example", True, False)
    link = (await ask(both.arcadia, "link", name="Adrian Rey"))["link"]
    assert link.startswith("http://arcadia.localhost:")

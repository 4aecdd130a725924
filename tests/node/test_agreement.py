"""The record that both sides hold and have signed: the same packets, the same files, one hash."""

import asyncio
from collections.abc import Callable

from fakes.two_nodes import (
    Phone,
    TwoNodes,
    audited,
    desk_of,
    held,
    line_of,
    on_two_nodes,
    recorded,
    voice,
)
from telcon.core.call import CallState
from telcon.core.entry import RecordHeld, parse_entry_untrusted
from telcon.node.assembly import Node
from telcon.node.media.rtp import RtpPacket
from telcon.node.record.journal import How


def state_of(node: Node, call: str) -> CallState:
    return line_of(node).machine.fold.calls[call]


def origin(node: Node) -> str:
    return line_of(node).identity.own_card.log.name


def statements(node: Node) -> list[RecordHeld]:
    """Return what a node states that it holds."""
    log = node.store.stored_log(origin(node))
    entries = map(parse_entry_untrusted, log.entries(0, 1 << 20))
    return [entry for entry in entries if isinstance(entry, RecordHeld)]


async def agreed(*phones: Phone, call: str) -> None:
    for phone in phones:
        await phone.wait(lambda _, node=phone.node: state_of(node, call).is_agreed)  # type: ignore[misc]


def deaf(node: Node, call: str, misses: Callable[[int], bool]) -> None:
    """Let a node lose what comes over the trunk of this call, by index."""
    floor = desk_of(node).board.calls.running[call].floor
    receive = floor.receive_packet

    def lossy(track: int, index: int, timestamp: int, packet: RtpPacket) -> None:
        if not misses(index):
            receive(track, index, timestamp, packet)

    floor._trunk._user.receive_packet = lossy  # type: ignore[method-assign]


@on_two_nodes
async def test_both_sides_state_the_same_record_after_the_call(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    await asyncio.gather(rey.say(voice("Rey", 20)), voss.say(voice("Voss", 20)))
    await rey.do("hang-up", call=call)
    await agreed(rey, voss, call=call)
    stated = state_of(both.arcadia, call).agreed
    assert {track[:3] for track in stated[origin(both.arcadia)][1]} == {
        (origin(both.arcadia), 1, 20),
        (origin(both.borealis), 1, 20),
    }
    assert [statement.tracks[0][2:] for statement in statements(both.borealis)] == [((), (), ())]


@on_two_nodes
async def test_what_the_trunk_lost_is_asked_for_and_said_to_be_repaired(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    said = voice("Rey", 30)
    deaf(both.borealis, call, lambda index: index in (0, 7, 8, 29))
    await rey.say(said)
    await voss.hears(said[:29])
    await rey.do("hang-up", call=call)
    await agreed(rey, voss, call=call)
    assert recorded(both.borealis, call, both.arcadia) == said
    assert recorded(both.arcadia, call, both.arcadia) == said
    (statement,) = statements(both.borealis)
    assert statement.tracks[0][2:] == (((0, 1), (7, 2), (29, 1)), (), ())
    repaired = [p.index for p in held(both.borealis, call, both.arcadia) if p.how is How.REPAIRED]
    assert repaired == [0, 7, 8, 29]
    assert state_of(both.arcadia, call).held[origin(both.borealis)].repaired == 4


@on_two_nodes
async def test_a_packet_that_came_otherwise_is_kept_and_said_to_differ(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    tape = desk_of(both.borealis).board.calls.running[call].tape
    assert tape is not None
    write = tape.write

    def altering(origin: str, number: int, index: int, timestamp: int, payload: bytes) -> None:
        write(origin, number, index, timestamp, b"\xf8other" if index == 5 else payload)

    tape.write = altering  # type: ignore[method-assign]
    said = voice("Rey", 10)
    await rey.say(said)
    await voss.hears(said)
    await rey.do("hang-up", call=call)
    await voss.wait(lambda _: bool(statements(both.borealis)))
    (statement,) = statements(both.borealis)
    assert statement.tracks[0][2:] == ((), (), ((5, 1),))
    assert recorded(both.borealis, call, both.arcadia)[5] == b"\xf8other"
    for phone in (rey, voss):
        await phone.wait(lambda _, node=phone.node: len(state_of(node, call).agreed) == 2)  # type: ignore[misc]
        assert not state_of(phone.node, call).is_agreed


@on_two_nodes
async def test_a_record_is_agreed_after_the_link_was_away(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    said = voice("Rey", 10)
    deaf(both.borealis, call, lambda index: index == 4)
    await rey.say(said)
    await voss.hears(said)
    await both.unlink()
    await rey.do("hang-up", call=call)
    await rey.wait(lambda _: bool(state_of(both.arcadia, call).ended_us))
    both.relink()
    await agreed(rey, voss, call=call)
    assert recorded(both.borealis, call, both.arcadia) == said


@on_two_nodes
async def test_a_restart_goes_on_where_the_work_stood(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    said = voice("Rey", 10)
    deaf(both.borealis, call, lambda index: index == 4)
    await rey.say(said)
    await voss.hears(said)
    await both.unlink()
    await rey.do("hang-up", call=call)
    await voss.do("hang-up", call=call)
    await rey.wait(lambda _: bool(state_of(both.arcadia, call).ended_us))
    voss.close()
    rey.close()
    await both.restart(both.borealis)
    await both.restart(both.arcadia)
    await agreed(*both.two_phones(), call=call)
    assert recorded(both.borealis, call, both.arcadia) == said
    assert audited(both.arcadia, "audit.record.not-agreed") == []

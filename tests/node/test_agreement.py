"""The record that both sides hold and have signed: the same packets, the same files, one hash."""

import asyncio
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from stat import S_IMODE

import pytest

from fakes.two_nodes import (
    Phone,
    TwoNodes,
    ask,
    audited,
    desk_of,
    held,
    line_of,
    on_two_nodes,
    place_of,
    recorded,
    two_nodes,
    voice,
    wait_audited,
)
from telcon.cli import main
from telcon.cli.proof import read_private_key
from telcon.core.call import CallState, Recording
from telcon.core.entry import RecordHeld, parse_entry_untrusted
from telcon.core.signals import ReturnSignal
from telcon.errors import MalformedError, OperatorError, SealedError
from telcon.node import giving
from telcon.node.assembly import Node
from telcon.node.media.rtp import RtpPacket
from telcon.node.record.journal import How
from telcon.node.record.keepers import format_keeper
from telcon.node.record.sealing import PrivateKey


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

    def lossy(track: int, index: int, timestamp: int, packet: RtpPacket, *, filled: bool) -> None:
        if not misses(index):
            receive(track, index, timestamp, packet, filled=filled)

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
async def test_a_speakers_node_that_records_nothing_still_shows_which_packets_are_its_own(
    both: TwoNodes,
) -> None:
    rey, voss, call = await both.call()
    await rey.wait(lambda shown: shown["call"]["recorders"]["ours"]["on"])
    await rey.do("recorder", call=call, reason="not now")
    await rey.wait(lambda shown: not shown["call"]["recorders"]["ours"]["on"])
    said = voice("Rey", 30)
    deaf(both.borealis, call, lambda index: index in (7, 8))
    await rey.say(said)
    await voss.hears([*said[:7], *said[9:]])
    await rey.do("hang-up", call=call)
    await voss.wait(lambda _: bool(statements(both.borealis)))
    (statement,) = statements(both.borealis)
    assert statement.tracks[0][2:] == ((), ((7, 2),), ())


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


async def keep_records(node: Node, peer: Node, keeper: PrivateKey) -> None:
    text = format_keeper(keeper.reader).decode()
    await ask(node, "keeper-add", peer=peer.settings.name, keeper=text)


@on_two_nodes
async def test_a_node_whose_line_has_a_record_keeper_cannot_read_what_is_agreed(
    both: TwoNodes,
) -> None:
    keeper = PrivateKey.generate()
    await keep_records(both.arcadia, both.borealis, keeper)
    rey, voss, call = await both.call()
    said = voice("Rey", 20)
    await rey.say(said)
    await voss.hears(said)
    await rey.do("hang-up", call=call)
    await voss.wait(lambda _: origin(both.arcadia) in state_of(both.borealis, call).sealed)
    with pytest.raises(SealedError, match="no key"):
        recorded(both.arcadia, call, both.arcadia)
    journal = place_of(both.arcadia, call).read(keeper)
    found = journal.read((origin(both.arcadia), 1), 0, 100)
    assert [packet.payload for packet in found.values()] == said
    assert list((both.arcadia.folder / "never-restore" / "records").iterdir()) == []
    assert recorded(both.borealis, call, both.arcadia) == said, "it has no record-keeper"


@on_two_nodes
async def test_the_key_of_a_record_that_is_not_agreed_stays_and_goes_after_a_restart(
    both: TwoNodes,
) -> None:
    await keep_records(both.arcadia, both.borealis, PrivateKey.generate())
    rey, voss, call = await both.call()
    await rey.say(voice("Rey", 10))
    await both.unlink()
    await rey.do("hang-up", call=call)
    await voss.do("hang-up", call=call)
    await rey.wait(lambda _: all(one.off for one in ours(state_of(both.arcadia, call))))
    assert len(recorded(both.arcadia, call, both.arcadia)) == 10
    for phone in (rey, voss):
        phone.close()
    await both.restart(both.borealis)
    await both.restart(both.arcadia)
    page = both.phone(both.arcadia)
    await page.wait(lambda _: origin(both.arcadia) in state_of(both.arcadia, call).sealed)
    with pytest.raises(SealedError):
        recorded(both.arcadia, call, both.arcadia)


def ours(state: CallState) -> list[Recording]:
    return [one for one in state.recordings if one.author.startswith("arcadia")]


@on_two_nodes
async def test_a_record_that_is_destroyed_is_said_to_be_in_both_logs(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    await rey.say(voice("Rey", 5))
    with pytest.raises(OperatorError, match="not over"):
        await ask(both.arcadia, "record-destroy", call=call, reason="the law", peer=None)
    await rey.do("hang-up", call=call)
    await agreed(rey, voss, call=call)
    await rey.wait(lambda _: not desk_of(both.arcadia).board.calls.agreements.is_open(call))
    with pytest.raises(OperatorError, match="no reason"):
        await ask(both.arcadia, "record-destroy", call=call, reason="", peer=None)
    await ask(both.arcadia, "record-destroy", call=call, reason="the law", peer=None)
    await voss.wait(lambda _: origin(both.arcadia) in state_of(both.borealis, call).destroyed)
    assert not place_of(both.arcadia, call).journal.parent.exists()
    with pytest.raises(OperatorError, match="destroyed already"):
        await ask(both.arcadia, "record-destroy", call=call, reason="the law", peer=None)
    assert len(recorded(both.borealis, call, both.arcadia)) == 5
    await both.restart(both.arcadia)
    assert audited(both.arcadia, "audit.record.failed") == []


@on_two_nodes
async def test_a_record_of_a_frozen_line_is_destroyed_and_the_house_log_says_so(
    both: TwoNodes,
) -> None:
    rey, voss, call = await both.call()
    await rey.say(voice("Rey", 5))
    await rey.do("hang-up", call=call)
    await agreed(rey, voss, call=call)
    await ask(both.arcadia, "freeze", peer=both.borealis.settings.name, reason="keys were seen")
    told = await ask(both.arcadia, "record-destroy", call=call, reason="the law", peer=None)
    assert not told["said"]
    assert not place_of(both.arcadia, call).journal.parent.exists()
    assert origin(both.arcadia) not in state_of(both.arcadia, call).destroyed
    assert '"reason":"the law"' in await wait_audited(both.arcadia, "audit.record.destroyed")
    await both.restart(both.arcadia)
    assert audited(both.arcadia, "audit.record.unreadable") == []
    assert audited(both.arcadia, "audit.record.failed") == []


@on_two_nodes
async def test_record_keepers_come_and_go(both: TwoNodes) -> None:
    keeper = PrivateKey.generate()
    peer = both.borealis.settings.name
    await keep_records(both.arcadia, both.borealis, keeper)
    await keep_records(both.arcadia, both.borealis, keeper)
    listed = await ask(both.arcadia, "keeper-list")
    line = line_of(both.arcadia).identity.line
    assert listed["keepers"] == [{"peer": peer, "line": line, "id": keeper.reader.id.hex()}]
    await ask(both.arcadia, "keeper-remove", peer=peer, id=keeper.reader.id.hex())
    assert (await ask(both.arcadia, "keeper-list"))["keepers"] == []
    with pytest.raises(OperatorError, match="keeps no records"):
        await ask(both.arcadia, "keeper-remove", peer=peer, id=keeper.reader.id.hex())
    for text in ("", "telcon record-keeper v1 00 AAAA\n", "nonsense"):
        with pytest.raises(MalformedError):
            await ask(both.arcadia, "keeper-add", peer=peer, keeper=text)


async def telcon(node: Node, *arguments: str) -> int:
    """Run a command of the operator beside the running node."""
    return await asyncio.to_thread(main, ["--data", str(node.folder), *arguments])


@on_two_nodes
async def test_a_record_keepers_file_opens_what_the_node_cannot(both: TwoNodes) -> None:
    key = both.folder / "archive.key"
    assert await telcon(both.arcadia, "keeper", "new", "--out", str(key)) == 0
    assert S_IMODE(key.stat().st_mode) == 0o600
    peer = both.borealis.settings.name
    assert await telcon(both.arcadia, "keeper", "add", peer, f"{key}.pub") == 0
    rey, voss, call = await both.call()
    await rey.say(voice("Rey", 20))
    await rey.do("hang-up", call=call)
    await voss.wait(lambda _: origin(both.arcadia) in state_of(both.borealis, call).sealed)
    open_it = ("record", "open", "--call", call, "--key", str(key))
    assert await telcon(both.arcadia, *open_it, "--out", str(both.folder / "opened")) == 0
    stated = {(t[3], t[4]) for t in state_of(both.arcadia, call).agreed[origin(both.arcadia)][1]}
    files = [path.read_bytes() for path in (both.folder / "opened").glob("*.opus")]
    assert {(sha256(file).hexdigest(), len(file)) for file in files} == stated
    without, opened = both.folder / "without", both.folder / "with"
    assert await telcon(both.arcadia, "export", "--call", call, "--out", str(without)) == 0
    assert not (without / "recordings").exists()
    export = ("export", "--call", call, "--key", str(key), "--out", str(opened))
    assert await telcon(both.arcadia, *export) == 0
    assert (opened / "recordings" / "arcadia.example-1.opus").read_bytes() in files
    assert await telcon(both.arcadia, "verify", str(opened)) == 3
    assert len(audited(both.arcadia, "audit.record.unsealed")) == 2


async def sealed_call(both: TwoNodes, key: Path, heard_beyond: int = 0) -> str:
    """Let Borealis speak in a call whose record Arcadia's record-keeper, `key`, alone opens.

    `heard_beyond`: packets that Arcadia has, and the other node lost by a kill and logged never.
    """
    assert await telcon(both.arcadia, "keeper", "new", "--out", str(key)) == 0
    peer = both.borealis.settings.name
    assert await telcon(both.arcadia, "keeper", "add", peer, f"{key}.pub") == 0
    rey, voss, call = await both.call()
    said = voice("Voss", 20)
    await voss.say(said)
    await rey.hears(said)
    tape = desk_of(both.arcadia).board.calls.running[call].tape
    assert tape is not None
    for index in range(20, 20 + heard_beyond):
        tape.write(origin(both.borealis), 1, index, index * 960, b"\xf8beyond")
    await rey.do("hang-up", call=call)
    await voss.wait(lambda _: origin(both.arcadia) in state_of(both.borealis, call).sealed)
    return call


@on_two_nodes
async def test_what_is_held_beyond_the_last_chunk_is_not_in_the_file_that_was_agreed(
    both: TwoNodes,
) -> None:
    key = both.folder / "archive.key"
    call = await sealed_call(both, key, heard_beyond=5)
    journal = place_of(both.arcadia, call).read(read_private_key(key))
    assert journal.bound((origin(both.borealis), 1)) == 25
    opened, exported = both.folder / "opened", both.folder / "exported"
    of = ("--call", call, "--key", str(key), "--out")
    assert await telcon(both.arcadia, "record", "open", *of, str(opened)) == 0
    assert await telcon(both.arcadia, "export", *of, str(exported)) == 0
    (stated,) = state_of(both.arcadia, call).agreed[origin(both.arcadia)][1]
    name = "borealis.example-1.opus"
    for file in (opened / name, exported / "recordings" / name):
        assert sha256(file.read_bytes()).hexdigest() == stated[3]


@on_two_nodes
async def test_the_house_log_has_the_opening_of_a_record_but_not_one_that_was_refused(
    both: TwoNodes,
) -> None:
    key, other, out = (both.folder / name for name in ("archive.key", "other.key", "opened"))
    call = await sealed_call(both, key)
    assert await telcon(both.arcadia, "keeper", "new", "--out", str(other)) == 0
    of = ("record", "open", "--call", call, "--out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.mkdtemp", lambda **_: pytest.fail("a folder was begun"))
        assert await telcon(both.arcadia, *of, str(out), "--key", str(other)) == 2
        assert await telcon(both.arcadia, *of, str(key), "--key", str(key)) == 2
    assert audited(both.arcadia, "audit.record.unsealed") == []
    assert await telcon(both.arcadia, *of, str(out), "--key", str(key)) == 0
    (noted,) = audited(both.arcadia, "audit.record.unsealed")
    assert f'"call":"{call}"' in noted
    assert f'"folder":"{out}"' in noted
    assert audited(both.arcadia, "audit.record.exported") == []


@pytest.mark.parametrize("command", [("record", "open"), ("export",)], ids=["open", "export"])
def test_a_record_that_is_not_the_agreed_one_any_more_is_said_to_be_none(
    command: tuple[str, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as both:
            key, out = tmp_path / "archive.key", tmp_path / "out"
            call = await sealed_call(both, key)
            journal = place_of(both.arcadia, call).journal
            os.truncate(journal, journal.stat().st_size - 1)  # readers leave a torn part out
            of = ("--call", call, "--key", str(key), "--out", str(out))
            assert await telcon(both.arcadia, *command, *of) != 0
            assert not out.exists()

    asyncio.run(run())
    assert "is not the one that both sides signed" in capfd.readouterr().err


@on_two_nodes
async def test_what_is_given_back_after_a_kill_is_all_that_was_heard(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    said = voice("Rey", 20)  # less than the recorder keeps in memory
    await rey.say(said)
    await voss.hears(said)
    agreement = desk_of(both.borealis).board.calls.agreements._open[call]
    (returned,) = await agreement.giving._returns(ReturnSignal(1, 0))
    assert [payload for _, _, payload in returned.packets] == said
    await rey.say(voice("more", 5))
    agreement.shelf.flush = lambda: pytest.fail("whoever asks all the time is not served each time")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(giving, "FLUSH_EACH_S", 3_600.0)  # however slow the machine is
        await agreement.giving._returns(ReturnSignal(1, 0))

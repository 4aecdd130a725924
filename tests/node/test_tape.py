"""Recording as acts: what the log says of it, and what happens when the disk does not take it."""

import asyncio
import threading
from hashlib import sha256
from pathlib import Path

import pytest

from fakes.two_nodes import (
    Phone,
    TwoNodes,
    audited,
    desk_of,
    line_of,
    on_two_nodes,
    place_of,
    recorded,
    voice,
    wait_audited,
)
from telcon.core.call import CallState, TrackRef
from telcon.core.entry import RecordOff, parse_entry_untrusted
from telcon.errors import StorageError
from telcon.node.agreement import find_left
from telcon.node.assembly import Node
from telcon.node.contents import Contents
from telcon.node.line import Line
from telcon.node.record.rendering import render_recorded
from telcon.node.record.spans import Spans
from telcon.node.store import Store
from telcon.node.store.records import RecordingRecord, find_all_recordings


def offs(line: Line, author: str) -> list[RecordOff]:
    """Return the record-off entries of one side, as this side holds them."""
    return [
        entry
        for data in stored(line, author)
        if isinstance(entry := parse_entry_untrusted(data), RecordOff)
    ]


def stored(line: Line, author: str) -> list[bytes]:
    books = line.machine._books
    log = books.own if books.own.origin.startswith(author) else books.theirs
    return log.entries(0, 1 << 20)


def hashes(node: Node, call: str) -> set[str]:
    journal = place_of(node, call).read()
    files = (b"".join(render_recorded(journal, track)) for track in journal.tracks())
    return {sha256(file).hexdigest() for file in files}


def state_of(phone: Phone, call: str) -> CallState:
    return line_of(phone.node).machine.fold.calls[call]


@on_two_nodes
async def test_the_log_says_what_each_file_came_to(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    await asyncio.gather(rey.say(voice("Rey", 10)), voss.say(voice("Voss", 10)))
    await rey.do("hang-up", call=call)
    await rey.wait_past(call)
    for phone, name in ((rey, "arcadia"), (voss, "borealis")):
        line = line_of(phone.node)
        await phone.wait(lambda _, line=line, name=name: len(offs(line, name)) == 2)  # type: ignore[misc]
        found = {entry.sha256 for entry in offs(line, name)}
        assert found == hashes(phone.node, call)


@on_two_nodes
async def test_chunks_count_just_what_was_forwarded(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    said = voice("Rey", 12)
    await rey.say(said)
    await voss.hears(said)
    await rey.do("hang-up", call=call)
    await rey.wait_past(call)
    origin = line_of(both.arcadia).identity.own_card.log.name
    await voss.wait(lambda _: (origin, 1) in state_of(voss, call).chunks)
    assert state_of(voss, call).chunks[origin, 1].count == len(said)


def spoil(folder: Path) -> None:
    """Make the folder of recordings one that nothing can be made in, even as root."""
    (folder / "recordings").write_text("no folder")


@on_two_nodes
async def test_a_recorder_that_fails_is_off_on_both_screens_within_two_seconds(
    both: TwoNodes,
) -> None:
    spoil(both.arcadia.folder)
    rey, voss, _ = await both.call()
    said = voice("Rey", 10)
    await asyncio.gather(rey.say(said), voss.say(voice("Voss", 10)))
    async with asyncio.timeout(2):
        await rey.wait(lambda shown: not shown["call"]["recorders"]["ours"]["on"])
        await voss.wait(lambda shown: lamp_is_off(shown["call"]["recorders"]["theirs"]))
    assert voss.shown["call"]["recorders"]["ours"]["on"]
    await wait_audited(both.arcadia, "audit.record.failed")
    await voss.hears(said)  # the talk goes on
    line = line_of(both.borealis)
    await voss.wait(lambda _: len(offs(line, "arcadia")) == 2)
    assert voss.shown["call"]["phase"] == "live"
    for off in offs(line, "arcadia"):
        assert (off.size, off.sha256) == (0, sha256().hexdigest())


@on_two_nodes
async def test_what_the_store_refuses_at_the_start_is_tried_again(both: TwoNodes) -> None:
    store, refused = both.arcadia.store, list[RecordingRecord]()
    open_recording = store.open_recording

    async def refuse_first(record: RecordingRecord) -> None:
        if len(refused) < 3:
            refused.append(record)
            raise StorageError("the disk refused")
        await open_recording(record)

    store.open_recording = refuse_first  # type: ignore[method-assign]
    rey, voss, call = await both.call()
    await rey.wait(lambda _: recordings_of(both.arcadia, rey, call) == 2)
    said = voice("Rey", 10)
    await rey.say(said)
    await voss.hears(said)
    await rey.do("hang-up", call=call)
    await rey.wait(lambda _: state_of(rey, call).is_agreed)
    assert len(audited(both.arcadia, "audit.record.failed")) == len(
        {(one.origin, one.track) for one in refused}
    )
    rows = [one for one in store.read(find_all_recordings) if one.call == call]
    assert len(rows) == 2
    assert all(row.sha256 is not None for row in rows)


def recordings_of(node: Node, phone: Phone, call: str) -> int:
    own = line_of(node).identity.own_card.log.name
    return len([one for one in state_of(phone, call).recordings if one.author == own])


@on_two_nodes
async def test_a_store_that_cannot_be_read_silences_no_call(both: TwoNodes) -> None:
    is_refused = True

    def refusing(store: Store, line: Line, call: str) -> dict[TrackRef, Spans]:
        if is_refused and store is both.arcadia.store:
            raise StorageError("the disk refused")
        return find_left(store, line, call)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("telcon.node.running.find_left", refusing)
        rey, voss, _ = await both.call()
        said = voice("Rey", 10)
        await rey.say(said)
        await voss.hears(said)  # the talk goes on
        assert not rey.shown["call"]["recorders"]["ours"]["on"]
        threads = threading.active_count()
        assert len(audited(both.arcadia, "audit.record.failed")) == 1
        is_refused = False
        await rey.wait(lambda shown: shown["call"]["recorders"]["ours"]["on"])
        assert threading.active_count() <= threads + 1  # no shelf was left behind


def lamp_is_off(lamp: dict[str, object]) -> bool:
    return not lamp["on"]


@on_two_nodes
async def test_why_a_recorder_failed_stands_in_its_own_log(both: TwoNodes) -> None:
    spoil(both.arcadia.folder)
    rey, _, call = await both.call()
    own = line_of(both.arcadia).identity.own_card.log.name
    await rey.wait(lambda _: bool(offs(line_of(both.arcadia), "arcadia")))
    recording = state_of(rey, call).recordings[0]
    reason = Contents(both.arcadia.store).text((own, recording.off or 0), "reason")
    assert reason is not None
    assert "the disk refused" in reason.text


@on_two_nodes
async def test_chunks_of_a_side_whose_recorder_failed_prove_the_other_sides_file(
    both: TwoNodes,
) -> None:
    spoil(both.arcadia.folder)
    rey, voss, call = await both.call()
    await rey.wait(lambda _: bool(offs(line_of(both.arcadia), "arcadia")))
    said = voice("Rey", 10)
    await rey.say(said)
    await voss.hears(said)
    await rey.do("hang-up", call=call)
    await rey.wait_past(call)
    origin = line_of(both.arcadia).identity.own_card.log.name
    await voss.wait(lambda _: (origin, 1) in state_of(voss, call).chunks)
    assert state_of(voss, call).chunks[origin, 1].count == len(said)
    await both.borealis.close()
    assert recorded(both.borealis, call, both.arcadia) == said
    assert audited(both.arcadia, "audit.record.unlogged") == []


@on_two_nodes
async def test_the_far_recorders_lamp_goes_out_when_nothing_is_heard_of_it(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    await voss.wait(lambda shown: bool(shown["call"]["recorders"]["theirs"]["on"]))
    running = desk_of(both.borealis).board.calls.running[call]
    assert running.their_recorder is not None
    beat, came = running.their_recorder
    running.their_recorder = (beat, came - 2.1)
    assert not voss.shown["call"]["recorders"]["theirs"]["on"]
    assert rey.shown["call"]["phase"] == "live"

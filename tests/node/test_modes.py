"""Record modes in a live call: what is kept when one side states a stricter one, and after it."""

import asyncio

from fakes.two_nodes import (
    Phone,
    TwoNodes,
    Wire,
    audited,
    held,
    line_of,
    on_two_nodes,
    place_of,
    recorded,
    voice,
)
from telcon.core import draft as drafts
from telcon.core.call import CallState
from telcon.core.entry import SUPPORTED_TYPES, RecordChunk, RecordGap, parse_entry_untrusted
from telcon.node.line import Line


def state_of(phone: Phone, call: str) -> CallState:
    return line_of(phone.node).machine.fold.calls[call]


async def mode_is(mode: str, *phones: Phone) -> None:
    for phone in phones:
        await phone.wait(lambda shown: shown["call"]["mode"] == mode)


async def recorders(on: bool, *phones: Phone) -> None:
    """Wait until both lamps of each page are on, or off."""
    for phone in phones:
        await phone.wait(
            lambda shown: {lamp["on"] for lamp in shown["call"]["recorders"].values()} == {on}
        )


async def closed(call: str, *phones: Phone) -> None:
    """Wait until every recording is said to be off."""
    for phone in phones:
        await phone.wait(
            lambda _, at=phone: all(one.off is not None for one in state_of(at, call).recordings)  # type: ignore[misc]
        )


async def talk(rey: Phone, voss: Phone, name: str, packets: int = 10) -> tuple[list[bytes], ...]:
    """Let both speak and hear each other; return what each said."""
    said = voice(f"Rey {name}", packets), voice(f"Voss {name}", packets)
    await asyncio.gather(rey.say(said[0]), voss.say(said[1]))
    await asyncio.gather(voss.hears(said[0]), rey.hears(said[1]))
    return said


def told(line: Line) -> list[tuple[str, int, int]]:
    """Return all chunks and gaps of track 1 in our own log, in order."""
    found = []
    for data in line.machine._books.own.entries(0, 1 << 20):
        entry = parse_entry_untrusted(data)
        if isinstance(entry, RecordChunk):
            found += [("chunk", first, count) for _, first, count, _ in entry.tracks]
        elif isinstance(entry, RecordGap):
            found += [("gap", first, count) for _, first, count in entry.tracks]
    return found


@on_two_nodes
async def test_a_stricter_mode_ends_recording_and_both_may_let_it_go_on(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    await recorders(True, rey, voss)
    first = await talk(rey, voss, "first")
    await rey.do("keep", call=call, mode="notes only")
    await mode_is("notes only", rey, voss)
    assert voss.shown["call"]["stated"] == {"ours": "audio", "theirs": "notes only"}
    await closed(call, rey, voss)
    await talk(rey, voss, "unrecorded")
    await recorders(False, rey, voss)
    await rey.do("keep", call=call, mode="audio")
    await recorders(True, rey, voss)
    last = await talk(rey, voss, "last")
    await rey.do("hang-up", call=call)
    await rey.wait_past(call)
    await rey.wait(lambda _: state_of(rey, call).is_agreed)
    await voss.wait(lambda _: state_of(voss, call).is_agreed)
    for said, (speaker, listener) in zip(
        zip(first, last, strict=True),
        ((both.arcadia, both.borealis), (both.borealis, both.arcadia)),
        strict=True,
    ):
        kept = [*said[0], *said[1]]
        assert [packet.payload for packet in held(listener, call, speaker)] == kept
        assert [packet.payload for packet in held(speaker, call, speaker)] == kept
        story = told(line_of(speaker))
        assert [one for one in story if one[0] == "gap"] == [("gap", 10, 10)]
        assert sum(count for kind, _, count in story if kind == "chunk") == len(kept)
        assert audited(speaker, "audit.record.unlogged") == []


@on_two_nodes
async def test_what_one_side_keeps_after_the_other_has_stopped_is_in_no_agreed_record(
    both: TwoNodes,
) -> None:
    rey, voss, call = await both.call()
    await recorders(True, rey, voss)
    first = await talk(rey, voss, "first")
    wire = Wire(line_of(both.arcadia))
    wire.hold()  # what Rey asks for is under way while the sound is quicker
    await rey.do("keep", call=call, mode="notes only")
    await rey.wait(lambda shown: not shown["call"]["recorders"]["ours"]["on"])
    late = voice("late", 5)
    await rey.say(late)
    await voss.hears(late)
    wire.release()
    await mode_is("notes only", rey, voss)
    await closed(call, rey, voss)
    await rey.do("keep", call=call, mode="audio")
    await recorders(True, rey, voss)
    last = await talk(rey, voss, "last")
    await rey.do("hang-up", call=call)
    await rey.wait(lambda _: state_of(rey, call).is_agreed)
    await voss.wait(lambda _: state_of(voss, call).is_agreed)
    kept = [packet.payload for packet in held(both.arcadia, call, both.arcadia)]
    assert kept == first[0] + last[0]
    more = [packet.payload for packet in held(both.borealis, call, both.arcadia)]
    assert more == first[0] + late + last[0]
    (stated,) = {tracks for _, tracks in state_of(rey, call).agreed.values()}
    counts = {origin.partition("/")[0]: count for origin, _, count, *_ in stated}
    assert counts["arcadia.example"] == len(kept)


@on_two_nodes
async def test_a_call_begun_without_recording_may_become_one_with(both: TwoNodes) -> None:
    rey, voss, call = await both.call("existence only")
    assert rey.shown["call"]["stated"] == {"ours": "existence only", "theirs": "existence only"}
    await talk(rey, voss, "unrecorded")
    await voss.do("keep", call=call, mode="audio")
    await talk(rey, voss, "still unrecorded")
    assert state_of(rey, call).mode == "existence only"
    for node in both.nodes:
        assert not (node.folder / "recordings").exists()
    await rey.do("keep", call=call, mode="audio")
    await recorders(True, rey, voss)
    said = await talk(rey, voss, "recorded")
    await voss.do("hang-up", call=call)
    await rey.wait(lambda _: state_of(rey, call).is_agreed)
    await voss.wait(lambda _: state_of(voss, call).is_agreed)
    await both.arcadia.close()
    await both.borealis.close()
    for node in both.nodes:
        assert recorded(node, call, both.arcadia) == said[0]
        assert recorded(node, call, both.borealis) == said[1]


@on_two_nodes
async def test_who_answers_may_let_less_be_kept_than_the_ring_proposes(both: TwoNodes) -> None:
    rey, voss = both.two_phones()
    call = await rey.ring()
    await voss.wait_phase("ringing")
    await asyncio.gather(rey.arm(call), voss.arm(call))
    await voss.do("answer", call=call, certificate=voss.certificate, mode="transcript only")
    await mode_is("transcript only", rey, voss)
    await talk(rey, voss, "unrecorded")
    assert state_of(rey, call).recordings == ()
    for node in both.nodes:
        assert not (node.folder / "recordings").exists()


@on_two_nodes
async def test_not_one_packet_is_kept_after_the_stricter_mode_was_asked_for(
    both: TwoNodes,
) -> None:
    rey, voss, call = await both.call()
    first = await talk(rey, voss, "first")
    asking = asyncio.ensure_future(rey.do("keep", call=call, mode="existence only"))
    await asyncio.sleep(0)  # begun, and nothing of it can be on the disk yet
    await rey.say(voice("unrecorded", 10))
    await asking
    await closed(call, rey)
    journal = place_of(both.arcadia, call).read()
    own = line_of(both.arcadia).identity.own_card.log.name
    assert [one.payload for one in journal.read((own, 1), 0, 1_000).values()] == first[0]
    assert told(line_of(both.arcadia)) == [("chunk", 0, 10)]
    assert state_of(voss, call).chunks[own, 1].count == 10


@on_two_nodes
async def test_with_a_node_that_knows_no_gaps_recording_does_not_begin_again(
    both: TwoNodes,
) -> None:
    older = [one for one in SUPPORTED_TYPES if one[0] != "call.record-gap"]
    await line_of(both.borealis).act(drafts.line_terms("go on", older))
    peer = line_of(both.borealis).identity.own_card.log.name
    terms = line_of(both.arcadia).machine.fold
    page = both.phone(both.arcadia)
    await page.wait(lambda _: "call.record-gap" not in terms.line.terms[peer].types)
    rey, voss, call = await both.call()
    first = await talk(rey, voss, "first")
    await rey.do("keep", call=call, mode="notes only")
    await mode_is("notes only", rey, voss)
    await closed(call, rey, voss)
    await rey.do("keep", call=call, mode="audio")
    await mode_is("audio", rey, voss)
    await talk(rey, voss, "last")
    await rey.do("hang-up", call=call)
    await rey.wait(lambda _: state_of(rey, call).is_agreed)
    assert told(line_of(both.arcadia)) == [("chunk", 0, 10)]
    assert [one.payload for one in held(both.borealis, call, both.arcadia)] == first[0]
    assert audited(both.arcadia, "audit.record.unlogged") == []


@on_two_nodes
async def test_the_timeline_shows_when_was_recorded_and_how_much_was_not(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    await recorders(True, rey, voss)
    await talk(rey, voss, "first")
    for mode in ("notes only", "audio"):
        await rey.do("keep", call=call, mode=mode)
        await mode_is(mode, rey, voss)
        if mode == "notes only":
            await closed(call, rey, voss)
            await talk(rey, voss, "unrecorded")
    await recorders(True, rey, voss)
    await talk(rey, voss, "last")
    await rey.do("hang-up", call=call)
    await rey.wait(lambda _: state_of(rey, call).is_agreed)
    told = await both.arcadia.desk.course(call)
    assert told is not None
    assert [one["side"] for one in told["recorders"]] == ["ours", "ours", "theirs", "theirs"]
    assert all(one["to_us"] is not None for one in told["recorders"])
    gaps = [fact["detail"] for fact in told["facts"] if fact["kind"] == "call.record-gap"]
    assert gaps == ["0.2", "0.2"]

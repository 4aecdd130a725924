"""What a screen is told of a call besides the fold: when it rings, how it sounds, who signed."""

import asyncio

from fakes.two_nodes import (
    Phone,
    TwoNodes,
    desk_of,
    line_of,
    on_two_nodes,
    until,
    voice,
)
from telcon.node.call_desk import SOUNDS_AFTER_MS
from telcon.node.media.mux import Address, UnboundReceiver
from telcon.node.media.trunk import TrunkPort


class Lossy:
    """A mux that loses five of six packets of media for good, and no report.

    Two of five come with the sixth, which carries them along.
    """

    def __init__(self, port: TrunkPort) -> None:
        self._port = port

    def send(self, data: bytes, address: Address) -> None:
        is_report = 192 <= data[1] <= 223  # RFC 5761 §4
        if is_report or data[3] % 6 == 5:  # by sequence number: what is sent again is lost again
            self._port.send(data, address)

    def register_ssrc(self, ssrc_prefix24: int, receiver: UnboundReceiver) -> None:
        self._port.register_ssrc(ssrc_prefix24, receiver)

    def unregister_ssrc(self, ssrc_prefix24: int, receiver: UnboundReceiver) -> None:
        self._port.unregister_ssrc(ssrc_prefix24, receiver)


def sounds_in_ms(phone: Phone) -> int:
    return int(phone.shown["call"]["ringing"]["sounds_in_ms"])


@on_two_nodes
async def test_a_ring_sounds_after_two_seconds_on_every_device_at_once(both: TwoNodes) -> None:
    rey, voss = both.two_phones()
    await rey.ring()
    await voss.wait_phase("ringing")
    assert 0 < sounds_in_ms(voss) <= SOUNDS_AFTER_MS
    assert voss.shown["call"]["ringing"]["line_opened_us"] < voss.shown["call"]["rung_us"]
    both.advance(1.5)
    late = both.phone(both.borealis)
    assert sounds_in_ms(late) <= 500
    both.advance(0.5)
    assert sounds_in_ms(late) == sounds_in_ms(voss) == sounds_in_ms(rey) == 0


@on_two_nodes
async def test_the_caller_hears_how_many_devices_ring(both: TwoNodes) -> None:
    rey, voss = both.two_phones()
    both.phone(both.borealis)
    await rey.ring()
    await voss.wait_phase("ringing")
    shown = await rey.wait(lambda shown: shown["call"]["ringing"]["devices"] == 2)
    assert shown["call"]["phase"] == "ringing"


@on_two_nodes
async def test_a_live_call_rings_no_more_and_has_a_quality_where_it_is_heard(
    both: TwoNodes,
) -> None:
    rey, voss, _call = await both.call()
    said = voice("Rey", 10)
    await rey.say(said)
    await voss.hears(said)
    quality = voss.shown["call"]["quality"]
    assert (quality["trunk_received"], quality["trunk_lost"], quality["missed"]) == (10, 0, 0)
    assert voss.shown["call"]["ringing"] is None
    assert both.phone(both.borealis).shown["call"]["quality"] is None


@on_two_nodes
async def test_what_the_trunk_loses_is_told_on_both_sides(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    trunk = desk_of(both.arcadia).board.calls.running[call].floor._trunk
    trunk._port = Lossy(trunk._port)
    said = voice("Rey", 60)
    await rey.say(said)
    await until(lambda: voss.shown["call"]["quality"]["trunk_lost"] > 10)
    await rey.wait(lambda shown: shown["call"]["quality"]["missed"] > 0.1)


@on_two_nodes
async def test_a_silent_trunk_is_told_within_seconds(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    said = voice("Rey", 3)
    await rey.say(said)
    await voss.hears(said)
    desk_of(both.arcadia).board.calls.running[call].floor._trunk.close()
    await until(lambda: voss.shown["call"]["quality"]["trunk_silent_ms"] > 1_200)


@on_two_nodes
async def test_a_call_that_goes_on_unsigned_says_so_once_it_has_lasted_a_minute(
    both: TwoNodes,
) -> None:
    rey, voss, call = await both.call()
    await both.unlink()
    await asyncio.gather(*(one.wait(lambda s: not s["lines"][0]["up"]) for one in (rey, voss)))
    both.advance(40)
    assert not rey.shown["call"]["goes_on_unsigned"]
    floors = [desk_of(node).board.calls.running[call].floor for node in both.nodes]
    await until(lambda: all(floor.trunk_silent_s() < 5 for floor in floors))  # talk goes on
    both.advance(20.1)
    assert rey.shown["call"]["goes_on_unsigned"]
    both.relink()
    await rey.wait(lambda shown: not shown["call"]["goes_on_unsigned"])


@on_two_nodes
async def test_a_reason_keeps_the_language_it_was_written_in(both: TwoNodes) -> None:
    rey, voss = both.two_phones()
    call = await rey.ring()
    await voss.wait_phase("ringing")
    await voss.do("decline", call=call, reason="En réunion", lang="fr")
    await rey.wait_past(call)
    place = line_of(both.arcadia).machine.fold.calls[call].ended_by[0]
    words = desk_of(both.arcadia).calls._contents.text(place, "reason")
    assert words is not None
    assert (words.lang, words.text) == ("fr", "En réunion")

"""One call's media between two floors: who hears whom, and what closes at once."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from fakes.two_nodes import until, voice
from telcon.core.gate import CLOSED, Gate
from telcon.errors import MalformedError, OperatorError, PinError
from telcon.node.device import Device
from telcon.node.floor import Floor, Speaker
from telcon.node.media.client import DeviceLeg
from telcon.node.media.mux import Address
from telcon.node.media.plane import MediaPlane
from telcon.node.media.rtp import RtpPacket

HERE, THERE = "arcadia.example/line/00", "borealis.example/line/00"
REY = Speaker("r" * 16, HERE, 1, joined=False)
ADA = Speaker("a" * 16, HERE, 2, joined=True)
VOSS = Speaker("v" * 16, THERE, 1, joined=False)
ALL = (REY, ADA, VOSS)


def open_to(*speakers: Speaker, at: str = HERE) -> Gate:
    """Return the gate of the side `at` for speakers who are all covered."""
    own = frozenset(one.handle for one in speakers if one.origin == at)
    theirs = frozenset(one.handle for one in speakers if one.origin != at)
    return Gate(send=own, play=theirs, local=own)


class Written:
    """A tape that notes what it gets."""

    def __init__(self) -> None:
        self.packets: list[tuple[str, int, int, bytes]] = []

    def write(self, origin: str, track: int, index: int, timestamp: int, payload: bytes) -> None:
        self.packets.append((origin, track, index, payload))


@dataclass
class Side:
    """One node's floor of the call, and its devices."""

    origin: str
    floor: Floor
    plane: MediaPlane
    lost: list[bool]
    legs: dict[str, DeviceLeg] = field(default_factory=dict)
    heard: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)

    async def arm(self, device: str) -> None:
        heard = self.heard[device] = []

        def hear(slot: int, packet: RtpPacket) -> None:
            heard.append((slot, packet.payload))

        if device in self.legs:
            self.legs[device].close()
        leg = self.legs[device] = DeviceLeg(hear)
        leg.accept(self.floor.offer(device, leg.offer(), leg.certificate_sha256))
        await leg.wait_connected()

    def payloads(self, device: str) -> list[bytes]:
        return [payload for _, payload in self.heard[device]]

    def slots(self, device: str) -> dict[bytes, int]:
        """Return the slot in which each voice was heard last, by its first word."""
        return {payload[1:].split()[0]: slot for slot, payload in self.heard[device]}

    async def say(self, device: str, packets: list[bytes]) -> None:
        for payload in packets:
            self.legs[device].send_opus(payload)
            await asyncio.sleep(0.005)


@dataclass
class Both:
    here: Side
    there: Side

    def open(self, *speakers: Speaker) -> None:
        self.here.floor.apply(open_to(*speakers), speakers, {"rey": REY.handle, "ada": ADA.handle})
        gate = open_to(*speakers, at=THERE)
        self.there.floor.apply(gate, speakers, {"voss": VOSS.handle})


def came(device: Device) -> int:
    """Return how many packets of `device` have come to its node."""
    assert device.source is not None
    return device.source.statistics().packets


def dropped(plane: MediaPlane) -> int:
    """Return how many packets came for which nobody waits."""
    return plane.statistics().mux.refused["srtp"]


def on_floors(test: Callable[[Both], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on two floors whose trunk stands and whose devices are armed."""

    async def run() -> None:
        planes = [MediaPlane.open("127.0.0.1", 0, ["127.0.0.1"]) for _ in range(2)]
        sides = []
        for origin, plane in zip((HERE, THERE), planes, strict=True):
            lost: list[bool] = []
            floor = Floor(
                plane,
                ["127.0.0.1"],
                "c" * 32,
                origin,
                clock=time.monotonic,
                lost=lambda lost=lost: lost.append(True),  # type: ignore[misc]
            )
            sides.append(Side(origin, floor, plane, lost))
        both = Both(*sides)
        both.here.floor.set_peer(both.there.floor.trunk_signal())
        both.there.floor.set_peer(both.here.floor.trunk_signal())
        await asyncio.gather(both.here.arm("rey"), both.here.arm("ada"), both.there.arm("voss"))
        try:
            await test(both)
        finally:
            for side in sides:
                side.floor.cut()
                for leg in side.legs.values():
                    leg.close()
            for plane in planes:
                plane.close()

    def wrapped() -> None:
        asyncio.run(asyncio.wait_for(run(), 20))

    wrapped.__name__ = test.__name__
    return wrapped


@on_floors
async def test_everybody_hears_the_others_and_nobody_themselves(both: Both) -> None:
    both.open(*ALL)
    rey, ada, voss = voice("Rey", 5), voice("Ada", 5), voice("Voss", 5)
    await asyncio.gather(
        both.here.say("rey", rey), both.here.say("ada", ada), both.there.say("voss", voss)
    )
    await until(lambda: len(both.here.payloads("rey")) == len(both.here.payloads("ada")) == 10)
    await until(lambda: len(both.there.payloads("voss")) == 10)
    assert set(both.here.payloads("rey")) == {*ada, *voss}
    assert set(both.here.payloads("ada")) == {*rey, *voss}
    assert set(both.there.payloads("voss")) == {*rey, *ada}


@on_floors
async def test_what_is_recorded_is_what_was_forwarded_under_the_same_index(both: Both) -> None:
    here, there = Written(), Written()
    both.here.floor.tape, both.there.floor.tape = here, there  # type: ignore[assignment]
    await both.here.say("rey", voice("early", 3))
    both.open(*ALL)
    said = voice("Rey", 5)
    await both.here.say("rey", said)
    await until(lambda: len(there.packets) == 5)
    assert here.packets == there.packets
    assert here.packets == [(HERE, 1, index, payload) for index, payload in enumerate(said)]


@on_floors
async def test_a_trunk_that_loses_one_and_two_in_a_row_loses_nobody_a_word(both: Both) -> None:
    here, there = Written(), Written()
    both.here.floor.tape, both.there.floor.tape = here, there  # type: ignore[assignment]
    await until(lambda: both.here.floor.trunk_statistics().address is not None)
    trunk = both.there.floor._trunk
    media = count()
    takes = trunk.receive_unbound

    def lose(data: bytes, address: Address, *, is_rtcp: bool) -> bool:
        is_lost = not is_rtcp and next(media) % 5 in (1, 3, 4)
        return True if is_lost else takes(data, address, is_rtcp=is_rtcp)

    trunk.receive_unbound = lose  # type: ignore[method-assign]
    both.open(*ALL)
    said = voice("Rey", 31)
    await both.here.say("rey", said)
    await until(lambda: len(both.there.payloads("voss")) == len(said))
    assert both.there.payloads("voss") == said
    assert here.packets == there.packets
    assert both.there.floor.trunk_statistics().filled == 18
    assert both.here.floor.trunk_statistics().resent == 0


@on_floors
async def test_what_was_said_while_muted_does_not_ride_along_with_what_comes_after(
    both: Both,
) -> None:
    both.open(*ALL)
    await both.here.say("rey", voice("Rey", 3))
    both.here.floor.mute(REY.handle, muted=True)
    await both.here.say("rey", voice("hidden", 3))
    device = both.here.floor.device("rey")
    assert device is not None
    await until(lambda: device.source is not None and device.source.statistics().packets == 6)
    both.here.floor.mute(REY.handle, muted=False)
    sent: list[bytes] = []
    protector = both.here.floor._trunk._protector
    assert protector is not None
    seals = protector.protect
    protector.protect = lambda packet: (sent.append(packet), seals(packet))[1]  # type: ignore[method-assign, func-returns-value]
    await both.here.say("rey", voice("after", 3))
    await until(lambda: len(both.there.payloads("voss")) == 6)
    await until(lambda: len(sent) == 3)
    assert not any(b"hidden" in packet for packet in sent)
    assert not any(b"hidden" in payload for payload in both.there.payloads("voss"))
    assert not any(b"hidden" in payload for payload in both.here.payloads("ada"))


@on_floors
async def test_a_voice_keeps_its_slot_when_another_one_goes(both: Both) -> None:
    third = Speaker("t" * 16, THERE, 2, joined=True)
    both.open(REY, ADA, VOSS, third)
    await asyncio.gather(
        both.here.say("ada", voice("Ada", 2)), both.there.say("voss", voice("Voss", 2))
    )
    await until(lambda: len(both.here.slots("rey")) == 2)
    before = both.here.slots("rey")[b"Voss"]
    both.here.floor.mute(ADA.handle, muted=True)
    await both.there.say("voss", voice("Voss", 2))
    await until(lambda: len(both.here.payloads("rey")) == 6)
    assert both.here.slots("rey")[b"Voss"] == before
    both.here.floor.mute(ADA.handle, muted=False)
    await both.here.say("ada", voice("Ada", 2))
    await until(lambda: len(both.here.payloads("rey")) == 8)
    assert both.here.slots("rey") == {b"Ada": 1 - before, b"Voss": before}


@on_floors
async def test_a_closed_gate_lets_nothing_in_or_out_at_once(both: Both) -> None:
    both.open(*ALL)
    said = voice("Rey", 3)
    await both.here.say("rey", said)
    await until(lambda: len(both.there.payloads("voss")) == 3)
    both.here.floor.apply(CLOSED, ALL, {"rey": REY.handle})
    await both.here.say("rey", voice("late", 3))
    await both.there.say("voss", voice("Voss", 3))
    device = both.here.floor.device("rey")
    assert device is not None
    await until(lambda: device.leg.statistics().refused["armed"] == 3)
    await until(lambda: both.here.floor.trunk_statistics().received == 3)
    assert both.there.payloads("voss") == said
    assert both.here.payloads("rey") == []


@on_floors
async def test_who_answered_hears_before_they_are_heard_and_who_joined_does_not(
    both: Both,
) -> None:
    only_play = Gate(send=frozenset(), play=frozenset({VOSS.handle}), local=frozenset())
    both.here.floor.apply(only_play, ALL, {"rey": REY.handle, "ada": ADA.handle})
    both.there.floor.apply(open_to(*ALL, at=THERE), ALL, {"voss": VOSS.handle})
    said = voice("Voss", 3)
    await both.there.say("voss", said)
    await until(lambda: both.here.payloads("rey") == said)
    device = both.here.floor.device("rey")
    assert device is not None
    await both.here.say("rey", voice("Rey", 3))
    await until(lambda: came(device) == 3)
    assert both.here.payloads("ada") == []
    assert both.there.payloads("voss") == []


@on_floors
async def test_cutting_is_for_ever(both: Both) -> None:
    both.open(*ALL)
    both.here.floor.cut()
    both.open(*ALL)
    assert both.here.floor.gate == CLOSED
    assert both.here.floor.device("rey") is None
    before = dropped(both.here.plane)
    await both.there.say("voss", voice("Voss", 3))
    await until(lambda: dropped(both.here.plane) >= before + 3)
    assert both.here.payloads("rey") == []
    both.here.floor.cut()  # again changes nothing


@on_floors
async def test_a_leg_that_says_goodbye_is_forgotten_and_told(both: Both) -> None:
    both.open(*ALL)
    both.here.legs["ada"].close()
    await until(lambda: bool(both.here.lost))
    assert both.here.floor.device("ada") is None
    both.open(*ALL)
    assert both.here.floor.device("rey") is not None


@on_floors
async def test_devices_move_to_the_call_that_goes_on(both: Both) -> None:
    plane = both.here.floor._plane
    lost: list[bool] = []
    other = Floor(
        plane, ["127.0.0.1"], "d" * 32, HERE, clock=time.monotonic, lost=lambda: lost.append(True)
    )
    other.set_peer(both.there.floor.trunk_signal())
    other.adopt(both.here.floor)
    both.here.floor.cut()
    assert other.device("rey") is not None
    both.here.legs["rey"].close()
    await until(lambda: bool(lost))
    assert other.device("rey") is None
    other.cut()


@on_floors
async def test_a_new_offer_takes_the_place_of_the_old_leg(both: Both) -> None:
    first = both.here.floor.device("rey")
    await both.here.arm("rey")
    second = both.here.floor.device("rey")
    assert first is not None
    assert second is not first
    assert first.leg.statistics().state == "closed"


@on_floors
async def test_a_bad_offer_leaves_no_leg(both: Both) -> None:
    legs = len(both.here.floor._plane.statistics().legs)
    with pytest.raises(MalformedError):
        both.here.floor.offer("other", "v=0", None)
    with pytest.raises(PinError):
        both.here.floor.offer("other", both.here.legs["rey"].offer(), bytes(32))
    assert both.here.floor.device("other") is None
    assert len(both.here.floor._plane.statistics().legs) == legs
    with pytest.raises(OperatorError, match="gone"):
        both.here.floor.restart("other", "v=0")

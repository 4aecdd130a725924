"""What people do at one and the same moment."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from demo.device import DeviceError, ScriptedDevice
from faults.evidence import held_by
from faults.pair import Pair, past, phase
from faults.row import Row

TRIES = 10  # of what both do at once: on a busy machine one of them is first


@asynccontextmanager
async def two_browsers_of_one_person_answer_at_once(pair: Pair) -> AsyncIterator[None]:
    """One of them is on the call; the other is told that it is answered, and may join."""
    second = await ScriptedDevice.open(await asyncio.to_thread(pair.arcadia.sign_in_link))
    call = await pair.ring(pair.voss, pair.rey)
    await second.wait(lambda shown: phase(shown, call) == "ringing")
    both = (pair.rey, second)
    await asyncio.gather(*(device.connect_leg(call) for device in (*both, pair.voss)))
    answers = await asyncio.gather(
        *(one.ask("answer", call=call, certificate=one.certificate) for one in both),
        return_exceptions=True,
    )
    (late,) = [answer for answer in answers if isinstance(answer, DeviceError)]
    assert re.search("already been answered|not ringing any more", str(late)), late
    for device in (*both, pair.voss):
        await device.wait(lambda shown: phase(shown, call) == "live")
    assert sorted(one.snapshot["call"]["mine"] for one in both) == [False, True]
    yield
    await pair.hang_up(pair.voss, call)
    assert acts_of(pair, call).count("call.answer") == 1
    await second.close()


@asynccontextmanager
async def both_leaders_ring_at_once(pair: Pair) -> AsyncIterator[None]:
    """One call, begun by both; nobody has to answer it, and nobody is left ringing."""
    rings = await ring_at_once(pair)
    for device in pair.devices:
        await device.wait(lambda shown: bool(shown["call"]) and shown["call"]["phase"] == "live")
    call = str(pair.rey.snapshot["call"]["call"])
    assert pair.voss.snapshot["call"]["call"] == call
    assert call in rings
    assert [one.snapshot["call"]["side"] for one in pair.devices] == ["both", "both"]
    await asyncio.gather(*(one.connect_leg(call) for one in pair.devices))
    await pair.hears(pair.rey, pair.voss)
    yield
    await pair.hang_up(pair.voss, call)
    assert [(past(one.snapshot, call) or {})["side"] for one in pair.devices] == ["both", "both"]


@asynccontextmanager
async def both_hang_up_at_once(pair: Pair) -> AsyncIterator[None]:
    """Ended by both, in both histories."""
    for _ in range(TRIES):
        call = await pair.call()
        await pair.reads("On the call")
        asked = await asyncio.gather(
            *(one.ask("hang-up", call=call) for one in pair.devices), return_exceptions=True
        )
        rows = await pair.over(call)
        assert {row["phase"] for row in rows} == {"ended"}
        if not any(isinstance(one, DeviceError) for one in asked):
            break
    for one in pair.devices:  # the other's may come after the first of them was signed
        await one.wait(lambda shown: (past(shown, call) or {}).get("by") == "both")
    yield


async def ring_at_once(pair: Pair) -> list[str]:
    """Let both ring until neither knew of the other's ring; return both calls."""
    for _ in range(TRIES):
        rings = await asyncio.gather(
            *(
                one.ask("ring", line=pair.line, mode="audio", certificate=one.certificate)
                for one in pair.devices
            ),
            return_exceptions=True,
        )
        calls = [str(ring["call"]) for ring in rings if not isinstance(ring, BaseException)]
        if len(calls) == len(rings):
            return calls
        first = next(
            one for one, ring in zip(pair.devices, rings, strict=True) if isinstance(ring, dict)
        )
        await first.ask("cancel", call=calls[0])
        await pair.over(calls[0])
    raise AssertionError(f"one of the two was first, {TRIES} times")


def acts_of(pair: Pair, call: str) -> list[str]:
    """Return the types of all entries of a call, as Borealis holds them."""
    return [kind for one, kind in held_by(pair.borealis.folder).acts() if one == call]


ROWS = [
    Row(two_browsers_of_one_person_answer_at_once, words=("live.elsewhere",)),
    Row(both_leaders_ring_at_once, words=("live.elsewhere",)),
    Row(both_hang_up_at_once, words=("ended.by-both",)),
]

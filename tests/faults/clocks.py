"""Faults of the clock: hours apart, and jumping in a call."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from faults.pair import Pair, Snapshot
from faults.row import Row
from faults.through import FaultyClock

HOUR_S = 3_600
NEAR_S = 120


@asynccontextmanager
async def the_clocks_are_six_hours_apart(pair: Pair) -> AsyncIterator[None]:
    """All goes on; each entry bears its author's time."""
    set_clock(pair, 6 * HOUR_S)
    call = await pair.call()
    ours = await pair.write(pair.rey, "by the clock of Arcadia")
    theirs = await pair.write(pair.voss, "by the clock of Borealis")
    await pair.hears(pair.rey, pair.voss)
    yield
    await pair.hang_up(pair.rey, call)
    assert abs(await ahead_s(pair, ours) - 6 * HOUR_S) < NEAR_S
    assert abs(await ahead_s(pair, theirs)) < NEAR_S
    set_clock(pair, 0)


@asynccontextmanager
async def a_clock_jumps_a_day_in_a_call(pair: Pair) -> AsyncIterator[None]:
    """Time-outs are monotonic: no call ends, the link stays, the talk goes on."""
    call = await pair.call()
    for ahead in (24 * HOUR_S, -24 * HOUR_S, 0):
        set_clock(pair, ahead)
        place = await pair.write(pair.rey, f"{ahead} s from now")
        await pair.hears(pair.rey, pair.voss)
        await pair.hears(pair.voss, pair.rey)
        assert abs(await ahead_s(pair, place) - ahead) < NEAR_S
        assert all(device.snapshot["lines"][0]["up"] for device in pair.devices)
    yield
    await pair.hang_up(pair.rey, call)


@asynccontextmanager
async def a_clock_jumps_a_day_while_it_rings(pair: Pair) -> AsyncIterator[None]:
    """A ring is missed after 45 s of the monotonic clock, not of the other one."""
    call = await pair.ring(pair.voss, pair.rey)
    for ahead in (24 * HOUR_S, -24 * HOUR_S, 0):
        set_clock(pair, ahead)
        await pair.write(pair.rey, f"while it rings, {ahead} s from now")
    yield
    await pair.answer(pair.voss, pair.rey, call)
    await pair.hang_up(pair.rey, call)


def set_clock(pair: Pair, ahead: float) -> None:
    assert isinstance(pair.tool, FaultyClock)
    pair.tool.set(ahead)


async def ahead_s(pair: Pair, place: str) -> float:
    """Return how far the time of a message, as the other side holds it, is from the true one."""

    def found(shown: Snapshot) -> Any:
        messages = shown["messages"][pair.line]
        return next((one["time_us"] for one in messages if one["id"] == place), None)

    shown = await pair.voss.wait(lambda shown: found(shown) is not None)
    return float(found(shown)) / 1e6 - time.time()


ROWS = [
    Row(the_clocks_are_six_hours_apart, words=("live.elsewhere",), through=FaultyClock),
    Row(a_clock_jumps_a_day_in_a_call, words=("live.elsewhere",), through=FaultyClock),
    Row(a_clock_jumps_a_day_while_it_rings, words=("incoming.answer",), through=FaultyClock),
]

"""Faults of the clock: hours apart, jumping in a call, and a day that ends in one."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from faults.evidence import held_by, rows
from faults.pair import Pair, Snapshot, until
from faults.row import Row
from faults.through import FaultyClock
from telcon.node.record.journal import How, Packet
from telcon.node.record.place import RecordPlace

HOUR_S, DAY_S = 3_600, 86_400
MINUTE_S, LEFT_S = 60, 2  # of the day
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


@asynccontextmanager
async def a_day_ends_in_a_call(pair: Pair) -> AsyncIterator[None]:
    """The call is one call, and its recording one recording, the same on both sides."""
    heard_before = len(pair.voss.heard)
    call = await pair.call()
    midnight = -time.time() % DAY_S  # so far ahead the next day begins
    day = day_of(midnight) - 1
    set_clock(pair, midnight - MINUTE_S)
    before = await pair.write(pair.rey, "on the one day")
    assert day_of(await ahead_s(pair, before)) == day
    set_clock(pair, midnight - LEFT_S)
    while day_of(midnight - LEFT_S) == day:
        await pair.hears(pair.rey, pair.voss)
    after = await pair.write(pair.rey, "on the other")
    assert day_of(await ahead_s(pair, after)) == day + 1
    await pair.hears(pair.rey, pair.voss)
    yield
    await pair.hang_up(pair.rey, call)
    agreed = (call, "call.record-agreed")
    await until(lambda: all(held_by(node.folder).acts().count(agreed) == 2 for node in pair.nodes))
    ours, theirs = (recorded(node.folder, call) for node in pair.nodes)
    assert ours == theirs
    assert sum(map(len, ours.values())) >= len(pair.voss.heard) - heard_before > 0
    set_clock(pair, 0)


def day_of(ahead: float) -> int:
    """Return the day, in UTC, by a clock that is so far ahead of the true one."""
    return int((time.time() + ahead) // DAY_S)


def recorded(folder: Path, call: str) -> dict[tuple[str, int], list[Packet]]:
    """Return what a node holds of each track of a call."""
    kept = {}
    for path, origin, number in rows(folder, RECORDINGS, call):
        journal = RecordPlace(folder, path).read()
        track = (origin, number)
        kept[track] = [
            replace(packet, how=How.CAME)
            for packet in journal.read(track, 0, journal.bound(track)).values()
        ]
    return kept


RECORDINGS = "SELECT path, origin, track FROM recording WHERE call = ? ORDER BY origin, track"


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
    Row(a_day_ends_in_a_call, words=("live.elsewhere",), through=FaultyClock),
    Row(a_clock_jumps_a_day_while_it_rings, words=("incoming.answer",), through=FaultyClock),
]

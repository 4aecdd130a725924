"""Rings by the stranger: answered by a device, taken back, and at the same time as the other's."""

import asyncio
import os
from pathlib import Path

import pytest

from demo.device import ScriptedDevice
from demo.nodes import DemoNode
from stranger.calls import Call, be_rung, phase
from stranger.entries import Entry, compact
from stranger.lines import be_invited, be_opened, open_log, sign_in
from stranger.node import Line

pytestmark = pytest.mark.process

PORT = 9  # nobody is there: no test here is about sound


async def prepare(node: DemoNode, scratch: Path, name: str) -> Line:
    line = Line(await be_invited(node, scratch / "invitation", name))
    open_log(line)
    return line


def our_call(line: Line, device: ScriptedDevice) -> Call:
    return Call(line, device, os.urandom(16).hex(), line.ours.size, {})


def append_ring(call: Call) -> None:
    call.line.append("call.ring", call=call.id, by=call.handle, mode="notes only", **call.join)


def test_rings_of_a_stranger_are_taken_back_and_answered(
    borealis: DemoNode, tmp_path: Path
) -> None:
    async def run() -> None:
        line = await prepare(borealis, tmp_path, "arcadia.example")
        async with line.dial(), sign_in(borealis) as device:
            await be_opened(line)
            await take_back(our_call(line, device))
            await be_answered(our_call(line, device))

    asyncio.run(run())
    assert borealis.stop() == 0


async def take_back(call: Call) -> None:
    line = call.line
    append_ring(call)
    await line.push()
    index, ringing = await line.entry("call.ringing")
    assert ringing["re"] == [[line.ours.origin, call.ring]]
    await line.write("call.cancel", call=call.id, re=ringing["re"])
    await call.device.wait(lambda shown: phase(shown) == "cancelled")
    assert index < line.theirs.size


async def be_answered(call: Call) -> None:
    line, device = call.line, call.device
    topic = compact({"lang": "en", "text": "the bridge"})
    line.append(
        "call.ring", call=call.id, by=call.handle, mode="notes only", topic=topic, **call.join
    )
    await line.push()
    await call.signal_trunk(PORT)
    await device.wait(lambda shown: phase(shown) == "ringing")
    await device.ask("answer", call=call.id, certificate=device.certificate)
    _, answer = await line.entry("call.answer")
    assert answer["re"] == [[line.ours.origin, call.ring]]
    assert (answer["mode"], answer["glare"]) == ("notes only", False)
    await line.signal("trunk", call.id)
    await device.ask("hang-up", call=call.id)
    hint = await line.signal("hint", call.id)
    _, hang_up = await line.entry("call.hang-up")
    assert hint == {"kind": "hang-up", "handle": answer["by"]}
    assert (hang_up["call"], hang_up["by"]) == (call.id, answer["by"])


def test_the_real_node_answers_with_glare_if_its_name_sorts_first(
    arcadia: DemoNode, tmp_path: Path
) -> None:
    async def run() -> Entry:
        line = await prepare(arcadia, tmp_path, "borealis.example")
        async with line.dial(), sign_in(arcadia) as device:
            await be_opened(line)
            ours = our_call(line, device)
            append_ring(ours)  # written, not pushed, before the other one comes
            theirs = await be_rung(line, device)
            await line.push()
            await ours.signal_trunk(PORT)
            _, answer = await line.entry("call.answer")
            assert answer["re"] == [[line.ours.origin, ours.ring], *theirs.place]
            assert (answer["call"], answer["mode"]) == (ours.id, "notes only")
            await device.wait(lambda shown: phase(shown) == "live")
            assert device.snapshot["call"]["call"] == ours.id
            await line.write("call.hang-up", call=ours.id, by=ours.handle)
            await device.wait(lambda shown: phase(shown) == "ended")
            return answer

    assert asyncio.run(run())["glare"] is True


def test_a_stranger_answers_with_glare_if_its_name_sorts_first(
    borealis: DemoNode, tmp_path: Path
) -> None:
    async def run() -> None:
        line = await prepare(borealis, tmp_path, "arcadia.example")
        async with line.dial(), sign_in(borealis) as device:
            await be_opened(line)
            ours = our_call(line, device)
            append_ring(ours)
            theirs = await be_rung(line, device)
            await line.push()
            await theirs.signal_trunk(PORT)
            await line.write(
                "call.answer",
                call=theirs.id,
                by=theirs.handle,
                re=[*theirs.place, [line.ours.origin, ours.ring]],
                mode="notes only",
                glare=True,
                **theirs.join,
            )
            await device.wait(lambda shown: phase(shown) == "live")
            assert device.snapshot["call"]["call"] == theirs.id
            await line.write("call.hang-up", call=theirs.id, by=theirs.handle)
            await device.wait(lambda shown: phase(shown) == "ended")

    asyncio.run(run())

"""One real node, and the other side played by a node that was written from the documents alone."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from demo.device import ScriptedDevice
from demo.nodes import DemoNode
from stranger.calls import OUR_SSRC, Call, be_rung
from stranger.entries import Entry, compact, read_entry
from stranger.folder import check_sums, read_log, read_side
from stranger.lines import OURS, be_invited, be_opened, open_log, sign_in
from stranger.node import Line
from stranger.tlog import COSIGNER
from stranger.trunk import Packet, SrtpKey, Trunk, chunk_root

pytestmark = pytest.mark.process

VOICES = Path(__file__).parents[2] / "demo" / "voices"
SPOKEN = 75  # packets of 20 ms


def test_a_stranger_that_was_invited_has_a_call_and_proves_it(
    arcadia: DemoNode, tmp_path: Path
) -> None:
    line, call = asyncio.run(call_with(arcadia, tmp_path))
    assert arcadia.stop() == 0
    folder = tmp_path / "folder"
    arcadia.telcon("export", "--call", call, "--out", str(folder), "--whole-log")
    check_folder(folder, line, call)
    cards = [tmp_path / "ours.card", tmp_path / "theirs.card"]
    for card, data in zip(cards, (line.me.card, line.peer.card), strict=True):
        card.write_bytes(data)
    arcadia.telcon("verify", str(folder), *(f"--card={card}" for card in cards))


async def call_with(node: DemoNode, scratch: Path) -> tuple[Line, str]:
    line = Line(await be_invited(node, scratch / "invitation", "borealis.example"))
    open_log(line)
    async with line.dial():
        await be_opened(line)
        async with sign_in(node) as device:
            call = await have_a_call(line, device)
            await exchange_messages(line, device)
            await be_seconded(line)
    return line, call


async def have_a_call(line: Line, device: ScriptedDevice) -> str:
    """Be rung, answer, talk both ways, hang up; return the call's id."""
    call = await be_rung(line, device)
    await device.connect_leg(call.id)
    await line.write("call.ringing", call=call.id, re=call.place, devices=1)
    async with Trunk.open(SrtpKey(call.trunk["key"], call.trunk["ssrc"])) as trunk:
        await call.answer(trunk.port)
        spoken, sent = await asyncio.gather(
            device.speak(VOICES / "arcadia.opus", packets=SPOKEN),
            speak(trunk, SrtpKey(call.key, OUR_SSRC), call.trunk["addresses"][0]),
        )
        beat = await line.signal("recorder", call.id)
        assert list(beat) == ["on", "age_ms"]
        await call.record(sent)
        await call.hang_up()
    assert trunk.refused == []
    assert [packet.payload for packet in trunk.packets] == spoken
    assert device.heard == [packet.payload for packet in sent]
    check_reports(trunk, call)
    await check_chunks(line, call.id, trunk.packets)
    return call.id


async def speak(trunk: Trunk, key: SrtpKey, address: list[Any]) -> list[Packet]:
    """Send made-up Opus packets in real time."""
    loop = asyncio.get_running_loop()
    begin, sent = loop.time(), []
    for index in range(SPOKEN):
        payload = b"\x08" + hashlib.sha256(index.to_bytes(2)).digest()
        sent.append(Packet(1, index, 960 * index, payload))
        trunk.send(key.protect(sent[-1]), (address[0], address[1]))
        await asyncio.sleep(max(0.0, begin + 0.02 * (index + 1) - loop.time()))
    return sent


def check_reports(trunk: Trunk, call: Call) -> None:
    """Require that what came was reported, and what we sent was judged."""
    assert [report.index for report in trunk.reports] == sorted(r.index for r in trunk.reports)
    assert any(report.packets for report in trunk.reports)
    assert {ssrc for report in trunk.reports for ssrc in report.about} == {OUR_SSRC << 8 | 1}
    assert {report.ssrc >> 8 for report in trunk.reports} == {call.trunk["ssrc"]}


async def check_chunks(line: Line, call: str, packets: list[Packet]) -> None:
    """Recompute every root of their recording from what arrived here."""
    await line.entry("call.record-off")
    covered, index = 0, -1
    while covered < len(packets):
        index, chunk = await line.entry("call.record-chunk", after=index)
        ((track, first, count, root),) = chunk["tracks"]
        key = line.theirs.content(index, "key")
        assert (chunk["call"], track, first) == (call, 1, covered)
        assert chunk_root(key, packets[first : first + count]).hex() == root
        covered += count
    assert covered == len(packets)


async def exchange_messages(line: Line, device: ScriptedDevice) -> None:
    theirs = compact(line.peer.person)
    ours = compact(OURS)
    text = compact({"lang": "en", "text": 'Grüße, "all"\n\x01 is well / \\'})
    await line.write("message", from_=ours, to=theirs, text=text)
    await device.wait(lambda shown: bool(shown["messages"][device.line]))
    assert device.snapshot["messages"][device.line][-1]["text"] == json.loads(text)["text"]
    said = 'So "we"\n\t\x02\x7f hear / \\ ü \u2028 🎙'
    await device.ask("message", line=device.line, text=said, tag="t", lang="de")
    index, _ = await line.entry("message")
    assert json.loads(line.theirs.content(index, "text")) == {"lang": "de", "text": said}


async def be_seconded(line: Line) -> None:
    """Have both logs, as they stand, signed by ML-DSA-44 as well."""
    await line.second()
    await line.wait(lambda: line.theirs.size in line.theirs.seconded)


def check_folder(folder: Path, line: Line, call: str) -> None:
    files = check_sums(folder)
    sides = (
        ("ours", line.theirs, line.me.mirror.key),
        ("theirs", line.ours, line.peer.mirror),
    )
    for name, log, mirror in sides:
        assert read_log(folder / name / "log", log.key, mirror) == log.entries
        proven = read_side(folder / name, log.key, mirror)
        file = "policy-ml-dsa-44.txt"
        assert proven == read_side(folder / name, log.key_ml_dsa, log.mirror_ml_dsa, file=file)
        assert (mirror.name, mirror.type) == (log.mirror_ml_dsa.name, COSIGNER)
        of_call = [n for n, data in enumerate(log.entries) if read_entry(data).get("call") == call]
        assert [one.index for one in proven] == of_call
        for one in proven:
            assert f"{name}/receipts/{one.index:06}-{one.entry['type']}.entry" in files
            assert one.data == log.entries[one.index]
            assert one.openings == log.openings[one.index]
            check_recording(folder / "recordings", one.entry)


def check_recording(folder: Path, entry: Entry) -> None:
    """Hold a file of the folder against the entry that closed it."""
    if entry["type"] == "call.record-off":
        origin, track = entry["track"]
        data = (folder / f"{origin.partition('/')[0]}-{track}.opus").read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry["size"], entry["sha256"])

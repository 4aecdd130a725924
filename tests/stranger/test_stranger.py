"""One real node, and the other side played by a node that was written from the documents alone."""

import asyncio
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from demo.device import ScriptedDevice, Snapshot
from demo.nodes import ARCADIA, BOREALIS, DemoNode, Party
from demo.ports import FIRST, free_ports
from stranger.entries import TYPES, compact
from stranger.folder import check_sums, read_side
from stranger.node import Line
from stranger.pairing import Invitation, Paired, Self, accept
from stranger.tlog import sha256
from stranger.trunk import Packet, SrtpKey, Trunk, chunk_root

pytestmark = pytest.mark.process

VOICES = Path(__file__).parents[2] / "demo" / "voices"
OUR_SSRC = 0xABCDEF
SPOKEN = 75  # packets of 20 ms
OURS = {"lang": "en", "name": "Sam Doe", "office": "Nobody you know", "organisation": "Elsewhere"}


def started(party: Party, folder: Path) -> DemoNode:
    first = FIRST + 7000 + 8 * (os.getpid() % 200)
    node = DemoNode(party, folder)
    node.set_up(free_ports(4, first=first))
    node.start()
    return node


@pytest.fixture
def arcadia(tmp_path: Path) -> Iterator[DemoNode]:
    node = started(ARCADIA, tmp_path / "arcadia")
    yield node
    node.kill()


@pytest.fixture
def borealis(tmp_path: Path) -> Iterator[DemoNode]:
    node = started(BOREALIS, tmp_path / "borealis")
    yield node
    node.kill()


def words_in(printed: str) -> str:
    found = re.search(r"^Words: (.+)$", printed, re.MULTILINE)
    assert found is not None, printed
    return found[1]


async def command(node: DemoNode, *arguments: str) -> str:
    return await asyncio.to_thread(node.telcon, *arguments)


async def be_invited(node: DemoNode, file: Path, name: str) -> Paired:
    """Pair with `node` by the invitation that it writes, and have it confirm."""
    inviting = node.begin("line", "invite", "--out", str(file))
    assert inviting.stdout is not None
    await asyncio.to_thread(inviting.stdout.readline)
    paired = await accept(await asyncio.to_thread(file.read_bytes), name, OURS)
    printed, _ = await asyncio.to_thread(inviting.communicate)
    assert paired.words == words_in(printed)
    await command(node, "line", "confirm", name, "--words", paired.words)
    return paired


async def invite(node: DemoNode, file: Path, name: str, address: str) -> Paired:
    """Pair with `node` by an invitation of ours, and have it confirm."""
    async with Invitation(Self(name, os.urandom(16).hex(), OURS, [address])) as invitation:
        await asyncio.to_thread(file.write_bytes, invitation.file)
        printed = await command(node, "line", "accept", str(file))
        paired = await asyncio.wait_for(invitation.paired, 10)
    assert paired.words == words_in(printed)
    await command(node, "line", "confirm", name, "--words", paired.words)
    return paired


def open_log(line: Line) -> None:
    """Write the two entries that begin our log."""
    cards = sorted([(line.me.name, line.me.card), (line.peer.name, line.peer.card)])
    line.append("line.opened", cards=[sha256(card).hex() for _, card in cards], previous=None)
    line.append(
        "line.terms",
        types=[[name, 1] for name in sorted(TYPES)],
        policy="mirror",
        conditions=[],
        link_lost="go on",
    )


async def be_opened(line: Line) -> None:
    """Wait until both logs are open and ours is cosigned; check what theirs says."""
    _, opened = await line.entry("line.opened")
    _, terms = await line.entry("line.terms")
    await line.wait(lambda: line.ours.cosigned == line.ours.size)
    cards = sorted([(line.me.name, line.me.card), (line.peer.name, line.peer.card)])
    assert opened["cards"] == [sha256(card).hex() for _, card in cards]
    assert opened["previous"] is None
    assert {name for name, _ in terms["types"]} == set(TYPES)
    assert terms["types"] == sorted(terms["types"])
    assert (terms["policy"], terms["conditions"]) == ("mirror", [])
    assert terms["link_lost"] == line.peer.terms["link_lost"]


def test_a_stranger_that_was_invited_has_a_call_and_proves_it(
    arcadia: DemoNode, tmp_path: Path
) -> None:
    line, call = asyncio.run(call_with(arcadia, tmp_path))
    assert arcadia.stop() == 0
    folder = tmp_path / "folder"
    arcadia.telcon("export", "--call", call, "--out", str(folder))
    check_folder(folder, line)
    cards = [tmp_path / "ours.card", tmp_path / "theirs.card"]
    for card, data in zip(cards, (line.me.card, line.peer.card), strict=True):
        card.write_bytes(data)
    arcadia.telcon("verify", str(folder), *(f"--card={card}" for card in cards))


async def call_with(node: DemoNode, scratch: Path) -> tuple[Line, str]:
    line = Line(await be_invited(node, scratch / "invitation", "borealis.example"))
    open_log(line)
    async with line.dial():
        await be_opened(line)
        device = await ScriptedDevice.open((await command(node, "link", ARCADIA.principal)).strip())
        call = await have_a_call(line, device)
        await exchange_messages(line, device)
        await device.close()
    return line, call


@dataclass
class Call:
    """One call that the real node rang, from our side."""

    line: Line
    device: ScriptedDevice
    id: str
    ring: int
    trunk: dict[str, Any]  # as the real node signalled it
    handle: str = field(default_factory=lambda: os.urandom(8).hex())
    key: bytes = field(default_factory=lambda: os.urandom(44))

    @property
    def place(self) -> list[Any]:
        return [[self.line.theirs.origin, self.ring]]

    async def answer(self, port: int) -> None:
        media = {"node": "00" * 32, "device": "11" * 32, "trunk": sha256(self.key).hex()}
        body = {"key": self.key, "ssrc": OUR_SSRC, "addresses": [["127.0.0.1", port]]}
        await self.line.send_signal("trunk", self.id, body)
        await self.line.write(
            "call.answer",
            call=self.id,
            by=self.handle,
            re=self.place,
            mode="audio",
            glare=False,
            track=1,
            person=compact(OURS),
            media=compact(media),
        )
        await self.device.wait(lambda shown: phase(shown) == "live")

    async def record(self, sent: list[Packet]) -> None:
        """Commit to what we sent, as the author of our track."""
        key = os.urandom(32)
        tracks = [[1, 0, len(sent), chunk_root(key, sent).hex()]]
        await self.line.write("call.record-chunk", call=self.id, tracks=tracks, key=key)

    async def hang_up(self) -> None:
        await self.line.write("call.hang-up", call=self.id, by=self.handle)
        await self.device.wait(lambda shown: is_signed(shown, self.id))


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


async def be_rung(line: Line, device: ScriptedDevice) -> Call:
    """Have the device ring; check what the ring says and seals."""
    await device.wait(lambda shown: bool(shown["lines"]) and shown["lines"][0]["up"])
    rung = await device.ask("ring", line=device.line, mode="audio", certificate=device.certificate)
    index, _ = await line.entry("call.ring")
    trunk = await line.signal("trunk", rung["call"])
    media = json.loads(line.theirs.content(index, "media"))
    assert json.loads(line.theirs.content(index, "person")) == line.peer.person
    assert media["trunk"] == sha256(trunk["key"]).hex()
    assert media["device"] == device.certificate
    assert list(trunk) == ["key", "ssrc", "addresses"]
    return Call(line, device, str(rung["call"]), index, trunk)


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


def phase(shown: Snapshot) -> str | None:
    return shown["call"]["phase"] if shown and shown["call"] else None


def is_signed(shown: Snapshot, call: str) -> bool:
    return any(
        p["call"] == call and p["signed"] for past in shown["history"].values() for p in past
    )


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


def check_folder(folder: Path, line: Line) -> None:
    check_sums(folder)
    sides = (
        ("ours", line.theirs, line.me.mirror.key),
        ("theirs", line.ours, line.peer.mirror),
    )
    for name, log, mirror in sides:
        proven = read_side(folder / name, log.key, mirror)
        assert len(proven) > 3
        for one in proven:
            assert one.data == log.entries[one.index]
            assert one.openings == log.openings[one.index]


def test_a_stranger_that_invites_is_dialled_and_tests_the_line(
    borealis: DemoNode, tmp_path: Path
) -> None:
    (port,) = free_ports(1, first=FIRST + 9000 + os.getpid() % 200)

    async def run() -> None:
        paired = await invite(
            borealis, tmp_path / "invitation", "arcadia.example", f"127.0.0.1:{port}"
        )
        line = Line(paired)
        open_log(line)
        async with line.listen():
            await be_opened(line)
            test = await line.write("line.test")
            _, tested = await line.entry("line.tested")
            assert tested["re"] == [[line.ours.origin, test]]

    asyncio.run(run())
    assert borealis.stop() == 0

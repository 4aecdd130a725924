"""A paired peer that sends as much and as fast as it can."""

import asyncio
import time
from pathlib import Path

import pytest

from node.link.rig import ARCADIA, BOREALIS, LINE, Handler, Node, run
from telcon.core.frames import Push, Refill, format_frame
from telcon.node.link import allowance, line_link
from telcon.node.link.allowance import BURST_OCTETS, FRAME_OCTETS, OCTETS_A_SECOND, Allowance
from telcon.node.link.connection import Connection
from telcon.node.link.connection_owner import ConnectionOwner
from telcon.node.link.dialling import dial
from telcon.node.link.line_link import LINK_PATH
from telcon.node.link.times import LinkTimes
from telcon.node.link.tls import dialling_context


async def victim_and_villain(folder: Path) -> tuple[Node, Node, Handler, Handler]:
    victim, villain = Node(folder / "a", ARCADIA), Node(folder / "b", BOREALIS)
    await victim.server.start("127.0.0.1", 0)
    heard, sender = Handler(), Handler()
    victim.add(villain, heard)
    villain.add(victim, sender, victim.server.port)
    await asyncio.gather(heard.until_up(), sender.until_up())
    return victim, villain, heard, sender


def test_a_flood_of_small_frames_leaves_the_loop_its_turns(tmp_path: Path) -> None:
    longest_s = 0.0

    async def watch() -> None:
        nonlocal longest_s
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0)
            longest_s = max(longest_s, time.perf_counter() - before)

    async def attack() -> None:
        victim, villain, heard, sender = await victim_and_villain(tmp_path)

        def work(data: bytes) -> None:
            heard.frames.append(data)
            heard.change()
            time.sleep(0.0002)  # what a frame costs a node, about

        heard.link_frame = work  # type: ignore[method-assign]
        for _ in range(2_000):
            sender.send(b"x")
        watching = asyncio.create_task(watch())
        await heard.until_frames(2_000)
        watching.cancel()
        await asyncio.wait([watching])
        await asyncio.gather(victim.server.close(), villain.server.close())

    run(attack())
    assert longest_s < 0.2  # at once it would be 0.4 s and more


def test_who_has_sent_too_much_is_read_slowly_and_stays_connected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowance, "BURST_OCTETS", 40 * FRAME_OCTETS)
    monkeypatch.setattr(allowance, "OCTETS_A_SECOND", 20 * FRAME_OCTETS)
    monkeypatch.setattr(line_link, "CONNECTION_OCTETS", 0)

    async def attack() -> None:
        victim, villain, heard, sender = await victim_and_villain(tmp_path)
        began = time.monotonic()
        for number in range(60):
            sender.send(b"%d" % number)
        await heard.until_frames(60)
        assert time.monotonic() - began > 0.5
        assert heard.frames == [b"%d" % number for number in range(60)]
        assert heard.story == sender.story == ["up"]
        assert victim.slowed == [LINE]  # told once
        await asyncio.gather(victim.server.close(), villain.server.close())

    run(attack())


def test_reading_slowly_is_no_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowance, "BURST_OCTETS", 2 * FRAME_OCTETS)
    monkeypatch.setattr(allowance, "OCTETS_A_SECOND", FRAME_OCTETS)
    monkeypatch.setattr(line_link, "CONNECTION_OCTETS", 0)
    times = LinkTimes(ping_s=0.1, silence_s=0.3)

    async def attack() -> None:
        victim = Node(tmp_path / "a", ARCADIA, times)
        villain = Node(tmp_path / "b", BOREALIS, times)
        await victim.server.start("127.0.0.1", 0)
        heard, sender = Handler(), Handler()
        victim.add(villain, heard)
        villain.add(victim, sender, victim.server.port)
        await asyncio.gather(heard.until_up(), sender.until_up())
        for _ in range(4):
            sender.send(b"x")
        await heard.until_frames(4)
        assert heard.story == ["up"]
        await asyncio.gather(victim.server.close(), villain.server.close())

    run(attack())


def test_a_refill_costs_nothing_an_entry_its_row_and_what_is_remembered_its_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    charged: list[int] = []
    messages = [b'{"type":"message"', b'{"type":"blank"'] * 500
    push = format_frame(Push(0, [*messages, *[b"x"] * 9_000], [], b""))

    async def attack() -> None:
        victim, villain, heard, sender = await victim_and_villain(tmp_path)
        monkeypatch.setattr(
            victim.server._lines[LINE], "_charge", lambda _, octets: charged.append(octets)
        )
        for data in (format_frame(Refill(0, [b"x"], [], True)), push, b"junk", b"\x91" * 4_096):
            sender.send(data)
        await heard.until_frames(4)
        await asyncio.gather(victim.server.close(), villain.server.close())

    run(attack())
    assert charged == [len(push) + 10_000 * 256 + 9_000 * 15, 4, 4_096]


def test_who_connects_without_end_is_turned_away(tmp_path: Path) -> None:
    async def attack() -> None:
        victim, villain = Node(tmp_path / "a", ARCADIA), Node(tmp_path / "b", BOREALIS)
        await victim.server.start("127.0.0.1", 0)
        heard = Handler()
        link = victim.add(villain, heard)
        link._allowance.spend(BURST_OCTETS)
        with pytest.raises(Exception, match="429"):
            await dialled(victim, villain)
        link._allowance = Allowance(lambda: 0.0)
        connection = await dialled(victim, villain)
        await heard.until_up()
        connection.abort("enough")
        await heard.until_down(1)
        await connection.wait_lost()
        await victim.server.close()

    run(attack())


async def dialled(victim: Node, villain: Node) -> Connection:
    return await dial(
        f"127.0.0.1:{victim.server.port}",
        ConnectionOwner(),
        dialling_context(villain.certificate, victim.certificate.der),
        node=ARCADIA,
        path=LINK_PATH + LINE,
        times=LinkTimes(),
    )


def test_an_honest_day_fits_the_allowance_many_times() -> None:
    now = 0.0
    left = Allowance(lambda: now)
    for _ in range(24 * 3_600 // 5):  # calls all day: a chunk, a cosignature and five heartbeats
        now += 5.0
        assert left.spend(700) == left.spend(300) == 0
        assert all(left.spend(60) == 0 for _ in range(5))
    assert BURST_OCTETS + 24 * 3_600 * OCTETS_A_SECOND < 1024**3  # what a day can fill


def test_who_is_cut_off_while_held_back_leaves_nothing_waiting(tmp_path: Path) -> None:
    async def attack() -> None:
        victim, villain, heard, sender = await victim_and_villain(tmp_path)
        connection = victim.server._lines[LINE]._current
        assert connection is not None
        connection.pause(3_600.0)
        heard.close("enough")
        for _ in range(1_000):
            sender.send(bytes(60_000))
        await asyncio.gather(heard.until_down(1), sender.until_down(1))
        await connection.wait_lost()
        assert not connection._waiting
        assert heard.frames == []
        await asyncio.gather(victim.server.close(), villain.server.close())

    run(attack())

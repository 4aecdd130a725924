"""The plane: what it is opened with, what it leaves behind, and that it needs no codec."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys

import pytest

from node.media.rig import LOOPBACK, Device, a_room, in_loop
from telcon.errors import BusyError, MisuseError, PortError, SettingsError
from telcon.node.media import plane
from telcon.node.media.dtls import DtlsIdentity
from telcon.node.media.plane import MediaPlane

CYCLES = 60  # bench/media_cycles.py runs 500


def open_plane(port: int = 0, advertised: tuple[str, ...] = (LOOPBACK,)) -> MediaPlane:
    return MediaPlane.open(LOOPBACK, port, advertised)


@in_loop
async def test_shows_the_certificate_that_its_answers_announce() -> None:
    async with a_room() as room:
        answer = room.leg().answer(room.device().offer())
        assert room.plane.certificate_sha256.hex(":").upper() in answer
        assert len(room.plane.certificate_sha256) == 32


@in_loop
async def test_answers_with_its_advertised_addresses_in_order() -> None:
    media = open_plane(advertised=("192.0.2.1", "2001:db8::1"))
    device = Device()
    answer = media.open_leg(None, lambda _: None).answer(device.offer())
    assert f" 192.0.2.1 {media.port} typ host" in answer
    assert answer.index("192.0.2.1") < answer.index("2001:db8::1")
    device.close()
    media.close()


@pytest.mark.parametrize("advertised", [(), ("arcadia.example",), ("0.0.0.0",), ("::",)])
def test_refuses_advertised_addresses_that_nobody_can_reach(advertised: tuple[str, ...]) -> None:
    async def test() -> None:
        with pytest.raises(SettingsError) as caught:
            open_plane(advertised=advertised)
        assert caught.value.advice()

    asyncio.run(test())


@in_loop
async def test_a_second_plane_on_the_port_is_refused_in_words() -> None:
    first = open_plane()
    with pytest.raises(PortError):
        open_plane(first.port)
    first.close()


@in_loop
async def test_takes_as_many_legs_as_the_limit_and_no_more() -> None:
    media = open_plane()
    legs = [media.open_leg(None, lambda _: None) for _ in range(plane.MAX_LEGS)]
    with pytest.raises(BusyError):
        media.open_leg(None, lambda _: None)
    legs[0].close()
    media.open_leg(None, lambda _: None)
    media.close()


@in_loop
async def test_refuses_misuse() -> None:
    media = open_plane()
    with pytest.raises(MisuseError):
        media.open_leg(b"short", lambda _: None)
    media.close()
    media.close()
    with pytest.raises(MisuseError):
        media.open_leg(None, lambda _: None)


@in_loop
async def test_closing_ends_every_leg() -> None:
    async with a_room() as room:
        leg, device = await room.join()
        room.plane.close()
        assert leg.statistics().state == "closed"
        await device.changes.until(lambda: len(device.events) == 2)


@in_loop
async def test_ticks_each_second_without_being_asked() -> None:
    async with a_room() as room:
        (leg_a, a), (leg_b, b) = await room.join(), await room.join()
        leg_b.slots[0].map(leg_a.source)
        a.send_opus(b"one")
        await b.changes.until(lambda: bool(b.reports))
        assert len(b.packets) == 1


@in_loop
async def test_joining_and_leaving_leaves_nothing_behind() -> None:
    identity = DtlsIdentity()
    async with a_room() as room:

        async def cycle() -> None:
            device = room.device(identity=identity)
            leg = room.leg(identity.certificate_sha256)
            device.accept(leg.answer(device.offer()))
            await device.wait_connected()
            leg.slots[0].map(leg.admit())
            device.send_opus(b"one")
            await device.heard(1)
            room.devices.remove(device)
            device.close()
            await room.changes.until(lambda: leg.statistics().state == "closed")

        await cycle()
        before = left_open()
        for _ in range(CYCLES):
            await cycle()
        assert left_open() == before
        statistics = room.plane.statistics()
        assert (statistics.legs, statistics.mux.bound) == ((), 0)
        assert room.plane._router._by_ufrag == {}


def left_open() -> tuple[int, int]:
    gc.collect()
    return len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())


def test_no_codec_is_loaded() -> None:
    script = (
        "import sys, telcon.node.media.plane, telcon.node.media.client\n"
        "maps = open('/proc/self/maps').read().lower()\n"
        "found = [n for n in ('av', 'aiortc', 'numpy', 'opuslib') if n in sys.modules]\n"
        "found += [n for n in ('libopus', 'libavcodec') if n in maps]\n"
        "sys.exit(', '.join(found) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")

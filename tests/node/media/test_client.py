"""The scripted device: what a test or a demo may rely on."""

from __future__ import annotations

import pytest

from node.media.rig import Path, a_room, in_loop
from telcon.errors import MalformedError, MisuseError, NetworkError
from telcon.node.media.leg import LegConnected, LegFailed
from telcon.node.media.rtcp import ReceiverReport, SenderReport
from telcon.node.media.rtp import sequence_delta, timestamp_delta
from telcon.node.media.sdp import parse_offer_untrusted


@in_loop
async def test_knows_its_certificate_before_it_offers() -> None:
    async with a_room() as room:
        device = room.device()
        assert parse_offer_untrusted(device.offer()).fingerprint == device.certificate_sha256


@in_loop
async def test_numbers_packets_and_time_and_skips_both() -> None:
    async with a_room() as room:
        leg, device = await room.join()
        leg.slots[1].map(leg.source)
        device.send_opus(b"one", marker=True)
        device.send_opus(b"two", ticks=2_880)
        device.skip()
        device.send_opus(b"four")
        await device.heard(3)
        first, second, third = [packet for _, packet in device.packets]
        assert [first.marker, second.marker] == [True, False]
        assert sequence_delta(third.sequence, first.sequence) == 3
        assert timestamp_delta(third.timestamp, first.timestamp) == 960 + 2_880 + 960
        assert {slot for slot, _ in device.packets} == {1}


@in_loop
async def test_goes_on_asking_until_it_is_answered() -> None:
    async with a_room() as room:
        path = Path(room.plane.port, lambda way, data: way == "up" and path.lost < 3)
        device, leg = room.device(), room.leg()
        device.accept(path.reroute(leg.answer(device.offer()), room.plane.port))
        await device.wait_connected()
        assert path.lost == 3
        path.close()


@in_loop
async def test_says_in_words_when_nobody_answers() -> None:
    async with a_room() as room:
        device, leg = room.device(), room.leg()
        answer = leg.answer(device.offer())
        leg.close()
        device.accept(answer)
        with pytest.raises(NetworkError, match=r"within 0\.2 s"):
            await device.wait_connected(0.2)


@in_loop
async def test_reports_what_it_hears_and_says() -> None:
    async with a_room() as room:
        leg, device = await room.join()
        leg.slots[0].map(leg.source)
        device.send_report()
        device.send_opus(b"one")
        await device.heard(1)
        device.send_report()
        await device.ping()
        assert leg.statistics().slots[0].cumulative_lost == 0
        assert leg.source is not None
        report = leg.source.report()
        assert report is not None
        assert report.last_report != 0


@in_loop
async def test_tells_of_connection_and_of_its_end() -> None:
    async with a_room() as room:
        leg, device = await room.join()
        leg.close()
        await device.changes.until(lambda: device.statistics().addresses == 0)
        assert device.events == [LegConnected(), LegFailed("the other side said goodbye")]
        with pytest.raises(MisuseError):
            device.send_opus(b"one")


@in_loop
async def test_refuses_an_answer_that_is_none() -> None:
    async with a_room() as room:
        with pytest.raises(MalformedError):
            room.device().accept("v=0\r\n")
        with pytest.raises(MisuseError):
            room.device().send_opus(b"one")


@in_loop
async def test_a_device_that_hears_and_speaks_sends_one_report_of_both() -> None:
    async with a_room() as room:
        leg, device = await room.join()
        leg.slots[0].map(leg.source)
        device.send_opus(b"one")
        await device.heard(1)
        leg.tick()
        await device.changes.until(lambda: bool(device.reports))
        kinds = {type(report) for report in device.reports}
        assert {ReceiverReport, SenderReport} <= kinds

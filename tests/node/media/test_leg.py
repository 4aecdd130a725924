"""Legs over real sockets: who is let in, what is let through, and what makes a leg end."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from node.media.rig import LOOPBACK, Clock, Device, Path, Room, a_room, in_loop
from telcon.errors import MalformedError, MisuseError, NetworkError, PinError
from telcon.node.media.dtls import DtlsIdentity
from telcon.node.media.leg import (
    BadIntegrity,
    FingerprintMismatch,
    LegConnected,
    LegFailed,
    LegResumed,
    LegSilent,
)
from telcon.node.media.mux import UdpMux
from telcon.node.media.rtcp import ReceiverReport, SenderReport
from telcon.node.media.rtp import RtpPacket, format_rtp


def speech(count: int, seed: int = 0) -> list[bytes]:
    return [hashlib.sha256(bytes((seed, n))).digest() for n in range(count)]


def say(device: Device, payloads: list[bytes]) -> None:
    for payload in payloads:
        device.send_opus(payload)


def digest(payloads: list[bytes]) -> str:
    return hashlib.sha256(b"".join(payloads)).hexdigest()


def wrong_user_name(answer: str) -> str:
    return answer.replace("a=ice-ufrag:", "a=ice-ufrag:00")


def wrong_password(answer: str) -> str:
    return answer.replace("a=ice-pwd:", "a=ice-pwd:00")


@in_loop
async def test_payloads_arrive_as_they_were_sent() -> None:
    async with a_room() as room:
        speaking, speaker = await room.join()
        hearing, listener = await room.join()
        hearing.slots[2].map(speaking.source)
        say(speaker, speech(60))
        await listener.heard(60)
        assert digest(listener.payloads(2)) == digest(speech(60))
        assert {slot for slot, _ in listener.packets} == {2}


@in_loop
async def test_both_hear_each_other() -> None:
    async with a_room() as room:
        (leg_a, a), (leg_b, b) = await room.join(), await room.join()
        leg_a.slots[0].map(leg_b.source)
        leg_b.slots[0].map(leg_a.source)
        say(a, speech(20, 1))
        say(b, speech(20, 2))
        await a.heard(20)
        await b.heard(20)
        assert (a.payloads(0), b.payloads(0)) == (speech(20, 2), speech(20, 1))


@in_loop
async def test_a_third_listener_joins_and_slots_switch_without_renegotiation() -> None:
    async with a_room() as room:
        (leg_a, a), (leg_b, b) = await room.join(), await room.join()
        leg_b.slots[0].map(leg_a.source)
        say(a, speech(5))
        await b.heard(5)
        leg_c, c = await room.join()
        leg_c.slots[0].map(leg_a.source)
        leg_c.slots[1].map(leg_b.source)
        say(a, speech(5, 3))
        say(b, speech(5, 4))
        await b.heard(10)
        await c.heard(10)
        leg_c.slots[0].map(leg_b.source)
        leg_c.slots[1].map(None)
        say(b, speech(5, 5))
        await c.heard(15)
        assert c.payloads(0) == speech(5, 3) + speech(5, 5)
        assert c.payloads(1) == speech(5, 4)
        assert b.payloads(0) == speech(5) + speech(5, 3)


@in_loop
async def test_a_listener_sees_one_unbroken_stream_across_a_switch() -> None:
    async with a_room() as room:
        (leg_a, a), (leg_b, b), (leg_c, c) = [await room.join() for _ in range(3)]
        for leg, device in ((leg_a, a), (leg_b, b), (leg_a, a)):
            leg_c.slots[0].map(leg.source)
            say(device, speech(10))
            await c.heard(len(c.packets) + 10)
        numbers = [packet.sequence for _, packet in c.packets]
        assert numbers == [numbers[0] + n for n in range(30)]
        assert len({packet.ssrc for _, packet in c.packets}) == 1


@in_loop
async def test_an_armed_leg_lets_nothing_in_or_out() -> None:
    async with a_room() as room:
        speaking, speaker = await room.join()
        armed, device = await room.arm()
        armed.slots[0].map(speaking.source)
        say(speaker, speech(10))
        say(device, speech(7))
        device.send_report()
        await speaker.ping()
        await device.ping()
        assert armed.source is None
        assert armed.statistics().state == "armed"
        assert armed.statistics().refused["armed"] == 8
        assert device.statistics().received == 0
        assert armed.statistics().transport.sent == 0


@in_loop
async def test_what_was_said_while_armed_is_not_heard_later() -> None:
    async with a_room() as room:
        hearing, listener = await room.join()
        leg, device = await room.arm()
        say(device, speech(7))
        await device.ping()
        hearing.slots[0].map(leg.admit())
        say(device, speech(3, 1))
        await listener.heard(3)
        assert listener.payloads(0) == speech(3, 1)


@in_loop
async def test_dismissal_cuts_both_ways_at_once() -> None:
    async with a_room() as room:
        (leg_a, a), (leg_b, b) = await room.join(), await room.join()
        leg_a.slots[0].map(leg_b.source)
        leg_b.slots[0].map(leg_a.source)
        say(a, speech(3))
        await b.heard(3)
        leg_a.dismiss()
        say(a, speech(5, 1))
        say(b, speech(5, 2))
        await a.ping()
        await b.ping()
        assert (len(b.packets), len(a.packets)) == (3, 0)
        assert leg_a.statistics().refused["armed"] == 5
        assert leg_a.source is None


@in_loop
async def test_a_dismissed_leg_can_be_admitted_again() -> None:
    async with a_room() as room:
        (leg_a, a), (leg_b, b) = await room.join(), await room.join()
        leg_a.dismiss()
        leg_b.slots[0].map(leg_a.admit())
        say(a, speech(3))
        await b.heard(3)
        assert b.payloads(0) == speech(3)


@in_loop
async def test_a_certificate_other_than_the_descriptions_gets_no_media() -> None:
    async with a_room() as room:
        device, leg = room.device(), room.leg()
        other = DtlsIdentity().certificate_sha256.hex(":").upper()
        offer = device.offer().replace(device.certificate_sha256.hex(":").upper(), other)
        device.accept(leg.answer(offer))
        await room.changes.until(lambda: bool(room.events))
        expected = FingerprintMismatch(
            other.replace(":", "").lower(), device.certificate_sha256.hex()
        )
        assert room.events == [expected]
        assert [event for event, _ in room.audited] == ["audit.media.fingerprint-mismatch"]
        assert leg.statistics().state == "closed"
        assert device.events == []


@in_loop
async def test_a_certificate_other_than_the_entrys_gets_no_answer() -> None:
    async with a_room() as room:
        device, expected = room.device(), DtlsIdentity().certificate_sha256
        leg = room.leg(expected)
        with pytest.raises(PinError, match="another certificate"):
            leg.answer(device.offer())
        assert room.events == [FingerprintMismatch(expected.hex(), device.certificate_sha256.hex())]
        assert room.audited[0][1]["expected"] == expected.hex()
        assert leg.statistics().state == "closed"


@in_loop
async def test_a_device_that_lies_about_its_certificate_twice_is_still_found_out() -> None:
    async with a_room() as room:
        device, claimed = room.device(), DtlsIdentity().certificate_sha256
        leg = room.leg(claimed)
        true, false = (h.hex(":").upper() for h in (device.certificate_sha256, claimed))
        device.accept(leg.answer(device.offer().replace(true, false)))
        await room.changes.until(lambda: bool(room.events))
        assert room.events == [FingerprintMismatch(claimed.hex(), device.certificate_sha256.hex())]


@in_loop
async def test_a_device_refuses_a_node_with_another_certificate() -> None:
    async with a_room() as room:
        device, leg = room.device(), room.leg()
        other = DtlsIdentity().certificate_sha256.hex(":").upper()
        announced = room.plane.certificate_sha256.hex(":").upper()
        device.accept(leg.answer(device.offer()).replace(announced, other))
        with pytest.raises(NetworkError, match="another certificate"):
            await device.wait_connected()


@in_loop
async def test_a_wrong_ice_password_gets_no_answer_and_a_line_in_the_audit() -> None:
    async with a_room() as room:
        device, leg = room.device(), room.leg()
        device.accept(wrong_password(leg.answer(device.offer())))
        await room.changes.until(lambda: len(room.audited) == 2)
        assert room.events[0] == BadIntegrity(1)
        assert [fields["count"] for _, fields in room.audited] == [1, 10]
        assert (device.answered_checks, room.plane.statistics().mux.sent) == (0, 0)
        assert room.plane.statistics().mux.bound == 0


@in_loop
async def test_an_unknown_user_name_gets_no_answer_and_a_line_in_the_audit() -> None:
    async with a_room() as room:
        device, leg = room.device(), room.leg()
        device.accept(wrong_user_name(leg.answer(device.offer())))
        await room.changes.until(lambda: len(room.audited) == 2)
        assert [event for event, _ in room.audited] == ["audit.media.unknown-user"] * 2
        assert (device.answered_checks, room.plane.statistics().mux.sent) == (0, 0)
        assert room.events == []


@in_loop
async def test_media_goes_to_where_the_device_has_moved() -> None:
    async with a_room() as room:
        (leg_a, a), (leg_b, b) = await room.join(), await room.join()
        leg_b.slots[0].map(leg_a.source)
        leg_a.slots[0].map(leg_b.source)
        say(a, speech(3))
        await b.heard(3)
        b.move()
        await b.ping()
        say(a, speech(3, 1))
        await b.heard(6)
        say(b, speech(3, 2))
        await a.heard(3)
        assert b.payloads(0) == speech(3) + speech(3, 1)
        assert a.payloads(0) == speech(3, 2)
        assert leg_b.statistics().moves == 1


@in_loop
async def test_media_does_not_go_to_where_an_old_check_is_replayed_from() -> None:
    async with a_room() as room:
        leg, device = await room.arm()
        overheard: list[bytes] = []

        def overhear(way: str, data: bytes) -> bool:
            overheard.append(data)
            return False

        path = Path(room.plane.port, overhear)
        device._node = (LOOPBACK, path.port)
        await device.ping()
        moves, stranger = leg.statistics().moves, room.device()
        stranger._mux.send(overheard[0], (LOOPBACK, room.plane.port))
        path.repeat(overheard[0])
        await device.ping()
        assert leg.statistics().checks == 4
        assert leg.statistics().moves == moves
        assert room.plane.statistics().mux.refused["stun"] == 1
        path.close()


@in_loop
async def test_a_device_that_moved_is_heard_and_hears_before_its_next_check() -> None:
    async with a_room() as room:
        (leg_a, a), (leg_b, b) = await room.join(), await room.join()
        leg_a.slots[0].map(leg_b.source)
        leg_b.slots[0].map(leg_a.source)
        moved = UdpMux.open(LOOPBACK, 0)
        b._mux.send, before = moved.send, b._mux.send  # type: ignore[method-assign]
        b._timers["check"].cancel()
        say(b, speech(3, 1))
        await a.heard(3)
        say(a, speech(3, 2))
        await b.heard(3)
        assert leg_b.statistics().moves == 0
        while moved.statistics().received < 3:  # noqa: ASYNC110 -- a bare socket tells nobody
            await asyncio.sleep(0)
        b._mux.send = before  # type: ignore[method-assign]
        moved.close()


@in_loop
async def test_ice_restarts_and_keeps_keys_streams_and_slots() -> None:
    async with a_room() as room:
        (leg_a, a), (leg_b, b) = await room.join(), await room.join()
        leg_b.slots[3].map(leg_a.source)
        say(a, speech(3))
        await b.heard(3)
        b.accept(leg_b.restart(b.restart()))
        await b.ping()
        say(a, speech(3, 1))
        await b.heard(6)
        assert b.payloads(3) == speech(3) + speech(3, 1)
        assert room.events.count(LegConnected()) == 2
        assert leg_b.statistics().bad_integrity == 0


@in_loop
async def test_a_restart_that_nobody_follows_leaves_the_leg_as_it_is() -> None:
    async with a_room() as room:
        leg, device = await room.join()
        offer = device.offer()
        leg.restart(offer)
        leg.restart(offer)
        with pytest.raises(MalformedError):
            leg.restart(offer.replace("a=mid:4", "a=mid:5").replace(" 3 4", " 3 5"))
        assert leg.statistics().state == "admitted"


@in_loop
async def test_a_restart_under_another_certificate_ends_the_leg() -> None:
    async with a_room() as room:
        leg, device = await room.join()
        with pytest.raises(PinError):
            leg.restart(room.device().offer())
        assert leg.statistics().state == "closed"
        assert device.certificate_sha256.hex() == room.audited[0][1]["expected"]


@in_loop
async def test_connects_although_the_first_flight_is_lost() -> None:
    async with a_room() as room:
        await connect_over(room, loses_dtls_from("up"))


@in_loop
async def test_connects_although_the_nodes_last_flight_is_lost() -> None:
    async with a_room() as room:
        await connect_over(room, loses_dtls_from("down", skip=1))


def loses_dtls_from(lost_way: str, *, skip: int = 0) -> LossOfOne:
    return LossOfOne(lost_way, skip)


class LossOfOne:
    """Loses one DTLS datagram of one way, after letting some through."""

    def __init__(self, way: str, skip: int) -> None:
        self._way = way
        self._left = skip

    def __call__(self, way: str, data: bytes) -> bool:
        if way != self._way or not 20 <= data[0] <= 63:
            return False
        self._left -= 1
        return self._left == -1


async def connect_over(room: Room, loses: LossOfOne) -> None:
    path = Path(room.plane.port, loses)
    device, leg = room.device(), room.leg()
    device.accept(path.reroute(leg.answer(device.offer()), room.plane.port))
    await device.wait_connected()
    leg.admit()
    hearing, listener = await room.join()
    hearing.slots[0].map(leg.source)
    say(device, speech(3))
    await listener.heard(3)
    assert path.lost == 1
    path.close()


@in_loop
async def test_the_wrap_of_the_sequence_is_not_heard() -> None:
    async with a_room() as room:
        speaking, speaker = await room.join(first_sequence=65_500)
        hearing, listener = await room.join()
        hearing.slots[0].map(speaking.source)
        for start in range(0, 100, 20):
            say(speaker, speech(100)[start : start + 20])
            await listener.heard(start + 20)
        numbers = [packet.sequence for _, packet in listener.packets]
        assert numbers == [numbers[0] + n for n in range(100)]
        assert listener.payloads(0) == speech(100)
        assert speaking.statistics().transport.forged == 0


@in_loop
async def test_stops_sending_after_30_s_of_silence_and_resumes_with_the_next_check() -> None:
    clock = Clock()
    async with a_room(clock) as room:
        (leg_a, a), (leg_b, b) = await room.join(), await room.join()
        leg_b.slots[0].map(leg_a.source)
        clock.now += 29.9
        leg_b.tick()
        assert leg_b.statistics().state == "admitted"
        clock.now += 0.1
        leg_b.tick()
        assert room.events[-1] == LegSilent()
        say(a, speech(3))
        await a.ping()
        assert leg_b.statistics().transport.sent == 0
        await b.ping()
        assert room.events[-2:] == [LegSilent(), LegResumed()]
        say(a, speech(3, 1))
        await b.heard(3)
        assert b.payloads(0) == speech(3, 1)


@in_loop
async def test_ends_after_60_s_of_silence() -> None:
    clock = Clock()
    async with a_room(clock) as room:
        leg, _ = await room.join()
        clock.now += 60.0
        leg.tick()
        assert isinstance(room.events[-1], LegFailed)
        assert leg.statistics().state == "closed"
        assert room.plane.statistics().legs == ()


@in_loop
async def test_ends_when_the_device_says_goodbye() -> None:
    async with a_room() as room:
        leg, device = await room.join()
        device.close()
        await room.changes.until(lambda: leg.statistics().state == "closed")
        assert room.events == [LegConnected(), LegFailed("the other side said goodbye")]


@in_loop
async def test_reports_to_speakers_and_listeners() -> None:
    async with a_room() as room:
        (leg_a, a), (leg_b, b) = await room.join(), await room.join()
        leg_b.slots[0].map(leg_a.source)
        say(a, speech(10))
        await b.heard(10)
        leg_a.tick()
        leg_b.tick()
        await a.changes.until(lambda: bool(a.reports))
        await b.changes.until(lambda: bool(b.reports))
        [to_speaker] = [r for r in a.reports if isinstance(r, ReceiverReport)]
        [to_listener] = [r for r in b.reports if isinstance(r, SenderReport)]
        assert to_speaker.blocks[0].ssrc == a.ssrc
        carried = 9 * (5 + 32)  # each but the first carries the one before it
        assert (to_listener.packets, to_listener.octets) == (10, 320 + carried)
        assert to_listener.ssrc == b.packets[0][1].ssrc


@in_loop
async def test_a_speaker_is_told_what_a_listener_misses_that_never_asks() -> None:
    async with a_room() as room:
        (leg_a, a), (leg_b, b) = await room.join(), await room.join()
        for source in b._heard.values():
            source.wanted = lambda round_trip_s=0.0: []  # type: ignore[method-assign]
        leg_b.slots[0].map(leg_a.source)
        path_loses_half = iter(range(1_000_000))
        forward = b._transport.receive_srtp
        b._transport.receive_srtp = lambda data: (  # type: ignore[method-assign]
            forward(data) if next(path_loses_half) % 2 == 0 else None
        )
        say(a, speech(101))
        await b.heard(51)
        b.send_report()
        await b.ping()
        leg_a.tick()
        await a.changes.until(lambda: bool(a.reports))
        [report] = [r for r in a.reports if isinstance(r, ReceiverReport)]
        assert report.blocks[0].fraction_lost == 256 * 50 // 101
        assert report.blocks[0].cumulative_lost == 0


@in_loop
async def test_passes_on_only_the_stream_and_type_that_were_agreed() -> None:
    async with a_room() as room:
        (leg_a, a), (leg_b, b) = await room.join(), await room.join()
        leg_b.slots[0].map(leg_a.source)
        for ssrc, payload_type in ((a.ssrc + 1, 111), (a.ssrc, 13)):
            packet = RtpPacket(payload_type, False, 5, 5, ssrc, b"other")
            a._transport.send_rtp(format_rtp(packet))
        a._transport.send_rtp(b"\xa0\x6f" + bytes(6) + a.ssrc.to_bytes(4, "big") + b"\x09")
        await a.ping()
        assert leg_a.statistics().refused == {"armed": 0, "stream": 2, "malformed": 1}
        assert b.packets == []


@in_loop
async def test_refuses_misuse_in_words() -> None:
    async with a_room() as room:
        leg, device = room.leg(), room.device()
        for misuse in (leg.admit, lambda: leg.restart(device.offer())):
            with pytest.raises(MisuseError):
                misuse()
        leg.answer(device.offer())
        with pytest.raises(MisuseError):
            leg.answer(device.offer())
        leg.close()
        leg.close()
        with pytest.raises(MisuseError):
            leg.admit()


@in_loop
async def test_an_offer_of_another_shape_can_be_followed_by_a_right_one() -> None:
    async with a_room() as room:
        leg, device = room.leg(), room.device()
        with pytest.raises(MalformedError):
            leg.answer("v=0\r\n")
        device.accept(leg.answer(device.offer()))
        await device.wait_connected()

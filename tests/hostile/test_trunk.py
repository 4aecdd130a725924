"""A peer with a true trunk key that wants our packets elsewhere, or more of them than there are."""

import pytest

from fakes.red import write_red
from node.media.test_trunk import (
    ARCADIA,
    BOREALIS,
    FRAME,
    Call,
    call_with_silent_side,
    sealed,
)
from telcon.core.signals import TrunkSignal
from telcon.errors import MalformedError
from telcon.node.media.mux import Address
from telcon.node.media.rtp import RtpPacket, format_rtp
from telcon.node.media.srtp import AEAD_AES_256_GCM, Protector
from telcon.node.media.trunk import (
    BURST,
    MAX_PACKETS_A_SECOND,
    PAYLOAD_TYPE,
    RED_PAYLOAD_TYPE,
)

VICTIMS: list[Address] = [("203.0.113.1", port) for port in range(1, 9)]


def test_third_parties_that_the_peer_names_get_a_second_of_media_and_then_reports_alone() -> None:
    call = Call(joined=False)
    call.a.trunk.set_peer(call.b.signal(*VICTIMS))
    for second in range(60):
        call.a.say(50, first=50 * second)
        call.clock.now += 1.1
        call.a.trunk.handle_deadline(call.clock.now)
        call.a.trunk.set_peer(call.b.signal(*VICTIMS))
    packets = [data for _, target, data in call.wire.log if target in VICTIMS]
    reports = [data for data in packets if 64 <= data[1] & 0x7F < 96]
    assert len(packets) - len(reports) == len(VICTIMS) * 50
    assert len(reports) <= len(VICTIMS) * (60 + BURST)


def test_new_addresses_without_end_make_no_packet_more() -> None:
    call = Call(joined=False)
    call.a.trunk.set_peer(call.b.signal(VICTIMS[0]))
    sent = len(call.wire.log)
    for number in range(1_000):
        call.a.trunk.set_peer(call.b.signal(("203.0.113.9", number + 1), *VICTIMS[1:]))
    assert len(call.wire.log) == sent
    call.clock.now += 1
    call.a.trunk.handle_deadline(call.clock.now)
    assert len(call.wire.log) == sent + len(VICTIMS)


def test_our_own_key_signalled_back_is_refused() -> None:
    call = Call(joined=False)
    with pytest.raises(MalformedError, match="our own key"):
        call.a.trunk.set_peer(TrunkSignal(call.a.key, call.a.prefix, [("192.0.2.1", 4000)]))
    assert call.a.trunk.next_deadline() is None


def test_a_flood_of_authentic_packets_is_played_and_recorded_no_faster_than_anybody_speaks() -> (
    None
):
    call = Call()
    call.a.say(3 * MAX_PACKETS_A_SECOND)
    assert len(call.b.user.heard) <= MAX_PACKETS_A_SECOND
    assert call.b.trunk.statistics().flooded >= 2 * MAX_PACKETS_A_SECOND
    call.pass_time(1.0)
    before = len(call.b.user.heard)
    call.a.say(10, first=3 * MAX_PACKETS_A_SECOND)
    assert len(call.b.user.heard) == before + 2 + 10  # the first carries two that were dropped


def test_a_flood_of_packets_that_carry_others_is_no_larger() -> None:
    call = call_with_silent_side()
    sealing = Protector(AEAD_AES_256_GCM, call.a.key)
    riders = [(PAYLOAD_TYPE, (2 - n) * 960, FRAME) for n in range(2)]
    payload = write_red(*riders, (PAYLOAD_TYPE, 0, FRAME))
    for index in range(2, 6 * MAX_PACKETS_A_SECOND, 3):
        ssrc = call.a.prefix << 8 | 1
        packet = RtpPacket(RED_PAYLOAD_TYPE, False, index, index * 960, ssrc, payload)
        call.b.trunk.receive_unbound(sealing.protect(format_rtp(packet)), ARCADIA, is_rtcp=False)
    assert len(call.b.user.heard) <= MAX_PACKETS_A_SECOND


BAD = {
    "more than two": [(PAYLOAD_TYPE, n * 960, FRAME) for n in (3, 2, 1)],
    "another codec": [(0, 960, FRAME)],
    "what would be before the first": [(PAYLOAD_TYPE, 1_920, FRAME), (PAYLOAD_TYPE, 960, FRAME)],
}


@pytest.mark.parametrize("case", BAD)
def test_a_packet_that_carries_what_it_must_not_is_dropped_whole(case: str) -> None:
    call = call_with_silent_side()
    payload = write_red(*BAD[case], (PAYLOAD_TYPE, 0, FRAME))
    index = 1 if case == "what would be before the first" else 9
    packet = RtpPacket(RED_PAYLOAD_TYPE, False, index, 9_600, call.a.prefix << 8 | 1, payload)
    call.b.trunk.receive_unbound(sealed(call.a, packet), ARCADIA, is_rtcp=False)
    assert call.b.user.heard == []
    assert call.b.trunk.statistics().malformed == 1


def test_what_rides_along_replaces_nothing_that_has_come() -> None:
    call = call_with_silent_side()
    ssrc = call.a.prefix << 8 | 1
    sealing = Protector(AEAD_AES_256_GCM, call.a.key)
    lie = write_red((PAYLOAD_TYPE, 960, b"\xf8lie"), (PAYLOAD_TYPE, 0, FRAME))
    packets = [
        RtpPacket(PAYLOAD_TYPE, False, 0, 0, ssrc, FRAME),
        RtpPacket(RED_PAYLOAD_TYPE, False, 1, 960, ssrc, lie),
    ]
    for packet in packets:
        call.b.trunk.receive_unbound(sealing.protect(format_rtp(packet)), ARCADIA, is_rtcp=False)
    assert call.b.user.heard == [(1, 0, 0, FRAME), (1, 1, 960, FRAME)]


def test_the_ssrc_prefix_of_another_call_lets_nobody_into_it() -> None:
    call = Call()
    packet = RtpPacket(111, False, 0, 0, call.a.prefix << 8 | 1, FRAME)
    call.a.key = bytes(44)  # of a call of the attacker's own, under the same prefix
    assert not call.b.trunk.receive_unbound(sealed(call.a, packet), BOREALIS, is_rtcp=False)
    assert call.b.trunk.statistics().address == ARCADIA

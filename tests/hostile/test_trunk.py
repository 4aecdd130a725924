"""A peer with a true trunk key that wants our packets elsewhere, or more of them than there are."""

import pytest

from node.media.test_trunk import ARCADIA, BOREALIS, FRAME, Call, sealed
from telcon.core.signals import TrunkSignal
from telcon.errors import MalformedError
from telcon.node.media.mux import Address
from telcon.node.media.rtp import RtpPacket
from telcon.node.media.trunk import BURST, MAX_PACKETS_A_SECOND

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
    assert len(call.b.user.heard) == before + 10


def test_the_ssrc_prefix_of_another_call_lets_nobody_into_it() -> None:
    call = Call()
    packet = RtpPacket(111, False, 0, 0, call.a.prefix << 8 | 1, FRAME)
    call.a.key = bytes(44)  # of a call of the attacker's own, under the same prefix
    assert not call.b.trunk.receive_unbound(sealed(call.a, packet), BOREALIS, is_rtcp=False)
    assert call.b.trunk.statistics().address == ARCADIA

"""What a leg carries: only what was agreed gets further, and only while it is admitted."""

from __future__ import annotations

from fakes.red import write_red
from node.media.rig import Clock
from telcon.node.media.ice import Credentials
from telcon.node.media.rtcp import (
    Goodbye,
    Nack,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    format_rtcp,
    parse_rtcp_untrusted,
)
from telcon.node.media.rtp import RtpPacket, format_rtp
from telcon.node.media.sdp import AnswerSection, Offer, OfferSection, RedFormat
from telcon.node.media.source import Source
from telcon.node.media.streams import LegStreams

OFFER = Offer(
    Credentials("abcd", "a" * 22),
    bytes(32),
    tuple(OfferSection(str(n), n == 2, 96 + n, 7 if n == 2 else None) for n in range(5)),
)


class Sent(list[bytes]):
    """Keeps what a leg sends; what is sealed is as it was."""

    def __init__(self) -> None:
        super().__init__()
        self.again: list[bytes] = []
        self.reports: list[bytes] = []
        self.send_again = self.again.append
        self.send_rtcp = self.reports.append

    def send_rtp(self, packet: bytes) -> bytes:
        self.append(packet)
        return packet


def streams(offer: Offer = OFFER) -> tuple[LegStreams, Sent]:
    sent = Sent()
    return LegStreams(offer, sent, cname="node", clock=Clock()), sent


def packet(sequence: int = 1, *, ssrc: int = 7, payload_type: int = 98) -> bytes:
    return format_rtp(RtpPacket(payload_type, False, sequence, 0, ssrc, b"opus"))


def test_a_slot_for_each_section_that_receives_in_the_offers_order() -> None:
    agreed, _ = streams()
    sections = agreed.answer_sections(OFFER)
    slots = iter(agreed.slots)
    assert sections[2] == AnswerSection("2", 98, None)
    for section in (*sections[:2], *sections[3:]):
        slot = next(slots)
        assert (section.ssrc, section.payload_type) == (slot.ssrc, slot.payload_type)
    assert len({slot.ssrc for slot in agreed.slots}) == 4


def test_counts_everything_before_admission() -> None:
    agreed, _ = streams()
    agreed.receive_rtp(packet())
    agreed.receive_rtcp(format_rtcp([ReceiverReport(7)]))
    assert agreed.source is None
    assert agreed.refused() == {"armed": 2, "stream": 0, "malformed": 0}


def test_feeds_what_was_agreed_and_counts_the_rest() -> None:
    agreed, _ = streams()
    source = agreed.admit()
    agreed.receive_rtp(packet())
    for other in (packet(ssrc=8), packet(payload_type=13), b"\x00" * 12):
        agreed.receive_rtp(other)
    agreed.receive_rtcp(b"\x80")
    assert source.statistics().packets == 1
    assert agreed.refused() == {"armed": 0, "stream": 2, "malformed": 2}


RED_OFFER = Offer(
    OFFER.credentials, OFFER.fingerprint,
    tuple(
        OfferSection(s.mid, s.sends, s.payload_type, s.ssrc, RedFormat(63, 1))
        for s in OFFER.sections
    ),
)  # fmt: skip


def carrying(sequence: int, payload: bytes, before: bytes) -> bytes:
    whole = write_red((98, 960, before), (98, 0, payload))
    return format_rtp(RtpPacket(63, False, sequence, sequence * 960, 7, whole))


def test_what_a_device_sends_as_red_is_fed_as_opus_and_fills_what_is_lost() -> None:
    agreed, sent = streams(RED_OFFER)
    heard: list[tuple[int, int, bytes]] = []
    agreed.admit().add_tap(lambda p: heard.append((p.payload_type, p.sequence, p.payload)))
    agreed.receive_rtp(packet(1))
    agreed.receive_rtp(carrying(3, b"\xf83", b"\xf82"))
    assert heard == [(98, 1, b"opus"), (98, 2, b"\xf82"), (98, 3, b"\xf83")]
    assert sent.reports == []  # nothing was asked for


def test_what_was_said_before_admission_does_not_come_in_along_with_a_later_packet() -> None:
    agreed, _ = streams(RED_OFFER)
    for _ in range(2):
        heard: list[bytes] = []
        agreed.receive_rtp(carrying(3, b"\xf8refused", b"\xf8before"))
        agreed.admit().add_tap(lambda p, heard=heard: heard.append(p.payload))  # type: ignore[misc]
        agreed.receive_rtp(carrying(4, b"\xf84", b"\xf8refused"))
        assert heard == [b"\xf84"]
        agreed.dismiss()


def test_counts_red_that_cannot_be_read() -> None:
    agreed, _ = streams(RED_OFFER)
    source = agreed.admit()
    agreed.receive_rtp(format_rtp(RtpPacket(63, False, 1, 0, 7, b"\xef")))
    assert (agreed.refused()["malformed"], source.statistics().packets) == (1, 0)


def test_answers_red_as_it_was_offered() -> None:
    agreed, _ = streams(RED_OFFER)
    assert {section.red for section in agreed.answer_sections(RED_OFFER)} == {RedFormat(63, 1)}


def test_keeps_to_the_first_stream_where_the_offer_names_none() -> None:
    bare = Offer(OFFER.credentials, bytes(32), (OfferSection("0", True, 98, None),))
    agreed, _ = streams(bare)
    source = agreed.admit()
    agreed.receive_rtp(packet(ssrc=70))
    agreed.receive_rtp(packet(ssrc=71))
    agreed.receive_rtp(packet(2, ssrc=70))
    assert source.statistics().packets == 2


def test_admission_twice_is_one() -> None:
    agreed, _ = streams()
    assert agreed.admit() is agreed.admit()


def test_dismissal_leaves_nothing_mapped_and_nothing_open() -> None:
    agreed, sent = streams()
    source = agreed.admit()
    agreed.set_flowing(flows=True)
    agreed.slots[0].map(source)
    agreed.dismiss()
    agreed.receive_rtp(packet())
    source.feed(RtpPacket(98, False, 1, 0, 7, b"opus"))
    assert sent == []
    assert source.statistics().subscribers == 0
    assert [slot.statistics().open for slot in agreed.slots] == [False] * 4


def test_gives_a_listeners_report_to_the_slot_it_is_about() -> None:
    agreed, _ = streams()
    agreed.admit()
    blocks = tuple(ReportBlock(slot.ssrc, n, 0, 0, 0, 0, 0) for n, slot in enumerate(agreed.slots))
    stranger = ReportBlock(1 << 31, 99, 0, 0, 0, 0, 0)
    agreed.receive_rtcp(format_rtcp([ReceiverReport(7, (stranger, *blocks)), Goodbye((7,))]))
    assert [slot.statistics().fraction_lost for slot in agreed.slots] == [0, 1, 2, 3]


def test_remembers_the_speakers_report_and_no_other_streams() -> None:
    agreed, _ = streams()
    agreed.admit()
    agreed.receive_rtp(packet())
    agreed.receive_rtcp(format_rtcp([SenderReport(8, 1 << 40, 0, 0, 0)]))
    [before] = [r for r in agreed.reports(0) if isinstance(r, ReceiverReport)]
    agreed.receive_rtcp(format_rtcp([SenderReport(7, 1 << 40, 0, 0, 0)]))
    [after] = [r for r in agreed.reports(0) if isinstance(r, ReceiverReport)]
    assert (before.blocks[0].last_report, after.blocks[0].last_report) == (0, 1 << 24)


def test_reports_only_on_what_has_flowed() -> None:
    agreed, _ = streams()
    assert agreed.reports(0) == []
    source = agreed.admit()
    agreed.set_flowing(flows=True)
    agreed.slots[1].map(source)
    agreed.receive_rtp(packet())
    to_speaker, to_listener, description = agreed.reports(5)
    assert isinstance(to_speaker, ReceiverReport)
    assert isinstance(to_listener, SenderReport)
    assert to_listener.ssrc == agreed.slots[1].ssrc
    assert description == SourceDescription(to_listener.ssrc, "node")


def test_what_the_device_asks_for_is_sent_again_and_counts_as_its_loss() -> None:
    agreed, sent = streams()
    far = Source(clock=Clock())
    agreed.admit()
    agreed.slots[1].map(far)
    agreed.set_flowing(flows=True)
    for number in range(10):
        far.feed(RtpPacket(98, False, number, number * 960, 9, b"opus"))
    numbers = [int.from_bytes(data[2:4], "big") for data in sent]
    asked = (numbers[4], numbers[7], (numbers[0] - 1) & 0xFFFF)
    for _ in range(2):
        agreed.receive_rtcp(format_rtcp([ReceiverReport(7), Nack(7, agreed.slots[1].ssrc, asked)]))
    assert sent.again == [sent[4], sent[7]] * 2
    agreed.reports(1 << 32)
    assert far.statistics().listener_loss == 256 * 2 // 10


def test_a_device_that_asks_is_judged_by_that_and_not_by_its_seldom_reports() -> None:
    agreed, sent = streams()
    far = Source(clock=Clock())
    agreed.admit()
    slot = agreed.slots[0]
    slot.map(far)
    agreed.set_flowing(flows=True)
    far.feed(RtpPacket(98, False, 1, 960, 9, b"opus"))
    number = int.from_bytes(sent[0][2:4], "big")
    agreed.receive_rtcp(format_rtcp([ReceiverReport(7), Nack(7, slot.ssrc, (number,))]))
    agreed.reports(1 << 32)
    far.feed(RtpPacket(98, False, 2, 1920, 9, b"opus"))
    agreed.receive_rtcp(
        format_rtcp([ReceiverReport(7, (ReportBlock(slot.ssrc, 99, 1, 2, 3, 0, 0),))])
    )
    agreed.reports(2 << 32)
    assert far.statistics().listener_loss == 0


def test_what_the_node_misses_of_the_device_it_asks_for() -> None:
    agreed, sent = streams()
    agreed.admit()
    for number in (1, 2, 4):
        agreed.receive_rtp(packet(number))
    (asked,) = sent.reports
    assert parse_rtcp_untrusted(asked)[1] == Nack(agreed.slots[0].ssrc, 7, (3,))

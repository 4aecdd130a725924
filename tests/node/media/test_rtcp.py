"""RTCP compounds: reports survive the way there and back; foreign members are stepped over."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telcon.errors import MalformedError
from telcon.node.media.rtcp import (
    Goodbye,
    Nack,
    PathCheck,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    TakesRedundancy,
    format_rtcp,
    middle_of_ntp,
    ntp_from_utc,
    parse_rtcp_untrusted,
)

U32 = st.integers(0, 0xFFFF_FFFF)
BLOCKS = st.builds(
    ReportBlock, U32, st.integers(0, 255), st.integers(-0x80_0000, 0x7F_FFFF), U32, U32, U32, U32
)
SOME_BLOCKS = st.lists(BLOCKS, max_size=4).map(tuple)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
MEMBERS: st.SearchStrategy[RtcpPacket] = st.one_of(
    st.builds(SenderReport, U32, st.integers(0, 2**64 - 1), U32, U32, U32, SOME_BLOCKS),
    st.builds(ReceiverReport, U32, SOME_BLOCKS),
    st.builds(SourceDescription, U32, NAMES),
    st.builds(Goodbye, st.lists(U32, max_size=4).map(tuple)),
    st.builds(PathCheck, U32, st.booleans(), st.binary(min_size=8, max_size=8)),
    st.builds(TakesRedundancy, U32, st.integers(0, 31)),
    st.builds(Nack, U32, U32, st.lists(st.integers(0, 65_535), max_size=8).map(tuple)),
)
FEEDBACK = bytes.fromhex("8fcd0002") + bytes(8)  # of a kind that nobody negotiated
NACK = bytes.fromhex("81cd0003") + bytes(3) + b"\x01" + bytes(3) + b"\x02" + b"\xff\xfe\x00\x05"
REPORT = SenderReport(7, ntp_from_utc(0.0), 1, 2, 3, (ReportBlock(9, 1, -1, 2, 3, 4, 5),))


@given(st.lists(MEMBERS, max_size=5))
def test_reads_what_it_writes(packets: list[RtcpPacket]) -> None:
    assert parse_rtcp_untrusted(format_rtcp(packets)) == tuple(packets)


def test_writes_the_bytes_of_the_standard() -> None:
    expected = "81c8000c00000007" + "83aa7e8000000000" + "00000001" + "00000002" + "00000003"
    expected += "00000009" + "01ffffff" + "00000002" + "00000003" + "00000004" + "00000005"
    assert format_rtcp([REPORT]).hex() == expected


def test_steps_over_members_of_other_types() -> None:
    compound = format_rtcp([REPORT]) + FEEDBACK + format_rtcp([Goodbye((7,))])
    assert parse_rtcp_untrusted(compound) == (REPORT, Goodbye((7,)))


def test_reads_what_is_asked_for_with_its_mask_across_the_wrap() -> None:
    assert parse_rtcp_untrusted(NACK) == (Nack(1, 2, (0xFFFE, 0xFFFF, 1)),)


def test_strips_padding() -> None:
    padded = bytes.fromhex("a1cb0002") + bytes.fromhex("00000007") + bytes.fromhex("00000004")
    assert parse_rtcp_untrusted(padded) == (Goodbye((7,)),)


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\xc9\x00",  # ends within a header
        bytes.fromhex("00c90001") + bytes(4),  # version 0
        bytes.fromhex("80c90002") + bytes(4),  # goes beyond its end
        bytes.fromhex("80c80001") + bytes(4),  # sender report without its sender's part
        bytes.fromhex("82c90001") + bytes(4),  # promises blocks
        bytes.fromhex("80c90000"),  # no SSRC
        bytes.fromhex("82cb0001") + bytes(4),  # promises another goodbye
        bytes.fromhex("80ca0000"),  # describes nothing
        bytes.fromhex("81ca0002") + bytes(4) + b"\x01\x09ab",  # a name beyond its end
        bytes.fromhex("81ca0002") + bytes(4) + b"\x01\x02\xff\xfe",  # a name that is not UTF-8
        bytes.fromhex("a1cb0001") + b"\x00\x00\x00\x09",  # padding longer than all
    ],
)
def test_refuses_what_does_not_fit(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_rtcp_untrusted(data)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_compound_or_malformed(data: bytes) -> None:
    with contextlib.suppress(MalformedError):
        parse_rtcp_untrusted(data)


@given(st.lists(MEMBERS, min_size=1, max_size=3), st.data())
def test_any_changed_octet_is_a_compound_or_malformed(
    packets: list[RtcpPacket], data: st.DataObject
) -> None:
    changed = bytearray(format_rtcp(packets))
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(MalformedError):
        parse_rtcp_untrusted(bytes(changed))


def test_refers_to_a_report_by_the_middle_of_its_time() -> None:
    assert middle_of_ntp(0x0123_4567_89AB_CDEF) == 0x4567_89AB

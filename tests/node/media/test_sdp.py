"""Session descriptions: real browsers' offers are read, other shapes are refused in words."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telcon.errors import MalformedError
from telcon.node.media.ice import Credentials
from telcon.node.media.sdp import (
    Answer,
    AnswerSection,
    Offer,
    OfferSection,
    RedFormat,
    format_answer,
    format_offer,
    parse_answer_untrusted,
    parse_offer_untrusted,
)

VECTORS = Path(__file__).parents[2] / "vectors" / "sdp"
CHROMIUM = (VECTORS / "chromium.sdp").read_bytes().decode()
FIREFOX = (VECTORS / "firefox-esr.sdp").read_bytes().decode()
CREDENTIALS = Credentials("abcd", "a" * 22)
OFFER = Offer(
    CREDENTIALS,
    bytes(range(32)),
    tuple(OfferSection(str(n), n == 0, 111, 7 if n == 0 else None) for n in range(5)),
)
ANSWER = Answer(
    CREDENTIALS,
    bytes(range(32)),
    ("192.0.2.1", "2001:db8::1"),
    4_000,
    tuple(AnswerSection(str(n), 111, None if n == 0 else 100 + n) for n in range(5)),
)


def plain_offer() -> str:
    return format_offer(OFFER, session_id=1, version=1)


def plain_answer() -> str:
    return format_answer(ANSWER, session_id=1, version=1, cname="node")


def test_reads_chromiums_offer() -> None:
    offer = parse_offer_untrusted(CHROMIUM)
    assert offer.credentials == Credentials("B6As", "wxgNjgLqeSFPTUQ2ux/PffBZ")
    assert offer.fingerprint.hex().startswith("77b265c7")
    red = RedFormat(63, 1)
    assert offer.sections[0] == OfferSection("0", True, 111, 2552333208, red)
    assert offer.sections[1:] == tuple(
        OfferSection(str(n), False, 111, None, red) for n in range(1, 5)
    )


def test_reads_firefoxs_offer_with_its_bundle_only_sections() -> None:
    offer = parse_offer_untrusted(FIREFOX)
    assert "m=audio 0 " in FIREFOX
    assert [section.payload_type for section in offer.sections] == [109] * 5
    assert [section.sends for section in offer.sections] == [True, False, False, False, False]
    assert offer.sections[0].ssrc == 2506523747
    assert [section.red for section in offer.sections] == [None] * 5


@pytest.mark.parametrize(
    ("blocks", "depth"), [("111/111", 1), ("111/111/111", 2), ("111/" * 31 + "111", 2)]
)
def test_reads_how_many_packets_may_ride_along(blocks: str, depth: int) -> None:
    offer = parse_offer_untrusted(CHROMIUM.replace("a=fmtp:63 111/111", "a=fmtp:63 " + blocks))
    assert {section.red for section in offer.sections} == {RedFormat(63, depth)}


NO_RED = {
    "around another codec": ("a=fmtp:63 111/111", "a=fmtp:63 0/0"),
    "around two codecs": ("a=fmtp:63 111/111", "a=fmtp:63 111/0"),
    "of nothing older": ("a=fmtp:63 111/111", "a=fmtp:63 111"),
    "of too many blocks": ("a=fmtp:63 111/111", "a=fmtp:63 111" + "/111" * 32),
    "that does not say of what": ("a=fmtp:63 111/111\r\n", ""),
    "at another rate": ("red/48000/2", "red/8000"),
    "of Opus' own number": ("a=rtpmap:63 red", "a=rtpmap:111 red"),
    "that is not in the list": ("SAVPF 111 63", "SAVPF 111"),
}


@pytest.mark.parametrize("case", NO_RED)
def test_takes_no_red(case: str) -> None:
    old, new = NO_RED[case]
    offer = parse_offer_untrusted(CHROMIUM.replace(old, new))
    assert [(section.payload_type, section.red) for section in offer.sections] == [(111, None)] * 5


def test_answers_red_first_and_opus_behind_it() -> None:
    sections = [AnswerSection("0", 111, None, RedFormat(63, 1))]
    sections += [AnswerSection(str(n), 96, n, RedFormat(63, 2)) for n in range(1, 5)]
    answer = Answer(CREDENTIALS, bytes(32), ("192.0.2.1",), 4_000, tuple(sections))
    text = format_answer(answer, session_id=1, version=1, cname="node")
    lines = text.split("\r\n")
    assert lines.count("m=audio 4000 UDP/TLS/RTP/SAVPF 63 111") == 1
    assert lines.count("m=audio 4000 UDP/TLS/RTP/SAVPF 63 96") == 4
    assert lines.count("a=rtpmap:63 red/48000/2") == 5
    assert (lines.count("a=fmtp:63 111/111"), lines.count("a=fmtp:63 96/96/96")) == (1, 4)
    assert lines.count("a=fmtp:111 minptime=10;useinbandfec=1;cbr=1;usedtx=0") == 1
    assert parse_answer_untrusted(text) == answer


def test_reads_an_offer_with_bare_line_feeds() -> None:
    assert parse_offer_untrusted(CHROMIUM.replace("\r\n", "\n")) == parse_offer_untrusted(CHROMIUM)


def test_reads_the_offer_that_it_writes() -> None:
    assert parse_offer_untrusted(plain_offer()) == OFFER


def test_reads_the_answer_that_it_writes() -> None:
    assert parse_answer_untrusted(plain_answer()) == ANSWER


def test_answers_with_opus_alone_at_a_constant_rate() -> None:
    lines = plain_answer().split("\r\n")
    assert lines.count("a=rtpmap:111 opus/48000/2") == 5
    assert lines.count("a=fmtp:111 minptime=10;useinbandfec=1;cbr=1;usedtx=0") == 5
    assert lines.count("a=rtcp-fb:111 nack") == 5
    assert not any(line.startswith("a=extmap") for line in lines)


def test_answers_as_a_lite_and_passive_node() -> None:
    lines = plain_answer().split("\r\n")
    assert lines.count("a=ice-lite") == 1
    assert lines.count("a=setup:passive") == lines.count("a=rtcp-mux") == 5
    assert (lines.count("a=recvonly"), lines.count("a=sendonly")) == (1, 4)


def test_prefers_the_first_of_its_addresses() -> None:
    candidates = [line for line in plain_answer().split("\r\n") if "candidate:" in line]
    assert [line.split(" ")[4] for line in candidates] == ["192.0.2.1", "2001:db8::1"]
    assert int(candidates[0].split(" ")[3]) > int(candidates[1].split(" ")[3])


REFUSED = {
    "no description": ("v=0", "v=1"),
    "video": ("m=audio 9", "m=video 9"),
    "unprotected": ("UDP/TLS/RTP/SAVPF", "RTP/AVP"),
    "no bundle": ("a=group:BUNDLE 0 1 2 3 4\r\n", ""),
    "a section outside the bundle": ("BUNDLE 0 1 2 3 4", "BUNDLE 0 1 2 3"),
    "two sections of one name": ("a=mid:2", "a=mid:1"),
    "a name that is no token": ("a=mid:2", "a=mid:two words"),
    "two that send": ("a=mid:1\r\n", "a=mid:1\r\na=sendonly\r\n"),
    "both directions": ("a=sendonly", "a=sendrecv"),
    "nobody sends": ("a=sendonly", "a=recvonly"),
    "no Opus": ("opus/48000/2", "PCMU/8000"),
    "Opus not in the list": ("SAVPF 111", "SAVPF 8"),
    "no user name": ("a=ice-ufrag:abcd\r\n", ""),
    "a short user name": ("ufrag:abcd", "ufrag:abc"),
    "a short password": ("pwd:" + "a" * 22, "pwd:" + "a" * 21),
    "a strange password": ("pwd:" + "a" * 22, "pwd:" + "a" * 21 + "%"),
    "no fingerprint": ("a=fingerprint", "a=thumbprint"),
    "an older hash": ("sha-256", "sha-1"),
    "a short fingerprint": (":1F", ""),
    "a passive device": ("setup:actpass", "setup:passive"),
    "two ports": ("a=rtcp-mux\r\n", ""),
    "a rejected section": ("m=audio 9", "m=audio 0"),
    "a stream number too large": ("ssrc:7 ", f"ssrc:{2**32} "),
    "no line at all": ("s=-\r\n", "s=-\r\nnonsense\r\n"),
    "a control character": ("s=-\r\n", "s=-\x07\r\n"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_an_offer_with(case: str) -> None:
    old, new = REFUSED[case]
    changed = plain_offer().replace(old, new)
    assert changed != plain_offer()
    with pytest.raises(MalformedError):
        parse_offer_untrusted(changed)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 6, 20])
def test_refuses_an_offer_with_another_number_of_sections(count: int) -> None:
    sections = tuple(OfferSection(str(n), n == 0, 111, None) for n in range(count))
    text = format_offer(Offer(CREDENTIALS, bytes(32), sections), session_id=1, version=1)
    with pytest.raises(MalformedError):
        parse_offer_untrusted(text)


def test_refuses_an_offer_just_above_the_limits() -> None:
    text = plain_offer()
    filling = "a=x:" + "y" * 58 + "\r\n"
    parse_offer_untrusted(text + filling * ((65_536 - len(text)) // len(filling)))
    with pytest.raises(MalformedError):
        parse_offer_untrusted(text + filling * ((65_536 - len(text)) // len(filling) + 1))
    with pytest.raises(MalformedError):
        parse_offer_untrusted(text + "a=x\r\n" * 2_000)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a=ice-lite\r\n", ""),
        ("setup:passive", "setup:active"),
        ("a=candidate", "a=candidates"),
        (" udp ", " tcp "),
        ("192.0.2.1 4000 typ", "arcadia.example 4000 typ"),
        (" 4000 typ", " 70000 typ"),
        ("a=ssrc:101 cname:node\r\n", ""),
    ],
)
def test_refuses_an_answer_that_is_not_this_nodes(old: str, new: str) -> None:
    changed = plain_answer().replace(old, new)
    assert changed != plain_answer()
    with pytest.raises(MalformedError):
        parse_answer_untrusted(changed)


@given(st.sampled_from([CHROMIUM, FIREFOX]), st.data())
def test_any_changed_character_is_read_or_refused(offer: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(offer) - 1))
    length = data.draw(st.integers(0, 40))
    changed = offer[:at] + data.draw(st.text(max_size=5)) + offer[at + length :]
    for parse in (parse_offer_untrusted, parse_answer_untrusted):
        with contextlib.suppress(MalformedError):
            parse(changed)


@given(st.text(max_size=200))
def test_any_text_is_refused_with_the_one_error(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_offer_untrusted(text)


def test_a_password_does_not_show_in_a_log() -> None:
    assert "a" * 22 not in repr(OFFER)

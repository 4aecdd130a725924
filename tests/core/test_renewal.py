"""What the two logs of an old line come to, and what of a renewal goes over its link."""

import pytest

from telcon.core.renewal import Standing, announcement, standing
from telcon.core.seal import Text, format_text
from telcon.core.signals import (
    MAX_CARD_OCTETS,
    MAX_STATED_OCTETS,
    RENEW_S,
    RenewCardSignal,
    RenewHashSignal,
    RenewSignal,
    format_signal,
    parse_renew_card_untrusted,
    parse_renew_hash_untrusted,
    parse_renew_untrusted,
)
from telcon.errors import MalformedError

LINE = "0123456789abcdef" * 2
WORDS = announcement(LINE, bytes(32))
OURS = format_text(Text("en", WORDS))
OTHER = format_text(Text("en", "our node was stolen"))
MAX_SIGNAL_OCTETS = 16_384


@pytest.mark.parametrize(
    ("ours", "theirs", "is_held", "found"),
    [
        (None, None, True, Standing.USABLE),
        (None, OURS, True, Standing.UNSAID),
        (None, OURS, False, Standing.UNSAID),
        (OURS, None, False, Standing.ANNOUNCED),
        (OURS, None, True, Standing.ANNOUNCED),
        (OURS, OURS, False, Standing.ANNOUNCED),
        (OURS, OURS, True, Standing.DUE),
    ],
)
def test_both_announce_and_ours_is_held_before_the_new_line_begins(
    ours: bytes | None, theirs: bytes | None, is_held: bool, found: Standing
) -> None:
    assert standing(ours, theirs, WORDS, is_held=is_held) is found


@pytest.mark.parametrize("theirs", [None, OURS, OTHER])
def test_who_freezes_for_another_reason_has_the_last_word(theirs: bytes | None) -> None:
    for reason in (OTHER, WORDS.encode()):
        assert standing(reason, theirs, WORDS, is_held=True) is Standing.OVER
        assert standing(theirs, reason, WORDS, is_held=True) is Standing.OVER


def test_another_line_or_another_hash_is_another_announcement() -> None:
    for words in (announcement("f" * 32, bytes(32)), announcement(LINE, b"\1" * 32)):
        assert standing(OURS, OURS, words, is_held=True) is Standing.OVER


def test_a_wish_is_for_ten_minutes_at_most() -> None:
    assert parse_renew_untrusted(format_signal(RenewSignal(RENEW_S))).for_s == RENEW_S
    for seconds in (RENEW_S + 1, -1):
        with pytest.raises(MalformedError, match="renew signal"):
            parse_renew_untrusted(format_signal(RenewSignal(seconds)))


def test_the_longest_card_and_statement_fit_one_signal_and_longer_ones_are_refused() -> None:
    longest = RenewCardSignal(LINE, bytes(MAX_CARD_OCTETS), bytes(MAX_STATED_OCTETS))
    data = format_signal(longest)
    assert len(data) <= MAX_SIGNAL_OCTETS
    assert parse_renew_card_untrusted(data) == longest
    for card, stated in ((1, 0), (0, 1)):
        more = (bytes(MAX_CARD_OCTETS + card), bytes(MAX_STATED_OCTETS + stated))
        with pytest.raises(MalformedError, match="renew-card signal"):
            parse_renew_card_untrusted(format_signal(RenewCardSignal(LINE, *more)))


@pytest.mark.parametrize("line", ["", LINE[1:], LINE + "0", LINE.upper(), LINE[:-1] + "\n"])
def test_a_line_is_named_by_its_id(line: str) -> None:
    with pytest.raises(MalformedError):
        parse_renew_card_untrusted(format_signal(RenewCardSignal(line, b"", b"")))
    with pytest.raises(MalformedError):
        parse_renew_hash_untrusted(format_signal(RenewHashSignal(line, bytes(32))))


@pytest.mark.parametrize("octets", [0, 31, 33])
def test_a_hash_has_32_octets(octets: int) -> None:
    with pytest.raises(MalformedError, match="renew-hash signal"):
        parse_renew_hash_untrusted(format_signal(RenewHashSignal(LINE, bytes(octets))))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff", b"\x90", b"\x81\xa1x\x00", b"\x91" * 9999])
def test_what_is_no_such_signal_is_malformed(data: bytes) -> None:
    for parse in (parse_renew_untrusted, parse_renew_card_untrusted, parse_renew_hash_untrusted):
        with pytest.raises(MalformedError):
            parse(data)

import pytest

from telcon.errors import MisuseError
from telcon.node.link.words import six_words, word_list, words_match


def test_the_list_has_2048_words_known_by_their_first_four_letters() -> None:
    words = word_list()
    assert len(words) == 2048
    assert len({word[:4] for word in words}) == 2048
    assert list(words) == sorted(words)
    assert all(word.isascii() and word.islower() and word.isalpha() for word in words)


def test_words_are_the_first_66_bits_highest_first() -> None:
    assert six_words(bytes(32)) == ("abandon",) * 6
    assert six_words(b"\xff" * 32) == ("zoo",) * 6
    number = 0
    for index in (1, 2, 3, 4, 5, 2047):
        number = number << 11 | index
    digest = (number << (256 - 66)).to_bytes(32, "big")
    assert six_words(digest) == tuple(word_list()[i] for i in (1, 2, 3, 4, 5, 2047))


def test_bits_after_the_66th_do_not_matter_and_the_66th_does() -> None:
    base = (1 << 255).to_bytes(32, "big")
    after = ((1 << 255) | (1 << 189)).to_bytes(32, "big")
    last = ((1 << 255) | (1 << 190)).to_bytes(32, "big")
    assert six_words(base) == six_words(after) != six_words(last)


def test_a_short_digest_is_refused() -> None:
    with pytest.raises(MisuseError):
        six_words(bytes(8))


@pytest.mark.parametrize("typed", ["a b c d e f", "  A b\tC  d E\nf ", "A B C D E F"])
def test_case_and_spaces_do_not_matter(typed: str) -> None:
    assert words_match(tuple("abcdef"), typed)


@pytest.mark.parametrize("typed", ["", "a b c d e", "a b c d e f g", "b a c d e f", "abcdef"])
def test_anything_else_does(typed: str) -> None:
    assert not words_match(tuple("abcdef"), typed)

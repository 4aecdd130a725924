"""Six words that two people compare by voice, docs/protocol.md §8.

The list is the English one of BIP 39: 2,048 words, each known by its first four letters.
"""

import functools
from importlib import resources
from typing import Final

from telcon.errors import MisuseError

__all__ = ["WORD_COUNT", "six_words", "word_list", "words_match"]

WORD_COUNT: Final = 6
_WORD_BITS: Final = 11  # 2,048 words


@functools.cache
def word_list() -> tuple[str, ...]:
    """Return the 2,048 words, in order."""
    text = resources.files(__package__).joinpath("words.txt").read_text(encoding="ascii")
    return tuple(text.split())


def six_words(digest: bytes) -> tuple[str, ...]:
    """Return the words of the first 66 bits of `digest`, the highest bit first.

    Raises:
        MisuseError: it has fewer than 66 bits.
    """
    unused_bits = len(digest) * 8 - WORD_COUNT * _WORD_BITS
    if unused_bits < 0:
        raise MisuseError(f"six words need 66 bits, not {len(digest) * 8}")
    number = int.from_bytes(digest, "big") >> unused_bits
    shifts = range((WORD_COUNT - 1) * _WORD_BITS, -1, -_WORD_BITS)
    return tuple(word_list()[(number >> shift) & 0x7FF] for shift in shifts)


def words_match(words: tuple[str, ...], typed: str) -> bool:
    """Return whether `typed` is these words in this order, whatever its case and spacing."""
    return tuple(typed.lower().split()) == words

"""How an old line says which line takes its place, and what its two logs come to, without IO.

docs/protocol.md §8. Each side announces the new line by the entry by which it freezes the old one:
so both old log keys have signed for the new keys. Each has stored what is announced before either
can, and announces once the other has: so a node that was killed reads here how to go on.
"""

import re
from enum import StrEnum
from typing import Final

from telcon.core.seal import Text, format_text

__all__ = ["Standing", "announced", "announcement", "standing"]


class Standing(StrEnum):
    """What the two logs of a line mean for the line that is to take its place."""

    USABLE = "usable"
    """Neither freezes it: nothing has changed."""
    OVER = "over"
    """It is frozen by other words too, or for another line than the one that is stored."""
    UNSAID = "unsaid"
    """The other side has announced it, and we have not."""
    ANNOUNCED = "announced"
    """We have, and the other side has yet to, or to cosign that we did."""
    DUE = "due"
    """Announced by both, and ours is cosigned: the new line begins."""


_WORDS: Final = (
    "The keys of this line are renewed: line {line} takes its place."
    " SHA-256 of what both nodes stated for it: {stated}"
)
_ANNOUNCED: Final = re.compile(
    re.escape(_WORDS).replace(r"\{line\}", "([0-9a-f]{32})").replace(r"\{stated\}", "[0-9a-f]{64}")
)


def announcement(line: str, stated_hash: bytes) -> str:
    """Return the words by which the old log freezes, for the new `line`."""
    return _WORDS.format(line=line, stated=stated_hash.hex())


def announced(words: str) -> str | None:
    """Return the line that `words` of a freeze announce; None: it was frozen for another reason."""
    found = _ANNOUNCED.fullmatch(words)
    return found[1] if found else None


def standing(ours: bytes | None, theirs: bytes | None, words: str, *, is_held: bool) -> Standing:
    """Say what is due for the new line that `words` announce.

    `ours`, `theirs`: the reason by which each log freezes the old line, as it was sealed; None: it
    does not. `is_held`: the other side has cosigned all that our log of the old line has.

    An operator who freezes for another reason, also at the same moment, has the last word: nobody
    goes on from a line that one side no longer trusts.
    """
    frozen_by = {reason for reason in (ours, theirs) if reason is not None}
    if not frozen_by:
        return Standing.USABLE
    if frozen_by != {format_text(Text("en", words))}:
        return Standing.OVER
    if ours is None:
        return Standing.UNSAID
    return Standing.DUE if is_held and theirs is not None else Standing.ANNOUNCED

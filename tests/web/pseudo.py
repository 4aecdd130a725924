"""A language made up for tests: English under accents, in brackets, a third longer.

Whatever a person reads without brackets has not come through the catalogue. `xa` is written from
left to right, `xb` from right to left.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from telcon.web import words

OPEN, CLOSE = "⟦", "⟧"
PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
STRANGE = "áƀçđéƒǧħíĵķļɱñöþʠŕšţüṽŵẋýžÅƁÇĐÉƑǦĦÎĴĶĻṀÑÖÞǪŔŠŢÛṼŴẊÝŽ"
LETTERS = str.maketrans(PLAIN, STRANGE)
LONGER = 0.3  # English is short; some languages need this much more
FILLER = "·"
DIRECTIONS = {"xa": "ltr", "xb": "rtl"}
_PLACE = re.compile(r"(\{\w+\})")


def strange(text: str) -> str:
    """Return `text` under accents; what is put in keeps its name."""
    parts = _PLACE.split(text)
    return "".join(part if _PLACE.fullmatch(part) else part.translate(LETTERS) for part in parts)


def pseudo(text: str) -> str:
    """Return one message of the made-up language."""
    filler = FILLER * round(len(_PLACE.sub("", text)) * LONGER)
    return f"{OPEN}{strange(text)}{filler}{CLOSE}"


@contextmanager
def spoken_in(folder: Path) -> Iterator[None]:
    """Let the pages speak the made-up language, both ways; its catalogues go to `folder`."""
    english = words.catalogue("en")
    (folder / "en.json").write_text(json.dumps(english), encoding="utf-8")
    for code, direction in DIRECTIONS.items():
        own = {"language": code, "locale": "en-GB", "direction": direction, "draft": "yes"}
        made = {key: pseudo(text) if text.strip(", ") else text for key, text in english.items()}
        (folder / f"{code}.json").write_text(json.dumps({**made, **own}), encoding="utf-8")
    real = words.FOLDER
    _use(folder)
    try:
        yield
    finally:
        _use(real)


def _use(folder: object) -> None:
    words.FOLDER = folder  # type: ignore[assignment]
    for kept in (words.languages, words._read, words._overlaid):
        kept.cache_clear()

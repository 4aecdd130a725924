"""The catalogue of everything a person reads: one JSON file per language, loaded once.

Pages take their fixed words from here when they are rendered; the same catalogue travels in the
page for the words that scripts choose. A key is `screen.what`; `{name}` marks what is put in;
keys that end in `.one` and `.other` (elsewhere also `.zero`, `.two`, `.few`, `.many`) are the
plural forms of one sentence. `en.json` is the source; the other files are compiled from the
translators' `.po` files by `scripts/words.py`.

The language of whoever asks is found once for each request (see `telcon.web.guard`) and holds for
everything that is done for it.
"""

from __future__ import annotations

import json
import re
from contextvars import ContextVar
from functools import cache
from importlib.resources import files

from telcon.errors import IllegalActError, TelconError

Catalogue = dict[str, str]

FOLDER = files("telcon.web") / "words"
SOURCE = "en"
COOKIE = "telcon-language"
MAX_RANGES = 20  # of an Accept-Language header; browsers send a handful

spoken: ContextVar[str] = ContextVar("telcon.web.words.spoken", default=SOURCE)
"""The language of the person for whom something is being done."""

_RANGE = re.compile(
    r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]{1,40})?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?"
)


@cache
def languages() -> tuple[str, ...]:
    """Return the languages there are, the source first."""
    found = {file.name.removesuffix(".json") for file in FOLDER.iterdir() if ".json" in file.name}
    return (SOURCE, *sorted(found - {SOURCE}))


def catalogue(language: str | None = None) -> Catalogue:
    """Return all words of `language`, or of the person for whom something is being done.

    What a language has no words for yet is said in English.
    """
    wanted = language or spoken.get()
    return _read(wanted) if wanted == SOURCE else _overlaid(wanted)


@cache
def _overlaid(language: str) -> Catalogue:
    return {**_read(SOURCE), **_read(language)}


@cache
def _read(language: str) -> Catalogue:
    text = (FOLDER / f"{language}.json").read_text(encoding="utf-8")
    return {str(key): str(value) for key, value in json.loads(text).items()}


def choose_language(chosen: str, accepted: str) -> str:
    """Return the language for a person who has `chosen` one, or whose browser has `accepted` some.

    `accepted` is an Accept-Language header (RFC 9110 §12.5.4); what is none is passed over.
    """
    if chosen in languages():
        return chosen
    ranges = [_RANGE.fullmatch(part) for part in accepted.split(",")[:MAX_RANGES]]
    wanted = [(float(found[2] or 1), found[1].lower()) for found in ranges if found]
    wanted.sort(key=lambda one: -one[0])  # stable: of two with one weight the first stays first
    for weight, language in wanted:
        if weight and language in languages():
            return language
    return SOURCE


def sentences(error: TelconError) -> tuple[str, str]:
    """Return what happened and what to do, for the person at the page.

    A message has words under `error.says.MESSAGE`, a kind of error under `error.KIND`. What has
    neither shows its own message, which is English, to who reads English, and to others no more
    than that the node refused.
    """
    words = catalogue()
    says = [f"error.says.{error}", *_keys(error)]
    own = str(error) if words["language"] == SOURCE else words["error.other"]
    what = next((words[key] for key in says if key in words), own)
    advises = [f"error.says.{error.advice()}"] if error.advice() else []
    if error.advice() and words["language"] == SOURCE:
        return what, error.advice()
    advises += [f"{key}.advice" for key in _keys(error)]
    return what, next((words[key] for key in advises if key in words), "")


def _keys(error: TelconError) -> list[str]:
    classes = [kind.__name__ for kind in type(error).__mro__ if issubclass(kind, TelconError)]
    reason = [f"error.void.{error.reason}"] if isinstance(error, IllegalActError) else []
    return reason + [f"error.{name}" for name in classes]

"""The catalogue of everything a person reads: one JSON file per language, loaded once.

Pages take their fixed words from here when they are rendered; the same catalogue travels in the
page for the words that scripts choose. A key is `screen.what`; `{name}` marks what is put in;
keys that end in `.one` and `.other` are the plural forms of one sentence.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from telcon.errors import IllegalActError, TelconError

Catalogue = dict[str, str]


@cache
def catalogue(language: str = "en") -> Catalogue:
    """Return all words of `language`."""
    text = (files("telcon.web") / "words" / f"{language}.json").read_text(encoding="utf-8")
    return {str(key): str(value) for key, value in json.loads(text).items()}


def sentences(error: TelconError) -> tuple[str, str]:
    """Return what happened and what to do, for the person at the page.

    Errors with words of their own in the catalogue use those; any other shows its own message.
    """
    words = catalogue()
    keys = _keys(error)
    what = next((words[key] for key in keys if key in words), str(error))
    advice = next((words[f"{key}.advice"] for key in keys if f"{key}.advice" in words), "")
    return what, error.advice() or advice


def _keys(error: TelconError) -> list[str]:
    classes = [kind.__name__ for kind in type(error).__mro__ if issubclass(kind, TelconError)]
    reason = [f"error.void.{error.reason}"] if isinstance(error, IllegalActError) else []
    return reason + [f"error.{name}" for name in classes]

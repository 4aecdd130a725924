"""Carries the page's words between their source and the translators, by Babel.

    python -m scripts.words            # after a change of en.json, or of a translation

`src/telcon/web/words/en.json` is the source. From it come `translations/telcon.pot` and what is new
in each `translations/LANGUAGE.po` (the context of a message is its key); from these the catalogues
that the pages are served with. A catalogue is a draft as long as its header is marked fuzzy. Babel
is met here alone: a running node reads nothing but the JSON.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[1]
WORDS = ROOT / "src" / "telcon" / "web" / "words"
TRANSLATIONS = ROOT / "translations"
TEMPLATE = TRANSLATIONS / "telcon.pot"
SOURCE_FORMS = ("one", "other")
MADE = datetime(2026, 1, 1, tzinfo=UTC)  # says nothing; without it every run would change the file
COLUMNS = 100
# About the catalogue itself: not for translation.
OWN_KEYS = ("language", "locale", "direction", "draft", "language.name")
_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Language:
    """A language that the page can be read in."""

    code: str
    locale: str
    """How times, dates and numbers are written; always with the digits 0 to 9."""
    direction: str
    name: str
    """As its speakers call it."""
    forms: tuple[str, ...]
    """The CLDR names of its plural forms, in the order of the .po file."""


LANGUAGES = (
    Language("fr", "fr-FR", "ltr", "Français", ("one", "other")),
    Language("ru", "ru-RU", "ltr", "Русский", ("one", "few", "many")),
    Language(
        "ar", "ar-u-nu-latn", "rtl", "العربية", ("zero", "one", "two", "few", "many", "other")
    ),
)


def source() -> dict[str, str]:
    """Return the English words by key."""
    words: dict[str, str] = json.loads((WORDS / "en.json").read_text(encoding="utf-8"))
    return words


def messages(words: dict[str, str]) -> Iterator[tuple[str, str | tuple[str, str]]]:
    """Return what is to be translated: key and words, or key without its form and both forms."""
    for key, text in words.items():
        base, _, form = key.rpartition(".")
        if key in OWN_KEYS or (form == "other" and f"{base}.one" in words):
            continue
        if form == "one" and f"{base}.other" in words:
            yield base, (text, words[f"{base}.other"])
        else:
            yield key, text


def template() -> Catalog:
    """Return the catalogue without translations."""
    catalog = Catalog(
        project="telcon",
        version="1",
        copyright_holder="the authors of telcon",
        msgid_bugs_address="",
        creation_date=MADE,
        revision_date=MADE,
    )
    for key, text in messages(source()):
        catalog.add(text, context=key)
    return catalog


def updated(language: Language) -> Catalog:
    """Return the translations of `language`, with all that is to be translated and nothing else."""
    path = _po(language)
    if path.exists():
        with path.open("rb") as file:
            catalog = read_po(file, locale=language.code)
    else:
        catalog = Catalog(locale=language.code, project="telcon", version="1", fuzzy=True)
    catalog.update(template(), no_fuzzy_matching=True, update_header_comment=False)
    catalog.obsolete.clear()
    catalog.creation_date = catalog.revision_date = MADE
    return catalog


def compiled(language: Language, catalog: Catalog) -> dict[str, str]:
    """Return what the page is served with: every key that has a translation."""
    words = {
        "language": language.code,
        "locale": language.locale,
        "direction": language.direction,
        "draft": "yes" if catalog.fuzzy else "",
        "language.name": language.name,
    }
    for message in catalog:
        if message.id:
            words |= {key: text for key, text in _forms(language, message).items() if text}
    return words


def faults(language: Language, catalog: Catalog) -> Iterator[str]:
    """Say what is missing in a translation, or puts in other things than the English does."""
    for message in catalog:
        if not message.id:
            continue
        said = _forms(language, message)
        if not all(said.values()):
            yield f"{language.code}: {message.context}: not translated"
        ids = message.id if isinstance(message.id, tuple | list) else (message.id,)
        wanted = {place for text in ids for place in _PLACE.findall(text)}
        for key, text in said.items():
            # "One call" and "two calls" need no figure in some languages.
            optional = {"count"} if key.endswith((".zero", ".one", ".two")) else set()
            if not wanted - optional <= set(_PLACE.findall(text)) <= wanted:
                yield f"{key}: {language.code} puts in {_PLACE.findall(text)}, English {wanted}"


def po(catalog: Catalog) -> bytes:
    """Return `catalog` as the text of a .po file."""
    file = BytesIO()
    write_po(file, catalog, width=COLUMNS, include_lineno=False)
    return file.getvalue()


def catalogue_json(words: dict[str, str]) -> str:
    """Return compiled words as the text of their file."""
    return json.dumps(words, ensure_ascii=False, indent=1) + "\n"


def _forms(language: Language, message: Message) -> dict[str, str]:
    key = str(message.context)
    if not isinstance(message.id, tuple | list):
        return {key: str(message.string or "")}
    # A new message has no texts, or too few.
    texts = [*(message.string or ()), *[""] * len(language.forms)]
    said = dict(zip(language.forms, texts, strict=False))
    said.setdefault("other", said[language.forms[-1]])  # for fractions, which are never said
    return {f"{key}.{form}": text for form, text in said.items()}


def _po(language: Language) -> Path:
    return TRANSLATIONS / f"{language.code}.po"


def main() -> int:
    """Bring template, translations and catalogues up to date; say what is missing."""
    TRANSLATIONS.mkdir(exist_ok=True)
    TEMPLATE.write_bytes(po(template()))
    wrong: list[str] = []
    for language in LANGUAGES:
        catalog = updated(language)
        _po(language).write_bytes(po(catalog))
        text = catalogue_json(compiled(language, catalog))
        (WORDS / f"{language.code}.json").write_text(text, encoding="utf-8")
        wrong += faults(language, catalog)
    sys.stdout.writelines(f"{fault}\n" for fault in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""Whose language is spoken, and that every language says all there is to say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel import Locale

from browser.cdp import Page
from scripts import words as script
from scripts.words import LANGUAGES, OWN_KEYS, SOURCE_FORMS, Language
from telcon.web import words
from web.asking import request
from web.serving import Served

WEB = Path(words.__file__).parent
NODE = WEB.parent / "node"
EVERY = pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.code)
# Where a key is chosen at run time, its words are known by how they begin.
DYNAMIC = re.compile(r"`([a-z][\w .-]*[.-])\$\{|'([a-z][\w.-]*\.)' ~|f\"([a-z][\w.-]*\.)\{")
LITERAL = re.compile(r"""["'`]([a-z][\w-]*(?:\.[\w .'’:-]+)*)["'`]""")
ASKED = re.compile(r"""\b(?:say|hasWords)\(\s*["']([^"']+)["']|words\[["']([^"']+)["']\]""")
COUNTED = re.compile(r"""\bsayCount\(\s*["']([^"']+)["']""")


@pytest.mark.parametrize(
    ("chosen", "accepted", "spoken"),
    [
        ("", "", "en"),
        ("", "fr", "fr"),
        ("", "fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("", "de, ru;q=0.5, fr;q=0.7", "fr"),
        ("", "AR-eg", "ar"),
        ("", "en-GB,fr;q=0.9", "en"),
        ("", "de,*;q=0.1", "en"),
        ("", "fr;q=0, ru;q=0.1", "ru"),
        ("ar", "fr", "ar"),
        ("de", "fr", "fr"),
        ("../../etc/passwd", "ru", "ru"),
        ("", "\x00;q=fr,,;;,fr;q=2,ru;q=1", "ru"),
        ("", ",".join(["xx"] * 50 + ["fr"]), "en"),
    ],
)
def test_the_language_is_the_chosen_one_or_the_browsers(
    chosen: str, accepted: str, spoken: str
) -> None:
    assert words.choose_language(chosen, accepted) == spoken


def page_of(pages: Served, **headers: str) -> str:
    return str(request(pages, "GET", "/", **headers).text)  # type: ignore[attr-defined]


@EVERY
def test_a_page_is_served_in_the_browsers_language(pages: Served, language: Language) -> None:
    text = page_of(pages, **{"Accept-Language": language.code})
    assert f'lang="{language.code}" dir="{language.direction}"' in text
    assert words.catalogue(language.code)["contacts.sign-out"] in text


def test_the_choice_made_on_the_device_comes_first(pages: Served) -> None:
    headers = {"Accept-Language": "fr", "Cookie": "telcon-language=ru"}
    assert 'lang="ru"' in page_of(pages, **headers)


def test_a_page_may_not_be_kept_for_readers_of_another_language(pages: Served) -> None:
    assert request(pages, "GET", "/").getheader("Vary") == "Accept-Language, Cookie"


@EVERY
def test_a_draft_says_so_and_the_source_does_not(pages: Served, language: Language) -> None:
    said = words.catalogue(language.code)["language.draft"]
    assert said in page_of(pages, **{"Accept-Language": language.code})
    assert "<small" not in page_of(pages)


@EVERY
def test_a_translation_is_whole_and_puts_in_what_the_english_does(language: Language) -> None:
    assert list(script.faults(language, script.updated(language))) == []


@EVERY
def test_what_is_served_is_what_the_translators_wrote(language: Language) -> None:
    catalog = script.updated(language)
    assert (script.TRANSLATIONS / f"{language.code}.po").read_bytes() == script.po(catalog)
    made = script.catalogue_json(script.compiled(language, catalog))
    assert (script.WORDS / f"{language.code}.json").read_text(encoding="utf-8") == made


def test_the_template_is_that_of_the_source() -> None:
    assert script.po(script.template()) == script.TEMPLATE.read_bytes()


def test_a_missing_and_a_misplaced_word_are_found() -> None:
    (french, *_) = LANGUAGES
    catalog = script.updated(french)
    for message in catalog:
        if message.context == "back":
            message.string = ""
        if message.context == "contacts.call-name":
            message.string = "Appeler {nom}"
    found = list(script.faults(french, catalog))
    assert any("back: not translated" in fault for fault in found)
    assert any("contacts.call-name" in fault for fault in found)


@EVERY
def test_every_plural_form_that_a_count_can_want_is_there(language: Language) -> None:
    form_of = Locale.parse(language.code).plural_form
    wanted = {form_of(count) for count in range(2_000)}
    assert wanted - {"other"} <= set(language.forms)


def test_english_has_its_two_forms_and_no_others() -> None:
    source = script.source()
    for key in source:
        base, _, form = key.rpartition(".")
        if form == "one" and f"{base}.other" in source:
            assert {f"{base}.{each}" for each in SOURCE_FORMS} <= set(source)
    assert "{count}" in source["time.days.other"]


def sources() -> Iterator[tuple[Path, str]]:
    for pattern in ("*.js", "*.html", "*.py"):
        for path in WEB.rglob(pattern):
            yield path, path.read_text(encoding="utf-8")
    for path in NODE.rglob("*.py"):
        yield path, path.read_text(encoding="utf-8")


def test_every_word_that_is_asked_for_is_in_the_catalogue() -> None:
    source = script.source()
    for path, text in sources():
        if NODE in path.parents:
            continue
        for groups in ASKED.findall(text):
            key = next(filter(None, groups))
            assert key in source or key.endswith("."), f"{path.name} asks for {key}"
        for key in COUNTED.findall(text):
            assert f"{key}.other" in source, f"{path.name} counts by {key}"


def test_no_word_is_left_that_nobody_asks_for() -> None:
    literals: set[str] = set()
    prefixes: set[str] = set()
    texts = [text for _, text in sources()]
    for text in texts:
        literals.update(LITERAL.findall(text))
        prefixes.update(prefix for groups in DYNAMIC.findall(text) for prefix in groups if prefix)
    unused = [
        key
        for key in script.source()
        if key not in OWN_KEYS
        and not _bases(key) & literals
        and not any(key.startswith(prefix) for prefix in prefixes)
        and not (key.startswith("error.says.") and any(key[11:] in text for text in texts))
    ]
    assert unused == []


def _bases(key: str) -> set[str]:
    return {key, key.removesuffix(".one").removesuffix(".other"), key.removesuffix(".advice")}


def test_each_error_that_a_page_may_meet_has_words() -> None:
    """What is raised towards a page by its own message stands in the catalogue."""
    raised = re.compile(r"raise OperatorError\(\s*\"([^\"{]+)\"(?:\s*,\s*advice=\"([^\"]+)\")?")
    source = script.source()
    towards_pages = ("desk", "line_desk", "acts", "calls", "running", "floor", "device")
    for name in towards_pages:
        text = (NODE / f"{name}.py").read_text(encoding="utf-8")
        for groups in raised.findall(text):
            for said in filter(None, groups):
                assert f"error.says.{said}" in source, f"{name}.py says {said!r}"


@pytest.mark.browser
@pytest.mark.parametrize(
    ("language", "counts"),
    [
        ("en", {1: "1 day", 2: "2 days"}),
        ("fr", {0: "0 jour", 1: "1 jour", 2: "2 jours", 1_000_000: "1000000 jours"}),
        ("ru", {1: "1 день", 3: "3 дня", 5: "5 дней", 11: "11 дней", 21: "21 день"}),
        ("ar", {1: "يوم واحد", 2: "يومان", 3: "3 أيام", 11: "11 يومًا", 100: "100 يوم"}),
    ],
)
def test_a_page_counts_as_its_language_does(
    tab: Page, pages: Served, language: str, counts: dict[int, str]
) -> None:
    speak(tab, pages, language)
    for count, said in counts.items():
        call = f"import('/static/words.js').then((words) => words.sayCount('time.days', {count}))"
        assert tab.evaluate(call) == said


@pytest.mark.browser
@EVERY
def test_a_page_in_another_language_loads_no_font_from_elsewhere_and_fits(
    tab: Page, pages: Served, language: Language
) -> None:
    speak(tab, pages, language.code)
    tab.wait_text(words.catalogue(language.code)["contacts.call"])
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    tab.evaluate("document.fonts.ready.then(() => 1)")
    assert all(url.startswith(pages.address) for url in tab.requests)
    if language.direction == "rtl":
        assert tab.evaluate("document.fonts.check('17px \"Noto Sans\"', 'مكالمة')")
        assert any("noto-sans-arabic" in url for url in tab.requests)


@pytest.mark.browser
def test_the_language_is_chosen_on_the_page_and_stays(page: Page, pages: Served) -> None:
    page.click("This device")
    page.evaluate(
        "(() => { const choice = document.querySelector('[data-part=language]');"
        " choice.value = 'ru'; choice.dispatchEvent(new Event('change')); })()"
    )
    page.wait_for("document.documentElement.lang === 'ru'")
    page.goto(pages.address)
    page.wait_text(words.catalogue("ru")["contacts.call"])


def speak(tab: Page, pages: Served, language: str) -> None:
    tab.call("Network.setCookie", name=words.COOKIE, value=language, url=pages.address)
    tab.goto(pages.address)
    tab.wait_text("Elena Voss")


def test_a_word_that_is_not_translated_yet_is_said_in_english(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "en.json").write_text(json.dumps({"a": "A", "b": "B"}))
    (tmp_path / "fr.json").write_text(json.dumps({"a": "Á"}))
    kept = (words._read, words._overlaid)
    monkeypatch.setattr(words, "FOLDER", tmp_path)
    for one in kept:
        one.cache_clear()
    try:
        assert words.catalogue("fr") == {"a": "Á", "b": "B"}
    finally:
        for one in kept:
            one.cache_clear()

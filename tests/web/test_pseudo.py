"""No word escapes the catalogue; no screen breaks where words are longer or run the other way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser.cdp import Browser, Page
from fakes.desk import in_call
from telcon.errors import LinkDownError, OperatorError
from web.asking import ask, live, request
from web.gallery import ALL, NARROW, PHONE, Gallery, gallery
from web.pseudo import CLOSE, DIRECTIONS, OPEN, pseudo, spoken_in, strange
from web.serving import Served

ESCAPES = (Path(__file__).parent / "escapes.js").read_text(encoding="utf-8")
# Dates and weekdays are written by the browser, in the language's own locale: data here.
DATES_ARE_DATA = """
(() => {
  const { get } = Object.getOwnPropertyDescriptor(Intl.DateTimeFormat.prototype, "format");
  Object.defineProperty(Intl.DateTimeFormat.prototype, "format", {
    get() { const format = get.call(this); return (date) => `\\u2068${format(date)}\\u2069`; },
  });
})();
"""


@pytest.fixture(scope="module", params=DIRECTIONS)
def shown(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gallery]:
    """Give every screen in the made-up language."""
    with spoken_in(tmp_path_factory.mktemp("pseudo")), gallery(browser) as opened:
        speak(opened, request.param)
        yield opened


def speak(opened: Gallery, language: str) -> None:
    """Load the page in `language`, and let the gallery's English hands and eyes follow."""
    tab = opened.tab
    tab.inject(DATES_ARE_DATA)
    opened.language, opened.knows_words = language, True
    click = tab.click
    tab.click = lambda text, *rest, **more: click(_said(text), *rest, **more)  # type: ignore[method-assign]
    tab.wait_text = lambda words, *rest: _wait(tab, words)  # type: ignore[method-assign]
    opened.open()
    assert tab.evaluate("document.documentElement.lang") == language
    assert tab.evaluate("document.documentElement.dir") == DIRECTIONS[language]


def _said(text: str) -> str:
    """Return English as the page bears it now; names of people stay."""
    return "".join(part if part in NAMES else strange(part) for part in _split(text))


NAMES = ("Elena Voss",)


def _split(text: str) -> list[str]:
    for name in NAMES:
        before, found, after = text.partition(name)
        if found:
            return [before, name, after]
    return [text]


def _wait(tab: Page, words: str) -> None:
    """Wait until each word of `words` is seen, as it is (data) or under accents."""
    pairs = json.dumps([[word.lower(), strange(word).lower()] for word in words.split()])
    tab.wait_for(
        "(() => { const seen = document.body.innerText.toLowerCase();"
        f" return {pairs}.every((pair) => pair.some((one) => seen.includes(one))); }})()",
        20,
    )


@pytest.mark.browser
@pytest.mark.parametrize("name", ALL)
def test_no_word_escapes_the_catalogue_and_nothing_overflows(name: str, shown: Gallery) -> None:
    shown.show(name)
    found = [f"escaped {it}" for it in shown.in_world("escapes", ESCAPES, "escapes()")]
    for size in (PHONE, NARROW):
        shown.look(size)
        found += [f"{size[0]} px: {it}" for it in shown.ask("sight.layout()")]
    shown.look(PHONE)
    assert not found, "\n" + "\n".join(found)


@pytest.mark.browser
def test_what_is_written_past_the_catalogue_is_found(shown: Gallery) -> None:
    shown.show("contacts")
    shown.tab.evaluate(
        "document.querySelector('h1').append('Hello'),"
        "void document.querySelector('h1').setAttribute('aria-label', 'Hello')"
    )
    found = shown.in_world("escapes", ESCAPES, "escapes()")
    assert found == ["H1: Hello", "H1 aria-label: Hello"]


@pytest.fixture
def strangely(tmp_path: Path, pages: Served) -> Iterator[dict[str, str]]:
    """Give the headers of a browser that reads the made-up language."""
    with spoken_in(tmp_path):
        yield {"Accept-Language": "xa", "Cookie": pages.signed_in()}


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/", {"Host": "evil.example"}),
        ("POST", "/sign-out", {"Origin": "http://evil.example"}),
    ],
)
def test_a_refusal_is_said_in_the_language_of_who_asks(
    pages: Served, strangely: dict[str, str], method: str, path: str, headers: dict[str, str]
) -> None:
    response = request(pages, method, path, **strangely, **headers)
    assert response.status >= 400
    assert_said(response.text)  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["/nothing", "/calls/nothing"])
def test_that_there_is_nothing_is_said_in_the_language_of_who_asks(
    pages: Served, strangely: dict[str, str], path: str
) -> None:
    text = request(pages, "GET", path, **strangely).text  # type: ignore[attr-defined]
    assert 'lang="xa"' in text
    assert_said(text.partition("<h1>")[2].partition("</h1>")[0])


def test_a_link_that_does_not_open_is_refused_in_the_language_of_who_asks(
    pages: Served, strangely: dict[str, str]
) -> None:
    response = request(pages, "POST", "/sign-in", "x" * 22, Origin=pages.address, **strangely)
    refusal = json.loads(response.text)  # type: ignore[attr-defined]
    assert_said(refusal["error"])
    assert_said(refusal["advice"])


@pytest.mark.parametrize(
    "error",
    [
        LinkDownError("no path to 10.0.0.7"),
        OperatorError("This call is over."),
        OperatorError("Something that nobody has words for.", advice="Nor for this."),
        OperatorError("A call on this line is going on already.", advice="Answer or end that one."),
    ],
    ids=str,
)
def test_an_error_of_the_node_is_said_in_the_language_of_who_asks(
    pages: Served, strangely: dict[str, str], error: OperatorError
) -> None:
    pages.desk.answers["ring"] = error
    cookie = strangely["Cookie"]
    with live(pages, cookie=cookie, **{"Accept-Language": "xa"}) as page:
        act: dict[str, Any] = {"line": "11" * 16, "mode": "audio", "certificate": "22" * 32}
        answer = ask(page, do="ring", **act)
    assert_said(answer["error"])
    if answer["advice"]:
        assert_said(answer["advice"])


def test_a_sentence_that_is_not_ours_is_not_shown_to_who_cannot_read_it(
    pages: Served, strangely: dict[str, str]
) -> None:
    pages.show(in_call("ringing", "theirs"))
    assert "Incoming" not in request(pages, "GET", "/sw.js", **strangely).text  # type: ignore[attr-defined]
    assert pseudo("Ö{name}") == f"{OPEN}Ö{{name}}{CLOSE}"


def assert_said(text: str) -> None:
    assert text.strip().startswith(OPEN)
    assert text.strip().endswith(CLOSE)

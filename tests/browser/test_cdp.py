"""The drivers themselves: start, run scripts, click what a person sees, keep complaints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import cdp
from browser.firefox import Firefox

pytestmark = pytest.mark.browser
BUTTONS = "data:text/html,<button onclick=\"document.title='went'\">Go now</button><p>Below</p>"


@pytest.fixture(scope="module", params=[cdp.Browser, Firefox], ids=["chromium", "firefox"])
def browser(request: pytest.FixtureRequest) -> Iterator[cdp.Browser]:
    with request.param() as browser:
        yield browser


def test_evaluates_and_waits_for_promises(browser: cdp.Browser) -> None:
    page = browser.new_page()
    assert page.evaluate("Promise.resolve(6 * 7)") == 42


def test_clicks_what_bears_the_words(browser: cdp.Browser) -> None:
    page = browser.new_page(BUTTONS)
    page.click("Go now", "button")
    assert page.wait_for("document.title") == "went"


def test_reaches_a_button_by_keyboard_alone(browser: cdp.Browser) -> None:
    page = browser.new_page(BUTTONS)
    page.tab_to("Go now")
    page.press("Enter")
    assert page.wait_for("document.title") == "went"


def test_keeps_what_the_page_complains_about(browser: cdp.Browser) -> None:
    page = browser.new_page()
    page.evaluate("void setTimeout(() => { throw new Error('no such day') }, 0)")
    browser.pump(0.3)
    assert "no such day" in "".join(page.errors)


def test_says_what_the_page_showed_when_waiting_was_in_vain(browser: cdp.Browser) -> None:
    page = browser.new_page(BUTTONS)
    with pytest.raises(cdp.BrowserError, match="Below"):
        page.wait_for("false", deadline_s=0.2)


def test_the_shell_is_taken_where_it_is_and_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, shell = tmp_path / "chromium", tmp_path / "lib" / cdp.SHELL
    shell.parent.mkdir()
    for program in (whole, shell):
        program.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(cdp, "SHELLS_FOLDER", str(shell.parent))
    assert cdp.find_chromium() == str(whole)
    assert cdp.find_chromium(whole=False) == str(shell)
    shell.unlink()
    assert cdp.find_chromium(whole=False) == str(whole)


def test_fails_in_words_without_chromium(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(cdp, "SHELLS_FOLDER", "/nowhere")
    with pytest.raises(cdp.BrowserError, match="apt-get install chromium"):
        cdp.find_chromium()

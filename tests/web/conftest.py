"""One served page per test; one browser per run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser.audio import voice
from browser.cdp import Browser, Page
from web.serving import Served, served


@pytest.fixture
def pages() -> Iterator[Served]:
    """Give the pages of a node over a fake desk."""
    with served() as it:
        yield it


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Give a Chromium."""
    with Browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def folder() -> Path | None:
    """Give the folder that TELCON_SCREENSHOTS names; without it, no picture is taken."""
    kept = os.environ.get("TELCON_SCREENSHOTS")
    if not kept:
        return None
    Path(kept).mkdir(parents=True, exist_ok=True)
    return Path(kept)


@pytest.fixture
def tab(browser: Browser, pages: Served) -> Iterator[Page]:
    """Give an empty tab with a session; whatever it complains about fails the test."""
    tab = browser.new_page()
    tab.set_viewport(360, 720)
    tab.prefer("light")
    name, _, value = pages.signed_in().partition("=")
    tab.call("Network.setCookie", name=name, value=value, url=pages.address)
    yield tab
    tab.close()
    assert tab.errors == []


@pytest.fixture
def page(tab: Page, pages: Served) -> Page:
    """Give a tab with the page open."""
    tab.goto(pages.address)
    tab.wait_text("Adrian Rey")
    return tab


@pytest.fixture
def spoken(tab: Page, pages: Served) -> Page:
    """Give a tab with the page open and a tone as its microphone."""
    tab.inject(voice(880))
    tab.goto(pages.address)
    tab.wait_text("Adrian Rey")
    return tab

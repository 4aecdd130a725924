"""One served page per test; one browser per run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from browser.cdp import Browser, Page
from fakes.desk import GOOD_SECRET
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


@pytest.fixture
def page(browser: Browser, pages: Served) -> Iterator[Page]:
    """Give a tab that is signed in; whatever it complains about fails the test."""
    page = browser.new_page()
    page.set_viewport(360, 720)
    page.prefer("light")
    page.goto(f"{pages.address}/sign-in#{GOOD_SECRET}")
    page.click("Sign in", "button")
    page.wait_text("Adrian Rey")
    yield page
    page.close()
    assert page.errors == []

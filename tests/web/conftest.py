"""One served page per test; one browser per run, which keeps what it has loaded.

Every test has a node's pages of its own, at one address, and a tab of one person's browser. What
the page has stored there is cleared after it; modules and styles stay in the browser's cache, for
loading them anew was half the time of these tests.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser.audio import voice
from browser.cdp import Browser, Page
from web.serving import Host, Served, hosted

STORED = "cookies,local_storage,indexeddb,service_workers,cache_storage"


@pytest.fixture(scope="session")
def hosting() -> Iterator[Host]:
    """Give the port at which all pages of this process are served, one after the other."""
    with hosted() as host:
        yield host


@pytest.fixture
def pages(hosting: Host) -> Iterator[Served]:
    """Give the pages of a node over a fake desk."""
    with hosting.serve() as it:
        yield it


@pytest.fixture(scope="session")
def browser(hosting: Host) -> Iterator[Browser]:
    """Give a Chromium, which is gone before what it shows: nobody has to say goodbye to it then."""
    with Browser(whole=False) as browser:
        yield browser


@pytest.fixture(scope="session")
def folder() -> Path | None:
    """Give the folder that TELCON_SCREENSHOTS names; without it, no picture is taken."""
    kept = os.environ.get("TELCON_SCREENSHOTS")
    if not kept:
        return None
    Path(kept).mkdir(parents=True, exist_ok=True)
    return Path(kept)


@pytest.fixture(scope="session")
def profile(browser: Browser) -> Page:
    """Give an empty tab beside which others have one cache."""
    return browser.new_page()


@pytest.fixture
def tab(browser: Browser, profile: Page, pages: Served) -> Iterator[Page]:
    """Give an empty tab with a session; whatever it complains about fails the test."""
    tab = browser.new_page(beside=profile)
    tab.set_viewport(360, 720)
    tab.prefer("light")
    name, _, value = pages.signed_in().partition("=")
    tab.call("Network.setCookie", name=name, value=value, url=pages.address)
    yield tab
    before = len(tab.errors)
    tab.close()
    profile.call("Storage.clearDataForOrigin", origin=pages.address, storageTypes=STORED)
    browser.call("Browser.resetPermissions", {"browserContextId": profile.context})
    # What is still being loaded fails when the tab closes, and nothing else may.
    assert [one for one in tab.errors[before:] if not one.startswith("network: ")] == []
    assert tab.errors[:before] == []


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

"""Every screen from its snapshot, as a person reads it. TELCON_SCREENSHOTS=DIR keeps pictures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import pytest

from browser.cdp import Page
from fakes.desk import SCREENS, in_call, screen
from web.serving import Served

pytestmark = pytest.mark.browser
PICTURES = os.environ.get("TELCON_SCREENSHOTS")
SIZES = {"phone": (360, 720), "desk": (1280, 800)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def open_screen(page: Page, pages: Served, name: str) -> None:
    _, where, words = SCREENS[name]
    snapshot = screen(name)
    if snapshot["call"] and snapshot["call"]["ended"]:
        pages.show(in_call("ringing", snapshot["call"]["side"]))
        page.wait_for("['ringing', 'incoming'].includes(document.documentElement.dataset.call)")
    pages.show(snapshot)
    page.evaluate(f"void (location.hash = '{where}')")
    for sentence in words:
        page.wait_text(sentence)


@pytest.mark.parametrize("name", SCREENS)
def test_screen_says_its_words(name: str, page: Page, pages: Served) -> None:
    open_screen(page, pages, name)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    if PICTURES:
        take_pictures(page, name, Path(PICTURES))


def take_pictures(page: Page, name: str, folder: Path) -> None:
    for size, (width, height) in SIZES.items():
        for scheme in SCHEMES:
            page.set_viewport(width, height)
            page.prefer(scheme)
            page.evaluate("document.fonts.ready.then(() => new Promise(requestAnimationFrame))")
            page.screenshot(folder / f"{name}-{size}-{scheme}.png")

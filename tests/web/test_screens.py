"""Every screen from its snapshot, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from browser.cdp import Browser
from web.gallery import ALL, Gallery, gallery

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def shown(browser: Browser) -> Iterator[Gallery]:
    with gallery(browser) as opened:
        yield opened


@pytest.mark.parametrize("name", ALL)
def test_screen_says_its_words(name: str, shown: Gallery) -> None:
    shown.show(name)
    assert shown.tab.errors == []

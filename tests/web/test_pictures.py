"""Every screen as a picture, on a phone and on a desk, light and dark; and what an eye finds on it.

`make pictures` keeps the pictures in build/pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from browser.cdp import Browser
from web.gallery import ALL, DESK, NARROW, PHONE, SCHEMES, Gallery, gallery

pytestmark = pytest.mark.browser
SIZES = {"phone": PHONE, "desk": DESK}


@pytest.fixture(scope="module")
def shown(browser: Browser) -> Iterator[Gallery]:
    with gallery(browser) as opened:
        yield opened


@pytest.mark.parametrize("name", ALL)
def test_nothing_on_the_screen_hurts_the_eye(
    name: str, shown: Gallery, folder: Path | None
) -> None:
    shown.show(name)
    complaints: list[str] = []
    for size, pixels in SIZES.items():
        for scheme in SCHEMES:
            shown.look(pixels, scheme)
            shown.picture(folder, f"{name}-{size}-{scheme}.png")
            asked = "[...sight.contrast(), ...sight.focus()]"
            complaints += [f"{size}, {scheme}: {it}" for it in shown.ask(asked)]
        complaints += [f"{size}: {it}" for it in shown.ask("[...sight.layout(), ...sight.reach()]")]
    shown.look(NARROW)
    complaints += [f"320 px: {it}" for it in shown.ask("sight.layout()")]
    assert not complaints, "\n" + "\n".join(complaints)
    assert shown.tab.errors == []

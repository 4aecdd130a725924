"""The same screens for other readers: from right to left, unmoved, in forced colours, on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from browser.cdp import Browser
from fakes.desk import SCREENS, STEPS
from web.gallery import DESK, NARROW, PHONE, Gallery, gallery

pytestmark = pytest.mark.browser
PLAIN = [name for name in SCREENS if name not in STEPS]
XS = "(selector) => document.querySelector(selector).getBoundingClientRect().x"


@pytest.fixture(scope="module")
def shown(browser: Browser) -> Iterator[Gallery]:
    with gallery(browser) as opened:
        yield opened


@pytest.fixture(scope="module")
def arabic(browser: Browser) -> Iterator[Gallery]:
    with gallery(browser, "ar") as opened:
        yield opened


@pytest.mark.parametrize("name", PLAIN)
def test_the_screen_holds_from_right_to_left(
    name: str, arabic: Gallery, folder: Path | None
) -> None:
    arabic.show(name)
    assert arabic.tab.evaluate("getComputedStyle(document.body).direction") == "rtl"
    complaints: list[str] = []
    for size in (PHONE, DESK, NARROW):
        arabic.look(size)
        complaints += [f"{size[0]} px: {it}" for it in arabic.ask("sight.layout()")]
        if size != NARROW:
            arabic.picture(folder, f"{name}-{'phone' if size == PHONE else 'desk'}-rtl.png")
    assert not complaints, "\n" + "\n".join(complaints)
    assert arabic.tab.errors == []


@pytest.mark.parametrize("name", ["line-up", "incoming", "ringing", "ended"])
def test_our_side_of_the_line_stands_where_reading_begins(
    name: str, shown: Gallery, arabic: Gallery
) -> None:
    for reader, ours_first in ((shown, True), (arabic, False)):
        reader.show(name)
        reader.look(PHONE)
        picture = f"#stage .line-picture {'{}'}"
        ours, theirs = (
            reader.tab.evaluate(f"({XS})('{picture.format(side)}')")
            for side in (".ours", ".theirs")
        )
        assert (ours < theirs) is ours_first


@pytest.mark.parametrize(("name", "from_ours"), [("ringing", True), ("incoming", False)])
def test_a_ring_travels_from_the_side_that_rings(
    name: str, from_ours: bool, arabic: Gallery
) -> None:
    arabic.show(name)
    arabic.tab.wait_for(f"document.documentElement.dataset.call === '{name}'")
    arabic.look(PHONE)
    at = [
        arabic.tab.evaluate(f"({XS})('#stage .line-picture {part}')")
        for part in (".ours", ".pulse", ".theirs")
    ]
    nearer_to_ours = abs(at[1] - at[0]) < abs(at[1] - at[2])
    assert nearer_to_ours is from_ours


@pytest.mark.parametrize("name", ["live", "history", "messages"])
def test_what_is_ours_stands_on_our_side(name: str, arabic: Gallery) -> None:
    arabic.show(name)
    arabic.look(PHONE)
    pairs = {
        "live": ("[data-part=our-face]", "[data-part=their-face]"),
        "history": (".past .of", ".past .pill"),
        "messages": ("li:not(.ours) .bubble", "li.ours .bubble"),
    }
    arabic.tab.wait_for(f"document.querySelector('{pairs[name][1]}') !== null")
    first, second = (arabic.tab.evaluate(f"({XS})('{one}')") for one in pairs[name])
    assert first > second


@pytest.mark.parametrize("name", ["ringing", "incoming", "live", "contacts", "audio"])
def test_nothing_moves_for_who_wants_no_motion(name: str, shown: Gallery) -> None:
    shown.show(name)
    shown.tab.prefer("light", still=True)
    assert shown.tab.evaluate("document.getAnimations().length") == 0


def test_a_ring_does_move_for_others(shown: Gallery) -> None:
    shown.show("ringing")
    shown.tab.prefer("light", still=False)
    assert shown.tab.wait_for("document.getAnimations().length > 0")
    shown.tab.prefer("light")


@pytest.mark.parametrize("name", ["contacts", "line-down", "live", "messages", "history"])
def test_shapes_stay_when_colours_are_forced(
    name: str, shown: Gallery, folder: Path | None
) -> None:
    shown.show(name)
    shown.look(PHONE)
    features = [{"name": "forced-colors", "value": "active"}]
    shown.tab.call("Emulation.setEmulatedMedia", features=features)
    shown.picture(folder, f"{name}-phone-forced.png")
    try:
        assert shown.ask("sight.contrast()") == []
        lost = shown.ask("sight.shapes()")
        assert lost == []
    finally:
        shown.tab.prefer("light")


def test_a_lamp_that_is_on_is_told_by_its_shape(shown: Gallery) -> None:
    shown.show("live-elsewhere")
    shown.tab.call(
        "Emulation.setEmulatedMedia", features=[{"name": "forced-colors", "value": "active"}]
    )
    fill = "getComputedStyle(document.querySelector('[data-part={}]'), '::before').backgroundColor"
    ours, theirs = (shown.tab.evaluate(fill.format(f"{side}-lamp")) for side in ("our", "their"))
    shown.tab.prefer("light")
    assert ours != theirs


@pytest.mark.parametrize("name", ["history", "messages", "messages-long", "history-gaps"])
def test_a_page_to_file_is_printed_whole(name: str, shown: Gallery, folder: Path | None) -> None:
    shown.show(name)
    shown.tab.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert not shown.ask("sight.controls()")
        assert shown.ask("sight.cut()") == []
        scrolled = "[...document.querySelectorAll('#stage, #stage *')].filter((e) =>"
        scrolled += " e.scrollHeight > e.clientHeight + 1"
        scrolled += " && getComputedStyle(e).overflowY !== 'visible' && e.clientHeight).length"
        assert shown.tab.evaluate(scrolled) == 0
        assert shown.tab.evaluate("getComputedStyle(document.body).backgroundColor") in (
            "rgb(255, 255, 255)",
            "rgba(0, 0, 0, 0)",
        )
        shown.picture(folder, f"{name}-phone-print.png")
    finally:
        shown.tab.call("Emulation.setEmulatedMedia", media="")
        shown.tab.prefer("light")

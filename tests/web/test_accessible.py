"""Every screen as those meet it who do not see it: axe-core, the tree that a screen reader gets,
what is said aloud by itself, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser.cdp import Browser, Page
from web.gallery import ALL, PHONE, SCHEMES, Gallery, gallery

pytestmark = pytest.mark.browser
AXE = (Path(__file__).parents[1] / "vendored" / "axe.min.js").read_text(encoding="utf-8")
# Without preload, for that would fetch the style sheets once more.
RUN_AXE = """
axe.run(document, {preload: false, resultTypes: ["violations"], elementRef: false})
  .then(({violations}) => violations
    .filter(({impact}) => ["serious", "critical"].includes(impact))
    .flatMap(({id, help, nodes}) => nodes.map(({html}) => `${id}: ${help}: ${html.slice(0, 160)}`)))
"""
CONTROLS = ("button", "link", "textbox", "checkbox", "combobox", "radio", "slider", "switch")


@pytest.fixture(scope="module")
def shown(browser: Browser) -> Iterator[Gallery]:
    with gallery(browser) as opened:
        yield opened


@pytest.mark.parametrize("name", ALL)
def test_axe_finds_nothing_serious(name: str, shown: Gallery) -> None:
    shown.show(name)
    for scheme in SCHEMES:
        shown.look(PHONE, scheme)
        found = shown.in_world("axe", AXE, RUN_AXE)
        assert not found, f"\n{scheme}: " + "\n".join(found)
    assert shown.tab.errors == []


def test_axe_does_find_what_is_wrong(shown: Gallery) -> None:
    shown.show("line-up")
    shown.tab.evaluate("void document.querySelector('.back').replaceChildren()")
    assert "link-name" in "\n".join(shown.in_world("axe", AXE, RUN_AXE))
    shown.open()


@pytest.mark.parametrize("name", ALL)
def test_a_screen_reader_gets_one_heading_and_names(name: str, shown: Gallery) -> None:
    shown.show(name)
    tree = heard(shown.tab)
    headings = [node for node in tree if role(node) == "heading" and level(node) == 1]
    assert len(headings) == 1, [said(node) for node in headings]
    assert said(headings[0])
    assert "main" in {role(node) for node in tree}
    unnamed = [node for node in tree if role(node) in CONTROLS and not said(node)]
    assert unnamed == []


def heard(page: Page) -> list[dict[str, Any]]:
    """Return what assistive software is given, without what is hidden from it."""
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    return [node for node in nodes if not node["ignored"]]


def role(node: dict[str, Any]) -> str:
    return str(node.get("role", {}).get("value", ""))


def said(node: dict[str, Any]) -> str:
    return str(node.get("name", {}).get("value", "")).strip()


def level(node: dict[str, Any]) -> int:
    found = [p["value"]["value"] for p in node.get("properties", []) if p["name"] == "level"]
    return int(found[0]) if found else 0

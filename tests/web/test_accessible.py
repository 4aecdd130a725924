"""Every screen as those meet it who do not see it: axe-core, the tree that a screen reader gets,
what is said aloud by itself, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser.cdp import Browser, Page
from fakes.desk import screen
from web.gallery import ALL, DESK, PHONE, SCHEMES, Gallery, gallery

pytestmark = pytest.mark.browser
AXE = (Path(__file__).parents[1] / "vendored" / "axe.min.js").read_text(encoding="utf-8")
# Without preload, for that would fetch the style sheets once more.
RUN_AXE = """
axe.run(document, {preload: false, resultTypes: ["violations"], elementRef: false})
  .then(({violations}) => violations
    .filter(({impact}) => ["serious", "critical"].includes(impact))
    .flatMap(({id, help, nodes}) => nodes.map(({html}) => `${id}: ${help}: ${html.slice(0, 160)}`)))
"""
LISTEN_JS = """
(() => {
  const REGIONS = "[aria-live], [role=status], [role=alert], [role=log], [role=timer]";
  const HOW = {status: "polite", log: "polite", alert: "assertive", timer: "off"};
  const how = (e) => e.getAttribute("aria-live") ?? HOW[e.getAttribute("role")];
  const plain = (text) => text.replace(/[\\u2066-\\u2069]/g, "").replace(/\\s+/g, " ").trim();
  window.aloud = [];
  window.ears?.disconnect();
  window.ears = new MutationObserver((changes) => {
    for (const {target} of changes) {
      const near = target.nodeType === 1 ? target : target.parentElement;
      const region = near?.closest(REGIONS);
      if (!region || how(region) === "off" || !plain(region.textContent)) continue;
      aloud.push([how(region), plain(region.textContent)]);
    }
  });
  window.ears.observe(document.body, {subtree: true, childList: true, characterData: true});
})()
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
    for size in (PHONE, DESK):
        shown.look(size)
        tree = heard(shown.tab)
        headings = [said(node) for node in tree if role(node) == "heading" and level(node) == 1]
        assert len(headings) == 1, headings
        assert headings[0]
        assert "main" in {role(node) for node in tree}
        assert [node for node in tree if role(node) in CONTROLS and not said(node)] == []


def test_a_ring_is_said_at_once_and_once(shown: Gallery) -> None:
    shown.show("contacts")
    listen(shown)
    shown.show("incoming")
    ring = ["assertive", "Elena Voss is ringing"]
    assert shown.tab.wait_for(f"window.aloud.some(([how]) => how === '{ring[0]}')")
    assert [list(it) for it in shown.tab.evaluate("window.aloud")].count(ring) == 1


def test_a_line_that_goes_down_is_said_politely(shown: Gallery) -> None:
    shown.show("line-up")
    listen(shown)
    shown.pages.show(screen("line-down"))
    shown.tab.wait_text("The line is down since")
    said_now = dict(map(reversed, shown.tab.evaluate("window.aloud")))
    assert any("down since" in words and how == "polite" for words, how in said_now.items())


def test_the_seconds_of_a_call_are_not_said(shown: Gallery) -> None:
    shown.show("live")
    timer = "document.querySelector('[role=timer]').textContent"
    shown.tab.wait_for("document.querySelector('.signed .pill').textContent")
    listen(shown)
    for _ in range(2):
        before = shown.tab.evaluate(timer)
        shown.tab.wait_for(f"{timer} !== '{before}'")
    assert shown.tab.evaluate("window.aloud") == []


def listen(shown: Gallery) -> None:
    """Keep in `aloud` what a screen reader would say by itself from now on, and how."""
    shown.tab.evaluate(LISTEN_JS)


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

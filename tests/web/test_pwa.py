"""The page installs, keeps its shell for when the node is away, and rings in the background."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from browser.cdp import Browser, Page
from fakes.desk import CALL, idle, in_call, over
from scripts.icons import FOLDER, ICONS, Icon, pixels
from web.asking import request
from web.serving import Host, Served, served

WAIT_S = 60.0  # the machine may be busy with other tests
LOOK_EVERY_S = 0.5
"""Asked for what it shows, Chromium forgets what is kept and not drawn yet: do not ask often."""
KEPT = "caches.keys().then((names) => names.length)"
SHOWN = (
    "navigator.serviceWorker.ready.then((r) => r.getNotifications())"
    ".then((all) => all.map((one) => one.title).join())"
)


@pytest.fixture(scope="module")
def browser(hosting: Host) -> Iterator[Browser]:
    """Give a whole Chromium: the shell neither shows notices nor installs a page."""
    with Browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def profile(browser: Browser) -> Page:
    """Give an empty tab of it, beside which others have one cache."""
    return browser.new_page()


@pytest.fixture
def installed(page: Page, pages: Served) -> Page:
    """Give a page whose service worker is in charge, and which may notify."""
    allow_notices(page, pages)
    wait_controlled(page)
    return page


def allow_notices(page: Page, pages: Served) -> None:
    """Let this page show notices, as if the person had said so."""
    page.browser.call(
        "Browser.grantPermissions",
        {
            "origin": pages.address,
            "permissions": ["notifications"],
            "browserContextId": page.context,
        },
    )


def wait_controlled(page: Page) -> None:
    page.wait_for("navigator.serviceWorker.controller?.state === 'activated'", 30)
    wait_value(page, KEPT, 1)


def wait_value(page: Page, promise: str, value: object) -> None:
    """Wait until `promise` gives `value`."""
    until = time.monotonic() + WAIT_S
    page.browser.pump(LOOK_EVERY_S)
    while (found := page.evaluate(promise)) != value:
        assert time.monotonic() < until, f"{promise} gives {found!r}, not {value!r}"
        page.browser.pump(LOOK_EVERY_S)


def manifest(pages: Served, **headers: str) -> dict[str, Any]:
    response = request(pages, "GET", "/manifest.webmanifest", **headers)
    assert response.getheader("Content-Type") == "application/manifest+json"
    return dict(json.loads(response.text))  # type: ignore[attr-defined]


@pytest.mark.browser
def test_a_browser_finds_nothing_that_forbids_installing(installed: Page) -> None:
    assert installed.call("Page.getAppManifest")["errors"] == []
    found = installed.call("Page.getInstallabilityErrors")["installabilityErrors"]
    # Tabs of tests have cookies of their own, which Chromium takes for private ones.
    assert [one["errorId"] for one in found] == ["in-incognito"]


def test_the_manifest_bears_the_name_of_the_organisation(pages: Served) -> None:
    found = manifest(pages)
    assert found["name"] == "telcon, Arcadia"
    assert found["lang"] == "en"
    assert found["display"] == "standalone"
    for icon in found["icons"]:
        assert request(pages, "HEAD", icon["src"]).status == 200


@pytest.mark.parametrize("icon", ICONS, ids=lambda icon: icon.name)
def test_an_icon_is_the_one_that_the_script_draws(icon: Icon) -> None:
    data = (FOLDER / icon.name).read_bytes()
    assert data[16:24] == icon.size.to_bytes(4, "big") * 2
    length = int.from_bytes(data[33:37], "big")
    rows = zlib.decompress(data[41 : 41 + length])
    width = icon.size * 4 + 1
    drawn = b"".join(rows[at + 1 : at + width] for at in range(0, len(rows), width))
    assert drawn == pixels(icon)


@pytest.mark.browser
def test_the_worker_keeps_the_shell_and_no_state(installed: Page, pages: Served) -> None:
    kept = installed.evaluate(
        "caches.keys().then(([name]) => caches.open(name)).then((cache) => cache.keys())"
        ".then((all) => all.map((one) => new URL(one.url).pathname))"
    )
    assert {"/offline", "/static/main.js", "/static/tokens.css"} <= set(kept)
    assert all(path == "/offline" or path.startswith("/static/") for path in kept)


@pytest.mark.browser
def test_a_page_says_that_the_node_is_away_and_comes_back_with_it(browser: Browser) -> None:
    with served() as pages:
        page = browser.new_page()
        name, _, value = pages.signed_in().partition("=")
        page.call("Network.setCookie", name=name, value=value, url=pages.address)
        page.goto(pages.address)
        wait_controlled(page)
        port = pages.port
    page.call("Page.navigate", url=f"http://arcadia.localhost:{port}/")
    page.wait_text("No contact with your node")
    with served(port) as pages:
        pages.signed_in()
        page.click("Try again")
        page.wait_text("Adrian Rey")
    page.close()


@pytest.mark.browser
def test_a_new_worker_takes_over_and_a_call_goes_on(installed: Page, pages: Served) -> None:
    pages.show(in_call("live"))
    installed.wait_text("End call")
    (before,) = installed.evaluate("caches.keys()")
    installed.evaluate(
        "document.cookie = 'telcon-language=fr; Path=/';"
        "navigator.serviceWorker.ready.then((registration) => registration.update()).then(() => 1)"
    )
    wait_value(installed, f"caches.has('{before}')", False)
    wait_value(installed, KEPT, 1)
    assert installed.has("End call")
    assert pages.desk.pages == 1


@pytest.mark.browser
def test_who_is_signed_out_keeps_nothing(installed: Page, pages: Served) -> None:
    pages.call(lambda: pages.sign_in.tokens.clear())
    pages.show(idle())
    installed.wait_text("You are signed out")
    wait_value(installed, KEPT, 0)
    wait_value(installed, "navigator.serviceWorker.getRegistrations().then((all) => all.length)", 0)


def hide(page: Page, *, hidden: bool) -> None:
    """Let the page believe that it is in the background, or is looked at again."""
    values = {"visibilityState": "hidden" if hidden else "visible", "hidden": hidden}
    for name, value in values.items():
        property_is = json.dumps({"value": value, "configurable": True})
        page.evaluate(f"void Object.defineProperty(document, '{name}', {property_is})")
    page.evaluate("void document.dispatchEvent(new Event('visibilitychange'))")


@pytest.mark.browser
def test_a_ring_is_shown_while_the_page_is_hidden_and_names_nobody(
    installed: Page, pages: Served
) -> None:
    hide(installed, hidden=True)
    pages.show(in_call("ringing", "theirs"))
    wait_value(installed, SHOWN, "Incoming call")
    bodies = installed.evaluate(SHOWN.replace("one.title", "one.body"))
    assert "Voss" not in bodies
    pages.show(in_call("live", "theirs"))
    wait_value(installed, SHOWN, "")


@pytest.mark.browser
def test_a_ring_that_nobody_took_leaves_a_notice_until_somebody_looks(
    installed: Page, pages: Served
) -> None:
    hide(installed, hidden=True)
    pages.show(in_call("ringing", "theirs"))
    wait_value(installed, SHOWN, "Incoming call")
    pages.show(over("missed", "theirs", None))
    wait_value(installed, SHOWN, "Missed call")
    hide(installed, hidden=False)
    wait_value(installed, SHOWN, "")


@pytest.mark.browser
def test_nothing_is_shown_while_somebody_looks_at_the_page(installed: Page, pages: Served) -> None:
    pages.show(in_call("ringing", "theirs"))
    installed.wait_text("Elena Voss")
    hide(installed, hidden=True)
    wait_value(installed, SHOWN, "Incoming call")
    hide(installed, hidden=False)
    wait_value(installed, SHOWN, "")
    assert CALL not in installed.text()

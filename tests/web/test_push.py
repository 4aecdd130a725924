"""Waking a browser: what its page asks the node, and what its worker does when it is woken."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from browser.cdp import Browser, Page
from fakes.desk import idle, in_call, over
from web.asking import live, read, request
from web.serving import Host, Served
from web.test_pwa import LOOK_EVERY_S, WAIT_S, allow_notices, wait_controlled

STATED = '{"endpoint": "https://push.example/x", "keys": {}}'


def ask_push(pages: Served, method: str, body: str = "", **headers: str) -> Any:
    headers = {"Cookie": pages.signed_in(), "Origin": pages.address, **headers}
    return request(pages, method, "/push", body, **headers)


def test_a_node_that_wakes_nobody_offers_no_key(pages: Served) -> None:
    assert json.loads(ask_push(pages, "GET").text) == {"key": None, "on": False}


def test_a_browser_is_turned_on_and_off(pages: Served) -> None:
    pages.push.public = "BPublic"
    assert json.loads(ask_push(pages, "POST", STATED).text) == {"key": "BPublic", "on": True}
    assert pages.push.subscriptions == {"token-of-tests": STATED.encode()}
    assert json.loads(ask_push(pages, "DELETE").text) == {"key": "BPublic", "on": False}


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_who_is_not_signed_in_is_told_nothing(pages: Served, method: str) -> None:
    pages.push.public = "BPublic"
    response = ask_push(pages, method, Cookie="")
    assert response.status == 401
    assert "BPublic" not in response.text
    assert pages.push.subscriptions == {}


def test_another_site_turns_nothing_on(pages: Served) -> None:
    assert ask_push(pages, "POST", STATED, Origin="https://evil.example").status == 403
    assert pages.push.subscriptions == {}


def test_more_than_a_subscription_is_not_read(pages: Served) -> None:
    assert ask_push(pages, "POST", "x" * 5_000).status == 400


def test_an_open_page_needs_no_waking(pages: Served) -> None:
    with live(pages) as socket:
        read(socket)
        assert pages.push.here == ["token-of-tests"]
    assert pages.desk.wait(lambda: not pages.push.here)


@pytest.mark.parametrize(
    ("snapshot", "ring"),
    [
        (in_call("ringing", "theirs"), "ringing"),
        (in_call("ringing", "ours"), "over"),
        (in_call("live", "theirs"), "over"),
        (over("missed", "theirs", None), "missed"),
        (over("cancelled", "theirs", "theirs"), "missed"),
        (idle(), "over"),
    ],
)
def test_a_woken_browser_hears_what_became_of_the_ring(
    pages: Served, snapshot: dict[str, Any], ring: str
) -> None:
    pages.show(snapshot)
    response = request(pages, "GET", "/ringing", Cookie=pages.signed_in())
    assert json.loads(response.text) == {"ring": ring}  # type: ignore[attr-defined]
    assert request(pages, "GET", "/ringing").status == 401


class Worker:
    """The service worker of a page, while the page itself is left."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.origin = page.evaluate("location.origin")
        self._registrations: list[dict[str, Any]] = []
        page.browser.listen(page._session, self._event)
        page.call("ServiceWorker.enable")
        while not self._registrations:
            page.evaluate("1")
        targets = page.browser.call("Target.getTargets")["targetInfos"]
        (target,) = [
            one
            for one in targets
            if (one["url"], one.get("browserContextId")) == (f"{self.origin}/sw.js", page.context)
        ]
        attached = page.browser.call(
            "Target.attachToTarget", {"targetId": target["targetId"], "flatten": True}
        )
        self._session = attached["sessionId"]

    def leave(self) -> None:
        """Leave the page; the worker stays."""
        self.page.call("Page.navigate", url="about:blank")
        while self.evaluate("clients.matchAll({includeUncontrolled: true}).then((a) => a.length)"):
            self.page.evaluate("1")

    def deliver(self, text: str) -> None:
        """Hand `text` to the worker, as the browser's push service would."""
        number = self._registrations[-1]["registrationId"]
        self.page.call(
            "ServiceWorker.deliverPushMessage",
            origin=self.origin,
            registrationId=number,
            data=text,
        )

    def shown(self) -> list[str]:
        """Return the titles of the notices that are up."""
        titles = "(all) => all.map((one) => `${one.title}. ${one.body}`)"
        return list(self.evaluate(f"registration.getNotifications().then({titles})"))

    def wait(self, *shown: str) -> None:
        """Wait until these notices are up and no others."""
        until = time.monotonic() + WAIT_S
        self.page.browser.pump(LOOK_EVERY_S)
        while (found := self.shown()) != list(shown):
            assert time.monotonic() < until, f"shown are {found}, not {shown}"
            self.page.browser.pump(LOOK_EVERY_S)

    def evaluate(self, expression: str) -> Any:
        """Return the value of `expression` in the worker; a promise is waited for."""
        got = self.page.browser.call(
            "Runtime.evaluate",
            {"expression": expression, "awaitPromise": True, "returnByValue": True},
            self._session,
        )
        return got["result"].get("value")

    def _event(self, method: str, params: dict[str, Any]) -> None:
        if method == "ServiceWorker.workerRegistrationUpdated":
            self._registrations += params["registrations"]
        self.page._event(method, params)


@pytest.fixture(scope="module")
def browser(hosting: Host) -> Iterator[Browser]:
    """Give a whole Chromium: the shell shows no notices."""
    with Browser() as browser:
        yield browser


@pytest.fixture
def profile(browser: Browser) -> Iterator[Page]:
    """Give a profile of its own to each test: a worker of the one before may be ending still."""
    profile = browser.new_page()
    yield profile
    profile.close()


@pytest.fixture
def worker(page: Page, pages: Served) -> Worker:
    """Give the worker of a page that may notify."""
    allow_notices(page, pages)
    wait_controlled(page)
    return Worker(page)


RINGS = "Incoming call. Open telcon to see who rings"
MISSED = "Missed call. Open telcon to see who rang"


@pytest.mark.browser
def test_a_woken_browser_rings_until_somebody_answers_elsewhere(
    worker: Worker, pages: Served
) -> None:
    pages.show(in_call("ringing", "theirs"))
    worker.leave()
    worker.deliver("ring")
    worker.wait(RINGS)
    pages.show(in_call("live", "theirs", mine=False))
    worker.wait()


@pytest.mark.browser
def test_a_ring_that_nobody_took_is_shown_as_missed(worker: Worker, pages: Served) -> None:
    pages.show(in_call("ringing", "theirs"))
    worker.leave()
    worker.deliver("ring")
    worker.wait(RINGS)
    pages.show(over("missed", "theirs", None))
    worker.wait(MISSED)


@pytest.mark.browser
def test_another_word_rings_nobody(worker: Worker, pages: Served) -> None:
    pages.show(in_call("ringing", "theirs"))
    worker.leave()
    worker.deliver("Your account is locked, call 555")
    worker.deliver("ring")
    worker.wait(RINGS)


@pytest.mark.browser
def test_a_page_that_is_looked_at_rings_by_itself(worker: Worker, pages: Served) -> None:
    pages.show(in_call("ringing", "theirs"))
    worker.page.wait_text("Elena Voss")
    worker.evaluate("pushed('ring')")  # what a push begins, until it is over
    assert worker.shown() == []


@pytest.mark.browser
def test_the_switch_is_offered_where_the_node_can_wake_and_the_browser_may_notify(
    page: Page, pages: Served
) -> None:
    pages.push.public = "BPublic"
    allow_notices(page, pages)
    page.click("This device")
    page.wait_text("Wake this device when it rings")
    page.wait_text("It learns when you are rung, and nothing else")


@pytest.mark.browser
def test_the_switch_is_not_offered_by_a_node_that_wakes_nobody(page: Page, pages: Served) -> None:
    allow_notices(page, pages)
    page.click("This device")
    page.wait_text("It rings while this page is in the background")
    assert not page.has("Wake this device when it rings")


@pytest.mark.browser
def test_a_device_that_is_woken_can_be_left_alone_again(page: Page, pages: Served) -> None:
    pages.push.public = "BPublic"
    pages.push.subscriptions["token-of-tests"] = b"{}"
    allow_notices(page, pages)
    page.click("This device")
    page.click("Do not wake this device any more")
    page.wait_text("Wake this device when it rings")
    assert pages.push.subscriptions == {}

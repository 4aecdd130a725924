"""Who may speak to the pages: Host, Origin, and what every answer bears."""

from __future__ import annotations

import pytest
from websockets.exceptions import InvalidStatus

from web.asking import live, read, request
from web.serving import Served


def test_answers_under_its_own_name(pages: Served) -> None:
    assert request(pages, "GET", "/").status == 200


@pytest.mark.parametrize("host", ["evil.example", "arcadia.localhost", "127.0.0.1:1", ""])
def test_refuses_another_host_in_words(pages: Served, host: str) -> None:
    response = request(pages, "GET", "/", Host=host)
    assert response.status in (400, 421)
    if host:
        assert pages.address in response.text  # type: ignore[attr-defined]
        assert pages.audit.names() == ["audit.web.wrong-host"]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://arcadia.localhost"])
def test_refuses_a_post_from_another_origin(pages: Served, origin: str) -> None:
    response = request(pages, "POST", "/sign-in", "good-secret-0123456789", Origin=origin)
    assert response.status == 403
    assert pages.audit.names() == ["audit.web.wrong-origin"]
    assert pages.sign_in.links  # the link is not used up


def test_refuses_a_post_without_origin(pages: Served) -> None:
    assert request(pages, "POST", "/sign-out").status == 403


def test_refuses_a_websocket_from_another_origin(pages: Served) -> None:
    with (
        pytest.raises(InvalidStatus, match="403"),
        live(pages, Origin="http://borealis.localhost:1"),
    ):
        pass
    assert pages.audit.names() == ["audit.web.wrong-origin"]


def test_refuses_a_websocket_without_origin(pages: Served) -> None:
    with pytest.raises(InvalidStatus, match="403"), live(pages, Origin=""):
        pass


def test_refuses_a_websocket_to_another_host(pages: Served) -> None:
    with pytest.raises(InvalidStatus, match="403"), live(pages, Host="evil.example"):
        pass
    assert pages.audit.names() == ["audit.web.wrong-host"]


def test_takes_a_websocket_of_its_own_page(pages: Served) -> None:
    with live(pages) as socket:
        assert read(socket)["state"]["node"] == "arcadia.example"


@pytest.mark.parametrize("path", ["/", "/sign-in", "/static/main.js", "/nothing"])
def test_every_answer_bears_the_content_policy(pages: Served, path: str) -> None:
    response = request(pages, "GET", path)
    policy = response.getheader("Content-Security-Policy", "")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.getheader("X-Content-Type-Options") == "nosniff"
    assert response.getheader("Referrer-Policy") == "no-referrer"


def test_what_a_stranger_sends_is_cut_before_it_is_written_down(pages: Served) -> None:
    request(pages, "GET", "/" + "a" * 4000, Host="b" * 4000)
    fields = pages.audit.events[0][1]
    assert max(len(str(value)) for value in fields.values()) <= 200

"""Signing in by a one-time link, and out."""

from __future__ import annotations

import http.client

import pytest

from fakes.desk import GOOD_SECRET
from web.asking import request
from web.serving import Served


def redeem(pages: Served, secret: str) -> http.client.HTTPResponse:
    return request(pages, "POST", "/sign-in", secret, Origin=pages.address)


def test_a_link_opens_a_session_in_a_cookie_that_scripts_cannot_read(pages: Served) -> None:
    cookie = redeem(pages, GOOD_SECRET).getheader("Set-Cookie", "")
    assert cookie.startswith("telcon-arcadia.example=")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie


def test_a_link_opens_once(pages: Served) -> None:
    redeem(pages, GOOD_SECRET)
    response = redeem(pages, GOOD_SECRET)
    assert response.status == 403
    assert response.getheader("Set-Cookie") is None
    assert "telcon link NAME" in response.text  # type: ignore[attr-defined]
    assert pages.audit.names() == ["audit.web.signed-in", "audit.web.sign-in-refused"]


@pytest.mark.parametrize("secret", ["", "short", "x" * 129, "é" * 20, "a b" * 10, "y" * 5000])
def test_what_is_no_secret_is_refused_unasked(pages: Served, secret: str) -> None:
    assert redeem(pages, secret).status == 403
    assert pages.audit.events[0][0] == "audit.web.sign-in-refused"


def test_the_audit_file_never_sees_a_secret(pages: Served) -> None:
    redeem(pages, "wrong-secret-0123456789")
    assert "wrong-secret" not in str(pages.audit.events)


def test_signing_out_ends_the_session_on_the_node(pages: Served) -> None:
    cookie = pages.signed_in()
    response = request(pages, "POST", "/sign-out", Origin=pages.address, Cookie=cookie)
    assert response.status == 200
    assert pages.sign_in.tokens == set()
    assert pages.audit.names() == ["audit.web.signed-out"]


def test_the_cookie_is_secure_where_the_page_came_over_tls(pages: Served) -> None:
    response = request(
        pages, "POST", "/sign-in", GOOD_SECRET, Origin=pages.address.replace("http:", "https:")
    )
    assert "Secure" in response.getheader("Set-Cookie", "")

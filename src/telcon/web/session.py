"""The session cookie, and the pages that begin and end it.

The one-time link carries its secret behind `#`, which browsers send to nobody; the page posts it
after a tap, so that a preview of the link in a mail program uses nothing up. The cookie is named
after the node: cookies ignore ports, and two nodes may share a machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response

from telcon.errors import OperatorError
from telcon.web.desk_protocol import Audit, SignIn
from telcon.web.words import catalogue

SECRET_FORM = re.compile(r"[0-9A-Za-z_-]{16,128}")
BODY_LIMIT_BYTES = 1024
COOKIE_AGE_S = 30 * 24 * 3600  # the node may end the session before that


@dataclass(frozen=True, slots=True)
class Sessions:
    """Reads and writes the cookie of node `name`."""

    name: str
    sign_in: SignIn
    audit: Audit

    @property
    def cookie(self) -> str:
        """The cookie's name."""
        return f"telcon-{self.name}"

    def token(self, connection: HTTPConnection) -> str | None:
        """Return the token of a session that stands, else None."""
        token = connection.cookies.get(self.cookie)
        return token if token and self.sign_in.who(token) is not None else None

    async def redeem(self, request: Request) -> Response:
        """Answer `POST /sign-in` with the cookie, or with words for a link that does not open."""
        client = request.client.host if request.client else ""
        try:
            token = await self.sign_in.redeem(await _read_secret(request))
        except OperatorError as error:
            self.audit("audit.web.sign-in-refused", reason=type(error).__name__, client=client)
            words = catalogue()
            refusal = {"error": words["sign-in.refused"], "advice": words["sign-in.ask-again"]}
            return JSONResponse(refusal, 403)
        self.audit("audit.web.signed-in", principal=self.sign_in.who(token), client=client)
        response = JSONResponse({"ok": True})
        response.set_cookie(
            self.cookie,
            token,
            max_age=COOKIE_AGE_S,
            path="/",
            httponly=True,
            samesite="strict",
            secure=request.headers.get("origin", "").startswith("https://"),
        )
        return response

    async def sign_out(self, request: Request) -> Response:
        """Answer `POST /sign-out`: the session ends on the node, not only in the browser."""
        token = request.cookies.get(self.cookie)
        if token:
            await self.sign_in.sign_out(token)
            client = request.client.host if request.client else ""
            self.audit("audit.web.signed-out", client=client)
        response = JSONResponse({"ok": True})
        response.delete_cookie(self.cookie, path="/", httponly=True, samesite="strict")
        return response


async def _read_secret(request: Request) -> str:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_LIMIT_BYTES:
            raise OperatorError("a sign-in of more octets than any link has")
    secret = body.decode("ascii", "replace")
    if not SECRET_FORM.fullmatch(secret):
        raise OperatorError("a sign-in without the secret of a link")
    return secret

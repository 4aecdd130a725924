"""Signing in: a one-time link gives a session, a session is a cookie.

The link bears its secret in the URL's fragment, which browsers send to nobody; the page posts it
after a tap, so that a mail program which opens links cannot use it up. Here, as in the database, a
secret is only ever known by its SHA-256: 128 and 256 random bits need no slower hash.

Times are microseconds UTC, by the clock that is given.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from telcon.errors import SignInError
from telcon.node.store import Store, access

__all__ = ["LINK_LIFETIME_US", "PRINCIPAL", "SESSION_LIFETIME_US", "Session", "SignIn"]

# The id of the one person who can sign in, in version 1.
PRINCIPAL = "principal"

LINK_LIFETIME_US = 15 * 60 * 1_000_000
SESSION_LIFETIME_US = 30 * 24 * 3_600 * 1_000_000
LINK_SECRET_OCTETS = 16
SESSION_TOKEN_OCTETS = 32

_ADVICE = "Ask for another link with `telcon link`; each works once, for 15 minutes."


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser of the principal."""

    number: int
    """For the audit file and the screen; no secret."""
    created_at_us: int
    expires_at_us: int


class SignIn:
    """Makes links, turns them into sessions, and knows the sessions."""

    def __init__(
        self, store: Store, random: Callable[[int], bytes], now_us: Callable[[], int]
    ) -> None:
        """Keep links and sessions in `store`.

        `random` gives so many secret octets, as os.urandom does; `now_us` is the clock.
        """
        self._store = store
        self._random = random
        self._now_us = now_us

    async def make_link(self) -> str:
        """Return the secret of a new link, for the fragment of its URL. It is kept nowhere.

        Raises:
            StorageError: the disk refused; there is no link.
        """
        now_us = self._now_us()
        secret = _text(self._random(LINK_SECRET_OCTETS))
        record = access.LinkRecord(_hash(secret), now_us + LINK_LIFETIME_US)

        def work(connection: Connection) -> None:
            access.delete_expired(connection, now_us)
            access.add_link(connection, record)

        await self._store.commit(work)
        return secret

    async def redeem(self, secret: str) -> str:
        """Use up the link with that secret; return the token of a new session, for the cookie.

        Of two at once with one secret, one is signed in.

        Raises:
            SignInError: the link is unknown, expired or was used before.
            StorageError: the disk refused; the link can be used again.
        """
        _require(secret, LINK_SECRET_OCTETS)
        now_us = self._now_us()
        token = _text(self._random(SESSION_TOKEN_OCTETS))
        expires = now_us + SESSION_LIFETIME_US

        def work(connection: Connection) -> None:
            link = access.find_link(connection, _hash(secret))
            if link is None:
                raise SignInError("the sign-in link is unknown or has expired", advice=_ADVICE)
            if link.used_at_us is not None:
                raise SignInError("the sign-in link was used before", advice=_ADVICE)
            if link.expires_at_us <= now_us:
                raise SignInError("the sign-in link has expired", advice=_ADVICE)
            access.mark_link_used(connection, link.secret_hash, now_us)
            access.add_session(connection, _hash(token), now_us, expires)

        await self._store.commit(work)
        return token

    def session(self, token: str) -> Session | None:
        """Return the session of that token, None if there is none or it has run out."""
        record = self._store.read(lambda connection: access.find_session(connection, _hash(token)))
        if record is None or record.expires_at_us <= self._now_us():
            return None
        return Session(record.number, record.created_at_us, record.expires_at_us)

    def who(self, token: str) -> str | None:
        """Return the id of the person whose session that is, None if there is none (any more)."""
        return PRINCIPAL if self.session(token) is not None else None

    async def sign_out(self, token: str) -> None:
        """End the session of that token; an unknown one is ignored."""
        await self._store.commit(lambda connection: access.delete_session(connection, _hash(token)))

    async def sign_out_everywhere(self) -> int:
        """End every session, as after a lost device; return how many there were."""
        return await self._store.commit(access.delete_sessions)


def _text(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).rstrip(b"=").decode("ascii")


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _require(secret: str, octets: int) -> None:
    """Refuse what no link can be, before it costs a transaction."""
    try:
        found = base64.b64decode(secret + "=" * (-len(secret) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise SignInError("the sign-in link is incomplete", advice=_ADVICE) from error
    if len(found) != octets or _text(found) != secret:
        raise SignInError("the sign-in link is incomplete", advice=_ADVICE)

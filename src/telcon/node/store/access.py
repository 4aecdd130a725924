"""Sign-in links and sessions as rows; only hashes of their secrets are ever stored.

Functions take a connection, as in `telcon.node.store.records`. What the rows mean, and how long
they live, is said in `telcon.node.people`.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from telcon.node.store.engine import driver_of
from telcon.node.store.tables import HOUSE
from telcon.node.store.tables import session as _session
from telcon.node.store.tables import sign_in_link as _link

__all__ = [
    "LinkRecord",
    "SessionRecord",
    "add_link",
    "add_session",
    "delete_expired",
    "delete_session",
    "delete_sessions",
    "find_link",
    "find_session",
    "mark_link_used",
]

_FIND_SESSION = "SELECT id, created_at_us, expires_at_us FROM session WHERE token_hash = ?"


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """A one-time sign-in link."""

    secret_hash: bytes
    expires_at_us: int
    used_at_us: int | None = None


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A signed-in browser."""

    number: int
    """No secret."""
    created_at_us: int
    expires_at_us: int


def add_link(connection: Connection, record: LinkRecord) -> None:
    """Store a link."""
    connection.execute(
        insert(_link).values(
            house=HOUSE,
            secret_hash=record.secret_hash,
            expires_at_us=record.expires_at_us,
            used_at_us=record.used_at_us,
        )
    )


def find_link(connection: Connection, secret_hash: bytes) -> LinkRecord | None:
    """Return the link with that hash."""
    query = select(_link).where(_link.c.secret_hash == secret_hash)
    row = connection.execute(query).first()
    return LinkRecord(row.secret_hash, row.expires_at_us, row.used_at_us) if row else None


def mark_link_used(connection: Connection, secret_hash: bytes, now_us: int) -> None:
    """Store that the link was used."""
    change = update(_link).where(_link.c.secret_hash == secret_hash)
    connection.execute(change.values(used_at_us=now_us))


def add_session(
    connection: Connection, token_hash: bytes, created_at_us: int, expires_at_us: int
) -> None:
    """Store a session."""
    connection.execute(
        insert(_session).values(
            house=HOUSE,
            token_hash=token_hash,
            created_at_us=created_at_us,
            expires_at_us=expires_at_us,
        )
    )


def find_session(connection: Connection, token_hash: bytes) -> SessionRecord | None:
    """Return the session with that hash. As plain text: it is asked before all that a page gets."""
    row = driver_of(connection).execute(_FIND_SESSION, (token_hash,)).fetchone()
    return SessionRecord(*row) if row else None


def delete_session(connection: Connection, token_hash: bytes) -> None:
    """Forget one session, if there is such a one."""
    connection.execute(delete(_session).where(_session.c.token_hash == token_hash))


def delete_sessions(connection: Connection) -> int:
    """Forget every session; return how many."""
    return connection.execute(delete(_session).where(_session.c.house == HOUSE)).rowcount


def delete_expired(connection: Connection, now_us: int) -> None:
    """Forget sessions and links that have run out."""
    connection.execute(delete(_session).where(_session.c.expires_at_us <= now_us))
    connection.execute(delete(_link).where(_link.c.expires_at_us <= now_us))

"""Browsers to be woken, as rows: one for each session at most, gone with it.

Functions take a connection, as in `telcon.node.store.records`. What the rows mean is said in
`telcon.node.push`.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select
from sqlalchemy import delete as sql_delete

from telcon.node.store.tables import HOUSE
from telcon.node.store.tables import waking as _waking

__all__ = ["Waking", "delete", "find_all", "keep_newest", "put"]


@dataclass(frozen=True, slots=True)
class Waking:
    """How the browser of one session is woken."""

    session: int
    endpoint: str
    """Secret."""
    key: bytes
    auth: bytes
    """Secret."""


def put(connection: Connection, session: int, endpoint: str, key: bytes, auth: bytes) -> None:
    """Store how the browser of `session` is woken, in place of what was known of it."""
    was = (_waking.c.session == session) | (_waking.c.endpoint == endpoint)
    connection.execute(sql_delete(_waking).where(was))
    values = {"session": session, "endpoint": endpoint, "key": key, "auth": auth}
    connection.execute(insert(_waking).values(house=HOUSE, **values))


def find_all(connection: Connection) -> list[Waking]:
    """Return all, the session that signed in last first."""
    rows = connection.execute(select(_waking).order_by(_waking.c.session.desc()))
    return [Waking(row.session, row.endpoint, row.key, row.auth) for row in rows]


def keep_newest(connection: Connection, count: int) -> None:
    """Forget all but the `count` sessions that signed in last."""
    kept = select(_waking.c.session).order_by(_waking.c.session.desc()).limit(count)
    connection.execute(sql_delete(_waking).where(_waking.c.session.not_in(kept)))


def delete(connection: Connection, session: int) -> None:
    """Forget how the browser of `session` is woken."""
    connection.execute(sql_delete(_waking).where(_waking.c.session == session))

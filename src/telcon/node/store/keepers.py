"""The record-keepers of lines as rows: public keys to which records are sealed.

Functions take a connection: writing ones are works for `Store.commit`, reading ones for
`Store.read`.
"""

from sqlalchemy import Connection, delete, insert, select

from telcon.node.store import tables
from telcon.node.store.tables import HOUSE

__all__ = ["add_keeper", "carry_keepers", "find_keepers", "remove_keeper"]


def add_keeper(connection: Connection, line: str, public: bytes, now_us: int) -> bool:
    """Store a record-keeper of `line`; False if it is one already."""
    if public in find_keepers(connection, line):
        return False
    values = {"house": HOUSE, "line": line, "public": public, "added_at_us": now_us}
    connection.execute(insert(tables.keeper).values(values))
    return True


def carry_keepers(connection: Connection, line: str, peer_name: str, now_us: int) -> None:
    """Let who keeps the records of the line to `peer_name` before `line` keep those of `line`."""
    table = tables.line
    before = select(table.c.line).where(table.c.peer_name == peer_name, table.c.line != line)
    newest = connection.scalar(before.order_by(table.c.confirmed_at_us.desc()).limit(1))
    for public in find_keepers(connection, newest) if newest is not None else ():
        add_keeper(connection, line, public, now_us)


def find_keepers(connection: Connection, line: str) -> list[bytes]:
    """Return the public keys of the record-keepers of `line`, the first added first."""
    table = tables.keeper
    query = select(table.c.public).where(table.c.line == line)
    rows = connection.execute(query.order_by(table.c.added_at_us, table.c.public))
    return [bytes(public) for (public,) in rows]


def remove_keeper(connection: Connection, line: str, public: bytes) -> bool:
    """Forget a record-keeper; what was sealed to it stays so. False if it was none."""
    table = tables.keeper
    done = connection.execute(delete(table).where(table.c.line == line, table.c.public == public))
    return bool(done.rowcount)

"""Pairings under way as rows, on the side that invited and on the side that accepts; renewals too.

Functions take a connection, as in `telcon.node.store.records`. The row goes when the line is
confirmed (`records.add_line`) or the invitation has run out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from telcon.errors import InvitationError, InvitationRefusal
from telcon.node.store import tables
from telcon.node.store.tables import HOUSE

__all__ = [
    "UNTIL_DONE_US",
    "InvitationRecord",
    "add_invitation",
    "change_invitation",
    "delete_expired_invitations",
    "find_invitation",
    "find_invitations",
    "require_invitation",
    "use_invitation",
]

UNTIL_DONE_US: Final = (1 << 62) - 1
"""When a renewal expires: never, for a log may name its line, and both sides must get there."""


@dataclass(frozen=True, slots=True)
class InvitationRecord:
    """A pairing under way, not confirmed yet."""

    line: str
    invited: bool
    """True on the side that wrote the invitation, false on the side that accepts it."""
    own_card: bytes
    log_seed: bytes = field(repr=False)
    """Secret."""
    mirror_seed: bytes = field(repr=False)
    """Secret."""
    own_statement: bytes
    secret_hash: bytes
    """SHA-256 of the invitation's secret; the secret itself stands in the invitation alone."""
    expires_at_us: int
    used_at_us: int | None = None
    """None until the secret was shown once; always None on the accepting side."""
    peer_card: bytes | None = None
    """None, as the two below, until the exchange of docs/protocol.md §8."""
    peer_statement: bytes | None = None
    words: str | None = None
    """Six, with spaces between: what the people compare before they confirm."""
    log_ml_dsa_seed: bytes | None = field(default=None, repr=False)
    """Secret: ML-DSA-44 seed of our log key; None on a line paired with a card of version 1."""
    mirror_ml_dsa_seed: bytes | None = field(default=None, repr=False)
    """Secret: ML-DSA-44 seed of our mirror key, or None as above."""

    @property
    def is_renewal(self) -> bool:
        """Whether the old line vouches for it; see `telcon.node.renewal`. There are no words."""
        return self.expires_at_us == UNTIL_DONE_US


_FIELDS = tuple(InvitationRecord.__dataclass_fields__)


def add_invitation(connection: Connection, record: InvitationRecord) -> None:
    """Store a pairing under way."""
    connection.execute(insert(tables.invitation).values(_values(record)))


def find_invitations(connection: Connection) -> list[InvitationRecord]:
    """Return every pairing under way."""
    rows = connection.execute(select(tables.invitation)).all()
    return _records(rows)


def find_invitation(connection: Connection, line: str) -> InvitationRecord | None:
    """Return the pairing of `line`, None if there is none."""
    query = select(tables.invitation).where(tables.invitation.c.line == line)
    found = _records(connection.execute(query).all())
    return found[0] if found else None


def require_invitation(connection: Connection, secret_hash: bytes) -> InvitationRecord:
    """Return the invitation with that secret, whether it is still good or not.

    Raises:
        InvitationError: it is unknown.
    """
    table = tables.invitation
    query = select(table).where(table.c.secret_hash == secret_hash, table.c.invited)
    found = _records(connection.execute(query).all())
    if not found:
        raise _no_invitation("unknown", InvitationRefusal.UNKNOWN)
    return found[0]


def use_invitation(connection: Connection, secret_hash: bytes, now_us: int) -> InvitationRecord:
    """Mark the invitation with that secret as used and return it; of two at once one gets it.

    Raises:
        InvitationError: `reason` says whether it is unknown, used or expired.
    """
    found = require_invitation(connection, secret_hash)
    if found.used_at_us is not None:
        raise _no_invitation("used already", InvitationRefusal.USED)
    if found.expires_at_us <= now_us:
        raise _no_invitation("expired", InvitationRefusal.EXPIRED)
    table = tables.invitation
    connection.execute(
        update(table).where(table.c.secret_hash == secret_hash).values(used_at_us=now_us)
    )
    return replace(found, used_at_us=now_us)


def change_invitation(connection: Connection, record: InvitationRecord) -> None:
    """Store what a step of the pairing added.

    Raises:
        InvitationError: there is no such pairing any more.
    """
    table = tables.invitation
    values = _values(record)
    done = connection.execute(update(table).where(table.c.line == record.line).values(values))
    if done.rowcount != 1:
        raise _no_invitation("unknown", InvitationRefusal.UNKNOWN)


def delete_expired_invitations(connection: Connection, now_us: int) -> int:
    """Forget pairings that ran out, with their keys; return how many."""
    table = tables.invitation
    return connection.execute(delete(table).where(table.c.expires_at_us <= now_us)).rowcount


def _no_invitation(reason: str, refusal: InvitationRefusal) -> InvitationError:
    return InvitationError(
        f"the invitation is {reason}",
        advice="Ask the other side for a new invitation; each works once, for ten minutes.",
        refusal=refusal,
    )


def _values(record: InvitationRecord) -> dict[str, Any]:
    return {"house": HOUSE} | {name: getattr(record, name) for name in _FIELDS}


def _records(rows: Sequence[Any]) -> list[InvitationRecord]:
    return [InvitationRecord(**{name: getattr(row, name) for name in _FIELDS}) for row in rows]

"""The first tables. Frozen: a later change is a new revision beside this one."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of version 1."""
    _lines_and_logs()
    _records()
    _people()


def _house() -> sa.Column[str]:
    return sa.Column("house", sa.Text, nullable=False)


def _octets(name: str, *, nullable: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=nullable)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=nullable)


def _position(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=True, autoincrement=False)


def _lines_and_logs() -> None:
    op.create_table(
        "line",
        _house(),
        sa.Column("line", sa.Text, primary_key=True),
        *(_text(name) for name in ("own_name", "peer_name")),
        *(_octets(name) for name in ("own_card", "peer_card", "log_seed", "mirror_seed")),
        *(_octets(name) for name in ("own_statement", "peer_statement")),
        *(_text(f"peer_{name}") for name in ("lang", "person", "office", "organisation")),
        *(_text(name) for name in ("peer_addresses", "link_lost")),
        _number("confirmed_at_us"),
    )
    op.create_table(
        "log",
        _house(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("line", sa.Text, sa.ForeignKey("line.line"), nullable=False),
        sa.Column("origin", sa.Text, nullable=False, unique=True),
        sa.Column("own", sa.Boolean, nullable=False),
    )
    op.create_table(
        "entry",
        _house(),
        sa.Column("log", sa.Integer, sa.ForeignKey("log.id"), primary_key=True),
        _position("position"),
        _octets("data"),
        _octets("hashes"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "opening",
        _house(),
        sa.Column("log", sa.Integer, primary_key=True),
        _position("position"),
        sa.Column("member", sa.Text, primary_key=True),
        _octets("key"),
        _octets("content"),
        sa.ForeignKeyConstraint(["log", "position"], ["entry.log", "entry.position"]),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "note",
        _house(),
        sa.Column("log", sa.Integer, sa.ForeignKey("log.id"), primary_key=True),
        _position("size"),
        _octets("note"),
        sa.Column("cosigned", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )


def _records() -> None:
    op.create_table(
        "evidence",
        _house(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("line", sa.Text, sa.ForeignKey("line.line"), nullable=False),
        _octets("first"),
        _octets("second"),
        sa.UniqueConstraint("line", "first", "second"),
    )
    op.create_table(
        "recording",
        _house(),
        sa.Column("call", sa.Text, primary_key=True),
        sa.Column("origin", sa.Text, sa.ForeignKey("log.origin"), primary_key=True),
        sa.Column("track", sa.Integer, primary_key=True, autoincrement=False),
        _text("path"),
        _number("opened_at_us"),
        _octets("sha256", nullable=True),
        _number("size_octets", nullable=True),
    )


def _people() -> None:
    op.create_table(
        "session",
        _house(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
        _number("created_at_us"),
        _number("expires_at_us"),
    )
    op.create_table(
        "sign_in_link",
        _house(),
        sa.Column("secret_hash", sa.LargeBinary, primary_key=True),
        _number("expires_at_us"),
        _number("used_at_us", nullable=True),
    )
    op.create_table(
        "invitation",
        _house(),
        sa.Column("line", sa.Text, primary_key=True),
        sa.Column("invited", sa.Boolean, nullable=False),
        *(_octets(name) for name in ("own_card", "log_seed", "mirror_seed")),
        *(_octets(name) for name in ("own_statement", "secret_hash")),
        _number("expires_at_us"),
        _number("used_at_us", nullable=True),
        *(_octets(name, nullable=True) for name in ("peer_card", "peer_statement")),
        sa.Column("words", sa.Text),
    )

"""House logs: our own, and the keys pinned of those of peers. Frozen, as the others."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _make_own()
    _make_pins()


def _house() -> "sa.Column[str]":
    return sa.Column("house", sa.Text, nullable=False)


def _make_own() -> None:
    op.create_table(
        "house_log",
        _house(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("origin", sa.Text, nullable=False, unique=True),
        sa.Column("seed", sa.LargeBinary, nullable=False),
        sa.Column("opened_at_us", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.Text),
    )
    op.create_table(
        "house_entry",
        _house(),
        sa.Column("log", sa.Integer, sa.ForeignKey("house_log.id"), primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "house_opening",
        _house(),
        sa.Column("log", sa.Integer, primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("member", sa.Text, primary_key=True),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["log", "position"], ["house_entry.log", "house_entry.position"]),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "house_note",
        _house(),
        sa.Column("log", sa.Integer, sa.ForeignKey("house_log.id"), primary_key=True),
        sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.Column("cosigned", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )


def _make_pins() -> None:
    op.create_table(
        "house_pin",
        _house(),
        sa.Column("line", sa.Text, sa.ForeignKey("line.line"), primary_key=True),
        sa.Column("log_vkey", sa.Text, nullable=False),
        sa.Column("witness_vkey", sa.Text, nullable=False),
        sa.Column("pinned_at_us", sa.BigInteger, nullable=False),
    )

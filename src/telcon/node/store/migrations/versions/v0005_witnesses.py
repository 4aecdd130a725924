"""Witnesses: logs that this node witnesses, and who witnesses its own. Frozen, as the others."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _of_others()
    _of_our_lines()


def _house() -> sa.Column[str]:
    return sa.Column("house", sa.Text, nullable=False)


def _of_others() -> None:
    op.create_table(
        "witnessed",
        _house(),
        sa.Column("origin", sa.Text, primary_key=True),
        sa.Column("vkey", sa.Text, nullable=False),
        sa.Column("admitted", sa.Boolean, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.LargeBinary),
    )
    op.create_table(
        "witness_refused",
        _house(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("origin", sa.Text, sa.ForeignKey("witnessed.origin"), nullable=False),
        sa.Column("request", sa.LargeBinary, nullable=False),
        sa.Column("held", sa.LargeBinary),
        sa.Column("came_at_us", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("origin", "request"),
    )


def _of_our_lines() -> None:
    op.create_table(
        "line_public",
        _house(),
        sa.Column("line", sa.Text, sa.ForeignKey("line.line"), primary_key=True),
        sa.Column("published", sa.Boolean, nullable=False),
        sa.Column("needed", sa.Integer, nullable=False),
    )
    op.create_table(
        "line_witness",
        _house(),
        sa.Column("line", sa.Text, sa.ForeignKey("line.line"), primary_key=True),
        sa.Column("vkey", sa.Text, primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("added_at_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "witness_cosignature",
        _house(),
        sa.Column("log", sa.Integer, primary_key=True),
        sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("vkey", sa.Text, primary_key=True),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("time_s", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["log", "size"], ["note.log", "note.size"]),
        sqlite_with_rowid=False,
    )

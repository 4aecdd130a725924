"""Browsers to be woken when it rings. Frozen: a later change is a new revision beside this one."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; it goes with its session."""
    op.create_table(
        "waking",
        sa.Column("house", sa.Text, nullable=False),
        sa.Column(
            "session", sa.Integer, sa.ForeignKey("session.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("endpoint", sa.Text, nullable=False, unique=True),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("auth", sa.LargeBinary, nullable=False),
    )

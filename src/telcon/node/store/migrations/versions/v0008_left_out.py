"""What is not recorded on purpose. Frozen: a later change is a new revision beside this one."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; of earlier calls nothing is known."""
    op.create_table(
        "left_out",
        sa.Column("house", sa.Text, nullable=False),
        sa.Column("call", sa.Text, primary_key=True),
        sa.Column("origin", sa.Text, sa.ForeignKey("log.origin"), primary_key=True),
        sa.Column("track", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
    )

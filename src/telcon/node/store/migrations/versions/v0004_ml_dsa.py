"""ML-DSA-44 beside Ed25519: seeds of a line, and the checkpoints that both sides signed with them.

Frozen: a later change is a new revision beside this one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is NULL for every line there is, and the table of checkpoints."""
    for table in ("line", "invitation"):
        op.add_column(table, sa.Column("log_ml_dsa_seed", sa.LargeBinary))
        op.add_column(table, sa.Column("mirror_ml_dsa_seed", sa.LargeBinary))
    op.create_table(
        "seconded",
        sa.Column("house", sa.Text, nullable=False),
        sa.Column("log", sa.Integer, sa.ForeignKey("log.id"), primary_key=True),
        sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )

"""Record-keepers of a line. Frozen: a later change is a new revision beside this one."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "keeper",
        sa.Column("house", sa.Text, nullable=False),
        sa.Column("line", sa.Text, sa.ForeignKey("line.line"), primary_key=True),
        sa.Column("public", sa.LargeBinary, primary_key=True),
        sa.Column("added_at_us", sa.BigInteger, nullable=False),
    )

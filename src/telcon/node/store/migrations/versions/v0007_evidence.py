"""What shows a fork, and who noted it. Frozen: a later change is a new revision beside this one."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both columns; what was kept before has neither."""
    op.add_column("evidence", sa.Column("path", sa.LargeBinary))
    op.add_column("evidence", sa.Column("acknowledged", sa.LargeBinary))

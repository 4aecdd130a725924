"""Openings are encrypted, under a key that lies outside the database.

Frozen: a later change is a new revision beside this one. So the bytes of that time are written here
and not by `telcon.node.store.cipher`; the key comes in the attribute `openings_key`.
"""

import logging
import os

import sqlalchemy as sa
from alembic import context, op
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_log = logging.getLogger("telcon.node.store.schema")  # Alembic names this module otherwise

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Write each opening anew, encrypted; what it was leaves the file (`secure_delete`)."""
    cipher = AESGCM(context.config.attributes["openings_key"])

    def seal(table: str, log: int, position: int, member: str, key: bytes, content: bytes) -> bytes:
        bound = f"telcon opening v1\0{table}\0{log}\0{position}\0{member}".encode()
        nonce = os.urandom(12)
        return nonce + cipher.encrypt(nonce, key + content, bound)

    driver = op.get_bind().connection.driver_connection
    assert driver is not None  # noqa: S101 -- for the type: a connection in use has one
    held = "SELECT EXISTS (SELECT 1 FROM opening UNION ALL SELECT 1 FROM house_opening)"
    if op.get_bind().exec_driver_sql(held).scalar_one():
        _log.warning(
            "the texts in the database are encrypted now, once: a large one takes minutes, and as"
            " much room again as it has"
        )
    driver.create_function("telcon_seal", 6, seal)
    for table, entry in (("opening", "entry"), ("house_opening", "house_entry")):
        op.rename_table(table, f"{table}_clear")
        op.create_table(
            table,
            sa.Column("house", sa.Text, nullable=False),
            sa.Column("log", sa.Integer, primary_key=True),
            sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("member", sa.Text, primary_key=True),
            sa.Column("sealed", sa.LargeBinary, nullable=False),
            sa.ForeignKeyConstraint(["log", "position"], [f"{entry}.log", f"{entry}.position"]),
            sqlite_with_rowid=False,
        )
        op.execute(
            f"INSERT INTO {table} SELECT house, log, position, member,"  # noqa: S608 -- our own names
            f" telcon_seal('{table}', log, position, member, key, content) FROM {table}_clear"
        )
        op.drop_table(f"{table}_clear")

"""Alembic's entry: runs the revisions on the connection that `telcon.node.store.schema` brings."""

from alembic import context

from telcon.node.store.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()

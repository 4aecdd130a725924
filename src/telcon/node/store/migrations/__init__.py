"""The tables' history: Alembic revisions, run by `telcon.node.store.schema`."""

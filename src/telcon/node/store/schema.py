"""Brings an opened database to the tables this version knows, by the revisions in `migrations`.

Alembic is imported only when something is to be done: a node that starts on a current database does
without it. All revisions run in one transaction, under the lock of the folder.
"""

from pathlib import Path

from sqlalchemy import Connection

from telcon.errors import StorageError

__all__ = ["NEWEST_REVISION", "current_revision", "require_newest", "upgrade"]

# The head of migrations/versions; a test holds it there.
NEWEST_REVISION = "0009"

_MIGRATIONS = Path(__file__).with_name("migrations")


def current_revision(connection: Connection) -> str | None:
    """Return the revision the database stands at, None for an empty one."""
    table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
    if connection.exec_driver_sql(table).first() is None:
        return None
    row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").first()
    return str(row[0]) if row else None


def require_newest(connection: Connection, path: Path) -> None:
    """Refuse a database at another revision, for readers, which never migrate.

    Raises:
        StorageError: it is older or newer than this version of telcon.
    """
    found = current_revision(connection)
    if found != NEWEST_REVISION:
        raise StorageError(
            f"the database {path} is at revision {found}, this telcon reads {NEWEST_REVISION}",
            advice="Start the node once with this version of telcon; it brings the database up.",
        )


def upgrade(connection: Connection, path: Path, openings_key: bytes) -> None:
    """Run the revisions that are missing, in the transaction `connection` is in.

    Openings of before revision 0009 are encrypted under `openings_key`.

    Raises:
        StorageError: the database was made by a newer telcon.
    """
    found = current_revision(connection)
    if found == NEWEST_REVISION:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["openings_key"] = openings_key
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StorageError(
            f"the database {path} is at revision {found}, which this telcon does not know",
            advice="Use the newer version of telcon that wrote it.",
        ) from error

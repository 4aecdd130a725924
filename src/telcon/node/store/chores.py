"""What the commit thread does when nothing waits: marker syncs, write-ahead log checkpoints."""

import logging
import sqlite3

from sqlalchemy import Connection

from telcon.node.store.engine import driver_of
from telcon.node.store.marker import Markers

__all__ = ["StoreChores"]

# Rows written before a checkpoint is worth its syncs: some fifty messages, one megabyte. The next
# commits then overwrite the log in place, and that syncs faster than a file that grows.
ROWS_PER_CHECKPOINT = 250

_log = logging.getLogger(__name__)


class StoreChores:
    """The chores of one store; runs in the commit thread only."""

    def __init__(self, connection: Connection, markers: Markers) -> None:
        """Look after the write-ahead log of `connection` and the `markers`."""
        self._driver = driver_of(connection)
        self._markers = markers
        self._rows_at_checkpoint = 0

    def after_commit(self) -> bool:
        """Return whether `run` has something to do."""
        return self._is_checkpoint_due() or self._markers.is_dirty

    def run(self) -> None:
        """Sync what is dirty and move the write-ahead log into the database if it has grown.

        A failure costs nothing that was acknowledged: it is logged and tried again after the next
        commit.
        """
        try:
            self._markers.sync()
        except OSError as error:
            _log.error("store.marker-sync-failed: %s", error)
        if self._is_checkpoint_due():
            self.checkpoint()

    def begin(self) -> None:
        """Move all that an upgrade or a crash left in the write-ahead log, and empty that.

        What an upgrade wrote over stands in the database until then. A failure is as in `run`.
        """
        self._checkpoint("TRUNCATE")

    def checkpoint(self) -> None:
        """Move the write-ahead log into the database, as far as readers allow."""
        self._checkpoint("PASSIVE")

    def _checkpoint(self, mode: str) -> None:
        try:
            self._driver.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
        except sqlite3.Error as error:
            _log.error("store.checkpoint-failed: %s", error)
        else:
            self._rows_at_checkpoint = self._driver.total_changes

    def _is_checkpoint_due(self) -> bool:
        return self._driver.total_changes - self._rows_at_checkpoint >= ROWS_PER_CHECKPOINT

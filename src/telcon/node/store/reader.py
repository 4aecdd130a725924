"""Reads of committed state, on the thread that opened it."""

import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from telcon.node.store.engine import disconnect, driver_of, translate

__all__ = ["Reader"]

T = TypeVar("T")


class Reader:
    """A connection that only reads."""

    def __init__(self, connection: Connection) -> None:
        """Take over `connection`, see `telcon.node.store.engine.connect_reader`."""
        self._connection = connection
        self._driver = driver_of(connection)

    def rows(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """Return all rows of one statement.

        Raises:
            StorageError: the database or the disk refused.
        """
        try:
            return self._driver.execute(statement, values).fetchall()
        except (sqlite3.Error, MemoryError) as error:
            raise translate(error) from error

    def run(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` reads; each of its statements sees the newest committed state.

        Raises:
            StorageError: the database or the disk refused.
        """
        try:
            return work(self._connection)
        except (DBAPIError, sqlite3.Error, MemoryError) as error:
            raise translate(error) from error

    def close(self) -> None:
        """Let go of the file."""
        disconnect(self._connection)

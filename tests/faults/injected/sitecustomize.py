"""Python imports this before a node's own code: faults of SQLite that no other program can make.

The file that `TELCON_FAULT` names holds the fault, read before each transaction; empty: none.

    full            the database may not grow by one page (`max_page_count`)
    no-memory       SQLite gets none for any statement of a transaction (`hard_heap_limit`)
    slow MS         each COMMIT takes that many milliseconds more, as on a slow disk
"""

import _sqlite3
import ctypes
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

FAULT = Path(os.environ["TELCON_FAULT"])
UNLIMITED = 1_073_741_823  # SQLite's own default


# The pragma of that name can lower the limit and never raise it again.
LIBRARY = ctypes.CDLL(_sqlite3.__file__)
LIBRARY.sqlite3_hard_heap_limit64.argtypes = [ctypes.c_int64]


@contextmanager
def no_memory() -> Iterator[None]:
    """Let SQLite have no memory but what it has."""
    LIBRARY.sqlite3_hard_heap_limit64(1)
    try:
        yield
    finally:
        LIBRARY.sqlite3_hard_heap_limit64(0)


class FaultyConnection(sqlite3.Connection):
    """A connection on which transactions meet the fault of the moment."""

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        fault = FAULT.read_text().split()
        if statement == "BEGIN IMMEDIATE":
            pages = 1 if fault[:1] == ["full"] else UNLIMITED  # SQLite takes what it has now
            super().execute(f"PRAGMA max_page_count = {pages}")
        if statement == "COMMIT" and fault[:1] == ["slow"]:
            time.sleep(float(fault[1]) / 1_000)
        if fault == ["no-memory"] and statement.startswith(("BEGIN", "INSERT")):
            with no_memory():
                return super().execute(statement, *values)
        return super().execute(statement, *values)


# The module itself, for that is where the node looks it up.
sqlite3.connect = partial(sqlite3.connect, factory=FaultyConnection)  # type: ignore[assignment]

"""Programs to start a node through, so that faults can be made inside its process."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

INJECTED = Path(__file__).parent / "injected"
LIBRARY = "/usr/lib/{}-linux-gnu/faketime/libfaketime.so.1"


class Tool(Protocol):
    """A way to start a node, and to make a fault in its process while it runs."""

    through: Sequence[str]
    """Words of the command before the node's own."""

    def __init__(self, folder: Path) -> None:
        """Keep the fault of the moment in a file in `folder`."""


class FaultySqlite:
    """Lets a fault come and go in a node's SQLite; see `injected/sitecustomize.py`."""

    def __init__(self, folder: Path) -> None:
        """Keep the fault of the moment in a file in `folder`."""
        self._file = folder / "fault"
        self.clear()
        paths = [str(INJECTED), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        self.through: Sequence[str] = [
            "env",
            f"TELCON_FAULT={self._file}",
            f"PYTHONPATH={os.pathsep.join(paths)}",
        ]

    def set(self, fault: str) -> None:
        """Let the fault hold from the next transaction on."""
        temporary = self._file.with_suffix(".new")
        temporary.write_text(fault)
        temporary.rename(self._file)

    def clear(self) -> None:
        """End the fault."""
        self.set("")


class FaultyClock:
    """Lets a node's wall clock stand wherever one likes, and jump while the node runs.

    By libfaketime, so that all code in the process sees it, TLS included. The monotonic clock is
    left alone: on a real machine it does not jump either.
    """

    def __init__(self, folder: Path) -> None:
        """Keep the offset in a file in `folder`."""
        self._file = folder / "clock"
        self.set(0)
        self.through: Sequence[str] = [
            "env",
            f"LD_PRELOAD={_library()}",
            f"FAKETIME_TIMESTAMP_FILE={self._file}",
            "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
            "FAKETIME_DONT_RESET=1",
            "NO_FAKE_STAT=1",
        ]

    def set(self, ahead_s: float) -> None:
        """Let the clock be so much ahead of the true one, at once."""
        temporary = self._file.with_suffix(".new")
        temporary.write_text(f"{ahead_s:+.3f}\n")
        temporary.rename(self._file)


def _library() -> str:
    found = Path(LIBRARY.format(os.uname().machine))
    assert found.exists(), "libfaketime is missing; scripts/need faketime installs it"
    return str(found)

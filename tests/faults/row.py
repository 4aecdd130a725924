"""The table of every fault that a node has to live with, made for real: what one row of it says.

Two nodes run as processes, two people are signed in, and Arcadia's page is open in Chromium. A row
makes its fault and ends it. Tested of each: the words a person reads, the event in the audit file,
that nothing acknowledged is lost and nothing half-written, and that all is well afterwards.

The rows stand with their faults: `starting`, `people`, `links`, `resources`, `disk`, `clocks`.
A few files of tests go through them, for `make test` gives each file to one process.
"""

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest

from faults.pair import Pair
from faults.through import Tool
from telcon.node.audit import AuditEvent
from telcon.web.words import catalogue

MARKS = [
    pytest.mark.browser,
    pytest.mark.process,
    pytest.mark.timeout(240),
    # Sockets to a node that was ended are closed by the kernel, some of them while nobody looks.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

Fault = Callable[[Pair], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Row:
    """A fault, the words for it, and what the audit file says of it."""

    fault: Fault
    """Makes the fault and shows what goes on all the same; what follows its `yield` ends it."""
    words: tuple[str, ...] = ()
    """Keys of the catalogue: what Arcadia's page in Chromium says while the fault lasts."""
    said: str = ""
    """What a command says that was to fail: a regular expression over both its sentences."""
    event: AuditEvent | None = None
    """In Arcadia's audit file; it may come when the fault has ended, if the disk was the fault."""

    through: type[Tool] | None = None
    """What Arcadia's process has to run through, for the fault to be made inside it."""

    def __str__(self) -> str:
        return self.fault.__name__.replace("_", "-")


def spoken(key: str) -> str:
    """Return the longest piece of a catalogue text that stands on a page as it is written."""
    return max(re.split(r"\{[a-z_]+\}", catalogue()[key]), key=len).strip()

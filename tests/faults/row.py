"""What one row of the table of faults says."""

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from faults.pair import Pair
from faults.through import Tool
from telcon.node.audit import AuditEvent
from telcon.web.words import catalogue

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

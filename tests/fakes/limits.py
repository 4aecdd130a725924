"""Less room for this process, so that the system itself refuses: a disk that is full."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def limited(what: int, room: int) -> Iterator[None]:
    """Let this process have `room` of `what`, one of `resource.RLIMIT_…`, and no more."""
    before = resource.getrlimit(what)
    resource.setrlimit(what, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(what, before)

"""Ports for nodes on this machine: free now, and outside the range the system gives away itself."""

import socket
from contextlib import ExitStack

FIRST, LAST = 21_000, 31_000  # below the usual ephemeral range, which begins at 32,768


def free_ports(count: int, *, first: int = FIRST) -> list[int]:
    """Return `count` ports on 127.0.0.1 that are free for TCP and UDP, held at once to be sure."""
    found: list[int] = []
    with ExitStack() as held:
        for port in range(first, LAST):
            if len(found) == count:
                break
            try:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    held.enter_context(_bound(kind, port))
            except OSError:
                continue
            found.append(port)
    if len(found) < count:
        raise SystemExit(f"no {count} free ports between {first} and {LAST}")
    return found


def _bound(kind: int, port: int) -> socket.socket:
    held = socket.socket(socket.AF_INET, kind)
    try:
        held.bind(("127.0.0.1", port))
    except OSError:
        held.close()
        raise
    return held

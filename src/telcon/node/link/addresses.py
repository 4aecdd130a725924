"""Addresses as people and files write them: `host:port`, an IPv6 host in brackets."""

import re
from typing import Final

from telcon.errors import MalformedError

__all__ = ["MAX_ADDRESSES", "parse_address"]

MAX_ADDRESSES: Final = 16  # of one node

_ADDRESS = re.compile(
    r"(?:\[(?P<six>[0-9a-fA-F:.]{2,45})\]|(?P<host>[A-Za-z0-9._-]{1,253})):(?P<port>[1-9][0-9]{0,4})",
    re.ASCII,
)


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of `text`.

    Raises:
        MalformedError: it is not `host:port` with a port from 1 to 65535.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > 65_535:
        raise MalformedError(f"expected host:port, got {text[:80]!r}")
    return match["six"] or match["host"], int(match["port"])

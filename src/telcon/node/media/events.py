"""What a leg tells whoever opened it, each thing that can happen as a frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = [
    "Audit",
    "BadIntegrity",
    "FingerprintMismatch",
    "LegConnected",
    "LegEvent",
    "LegFailed",
    "LegResumed",
    "LegSilent",
]


@dataclass(frozen=True, slots=True)
class LegConnected:
    """The device is there and is who it should be."""


@dataclass(frozen=True, slots=True)
class LegSilent:
    """No sign of life for 30 s; nothing is sent until one comes."""


@dataclass(frozen=True, slots=True)
class LegResumed:
    """A silent device has given a sign of life."""


@dataclass(frozen=True, slots=True)
class LegFailed:
    """The leg has closed by itself."""

    reason: str


@dataclass(frozen=True, slots=True)
class FingerprintMismatch:
    """The device's certificate is not the one that was announced; the leg has closed."""

    expected: str
    """Hex SHA-256, from the log entry if it was given, else from the description."""
    found: str
    """Hex SHA-256 of what came instead."""


@dataclass(frozen=True, slots=True)
class BadIntegrity:
    """Somebody knows this leg's user name and not its password."""

    count: int
    """Checks so far; told at 1, 10, 100 and so on."""


LegEvent = LegConnected | LegSilent | LegResumed | LegFailed | FingerprintMismatch | BadIntegrity


class Audit(Protocol):
    """Writes one line to the node's audit file."""

    def __call__(self, event: str, /, **fields: str | int) -> None:
        """Write `event`, a dotted name, with its fields; no secrets among them."""

"""Draws the icons of the installed page: the line between two dots, as in static/line.svg.

    python -m scripts.icons

Pure arithmetic and the standard library, so that the same icons come out on every machine; a test
draws them again and compares the pixels (the compression may differ between versions of zlib).
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "src" / "telcon" / "web" / "static" / "icons"
GREEN = (0x0B, 0x66, 0x5F)
CREAM = (0xFF, 0xFD, 0xF9)
SAFE = 0.72  # of a maskable icon: what every mask leaves, with some air
SHADES = 64  # between no ink and full ink

Shape = Callable[[float, float], float]
"""How far outside of a shape a point is, in the units of line.svg (32 wide)."""


@dataclass(frozen=True, slots=True)
class Icon:
    """One file: its size in pixels, how large the line is in it, the corners, whether a stencil."""

    name: str
    size: int
    scale: float = 1.0
    corner: float = 7.0
    stencil: bool = False


ICONS = (
    Icon("icon-192.png", 192),
    Icon("icon-512.png", 512),
    Icon("maskable-192.png", 192, SAFE, 0.0),
    Icon("maskable-512.png", 512, SAFE, 0.0),
    Icon("apple-180.png", 180, 0.86, 0.0),
    Icon("badge-96.png", 96, 1.15, 0.0, stencil=True),
)


def rounded(x: float, y: float, width: float, height: float, radius: float) -> Shape:
    """Return a rectangle with round corners around its middle (`x`, `y`)."""

    def outside(px: float, py: float) -> float:
        dx = abs(px - x) - width / 2 + radius
        dy = abs(py - y) - height / 2 + radius
        return math.hypot(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0) - radius

    return outside


LINE = (rounded(8, 16, 7.2, 7.2, 3.6), rounded(24, 16, 7.2, 7.2, 3.6), rounded(16, 16, 6, 2, 1))


def shades(icon: Icon) -> Iterator[tuple[int, int]]:
    """Return for each pixel how much of the ground and of the line is on it, 0 to SHADES - 1."""
    ground = rounded(16, 16, 32, 32, icon.corner)
    pixel = 32 / icon.size

    def cover(distance: float, unit: float) -> int:
        return round(min(max(0.5 - distance / unit, 0), 1) * (SHADES - 1))

    for row in range(icon.size):
        for column in range(icon.size):
            x, y = (column + 0.5) * pixel, (row + 0.5) * pixel
            lx, ly = 16 + (x - 16) / icon.scale, 16 + (y - 16) / icon.scale
            line = min(shape(lx, ly) for shape in LINE)
            yield cover(ground(x, y), pixel), cover(line, pixel / icon.scale)


def pixels(icon: Icon) -> bytes:
    """Return the icon as RGBA, row by row."""
    found = bytearray()
    for ground, line in shades(icon):
        if icon.stencil:
            found += bytes((255, 255, 255, line * 255 // (SHADES - 1)))
            continue
        part = line / (SHADES - 1)
        mixed = (round(g + (c - g) * part) for g, c in zip(GREEN, CREAM, strict=True))
        found += bytes((*mixed, ground * 255 // (SHADES - 1)))
    return bytes(found)


def png(icon: Icon) -> bytes:
    """Return the icon as a PNG file (8 bits, RGBA, no filter)."""
    width = icon.size * 4
    rows = pixels(icon)
    lines = b"".join(b"\0" + rows[at : at + width] for at in range(0, len(rows), width))
    header = struct.pack(">IIBBBBB", icon.size, icon.size, 8, 6, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def main() -> None:
    """Write all icons."""
    FOLDER.mkdir(exist_ok=True)
    for icon in ICONS:
        (FOLDER / icon.name).write_bytes(png(icon))


if __name__ == "__main__":
    main()

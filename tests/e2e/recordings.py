"""What a recording sounds like, by ffmpeg and counting."""

import subprocess
from itertools import pairwise
from pathlib import Path

__all__ = ["pitch"]


def pitch(recording: Path) -> float:
    """Return the frequency of a recorded tone, by its crossings of zero in the loud middle."""
    as_samples = ["-f", "s16le", "-ac", "1", "-ar", "48000", "-"]
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(recording), *as_samples],
        capture_output=True,
        check=True,
    )
    assert raw.stderr == b""
    samples = memoryview(raw.stdout).cast("h")
    middle = samples[len(samples) // 3 : 2 * len(samples) // 3]
    rising = sum(1 for a, b in pairwise(middle) if a < 0 <= b)
    return rising * 48_000 / len(middle)

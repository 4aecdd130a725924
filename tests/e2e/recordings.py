"""What a recording sounds like, by ffmpeg and counting."""

import subprocess
from itertools import pairwise
from pathlib import Path

__all__ = ["pitch"]

RATE_HZ = 48_000
WINDOW = RATE_HZ * 2 // 5


def pitch(recording: Path) -> float:
    """Return the frequency of a recorded tone, by its crossings of zero where it is loudest.

    A starved browser speaks late and with gaps, so the tone need not fill the middle.
    """
    as_samples = ["-f", "s16le", "-ac", "1", "-ar", str(RATE_HZ), "-"]
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(recording), *as_samples],
        capture_output=True,
        check=True,
    )
    assert raw.stderr == b""
    samples = memoryview(raw.stdout).cast("h")
    starts = range(0, max(len(samples) - WINDOW, 1), WINDOW // 4)
    loudest = max(starts, key=lambda at: sum(map(abs, samples[at : at + WINDOW : 16])))
    heard = samples[loudest : loudest + WINDOW]
    rising = sum(1 for a, b in pairwise(heard) if a < 0 <= b)
    return rising * RATE_HZ / len(heard)

"""Sound for tests: tones as Opus packets, and what a recording sounds like, both by ffmpeg."""

import array
import functools
import math
import shutil
import subprocess
from pathlib import Path

import pytest

from telcon.node.media.oggopus import parse_ogg_opus_untrusted

RATE = 48_000


def run_ffmpeg(program: str, *arguments: str, data: bytes = b"") -> bytes:
    """Run ffmpeg or ffprobe, which must not warn, and return what it wrote."""
    if shutil.which(program) is None:
        pytest.fail(f"{program} is missing: install ffmpeg, or run `make test` as root")
    done = subprocess.run([program, "-v", "warning", *arguments], input=data, capture_output=True)
    assert (done.returncode, done.stderr.decode()) == (0, "")
    return done.stdout


@functools.cache
def tone(seconds: int, *codec: str, hertz: int = 440) -> tuple[bytes, ...]:
    """Return a loud tone as Opus packets of 20 ms; `codec` are options of libopus."""
    source = f"sine=frequency={hertz}:sample_rate={RATE}:duration={seconds},volume=4"
    options = codec or ("-b:a", "32k", "-vbr", "off", "-application", "voip")
    output = run_ffmpeg(
        "ffmpeg", "-f", "lavfi", "-i", source, "-c:a", "libopus", *options, "-f", "opus", "-"
    )
    packets = parse_ogg_opus_untrusted(output).packets
    return tuple(packet.payload for packet in packets)[: seconds * 50]


def duration_s(path: Path) -> float:
    """Return the length that ffprobe sees, after decoding has shown no fault."""
    return float(
        run_ffmpeg("ffprobe", "-show_entries", "format=duration", "-of", "csv=p=0", str(path))
    )


def loudness(path: Path, step_ms: int = 10) -> list[float]:
    """Decode a recording and return the root mean square of each `step_ms`, 0 to 1."""
    output = run_ffmpeg("ffmpeg", "-i", str(path), "-f", "s16le", "-ac", "1", "-ar", str(RATE), "-")
    samples = array.array("h", output)
    step = RATE * step_ms // 1_000
    return [
        math.sqrt(sum(sample * sample for sample in part) / len(part)) / 32_768
        for part in (samples[at : at + step : 8] for at in range(0, len(samples) - step + 1, step))
    ]


def silences(path: Path, step_ms: int = 10) -> list[tuple[float, float]]:
    """Return from when to when, in seconds, a tone was not heard."""
    spans: list[tuple[float, float]] = []
    for number, level in enumerate(loudness(path, step_ms)):
        start = number * step_ms / 1_000
        if level > 0.02:
            continue
        if spans and abs(spans[-1][1] - start) < step_ms / 2_000:
            spans[-1] = (spans[-1][0], start + step_ms / 1_000)
        else:
            spans.append((start, start + step_ms / 1_000))
    return spans

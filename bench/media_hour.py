"""An hour of one voice as fast as it goes, through both nodes' media and recorders, over all wraps.

The clock is virtual: what is measured is CPU for each packet along its whole way, and what the hour
leaves behind. A gap at the listener makes the bench fail.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from bench.figures import Row

LIMIT_MIB = 10.0


def run() -> list[Row]:
    """Feed the hour, print what it took and left.

    Raises:
        SystemExit: something was not heard, or was heard with a gap.
    """
    from network.hour import AN_HOUR, TRACK, an_hour

    with tempfile.TemporaryDirectory(prefix="telcon-bench-") as folder:
        began = time.process_time()
        hour = an_hour(Path(folder))
        spent_us = 1e6 * (time.process_time() - began) / AN_HOUR
        recorded = [place.read().bound(TRACK) for place in hour.places]
    grown_mib = hour.grown_octets / 2**20
    print(f"{hour.heard} packets heard, {hour.gaps} gaps, recorded {recorded}")
    print(f"{spent_us:.1f} us a packet, both nodes and both devices; memory {grown_mib:+.1f} MiB")
    if (hour.heard, hour.gaps, recorded) != (AN_HOUR, 0, [AN_HOUR] * 2):
        raise SystemExit("the hour was not heard and recorded whole")
    limit = f"≤ {LIMIT_MIB:g}"
    return [
        Row("an hour of packets, growth", grown_mib, "MiB", limit, grown_mib <= LIMIT_MIB),
        Row("an hour of packets, CPU of the whole way", spent_us, "us a packet"),
    ]

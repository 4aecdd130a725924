"""What long use leaves behind: nothing is heard of a wrap, and memory does not grow."""

import asyncio
import dataclasses
from pathlib import Path

import pytest

from bench.media_cycles import CYCLES, LIMIT_MB, WARM_UP, cycle, left
from network.hour import AN_HOUR, FRAME, TRACK, an_hour
from telcon.node.media.dtls import DtlsIdentity
from telcon.node.media.oggopus import parse_ogg_opus_untrusted
from telcon.node.media.plane import MediaPlane
from telcon.node.record.rendering import render_recorded

GROWN_OCTETS = 10 * 1024 * 1024


def test_an_hour_over_all_wraps_has_no_gap_at_the_listener_and_none_in_the_recordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fdatasync", lambda _: None)  # 720 for each recording, in seconds
    hour = an_hour(tmp_path)
    assert (hour.heard, hour.gaps) == (AN_HOUR, 0)
    assert hour.grown_octets < GROWN_OCTETS
    for place in hour.places:
        file = b"".join(render_recorded(place.read(), TRACK))
        packets = parse_ogg_opus_untrusted(file).packets
        assert [packet.start for packet in packets] == [n * FRAME for n in range(AN_HOUR)]
        assert not any(packet.is_lost for packet in packets)


def test_500_devices_that_come_and_go_leave_nothing_behind() -> None:
    async def run() -> None:
        plane, identity = MediaPlane.open("127.0.0.1", 0, ["127.0.0.1"]), DtlsIdentity()
        for _ in range(WARM_UP):
            await cycle(plane, identity)
        before = left()
        for _ in range(CYCLES):
            await cycle(plane, identity)
        after = left()
        plane.close()
        print(f"before {before}, after {after}")
        assert dataclasses.replace(after, memory_mb=before.memory_mb) == before
        assert after.memory_mb - before.memory_mb <= LIMIT_MB

    asyncio.run(run())

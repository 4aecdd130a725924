import asyncio
from pathlib import Path

import pytest
from fakes.wire import Wire

from node.link.rig import ARCADIA, Handler, run, two_nodes


def test_one_side_dials_and_frames_go_both_ways(tmp_path: Path) -> None:
    async def test() -> None:
        ours, theirs = Handler(), Handler(echo=True)
        async with two_nodes(tmp_path) as (arcadia, borealis):
            borealis.add(arcadia, theirs)
            arcadia.add(borealis, ours, borealis.server.port)
            await ours.until_up()
            ours.send(b"one")
            ours.send(b"two" * 20_000)
            await ours.until(lambda: len(ours.frames) == 2)
        assert ours.frames == theirs.frames == [b"one", b"two" * 20_000]
        assert ours.story == theirs.story == ["up", "down"]
        assert arcadia.failed == borealis.failed == []
        assert arcadia.refused == borealis.refused == []

    run(test())

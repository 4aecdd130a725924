"""What a kill left in the journal and in no chunk: logged at the next start, gaps and all."""

import asyncio
import random
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fakes.two_logs import ARCADIA, BOREALIS, TwoLogs
from telcon.core.draft import Draft
from telcon.core.entry import RecordChunk, RecordGap, parse_entry_untrusted
from telcon.node.interrupted import _log_tail
from telcon.node.record.journal import Head, Packet
from telcon.node.record.place import RecordPlace
from telcon.node.record.shelf import Shelf

CALL, LINE = "aa" * 16, ARCADIA.rpartition("/")[2]


def live_call() -> TwoLogs:
    logs = TwoLogs().opened()
    logs.arcadia.ring(CALL)
    logs.borealis.see()
    logs.borealis.answer(CALL)
    logs.arcadia.see()
    return logs


def log_tail(folder: Path, logs: TwoLogs, *spans: range) -> list[tuple[str, int, int]]:
    """Log what of Arcadia's track 1 is in no chunk yet, with `spans` in the journal."""
    said = random.Random(1)

    async def act(draft: Draft) -> None:
        logs.arcadia.write(draft)
        assert logs.arcadia.judged() is None, draft

    async def run() -> None:
        place = RecordPlace.of(folder, LINE, CALL)
        head = Head(CALL, ARCADIA, BOREALIS, 1)
        shelf = Shelf("record", partial(place.begin, head, ()), 0.0)
        for span in spans:
            packets = [Packet(n, n * 960, b"\xfc" + said.randbytes(4)) for n in span]
            shelf.put([((ARCADIA, 1), packet) for packet in packets], None, 0.0)
        await shelf.wait_kept(0.0)
        fold = SimpleNamespace(calls={CALL: logs.call(CALL)})
        line: Any = SimpleNamespace(
            identity=SimpleNamespace(own_card=SimpleNamespace(log=SimpleNamespace(name=ARCADIA))),
            machine=SimpleNamespace(fold=fold),
            act=act,
        )
        await _log_tail(line, CALL, shelf)
        await shelf.close(0.0)

    begun = len(logs.entries[ARCADIA])
    asyncio.run(run())
    found = []
    for data in logs.entries[ARCADIA][begun:]:
        entry = parse_entry_untrusted(data)
        assert isinstance(entry, RecordChunk | RecordGap)
        found += [(entry.TYPE.removeprefix("call.record-"), *part[1:3]) for part in entry.tracks]
    return found


def test_what_is_in_no_chunk_yet_is_logged(tmp_path: Path) -> None:
    logs = live_call()
    logs.arcadia.record_chunk(CALL, 0, 10)
    assert log_tail(tmp_path, logs, range(25)) == [("chunk", 10, 15)]


def test_where_recording_had_begun_again_the_gap_is_logged_too(tmp_path: Path) -> None:
    logs = live_call()
    logs.arcadia.record_chunk(CALL, 0, 10)
    told = log_tail(tmp_path, logs, range(15), range(40, 50))
    assert told == [("chunk", 10, 5), ("gap", 15, 25), ("chunk", 40, 10)]


def test_a_kill_between_a_gap_and_its_chunk_tells_the_gap_once(tmp_path: Path) -> None:
    logs = live_call()
    logs.arcadia.record_gap(CALL, 0, 40)
    assert log_tail(tmp_path, logs, range(40, 50)) == [("chunk", 40, 10)]

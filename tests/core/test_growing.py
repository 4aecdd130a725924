"""A growing log reads alike whether an entry is stored, waits, or was stored lately."""

import random

import pytest

from fakes.line_checks import plain_root
from fakes.memory_log import MemoryLog
from telcon.core.growing import GrowingLog, make_row
from telcon.core.seal import Opening
from telcon.core.stored import LogGrowth
from telcon.errors import MisuseError

ORIGIN = "arcadia.example/line/" + "0" * 32


def store(log: MemoryLog, growth: LogGrowth | None) -> None:
    assert growth is not None
    assert growth.first == log.size
    log.rows += zip(growth.entries, growth.hashes, strict=True)
    for index, opening in growth.openings:
        log.opened.setdefault(index, []).append(opening)


def grow(log: GrowingLog, count: int) -> None:
    for _ in range(count):
        entry = b"entry %d" % log.size
        log.grow(make_row(log.tip, entry, (Opening("text", b"k" * 32, entry),)))


@pytest.mark.parametrize("keep", [0, 200, 10**6])
def test_roots_and_hashes_are_those_of_the_plain_tree(keep: int) -> None:
    world = random.Random(keep)
    stored = MemoryLog(ORIGIN)
    log = GrowingLog(stored, keep_octets=keep)
    for _ in range(30):
        grow(log, world.randrange(1, 6))
        if world.random() < 0.7:
            store(stored, log.growth())
            log.settle(stored.size)
    entries = [b"entry %d" % index for index in range(log.size)]
    for size in range(log.size + 1):
        assert log.root_at(size) == plain_root(entries[:size])
    for level in range(5):
        for index in range(log.size >> level):
            first = index << level
            assert log.hash(level, index) == plain_root(entries[first : first + (1 << level)])
    assert log.root_at(log.size + 1) is None


@pytest.mark.parametrize("keep", [0, 200, 10**6])
def test_only_durable_entries_are_read_from_wherever_they_are(keep: int) -> None:
    stored = MemoryLog(ORIGIN)
    log = GrowingLog(stored, keep_octets=keep)
    grow(log, 20)
    store(stored, log.growth())
    assert log.read(0) == []  # stored, but nobody has said so
    log.settle(12)
    for first in range(12):
        piece = log.read(first)
        assert [entry for entry, _ in piece] == [b"entry %d" % i for i in range(first, 12)]
        assert all(openings[0].content == entry for entry, openings in piece)
    assert log.read(12) == []


def test_what_the_store_took_already_is_not_offered_again() -> None:
    stored = MemoryLog(ORIGIN)
    log = GrowingLog(stored, keep_octets=0)
    grow(log, 3)
    store(stored, log.growth())
    assert log.growth() is None
    grow(log, 1)
    growth = log.growth()
    assert growth is not None
    assert (growth.first, growth.entries) == (3, (b"entry 3",))
    assert len(log.settle(3)) == 3


def test_a_row_made_for_another_place_is_refused() -> None:
    log = GrowingLog(MemoryLog(ORIGIN), keep_octets=0)
    row = make_row(log.tip, b"entry", ())
    log.grow(row)
    with pytest.raises(MisuseError):
        log.grow(row)

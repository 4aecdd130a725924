"""What a chunk claims, held against what came and what was given."""

import random

import pytest

from telcon.node.record.chunks import OPUS, RETURNED, ChunkTree
from telcon.node.record.claims import (
    Claim,
    Finding,
    leaves_of,
    missing,
    runs,
    weigh,
    weigh_by_leaves,
)
from telcon.node.record.journal import How, Packet

TRACK = ("arcadia.example/line/" + "ab" * 16, 1)
KEY = bytes(range(32))
FIRST, COUNT = 100, 40


def said() -> dict[int, Packet]:
    return {n: Packet(n, n * 960, b"\xf8 %d" % n) for n in range(FIRST, FIRST + COUNT)}


def claim() -> Claim:
    tree = ChunkTree(KEY)
    for packet in said().values():
        tree.append(1, packet.index, packet.timestamp, packet.payload)
    chunk = tree.close()
    assert chunk is not None
    return Claim(TRACK, FIRST, COUNT, chunk.tracks[0].root, KEY)


def without(*indexes: int) -> dict[int, Packet]:
    return {n: packet for n, packet in said().items() if n not in indexes}


def given(*indexes: int) -> dict[int, Packet]:
    return {n: Packet(n, n * 960, said()[n].payload, How.REPAIRED) for n in indexes}


def leaves() -> list[bytes]:
    return leaves_of(claim(), said())


def test_all_that_came_is_whole() -> None:
    found = weigh(claim(), said(), {})
    assert found == Finding(claim().root, (), (), (), ())
    assert found.is_whole


def test_what_was_given_fills_what_lacked_and_is_said_to_be_repaired() -> None:
    held = without(100, 110, 111, 139)
    assert missing(claim(), held) == ((100, 1), (110, 2), (139, 1))
    repairs = given(100, 110, 111, 139)
    found = weigh(claim(), held, repairs)
    assert found is not None
    assert found.is_whole
    assert found.root == claim().root
    assert found.repairs == tuple(repairs.values())
    assert found.repaired == ((100, 1), (110, 2), (139, 1))


def test_what_was_repaired_before_a_restart_counts_as_repaired() -> None:
    held = without(110) | given(110)
    found = weigh(claim(), held, {})
    assert found is not None
    assert (found.repairs, found.repaired) == ((), ((110, 1),))


def test_what_came_is_never_replaced_by_what_is_given() -> None:
    held = said() | {120: Packet(120, 120 * 960, b"\xf8 other")}
    assert weigh(claim(), held, given(120)) is None
    found = weigh_by_leaves(claim(), held, given(120), leaves())
    assert (found.repairs, found.differing, found.absent) == ((), ((120, 1),), ())
    assert found.root != claim().root


@pytest.mark.parametrize("moved", [1, 2**32])
def test_another_timestamp_differs(moved: int) -> None:
    held = said() | {120: Packet(120, 120 * 960 + moved, said()[120].payload)}
    assert weigh_by_leaves(claim(), held, {}, leaves()).differing == ((120, 1),)


def test_what_was_given_otherwise_than_claimed_is_not_kept() -> None:
    forged = {110: Packet(110, 110 * 960, b"\xf8 forged", How.REPAIRED)} | given(111)
    assert weigh(claim(), without(110, 111), forged) is None
    found = weigh_by_leaves(claim(), without(110, 111), forged, leaves())
    assert found.absent == ((110, 1),)
    assert found.repaired == ((111, 1),)
    assert [packet.index for packet in found.repairs] == [111]


@pytest.mark.parametrize("told", [[], [bytes(32)] * COUNT, [bytes(32)] * (COUNT + 1)])
def test_leaves_that_do_not_lead_to_the_root_say_nothing(told: list[bytes]) -> None:
    found = weigh_by_leaves(claim(), without(110), given(110), told)
    assert (found.repairs, found.absent) == ((), ((110, 1),))
    assert found.differing == ((100, 10), (111, 29)), "not shown to be what was claimed"
    held = said() | {120: Packet(120, 0, b"")}
    assert weigh_by_leaves(claim(), held, {}, told).differing == ((FIRST, COUNT),)


def test_of_a_claim_beyond_all_speech_nothing_is_asked_for() -> None:
    huge = Claim(TRACK, FIRST, 2**52, claim().root, KEY)
    found = weigh_by_leaves(huge, without(110), {}, ())
    assert found.absent == ((110, 1), (FIRST + COUNT, 2**52 - COUNT))
    assert not found.is_whole


def test_runs_hold_just_the_indexes() -> None:
    chance = random.Random(6)
    indexes = sorted(chance.sample(range(1_000), 400))
    assert [n for first, count in runs(indexes) for n in range(first, first + count)] == indexes


def test_what_a_killed_author_got_back_is_whole_here_though_its_leaf_is_marked() -> None:
    tree = ChunkTree(KEY)
    for packet in said().values():
        kind = RETURNED if packet.index >= 130 else OPUS
        tree.append(1, packet.index, packet.timestamp, packet.payload, kind)
    chunk = tree.close()
    assert chunk is not None
    marked = Claim(TRACK, FIRST, COUNT, chunk.tracks[0].root, KEY)
    back = {n: Packet(n, n * 960, said()[n].payload, How.RETURNED) for n in range(130, 140)}
    told = leaves_of(marked, said() | back)
    assert weigh(marked, without(131), given(131)) is None
    found = weigh_by_leaves(marked, without(131), given(131), told)
    assert found.is_whole
    assert found.root == marked.root
    assert found.repaired == ((131, 1),)

"""What a chunk claims, held against what came and what was given."""

import random

import pytest

from telcon.node.record.chunks import OPUS, RETURNED, ChunkTree
from telcon.node.record.claims import (
    MAX_RETURNED,
    MAX_RETURNED_SAMPLES,
    Claim,
    Finding,
    claimed_leaves,
    following,
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


@pytest.mark.parametrize("back", [0, 1, 7, COUNT])
def test_the_leaves_of_a_killed_author_are_found_by_who_knows_not_which_are_marked(
    back: int,
) -> None:
    tree = ChunkTree(KEY)
    marked = range(FIRST + COUNT - back, FIRST + COUNT)
    for packet in said().values():
        kind = RETURNED if packet.index in marked else OPUS
        tree.append(1, packet.index, packet.timestamp, packet.payload, kind)
    chunk = tree.close()
    assert chunk is not None
    claimed = Claim(TRACK, FIRST, COUNT, chunk.tracks[0].root, KEY)
    found = claimed_leaves(claimed, list(said().values()))
    assert found is not None
    assert [leaf[32] for leaf in found] == [OPUS] * (COUNT - back) + [RETURNED] * back


LAST = Packet(9, 9 * 960, b"\xf8 9")  # 20 ms, as all of `speech`


def speech(count: int, *, late: int = 0) -> dict[int, Packet]:
    return {n: Packet(n, n * 960 + late, b"\xf8 %d" % n) for n in range(10, 10 + count)}


def test_what_is_given_back_of_our_own_track_goes_on_where_it_ended() -> None:
    given = speech(60)
    assert following(LAST, given) == list(given.values())
    assert following(LAST, speech(60, late=4_800)) == list(speech(60, late=4_800).values())
    assert [one.index for one in following(LAST, {n: given[n] for n in given if n != 20})] == [
        *range(10, 20)
    ]


def test_no_more_is_given_back_than_a_kill_can_take() -> None:
    assert len(following(LAST, speech(500))) == 100  # two seconds
    assert following(LAST, speech(1, late=MAX_RETURNED_SAMPLES)) == []


@pytest.mark.parametrize(
    ("payload", "apart"),
    [
        (b"\xfb\x06", 160),  # 120 ms each, said to come after 3 ms
        (b"\xf8", 959),
        (b"\xf9\x00", 960),  # no Opus
        (b"", 960),
    ],
)
def test_what_no_speech_is_like_is_not_taken_back(payload: bytes, apart: int) -> None:
    given = {n: Packet(n, LAST.timestamp + 960 + n * apart, payload) for n in range(10, 610)}
    assert len(following(LAST, given)) <= 1


def test_no_leaves_are_found_of_what_differs_nor_of_more_than_a_kill_can_take() -> None:
    assert claimed_leaves(claim(), list(without(110).values())) is None
    packets = [Packet(n, n * 960, b"\xf8") for n in range(MAX_RETURNED + 2)]
    for marked, is_found in ((MAX_RETURNED, True), (MAX_RETURNED + 1, False)):
        tree = ChunkTree(KEY)
        for n, packet in enumerate(packets):
            kind = OPUS if n < len(packets) - marked else RETURNED
            tree.append(1, packet.index, packet.timestamp, packet.payload, kind)
        chunk = tree.close()
        assert chunk is not None
        claimed = Claim(TRACK, 0, len(packets), chunk.tracks[0].root, KEY)
        assert (claimed_leaves(claimed, packets) is not None) == is_found

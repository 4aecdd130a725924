"""What is asked for again, when, and what is given up."""

from telcon.node.media.gaps import (
    ASKED_AGAIN_S,
    GIVEN_UP_S,
    MOST_ASKED,
    MOST_MISSING,
    PATIENCE,
    Gaps,
)


def test_a_hole_is_asked_for_at_once() -> None:
    gaps = Gaps()
    gaps.pass_over(5, 8, 1.0)
    assert gaps.wanted(8, 1.0, 0.0) == [5, 6, 7]
    assert gaps.wanted(8, 1.0, 0.0) == []


def test_it_is_asked_for_again_after_a_round_trip_and_given_up_in_the_end() -> None:
    gaps = Gaps()
    gaps.pass_over(5, 6, 1.0)
    asked = [n for n in range(100) if gaps.wanted(6, 1.0 + n * 0.01, 0.1)]
    assert asked == [0, 16, 31, 47]
    assert not gaps.waiting


def test_without_round_trip_it_is_asked_for_a_few_times_only() -> None:
    gaps = Gaps()
    gaps.pass_over(5, 6, 1.0)
    times = [gaps.wanted(6, 1.0 + n * ASKED_AGAIN_S * 1.01, 0.0) for n in range(12)]
    assert sum(map(len, times)) == MOST_ASKED
    assert 12 * ASKED_AGAIN_S < GIVEN_UP_S


def test_where_packets_overtake_each_other_a_hole_is_left_open_for_two_more() -> None:
    gaps = Gaps()
    gaps.pass_over(5, 6, 1.0)
    gaps.fill(5, 1.001, 0.0)
    assert gaps.repaired == 0
    gaps.pass_over(9, 10, 1.1)
    assert gaps.wanted(10, 1.1, 0.0) == []
    assert gaps.wanted(9 + PATIENCE, 1.16, 0.0) == [9]


def test_what_comes_sooner_than_an_answer_can_was_overtaken_and_is_no_repair() -> None:
    gaps = Gaps()
    gaps.pass_over(5, 7, 1.0)
    assert gaps.wanted(7, 1.0, 0.2) == [5, 6]
    gaps.fill(5, 1.1, 0.2)
    gaps.fill(6, 1.25, 0.2)
    assert gaps.repaired == 1


def test_what_a_long_cut_took_is_not_asked_for() -> None:
    gaps = Gaps()
    gaps.pass_over(5, 5 + MOST_MISSING, 1.0)
    assert len(gaps.wanted(5 + MOST_MISSING, 1.0, 0.0)) == MOST_MISSING
    gaps.pass_over(100, 101 + MOST_MISSING, 2.0)
    assert gaps.wanted(101 + MOST_MISSING, 2.0, 0.0) == []

import pytest

from telcon.node.link.dialling import Backoff
from telcon.node.link.times import LinkTimes

TIMES = LinkTimes(first_backoff_s=0.2, longest_backoff_s=30.0)


def test_pauses_double_up_to_their_bound() -> None:
    backoff = Backoff(lambda: 1.0, TIMES)
    pauses = [backoff.next_pause_s() for _ in range(12)]
    assert pauses[:5] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2])
    assert pauses[8:] == [30.0] * 4


def test_a_pause_is_drawn_from_nought_to_its_bound() -> None:
    draws = iter([0.0, 0.5, 0.25])
    backoff = Backoff(lambda: next(draws), TIMES)
    assert [backoff.next_pause_s() for _ in range(3)] == pytest.approx([0.0, 0.2, 0.2])


def test_after_a_connection_that_lasted_pauses_begin_anew() -> None:
    backoff = Backoff(lambda: 1.0, TIMES)
    for _ in range(5):
        backoff.next_pause_s()
    backoff.reset()
    assert backoff.next_pause_s() == pytest.approx(0.2)

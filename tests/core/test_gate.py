"""The gate: nobody is heard before both sides have signed that they are on the call."""

import pytest

from fakes.two_logs import ARCADIA, BOREALIS, TwoLogs
from telcon.core.gate import CLOSED, Gate, gate_of, is_countersigned

X, Y = "aa" * 16, "bb" * 16
A, B, JOINED = "a" * 16, "b" * 16, "d" * 16
NOBODY = frozenset[str]()


@pytest.fixture
def live() -> TwoLogs:
    """Arcadia rang (its entry 2), Borealis answered (its entry 2)."""
    logs = TwoLogs().opened()
    logs.arcadia.ring(X)
    logs.borealis.see()
    logs.borealis.answer(X)
    logs.arcadia.see()
    return logs


def gate(logs: TwoLogs, origin: str, by_peer: int, here: int, call: str = X) -> Gate:
    return gate_of(logs.fold_all(), call, origin, by_peer, here)


def test_an_unknown_call_is_closed() -> None:
    assert gate(TwoLogs().opened(), ARCADIA, 9, 9) == CLOSED


def test_a_ringing_call_is_closed() -> None:
    logs = TwoLogs().opened()
    logs.arcadia.ring(X)
    logs.borealis.see()
    assert gate(logs, ARCADIA, 9, 9) == CLOSED
    assert gate(logs, BOREALIS, 9, 9) == CLOSED


@pytest.mark.parametrize(("origin", "own", "other"), [(ARCADIA, A, B), (BOREALIS, B, A)])
def test_both_are_heard_once_both_openings_are_covered(
    live: TwoLogs, origin: str, own: str, other: str
) -> None:
    whole = Gate(frozenset({own}), frozenset({other}), frozenset({own}))
    assert gate(live, origin, 3, 3) == whole


@pytest.mark.parametrize("origin", [ARCADIA, BOREALIS])
def test_nothing_is_sent_before_the_peer_cosigned_our_opening(live: TwoLogs, origin: str) -> None:
    found = gate(live, origin, 2, 3)
    assert (found.send, found.local) == (NOBODY, NOBODY)
    assert found.play != NOBODY


@pytest.mark.parametrize("origin", [ARCADIA, BOREALIS])
def test_nothing_passes_between_nodes_before_their_opening_is_held(
    live: TwoLogs, origin: str
) -> None:
    found = gate(live, origin, 3, 2)
    assert (found.send, found.play) == (NOBODY, NOBODY)
    assert found.local != NOBODY


def test_who_joins_is_heard_once_the_peer_cosigned_the_join(live: TwoLogs) -> None:
    live.arcadia.join(X)
    assert gate(live, ARCADIA, 3, 3).send == {A}
    assert gate(live, ARCADIA, 4, 3).send == {A, JOINED}
    assert gate(live, ARCADIA, 4, 3).local == {A, JOINED}


def test_who_joins_over_there_is_played_once_the_join_is_held(live: TwoLogs) -> None:
    live.arcadia.join(X)
    assert gate(live, BOREALIS, 3, 3).play == {A}
    assert gate(live, BOREALIS, 3, 4).play == {A, JOINED}


def test_who_left_is_heard_no_more_even_before_anybody_signed_it(live: TwoLogs) -> None:
    live.arcadia.leave(X)
    assert gate(live, ARCADIA, 3, 3) == Gate(NOBODY, frozenset({B}), NOBODY)


def test_a_call_that_ended_is_closed_even_before_anybody_signed_it(live: TwoLogs) -> None:
    live.arcadia.hang_up(X)
    assert gate(live, ARCADIA, 3, 3) == CLOSED


def test_after_glare_the_answer_opens_our_side() -> None:
    logs = TwoLogs().opened()
    logs.arcadia.ring(X)
    logs.borealis.ring(Y)
    logs.all_see()
    logs.arcadia.answer(Y, own_ring=logs.rings[X])
    assert gate(logs, ARCADIA, 3, 3, Y).send == NOBODY, "the ring that merged opens nothing"
    assert gate(logs, ARCADIA, 4, 3, Y).send == {A}
    assert gate(logs, ARCADIA, 4, 3, X) == CLOSED


def test_countersigned_says_whether_the_peer_holds_our_opening(live: TwoLogs) -> None:
    state = live.call(X)
    assert not is_countersigned(state, ARCADIA, 2)
    assert is_countersigned(state, ARCADIA, 3)

"""Every row of the table of concurrent acts, and what follows from two at once."""

import pytest

from fakes.two_logs import ARCADIA, BOREALIS, TwoLogs
from telcon.core.call import CallState, LateAct
from telcon.core.entry import Void
from telcon.core.transitions import Phase

X, Y, Z = "aa" * 16, "bb" * 16, "cc" * 16


@pytest.fixture
def logs() -> TwoLogs:
    return TwoLogs().opened()


@pytest.fixture
def ringing(logs: TwoLogs) -> TwoLogs:
    """Arcadia rang X; Borealis knows."""
    logs.arcadia.ring(X)
    logs.borealis.see()
    return logs


@pytest.fixture
def live(ringing: TwoLogs) -> TwoLogs:
    """Borealis answered; both know."""
    ringing.borealis.answer(X)
    ringing.arcadia.see()
    return ringing


@pytest.fixture
def glare(logs: TwoLogs) -> TwoLogs:
    """Arcadia rang X, Borealis rang Y; both know of both only now."""
    logs.arcadia.ring(X, mode="notes only")
    logs.borealis.ring(Y)
    logs.all_see()
    return logs


def why(state: CallState) -> list[tuple[str, int, LateAct]]:
    return [(late.origin, late.index, late.why) for late in state.late]


# ring, ring


def test_of_two_rings_at_once_one_call_comes(glare: TwoLogs) -> None:
    place = glare.arcadia.answer(Y, mode="notes only", own_ring=glare.rings[X])
    fold = glare.fold_all()
    assert fold.calls[Y].phase is Phase.LIVE
    assert fold.calls[Y].initiated_by == {ARCADIA, BOREALIS}
    assert fold.calls[Y].mode == "notes only"
    assert fold.calls[Y].own_ring == glare.rings[X]
    assert fold.calls[X].phase is Phase.MERGED
    assert fold.calls[X].merged_into == Y
    assert fold.calls[X].ended_by == (place,)


def test_the_side_that_sorts_second_waits_for_the_glare_answer(glare: TwoLogs) -> None:
    glare.borealis.answer(X, own_ring=glare.rings[Y])
    assert glare.borealis.judged() is Void.NOT_YOURS


def test_a_glare_answer_is_only_for_rings_at_once(ringing: TwoLogs) -> None:
    ringing.borealis.ring(Y)
    ringing.arcadia.see()
    ringing.arcadia.answer(Y, own_ring=ringing.rings[X])
    assert ringing.arcadia.judged() is Void.NOT_YOURS


def test_a_glare_answer_names_an_own_ring_of_another_call(glare: TwoLogs) -> None:
    for place in (glare.rings[Y], (ARCADIA, 0)):
        glare.arcadia.answer(Y, own_ring=place)
        assert glare.arcadia.judged() is Void.REFERS_TO_NOTHING


def test_a_glare_answer_names_an_own_ring_that_still_rings(glare: TwoLogs) -> None:
    glare.arcadia.cancel(X)
    glare.arcadia.answer(Y, own_ring=glare.rings[X])
    assert glare.arcadia.judged() is Void.NOT_RINGING


def test_a_plain_answer_leaves_the_own_ring_ringing(glare: TwoLogs) -> None:
    glare.arcadia.answer(Y)
    assert glare.call(X).phase is Phase.RINGING


def test_a_merged_ring_is_over_for_everybody(glare: TwoLogs) -> None:
    glare.arcadia.answer(Y, own_ring=glare.rings[X])
    glare.arcadia.cancel(X)
    assert glare.arcadia.judged() is Void.CALL_ENDED
    glare.borealis.see()
    glare.borealis.answer(X)
    assert glare.borealis.judged() is Void.CALL_ENDED


def test_an_answer_to_a_ring_that_merged_at_once_came_too_late(glare: TwoLogs) -> None:
    glare.arcadia.answer(Y, own_ring=glare.rings[X])
    answer = glare.borealis.answer(X)
    hang_up = glare.borealis.hang_up(X)
    state = glare.call(X)
    assert state.phase is Phase.MERGED
    assert why(state) == [(*answer, LateAct.ANSWERED), (*hang_up, LateAct.IDLE)]


def test_one_call_id_rung_by_both_fails(logs: TwoLogs) -> None:
    places = (logs.arcadia.ring(X), logs.borealis.ring(X))
    state = logs.call(X)
    assert state.phase is Phase.FAILED
    assert state.initiated_by == {ARCADIA, BOREALIS}
    assert state.ended_by == places
    logs.all_see()
    logs.arcadia.cancel(X)
    assert logs.arcadia.judged() is Void.CALL_ENDED


def test_a_call_id_belongs_to_the_first_ring_that_bears_it(ringing: TwoLogs) -> None:
    ringing.borealis.ring(X)
    assert ringing.borealis.judged() is Void.CALL_ID_USED


# cancel of own ring, ring of the other


def test_a_cancelled_ring_leaves_the_others_ringing(glare: TwoLogs) -> None:
    glare.arcadia.cancel(X)
    assert glare.call(X).phase is Phase.CANCELLED
    assert glare.call(Y).phase is Phase.RINGING


def test_a_glare_answer_that_lost_to_a_cancel_does_not_merge(glare: TwoLogs) -> None:
    answer = glare.arcadia.answer(Y, own_ring=glare.rings[X])
    glare.borealis.cancel(Y)
    fold = glare.fold_all()
    assert fold.calls[Y].phase is Phase.CANCELLED
    assert fold.calls[Y].initiated_by == {BOREALIS}
    assert why(fold.calls[Y]) == [(*answer, LateAct.ANSWERED)]
    assert fold.calls[X].phase is Phase.RINGING
    assert [state.call for state in fold.going_on()] == [X]


def test_the_ring_that_rings_on_after_a_lost_glare_answer_can_be_answered(
    glare: TwoLogs,
) -> None:
    glare.arcadia.answer(Y, own_ring=glare.rings[X])
    glare.borealis.cancel(Y)
    glare.all_see()
    glare.borealis.answer(X)
    assert glare.borealis.judged() is None
    assert glare.call(X).phase is Phase.LIVE


def test_a_ring_may_merge_after_a_first_glare_answer_was_lost(glare: TwoLogs) -> None:
    glare.arcadia.answer(Y, own_ring=glare.rings[X])
    glare.borealis.cancel(Y)
    glare.borealis.see(glare.rings[X][1])
    glare.borealis.ring(Z)
    glare.arcadia.see()
    glare.arcadia.answer(Z, own_ring=glare.rings[X])
    assert glare.arcadia.judged() is Void.NOT_YOURS, "Borealis had seen X when it rang Z"


# cancel, answer


def test_an_answer_loses_to_a_cancel_at_once(ringing: TwoLogs) -> None:
    cancel = ringing.arcadia.cancel(X)
    answer = ringing.borealis.answer(X)
    state = ringing.call(X)
    assert state.phase is Phase.CANCELLED
    assert state.ended_by == (cancel,)
    assert state.answered is None
    assert why(state) == [(*answer, LateAct.ANSWERED)]
    assert [seat.origin for seat in state.roster.values()] == [ARCADIA]


def test_what_followed_an_answer_that_lost_has_no_effect(ringing: TwoLogs) -> None:
    ringing.arcadia.cancel(X)
    answer = ringing.borealis.answer(X, mode="existence only")
    ringing.borealis.record_on(X)
    ringing.borealis.record_chunk(X)
    join = ringing.borealis.join(X)
    hang_up = ringing.borealis.hang_up(X)
    assert ringing.borealis.judged() is None
    state = ringing.call(X)
    assert state.phase is Phase.CANCELLED
    assert (state.recordings, state.chunks, state.mode) == ((), {}, "audio")
    assert why(state) == [
        (*answer, LateAct.ANSWERED),
        (*join, LateAct.JOINED),
        (*hang_up, LateAct.IDLE),
    ]


def test_a_cancel_after_an_answer_was_seen_is_void(live: TwoLogs) -> None:
    live.arcadia.cancel(X)
    assert live.arcadia.judged() is Void.ALREADY_ANSWERED


def test_a_recording_of_an_answer_that_lost_can_still_be_closed(ringing: TwoLogs) -> None:
    ringing.arcadia.cancel(X)
    ringing.borealis.answer(X)
    ringing.borealis.record_on(X)
    ringing.borealis.see()
    ringing.borealis.record_off(X)
    assert ringing.borealis.judged() is None


# cancel, decline or missed


@pytest.mark.parametrize(("act", "phase"), [("decline", "declined"), ("missed", "missed")])
def test_a_decline_or_missed_stands_before_a_cancel(ringing: TwoLogs, act: str, phase: str) -> None:
    ringing.arcadia.cancel(X)
    place = getattr(ringing.borealis, act)(X)
    state = ringing.call(X)
    assert state.phase.value == phase
    assert state.ended_by == (place,)


# hang-up and others


def test_both_may_hang_up_at_once(live: TwoLogs) -> None:
    places = (live.arcadia.hang_up(X), live.borealis.hang_up(X))
    state = live.call(X)
    assert state.phase is Phase.ENDED
    assert state.ended_by == places
    assert state.ended_us == live.now_us - 1_000


def test_a_join_loses_to_a_hang_up_at_once(live: TwoLogs) -> None:
    live.arcadia.hang_up(X)
    join = live.borealis.join(X)
    state = live.call(X)
    assert (BOREALIS, "d" * 16) not in state.roster
    assert why(state) == [(*join, LateAct.JOINED)]


def test_a_join_that_the_hang_up_had_seen_counts(live: TwoLogs) -> None:
    live.borealis.join(X)
    live.arcadia.see()
    live.arcadia.hang_up(X)
    live.borealis.hang_up(X)
    state = live.call(X)
    assert (BOREALIS, "d" * 16) in state.roster
    assert state.late == ()


def test_messages_and_records_at_once_with_a_hang_up_count(live: TwoLogs) -> None:
    live.arcadia.hang_up(X)
    live.borealis.record_on(X)
    live.borealis.record_chunk(X)
    live.borealis.message(X)
    fold = live.fold_all()
    assert len(fold.calls[X].recordings) == 1
    assert fold.calls[X].chunks[BOREALIS, 1].count == 250
    assert len(fold.messages) == 1


# fail


@pytest.mark.parametrize("act", ["join", "record_on", "message"])
def test_a_failure_at_once_with_anything_live_fails(live: TwoLogs, act: str) -> None:
    live.arcadia.fail(X)
    getattr(live.borealis, act)(X)
    assert live.call(X).phase is Phase.FAILED


def test_a_failure_at_once_with_an_answer_fails_and_was_answered(ringing: TwoLogs) -> None:
    ringing.arcadia.fail(X)
    answer = ringing.borealis.answer(X)
    state = ringing.call(X)
    assert state.phase is Phase.FAILED
    assert state.answered == answer


def test_a_hang_up_stands_before_a_failure(live: TwoLogs) -> None:
    live.arcadia.fail(X)
    live.borealis.hang_up(X)
    assert live.call(X).phase is Phase.ENDED


@pytest.mark.parametrize(
    ("act", "phase"), [("decline", "declined"), ("missed", "missed"), ("fail", "failed")]
)
def test_a_failure_of_a_ring_stands_last(ringing: TwoLogs, act: str, phase: str) -> None:
    ringing.arcadia.fail(X)
    getattr(ringing.borealis, act)(X)
    assert ringing.call(X).phase.value == phase


def test_a_cancel_stands_before_a_failure(ringing: TwoLogs) -> None:
    ringing.arcadia.cancel(X)
    ringing.borealis.fail(X)
    assert ringing.call(X).phase is Phase.CANCELLED


# mode


def test_of_a_looser_and_a_stricter_mode_at_once_the_stricter_holds(live: TwoLogs) -> None:
    live.arcadia.mode(X, "notes only")
    live.all_see()
    live.arcadia.mode(X, "audio")
    live.borealis.mode(X, "transcript only")
    assert live.call(X).mode == "transcript only"


# line frozen


@pytest.mark.parametrize("act", ["answer", "join", "ringing"])
def test_a_call_at_once_with_a_freezing_fails(ringing: TwoLogs, act: str) -> None:
    frozen = ringing.arcadia.freeze()
    getattr(ringing.borealis, act)(X)
    assert ringing.borealis.judged() is None
    fold = ringing.fold_all()
    assert fold.line.frozen_by == {ARCADIA}
    assert fold.calls[X].phase is Phase.FAILED
    assert fold.calls[X].ended_by == (frozen,)


def test_a_ring_at_once_with_a_freezing_fails(logs: TwoLogs) -> None:
    logs.arcadia.freeze()
    logs.borealis.ring(X)
    assert logs.call(X).phase is Phase.FAILED


def test_a_call_that_ended_at_once_with_a_freezing_has_ended(live: TwoLogs) -> None:
    live.arcadia.freeze()
    live.borealis.hang_up(X)
    assert live.call(X).phase is Phase.ENDED


def test_both_may_freeze_at_once(logs: TwoLogs) -> None:
    logs.arcadia.ring(X)
    places = (logs.arcadia.freeze(), logs.borealis.freeze())
    fold = logs.fold_all()
    assert fold.line.frozen_by == {ARCADIA, BOREALIS}
    assert fold.calls[X].ended_by == places


# the same handle from both sides


def test_a_handle_that_both_sides_gave_at_once_names_two_people(live: TwoLogs) -> None:
    live.arcadia.join(X)
    live.borealis.join(X)
    roster = live.call(X).roster
    assert {(ARCADIA, "d" * 16), (BOREALIS, "d" * 16)} < set(roster)

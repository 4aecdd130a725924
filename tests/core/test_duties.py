"""What a node owes after a time; seconds are told, never waited for."""

import pytest

from fakes.two_logs import ARCADIA, BOREALIS, TwoLogs
from telcon.core import draft as drafts
from telcon.core.draft import Draft
from telcon.core.duties import (
    ENDED_THERE_REASON,
    LINK_LOST_REASON,
    NOT_COUNTERSIGNED_REASON,
    RECORDER_GONE_S,
    RESTARTED_REASON,
    SILENT_REASON,
    Duties,
    GlareAnswer,
    LinkLost,
    glare_answers,
    recorder_terms,
)

X, Y = "aa" * 16, "bb" * 16
START = 1_000.0


class Watched:
    """One side's duties on two logs, observed when the test says so."""

    def __init__(self, logs: TwoLogs, origin: str) -> None:
        self.logs = logs
        self.duties = Duties(origin)
        self.signed = 99

    def at(
        self,
        seconds: float,
        *,
        link_up: bool = True,
        silent_s: float = 0.0,
        here: int = 99,
        ended_there: bool = False,
    ) -> list[Draft]:
        now = START + seconds
        self.duties.observe(
            self.logs.fold_all(),
            cosigned_by_peer=self.signed,
            cosigned_here=here,
            link_up=link_up,
            trunk_silent_s=silent_s,
            now=now,
            ended_there=ended_there,
        )
        return self.duties.due(now)

    def next_in(self) -> float | None:
        deadline = self.duties.next_deadline()
        return None if deadline is None else deadline - START


@pytest.fixture
def logs() -> TwoLogs:
    return TwoLogs().opened()


@pytest.fixture
def ringing(logs: TwoLogs) -> TwoLogs:
    logs.arcadia.ring(X)
    logs.borealis.see()
    return logs


@pytest.fixture
def live(ringing: TwoLogs) -> TwoLogs:
    ringing.borealis.answer(X)
    ringing.arcadia.see()
    return ringing


def with_terms(link_lost: str) -> TwoLogs:
    """A live call on a line whose terms say what happens without a link."""
    logs = TwoLogs().opened()
    logs.borealis.write(drafts.line_terms(link_lost))
    logs.arcadia.see()
    logs.arcadia.ring(X)
    logs.borealis.see()
    logs.borealis.answer(X)
    logs.arcadia.see()
    return logs


def test_a_quiet_line_owes_nothing(logs: TwoLogs) -> None:
    duties = Duties(ARCADIA)
    assert (duties.due(START), duties.next_deadline()) == ([], None)
    assert duties.link_lost(START) == []
    watched = Watched(logs, ARCADIA)
    assert watched.at(0, link_up=False) == []
    assert watched.next_in() is None


# Ringing


def test_a_ring_that_the_other_log_can_never_hold_fails_at_once(ringing: TwoLogs) -> None:
    watched = Watched(ringing, ARCADIA)
    assert watched.at(0) == []
    assert watched.at(1, ended_there=True) == [drafts.fail(X, ENDED_THERE_REASON)]
    assert Watched(ringing, BOREALIS).at(1, ended_there=True) == []  # it is for them to end it


def test_a_live_call_of_which_the_other_log_holds_nothing_more_fails_at_once(live: TwoLogs) -> None:
    for origin in (ARCADIA, BOREALIS):
        failed = Watched(live, origin).at(1, ended_there=True)
        assert failed == [drafts.fail(X, ENDED_THERE_REASON)]


def test_the_callees_node_writes_missed_after_45_seconds(ringing: TwoLogs) -> None:
    watched = Watched(ringing, BOREALIS)
    assert watched.at(0) == []
    assert watched.next_in() == 45
    assert watched.at(44.9) == []
    assert watched.at(45) == [drafts.missed(X, ringing.rings[X])]


def test_the_time_of_the_callee_begins_when_it_cosigned_the_ring(ringing: TwoLogs) -> None:
    watched = Watched(ringing, BOREALIS)
    watched.at(0, here=2)
    assert watched.next_in() is None
    watched.at(10, here=3)
    assert watched.next_in() == 55


def test_the_callers_node_takes_its_ring_back_after_60_seconds(ringing: TwoLogs) -> None:
    watched = Watched(ringing, ARCADIA)
    assert watched.at(0) == []
    assert watched.at(59.9) == []
    assert watched.at(60) == [drafts.cancel(X, ringing.rings[X])]


def test_an_answered_call_is_neither_missed_nor_cancelled(ringing: TwoLogs) -> None:
    watched = [Watched(ringing, origin) for origin in (ARCADIA, BOREALIS)]
    assert [one.at(0) for one in watched] == [[], []]
    ringing.borealis.answer(X)
    assert [one.at(70) for one in watched] == [[], []]


def test_what_did_not_come_about_is_asked_for_again(ringing: TwoLogs) -> None:
    watched = Watched(ringing, BOREALIS)
    watched.at(0)
    assert len(watched.at(45)) == 1
    assert watched.next_in() == 50
    assert watched.at(49) == []
    assert len(watched.at(50)) == 1
    ringing.borealis.missed(X)
    assert watched.at(55) == []
    assert watched.next_in() is None


def test_a_call_that_moved_on_since_it_was_observed_is_left_alone(ringing: TwoLogs) -> None:
    fold = ringing.fold_all()
    duties = Duties(BOREALIS)
    duties.observe(
        fold, cosigned_by_peer=9, cosigned_here=9, link_up=True, trunk_silent_s=0, now=START
    )
    answer = ringing.borealis.answer(X)
    fold.apply(*answer, ringing.entries[BOREALIS][-1])
    assert duties.due(START + 45) == []


# Countersigning


def test_a_call_not_countersigned_within_5_seconds_fails(live: TwoLogs) -> None:
    watched = Watched(live, ARCADIA)
    watched.signed = 2
    assert watched.at(0) == []
    assert watched.next_in() == 5
    assert watched.at(5) == [drafts.fail(X, NOT_COUNTERSIGNED_REASON)]


def test_a_call_countersigned_in_time_goes_on(live: TwoLogs) -> None:
    watched = Watched(live, BOREALIS)
    watched.signed = 2
    assert watched.at(0) == []
    watched.signed = 3
    assert watched.at(5) == []
    assert watched.next_in() is None


# Link and trunk


def test_without_a_link_the_talk_goes_on_and_that_is_said_once(live: TwoLogs) -> None:
    watched = Watched(live, ARCADIA)
    watched.at(0)
    assert watched.at(10, link_up=False) == []
    assert watched.next_in() == 70
    assert watched.duties.link_lost(START + 69) == []
    assert watched.at(70, link_up=False) == []
    assert watched.duties.link_lost(START + 70) == [LinkLost(X, "go on")]
    assert watched.duties.link_lost(START + 71) == []


def test_a_link_that_came_back_and_is_lost_anew_is_told_anew(live: TwoLogs) -> None:
    watched = Watched(live, ARCADIA)
    watched.at(0, link_up=False)
    assert len(watched.duties.link_lost(START + 60)) == 1
    watched.at(65, link_up=True)
    assert watched.duties.link_lost(START + 130) == []
    watched.at(140, link_up=False)
    assert len(watched.duties.link_lost(START + 200)) == 1


def test_the_firmer_terms_decide_mute() -> None:
    watched = Watched(with_terms("mute"), ARCADIA)
    watched.at(0, link_up=False)
    assert watched.at(60, link_up=False) == []
    assert watched.duties.link_lost(START + 60) == [LinkLost(X, "mute")]


def test_the_firmer_terms_decide_end() -> None:
    watched = Watched(with_terms("end"), ARCADIA)
    watched.at(0, link_up=False)
    assert watched.at(60, link_up=False) == [drafts.fail(X, LINK_LOST_REASON)]
    assert watched.duties.link_lost(START + 60) == []


def test_a_call_fails_when_link_and_trunk_were_silent_for_60_seconds(live: TwoLogs) -> None:
    watched = Watched(live, ARCADIA)
    watched.at(0)
    assert watched.at(1, link_up=False) == []
    assert watched.at(60, link_up=False, silent_s=50) == []
    assert watched.at(70, link_up=False, silent_s=59) == []
    assert watched.at(71, link_up=False, silent_s=60) == [drafts.fail(X, SILENT_REASON)]


def test_a_silent_trunk_alone_is_no_failure(live: TwoLogs) -> None:
    watched = Watched(live, ARCADIA)
    watched.at(0)
    assert watched.at(500, silent_s=500) == []


def test_a_ringing_call_waits_out_a_lost_link(ringing: TwoLogs) -> None:
    watched = Watched(ringing, BOREALIS)
    assert watched.at(0, link_up=False) == []
    assert watched.duties.link_lost(START + 60) == []
    assert watched.next_in() == 45


def test_a_call_that_is_over_is_forgotten(live: TwoLogs) -> None:
    watched = Watched(live, ARCADIA)
    watched.signed = 2
    watched.at(0, link_up=False)
    assert len(watched.at(60, link_up=False)) == 1
    assert len(watched.duties.link_lost(START + 60)) == 1
    live.arcadia.fail(X)
    assert watched.at(61, link_up=False) == []
    assert watched.next_in() is None


# Restart


def test_a_restarted_node_fails_what_it_cannot_carry_on(live: TwoLogs) -> None:
    live.arcadia.ring(Y)
    fold = live.fold_all()
    failed = drafts.fail(X, RESTARTED_REASON)
    assert Duties(ARCADIA).restarted(fold) == [failed, drafts.fail(Y, RESTARTED_REASON)]
    assert Duties(BOREALIS).restarted(fold) == [failed]


# Glare


@pytest.fixture
def glare(logs: TwoLogs) -> TwoLogs:
    logs.arcadia.ring(X, mode="notes only")
    logs.borealis.ring(Y)
    logs.all_see()
    return logs


def test_the_side_that_sorts_first_answers_the_others_ring(glare: TwoLogs) -> None:
    wish = GlareAnswer(Y, glare.rings[Y], X, glare.rings[X], "notes only")
    fold = glare.fold_all()
    assert glare_answers(fold, ARCADIA) == [wish]
    assert glare_answers(fold, BOREALIS) == []


def test_a_glare_answer_that_is_wished_for_is_lawful(glare: TwoLogs) -> None:
    (wish,) = glare_answers(glare.fold_all(), ARCADIA)
    glare.arcadia.answer(wish.call, mode=wish.mode, own_ring=wish.own_ring)
    assert glare.arcadia.judged() is None
    assert glare_answers(glare.fold_all(), ARCADIA) == []


def test_rings_one_after_the_other_are_no_glare(ringing: TwoLogs) -> None:
    ringing.borealis.ring(Y)
    ringing.arcadia.see()
    assert glare_answers(ringing.fold_all(), ARCADIA) == []


def test_each_own_ring_is_given_to_one_answer(glare: TwoLogs) -> None:
    glare.borealis.ring("cc" * 16)
    glare.arcadia.see()
    assert len(glare_answers(glare.fold_all(), ARCADIA)) == 1


# A recorder that stops


def with_conditions(*conditions: str) -> Watched:
    """Arcadia's duties in a live call; Borealis states `conditions`, Arcadia none."""
    logs = TwoLogs().opened()
    logs.borealis.write(drafts.line_terms("go on", conditions=conditions))
    logs.arcadia.see()
    logs.arcadia.ring(X)
    logs.borealis.see()
    logs.borealis.answer(X)
    logs.arcadia.see()
    return Watched(logs, ARCADIA)


def unrecorded_at(watched: Watched, seconds: float, *calls: str) -> tuple[list[str], set[str]]:
    """Return the types of the acts that are due, and the calls in which nobody may be heard."""
    now = START + seconds
    fold = watched.logs.fold_all()
    watched.duties.observe(
        fold,
        cosigned_by_peer=99,
        cosigned_here=99,
        link_up=True,
        trunk_silent_s=0.0,
        now=now,
        unrecorded=calls,
    )
    due = [draft.type for draft in watched.duties.due(now)]
    return due, set(watched.duties.silenced(now))


def test_without_terms_a_call_goes_on_unrecorded() -> None:
    watched = with_conditions("something else")
    assert recorder_terms(watched.logs.fold_all()) == "go on"
    assert unrecorded_at(watched, 0, X) == ([], set())
    assert unrecorded_at(watched, 60, X) == ([], set())
    assert watched.next_in() is None


def test_terms_that_end_an_unrecorded_call_do_so_after_three_seconds() -> None:
    watched = with_conditions("recorder stopped end", "recorder stopped mute")
    assert recorder_terms(watched.logs.fold_all()) == "end", "the firmer holds"
    assert unrecorded_at(watched, 0, X) == ([], set())
    assert watched.next_in() == RECORDER_GONE_S
    assert unrecorded_at(watched, 2.9, X) == ([], set())
    assert unrecorded_at(watched, 3, X) == (["call.fail"], set())


def test_a_recorder_that_comes_back_in_time_ends_nothing() -> None:
    watched = with_conditions("recorder stopped end")
    unrecorded_at(watched, 0, X)
    assert unrecorded_at(watched, 2) == ([], set())
    assert unrecorded_at(watched, 4, X) == ([], set()), "counted anew"


def test_terms_that_mute_do_so_until_the_recorder_is_back() -> None:
    watched = with_conditions("recorder stopped mute")
    assert unrecorded_at(watched, 0, X) == ([], set())
    assert watched.next_in() == RECORDER_GONE_S
    assert unrecorded_at(watched, 3, X) == ([], {X})
    assert watched.next_in() is None, "told, and nothing more to wait for"
    assert unrecorded_at(watched, 5) == ([], set())


def test_before_anything_is_seen_nothing_is_owed() -> None:
    assert Duties(ARCADIA).silenced(START) == frozenset()

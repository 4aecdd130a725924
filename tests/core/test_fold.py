"""The fold, rule by rule: what one entry alone may do, and why it may not."""

import pytest

from fakes.two_logs import (
    ARCADIA,
    BEYOND,
    BOREALIS,
    MEDIA,
    ORIGINS,
    PERSON,
    WORDS,
    TwoLogs,
)
from telcon.core import draft as drafts
from telcon.core.call import ChunkSum, Held, Recording
from telcon.core.entry import SUPPORTED_TYPES, Void, parse_entry_untrusted
from telcon.core.fold import LineFold, MessageState
from telcon.core.transitions import Phase
from telcon.errors import MisuseError

X, Y = "aa" * 16, "bb" * 16


@pytest.fixture
def logs() -> TwoLogs:
    return TwoLogs().opened()


@pytest.fixture
def live(logs: TwoLogs) -> TwoLogs:
    """Arcadia rang, Borealis answered, both know."""
    logs.arcadia.ring(X)
    logs.borealis.see()
    logs.borealis.answer(X)
    logs.arcadia.see()
    return logs


# The line


def test_a_line_is_opened_by_both_and_has_both_sides_terms(logs: TwoLogs) -> None:
    line = logs.fold_all().line
    assert line.opened == ORIGINS
    assert line.frozen_by == frozenset()
    assert {terms.link_lost for terms in line.terms.values()} == {"go on"}
    assert line.terms[ARCADIA].types == {name for name, _ in SUPPORTED_TYPES}


def test_nothing_has_effect_in_a_log_that_does_not_begin_with_its_opening() -> None:
    arcadia = TwoLogs().arcadia
    arcadia.write(drafts.line_terms("go on"))
    assert arcadia.judged() is Void.LINE_NOT_OPENED
    arcadia.write(drafts.line_opened((bytes(32), bytes(32)), None))
    assert arcadia.judged() is Void.LINE_ALREADY_OPENED
    arcadia.write(drafts.blank())
    assert arcadia.judged() is Void.LINE_NOT_OPENED


def test_a_line_is_opened_once(logs: TwoLogs) -> None:
    logs.arcadia.write(drafts.line_opened((bytes(32), bytes(32)), None))
    assert logs.arcadia.judged() is Void.LINE_ALREADY_OPENED


def test_a_type_has_effect_only_if_both_sides_terms_list_it() -> None:
    logs = TwoLogs()
    logs.arcadia.write(drafts.line_opened((bytes(32), bytes(32)), None))
    logs.arcadia.write(drafts.line_terms("go on"))
    logs.arcadia.write(drafts.blank())
    assert logs.arcadia.judged() is Void.NOT_IN_TERMS
    logs.borealis.write(drafts.line_opened((bytes(32), bytes(32)), None))
    logs.borealis.write(drafts.line_terms("go on", [("blank", 1)]))
    logs.arcadia.see()
    logs.arcadia.write(drafts.blank())
    assert logs.arcadia.judged() is None
    logs.arcadia.ring(X)
    assert logs.arcadia.judged() is Void.NOT_IN_TERMS


def test_terms_that_the_author_had_not_seen_do_not_count(logs: TwoLogs) -> None:
    logs.borealis.write(drafts.line_terms("end", []))
    logs.arcadia.write(drafts.blank())
    assert logs.arcadia.judged() is None
    logs.arcadia.see()
    logs.arcadia.write(drafts.blank())
    assert logs.arcadia.judged() is Void.NOT_IN_TERMS
    assert logs.fold_all().line.terms[BOREALIS].link_lost == "end"


def test_terms_withdrawn_in_a_call_keep_nobody_from_closing_it(live: TwoLogs) -> None:
    live.borealis.record_on(X)
    live.arcadia.write(drafts.line_terms("go on", []))
    live.all_see()
    live.borealis.message(X)
    assert live.borealis.judged() is Void.NOT_IN_TERMS
    for act in (live.borealis.record_off, live.borealis.hang_up):
        act(X)
        assert live.borealis.judged() is None
    assert live.call(X).phase is Phase.ENDED
    live.borealis.freeze()
    assert live.borealis.judged() is None


def test_terms_withdrawn_while_it_rings_keep_nobody_from_refusing(logs: TwoLogs) -> None:
    logs.arcadia.ring(X)
    logs.borealis.ring(Y)
    logs.arcadia.write(drafts.line_terms("go on", []))
    logs.all_see()
    logs.borealis.answer(X)
    assert logs.borealis.judged() is Void.NOT_IN_TERMS
    logs.borealis.decline(X)
    assert logs.borealis.judged() is None
    logs.borealis.cancel(Y)
    assert logs.borealis.judged() is None


def test_a_type_that_one_side_does_not_know_is_void(logs: TwoLogs) -> None:
    older = [one for one in SUPPORTED_TYPES if one[0] != "call.record-agreed"]
    logs.borealis.write(drafts.line_terms("go on", [*older, ("call.record-applause", 1)]))
    logs.all_see()
    logs.arcadia.write(drafts.record_agreed(X, ((ARCADIA, 1, 250, "0" * 64, 0),)))
    assert logs.arcadia.judged() is Void.NOT_IN_TERMS


def test_nothing_has_effect_after_the_line_was_frozen(logs: TwoLogs) -> None:
    assert not logs.fold_all().is_frozen
    logs.arcadia.freeze()
    logs.arcadia.freeze()
    assert logs.arcadia.judged() is Void.LINE_FROZEN
    logs.borealis.see()
    logs.borealis.message()
    assert logs.borealis.judged() is Void.LINE_FROZEN
    assert logs.fold_all().line.frozen_by == {ARCADIA}
    assert logs.fold_all().is_frozen


def test_a_side_may_freeze_a_line_that_the_other_has_frozen_once_and_moves_nothing(
    live: TwoLogs,
) -> None:
    first = live.arcadia.freeze()
    live.borealis.see()
    _, second = live.borealis.freeze()
    assert live.borealis.judged() is None
    live.borealis.freeze()
    assert live.borealis.judged() is Void.LINE_FROZEN
    live.arcadia.see()
    live.arcadia.freeze()
    assert live.arcadia.judged() is Void.LINE_FROZEN
    fold = live.fold_all()
    assert fold.line.frozen_by == {ARCADIA}
    assert fold.calls[X].ended_by == (first,)
    assert (fold.frozen_at(ARCADIA), fold.frozen_at(BOREALIS)) == (first[1], second)


def test_evidence_is_acknowledged_on_a_frozen_line_and_frees_nothing(logs: TwoLogs) -> None:
    assert logs.fold_all().line.acknowledged == {ARCADIA: frozenset(), BOREALIS: frozenset()}
    logs.arcadia.freeze()
    logs.arcadia.write(drafts.line_acknowledged(b"\1" * 32, WORDS))
    assert logs.arcadia.judged() is None
    logs.arcadia.message()
    assert logs.arcadia.judged() is Void.LINE_FROZEN
    fold = logs.fold_all()
    assert fold.is_frozen
    assert fold.line.acknowledged[ARCADIA] == {"01" * 32}


def test_no_terms_keep_a_side_from_acknowledging(logs: TwoLogs) -> None:
    logs.borealis.write(drafts.line_terms("go on", []))
    logs.all_see()
    logs.arcadia.write(drafts.line_acknowledged(b"\1" * 32, WORDS))
    assert logs.arcadia.judged() is None


def test_a_line_test_is_answered_by_the_other_side_alone(logs: TwoLogs) -> None:
    test = logs.arcadia.write(drafts.line_test())
    logs.arcadia.write(drafts.line_tested(test))
    assert logs.arcadia.judged() is Void.REFERS_TO_NOTHING
    logs.borealis.write(drafts.line_tested(test))
    assert logs.borealis.judged() is Void.REFERS_TO_NOTHING, "it had not seen the test"
    logs.borealis.see()
    logs.borealis.write(drafts.line_tested(test))
    assert logs.borealis.judged() is None
    logs.borealis.write(drafts.line_tested((ARCADIA, 0)))
    assert logs.borealis.judged() is Void.REFERS_TO_NOTHING


# What was seen


def test_seen_may_not_fall(logs: TwoLogs) -> None:
    root = logs.root_of(BOREALIS, 1)
    assert root is not None
    logs.arcadia.write(drafts.blank())
    logs.arcadia.write(drafts.blank(), (1, root))
    assert logs.arcadia.judged() is Void.SEEN_FELL
    logs.arcadia.write(drafts.blank())
    assert logs.arcadia.judged() is None


def test_seen_may_not_go_beyond_the_log(logs: TwoLogs) -> None:
    logs.arcadia.write(drafts.blank(), (BEYOND, bytes(32)))
    assert logs.arcadia.judged() is Void.SEEN_BEYOND


def test_a_root_that_nobody_can_tell_is_beyond_the_log(logs: TwoLogs) -> None:
    blank = logs.arcadia.compose(drafts.blank())
    fold = LineFold(ORIGINS, lambda origin, size: None)
    for origin in sorted(ORIGINS):
        fold.apply(origin, 0, logs.entries[origin][0])
        fold.apply(origin, 1, logs.entries[origin][1])
    assert fold.judge(ARCADIA, blank) is Void.SEEN_BEYOND


def test_a_root_that_the_other_log_never_had_is_void(logs: TwoLogs) -> None:
    data = logs.arcadia.compose(drafts.blank(), (2, bytes(32)))
    applied = logs.new_fold()
    for origin in sorted(ORIGINS):
        for index, entry in enumerate(logs.entries[origin]):
            assert applied.apply(origin, index, entry).void is None
    assert applied.apply(ARCADIA, 2, data).void is Void.WRONG_SEEN_ROOT


def test_an_entry_is_ready_once_all_it_has_seen_was_applied(logs: TwoLogs) -> None:
    fold = logs.new_fold()
    blank = logs.arcadia.compose(drafts.blank())
    assert not fold.is_ready(ARCADIA, blank)
    for index, entry in enumerate(logs.entries[BOREALIS]):
        assert fold.is_ready(BOREALIS, entry)
        fold.apply(BOREALIS, index, entry)
    assert fold.is_ready(ARCADIA, blank)
    assert fold.is_ready(ARCADIA, b"not an entry")


# Reading


def test_unreadable_entries_are_void_and_keep_their_place(logs: TwoLogs) -> None:
    logs.arcadia.write_bytes(b"{}")
    assert logs.arcadia.judged() is Void.NOT_CANONICAL
    logs.arcadia.write_bytes(b'{"type":"call.applaud","v":1}')
    assert logs.arcadia.judged() is Void.UNKNOWN_TYPE
    assert logs.fold_all().size(ARCADIA) == 4


def test_what_is_void_or_not_there_has_no_effect(logs: TwoLogs) -> None:
    logs.arcadia.message()
    logs.entries[BOREALIS].append(b"no entry")
    fold = logs.fold_all()
    sizes = {origin: len(logs.entries[origin]) for origin in (ARCADIA, BOREALIS)}
    assert fold.has_effect(ARCADIA, sizes[ARCADIA] - 1)
    assert not fold.has_effect(ARCADIA, sizes[ARCADIA])
    assert fold.has_effect(BOREALIS, sizes[BOREALIS] - 2)
    assert not fold.has_effect(BOREALIS, sizes[BOREALIS] - 1)


def test_judging_changes_nothing(logs: TwoLogs) -> None:
    fold = logs.fold_all()
    ring = drafts.ring(X, "a" * 16, mode="audio", track=1, person=PERSON, media=MEDIA)
    data = logs.arcadia.compose(ring)
    assert fold.judge(ARCADIA, data) is None
    assert fold.judge(ARCADIA, b"") is Void.NOT_CANONICAL
    assert len(fold.calls) == 0
    fold.apply(ARCADIA, 2, data)
    assert fold.judge(ARCADIA, data) is Void.CALL_ID_USED


def test_an_act_is_added_only_if_it_has_effect(logs: TwoLogs) -> None:
    fold = logs.fold_all()
    ring = drafts.ring(X, "a" * 16, mode="audio", track=1, person=PERSON, media=MEDIA)
    entry = parse_entry_untrusted(logs.arcadia.compose(ring))
    assert fold.try_apply(ARCADIA, entry) is None
    assert (fold.size(ARCADIA), list(fold.calls)) == (3, [X])
    assert fold.try_apply(ARCADIA, entry) is Void.CALL_ID_USED
    assert fold.size(ARCADIA) == 3


def test_entries_must_come_one_after_the_other(logs: TwoLogs) -> None:
    fold = logs.new_fold()
    with pytest.raises(MisuseError, match="not the next"):
        fold.apply(ARCADIA, 1, b"")
    with pytest.raises(MisuseError, match="not the next"):
        fold.apply("elsewhere.example/line/00", 0, b"")
    with pytest.raises(MisuseError, match="two logs"):
        LineFold(frozenset({ARCADIA}), logs.root_of)


# A call, act by act


def test_a_call_that_rings_and_is_answered_is_live(live: TwoLogs) -> None:
    state = live.call(X)
    assert state.phase is Phase.LIVE
    assert state.initiated_by == {ARCADIA}
    assert (state.rung, state.answered) == ((ARCADIA, 2), (BOREALIS, 2))
    assert state.rung_us < (state.answered_us or 0)
    assert (state.ended_by, state.ended_us, state.late) == ((), None, ())
    assert [seat.role for seat in state.roster.values()] == ["principal", "principal"]


def test_a_call_that_was_hung_up_says_by_whom_and_when(live: TwoLogs) -> None:
    place = live.borealis.hang_up(X)
    state = live.call(X)
    assert state.phase is Phase.ENDED
    assert state.ended_by == (place,)
    assert state.ended_us == live.now_us
    live.arcadia.see()
    live.arcadia.hang_up(X)
    assert live.arcadia.judged() is Void.CALL_ENDED


def test_only_the_rung_side_says_how_many_devices_ring(logs: TwoLogs) -> None:
    logs.arcadia.ring(X)
    logs.borealis.see()
    logs.borealis.ringing(X, 3)
    logs.borealis.ringing(X, 2)
    assert logs.call(X).devices == 2
    logs.arcadia.ringing(X)
    assert logs.arcadia.judged() is Void.NOT_YOURS


@pytest.mark.parametrize("act", ["answer", "decline", "missed", "ringing"])
def test_an_act_on_a_ring_must_name_that_ring(logs: TwoLogs, act: str) -> None:
    logs.arcadia.ring(X)
    logs.borealis.see()
    logs.rings[X] = (ARCADIA, 1)
    getattr(logs.borealis, act)(X)
    assert logs.borealis.judged() is Void.REFERS_TO_NOTHING


def test_a_cancel_cannot_name_the_others_ring_of_the_same_id(logs: TwoLogs) -> None:
    logs.arcadia.ring(X)
    theirs = logs.borealis.ring(X)
    logs.arcadia.write(drafts.cancel(X, theirs))
    assert logs.arcadia.judged() is Void.REFERS_TO_NOTHING


def test_a_handle_is_given_once_in_a_call(live: TwoLogs) -> None:
    live.arcadia.join(X, by=live.borealis.handle)
    assert live.arcadia.judged() is Void.HANDLE_IN_USE
    live.arcadia.join(X, by=live.arcadia.handle)
    assert live.arcadia.judged() is Void.HANDLE_IN_USE


def test_a_track_is_given_once_by_each_side(live: TwoLogs) -> None:
    live.arcadia.join(X, track=1)
    assert live.arcadia.judged() is Void.TRACK_IN_USE
    live.arcadia.join(X, track=2)
    assert live.arcadia.judged() is None
    live.borealis.join(X, by="e" * 16, track=2)
    assert live.borealis.judged() is None


def test_who_left_is_gone_and_their_handle_stays_taken(live: TwoLogs) -> None:
    live.arcadia.join(X)
    leave = live.arcadia.leave(X, "d" * 16)
    assert live.call(X).roster[ARCADIA, "d" * 16].left == leave[1]
    assert [seat.handle for seat in live.call(X).active(ARCADIA)] == [live.arcadia.handle]
    live.arcadia.leave(X, "d" * 16)
    assert live.arcadia.judged() is Void.NOT_ON_ROSTER
    live.arcadia.join(X, track=3)
    assert live.arcadia.judged() is Void.HANDLE_IN_USE


@pytest.mark.parametrize("act", ["leave", "hang_up"])
def test_nobody_acts_by_a_handle_of_the_other_side(live: TwoLogs, act: str) -> None:
    getattr(live.arcadia, act)(X, live.borealis.handle)
    assert live.arcadia.judged() is Void.NOT_ON_ROSTER


def test_the_mode_is_the_stricter_of_what_each_side_last_stated(live: TwoLogs) -> None:
    live.arcadia.mode(X, "existence only")
    assert live.call(X).mode == "existence only"
    live.arcadia.mode(X, "audio")
    assert live.call(X).mode == "audio"
    live.borealis.mode(X, "notes only")
    assert live.call(X).mode == "notes only"


# Recording


def test_a_recording_goes_from_on_to_off(live: TwoLogs) -> None:
    on = live.arcadia.record_on(X, (BOREALIS, 1))
    open_one = Recording(ARCADIA, (BOREALIS, 1), on[1])
    assert live.call(X).recordings == (open_one,)
    off = live.arcadia.record_off(X, (BOREALIS, 1))
    (closed,) = live.call(X).recordings
    assert (closed.off, closed.off_us) == (off[1], live.now_us)
    live.arcadia.record_off(X, (BOREALIS, 1))
    assert live.arcadia.judged() is Void.NO_SUCH_TRACK


def test_only_tracks_of_the_roster_are_recorded(live: TwoLogs) -> None:
    live.arcadia.record_on(X, (BOREALIS, 2))
    assert live.arcadia.judged() is Void.NO_SUCH_TRACK
    live.arcadia.record_on(X, ("elsewhere.example/line/" + "0" * 32, 1))
    assert live.arcadia.judged() is Void.NO_SUCH_TRACK


def test_only_mode_audio_records(live: TwoLogs) -> None:
    live.borealis.mode(X, "notes only")
    live.arcadia.see()
    live.arcadia.record_on(X)
    assert live.arcadia.judged() is Void.MODE_DOES_NOT_RECORD
    live.arcadia.record_chunk(X)
    assert live.arcadia.judged() is Void.MODE_DOES_NOT_RECORD


def test_chunks_begun_in_mode_audio_are_still_stated_in_a_stricter_one(live: TwoLogs) -> None:
    live.arcadia.record_on(X)
    live.arcadia.mode(X, "notes only")
    live.arcadia.record_chunk(X)
    assert live.arcadia.judged() is None


def test_chunks_follow_each_other_even_after_the_end(live: TwoLogs) -> None:
    live.arcadia.record_chunk(X, 0, 250)
    live.arcadia.hang_up(X)
    last = live.arcadia.record_chunk(X, 250, 50)
    assert live.call(X).chunks == {(ARCADIA, 1): ChunkSum(300, 300, last[1], live.now_us)}
    live.arcadia.record_chunk(X, 301)
    assert live.arcadia.judged() is Void.CHUNK_DOES_NOT_FOLLOW


def test_after_a_gap_chunks_follow_the_gap(live: TwoLogs) -> None:
    live.arcadia.record_chunk(X, 0, 250)
    live.arcadia.record_gap(X, 251, 40)
    assert live.arcadia.judged() is Void.CHUNK_DOES_NOT_FOLLOW
    live.arcadia.record_gap(X, 250, 40)
    live.arcadia.record_chunk(X, 250)
    assert live.arcadia.judged() is Void.CHUNK_DOES_NOT_FOLLOW, "a gap tells of its packets"
    last = live.arcadia.record_chunk(X, 290, 10)
    assert live.arcadia.judged() is None
    assert live.call(X).chunks == {(ARCADIA, 1): ChunkSum(260, 300, last[1], live.now_us)}


def test_what_was_said_before_recording_began_is_a_gap(live: TwoLogs) -> None:
    live.arcadia.record_gap(X, 0, 40)
    assert live.arcadia.judged() is None
    assert live.call(X).chunks == {}
    assert live.call(X).told == {(ARCADIA, 1): 40}
    live.arcadia.hang_up(X)
    live.arcadia.record_chunk(X, 40, 10)
    assert live.arcadia.judged() is None


def test_a_gap_is_told_in_any_mode_but_of_own_tracks_alone(live: TwoLogs) -> None:
    live.arcadia.mode(X, "existence only")
    live.arcadia.record_gap(X)
    assert live.arcadia.judged() is None
    live.arcadia.record_gap(X, track=2)
    assert live.arcadia.judged() is Void.NO_SUCH_TRACK


def test_recording_goes_on_when_both_sides_let_it_again(live: TwoLogs) -> None:
    live.arcadia.record_on(X)
    live.arcadia.record_chunk(X, 0, 250)
    live.arcadia.mode(X, "notes only")
    live.arcadia.record_off(X)
    assert live.call(X).stated == {ARCADIA: "notes only", BOREALIS: "audio"}
    live.arcadia.record_on(X)
    assert live.arcadia.judged() is Void.MODE_DOES_NOT_RECORD
    live.arcadia.mode(X, "audio")
    live.arcadia.record_on(X)
    assert live.arcadia.judged() is None
    live.arcadia.record_gap(X, 250, 3)
    live.arcadia.record_chunk(X, 253)
    assert live.arcadia.judged() is None
    first, second = live.call(X).recordings
    assert first.off is not None
    assert second.off is None


def test_chunks_are_of_own_tracks(live: TwoLogs) -> None:
    live.arcadia.record_chunk(X, track=2)
    assert live.arcadia.judged() is Void.NO_SUCH_TRACK


def test_chunks_are_answered_for_in_their_order_and_once(live: TwoLogs) -> None:
    first, second = live.arcadia.record_chunk(X), live.arcadia.record_chunk(X, 250)
    live.borealis.record_held(X, first)
    assert live.borealis.judged() is Void.REFERS_TO_NOTHING, "it had not seen the chunk"
    live.borealis.see()
    live.borealis.record_held(X, second)
    assert live.borealis.judged() is Void.REFERS_TO_NOTHING
    live.borealis.record_held(X, first)
    assert live.borealis.judged() is None
    live.borealis.record_held(X, first)
    assert live.borealis.judged() is Void.REFERS_TO_NOTHING
    live.borealis.record_held(X, second, (1, "0" * 64, ((0, 3), (9, 1)), ((20, 2),), ((30, 1),)))
    state = live.call(X)
    assert state.held == {BOREALIS: Held(2, 4, 2, 1)}
    assert state.chunk_entries == {ARCADIA: (first[1], second[1])}


def test_own_chunks_and_other_tracks_are_not_answered_for(live: TwoLogs) -> None:
    own = live.arcadia.record_chunk(X)
    live.arcadia.record_held(X, own)
    assert live.arcadia.judged() is Void.REFERS_TO_NOTHING
    live.borealis.see()
    live.borealis.record_held(X, own, (2, "0" * 64, (), (), ()))
    assert live.borealis.judged() is Void.NO_SUCH_TRACK


def test_a_record_is_agreed_when_both_sides_newest_say_the_same(live: TwoLogs) -> None:
    live.arcadia.hang_up(X)
    live.all_see()
    live.arcadia.record_agreed(X)
    assert not live.call(X).is_agreed
    live.borealis.record_agreed(X, 3_999)
    assert not live.call(X).is_agreed
    last = live.borealis.record_agreed(X)
    assert live.call(X).is_agreed
    assert live.call(X).agreed[BOREALIS] == (last[1], ((ARCADIA, 1, 250, "0" * 64, 4_000),))


def test_a_record_of_tracks_that_nobody_has_is_void(live: TwoLogs) -> None:
    live.arcadia.write(drafts.record_agreed(X, ((BOREALIS, 2, 250, "0" * 64, 9),)))
    assert live.arcadia.judged() is Void.NO_SUCH_TRACK


def test_a_call_that_was_never_answered_has_no_recordings(logs: TwoLogs) -> None:
    logs.arcadia.ring(X)
    logs.arcadia.cancel(X)
    logs.arcadia.record_chunk(X)
    assert logs.arcadia.judged() is Void.NOT_LIVE
    logs.arcadia.record_gap(X)
    assert logs.arcadia.judged() is Void.NOT_LIVE
    logs.arcadia.record_off(X)
    assert logs.arcadia.judged() is Void.NOT_LIVE
    logs.arcadia.record_agreed(X)
    assert logs.arcadia.judged() is Void.NOT_LIVE


# Messages


def test_messages_are_kept_as_places(live: TwoLogs) -> None:
    first = live.arcadia.message()
    live.borealis.see()
    live.borealis.message(X, re=first)
    messages = live.fold_all().messages
    assert messages[-1] == MessageState(BOREALIS, 3, live.now_us)
    assert [(m.origin, m.index) for m in messages[-5:]] == [first, (BOREALIS, 3)]
    assert len(messages) == 2


def test_a_reply_names_a_message_that_its_author_had_seen(logs: TwoLogs) -> None:
    place = logs.arcadia.message()
    logs.borealis.message(re=place)
    assert logs.borealis.judged() is Void.REFERS_TO_NOTHING
    logs.borealis.see()
    logs.borealis.message(re=(ARCADIA, 0))
    assert logs.borealis.judged() is Void.REFERS_TO_NOTHING
    logs.borealis.message(re=("elsewhere.example/line/" + "0" * 32, 0))
    assert logs.borealis.judged() is Void.REFERS_TO_NOTHING
    logs.borealis.message(X)
    assert logs.borealis.judged() is Void.NO_SUCH_CALL


def test_calls_are_pictures_that_stay_as_they_were(live: TwoLogs) -> None:
    fold = live.fold_all()
    before = fold.calls[X]
    assert fold.calls[X] is before
    assert [state.call for state in fold.going_on()] == [X]
    live.arcadia.hang_up(X)
    fold.apply(ARCADIA, fold.size(ARCADIA), live.entries[ARCADIA][-1])
    assert before.phase is Phase.LIVE
    assert fold.calls[X].phase is Phase.ENDED
    assert fold.going_on() == []
    assert list(fold.calls) == [X]
    assert len(fold.calls) == 1
    assert fold.calls.get(Y) is None

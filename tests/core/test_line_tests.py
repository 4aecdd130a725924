"""Line tests by virtual clock: due, answered, late, missed; what a restart, a cut, a jump mean."""

import pytest

from fakes.joined import LINE, Pair, Side
from fakes.two_logs import ARCADIA, BOREALIS, TwoLogs
from telcon.core import draft as drafts
from telcon.core.call import Place
from telcon.core.entry import LineTest
from telcon.core.events import EntryHeld, LineUp
from telcon.core.line_tests import (
    ANSWER_WITHIN_US,
    KEPT_EXCHANGES,
    Exchange,
    LineTests,
    Outcome,
    Rhythm,
    Silence,
    silences,
)

HOUR_US = 3_600_000_000
MINUTE_US = 60_000_000
MINUTE_S = 60.0


class Testers:
    """Both nodes of a pair, each testing in its rhythm and answering the other."""

    __test__ = False

    def __init__(self, every_us: int = HOUR_US) -> None:
        self.pair = Pair()
        self.skew_us = {side.name: 0 for side in self.pair.sides}
        self.pair.open()
        self.rhythms = {
            side.name: Rhythm(
                every_us,
                line=LINE,
                is_first=side is self.pair.arcadia,
                now_us=self.now_us(side),
            )
            for side in self.pair.sides
        }
        self.off: set[str] = set()
        self.pair.on_step = self._answer
        self._read = {side.name: len(side.events) for side in self.pair.sides}

    def now_us(self, side: Side) -> int:
        return self.pair.now().utc_us + self.skew_us[side.name]

    def pass_minutes(self, minutes: int) -> None:
        for _ in range(minutes):
            self.pair.run(MINUTE_S)
            for side in self.pair.sides:
                self._test(side)
        self.pair.run(5.0)  # the last answer comes

    def _test(self, side: Side) -> None:
        newest = side.machine.fold.tests.newest(side.store.own.origin)
        rhythm = self.rhythms[side.name]
        is_up = bool(side.connection)
        if side.name not in self.off and rhythm.is_due(self.now_us(side), newest, is_up=is_up):
            self._write(side, drafts.line_test())

    def _answer(self) -> None:
        for side in self.pair.sides:
            fresh = side.events[self._read[side.name] :]
            self._read[side.name] = len(side.events)
            for event in fresh:
                if isinstance(event, LineUp):
                    self.rhythms[side.name].came_up()
                    self._test(side)
                elif isinstance(event, EntryHeld) and isinstance(event.entry, LineTest):
                    self._take_test(side, (event.origin, event.index))

    def _take_test(self, side: Side, place: Place) -> None:
        if place[0] != side.store.own.origin:
            self._write(side, drafts.line_tested(place))

    def _write(self, side: Side, draft: drafts.Draft) -> None:
        now = self.pair.now()
        skewed = type(now)(now.utc_us + self.skew_us[side.name], now.monotonic_s)
        side.machine.append(draft, skewed)
        self.pair.turn(side)

    def outcomes(self, of: Side, seen_by: Side | None = None) -> list[str]:
        tests = (seen_by or of).machine.fold.tests.of(of.store.own.origin)
        return [str(one.outcome(self.now_us(of))) for one in tests]


def test_each_side_tests_once_an_hour_and_never_both_at_once() -> None:
    both = Testers()
    both.pass_minutes(24 * 60)
    for side in both.pair.sides:
        assert both.outcomes(side) == ["answered"] * 24
        assert both.outcomes(side, both.pair.other(side)) == ["answered"] * 24
    ours, theirs = (
        [one.time_us for one in side.machine.fold.tests.of(side.store.own.origin)]
        for side in both.pair.sides
    )
    apart = min(abs(one - other) for one in ours for other in theirs)
    assert abs(apart - HOUR_US // 2) <= 2 * MINUTE_US


def test_a_line_that_is_down_leaves_tests_that_stay_late_for_both_readers() -> None:
    both = Testers()
    both.pass_minutes(3 * 60)
    both.pair.disconnect()
    both.pass_minutes(150)
    both.pair.connect()
    both.pass_minutes(90)
    for side in both.pair.sides:
        told = both.outcomes(side)
        assert told == both.outcomes(side, both.pair.other(side))
        assert 2 <= told.count("late") <= 3
        assert set(told) == {"answered", "late"}
        (gap,) = silences(side.machine.fold.tests.of(side.store.own.origin), both.now_us(side))
        assert gap.was_down
        assert gap.to_us is not None
        assert 90 * MINUTE_US <= gap.to_us - gap.from_us <= 150 * MINUTE_US


def test_clocks_hours_apart_change_no_outcome() -> None:
    both = Testers()
    both.skew_us[both.pair.borealis.name] = 5 * HOUR_US
    both.pass_minutes(4 * 60)
    assert set(both.outcomes(both.pair.arcadia)) == {"answered"}
    assert set(both.outcomes(both.pair.borealis)) == {"answered"}


@pytest.mark.parametrize("jump_us", [3 * HOUR_US + 1, -3 * HOUR_US - 1])
def test_a_clock_that_jumps_costs_one_test_and_the_rhythm_goes_on(jump_us: int) -> None:
    both = Testers()
    arcadia = both.pair.arcadia
    both.pass_minutes(2 * 60)
    before = len(both.outcomes(arcadia))
    both.skew_us[arcadia.name] = jump_us
    both.pass_minutes(1)
    assert len(both.outcomes(arcadia)) == before + 1
    both.pass_minutes(2 * 60)
    assert len(both.outcomes(arcadia)) == before + 3
    assert set(both.outcomes(arcadia)) == {"answered"}


def test_a_node_that_was_off_has_not_tested_and_tests_at_once_when_it_is_back() -> None:
    both = Testers()
    both.pass_minutes(2 * 60)
    both.off.add(both.pair.arcadia.name)
    both.pass_minutes(5 * 60)
    count = len(both.outcomes(both.pair.arcadia))
    both.off.clear()
    both.pass_minutes(1)
    assert both.outcomes(both.pair.arcadia) == ["answered"] * (count + 1)


def rhythm(every_us: int = HOUR_US, now_us: int = 0) -> Rhythm:
    return Rhythm(every_us, line="0" * 32, is_first=True, now_us=now_us)


def exchange(time_us: int, *, answer: int | None = None, seen: int | None = None) -> Exchange:
    return Exchange(7, time_us, answer, seen)


def test_no_rhythm_is_no_test() -> None:
    assert not rhythm(0).is_due(HOUR_US, None, is_up=True)


def test_a_new_line_is_tested_at_the_next_full_hour() -> None:
    fresh = rhythm(now_us=HOUR_US // 2)
    assert not fresh.is_due(HOUR_US - 1, None, is_up=True)
    assert fresh.next_us(HOUR_US // 2) == HOUR_US
    assert fresh.is_due(HOUR_US, None, is_up=True)


def test_after_a_start_the_link_has_a_minute_to_come() -> None:
    started = 5 * HOUR_US - 10
    old = exchange(HOUR_US, answer=3)
    assert not rhythm(now_us=started).is_due(started + 59_000_000, old, is_up=False)
    assert rhythm(now_us=started).is_due(started + 60_000_000, old, is_up=False)
    assert rhythm(now_us=started).is_due(started, old, is_up=True)


def test_a_link_that_comes_and_goes_costs_no_more_than_a_test_each_half_minute() -> None:
    beat = rhythm()
    lost = exchange(HOUR_US)
    beat.came_up()
    assert not beat.is_due(HOUR_US + ANSWER_WITHIN_US - 1, lost, is_up=True)
    beat.came_up()
    assert beat.is_due(HOUR_US + ANSWER_WITHIN_US, lost, is_up=True)


@pytest.mark.parametrize(
    ("one", "outcome"),
    [
        (exchange(0), Outcome.MISSED),
        (exchange(HOUR_US - ANSWER_WITHIN_US + 1), Outcome.WAITING),
        (exchange(2 * HOUR_US), Outcome.WAITING),  # the clock was set back meanwhile
        (exchange(0, answer=4), Outcome.ANSWERED),
        (exchange(0, answer=4, seen=5), Outcome.ANSWERED),
        (exchange(0, answer=4, seen=4), Outcome.LATE),
        (exchange(HOUR_US, seen=4), Outcome.MISSED),
    ],
)
def test_what_became_of_a_test_is_told_by_the_testers_log(one: Exchange, outcome: str) -> None:
    assert one.outcome(HOUR_US) == outcome


def test_silences_tell_a_line_that_was_down_from_tests_that_nobody_ever_answered() -> None:
    ends = exchange(9, answer=9)
    late, missed = exchange(1, answer=4, seen=4), exchange(5, seen=4)
    told = silences(iter([ends, late, missed, exchange(7, answer=8), missed]), 2 * HOUR_US)
    assert told == [Silence(1, 7, 2, was_down=True), Silence(5, None, 1, was_down=False)]


def test_the_fold_keeps_tests_and_their_answers_in_any_order() -> None:
    logs = TwoLogs().opened()
    place = logs.arcadia.write(drafts.line_test())
    logs.borealis.see()
    answer = logs.borealis.write(drafts.line_tested(place))
    logs.borealis.write(drafts.line_tested(place))  # once more: the first counts
    logs.now_us += ANSWER_WITHIN_US
    logs.arcadia.message()
    (told,) = logs.fold_all().tests.of(ARCADIA)
    assert (told.index, told.answer, told.seen_later) == (place[1], answer[1], answer[1])
    assert told.outcome(logs.now_us) is Outcome.LATE
    assert list(logs.fold_all(logs.random).tests.of(ARCADIA)) == [told]
    assert list(logs.fold_all().tests.of(BOREALIS)) == []


def test_a_clock_that_was_far_ahead_does_not_hide_the_late_answers_after_it() -> None:
    tests = LineTests((ARCADIA, BOREALIS))
    tests.add(ARCADIA, 0, 1_000 * HOUR_US)
    tests.answer((ARCADIA, 0), 0)
    for index in (1, 2):  # the clock is right again, and now the link is away
        tests.witness(ARCADIA, index * HOUR_US, 1)
        tests.add(ARCADIA, index, index * HOUR_US)
    tests.answer((ARCADIA, 1), 1)
    outcomes = [one.outcome(2 * HOUR_US) for one in tests.of(ARCADIA)]
    assert outcomes == [Outcome.ANSWERED, Outcome.LATE, Outcome.WAITING]


def test_old_tests_are_dropped_and_late_answers_to_them_too() -> None:
    tests = LineTests((ARCADIA, BOREALIS))
    for index in range(2 * KEPT_EXCHANGES):
        tests.add(ARCADIA, index, index * HOUR_US)
        tests.witness(ARCADIA, index * HOUR_US, 5)
    tests.answer((ARCADIA, 3), 9)
    assert KEPT_EXCHANGES <= len(tests._sides[ARCADIA].index) <= KEPT_EXCHANGES * 5 // 4
    kept = list(tests.of(ARCADIA))
    assert len(kept) == KEPT_EXCHANGES
    assert list(tests.of(ARCADIA, 3)) == kept[-3:]
    assert {one.answer for one in kept} == {None}
    assert [one.seen_later for one in kept[-2:]] == [5, None]
    newest = tests.newest(ARCADIA)
    assert newest is not None
    assert newest.index == 2 * KEPT_EXCHANGES - 1

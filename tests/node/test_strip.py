"""The strip of line tests and the gaps, drawn from exchanges as the fold keeps them."""

import random
from types import SimpleNamespace
from typing import Any

import pytest

from telcon.core.line_tests import LineTests
from telcon.node import strip as strip_module
from telcon.node.call_desk import View
from telcon.node.history_desk import SHOWN_GAPS, HistoryDesk
from telcon.node.strip import HOUR_US, SHOWN_HOURS, Strip

OURS, THEIRS = "arcadia.example/line/0", "borealis.example/line/0"
NOW_US = 500_000 * HOUR_US + HOUR_US // 2


class Tests:
    """Exchanges of both sides, `hours` ago."""

    __test__ = False

    def __init__(self, patch: pytest.MonkeyPatch, every_minutes: int = 60) -> None:
        self.tests = LineTests((OURS, THEIRS))
        self.size = 0
        card = SimpleNamespace
        identity = SimpleNamespace(
            own_card=card(log=SimpleNamespace(name=OURS)),
            peer_card=card(log=SimpleNamespace(name=THEIRS)),
        )
        fold = SimpleNamespace(tests=self.tests)
        line: Any = SimpleNamespace(identity=identity, machine=SimpleNamespace(fold=fold))
        self.strip = Strip(line, every_minutes)
        patch.setattr(strip_module, "now", lambda: SimpleNamespace(utc_us=NOW_US))

    def answered(self, hours: int, side: str = OURS) -> None:
        time_us = self._add(hours, side)
        self.tests.answer((side, self.size), self.size)
        self.tests.witness(side, time_us + HOUR_US // 10, self.size + 1)

    def late(self, hours: int, side: str = OURS) -> None:
        self.missed(hours, side)
        self.tests.answer((side, self.size), self.size)

    def missed(self, hours: int, side: str = OURS) -> None:
        time_us = self._add(hours, side)
        self.tests.witness(side, time_us + HOUR_US // 10, 0)

    def _add(self, hours: int, side: str) -> int:
        self.size += 1
        time_us = NOW_US - hours * HOUR_US
        self.tests.add(side, self.size, time_us)
        return time_us

    def gaps(self) -> list[tuple[str, int, int | None]]:
        def ago(us: int | None) -> int | None:
            return None if us is None else (NOW_US - us) // HOUR_US

        return [
            (one["kind"], ago(one["from_us"]) or 0, ago(one["to_us"])) for one in self.strip.gaps()
        ]

    def view(self) -> View:
        return self.strip.view()


@pytest.fixture
def tests(monkeypatch: pytest.MonkeyPatch) -> Tests:
    return Tests(monkeypatch)


def test_each_hour_is_a_cell_each_way_and_the_worst_of_it_is_seen(tests: Tests) -> None:
    for hours in (4, 3, 1):
        tests.answered(hours)
    tests.missed(1)
    tests.answered(2, THEIRS)
    tests.late(1, THEIRS)
    shown = tests.view()
    assert shown["ours"] == "." * (SHOWN_HOURS - 5) + "aa.m."
    assert shown["theirs"] == "." * (SHOWN_HOURS - 3) + "al."
    assert shown["from_us"] + SHOWN_HOURS * HOUR_US == (NOW_US // HOUR_US + 1) * HOUR_US


def test_what_was_missed_stays_named_and_the_last_that_is_known_is_told(tests: Tests) -> None:
    tests.missed(30)
    tests.answered(2)
    tests.answered(1, THEIRS)
    tests._add(0, OURS)  # waits
    shown = tests.view()
    missed = {"side": "ours", "time_us": NOW_US - 30 * HOUR_US, "outcome": "missed"}
    assert shown["missed"] == [missed]
    last = {"side": "theirs", "time_us": NOW_US - HOUR_US, "outcome": "answered"}
    assert shown["last"] == last


def test_a_cut_is_told_once_though_both_logs_tell_of_it(tests: Tests) -> None:
    for side in (OURS, THEIRS):
        tests.answered(9, side)
        tests.late(8, side)
        tests.late(7, side)
        tests.answered(6, side)
    assert tests.gaps() == [("down.ours", 8, 6)]


def test_what_their_log_alone_tells_is_told_as_theirs(tests: Tests) -> None:
    for hours in range(9, 0, -1):
        tests.answered(hours)
    tests.missed(20, THEIRS)
    tests.answered(19, THEIRS)
    assert tests.gaps() == [("unanswered.theirs", 20, 19)]


def test_a_time_without_tests_is_a_gap_and_nothing_is_made_up_before_the_first(
    tests: Tests,
) -> None:
    for hours in (30, 29, 20, 19, 17):
        tests.answered(hours)
    assert tests.gaps() == [("untested", 29, 20)]


def test_where_tests_are_off_nothing_counts_as_untested(monkeypatch: pytest.MonkeyPatch) -> None:
    tests = Tests(monkeypatch, every_minutes=0)
    tests.answered(30)
    tests.answered(1)
    assert tests.gaps() == []


def test_a_line_that_is_silent_now_has_a_gap_without_end(tests: Tests) -> None:
    tests.answered(3)
    tests.missed(2)
    tests.missed(1)
    assert tests.gaps() == [("unanswered.ours", 2, None)]


def test_a_test_from_a_time_to_come_is_not_the_last(tests: Tests) -> None:
    tests.answered(2)
    tests.answered(-5, THEIRS)  # their clock is ahead, or they say so
    assert tests.view()["last"]["side"] == "ours"


def test_what_was_missed_in_a_time_to_come_is_not_named(tests: Tests) -> None:
    tests.missed(3)
    for hours in range(1, 30):
        tests.missed(-hours, THEIRS)
    assert [one["side"] for one in tests.view()["missed"]] == ["ours"]


def test_their_gaps_do_not_crowd_ours_out_of_the_history(tests: Tests) -> None:
    tests.answered(9_000)
    tests.missed(8_999)
    tests.answered(8_998)
    for hours in range(8_000, 0, -8):
        tests.missed(hours, THEIRS)
        tests.answered(hours - 4, THEIRS)
    line: Any = tests.strip._line
    line.machine.fold.calls = {}
    calls: Any = None
    shown = HistoryDesk(line, calls, tests.strip).gaps([])
    assert len(shown) == SHOWN_GAPS
    assert shown[-1]["kind"] == "unanswered.ours"
    times = [gap["from_us"] for gap in shown]
    assert times == sorted(times, reverse=True)


def test_gaps_of_both_sides_are_told_apart_whatever_their_clocks_say() -> None:
    picks = random.Random(7)

    def gaps() -> list[View]:
        ends = [picks.choice([None, *range(60)]) for _ in range(picks.randrange(6))]
        return [
            {
                "from_us": picks.randrange(60) * HOUR_US,
                "to_us": None if to is None else to * HOUR_US,
            }
            for to in ends
        ]

    def touch(one: View, other: View) -> bool:
        begins = other["to_us"] is None or one["from_us"] <= other["to_us"] + HOUR_US
        return begins and (one["to_us"] is None or one["to_us"] >= other["from_us"] - HOUR_US)

    for _ in range(500):
        ours, theirs = gaps(), gaps()
        apart = [one for one in theirs if not any(touch(one, other) for other in ours)]
        assert sorted(map(str, strip_module._apart(theirs, ours))) == sorted(map(str, apart))


def test_what_both_logs_tell_without_end_costs_no_more_than_it_is_long() -> None:
    class Counted(dict[str, Any]):
        read = 0

        def __getitem__(self, key: str) -> Any:
            Counted.read += 1
            return super().__getitem__(key)

    ours = [Counted(from_us=n * 4 * HOUR_US, to_us=n * 4 * HOUR_US + 1) for n in range(1_000)]
    theirs = [Counted(from_us=one["from_us"] + 2 * HOUR_US, to_us=one["to_us"]) for one in ours]
    strip_module._apart(theirs, ours)
    assert Counted.read < 20 * (len(ours) + len(theirs))

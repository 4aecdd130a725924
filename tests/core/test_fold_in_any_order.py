"""Random pairs of logs: one state for every order, every cell met, every breakage noticed."""

from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

import telcon.core.fold
import telcon.core.settle
from fakes.literal_fold import check_logs
from fakes.two_logs import TwoLogs
from fakes.wild_authors import wild_logs
from telcon.core.call import Past
from telcon.core.settle import Act, Acts, Outcome, settle
from telcon.core.transitions import (
    EVENTS,
    PRECEDENCE,
    STANDINGS,
    TABLE,
    Cell,
    Phase,
    Standing,
    table_markdown,
)
from telcon.core.void import Void

SEEDS = range(300)
AFTER_AN_ANSWER = {
    f"call.record-{act}" for act in ("chunk", "gap", "held", "agreed", "sealed", "destroyed", "off")
}
LEADING = ("ring", "answer", "decline", "cancel", "missed", "hang-up", "fail")


class CountedTable(Mapping[Standing, dict[str, Cell]]):
    """The table of transitions, counting how often each cell is met."""

    def __init__(self) -> None:
        self.hits: Counter[tuple[Standing, str]] = Counter()

    def __getitem__(self, standing: Standing) -> dict[str, Cell]:
        hits = self.hits

        class Row(dict[str, Cell]):
            def __getitem__(self, event: str) -> Cell:
                hits[standing, event] += 1
                return TABLE[standing][event]

        return Row()

    def __iter__(self) -> Iterator[Standing]:
        return iter(TABLE)

    def __len__(self) -> int:
        return len(TABLE)


@pytest.fixture(scope="module")
def worlds() -> dict[int, TwoLogs]:
    return {seed: wild_logs(seed) for seed in SEEDS}


@pytest.fixture(scope="module")
def hits(worlds: dict[int, TwoLogs]) -> dict[int, Counter[tuple[Standing, str]]]:
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        for seed, logs in worlds.items():
            counted = CountedTable()
            patch.setattr(telcon.core.fold, "TABLE", counted)
            logs.fold_all()
            found[seed] = counted.hits
    return found


@pytest.mark.parametrize("part", range(8))
def test_every_order_gives_one_state_and_the_literal_one(
    worlds: dict[int, TwoLogs], part: int
) -> None:
    for seed in SEEDS[part::8]:
        try:
            check_logs(worlds[seed])
        except AssertionError as error:
            pytest.fail(f"seed {seed}: {error}")


def test_every_cell_of_the_table_is_met(
    hits: dict[int, Counter[tuple[Standing, str]]],
) -> None:
    met = sum(hits.values(), Counter[tuple[Standing, str]]())
    print(table_markdown(met))
    missing = [(s, e) for s in STANDINGS for e in EVENTS if not met[s, e]]
    assert not missing


def wrong(standing: Standing, event: str) -> list[Cell]:
    """Return cells that must not stand there, and whose standing there makes a difference."""
    cell = TABLE[standing][event]
    other = Void.NOT_YOURS if cell is not Void.NOT_YOURS else Void.CALL_ENDED
    if cell is Void.NOT_LIVE and event in AFTER_AN_ANSWER:
        return [other]  # that the call was never answered is looked at once more
    if isinstance(cell, Void):
        return [other, Phase.RINGING]
    if event.removeprefix("call.") not in LEADING:
        return [other]  # which phase stands there is not read: the call stays where it is
    return [other, Phase.FAILED if cell is not Phase.FAILED else Phase.LIVE]


@pytest.mark.parametrize("standing", STANDINGS, ids="-".join)
def test_a_broken_transition_is_noticed(
    standing: Standing,
    worlds: dict[int, TwoLogs],
    hits: dict[int, Counter[tuple[Standing, str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for event in EVENTS:
        for cell in wrong(standing, event):
            with monkeypatch.context() as patch:
                patch.setitem(TABLE[standing], event, cell)
                seeds = (seed for seed in SEEDS if hits[seed][standing, event])
                assert any(fails(worlds[seed]) for seed in seeds), f"{event} → {cell} unnoticed"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Phase.MERGED, Phase.LIVE),
        (Phase.ENDED, Phase.FAILED),
        (Phase.ENDED, Phase.LIVE),
        (Phase.DECLINED, Phase.CANCELLED),
        (Phase.MISSED, Phase.CANCELLED),
        (Phase.DECLINED, Phase.FAILED),
        (Phase.MISSED, Phase.FAILED),
        (Phase.CANCELLED, Phase.FAILED),
        (Phase.FAILED, Phase.LIVE),
        (Phase.LIVE, Phase.RINGING),
    ],
)
def test_a_broken_rank_of_ends_is_noticed(
    first: Phase, second: Phase, worlds: dict[int, TwoLogs], monkeypatch: pytest.MonkeyPatch
) -> None:
    ranks = telcon.core.settle._RANK
    monkeypatch.setitem(ranks, first, PRECEDENCE.index(second))
    monkeypatch.setitem(ranks, second, PRECEDENCE.index(first))
    assert any(fails(logs) for logs in worlds.values())


def test_judging_by_the_present_instead_of_the_past_is_noticed(
    worlds: dict[int, TwoLogs], monkeypatch: pytest.MonkeyPatch
) -> None:
    def settle_now(call: Acts, past: Past, frozen: tuple[Act, ...]) -> Outcome:
        return settle(call, dict.fromkeys(past, 10**9), frozen)

    monkeypatch.setattr(telcon.core.fold, "settle", settle_now)
    assert any(fails(logs) for logs in worlds.values())


def fails(logs: TwoLogs) -> bool:
    try:
        check_logs(logs, orders=2)
    except (AssertionError, KeyError, ValueError, TypeError):
        return True
    return False

"""Two machines, one world: whatever ends or restarts, both come to hold the same."""

import random

import pytest

from fakes.joined import Pair, Side, message, ring
from fakes.line_checks import check_always, check_pair, plain_root
from telcon.core import draft as drafts
from telcon.core.machine import Commit, Cosigned, EntryHeld, LineDown, LineUp, Now
from telcon.core.transitions import Phase
from telcon.errors import BusyError, IllegalActError, LinkDownError


def opened(seed: int = 0, *, is_uneven: bool = False) -> Pair:
    pair = Pair(seed, is_uneven=is_uneven)
    pair.on_step = lambda: check_always(pair)
    pair.open()
    return pair


def test_a_message_is_held_here_then_cosigned_and_held_there() -> None:
    pair = opened()
    pair.arcadia.events.clear()
    ticket = pair.say(pair.arcadia, "good morning")
    pair.run()
    held, cosigned = pair.arcadia.events
    assert isinstance(held, EntryHeld)
    assert held.ticket == ticket
    assert isinstance(cosigned, Cosigned)
    assert cosigned.size == 3
    there = pair.borealis.events[-1]
    assert isinstance(there, EntryHeld)
    assert [one.member for one in there.openings] == ["from", "text", "to"]
    check_pair(pair)


def test_what_is_cosigned_stands_in_the_fold_whoever_asks_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pair = opened()
    machine, origin = pair.borealis.machine, pair.arcadia.store.own.origin
    settle, sizes = machine.committed, []

    def committed(commit: Commit, now: Now) -> None:
        settle(commit, now)
        sizes.append((machine.fold.size(origin), machine.cosigned_here))

    monkeypatch.setattr(machine, "committed", committed)
    pair.say(pair.arcadia, "good morning")
    pair.run()
    assert (3, 3) in sizes
    assert all(folded == cosigned for folded, cosigned in sizes)
    check_pair(pair)


def test_line_up_is_told_once_per_connection_and_line_down_when_it_ends() -> None:
    pair = opened()
    pair.disconnect()
    pair.connect()
    pair.run()
    kinds = [type(e) for e in pair.arcadia.events if isinstance(e, LineUp | LineDown)]
    assert kinds == [LineUp, LineDown, LineUp]


def test_what_is_written_without_a_link_is_delivered_with_the_next() -> None:
    pair = opened()
    pair.disconnect()
    for number in range(20):
        pair.say(pair.arcadia, f"waiting {number}")
    pair.run()
    assert len(pair.arcadia.held) == 22
    assert pair.arcadia.machine.waiting == 20
    pair.connect()
    pair.run()
    check_pair(pair)


def test_both_may_write_at_once() -> None:
    pair = opened()
    for number in range(50):
        pair.say(pair.arcadia, f"from arcadia {number}")
        pair.say(pair.borealis, f"from borealis {number}")
    pair.run()
    check_pair(pair)


def test_a_burst_passes_the_credit_and_arrives_whole() -> None:
    pair = opened()
    for number in range(4_000):
        pair.say(pair.arcadia, f"burst {number}")
    pair.run()
    assert pair.borealis.store.theirs.size == 4_002
    check_pair(pair)


def test_catching_up_reads_a_store_in_bounded_pieces() -> None:
    pair = opened()
    pair.disconnect()
    for number in range(4_000):
        pair.say(pair.arcadia, f"long ago {number}")
    pair.run()
    pair.restart(pair.arcadia)
    pair.connect()
    pair.run()
    assert pair.arcadia.store.own.most_read <= 65_536
    check_pair(pair)


@pytest.mark.parametrize("seed", range(12))
def test_connections_may_end_at_any_time(seed: int) -> None:
    pair = opened(seed, is_uneven=True)
    for _ in range(12):
        for side in pair.sides:
            for number in range(pair.random.randrange(5)):
                pair.say(side, f"{number}")
        pair.run(pair.random.random() * 0.06)
        pair.disconnect()
        pair.run(pair.random.random() * 0.01)
        pair.connect()
    pair.run()
    check_pair(pair)


def say_and_ring(pair: Pair) -> None:
    pair.append(pair.arcadia, ring())
    pair.say(pair.arcadia, "one")
    pair.say(pair.borealis, "two")


def kill_at(pair: Pair, step: int, *victims: Side) -> bool:
    """Run `pair`, kill `victims` after `step` steps; say whether the run was that long."""
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1
        check_always(pair)
        if steps == step:
            for victim in victims:
                pair.restart(victim)
            pair.connect()

    pair.on_step = count
    pair.run()
    return steps >= step


@pytest.mark.parametrize("who", ["arcadia", "borealis", "both"])
def test_a_node_may_be_killed_between_any_two_steps(who: str) -> None:
    for step in range(1, 200):
        pair = opened(step)
        victims = pair.sides if who == "both" else (getattr(pair, who),)
        say_and_ring(pair)
        was_long = kill_at(pair, step, *victims)
        check_pair(pair)
        if not was_long:
            assert step > 20
            return
    raise AssertionError("the run never ended")


def act_at_random(pair: Pair, side: Side, world: random.Random) -> None:
    if not side.connection and world.random() < 0.5:
        pair.connect()
    choice = world.random()
    try:
        if choice < 0.5:
            pair.say(side, f"{choice}")
        elif choice < 0.6:
            pair.append(side, ring(world.randbytes(16).hex()))
        elif choice < 0.7:
            act_in_a_call(pair, side)
        elif choice < 0.8:
            pair.append(side, drafts.line_test())
        elif choice < 0.9:
            pair.disconnect()
        else:
            pair.restart(side)
    except (IllegalActError, LinkDownError, BusyError):
        pass


def act_in_a_call(pair: Pair, side: Side) -> None:
    """Take back or decline the first call that rings here."""
    for call, state in side.machine.fold.calls.items():
        if state.phase is Phase.RINGING:
            is_own = state.rung[0] == side.store.own.origin
            act = drafts.cancel if is_own else drafts.decline
            pair.append(side, act(call, (state.rung[0], state.rung[1])))
            return


@pytest.mark.parametrize("seed", range(30))
def test_any_mix_of_acts_cuts_and_restarts_ends_in_agreement(seed: int) -> None:
    pair = opened(seed, is_uneven=True)
    for _ in range(60):
        act_at_random(pair, pair.random.choice(pair.sides), pair.random)
        pair.run(pair.random.random() * 0.03)
    pair.connect()
    pair.run()
    check_pair(pair)


def test_duplicate_pushes_are_skipped_and_cosigned_again() -> None:
    pair = Pair(0)
    pair.tamper = lambda _, frame: [frame, frame] if frame[1:6] == b"\xa4push" else [frame]
    pair.open()
    for number in range(30):
        pair.say(pair.arcadia, f"{number}")
        pair.run(0.004)
    pair.run()
    check_pair(pair)


def test_a_slow_disk_gathers_what_arrives_into_one_commit() -> None:
    pair = opened()
    before = pair.arcadia.store.commits
    for number in range(40):
        pair.append(pair.arcadia, drafts.line_test() if number % 2 else message(f"{number}"))
    pair.run()
    # The first alone, the rest as one, the cosigned checkpoint.
    assert pair.arcadia.store.commits - before <= 4
    check_pair(pair)


def test_the_folds_roots_come_from_the_logs() -> None:
    pair = opened()
    say_and_ring(pair)
    pair.run()
    entries = pair.arcadia.store.own.all_entries()
    assert pair.borealis.machine._books.mirror.log.root_at(2) == plain_root(entries[:2])

"""What goes into a commit, in which order, and when a commit is due."""

import contextlib

import pytest

from fakes.joined import Pair, message, opening_acts
from fakes.villain import Victim, Villain
from telcon.core import draft as drafts
from telcon.core import frames
from telcon.core.author import BATCH_OCTETS
from telcon.core.machine import ActDropped, EntryHeld, LineDown, Now
from telcon.core.seal import Text
from telcon.errors import BusyError, IllegalActError, MisuseError


def opened() -> Victim:
    victim = Victim()
    victim.append(*opening_acts())
    return victim


def linked() -> tuple[Victim, Villain]:
    victim, villain = opened(), Villain()
    victim.link_up()
    victim.receive(villain.hello(), villain.push())
    victim.receive(frames.Cosigned(2, villain.cosign(victim.store.own, 2)))
    victim.wait(1.0)
    victim.events.clear()
    return victim, villain


def test_nothing_to_do_makes_no_commit_and_no_deadline() -> None:
    victim = opened()
    assert victim.machine.take_commit(victim.now()) is None
    assert victim.machine.next_deadline() is None


def test_an_act_stands_before_the_bulk_that_came_earlier() -> None:
    victim, _ = linked()
    bulk = victim.machine.append_bulk(message("bulk"), victim.now())
    act = victim.machine.append(drafts.line_test(), victim.now())
    victim.turn()
    held = [event for event in victim.told(EntryHeld) if isinstance(event, EntryHeld)]
    assert [event.ticket for event in held] == [act, bulk]


def test_a_batch_takes_about_64_kib_of_bulk() -> None:
    victim, _ = linked()
    for number in range(1_000):
        victim.machine.append_bulk(message(f"{number}"), victim.now())
    commit = victim.machine.take_commit(victim.now())
    assert commit is not None
    octets = sum(map(len, commit.grown[0].entries))
    assert BATCH_OCTETS <= octets < BATCH_OCTETS + 1_000


def test_bulk_is_composed_for_the_next_commit_while_one_is_under_way() -> None:
    victim, _ = linked()
    victim.machine.append(drafts.line_test(), victim.now())
    first = victim.machine.take_commit(victim.now())
    assert first is not None
    size = victim.machine.fold.size(victim.store.own.origin)
    victim.machine.append_bulk(message("as the disk is at work"), victim.now())
    assert victim.machine.take_commit(victim.now()) is None
    assert victim.machine.fold.size(victim.store.own.origin) == size + 1


def test_a_disk_that_refuses_for_long_leaves_acts_their_room() -> None:
    victim, _ = linked()
    for _ in range(20):
        for number in range(300):
            with contextlib.suppress(BusyError):
                victim.machine.append_bulk(message(f"{number}"), victim.now())
        commit = victim.machine.take_commit(victim.now())
        assert commit is not None
        victim.machine.commit_failed(commit, victim.now())
        victim.time_s += 1.0
    victim.machine.append(drafts.line_frozen(Text("en", "whatever the disk does")), victim.now())


def test_more_than_4096_waiting_messages_are_refused() -> None:
    victim, _ = linked()
    for _ in range(4_096):
        victim.machine.append_bulk(drafts.blank(), victim.now())
    with pytest.raises(BusyError):
        victim.machine.append_bulk(drafts.blank(), victim.now())
    victim.turn()
    victim.machine.append_bulk(drafts.blank(), victim.now())


def test_more_than_1024_acts_that_are_not_durable_are_refused() -> None:
    victim, _ = linked()
    for _ in range(1_024):
        victim.machine.append(drafts.line_test(), victim.now())
    with pytest.raises(BusyError):
        victim.machine.append(drafts.line_test(), victim.now())


def test_an_illegal_act_is_refused_and_nothing_is_written() -> None:
    victim, _ = linked()
    with pytest.raises(IllegalActError, match="no such call"):
        victim.machine.append(drafts.hang_up("c" * 32, "1" * 16), victim.now())
    assert victim.machine.take_commit(victim.now()) is None
    assert victim.machine.fold.size(victim.store.own.origin) == 2


def test_bulk_that_is_void_when_its_turn_comes_is_dropped_with_its_reason() -> None:
    victim, _ = linked()
    lost = victim.machine.append_bulk(
        drafts.line_tested((victim.store.own.origin, 0)), victim.now()
    )
    kept = victim.machine.append_bulk(message("kept"), victim.now())
    victim.turn()
    (dropped,) = victim.told(ActDropped)
    assert isinstance(dropped, ActDropped)
    assert (dropped.ticket, dropped.void.value) == (lost, "refers to nothing")
    (held,) = victim.told(EntryHeld)
    assert isinstance(held, EntryHeld)
    assert held.ticket == kept


def test_a_draft_that_makes_no_entry_does_not_stop_the_line() -> None:
    victim, _ = linked()
    victim.machine.append_bulk(drafts.Draft("call.teleport"), victim.now())
    victim.machine.append_bulk(message("kept"), victim.now())
    victim.turn()
    assert len(victim.told(ActDropped)) == len(victim.told(EntryHeld)) == 1


def test_bulk_waits_while_half_the_credit_is_in_flight_and_acts_do_not() -> None:
    victim, _ = linked()
    for _ in range(40):
        victim.append(*[message("x" * 4_000)] * 4)
    victim.events.clear()
    waiting = victim.machine.append_bulk(message("later"), victim.now())
    act = victim.machine.append(drafts.line_test(), victim.now())
    victim.turn()
    (held,) = victim.told(EntryHeld)
    assert isinstance(held, EntryHeld)
    assert held.ticket == act
    victim.machine.link_down(victim.now())
    victim.turn()
    tickets = [e.ticket for e in victim.told(EntryHeld) if isinstance(e, EntryHeld)]
    assert tickets == [act, waiting]


def test_an_entry_bears_what_was_cosigned_when_it_was_written() -> None:
    victim, villain = linked()
    villain.write(message("not durable yet"))
    victim.receive(villain.push(2), commit=False)
    before = victim.machine.append(drafts.line_test(), victim.now())
    victim.turn()
    after = victim.machine.append(drafts.line_test(), victim.now())
    victim.turn()
    seen = {
        event.ticket: event.entry.seen[0]
        for event in victim.told(EntryHeld)
        if isinstance(event, EntryHeld) and event.entry and event.ticket
    }
    assert seen == {before: 2, after: 3}


def test_our_cosignature_of_their_log_is_stored_with_the_next_commit() -> None:
    victim, villain = linked()
    villain.write(message("x"))
    victim.receive(villain.push(2))
    assert not victim.store.theirs.notes[3].cosigned
    commits = victim.store.commits
    victim.wait(0.9)
    assert victim.store.commits == commits
    victim.wait(0.2)
    assert victim.store.commits == commits + 1
    assert victim.store.theirs.notes[3].cosigned


def test_close_offers_what_waits_at_once() -> None:
    victim, villain = linked()
    villain.write(message("x"))
    victim.receive(villain.push(2))
    assert victim.machine.take_commit(victim.now()) is None
    victim.machine.close(victim.now())
    victim.turn()
    assert victim.store.theirs.notes[3].cosigned


def test_a_cosigned_note_that_failed_to_be_stored_is_offered_again() -> None:
    victim, villain = linked()
    villain.write(message("x"))
    victim.receive(villain.push(2))
    later = Now(victim.now().utc_us, victim.time_s + 1)
    commit = victim.machine.take_commit(later)
    assert commit is not None
    victim.machine.commit_failed(commit, later)
    victim.wait(3)
    assert victim.store.theirs.notes[3].cosigned


def test_a_cosignature_counts_as_stored_once_its_commit_is_done() -> None:
    victim, villain = linked()
    machine = victim.machine
    victim.append(message("x"))
    victim.receive(frames.Cosigned(3, villain.cosign(victim.store.own, 3)))
    assert (machine.cosigned_by_peer, machine.cosigned_stored) == (3, 2)
    later = Now(victim.now().utc_us, victim.time_s + 1)
    commit = machine.take_commit(later)
    assert commit is not None
    machine.commit_failed(commit, later)
    assert machine.cosigned_stored == 2
    victim.wait(3)
    assert machine.cosigned_stored == 3


def test_what_we_signed_and_nobody_cosigned_is_kept_when_the_link_goes() -> None:
    victim, _ = linked()
    victim.append(drafts.line_test())
    (push,) = [one for one in victim.sent_of(frames.Push) if isinstance(one, frames.Push)][-1:]
    victim.machine.link_down(victim.now())
    victim.turn()
    assert 3 not in victim.store.own.notes
    victim.wait(1.0)
    note = victim.store.own.notes[3]
    assert (note.note, note.cosigned) == (push.note, False)
    assert victim.store.own.newest_note() == (2, victim.store.own.notes[2].note)
    assert Victim(victim.store).machine.cosigned_by_peer == 2
    victim.link_up()
    victim.machine.link_down(victim.now())
    assert victim.machine.next_deadline() is None  # it is kept already


def test_a_signed_note_that_failed_to_be_stored_is_offered_again_and_a_cosigned_one_stays() -> None:
    victim, villain = linked()
    victim.append(drafts.line_test())
    victim.machine.link_down(victim.now())
    victim.time_s += 1.0
    failed = victim.machine.take_commit(victim.now())
    assert failed is not None
    victim.machine.commit_failed(failed, victim.now())
    victim.wait(1.0)
    assert not victim.store.own.notes[3].cosigned
    victim.link_up()
    victim.receive(villain.hello(villain.last(victim.store.own, 3)))
    victim.wait(1.0)
    assert victim.store.own.notes[3].cosigned
    victim.machine.link_down(victim.now())
    victim.wait(1.0)
    assert victim.store.own.notes[3].cosigned


def test_times_of_cosignatures_never_fall_though_the_clock_does() -> None:
    victim, villain = linked()
    newest = victim.machine._books.mirror._timestamp
    victim.time_s -= 500
    villain.write(message("x"))
    victim.receive(villain.push(2))
    assert victim.machine._books.mirror._timestamp == newest


def test_link_up_again_takes_the_place_of_the_connection_before() -> None:
    victim, villain = linked()
    victim.link_up()
    assert victim.told(LineDown)
    assert [type(frame) for frame in victim.sent[-1:]] == [frames.Hello]
    victim.receive(villain.hello())
    assert isinstance(victim.sent[-1], frames.Push)


def test_a_signal_over_the_limit_is_our_own_mistake() -> None:
    victim, _ = linked()
    victim.machine.signal("level", "", b"x" * 16_384, victim.now())
    with pytest.raises(MisuseError):
        victim.machine.signal("level", "", b"x" * 16_385, victim.now())


def test_waiting_counts_what_the_peer_has_not_cosigned() -> None:
    pair = Pair(0)
    pair.open()
    assert pair.arcadia.machine.waiting == 0
    pair.disconnect()
    pair.say(pair.arcadia, "x")
    pair.arcadia.machine.append_bulk(message("y"), pair.now())
    assert pair.arcadia.machine.waiting == 2

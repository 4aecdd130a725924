"""A peer with true keys and no manners: it costs itself the line and us nothing."""

from itertools import product

import pytest

from fakes.joined import ARCADIA, LINE, START_US, identity_of, message, opening_acts, ring
from fakes.line_checks import plain_root
from fakes.memory_log import MemoryStore
from fakes.villain import Victim, Villain
from telcon.core import draft as drafts
from telcon.core import frames
from telcon.core.machine import (
    Cosigned,
    EntryHeld,
    ForkFound,
    LineBroken,
    LineDown,
    LineUp,
    Marker,
    PushRefused,
    SignalReceived,
)
from telcon.core.pushing import CREDIT_OCTETS
from telcon.core.seal import Text
from telcon.errors import IllegalActError
from telcon.ledger import Checkpoint, Fork, fork_between, fork_hash, sign_checkpoint, verify_fork

SECOND = START_US // 1_000_000


def met() -> tuple[Victim, Villain]:
    """Return the two with both logs opened, pushed and cosigned."""
    victim, villain = Victim(), Villain()
    victim.append(*opening_acts())
    victim.link_up()
    victim.receive(villain.hello(), villain.push())
    victim.receive(frames.Cosigned(2, villain.cosign(victim.store.own, 2)))
    assert victim.machine.cosigned_by_peer == victim.machine.cosigned_here == 2
    victim.sent.clear()
    victim.events.clear()
    return victim, villain


# -- forks


def test_a_fork_of_one_size_is_kept_as_evidence_told_and_never_cosigned() -> None:
    victim, villain = met()
    other = villain.fork(1)
    other.write(drafts.line_terms("end"))
    held, forked = villain.note(), other.note()
    victim.receive(other.push(1))
    assert victim.store.evidence == [Fork(held, forked)]
    assert victim.told(ForkFound) == [ForkFound(Fork(held, forked))]
    assert frames.Evidence(held, forked) in victim.sent
    assert victim.refusals() == ["fork"]
    villain.write(message("as if nothing had been"))
    victim.receive(villain.push(2))
    assert victim.machine.cosigned_here == 2
    assert victim.refusals() == ["fork", "fork"]


def test_a_peer_that_rolls_back_and_goes_on_differently_has_forked() -> None:
    victim, villain = met()
    for number in range(5):
        villain.write(message(f"{number}"))
    victim.receive(villain.push(2))
    other = villain.fork(3)
    for number in range(10):
        other.write(message(f"no, {number}"))
    victim.receive(other.push(3))
    (fork,) = victim.store.evidence
    assert (fork.first, fork.second) == (villain.note(), other.note())
    verify_fork(fork, villain.identity.own_card.log)
    assert frames.Contradiction(fork.first, fork.second, list(fork.path)) in victim.sent
    assert victim.store.theirs.all_entries() == villain.log.all_entries()


def test_a_fork_of_any_two_sizes_is_proven_by_what_is_kept() -> None:
    """Where it parted, how much is held, how much is claimed: all small cases."""
    proven = 0
    for held, parted, claimed in product(range(3, 9), range(1, 8), range(3, 11)):
        if parted >= min(held, claimed):
            continue
        victim, villain = met()
        villain.write(*[message("held")] * (held - 2))
        victim.receive(villain.push(2))
        other = villain.fork(parted)
        other.write(*[message("claimed")] * (claimed - parted))
        victim.receive(other.push(parted))
        (fork,) = victim.store.evidence
        first, second = verify_fork(fork, villain.identity.own_card.log)
        assert (first.size, second.size) == (min(held, claimed), max(held, claimed))
        proven += 1
    assert proven > 100


def test_a_fork_freezes_the_line_by_an_entry_once() -> None:
    victim, villain = met()
    other = villain.fork(1)
    other.write(drafts.line_terms("end"))
    victim.receive(other.push(1))
    own = victim.store.own.all_entries()
    assert len(own) == 3
    assert b'{"type":"line.frozen"' in own[2]
    assert victim.machine.fold.is_frozen
    with pytest.raises(IllegalActError, match="line frozen"):
        victim.append(message("as if nothing had been"))
    villain.write(message("more"))
    victim.receive(villain.push(2))
    again = Victim(victim.store)
    again.link_up()
    again.receive(villain.hello())
    assert again.store.own.all_entries() == own


def test_a_fork_that_was_found_before_a_crash_freezes_at_the_next_start() -> None:
    victim, villain = met()
    other = villain.fork(1)
    other.write(drafts.line_terms("end"))
    victim.receive(other.push(1))
    victim.store.own = victim.store.own.copy(2)  # killed before the entry was written
    victim.store.marker = Marker(2, villain_root(victim))
    again = Victim(victim.store)
    assert b'{"type":"line.frozen"' in again.store.own.all_entries()[2]


def test_a_fork_found_before_our_log_was_opened_freezes_as_soon_as_it_is() -> None:
    victim, villain = Victim(), Villain()
    victim.link_up()
    other = villain.fork(1)
    other.write(drafts.line_terms("end"))
    victim.receive(villain.hello(), villain.push(), other.push(1))
    assert victim.store.own.size == 0
    victim.append(opening_acts()[0])
    assert b'{"type":"line.frozen"' in victim.store.own.all_entries()[1]


def test_a_fork_may_be_acknowledged_on_the_frozen_line() -> None:
    victim, villain = met()
    other = villain.fork(1)
    other.write(drafts.line_terms("end"))
    victim.receive(other.push(1))
    name = fork_hash(victim.store.evidence[0])
    victim.append(drafts.line_acknowledged(name, Text("en", "we have seen it")))
    own = victim.identity.own_card.log.name
    assert victim.machine.fold.line.acknowledged[own] == {name.hex()}
    assert victim.machine.fold.is_frozen


def test_a_fork_is_remembered_after_a_restart() -> None:
    victim, villain = met()
    other = villain.fork(1)
    other.write(drafts.line_terms("end"))
    victim.receive(other.push(1))
    again = Victim(victim.store)
    again.link_up()
    again.receive(villain.hello())
    assert again.sent_of(frames.Evidence)
    villain.write(message("more"))
    again.receive(villain.push(2))
    assert again.refusals() == ["fork"]
    hello = again.sent[0]
    assert isinstance(hello, frames.Hello)
    assert hello.last == villain.note(2)  # without a fresh cosignature


def test_other_entries_under_no_checkpoint_of_theirs_are_no_fork() -> None:
    victim, villain = met()
    other = villain.fork(1)
    other.write(drafts.line_terms("end"))
    victim.receive(other.push(1, note=villain.note(2)))
    victim.receive(other.push(1, note=other.note(key=villain.identity.mirror_key)))
    assert victim.refusals() == ["hash", "signature"]
    assert victim.store.evidence == []


def test_a_false_checkpoint_over_true_entries_is_a_fork() -> None:
    victim, villain = met()
    false = Checkpoint(villain.log.origin, 2, b"\1" * 32)
    victim.receive(villain.push(note=sign_checkpoint(false, villain.identity.log_key)))
    assert victim.told(ForkFound)


# -- what a push must be


def test_a_push_signed_wrongly_is_refused_whole() -> None:
    victim, villain = met()
    villain.write(message("signed by the wrong key"))
    wrong = villain.note(key=villain.identity.mirror_key)
    victim.receive(villain.push(2, note=wrong))
    assert victim.refusals() == ["signature"]
    assert victim.store.theirs.size == 2
    assert not victim.complaint().close
    victim.receive(villain.push(2))  # the same again, rightly
    assert victim.machine.cosigned_here == 3


def test_a_checkpoint_of_our_own_log_does_not_cover_a_push() -> None:
    victim, villain = met()
    villain.write(message("x"))
    own = sign_checkpoint(
        Checkpoint(victim.store.own.origin, 3, villain.checkpoint().root),
        villain.identity.log_key,
    )
    victim.receive(villain.push(2, note=own))
    assert victim.refusals() == ["signature"]


def test_a_root_that_is_not_that_of_the_entries_is_refused() -> None:
    victim, villain = met()
    villain.write(message("x"))
    false = Checkpoint(villain.log.origin, 3, b"\1" * 32)
    victim.receive(villain.push(2, note=sign_checkpoint(false, villain.identity.log_key)))
    assert victim.refusals() == ["hash"]
    assert victim.store.theirs.size == 2


def test_a_checkpoint_of_another_size_than_the_push_is_refused() -> None:
    victim, villain = met()
    villain.write(message("x"), message("y"))
    victim.receive(villain.push(2, 3, note=villain.note(4)))
    assert victim.refusals() == ["hash"]


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_push_that_withholds_an_opening_is_refused_whole(missing: int) -> None:
    victim, villain = met()
    villain.write(message("first"), message("second"))
    push = villain.push(2)
    sent = push.openings
    victim.receive(frames.Push(2, push.entries, sent[:missing] + sent[missing + 1 :], push.note))
    assert victim.refusals() == ["opening"]
    assert victim.store.theirs.size == 2
    assert victim.machine.cosigned_here == 2
    victim.receive(push)
    assert victim.machine.cosigned_here == 4


@pytest.mark.parametrize("key", [b"", b"k" * 31, b"k" * 33, b"k" * 32])
def test_an_opening_that_does_not_fit_is_refused(key: bytes) -> None:
    victim, villain = met()
    villain.write(message("x"))
    push = villain.push(2)
    first, *others = push.openings
    false = frames.SentOpening(2, first.member, key, first.content)
    victim.receive(frames.Push(2, push.entries, [false, *others], push.note))
    assert victim.refusals() == ["opening"]


def test_our_seal_copied_into_their_log_opens_nothing() -> None:
    victim, villain = met()
    victim.append(message("our words"))
    entry = victim.store.own.all_entries()[2]
    villain.write_bytes(entry, tuple(one for _, one in victim.store.own.openings(2, 1)))
    victim.receive(villain.push(2))
    assert victim.refusals() == ["opening"]


def test_openings_that_nobody_asked_for_are_not_kept() -> None:
    victim, villain = met()
    villain.write(drafts.line_test(), message("x"))
    push = villain.push(2)
    extra = [
        frames.SentOpening(2, "text", b"k" * 32, b"no such seal"),
        frames.SentOpening(900, "text", b"k" * 32, b"no such entry"),
        frames.SentOpening(3, "topic", b"k" * 32, b"no such member"),
    ]
    victim.receive(frames.Push(2, push.entries, push.openings + extra, push.note))
    assert victim.machine.cosigned_here == 4
    assert sorted(victim.store.theirs.opened) == [3]
    assert len(victim.store.theirs.opened[3]) == 3


def test_bytes_that_are_no_entry_are_held_cosigned_and_void() -> None:
    victim, villain = met()
    villain.write_bytes(b"\xff not an entry")
    villain.write_bytes(b'{"type":"call.teleport","v":7}')
    villain.write(ring())
    victim.receive(villain.push(2))
    assert victim.machine.cosigned_here == 5
    voids = [e.void and e.void.value for e in victim.told(EntryHeld) if isinstance(e, EntryHeld)]
    assert voids == ["not canonical", "unknown type", "not in both sides' terms"]


def test_an_entry_over_the_limit_is_refused() -> None:
    victim, villain = met()
    villain.write_bytes(b"x" * 16_385)
    victim.receive(villain.push(2))
    assert victim.refusals() == ["limit"]
    fits = villain.fork(2)
    fits.write_bytes(b"x" * 16_384)
    victim.receive(fits.push(2))
    assert victim.machine.cosigned_here == 3


def test_an_empty_entry_is_refused() -> None:
    victim, villain = met()
    villain.write_bytes(b"")
    victim.receive(villain.push(2))
    assert victim.refusals() == ["limit"]


def test_an_opening_over_the_limit_is_refused() -> None:
    victim, villain = met()
    villain.write(message("x"))
    push = villain.push(2)
    extra = frames.SentOpening(2, "x", b"", b"x" * 8_193)
    victim.receive(frames.Push(2, push.entries, [*push.openings, extra], push.note))
    assert victim.refusals() == ["limit"]


def test_a_gap_is_refused_once_for_all_that_follows() -> None:
    victim, villain = met()
    villain.write(*(message(f"{number}") for number in range(5)))
    victim.receive(villain.push(3, 4), villain.push(4, 5), villain.push(5, 6))
    assert victim.refusals() == ["gap"]
    victim.receive(villain.push(2))
    assert victim.machine.cosigned_here == 7


def test_bad_pushes_without_end_close_the_connection() -> None:
    victim, villain = met()
    villain.write(message("x"))
    wrong = villain.push(2, note=villain.note(key=villain.identity.mirror_key))
    victim.receive(*[wrong] * 30)
    assert len(victim.refusals()) == 16
    victim.receive(villain.push(2))
    assert victim.machine.cosigned_here == 2


# -- floods


def test_a_flood_without_cosignatures_is_refused_at_twice_the_credit() -> None:
    victim, villain = met()
    octets = 0
    while not victim.refusals():
        first = villain.log.size
        villain.write(*(message("x" * 4_000) for _ in range(10)))
        push = villain.push(first)
        victim.receive(push, commit=False)
        octets += len(frames.format_frame(push))
    assert victim.refusals() == ["over credit"]
    assert 2 * CREDIT_OCTETS < octets < 2 * CREDIT_OCTETS + frames.MAX_FRAME_OCTETS
    victim.turn()
    assert victim.machine.cosigned_here == villain.log.size - 10


def test_an_author_stops_at_the_credit_and_goes_on_when_cosigned() -> None:
    victim, villain = met()
    for number in range(400):
        victim.append(message(f"{number}" + "x" * 4_000))
    sent = [frame for frame in victim.sent_of(frames.Push) if isinstance(frame, frames.Push)]
    octets = sum(len(frames.format_frame(push)) for push in sent)
    assert CREDIT_OCTETS - frames.MAX_FRAME_OCTETS < octets <= CREDIT_OCTETS
    size = sent[-1].first + len(sent[-1].entries)
    victim.receive(frames.Cosigned(size, villain.cosign(victim.store.own, size)))
    last = victim.sent[-1]
    assert isinstance(last, frames.Push)
    assert last.first > size


def test_a_thousand_questions_are_answered_once() -> None:
    victim, _ = met()
    for _ in range(1_000):
        victim.machine.receive_frame(frames.format_frame(frames.AskLast()), victim.now())
        victim.machine.receive_frame(frames.format_frame(frames.Fetch(0)), victim.now())
    victim.turn()
    assert len(victim.sent_of(frames.Last)) == len(victim.sent_of(frames.Refill)) == 1


def test_signals_pass_in_both_directions_and_wait_in_bounded_number() -> None:
    victim, _ = met()
    victim.receive(frames.Signal("hint", "c" * 32, b"body"))
    assert victim.told(SignalReceived) == [SignalReceived("hint", "c" * 32, b"body")]
    for number in range(1_000):
        victim.machine.signal("level", "", b"%d" % number, victim.now())
    victim.turn()
    sent = victim.sent_of(frames.Signal)
    assert len(sent) == 256
    assert sent[-1] == frames.Signal("level", "", b"999")


# -- cosignatures


def test_a_cosignature_by_the_log_key_is_refused() -> None:
    victim, villain = met()
    victim.append(message("x"))
    identity = villain.identity
    for name, key in [
        (identity.own_card.log.name, identity.log_key),
        (identity.own_card.mirror.name, identity.log_key),
    ]:
        victim, _ = met()
        victim.append(message("x"))
        line = villain.cosign(victim.store.own, 3, name=name, key=key)
        victim.receive(frames.Cosigned(3, line))
        assert victim.complaint().close
        assert victim.machine.cosigned_by_peer == 2


def test_a_cosignature_by_our_own_mirror_key_is_refused() -> None:
    victim, villain = met()
    victim.append(message("x"))
    own = identity_of(ARCADIA)
    line = villain.cosign(victim.store.own, 3, name=own.own_card.mirror.name, key=own.mirror_key)
    victim.receive(frames.Cosigned(3, line))
    assert victim.complaint().close
    assert victim.machine.cosigned_by_peer == 2


def test_a_cosignature_of_another_checkpoint_is_refused() -> None:
    victim, villain = met()
    victim.append(message("x"), message("y"))
    victim.receive(frames.Cosigned(4, villain.cosign(victim.store.own, 3)))
    assert victim.complaint().close
    assert victim.machine.cosigned_by_peer == 2


def test_a_cosignature_of_what_was_never_signed_is_refused() -> None:
    victim, villain = met()
    victim.receive(frames.Cosigned(9, villain.cosign(victim.store.own, 2)))
    assert "never signed" in victim.complaint().reason


def test_an_old_cosignature_shown_again_changes_nothing() -> None:
    victim, villain = met()
    victim.append(message("x"))
    old = villain.cosign(victim.store.own, 2, time_s=SECOND - 1_000)
    victim.receive(frames.Cosigned(3, villain.cosign(victim.store.own, 3)))
    victim.receive(frames.Cosigned(2, old))
    assert "old cosignature" in victim.complaint().reason
    assert victim.machine.cosigned_by_peer == 3
    victim.wait(1)
    assert sorted(victim.store.own.notes) == [2, 3]


def test_a_cosignature_is_stored_within_a_second_and_outlives_a_restart() -> None:
    victim, villain = met()
    victim.append(message("x"))
    victim.receive(frames.Cosigned(3, villain.cosign(victim.store.own, 3)))
    deadline = victim.machine.next_deadline()
    assert deadline is not None
    assert deadline <= victim.time_s + 1.0
    victim.wait(1.0)
    assert victim.store.own.notes[3].cosigned
    assert Victim(victim.store).machine.cosigned_by_peer == 3


def test_a_mirror_that_lost_entries_is_given_them_again() -> None:
    victim, villain = met()
    victim.append(message("x"), message("y"))
    victim.receive(frames.Cosigned(4, villain.cosign(victim.store.own, 4)))
    victim.machine.link_up(victim.now())
    later = SECOND + 60
    victim.receive(villain.hello(villain.last(victim.store.own, 3, time_s=later), 3))
    push = victim.sent[-1]
    assert isinstance(push, frames.Push)
    assert push.first == 3
    victim.receive(frames.Cosigned(4, villain.cosign(victim.store.own, 4, time_s=later)))
    assert victim.machine.cosigned_by_peer == 4
    assert [e.size for e in victim.told(Cosigned) if isinstance(e, Cosigned)] == [4]


# -- the conversation


@pytest.mark.parametrize(
    "hello",
    [
        frames.Hello(2, "borealis.example", LINE, 0, 0, b""),
        frames.Hello(1, "cascadia.example", LINE, 0, 0, b""),
        frames.Hello(1, ARCADIA, LINE, 0, 0, b""),
        frames.Hello(1, "borealis.example", "f" * 32, 0, 0, b""),
        frames.Hello(1, "borealis.example", LINE, 0, 0, b"not a note"),
    ],
)
def test_a_wrong_hello_closes_the_connection(hello: frames.Hello) -> None:
    victim = Victim()
    victim.link_up()
    victim.receive(hello)
    assert victim.complaint().close
    assert victim.told(LineUp) == []


def test_anything_before_hello_or_a_second_hello_closes_the_connection() -> None:
    victim, villain = met()
    victim.receive(villain.hello())
    assert victim.complaint().close
    victim, villain = Victim(), Villain()
    victim.link_up()
    victim.receive(villain.push())
    assert victim.complaint().close
    assert victim.store.theirs.size == 0


def test_garbage_closes_the_connection_and_nothing_more_is_read() -> None:
    victim, villain = met()
    victim.machine.receive_frame(b"\x93garbage", victim.now())
    victim.turn()
    assert victim.complaint().close
    villain.write(message("after the garbage"))
    victim.receive(villain.push(2), frames.AskLast())
    assert victim.store.theirs.size == 2
    assert victim.sent == []


def test_answers_that_were_not_asked_for_close_the_connection() -> None:
    for frame in (frames.Last(b""), frames.Refill(0, [b"x"], [], True)):
        victim, _ = met()
        victim.receive(frame)
        assert victim.complaint().close


def test_a_peer_that_says_no_hello_is_left_after_ten_seconds() -> None:
    victim = Victim()
    victim.link_up()
    assert victim.machine.next_deadline() == victim.time_s + 10.0
    victim.wait(9.9)
    assert victim.events == []
    victim.wait(0.1)
    assert victim.complaint().close


def test_a_peer_that_never_cosigns_is_left_after_thirty_seconds() -> None:
    victim, _ = met()
    victim.wait(3_600)  # owes nothing
    victim.append(message("anybody there?"))
    victim.wait(29.9)
    assert victim.complaints() == []
    victim.wait(0.2)
    assert victim.complaint().close
    victim.machine.link_down(victim.now())
    victim.append(message("held here all the same"))
    assert victim.store.own.size == 4


def test_the_line_goes_down_with_the_connection() -> None:
    victim, _ = met()
    victim.machine.link_down(victim.now())
    victim.turn()
    assert victim.told(LineDown)


# -- refusals of our own pushes


def test_after_a_gap_the_peer_is_asked_what_it_holds() -> None:
    victim, villain = met()
    victim.append(message("x"))
    victim.receive(frames.Refused("gap", 2, "1 entry is held"))
    assert victim.told(PushRefused) == [PushRefused("gap", "1 entry is held")]
    assert victim.sent[-1] == frames.AskLast()
    victim.receive(frames.Last(villain.last(victim.store.own, 1, time_s=SECOND + 1)))
    push = victim.sent[-1]
    assert isinstance(push, frames.Push)
    assert push.first == 1


def test_a_peer_that_always_finds_a_gap_is_asked_only_so_often() -> None:
    victim, villain = met()
    victim.append(message("x"))
    for _ in range(50):
        victim.receive(frames.Refused("gap", 2, ""))
        if victim.sent[-1] != frames.AskLast():
            break
        victim.receive(frames.Last(villain.last(victim.store.own, 2)))
    assert len(victim.sent_of(frames.AskLast)) == 8
    assert victim.machine.next_deadline() is None


def test_after_another_refusal_nothing_is_pushed_on_this_connection() -> None:
    victim, villain = met()
    victim.append(message("x"))
    victim.receive(frames.Refused("opening", 2, "text has no opening that fits"))
    victim.sent.clear()
    victim.append(message("y"))
    assert victim.sent == []
    victim.link_up()
    victim.receive(villain.hello(villain.last(victim.store.own, 2)))
    assert len(victim.sent_of(frames.Push)) == 1


# -- evidence against us


def test_invented_evidence_against_us_shows_nothing() -> None:
    victim, villain = met()
    own = victim.store.own
    log_key = identity_of(ARCADIA).log_key
    true_1 = sign_checkpoint(Checkpoint(own.origin, 1, own.rows[0][1][:32]), log_key)
    true_2 = villain.last(own, 2)
    victim.receive(frames.Evidence(true_1, true_2), frames.Evidence(true_2, true_2))
    assert [complaint.close for complaint in victim.complaints()] == [False, False]
    assert victim.state == "going"
    forged = sign_checkpoint(Checkpoint(own.origin, 2, b"\1" * 32), villain.identity.log_key)
    victim.receive(frames.Evidence(true_2, forged))
    assert victim.complaints()[-1].close
    assert victim.state == "going"
    assert victim.store.evidence == []


def test_checkpoints_of_ours_of_two_sizes_prove_nothing_without_what_shows_it() -> None:
    """A node set back as a whole cannot be framed by the checkpoints that it has forgotten."""
    victim, villain = met()
    for number in range(4):
        victim.append(message(f"{number}"))
    past, store = victim.store.own.copy(), victim.store.backup()
    store.own = store.own.copy(4)
    store.marker = Marker(4, plain_root(store.own.all_entries()))
    again = Victim(store)
    again.link_up()
    again.receive(villain.hello(villain.last(past, 2)))
    again.receive(frames.Evidence(villain.last(past, 3), villain.last(past, 6)))
    assert again.store.evidence == []
    assert again.state == "asking"  # it has signed more than it holds: that is to be read back
    again.receive(villain.refill(past, 4), villain.refill(past, 4))
    assert again.state == "going"
    assert again.store.own.all_entries() == past.all_entries()


def test_a_contradiction_that_shows_none_is_a_complaint() -> None:
    victim, villain = met()
    for number in range(4):
        victim.append(message(f"{number}"))
    own = victim.store.own
    good, longer = villain.last(own, 3), villain.last(own, 6)
    path = fork_between(good, longer, own.hash).path
    for shown in (path, path[::-1], (b"\1" * 32, *path[1:])):
        victim.receive(frames.Contradiction(good, longer, list(shown)))
        assert "no contradiction" in victim.complaints()[-1].reason
    assert victim.state == "going"
    assert victim.store.evidence == []


def test_a_contradiction_of_two_sizes_against_us_ends_the_line_for_good() -> None:
    victim, villain = met()
    for number in range(4):
        victim.append(message(f"{number}"))
    own = victim.store.own
    other = sign_checkpoint(Checkpoint(own.origin, 3, b"\1" * 32), victim.identity.log_key)
    fork = fork_between(other, villain.last(own, 6), own.hash)
    victim.receive(frames.Contradiction(fork.first, fork.second, list(fork.path)))
    assert victim.state == "broken"
    (kept,) = victim.store.evidence
    verify_fork(kept, victim.identity.own_card.log)
    assert Victim(victim.store).state == "broken"


def test_another_history_that_is_shown_as_last_is_kept_with_what_shows_it() -> None:
    victim, villain = met()
    for number in range(4):
        victim.append(message(f"{number}"))
    own = victim.store.own
    victim.receive(frames.Cosigned(6, villain.cosign(own, 6)))
    victim.wait(1.0)
    other = sign_checkpoint(Checkpoint(own.origin, 5, b"\1" * 32), victim.identity.log_key)
    victim.link_up()
    victim.receive(villain.hello(other))
    assert victim.state == "broken"
    (fork,) = victim.store.evidence
    first, second = verify_fork(fork, victim.identity.own_card.log)
    assert (first.size, second.size) == (5, 6)


def test_evidence_against_a_log_that_has_ended_is_kept_all_the_same_and_once() -> None:
    victim, villain = met()
    victim.append(message("x"))
    own = victim.store.own
    notes = [
        sign_checkpoint(Checkpoint(own.origin, 3, root), victim.identity.log_key)
        for root in (own.rows[0][1][:32], b"\1" * 32)
    ]
    victim.link_up()
    victim.receive(villain.hello(notes[0]))  # another history than ours, longer than what we kept
    assert victim.state == "broken"
    assert victim.store.evidence == []
    for _ in range(2):
        victim.receive(frames.Evidence(notes[0], notes[1]))
    assert victim.store.evidence == [Fork(notes[0], notes[1])]
    again = Victim(victim.store)
    again.link_up()
    again.receive(villain.hello(), frames.Evidence(notes[0], notes[1]))
    assert len(again.store.evidence) == 1


def test_true_evidence_against_us_ends_the_line_for_good() -> None:
    victim, _ = met()
    own = victim.store.own
    log_key = identity_of(ARCADIA).log_key
    true = sign_checkpoint(Checkpoint(own.origin, 2, villain_root(victim)), log_key)
    other = sign_checkpoint(Checkpoint(own.origin, 2, b"\1" * 32), log_key)
    victim.receive(frames.Evidence(true, other))
    assert victim.state == "broken"
    assert victim.told(LineBroken)
    assert victim.told(ForkFound) == [ForkFound(Fork(true, other))]
    with pytest.raises(IllegalActError):
        victim.append(message("x"))
    again = Victim(victim.store)
    assert again.state == "broken"


def villain_root(victim: Victim) -> bytes:
    root = victim.machine._books.author.log.root_at(2)
    assert root is not None
    return root


# -- framed after a restore


def restored(entries: int, marker: Marker | None) -> tuple[Victim, Villain]:
    """Return a victim restored from an old backup, and a villain that has seen all of its log."""
    victim, villain = met()
    for number in range(10):
        victim.append(message(f"{number}"))
    villain.past = victim.store.own.copy()
    store = victim.store.backup()
    store.own = store.own.copy(entries)
    store.marker = marker if marker is not None else victim.store.marker
    return Victim(store), villain


def test_a_peer_that_withholds_what_it_holds_cannot_have_a_second_history_signed() -> None:
    victim, villain = restored(4, None)
    assert victim.state == "asking"
    victim.link_up()
    victim.receive(villain.hello(villain.last(villain.past, 7)))
    assert victim.state == "broken"
    assert victim.told(LineBroken)
    assert not victim.sent_of(frames.Push)
    victim, villain = restored(4, None)
    victim.link_up()
    victim.receive(villain.hello(b""))
    assert victim.state == "broken"


def test_a_restored_peer_may_not_pass_off_another_log_as_the_one_we_have_seen() -> None:
    victim, villain = met()
    victim.append(message("written having seen two entries"))
    past = victim.store.own.copy()
    for is_true in (True, False):
        again = Victim(MemoryStore(past.origin, villain.log.origin, victim.store.marker))
        again.link_up()
        again.receive(villain.hello(villain.last(past, 3)))
        again.receive(villain.refill(past, 0), villain.refill(past, 0))
        assert again.state == "asking"  # whole, but what it has seen is not here yet
        other = villain.fork(1)
        other.write(drafts.line_terms("end"))
        again.receive((villain if is_true else other).push())
        assert again.state == ("going" if is_true else "broken")


def test_a_log_that_meets_its_checkpoint_but_not_the_marker_has_ended() -> None:
    victim, villain = restored(4, Marker(8, b"\1" * 32))
    victim.link_up()
    victim.receive(villain.hello(villain.last(villain.past, 12)))
    victim.receive(villain.refill(villain.past, 4))
    assert victim.state == "broken"
    assert victim.store.own.size == 4


def test_a_refill_of_more_than_memory_allows_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telcon.core.refill.MAX_REFILL_ENTRIES", 7)
    victim, villain = restored(4, None)
    victim.link_up()
    victim.receive(villain.hello(villain.last(villain.past, 12)))
    assert victim.state == "broken"


def test_a_line_that_has_ended_refuses_pushes_as_frozen() -> None:
    victim, villain = restored(4, Marker(3, b"\1" * 32))
    assert victim.state == "broken"
    victim.link_up()
    victim.receive(villain.hello(villain.last(villain.past, 12)), villain.push())
    assert victim.refusals() == ["frozen"]
    assert victim.complaints() == []


def test_a_peer_whose_log_has_ended_is_asked_anew_on_each_connection() -> None:
    victim, villain = met()
    victim.append(message("to nobody"))
    victim.receive(frames.Refused("hash", 2, "not that"))
    assert not victim.machine.is_ended_there
    victim.receive(frames.Refused("frozen", 2, "this line has ended here"))
    assert victim.machine.is_ended_there
    victim.receive(frames.Cosigned(2, villain.cosign(victim.store.own, 2)))
    assert victim.machine.is_ended_there  # of before it ended, and nothing more is pushed
    victim.machine.link_down(victim.now())
    assert not victim.machine.is_ended_there
    victim.link_up()
    victim.receive(villain.hello(villain.last(victim.store.own, 2)))  # the refused entry goes again
    victim.receive(frames.Refused("frozen", 2, "this line has ended here"))
    assert victim.machine.is_ended_there
    victim.machine.link_down(victim.now())
    victim.link_up()
    victim.receive(villain.hello(villain.last(victim.store.own, 2)))
    victim.receive(frames.Cosigned(3, villain.cosign(victim.store.own, 3)))
    assert not victim.machine.is_ended_there
    assert victim.complaints() == []


def test_a_refusal_of_what_was_not_pushed_on_this_connection_ends_nothing() -> None:
    victim, villain = met()
    victim.machine.link_down(victim.now())
    victim.link_up()
    victim.receive(villain.hello(villain.last(victim.store.own, 2)))  # it holds all there is
    victim.receive(frames.Refused("frozen", 2, "this line has ended here"))
    assert not victim.machine.is_ended_there
    victim.machine.link_down(victim.now())
    victim.link_up()
    victim.append(message("is pushed"))
    victim.receive(villain.hello(villain.last(victim.store.own, 2)))
    victim.receive(frames.Cosigned(3, villain.cosign(victim.store.own, 3)))
    assert victim.machine.cosigned_by_peer == 3


def test_answers_to_pushes_that_were_never_sent_close_the_connection() -> None:
    for frame in (frames.Cosigned(2, b"x"), frames.Refused("gap", 0, "")):
        victim, villain = restored(4, None)  # asking: it pushes nothing
        victim.link_up()
        victim.receive(villain.hello(villain.last(villain.past, 12)), frame)
        assert victim.complaint().close


def test_evidence_that_a_peer_brings_against_itself_is_taken() -> None:
    victim, villain = met()
    other = villain.fork(1)
    other.write(drafts.line_terms("end"))
    victim.receive(frames.Evidence(villain.note(), other.note()))
    assert victim.store.evidence == [Fork(villain.note(), other.note())]
    villain.write(message("x"))
    victim.receive(villain.push(2))
    assert victim.refusals() == ["fork"]


def test_a_mirror_that_shows_an_older_state_without_having_cosigned_it_anew_is_noticed() -> None:
    victim, villain = met()
    victim.append(message("x"))
    victim.receive(frames.Cosigned(3, villain.cosign(victim.store.own, 3, time_s=SECOND + 9)))
    victim.link_up()
    victim.receive(villain.hello(villain.last(victim.store.own, 2, time_s=SECOND)))
    assert "old cosignature" in victim.complaint().reason
    assert victim.machine.cosigned_by_peer == 3


def test_who_refuses_and_shows_old_cosignatures_without_end_is_pushed_to_no_more() -> None:
    """Each round would bring a megabyte of our log for three small frames."""
    victim, villain = met()
    for number in range(40):
        victim.append(message(f"{number}"))
    own = victim.store.own
    rounds = 0
    for _ in range(50):
        victim.sent.clear()
        victim.receive(frames.Refused("gap", 0, ""))
        if not victim.sent_of(frames.AskLast):
            break
        victim.receive(
            frames.Last(villain.last(own, 2)), frames.Cosigned(2, villain.cosign(own, 2))
        )
        rounds += 1
    assert rounds <= 8

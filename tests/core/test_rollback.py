"""Copies of a node, pictures of machines, and peers that claim more: the rows of operating.md.

What `test_machine_safety` and `test_machine_hostile` show of one node and its backups is not
repeated here; the table in docs/operating.md names the test of each case.
"""

from random import Random

import pytest

from fakes.joined import ARCADIA, Pair, Side, message, opening_acts
from fakes.line_checks import check_pair
from fakes.memory_log import MemoryStore
from fakes.villain import Victim, Villain
from telcon.core import frames
from telcon.core.machine import LineBroken
from telcon.ledger import (
    fork_between,
    parse_checkpoint_untrusted,
    parse_note_untrusted,
    verify_fork,
)


def conversation(seed: int, messages: int = 12) -> Pair:
    pair = Pair(seed)
    pair.open()
    talk(pair, "before", messages)
    return pair


def talk(pair: Pair, what: str, messages: int = 6) -> None:
    for number in range(messages):
        pair.say(pair.sides[number % 2], f"{what} {number}")
        pair.run(0.02)
    pair.run()


def picture(side: Side) -> MemoryStore:
    """Return all that the machine's disk holds, marker and all."""
    taken = side.store.backup()
    taken.marker = side.store.marker
    return taken


def set_back(pair: Pair, side: Side, to: MemoryStore) -> None:
    side.store = to
    side.held.clear()
    side.events.clear()
    pair.restart(side)


def signed(pair: Pair, name: str) -> dict[int, set[bytes]]:
    """Return, by size, all roots of its log that a node has ever signed and sent."""
    roots: dict[int, set[bytes]] = {}
    for sender, data in pair.carried:
        frame = frames.parse_frame_untrusted(data)
        if sender == name and isinstance(frame, frames.Push):
            checkpoint = parse_checkpoint_untrusted(parse_note_untrusted(frame.note).text)
            roots.setdefault(checkpoint.size, set()).add(checkpoint.root)
    return roots


# -- a copy of a node that runs at the same time


class Cloned:
    """A pair of which Arcadia runs twice; one of the two has the link at a time."""

    def __init__(self, seed: int) -> None:
        self.pair = conversation(seed)
        original = self.pair.arcadia
        self.pair.disconnect()
        clone = Side(ARCADIA, picture(original), original.machine)
        self.pair.crash(clone)
        self.both = [original, clone]

    def link(self, which: int) -> Side:
        """Let one of the two dial: it takes the place of the other's connection."""
        self.pair.disconnect()
        self.pair.arcadia = self.both[which]
        self.pair.connect()
        return self.pair.arcadia


def test_of_a_node_and_its_copy_the_one_that_wrote_unlinked_ends() -> None:
    cloned = Cloned(1)
    pair = cloned.pair
    cloned.link(0)
    talk(pair, "the original")
    pair.disconnect()
    pair.arcadia = cloned.both[1]
    pair.say(pair.arcadia, "the copy, before it was linked")
    pair.run()
    cloned.link(1)
    pair.run()
    (told,) = pair.arcadia.told(LineBroken)
    assert isinstance(told, LineBroken)
    assert "written where others had been signed" in told.reason
    pair.borealis.events.clear()  # who has ended owes it an answer, and it hangs up
    cloned.link(0)
    talk(pair, "the original goes on")
    check_pair(pair)


def test_a_copy_that_wrote_nothing_reads_what_the_original_wrote_before_it_signs() -> None:
    cloned = Cloned(2)
    pair = cloned.pair
    cloned.link(0)
    talk(pair, "the original")
    cloned.link(1)
    pair.run()
    talk(pair, "the copy, that knows all of it")
    check_pair(pair)


@pytest.mark.parametrize("seed", range(12))
def test_a_node_and_its_copy_never_sign_two_histories_while_the_peer_tells_the_truth(
    seed: int,
) -> None:
    """The link goes from one to the other at any time, also in the middle of everything."""
    cloned, will = Cloned(seed), Random(seed)
    pair = cloned.pair
    for number in range(30):
        side = cloned.link(will.randrange(2))
        for _ in range(will.randrange(4)):
            writer = will.choice([side, pair.borealis])
            if writer.state == "going":
                pair.append(writer, message(f"{number}"))
            pair.run(will.random() * 0.05)
    pair.run()
    assert all(len(roots) == 1 for roots in signed(pair, ARCADIA).values())
    assert pair.borealis.store.evidence == []


def test_a_node_and_its_copy_between_whom_the_peer_lies_are_both_stopped_by_what_it_has() -> None:
    """Each is shown its own history alone, and two are signed: whoever shows both ends both."""
    victim, villain = Victim(), Villain()
    victim.link_up()
    victim.receive(villain.hello(), villain.push())
    victim.append(*opening_acts())
    copied = victim.store.backup()
    copied.marker = victim.store.marker
    copy = Victim(copied)
    notes = []
    for one, text in ((victim, "one"), (copy, "other")):
        one.link_up()
        one.receive(villain.hello(villain.last(one.store.own.copy(2), 2)))
        one.append(message(text))
        (push,) = one.sent_of(frames.Push)[-1:]
        assert isinstance(push, frames.Push)
        notes.append(push.note)
    fork = fork_between(notes[0], notes[1], victim.store.own.hash)
    verify_fork(fork, victim.identity.own_card.log)
    for one in (victim, copy):
        one.receive(frames.Evidence(*notes))
        assert one.state == "broken"
        assert one.store.evidence


# -- pictures of whole machines, marker and all


def test_two_machines_set_back_to_different_moments_fill_each_other() -> None:
    pair = conversation(3)
    arcadia = picture(pair.arcadia)
    talk(pair, "between the pictures")
    borealis = picture(pair.borealis)
    known = pair.arcadia.store.own.all_entries()
    talk(pair, "after both")
    pair.disconnect()
    set_back(pair, pair.arcadia, arcadia)
    set_back(pair, pair.borealis, borealis)
    pair.connect()
    pair.run()
    assert pair.arcadia.store.own.all_entries() == known
    check_pair(pair)


def test_what_two_machines_forgot_together_is_shown_by_whoever_kept_a_receipt() -> None:
    """Nobody on the line can tell; the old checkpoint and the new one prove it to anybody."""
    pair = conversation(4)
    pictures = [picture(side) for side in pair.sides]
    talk(pair, "forgotten by both", 8)
    size, kept = pair.arcadia.store.own.newest_note() or (0, b"")
    pair.disconnect()
    for side, to in zip(pair.sides, pictures, strict=True):
        set_back(pair, side, to)
    pair.connect()
    pair.run()
    talk(pair, "said instead", 20)
    own = pair.arcadia.store.own
    new = own.newest_note()
    assert new is not None
    assert new[0] > size
    fork = fork_between(kept, new[1], own.hash)
    verify_fork(fork, pair.arcadia.machine._books.identity.own_card.log)


# -- a peer that claims that we signed more


def test_sizes_that_a_peer_claims_in_hello_move_nothing() -> None:
    victim, villain = Victim(), Villain()
    victim.append(*opening_acts())
    victim.link_up()
    claimed = frames.Hello(1, villain.hello().name, villain.hello().line, 2**53 - 1, 2**53 - 1, b"")
    victim.receive(claimed)
    assert victim.state == "going"
    assert victim.complaints() == []
    assert victim.machine.cosigned_by_peer == 0
    (push,) = victim.sent_of(frames.Push)
    assert isinstance(push, frames.Push)
    assert push.first == 0  # what it holds is what it shows under our signature: nothing

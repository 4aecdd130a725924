"""Persist, sync, sign; and what a node does when its store and its marker do not fit."""

import pytest

from fakes.joined import Pair, opening_acts, ring
from fakes.line_checks import check_pair, plain_root
from fakes.memory_log import MemoryStore
from fakes.villain import Victim, Villain
from telcon.core import frames
from telcon.core.machine import (
    NEW_LOG,
    EntryHeld,
    LineBroken,
    LineDown,
    LineUp,
    Marker,
    PeerMisbehaved,
)
from telcon.errors import IllegalActError, LinkDownError, MisuseError, StorageError
from telcon.ledger import Checkpoint, sign_checkpoint


def conversation(seed: int = 0, messages: int = 40) -> Pair:
    """Return a pair with some history on both sides."""
    pair = Pair(seed)
    pair.open()
    for number in range(messages):
        pair.say(pair.sides[number % 2], f"{number}")
        pair.run(0.02)
    pair.run()
    return pair


def restore(pair: Pair, backup: MemoryStore, marker: Marker | None) -> None:
    """Let Arcadia start again on `backup`."""
    pair.arcadia.store = backup
    backup.marker = marker
    pair.arcadia.held.clear()
    pair.arcadia.events.clear()
    pair.restart(pair.arcadia)


# -- persist, sync, sign


def test_nothing_of_a_commit_is_signed_or_cosigned_before_it_is_confirmed() -> None:
    victim, villain = Victim(), Villain()
    victim.link_up()
    victim.receive(villain.hello(), villain.push(), commit=False)
    for act in opening_acts():
        victim.machine.append(act, victim.now())
    commit = victim.machine.take_commit(victim.now())
    assert commit is not None
    assert [growth.first for growth in commit.grown] == [0, 0]
    victim.store.commit(commit)
    victim.store.mark(commit)
    victim.turn(commit=False)
    assert [type(frame) for frame in victim.sent] == [frames.Hello]
    assert victim.machine.cosigned_here == 0
    assert victim.told(EntryHeld) == []
    victim.machine.committed(commit, victim.now())
    victim.turn(commit=False)
    assert [type(frame) for frame in victim.sent[1:]] == [frames.Cosigned, frames.Push]
    assert len(victim.told(EntryHeld)) == 4


def test_no_signature_goes_beyond_the_marker() -> None:
    pair = Pair(5)
    seen: list[int] = []

    def check() -> None:
        for name, data in pair.carried[len(seen) :]:
            side = pair.arcadia if name == pair.arcadia.name else pair.borealis
            frame = frames.parse_frame_untrusted(data)
            marker = side.store.marker
            assert marker is not None
            if isinstance(frame, frames.Push):
                assert frame.first + len(frame.entries) <= marker.size
            seen.append(0)

    pair.on_step = check
    pair.open()
    for number in range(200):
        pair.say(pair.arcadia, f"{number}")
        pair.run(0.001)
    pair.run()
    assert len(seen) > 50


def test_a_marker_is_the_root_of_what_its_commit_brings() -> None:
    victim = Victim()
    victim.append(*opening_acts())
    entries = victim.store.own.all_entries()
    assert victim.store.marker == Marker(2, plain_root(entries))


def test_only_one_commit_is_under_way() -> None:
    victim = Victim()
    victim.machine.append(opening_acts()[0], victim.now())
    first = victim.machine.take_commit(victim.now())
    victim.machine.append(opening_acts()[1], victim.now())
    assert victim.machine.take_commit(victim.now()) is None
    assert first is not None
    victim.carry_out(first)
    second = victim.machine.take_commit(victim.now())
    assert second is not None
    assert second.grown[0].first == 1
    with pytest.raises(MisuseError):
        victim.machine.committed(first, victim.now())


def test_a_commit_that_failed_is_offered_again_after_a_second_with_what_came_since() -> None:
    victim = Victim()
    victim.machine.append(opening_acts()[0], victim.now())
    failed = victim.machine.take_commit(victim.now())
    assert failed is not None
    victim.machine.commit_failed(failed, victim.now())
    victim.machine.append(opening_acts()[1], victim.now())
    assert victim.machine.take_commit(victim.now()) is None
    assert victim.machine.next_deadline() == victim.time_s + 1.0
    victim.wait(1.0)
    assert victim.store.own.size == 2
    assert len(victim.told(EntryHeld)) == 2


def test_a_commit_whose_marker_alone_failed_is_not_stored_twice() -> None:
    victim = Victim()
    victim.machine.append(opening_acts()[0], victim.now())
    failed = victim.machine.take_commit(victim.now())
    assert failed is not None
    victim.store.commit(failed)
    victim.machine.commit_failed(failed, victim.now())
    victim.wait(1.0)
    assert victim.store.own.size == 1
    assert victim.store.marker == Marker(1, plain_root(victim.store.own.all_entries()))
    assert len(victim.told(EntryHeld)) == 1


def test_entries_above_the_marker_are_signed_only_when_a_new_marker_is_written() -> None:
    victim, villain = Victim(), Villain()
    victim.append(*opening_acts())
    victim.store.marker = NEW_LOG  # killed between transaction and marker
    again = Victim(victim.store, commit=False)
    commit = again.machine.take_commit(again.now())
    assert commit is not None
    assert commit.marker == Marker(2, plain_root(victim.store.own.all_entries()))
    again.link_up()
    again.receive(villain.hello())
    assert not again.sent_of(frames.Push)
    again.carry_out(commit)
    again.turn()
    assert len(again.sent_of(frames.Push)) == 1


def test_what_was_stored_but_not_cosigned_is_cosigned_at_the_next_start() -> None:
    victim, villain = Victim(), Villain()
    victim.link_up()
    victim.receive(villain.hello(), villain.push(), commit=False)
    commit = victim.machine.take_commit(victim.now())
    assert commit is not None
    victim.store.commit(commit)  # and killed
    again = Victim(victim.store)
    assert again.machine.cosigned_here == 2
    again.wait(1.0)
    assert again.store.theirs.notes[2].cosigned


# -- starting again


def test_a_node_whose_marker_fits_goes_on_by_itself() -> None:
    pair = conversation()
    pair.restart(pair.arcadia)
    assert pair.arcadia.state == "going"
    pair.say(pair.arcadia, "alone")
    pair.run()
    assert len(pair.arcadia.held) == 23


def test_a_peer_that_restarts_together_with_us_is_no_obstacle() -> None:
    pair = conversation()
    for side in pair.sides:
        pair.restart(side)
    pair.connect()
    pair.say(pair.arcadia, "both are back")
    pair.run()
    check_pair(pair)


@pytest.mark.parametrize("lost", [1, 3, 17])
def test_a_restored_store_is_refilled_from_the_mirror_and_goes_on(lost: int) -> None:
    pair = conversation(lost)
    backup = pair.arcadia.store.backup()
    for number in range(lost):
        pair.say(pair.arcadia, f"after the backup {number}")
        pair.say(pair.borealis, f"theirs after the backup {number}")
    pair.run()
    full = pair.arcadia.store.own.all_entries()
    restore(pair, backup, pair.arcadia.store.marker)
    assert pair.arcadia.state == "asking"
    with pytest.raises(LinkDownError):
        pair.append(pair.arcadia, ring())
    pair.connect()
    pair.run()
    assert pair.arcadia.store.own.all_entries() == full
    assert len(pair.arcadia.told(LineUp)) == 1
    pair.say(pair.arcadia, "as if nothing had happened")
    pair.run()
    check_pair(pair)


def test_a_store_that_lost_everything_is_refilled_in_bounded_pieces() -> None:
    pair = conversation(messages=4)
    for _ in range(3):
        for number in range(400):
            pair.say(pair.arcadia, f"{number}" * 50)
        pair.run()
    empty = MemoryStore(pair.arcadia.store.own.origin, pair.arcadia.store.theirs.origin)
    pair.carried.clear()
    restore(pair, empty, pair.arcadia.store.marker)
    pair.connect()
    pair.run()
    assert pair.borealis.store.theirs.most_read <= 65_536
    pieces = [data for name, data in pair.carried if data[1:8] == b"\xa6refill"]
    assert len(pieces) > 20
    check_pair(pair)


@pytest.mark.parametrize("step", range(1, 60, 3))
def test_a_refill_may_be_killed_at_any_step(step: int) -> None:
    pair = conversation(step)
    backup = pair.arcadia.store.backup()
    for number in range(30):
        pair.say(pair.arcadia, f"after the backup {number}" + "x" * 4_000)
    pair.run()
    restore(pair, backup, pair.arcadia.store.marker)
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1
        if steps == step:
            pair.restart(pair.arcadia)
            pair.connect()

    pair.on_step = count
    pair.connect()
    pair.run()
    check_pair(pair)


def test_both_restored_each_refills_from_the_other() -> None:
    pair = conversation()
    arcadia, borealis = pair.arcadia.store.backup(), pair.borealis.store.backup()
    markers = pair.arcadia.store.marker, pair.borealis.store.marker
    # What one lost of its own log, the other holds; each lost another part.
    arcadia.own = arcadia.own.copy(20)
    borealis.own = borealis.own.copy(18)
    pair.arcadia.store, pair.borealis.store = arcadia, borealis
    arcadia.marker, borealis.marker = markers
    for side in pair.sides:
        side.held.clear()
        pair.restart(side)
    pair.connect()
    pair.run()
    check_pair(pair)


def test_a_machine_set_back_as_a_whole_learns_of_it_before_it_signs() -> None:
    pair = conversation()
    picture, marker = pair.arcadia.store.backup(), pair.arcadia.store.marker
    for number in range(5):
        pair.say(pair.arcadia, f"after the picture {number}")
    pair.run()
    restore(pair, picture, marker)
    assert pair.arcadia.state == "going"  # marker and store fit each other
    pair.connect()
    pair.run()
    check_pair(pair)


def test_a_machine_set_back_that_wrote_before_it_asked_has_ended_its_log() -> None:
    pair = conversation()
    picture, marker = pair.arcadia.store.backup(), pair.arcadia.store.marker
    pair.say(pair.arcadia, "known to the peer")
    pair.run()
    restore(pair, picture, marker)
    pair.say(pair.arcadia, "written over it")
    pair.run()
    pair.carried.clear()
    pair.connect()
    pair.run()
    assert pair.arcadia.state == "broken"
    assert pair.arcadia.told(LineBroken)
    pushes = [
        data for name, data in pair.carried if name == pair.arcadia.name and b"push" in data[:7]
    ]
    assert pushes == []
    assert pair.borealis.store.evidence == []


def test_a_machine_set_back_that_wrote_less_than_was_signed_has_ended_its_log_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "telcon.core.refill.MAX_REFILL_ENTRIES", 8
    )  # of what is missing, not of all
    pair = conversation()
    picture, marker = pair.arcadia.store.backup(), pair.arcadia.store.marker
    for number in range(5):
        pair.say(pair.arcadia, f"known to the peer {number}")
    pair.run()
    restore(pair, picture, marker)
    pair.say(pair.arcadia, "written over the first of them")
    pair.run()
    pair.connect()
    pair.run()
    (told,) = pair.arcadia.told(LineBroken)
    assert isinstance(told, LineBroken)
    assert "written where others had been signed" in told.reason
    assert pair.arcadia.misbehaviour() == []  # the peer has told the truth
    assert pair.borealis.store.evidence == []


@pytest.mark.parametrize("entries", [0, 5, 22])
def test_a_lost_marker_ends_a_log_that_has_entries_anywhere(entries: int) -> None:
    pair = conversation()
    backup = pair.arcadia.store.backup()
    backup.own = backup.own.copy(entries)
    restore(pair, backup, None)
    pair.connect()
    pair.run()
    assert pair.arcadia.state == "broken"
    with pytest.raises(IllegalActError):
        pair.append(pair.arcadia, ring())


def test_a_new_log_without_a_marker_starts_when_the_peer_knows_of_none() -> None:
    pair = Pair(0)
    pair.arcadia.store.marker = None
    pair.restart(pair.arcadia)
    assert pair.arcadia.state == "asking"
    pair.connect()
    pair.run()
    assert pair.arcadia.state == "going"
    pair.open()
    check_pair(pair)


def test_a_store_with_another_history_than_the_marker_never_signs() -> None:
    pair = conversation()
    marker = pair.arcadia.store.marker
    assert marker is not None
    restore(pair, pair.arcadia.store.backup(), Marker(marker.size, b"\1" * 32))
    pair.connect()
    pair.run()
    assert pair.arcadia.state == "broken"


def test_what_is_pushed_to_a_node_that_is_asking_is_stored_and_not_yet_cosigned() -> None:
    victim, villain = Victim(), Villain()
    victim.append(*opening_acts())
    past = victim.store.own.copy()
    lost = MemoryStore(victim.store.own.origin, victim.store.theirs.origin, victim.store.marker)
    again = Victim(lost)
    again.link_up()
    again.receive(villain.hello(villain.last(past, 2)), villain.push())
    assert again.state == "asking"
    assert lost.theirs.size == 2
    assert again.machine.cosigned_here == 0
    again.receive(frames.AskLast())
    assert again.sent[-1] == frames.Last(villain.note())
    again.receive(villain.refill(past, 0), villain.refill(past, 0))
    assert again.state == "going"
    assert again.machine.cosigned_here == 2
    assert again.told(EntryHeld)  # theirs, which came while asking


def test_a_changed_entry_in_the_store_is_noticed_at_start() -> None:
    pair = conversation()
    for log in (pair.arcadia.store.own, pair.arcadia.store.theirs):
        entry, hashes = log.rows[5]
        log.rows[5] = (entry.replace(b"message", b"massage"), hashes)
        with pytest.raises(StorageError, match="not those of its tree"):
            pair.restart(pair.arcadia)
        log.rows[5] = (entry, hashes)
    pair.restart(pair.arcadia)


def test_starting_reads_the_entries_and_hardly_the_tree() -> None:
    pair = conversation(messages=200)
    pair.arcadia.store.own.reads = pair.arcadia.store.theirs.reads = 0
    pair.restart(pair.arcadia)
    assert pair.arcadia.store.own.reads + pair.arcadia.store.theirs.reads < 100


# -- a mirror that lies in a refill


def lied_to(tamper: str) -> Pair:
    """Return a pair whose Arcadia was restored while Borealis tampers with each refill."""
    pair = conversation()
    backup = pair.arcadia.store.backup()
    for number in range(5):
        pair.say(pair.arcadia, f"after the backup {number}")
    pair.run()
    restore(pair, backup, pair.arcadia.store.marker)

    def alter(side: object, data: bytes) -> list[bytes]:
        frame = frames.parse_frame_untrusted(data)
        if not isinstance(frame, frames.Refill):
            return [data]
        return [frames.format_frame(tampered(frame, tamper))]

    pair.tamper = alter
    pair.connect()
    pair.run()
    return pair


def tampered(piece: frames.Refill, how: str) -> frames.Refill:
    match how:
        case "altered":
            entries = [entry.replace(b"message", b"massage") for entry in piece.entries]
            return frames.Refill(piece.first, entries, piece.openings, piece.is_last)
        case "empty":
            return frames.Refill(piece.first, [], [], True)
        case "elsewhere":
            return frames.Refill(piece.first + 1, piece.entries, piece.openings, True)
        case _:
            return frames.Refill(piece.first, [b"x" * 20_000], [], False)


@pytest.mark.parametrize("how", ["altered", "empty", "elsewhere", "over the limit"])
def test_a_false_refill_writes_nothing_and_a_true_one_may_follow(how: str) -> None:
    pair = lied_to(how)
    assert pair.arcadia.misbehaviour()
    assert pair.arcadia.state == "asking"
    assert pair.arcadia.store.own.size == 22
    pair.arcadia.events.clear()
    pair.tamper = lambda _, frame: [frame]
    pair.connect()
    pair.run()
    check_pair(pair)


def test_a_refill_that_changes_between_its_passes_is_not_believed() -> None:
    pair = conversation()
    backup = pair.arcadia.store.backup()
    pair.say(pair.arcadia, "after the backup")
    pair.run()
    restore(pair, backup, pair.arcadia.store.marker)
    pieces: list[bytes] = []

    def alter(side: object, data: bytes) -> list[bytes]:
        frame = frames.parse_frame_untrusted(data)
        if isinstance(frame, frames.Refill):
            pieces.append(data)
            if len(pieces) == 2:
                return [frames.format_frame(tampered(frame, "altered"))]
        return [data]

    pair.tamper = alter
    pair.connect()
    pair.run()
    assert pair.arcadia.store.own.size == 22
    assert [e.close for e in pair.arcadia.misbehaviour()] == [True]


def test_an_opening_lost_by_the_mirror_does_not_hold_the_log_back() -> None:
    pair = conversation()
    backup = pair.arcadia.store.backup()
    pair.say(pair.arcadia, "after the backup")
    pair.run()
    restore(pair, backup, pair.arcadia.store.marker)
    pair.borealis.store.theirs.opened.pop(22)
    pair.connect()
    pair.run()
    assert pair.arcadia.state == "going"
    assert pair.arcadia.store.own.size == 23


def test_a_last_without_our_signature_closes_the_connection() -> None:
    victim, villain = Victim(), Villain()
    victim.link_up()
    own = victim.store.own.origin
    false = sign_checkpoint(Checkpoint(own, 5, b"\1" * 32), villain.identity.log_key)
    victim.receive(villain.hello(false))
    assert victim.complaint().close
    assert victim.state == "going"


def test_our_signature_on_another_history_ends_the_log() -> None:
    victim, villain = Victim(), Villain()
    victim.append(*opening_acts())
    other = Checkpoint(victim.store.own.origin, 1, b"\1" * 32)
    victim.link_up()
    victim.receive(villain.hello(sign_checkpoint(other, victim.identity.log_key)))
    assert victim.state == "broken"
    assert not victim.told(LineDown)
    assert not victim.told(PeerMisbehaved)


def test_a_broken_line_still_serves_the_peers_own_log() -> None:
    pair = conversation()
    backup = pair.borealis.store.backup()
    pair.say(pair.borealis, "after the backup")
    pair.run()
    marker = pair.borealis.store.marker
    restore(pair, pair.arcadia.store.backup(), None)
    assert pair.arcadia.state == "broken"
    pair.borealis.store = backup
    backup.marker = marker
    pair.borealis.held.clear()
    pair.restart(pair.borealis)
    pair.connect()
    pair.run()
    assert pair.borealis.state == "going"
    assert pair.borealis.store.own.all_entries() == pair.arcadia.store.theirs.all_entries()

"""A house log: what it signs and when, what a crash leaves, and when it has ended."""

from hashlib import sha256
from itertools import pairwise

import pytest

from fakes.house import Kept, MemoryWitness
from fakes.tree import literal_root
from telcon.core.house import STEP, HouseAct, HouseBlank, parse_house_entry_untrusted
from telcon.core.house_log import LEFT_OUT, MAX_WAITING
from telcon.core.stored import NEW_LOG
from telcon.errors import MisuseError, SignatureError
from telcon.ledger import (
    Checkpoint,
    SigningKey,
    mirror_policy,
    open_checkpoint,
    sign_checkpoint,
    verify_checkpoint,
)
from telcon.ledger.witness import Witnessed


def root_of(entries: list[bytes]) -> bytes:
    return literal_root([sha256(b"\0" + entry).digest() for entry in entries])


def acts(kept: Kept) -> list[HouseAct]:
    entries = [parse_house_entry_untrusted(data) for data in kept.rows.all_entries()]
    return [entry for entry in entries if isinstance(entry, HouseAct)]


def test_acts_are_durable_at_once_and_signed_at_the_full_hour() -> None:
    kept = Kept()
    kept.act(3)
    kept.write()
    assert kept.rows.size == 4
    assert kept.marker == NEW_LOG
    assert kept.log.signed is None
    signed = kept.hour()
    assert signed.size == kept.rows.size == STEP
    assert signed.root == root_of(kept.rows.all_entries())
    assert kept.marker is not None
    assert (kept.marker.size, kept.marker.root) == (signed.size, signed.root)


def test_every_hour_looks_the_same_whatever_was_done() -> None:
    kept, sizes = Kept(), [0]
    for done in (0, 5, 63, 64, 1):
        kept.act(done)
        sizes.append(kept.hour().size)
    assert [late - early for early, late in pairwise(sizes)] == [STEP] * 5
    kept.act(STEP + 1)
    assert kept.hour().size == sizes[-1] + 2 * STEP
    read = [parse_house_entry_untrusted(data) for data in kept.rows.all_entries()]
    assert sum(isinstance(entry, HouseBlank) for entry in read) == 7 * STEP - 1 - 133 - STEP - 1


def test_what_comes_after_the_hour_is_not_in_its_checkpoint() -> None:
    kept = Kept()
    kept.log.turn(1)
    kept.act(2)
    kept.write()
    assert kept.rows.size == STEP + 2
    assert kept.log.signed is not None
    assert kept.log.signed.size == STEP
    assert kept.log.signed.root == root_of(kept.rows.all_entries()[:STEP])


def test_nothing_is_signed_before_it_is_durable_and_marked() -> None:
    kept = Kept()
    first = kept.hour()
    kept.log.turn(2)
    commit = kept.log.take_commit()
    assert commit is not None
    assert kept.log.signed == first
    assert kept.log.take_commit() is None
    kept.store(commit)
    assert kept.log.signed == first
    with pytest.raises(MisuseError):
        kept.log.signed_note(2 * STEP)
    kept.mark(commit)
    kept.log.committed(commit)
    assert kept.log.signed is not None
    assert kept.log.signed.size == 2 * STEP


# -- crashes and disks


def test_killed_between_commit_and_marker_it_goes_on() -> None:
    kept = Kept()
    kept.hour()
    kept.act(3)
    kept.log.turn(2)
    commit = kept.log.take_commit()
    assert commit is not None
    kept.store(commit)
    again = kept.start()
    assert (again.ended, again.size) == ("", 2 * STEP)
    assert again.signed is not None
    assert again.signed.size == STEP
    assert kept.hour().size == 2 * STEP
    assert kept.hour().size == 3 * STEP


def test_killed_before_the_commit_it_goes_on() -> None:
    kept = Kept()
    kept.hour()
    kept.act(3)
    kept.log.turn(2)
    kept.log.take_commit()
    assert kept.start().size == STEP
    assert kept.hour().size == 2 * STEP


def test_a_disk_that_refuses_costs_nothing_once_it_takes_what_waits() -> None:
    kept = Kept()
    kept.act(2)
    commit = kept.log.take_commit()
    assert commit is not None
    kept.log.commit_failed(commit)
    kept.act(2)
    kept.log.turn(1)
    kept.write()
    assert [act.act for act in acts(kept)] == ["audit.web.signed-in"] * 4
    assert kept.rows.size == STEP


def test_what_a_refusing_disk_costs_is_counted_in_an_act() -> None:
    kept = Kept()
    kept.act(MAX_WAITING + 7)
    kept.log.turn(1)
    assert kept.log.waiting == MAX_WAITING
    kept.write()
    kept.act(1)
    kept.write()
    assert len(acts(kept)) == MAX_WAITING + 2
    assert [act.act for act in acts(kept)][-2:] == [LEFT_OUT, "audit.web.signed-in"]
    assert kept.rows.opened[MAX_WAITING + 1][0].content == b'{"count":7}'


def test_where_the_marker_alone_is_refused_acts_go_on_and_nothing_is_signed() -> None:
    kept = Kept()
    first = kept.hour()
    kept.log.turn(2)
    commit = kept.log.take_commit()
    assert commit is not None
    kept.store(commit)
    kept.log.commit_failed(commit)
    kept.act(3)
    kept.write()
    assert kept.rows.size == 2 * STEP + 3
    kept.log.turn(3)
    kept.write()
    assert kept.log.signed == first
    assert kept.start().ended == ""
    assert kept.hour().size == 3 * STEP  # of both hours, for one was never shown


# -- backups


def test_restored_from_before_it_was_signed_it_has_ended() -> None:
    kept = Kept()
    kept.hour()
    restored = kept.backup(10)
    assert "10 entries are stored of 64" in restored.log.ended
    restored.act()
    restored.log.turn(1)
    restored.write()
    assert restored.log.signed is None
    assert restored.rows.size == 11  # what is done is still written
    with pytest.raises(MisuseError):
        restored.log.signed_note(1)
    with pytest.raises(MisuseError):
        restored.log.submission(0)
    assert restored.log.last_known()[1] == STEP


def test_with_another_history_or_without_marker_it_has_ended() -> None:
    one, other = Kept(seed=1), Kept(seed=2)
    one.hour()
    other.hour()
    other.marker = one.marker
    assert "another history" in other.start().ended
    one.marker = None
    assert "marker is gone" in one.start().ended


def test_a_witness_that_shows_more_ends_a_log_that_was_set_back_with_its_marker() -> None:
    kept = Kept()
    kept.hour()
    picture = kept.backup()
    newest = kept.hour()
    assert picture.log.ended == ""
    picture.log.learn(kept.log.signed_note(newest.size))
    assert "64 entries are stored of 128" in picture.log.ended
    assert picture.log.signed is None


def test_a_witness_that_shows_another_history_ends_a_log_that_has_one() -> None:
    kept = Kept()
    kept.hour()
    picture = kept.backup()
    kept.act()
    kept.hour()
    picture.hour()
    picture.log.learn(kept.log.signed_note(2 * STEP))
    assert "another history" in picture.log.ended


def test_what_was_signed_of_this_history_ends_nothing() -> None:
    kept = Kept()
    notes = [kept.log.signed_note(kept.hour().size) for _ in range(3)]
    assert [kept.log.learn(note) for note in notes] == [64, 128, 192]
    assert kept.log.ended == ""


def test_nobody_but_its_own_key_can_end_a_log() -> None:
    kept = Kept()
    signed = kept.hour()
    false = sign_checkpoint(Checkpoint(signed.origin, 10_000, bytes(32)), SigningKey(bytes(32)))
    with pytest.raises(SignatureError):
        kept.log.learn(false)
    assert kept.log.ended == ""


# -- witnesses


def cosign(kept: Kept, witness: MemoryWitness, old: int) -> None:
    witness.held.setdefault(kept.log.origin, Witnessed((kept.log.vkey,)))
    signed = kept.log.signed
    assert signed is not None
    answer = witness.answer(kept.log.submission(old))
    assert answer.status == 200, answer.body
    kept.log.keep_cosignature(signed.size, witness.vkey, answer.body)
    kept.write()


def test_cosignatures_of_several_witnesses_come_to_stand_on_one_checkpoint() -> None:
    kept = Kept()
    two = [MemoryWitness("borealis.example", 50), MemoryWitness("corelia.example", 51)]
    kept.hour()
    kept.hour()
    for witness in two:
        cosign(kept, witness, 0)
    for witness in two:
        note = kept.rows.notes[2 * STEP].note
        verify_checkpoint(note, mirror_policy(kept.log.vkey, witness.vkey))
        assert open_checkpoint(note, kept.log.vkey).size == 2 * STEP
    kept.hour()
    for witness in two:
        cosign(kept, witness, 2 * STEP)
    kept.start()
    assert all(kept.log.is_cosigned(3 * STEP, witness.vkey) for witness in two)
    assert not kept.log.is_cosigned(STEP, two[0].vkey)

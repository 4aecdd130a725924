"""Drafts: what a constructor makes is the entry it names, with openings that fit."""

from random import Random

import pytest

from fakes.two_logs import ARCADIA, BOREALIS, MEDIA, PERSON, WORDS
from telcon.core import draft as drafts
from telcon.core.draft import Composed, Draft, compose
from telcon.core.entry import ENTRY_TYPES, Message, call_of, entry_type, parse_entry_untrusted
from telcon.core.seal import opening_fits, owed_members
from telcon.errors import MisuseError

CALL, BY = "c" * 32, "b" * 16
RING, TEST = (BOREALIS, 4), (BOREALIS, 9)
SEEN = (5, bytes(32))

DRAFTS = [
    drafts.line_opened((bytes(32), bytes(32)), None),
    drafts.line_opened((bytes(32), bytes(32)), (ARCADIA, 7, bytes(32))),
    drafts.line_terms("mute"),
    drafts.line_test(),
    drafts.line_tested(TEST),
    drafts.line_frozen(WORDS),
    drafts.line_acknowledged(bytes(32), WORDS),
    drafts.line_coverage(1, None, ((0, 10_080),), (PERSON,)),
    drafts.ring(CALL, BY, mode="audio", track=1, person=PERSON, media=MEDIA),
    drafts.ring(CALL, BY, mode="audio", track=1, person=PERSON, media=MEDIA, topic=WORDS),
    drafts.ringing(CALL, RING, 3),
    drafts.answer(CALL, BY, RING, mode="audio", track=1, person=PERSON, media=MEDIA),
    drafts.answer(
        CALL, BY, RING, mode="audio", track=1, person=PERSON, media=MEDIA, own_ring=(ARCADIA, 2)
    ),
    drafts.decline(CALL, RING),
    drafts.decline(CALL, RING, WORDS),
    drafts.cancel(CALL, RING, WORDS),
    drafts.missed(CALL, RING),
    drafts.join(CALL, BY, role="expert", track=2, person=PERSON, media=MEDIA),
    drafts.leave(CALL, BY),
    drafts.mode(CALL, BY, "notes only"),
    drafts.record_on(CALL, (BOREALIS, 1)),
    drafts.record_chunk(CALL, [(1, 0, 250, bytes(32))], b"k" * 32),
    drafts.record_gap(CALL, [(1, 250, 9)]),
    drafts.record_held(CALL, RING, [(1, "00" * 32, ((0, 2), (7, 1)), (), ((9, 1),))]),
    drafts.record_agreed(CALL, ((BOREALIS, 1, 250, "00" * 32, 4_000),)),
    drafts.record_sealed(CALL, 2),
    drafts.record_destroyed(CALL, WORDS),
    drafts.record_off(CALL, (BOREALIS, 1), bytes(32), 4_000),
    drafts.record_off(CALL, (BOREALIS, 1), bytes(32), 4_000, WORDS),
    drafts.hang_up(CALL, BY),
    drafts.fail(CALL, WORDS),
    drafts.message(PERSON, PERSON, WORDS),
    drafts.message(PERSON, PERSON, WORDS, call=CALL, re=(BOREALIS, 6)),
    drafts.blank(),
]


def make(draft: Draft, seed: int = 0) -> Composed:
    random = Random(seed).randbytes
    return compose(draft, origin=ARCADIA, time_us=17, seen=SEEN, random=random)


@pytest.mark.parametrize("draft", DRAFTS, ids=lambda draft: draft.type)
def test_a_draft_makes_the_entry_it_names_and_all_that_it_owes(draft: Draft) -> None:
    data, openings, entry = make(draft)
    assert entry == parse_entry_untrusted(data)
    assert entry_type(entry) == draft.type
    assert call_of(entry) == draft.call
    assert (entry.time, entry.seen) == (17, (5, "0" * 64))
    assert {opening.member for opening in openings} == owed_members(entry)
    assert all(opening_fits(entry, ARCADIA, opening) for opening in openings)


def test_there_is_a_constructor_for_every_type() -> None:
    assert {draft.type for draft in DRAFTS} == set(ENTRY_TYPES)


def test_nonce_and_keys_are_fresh_for_every_entry() -> None:
    draft = drafts.message(PERSON, PERSON, WORDS)
    random = Random(1).randbytes
    made = [compose(draft, origin=ARCADIA, time_us=1, seen=SEEN, random=random) for _ in range(2)]
    nonces = {parse_entry_untrusted(data).nonce for data, *_ in made}
    keys = {opening.key for _, openings, _ in made for opening in openings}
    assert (len(nonces), len(keys)) == (2, 6)


def test_the_sender_is_written_where_the_protocol_wants_it() -> None:
    data, openings, _ = make(drafts.message(PERSON, PERSON, WORDS))
    entry = parse_entry_untrusted(data)
    assert isinstance(entry, Message)
    assert [opening.member for opening in openings] == ["from", "to", "text"]


@pytest.mark.parametrize(
    "draft",
    [
        Draft("call.applaud"),
        Draft("blank", call=CALL),
        Draft("call.leave", call=CALL),
        Draft("call.leave", call="short", by=BY),
        Draft("call.ringing", CALL, re=(RING,), members={"devices": -1}),
        Draft("call.fail", CALL),
        Draft("call.fail", CALL, members={"reason": "00"}),
        Draft("call.fail", CALL, sealed={"reason": b"{}", "topic": b"{}"}),
        Draft("call.fail", CALL, members={"reason": "0" * 64}, sealed={"reason": b"{}"}),
        Draft("call.leave", CALL, BY, members={"by": BY}),
        Draft("blank", members={"type": "message"}),
        drafts.line_terms(
            "go on", [(f"t.{'x' * 50}{n:05}".replace("0", "o"), n) for n in range(300)]
        ),
    ],
    ids=repr,
)
def test_a_draft_that_makes_no_entry_is_ours_to_mend(draft: Draft) -> None:
    with pytest.raises(MisuseError):
        make(draft)

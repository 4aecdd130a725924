"""Two nodes and their house logs over one line: pins, cosignatures, and a side that lies."""

import pytest

from fakes.house import COSIGNED_AT, Kept, MemoryWitness
from telcon.core.house import STEP
from telcon.core.house_exchange import HouseExchange, Pins
from telcon.core.signals import HouseAnswerSignal, HouseSignal, format_signal
from telcon.errors import MalformedError, PeerError, SignatureError, StorageError
from telcon.ledger import (
    COSIGNATURE_ED25519,
    SigningKey,
    VerifierKey,
    cosign,
    format_vkey,
    mirror_policy,
    verify_checkpoint,
)
from telcon.ledger.witness import Answer, Cosignatures, Refusal, Witnessed


class Side:
    """Arcadia, whose house log is exchanged with Borealis."""

    def __init__(self) -> None:
        self.kept = Kept("arcadia.example")
        self.exchange = HouseExchange("borealis.example", frozenset(), None)

    @property
    def log(self) -> Kept:
        return self.kept

    def stated(self, theirs: Kept, witness: MemoryWitness, last: bytes = b"") -> Pins:
        """Take Borealis' statement, and pin what it states if nothing is pinned."""
        stated = self.exchange.state(statement(theirs, witness, last))
        if stated.is_first:
            self.exchange.pins = stated.pins
        self.exchange.shown(self.kept.log.learn(stated.last) if stated.last else 0)
        return stated.pins

    def ask(self) -> bytes | None:
        return self.exchange.ask(self.kept.log)

    def take(self, answer: Answer) -> Cosignatures | Refusal | None:
        data = format_signal(HouseAnswerSignal(answer.status, answer.body))
        found = self.exchange.answer(data, self.kept.log)
        self.kept.write()
        return found


def statement(theirs: Kept, witness: MemoryWitness, last: bytes = b"") -> bytes:
    return format_signal(HouseSignal(format_vkey(theirs.log.vkey), format_vkey(witness.vkey), last))


def pair() -> tuple[Side, MemoryWitness, Kept]:
    """Return Arcadia after its first hour, and Borealis' witness and house log."""
    side, witness, theirs = Side(), MemoryWitness("borealis.example"), Kept("borealis.example")
    witness.held[side.kept.log.origin] = Witnessed((side.kept.log.vkey,))
    side.kept.hour()
    return side, witness, theirs


def answered(side: Side, witness: MemoryWitness) -> Cosignatures | Refusal | None:
    body = side.ask()
    assert body is not None
    return side.take(witness.answer(body))


def test_an_hour_is_cosigned_once_and_the_cosignature_is_kept() -> None:
    side, witness, theirs = pair()
    assert side.ask() is None  # nobody is known yet
    side.stated(theirs, witness)
    for hour in (1, 2, 3):
        found = answered(side, witness)
        assert isinstance(found, Cosignatures)
        note = side.kept.rows.notes[hour * STEP].note
        policy = mirror_policy(side.kept.log.vkey, witness.vkey)
        assert verify_checkpoint(note, policy).cosigned == ((witness.vkey, COSIGNED_AT),)
        assert side.ask() is None
        side.kept.hour()


def test_the_witness_says_how_far_it_is_and_is_asked_from_there() -> None:
    side, witness, theirs = pair()
    side.stated(theirs, witness)
    answered(side, witness)
    side.exchange.down()
    side.kept.hour()
    side.stated(theirs, witness, last=b"")  # it does not show what it has
    assert answered(side, witness) is None  # 409: there is a size
    assert isinstance(answered(side, witness), Cosignatures)
    assert side.ask() is None


def test_a_cosignature_that_was_lost_on_its_way_is_asked_for_again() -> None:
    side, witness, theirs = pair()
    side.stated(theirs, witness)
    body = side.ask()
    assert body is not None
    witness.answer(body)
    side.exchange.down()
    side.stated(theirs, witness, last=next(iter(witness.notes.values())))
    assert isinstance(answered(side, witness), Cosignatures)


def test_one_question_is_open_at_a_time_and_an_answer_that_is_late_is_noticed() -> None:
    side, witness, theirs = pair()
    side.stated(theirs, witness)
    body = side.ask()
    assert body is not None
    assert not side.exchange.is_owed_late(side.kept.log)
    side.kept.hour()
    assert side.ask() is None
    assert side.exchange.is_owed_late(side.kept.log)
    assert isinstance(side.take(witness.answer(body)), Cosignatures)
    assert STEP in side.kept.rows.notes
    assert isinstance(answered(side, witness), Cosignatures)


def test_what_could_not_be_read_was_not_asked_and_is_asked_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    side, witness, theirs = pair()
    side.stated(theirs, witness)
    answered(side, witness)
    side.kept.hour()

    def refuse(*_: object) -> bytes:
        raise StorageError("the disk refused")

    with monkeypatch.context() as patch:
        patch.setattr(side.kept.rows, "hash", refuse)
        with pytest.raises(StorageError):
            side.ask()
    side.kept.hour()
    assert not side.exchange.is_owed_late(side.kept.log)
    assert isinstance(answered(side, witness), Cosignatures)


# -- a side that lies


def test_an_answer_to_nothing_is_refused() -> None:
    side, witness, theirs = pair()
    side.stated(theirs, witness)
    with pytest.raises(MalformedError, match="nothing that was asked"):
        side.take(Answer(200, b"", ""))


def test_a_cosignature_by_another_key_or_of_another_checkpoint_is_none() -> None:
    side, witness, theirs = pair()
    side.stated(theirs, witness)
    name, other = witness.vkey.name, SigningKey(bytes(32))
    elsewhere = Kept("arcadia.example", "f" * 32)
    text = elsewhere.log.signed_note(elsewhere.hour().size).partition(b"\n\n")[0] + b"\n"
    own = side.kept.log.signed_note(STEP).partition(b"\n\n")[0] + b"\n"
    for line in (
        cosign(own, name, other, COSIGNED_AT),
        cosign(text, name, witness.key, COSIGNED_AT),
        cosign(own, name, witness.key, 0),
    ):
        assert side.ask() is not None
        with pytest.raises(SignatureError):
            side.take(Answer(200, line, ""))
        assert side.kept.rows.notes == {}
        assert side.ask() is None  # not before the next hour
        side.exchange.down()
        side.stated(theirs, witness)


def test_a_witness_that_refuses_is_not_asked_again_before_the_next_hour() -> None:
    side, witness, theirs = pair()
    side.stated(theirs, witness)
    witness.held.clear()
    found = answered(side, witness)
    assert isinstance(found, Refusal)
    assert found.status == 404
    assert side.ask() is None
    side.kept.hour()
    assert side.ask() is not None


def test_a_witness_that_names_sizes_for_ever_is_left_alone() -> None:
    side, witness, theirs = pair()
    side.stated(theirs, witness)
    side.kept.hour()
    assert side.ask() is not None
    assert side.take(Answer(409, b"64\n", "")) is None
    assert side.ask() is not None
    assert isinstance(side.take(Answer(409, b"32\n", "")), Refusal)
    assert side.ask() is None


def test_a_witness_that_claims_more_than_there_is_ends_nothing() -> None:
    side, witness, theirs = pair()
    side.stated(theirs, witness)
    assert side.ask() is not None
    assert isinstance(side.take(Answer(409, b"128\n", "")), Refusal)
    assert side.kept.log.ended == ""


def test_a_second_history_is_refused_and_both_are_kept() -> None:
    side, witness, theirs = pair()
    side.stated(theirs, witness)
    answered(side, witness)
    picture = side.kept.backup()  # of the whole machine, marker and all
    side.kept.hour()
    answered(side, witness)
    picture.act()
    picture.hour()
    body = picture.log.submission(STEP)
    assert witness.answer(body).status == 409  # it asks from where it was
    assert witness.kept == [body]  # one size, two roots
    picture.hour()
    body = picture.log.submission(2 * STEP)
    assert witness.answer(body).status == 422
    assert witness.kept[1:] == [body]


# -- pins


def test_keys_are_pinned_at_first_sight_and_others_are_not_believed() -> None:
    side, witness, theirs = pair()
    pins = side.stated(theirs, witness)
    false, other = MemoryWitness("borealis.example", 5), Kept("borealis.example", "1" * 32, seed=6)
    for kept, wit, changed in (
        (theirs, false, (witness.vkey.name,)),
        (other, witness, (other.log.origin,)),
        (other, false, (other.log.origin, witness.vkey.name)),
    ):
        side.exchange.down()
        stated = side.exchange.state(statement(kept, wit))
        assert (stated.is_first, stated.changed) == (False, changed)
        assert side.exchange.pins == pins
    assert side.ask() is None  # its cosignature would not be believed
    side.exchange.state(statement(other, witness))
    assert side.ask() is not None  # the witness is the pinned one


@pytest.mark.parametrize("duty", ["log", "witness"])
def test_a_key_with_another_duty_is_refused(duty: str) -> None:
    witness, theirs = MemoryWitness("borealis.example"), Kept("borealis.example")
    taken = theirs.log.vkey if duty == "log" else witness.vkey
    exchange = HouseExchange("borealis.example", frozenset({taken.public}), None)
    with pytest.raises(MalformedError, match="two duties"):
        exchange.state(statement(theirs, witness))


def test_keys_that_are_not_its_own_or_of_another_kind_are_refused() -> None:
    witness, theirs = MemoryWitness("borealis.example"), Kept("borealis.example")
    foreign, strange = Kept("corelia.example"), MemoryWitness("corelia.example")
    log, wit = theirs.log.vkey, witness.vkey
    same = VerifierKey(wit.name, COSIGNATURE_ED25519, log.public)
    for one, two in (
        (foreign.log.vkey, wit),
        (log, strange.vkey),
        (wit, wit),
        (log, log),
        (VerifierKey("borealis.example/line/" + "0" * 32, log.type, log.public), wit),
        (log, same),
    ):
        exchange = HouseExchange("borealis.example", frozenset(), None)
        with pytest.raises(PeerError):
            exchange.state(format_signal(HouseSignal(format_vkey(one), format_vkey(two), b"")))
        assert exchange.pins is None


def test_a_statement_fits_a_signal_with_the_longest_names() -> None:
    name = ".".join(["a" * 49] * 4)
    kept, witness = Kept(name), MemoryWitness(name)
    kept.hour()
    exchange = HouseExchange("borealis.example", frozenset(), None)
    note = kept.log.signed_note(STEP)
    body = format_signal(exchange.statement(kept.log, witness.vkey, note))
    assert len(body) < 4_096

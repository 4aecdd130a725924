"""The exchange in memory: both machines, and whoever sits between them."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.link.pairs import LINE, NOW_US, Side, altered, digest, invite, renamed, side
from telcon.errors import InvitationError
from telcon.ledger import COSIGNATURE_ML_DSA, MlDsaSigningKey, VerifierKey
from telcon.ledger.keycard import KeyCard, format_key_card
from telcon.node.link.invitation import Invitation, secret_hash
from telcon.node.link.pairing import AccepterMachine, InviterMachine, OwnSide
from telcon.node.link.words import six_words

NONCE_A, NONCE_B = b"a" * 32, b"b" * 32


@pytest.fixture(scope="module")
def arcadia(tmp_path_factory: pytest.TempPathFactory) -> Side:
    return side(tmp_path_factory.mktemp("a"), "arcadia.example", seed=10)


@pytest.fixture(scope="module")
def borealis(tmp_path_factory: pytest.TempPathFactory) -> Side:
    return side(tmp_path_factory.mktemp("b"), "borealis.example", seed=20)


def accepter(
    invitation: Invitation, own: OwnSide, nonce: bytes = NONCE_B, now_us: int = NOW_US
) -> AccepterMachine:
    return AccepterMachine(invitation, own, nonce, now_us=now_us)


def deliver(machine: InviterMachine | AccepterMachine, *frames: list[object]) -> None:
    for frame in frames:
        machine.receive_frame(msgspec.msgpack.encode(frame))


def sent(machine: InviterMachine | AccepterMachine) -> list[list[object]]:
    return [msgspec.msgpack.decode(frame) for frame in machine.frames_to_send()]


def one(machine: InviterMachine | AccepterMachine) -> list[object]:
    (frame,) = sent(machine)
    return frame


def admitted(arcadia: Side, commitment: bytes = digest(NONCE_B)) -> InviterMachine:
    """An inviter that has read an accept frame and let it pass; its card is sent."""
    machine = InviterMachine(NONCE_A)
    deliver(machine, ["accept", 1, bytes(16), commitment])
    machine.admit(arcadia.own)
    return machine


def test_both_sides_come_to_the_same_six_words(arcadia: Side, borealis: Side) -> None:
    invitation = invite(arcadia)
    theirs, ours = accepter(invitation, borealis.own), InviterMachine(NONCE_A)
    deliver(ours, one(theirs))
    assert ours.wanted == secret_hash(bytes.fromhex(invitation.secret))
    ours.admit(arcadia.own)
    assert ours.wanted is None
    deliver(theirs, one(ours))
    deliver(ours, one(theirs))
    deliver(theirs, one(ours))
    assert ours.result is not None
    assert theirs.result is not None
    assert ours.result.words == theirs.result.words
    assert ours.result.confirm(" ".join(theirs.result.words).upper())
    assert (ours.result.own, ours.result.peer) == (arcadia.own, borealis.own)
    assert (theirs.result.own, theirs.result.peer) == (borealis.own, arcadia.own)
    assert ours.result.peer_certificate == borealis.certificate.der
    assert ours.result.peer_card == borealis.card
    assert ours.result.line == LINE


def test_the_words_are_those_of_the_written_protocol(arcadia: Side, borealis: Side) -> None:
    """docs/protocol.md §8, written out by hand."""
    ours = admitted(arcadia)
    deliver(ours, ["card", borealis.own.card, borealis.own.statement, NONCE_B])
    transcript = b"telcon pairing v1\0" + LINE.encode() + b"\0"
    for own, nonce in ((arcadia.own, NONCE_A), (borealis.own, NONCE_B)):
        for part in (own.card, own.statement):
            transcript += len(part).to_bytes(4, "big") + part
        transcript += nonce
    assert ours.result is not None
    assert ours.result.words == six_words(digest(transcript))


def test_frames_have_the_written_form(arcadia: Side, borealis: Side) -> None:
    invitation = invite(arcadia)
    theirs, ours = accepter(invitation, borealis.own), admitted(arcadia)
    assert one(theirs) == ["accept", 1, bytes.fromhex(invitation.secret), digest(NONCE_B)]
    card = one(ours)
    assert card == ["card", arcadia.own.card, arcadia.own.statement, digest(NONCE_A)]
    deliver(theirs, card)
    answer = one(theirs)
    assert answer == ["card", borealis.own.card, borealis.own.statement, NONCE_B]
    deliver(ours, answer)
    assert one(ours) == ["reveal", NONCE_A]


def test_neither_nonce_is_shown_before_the_other_is_committed_to(
    arcadia: Side, borealis: Side
) -> None:
    theirs, ours = accepter(invite(arcadia), borealis.own), admitted(arcadia)
    early = b"".join(theirs.frames_to_send()) + b"".join(ours.frames_to_send())
    assert NONCE_A not in early
    assert NONCE_B not in early


def refuses(machine: InviterMachine | AccepterMachine, *frames: list[object], reason: str) -> None:
    """Expect a refusal told to both people, no result, and no way on."""
    with pytest.raises(InvitationError, match=reason) as here:
        deliver(machine, *frames)
    assert here.value.advice()
    kind, words, code = one(machine)
    assert (kind, code) == ("refused", "other")
    assert str(words) in str(here.value)
    assert machine.result is None
    with pytest.raises(InvitationError, match="over"):
        deliver(machine, ["reveal", NONCE_A])


def test_an_accepter_that_changes_its_nonce_is_refused(arcadia: Side, borealis: Side) -> None:
    machine = admitted(arcadia, digest(b"another nonce"))
    machine.frames_to_send()
    frame: list[object] = ["card", borealis.own.card, borealis.own.statement, NONCE_B]
    refuses(machine, frame, reason="committed")


def test_an_inviter_that_changes_its_nonce_is_refused(arcadia: Side, borealis: Side) -> None:
    machine = accepter(invite(arcadia), borealis.own)
    deliver(machine, ["card", arcadia.own.card, arcadia.own.statement, digest(b"other")])
    machine.frames_to_send()
    refuses(machine, ["reveal", NONCE_A], reason="committed")


def test_keys_that_the_invitation_does_not_name_are_refused(
    arcadia: Side, borealis: Side, tmp_path: Path
) -> None:
    false = side(tmp_path, "arcadia.example", seed=30)
    machine = accepter(invite(arcadia), borealis.own)
    machine.frames_to_send()
    frame: list[object] = ["card", false.own.card, false.own.statement, digest(NONCE_A)]
    refuses(machine, frame, reason="not those of the invitation")


@pytest.mark.parametrize("changes", [{"node": "cordova.example"}, {"tls": "0" * 64}])
def test_a_card_that_is_not_the_inviting_nodes_is_refused(
    arcadia: Side, borealis: Side, changes: dict[str, object]
) -> None:
    machine = accepter(altered(invite(arcadia), **changes), borealis.own)
    machine.frames_to_send()
    frame: list[object] = ["card", arcadia.own.card, arcadia.own.statement, digest(NONCE_A)]
    refuses(machine, frame, reason="not that of the node that invited")


def stated_by(arcadia: Side, card: bytes, statement: bytes, reason: str) -> None:
    machine = admitted(arcadia)
    machine.frames_to_send()
    refuses(machine, ["card", card, statement, NONCE_B], reason=reason)


def test_a_card_of_another_line_is_refused(arcadia: Side, tmp_path: Path) -> None:
    other = side(tmp_path, "borealis.example", seed=20, line="f" * 32)
    stated_by(arcadia, other.own.card, other.own.statement, "different lines")


def test_a_node_of_our_own_name_is_refused(arcadia: Side, tmp_path: Path) -> None:
    other = side(tmp_path, "arcadia.example", seed=40)
    stated_by(arcadia, other.own.card, other.own.statement, "both nodes are named")


def test_our_own_keys_under_another_name_are_refused(arcadia: Side, borealis: Side) -> None:
    """Whoever held both mirror and log key could write the other side's answers."""
    mirrored = renamed(arcadia, "borealis.example")
    card = replace(mirrored.card, tls=borealis.card.tls)
    stated_by(arcadia, format_key_card(card), borealis.own.statement, "one key stands in both")


def second_keys(side: Side, log: bytes, mirror: bytes) -> KeyCard:
    card = side.card
    return replace(
        card,
        log_ml_dsa=VerifierKey(card.log.name, COSIGNATURE_ML_DSA, log),
        mirror_ml_dsa=VerifierKey(card.mirror.name, COSIGNATURE_ML_DSA, mirror),
    )


def test_an_ml_dsa_key_on_both_sides_is_refused(arcadia: Side, borealis: Side) -> None:
    keys = [MlDsaSigningKey(bytes([n]) * 32).public for n in range(3)]
    arcadia = replace(arcadia, card=second_keys(arcadia, keys[0], keys[1]))
    card = second_keys(borealis, keys[2], keys[0])
    stated_by(arcadia, format_key_card(card), borealis.own.statement, "one key stands in both")


def test_cards_of_either_version_pair_with_each_other(arcadia: Side, borealis: Side) -> None:
    keys = [MlDsaSigningKey(bytes([n]) * 32).public for n in range(4)]
    newer = replace(arcadia, card=second_keys(arcadia, keys[0], keys[1]))
    newer_too = replace(borealis, card=second_keys(borealis, keys[2], keys[3]))
    words = set()
    for ours, theirs in ((newer, newer_too), (newer, borealis), (arcadia, newer_too)):
        machine = admitted(ours)
        deliver(machine, ["card", theirs.own.card, theirs.own.statement, NONCE_B])
        assert machine.result is not None
        assert machine.result.peer_card == theirs.card
        words.add(machine.result.words)
    assert len(words) == 3  # they are over every octet of both cards


def test_our_own_certificate_is_refused(arcadia: Side, borealis: Side) -> None:
    card = replace(borealis.card, tls=arcadia.card.tls)
    stated_by(arcadia, format_key_card(card), arcadia.own.statement, "certificate")


def test_a_certificate_that_the_card_does_not_name_is_refused(
    arcadia: Side, borealis: Side, tmp_path: Path
) -> None:
    other = side(tmp_path, "borealis.example", seed=20)
    stated_by(arcadia, borealis.own.card, other.own.statement, "certificate")


def test_a_weak_key_is_refused(arcadia: Side, borealis: Side) -> None:
    import base64

    log = borealis.card.log
    line = borealis.own.card.decode()
    vkey = line.split('"log":"')[1].split('"')[0]
    weak = bytes([1]) + bytes([1]) + bytes(31)  # the neutral element: anything verifies
    key_id = digest(log.name.encode() + b"\n" + weak)[:4].hex()
    spoilt = f"{log.name}+{key_id}+{base64.b64encode(weak).decode()}"
    stated_by(arcadia, line.replace(vkey, spoilt).encode(), borealis.own.statement, "weak")


@pytest.mark.parametrize("spoil", ["card", "statement"])
def test_what_is_not_in_its_one_spelling_is_refused(
    arcadia: Side, borealis: Side, spoil: str
) -> None:
    parts = {"card": borealis.own.card, "statement": borealis.own.statement}
    parts[spoil] += b" "
    stated_by(arcadia, parts["card"], parts["statement"], "spelling|object")


@pytest.mark.parametrize(
    "frame",
    [
        ["accept", 2, bytes(16), bytes(32)],
        ["accept", 1, bytes(15), bytes(32)],
        ["accept", 1, bytes(16), bytes(31)],
        ["accept", 1, bytes(16), bytes(32), 1],
        ["accept", 1, "0" * 16, bytes(32)],
        ["accept", 1, bytes(16)],
        ["accept"],
        [],
        {},
        "accept",
        ["hello", 1],
        ["reveal", NONCE_A],
        ["card", b"", b"", NONCE_A],
    ],
)
def test_an_inviter_refuses_whatever_is_not_an_accept(frame: list[object]) -> None:
    refuses(InviterMachine(NONCE_A), frame, reason="read|turn")


def test_a_second_accept_is_out_of_turn(arcadia: Side) -> None:
    machine = admitted(arcadia)
    machine.frames_to_send()
    refuses(machine, ["accept", 1, bytes(16), bytes(32)], reason="turn")


def test_a_reveal_before_the_card_is_out_of_turn(arcadia: Side, borealis: Side) -> None:
    machine = accepter(invite(arcadia), borealis.own)
    machine.frames_to_send()
    refuses(machine, ["reveal", NONCE_A], reason="turn")


def test_a_refusal_is_shown_without_its_control_characters(arcadia: Side, borealis: Side) -> None:
    machine = accepter(invite(arcadia), borealis.own)
    machine.frames_to_send()
    with pytest.raises(InvitationError) as shown:
        deliver(machine, ["refused", "used\x1b[2J\u202e already" + "!" * 1_000])
    assert "used[2J already!" in str(shown.value)
    assert len(str(shown.value)) < 300
    assert sent(machine) == []


def test_an_expired_invitation_is_not_even_tried(arcadia: Side, borealis: Side) -> None:
    invitation = invite(arcadia)
    with pytest.raises(InvitationError, match=r"expired at .* UTC") as late:
        accepter(invitation, borealis.own, now_us=invitation.expires)
    assert "clock" in late.value.advice()


def test_no_error_quotes_the_secret(arcadia: Side) -> None:
    machine = InviterMachine(NONCE_A)
    with pytest.raises(InvitationError) as refused:
        machine.receive_frame(b"\x94\xa6accept\x01\xa4s3cr")
    assert "s3cr" not in str(refused.value)
    assert refused.value.__cause__ is None


@given(st.binary(max_size=200))
def test_garbage_ends_in_the_one_named_error(data: bytes) -> None:
    machine = InviterMachine(NONCE_A)
    try:
        machine.receive_frame(data)
    except InvitationError:
        assert machine.result is None


def test_a_man_in_the_middle_gets_different_words(
    arcadia: Side, borealis: Side, tmp_path: Path
) -> None:
    """He took the invitation from the courier and runs a pairing with each side."""
    invitation = invite(arcadia)
    as_borealis = side(tmp_path / "1", "borealis.example", seed=50)
    as_arcadia = side(tmp_path / "2", "arcadia.example", seed=60)
    towards_arcadia = admitted(arcadia)
    deliver(towards_arcadia, ["card", as_borealis.own.card, as_borealis.own.statement, NONCE_B])
    false = altered(
        invitation, keys=digest(as_arcadia.own.card).hex(), tls=as_arcadia.certificate.hash
    )
    towards_borealis = accepter(false, borealis.own)
    deliver(
        towards_borealis,
        ["card", as_arcadia.own.card, as_arcadia.own.statement, digest(NONCE_A)],
        ["reveal", NONCE_A],
    )
    assert towards_arcadia.result is not None
    assert towards_borealis.result is not None
    assert towards_arcadia.result.words != towards_borealis.result.words


def test_every_changed_bit_of_what_is_stated_changes_the_words_or_is_refused(
    arcadia: Side, borealis: Side
) -> None:
    honest = admitted(arcadia)
    deliver(honest, ["card", borealis.own.card, borealis.own.statement, NONCE_B])
    assert honest.result is not None
    refused = 0
    for position in range(0, len(borealis.own.statement), 7):
        spoilt = bytearray(borealis.own.statement)
        spoilt[position] ^= 1
        machine = admitted(arcadia)
        try:
            deliver(machine, ["card", borealis.own.card, bytes(spoilt), NONCE_B])
        except InvitationError:
            refused += 1
        else:
            assert machine.result is not None
            assert machine.result.words != honest.result.words
    assert refused > 0

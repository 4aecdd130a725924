"""ML-DSA-44 beside Ed25519: when it is asked for, by whom it is granted, and what a peer gets."""

import pytest

from fakes.joined import Pair, Side, identity_of
from telcon.core import frames
from telcon.core.events import ForkFound, LineUp
from telcon.core.machine import RETRY_S
from telcon.core.seconding import ANSWER_S, GATHER_S, INTERVAL_S
from telcon.core.stored import Note
from telcon.ledger import (
    Checkpoint,
    add_signature_lines,
    cosign,
    format_checkpoint,
    mirror_policy,
    parse_note_untrusted,
    sign_checkpoint,
    verify_checkpoint,
    verify_fork,
    verify_note,
)

SLOW_S = 30.0  # far beyond what any of it takes


def opened(seed: int = 0) -> Pair:
    pair = Pair(seed, ml_dsa=True)
    pair.open()
    return pair


def sent(pair: Pair, side: Side, kind: type[frames.Frame]) -> list[frames.Frame]:
    read = [frames.parse_frame_untrusted(data) for name, data in pair.carried if name == side.name]
    return [frame for frame in read if isinstance(frame, kind)]


def kinds(note: bytes) -> list[tuple[str, int]]:
    """Whose keys, by node and type, signed a checkpoint of Arcadia; all must verify."""
    cards = [
        identity_of(name, ml_dsa=True).own_card for name in ("arcadia.example", "borealis.example")
    ]
    keys = [key for card in cards for key in card.keys]
    verified = verify_note(parse_note_untrusted(note), keys).verified
    return [(key.name.partition(".")[0], key.type) for key, _ in verified]


ALL_FOUR = [("arcadia", 0x01), ("borealis", 0x04), ("arcadia", 0x06), ("borealis", 0x06)]


def test_both_sides_keep_the_newest_checkpoint_with_four_signatures() -> None:
    pair = opened()
    for side in pair.sides:
        own, kept = side.store.own, pair.other(side).store.theirs
        assert own.seconded_size() == own.size == side.machine.seconded_by_peer
        assert own.seconded[own.size] == kept.seconded[own.size]
    assert kinds(pair.arcadia.store.own.seconded[2].note) == ALL_FOUR


def test_it_verifies_by_either_kind_alone() -> None:
    note = opened().arcadia.store.own.seconded[2].note
    identity = identity_of("arcadia.example", ml_dsa=True)
    own, peer = identity.own_card, identity.peer_card
    assert own.log_ml_dsa is not None
    assert peer.mirror_ml_dsa is not None
    for log, mirror in ((own.log, peer.mirror), (own.log_ml_dsa, peer.mirror_ml_dsa)):
        assert verify_checkpoint(note, mirror_policy(log, mirror)).checkpoint.size == 2


def test_both_of_the_mirrors_cosignatures_are_of_one_time() -> None:
    identity = identity_of("arcadia.example", ml_dsa=True)
    keys = [identity.peer_card.mirror, identity.peer_card.mirror_ml_dsa]
    note = parse_note_untrusted(opened().arcadia.store.own.seconded[2].note)
    times = [
        line.blob[:8] for line in note.signatures if line.key_id in [k and k.key_id for k in keys]
    ]
    assert len(times) == 2
    assert times[0] == times[1]


def test_the_newest_is_seconded_within_a_second_of_its_cosignature() -> None:
    pair = opened()
    side = pair.arcadia
    for number in range(12):
        pair.say(side, f"words {number}")
        pair.run(0.31)
    size = side.machine.cosigned_by_peer
    pair.run(INTERVAL_S + 4 * pair.delay_s)
    assert side.machine.seconded_by_peer == size == side.store.own.size


def test_what_follows_at_once_shares_one_signature() -> None:
    pair = opened()
    before = len(sent(pair, pair.arcadia, frames.Second))
    for number in range(20):
        pair.say(pair.arcadia, f"words {number}")
        pair.run(GATHER_S / 25)
    pair.run(SLOW_S)
    assert len(sent(pair, pair.arcadia, frames.Second)) == before + 1


def test_however_much_is_said_it_is_one_a_second() -> None:
    pair = opened()
    before, began_s = len(sent(pair, pair.arcadia, frames.Second)), pair.time_s
    for number in range(200):
        pair.say(pair.arcadia, f"words {number}")
        pair.run(0.05)
    asked = len(sent(pair, pair.arcadia, frames.Second)) - before
    assert 8 <= asked <= 1 + (pair.time_s - began_s) / INTERVAL_S


def test_nothing_waits_for_it() -> None:
    pair = opened()
    pair.tamper = lambda _, data: [] if kind(data) in ("second", "seconded") else [data]
    for number in range(50):
        pair.say(pair.arcadia, f"words {number}")
        pair.run(0.3)
    pair.run(SLOW_S)
    assert pair.arcadia.machine.waiting == 0
    assert pair.arcadia.connection
    assert pair.arcadia.machine.seconded_by_peer == 2


def kind(data: bytes) -> str:
    return type(frames.parse_frame_untrusted(data)).__name__.lower()


def test_a_lost_one_is_asked_for_again() -> None:
    pair = opened()
    pair.tamper = lambda _, data: [] if kind(data) == "seconded" else [data]
    pair.say(pair.arcadia, "words")
    pair.run(ANSWER_S / 2)
    pair.tamper = lambda _, data: [data]
    pair.run(ANSWER_S)
    assert pair.arcadia.machine.seconded_by_peer == 3


def test_a_new_connection_makes_up_for_what_the_last_one_lost() -> None:
    pair = opened()
    pair.say(pair.arcadia, "words")
    pair.run(GATHER_S / 2)
    pair.disconnect()
    pair.run(SLOW_S)
    assert pair.arcadia.machine.seconded_by_peer == 2
    pair.connect()
    pair.run(SLOW_S)
    assert pair.arcadia.machine.seconded_by_peer == 3


def test_a_restarted_node_asks_for_what_is_missing_and_nothing_else() -> None:
    pair = opened()
    pair.restart(pair.arcadia)
    before = len(sent(pair, pair.arcadia, frames.Second))
    pair.connect()
    pair.run(SLOW_S)
    assert len(sent(pair, pair.arcadia, frames.Second)) == before
    pair.say(pair.arcadia, "words")
    pair.run(GATHER_S / 2)
    pair.restart(pair.arcadia)
    pair.connect()
    pair.run(SLOW_S)
    assert pair.arcadia.machine.seconded_by_peer == 3


def test_a_line_of_first_cards_goes_on_without() -> None:
    pair = Pair(0)
    pair.open()
    pair.say(pair.arcadia, "words")
    pair.run(SLOW_S)
    assert not sent(pair, pair.arcadia, frames.Second)
    assert pair.arcadia.machine.seconded_by_peer == 0
    assert not pair.borealis.store.theirs.seconded
    pair.send_raw(pair.arcadia, frames.format_frame(frames.Second(b"")))
    assert "do not name such keys" in pair.arcadia.misbehaviour()[0].reason


def test_a_commit_that_fails_keeps_it_for_the_next() -> None:
    pair = opened()
    side = pair.arcadia
    pair.say(side, "words")
    for _ in range(5_000):
        if any(note.origin == side.store.own.origin for note in being_written(side)):
            break
        pair.run(pair.disk_s / 5)
    failed, side.outstanding = side.outstanding, None
    assert failed is not None
    side.life += 1  # what the disk was about to do for it is not done
    side.timer = None
    side.machine.commit_failed(failed, pair.now(side))
    pair.turn(side)
    pair.run(RETRY_S + SLOW_S)
    assert side.store.own.seconded_size() == 3


def being_written(side: Side) -> tuple[Note, ...]:
    return side.outstanding.seconded if side.outstanding else ()


# -- what a peer may not do


def cosigned_note(pair: Pair, size: int | None = None, root: bytes | None = None) -> bytes:
    """A checkpoint of Arcadia's log with both Ed25519 signatures and her ML-DSA-44 one."""
    arcadia, borealis = (identity_of(side.name, ml_dsa=True) for side in pair.sides)
    log = pair.arcadia.machine._books.author.log
    size = log.size if size is None else size
    checkpoint = Checkpoint(log.origin, size, root or log.root_at(size) or bytes(32))
    text = format_checkpoint(checkpoint)
    time_s = pair.now().utc_us // 1_000_000
    assert arcadia.log_ml_dsa_key is not None
    lines = [
        cosign(text, borealis.own_card.mirror.name, borealis.mirror_key, time_s),
        cosign(text, log.origin, arcadia.log_ml_dsa_key, 0),
    ]
    return add_signature_lines(sign_checkpoint(checkpoint, arcadia.log_key), lines)


def show(pair: Pair, note: bytes) -> None:
    pair.send_raw(pair.borealis, frames.format_frame(frames.Second(note)))
    pair.run(2.0)


def granted(pair: Pair) -> int:
    return len(sent(pair, pair.borealis, frames.Seconded))


def without(note: bytes, place: int) -> bytes:
    text, _, lines = note.rpartition(b"\n\n")
    kept = lines.splitlines(keepends=True)
    del kept[place]
    return text + b"\n\n" + b"".join(kept)


def test_what_is_shown_again_is_granted_again() -> None:
    pair = opened()
    before = granted(pair)
    show(pair, cosigned_note(pair))
    assert granted(pair) == before + 1
    assert not pair.borealis.misbehaviour()


def test_what_is_kept_has_one_form_whatever_was_shown() -> None:
    pair = opened()
    pair.tamper = lambda side, data: (
        [] if side is pair.arcadia and kind(data) == "second" else [data]
    )
    pair.say(pair.arcadia, "words")
    pair.run(5.0)
    note = cosigned_note(pair)
    text, _, lines = note.rpartition(b"\n\n")
    log, mirror, second = lines.splitlines(keepends=True)
    stranger = "— corelia.example AAAAAAAA\n".encode()
    show(pair, text + b"\n\n" + b"".join((second, stranger, mirror, second, log, mirror)))
    kept = pair.borealis.store.theirs.seconded[3].note
    assert kept.startswith(note)
    assert kinds(kept) == ALL_FOUR
    assert len(kept.splitlines()) == len(note.splitlines()) + 1


@pytest.mark.parametrize("missing", [0, 1, 2], ids=["log", "mirror", "log by ML-DSA-44"])
def test_without_each_signature_nothing_is_granted(missing: int) -> None:
    pair = opened()
    before = granted(pair)
    show(pair, without(cosigned_note(pair), missing))
    assert granted(pair) == before
    assert "without the three signatures" in pair.borealis.misbehaviour()[0].reason
    assert not pair.borealis.connection


def test_a_signature_that_does_not_verify_closes() -> None:
    pair = opened()
    before = granted(pair)
    note = bytearray(cosigned_note(pair))
    note[-20] = ord("B" if note[-20] == ord("A") else "A")
    show(pair, bytes(note))
    assert granted(pair) == before
    assert "does not verify" in pair.borealis.misbehaviour()[0].reason


@pytest.mark.parametrize("note", [b"", b"words", b"\n\n", b"\xff" * 8_192])
def test_what_is_no_checkpoint_closes(note: bytes) -> None:
    pair = opened()
    before = granted(pair)
    show(pair, note)
    assert granted(pair) == before
    assert not pair.borealis.connection


def test_what_the_mirror_does_not_hold_is_left() -> None:
    """So it is after the mirror came back from a backup."""
    pair = opened()
    before = granted(pair)
    show(pair, cosigned_note(pair, size=9))
    assert granted(pair) == before
    assert not pair.borealis.misbehaviour()


def test_another_history_is_a_fork_and_is_kept_as_evidence() -> None:
    pair = opened()
    before = granted(pair)
    show(pair, cosigned_note(pair, root=b"\x01" * 32))
    assert granted(pair) == before
    assert pair.borealis.told(ForkFound)
    (fork,) = pair.borealis.store.evidence
    first, second = verify_fork(fork, identity_of("arcadia.example", ml_dsa=True).own_card.log)
    assert first.size == second.size
    assert [kinds(note) for note in fork[:2]] == [[("arcadia", 0x01)]] * 2
    show(pair, cosigned_note(pair))
    assert granted(pair) == before


def test_another_history_of_a_size_that_is_not_kept_is_shown_to_be_one() -> None:
    pair = opened()
    del pair.borealis.store.theirs.notes[2]
    pair.say(pair.arcadia, "words")
    pair.run(5.0)
    show(pair, cosigned_note(pair, size=2, root=b"\x01" * 32))
    (fork,) = pair.borealis.store.evidence
    first, second = verify_fork(fork, identity_of("arcadia.example", ml_dsa=True).own_card.log)
    assert (first.size, second.size) == (2, 3)
    assert pair.borealis.machine.fold.is_frozen
    assert pair.arcadia.machine.state == "broken"
    assert pair.arcadia.store.evidence == [fork]


def test_a_flood_costs_two_signatures_a_second() -> None:
    pair = opened()
    before, note = granted(pair), cosigned_note(pair)
    for _ in range(500):
        pair.send_raw(pair.borealis, frames.format_frame(frames.Second(note)))
        pair.run(0.01)
    pair.run(2.0)
    assert granted(pair) - before <= 12
    assert not pair.borealis.misbehaviour()


def test_an_answer_that_was_not_asked_for_is_left() -> None:
    pair = opened()
    size = pair.arcadia.machine.seconded_by_peer
    pair.send_raw(pair.arcadia, frames.format_frame(frames.Seconded(size, b"anything")))
    pair.run(SLOW_S)
    assert not pair.arcadia.misbehaviour()


@pytest.mark.parametrize("line", [b"", b"words", "— a AAAAAAA=\n".encode()])
def test_an_answer_that_does_not_hold_closes_and_keeps_nothing(line: bytes) -> None:
    pair = opened()

    def bend(side: Side, data: bytes) -> list[bytes]:
        frame = frames.parse_frame_untrusted(data)
        if isinstance(frame, frames.Seconded):
            return [frames.format_frame(frames.Seconded(frame.size, line))]
        return [data]

    pair.tamper = bend
    pair.say(pair.arcadia, "words")
    pair.run(2.0)
    assert pair.arcadia.misbehaviour()
    assert not pair.arcadia.connection
    assert pair.arcadia.machine.seconded_by_peer == 2


def test_a_node_whose_log_is_not_whole_signs_nothing() -> None:
    pair = opened()
    side = pair.arcadia
    backup = side.store.backup()
    marker = side.store.marker
    pair.say(side, "words")
    pair.run(0.2)
    pair.disconnect()
    backup.marker = side.store.marker
    assert backup.marker != marker
    side.store = backup
    pair.crash(side)
    pair.tamper = lambda who, data: [] if who is not side and kind(data) == "refill" else [data]
    before = len(sent(pair, side, frames.Second)), len(sent(pair, side, frames.Seconded))
    pair.connect()
    pair.say(pair.borealis, "words")
    pair.run(5.0)
    assert side.state == "asking"
    assert before == (len(sent(pair, side, frames.Second)), len(sent(pair, side, frames.Seconded)))
    pair.tamper = lambda _, data: [data]
    pair.disconnect()
    pair.connect()
    pair.run(SLOW_S)
    assert side.told(LineUp)
    for one in pair.sides:
        assert one.machine.seconded_by_peer == one.store.own.size

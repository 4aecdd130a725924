"""Checkpoints signed a second time, by ML-DSA-44: the newest ones, off the way of the messages.

The author shows its newest checkpoint, which both sides have signed with Ed25519, with its own
ML-DSA-44 signature added; the mirror adds its cosignature and sends it back; both keep the four
lines. Nothing else waits for that, and nothing new is claimed: what is not durable and cosigned
with Ed25519 is never signed here.

- The author's line has time 0: that nothing larger was seen is no more true, and the mirror says
  it. The mirror's line has the time of its own Ed25519 cosignature, at which it was.
- A signature takes most of a millisecond, with the interpreter's lock held: another thread would
  stall the media as much. So it is made in a turn of its own (`handle_deadline`), at most one a
  second and direction; of what a peer asks in between the newest alone is kept.
"""

from typing import Final

from telcon.core.books import Books
from telcon.core.connection import Connection
from telcon.core.frames import Second, Seconded
from telcon.core.mirror import ForkError
from telcon.core.stored import Note
from telcon.errors import MalformedError, SignatureError
from telcon.ledger import (
    Checkpoint,
    KeyCard,
    VerifierKey,
    add_signature_lines,
    cosign,
    cosignature_time,
    format_signature_line,
    open_cosignature,
    parse_checkpoint_untrusted,
    parse_note_untrusted,
    verify_note,
)

__all__ = ["act", "next_act_s", "receive"]

GATHER_S: Final = 0.5  # after a cosignature: what follows at once, as at a call's end, shares one
INTERVAL_S: Final = 1.0  # between two that we ask for
LEAST_INTERVAL_S: Final = 0.5  # between two that we grant; a peer that keeps to its own never waits
ANSWER_S: Final = 10.0  # then the newest is shown again


def receive(books: Books, connection: Connection, frame: Second | Seconded) -> None:
    """Keep what the peer shows or answers until there is time for it; the newest counts.

    Raises:
        MalformedError: on a line that has no ML-DSA-44 keys.
    """
    if not books.has_ml_dsa:
        raise MalformedError("ML-DSA-44 on a line whose key cards do not name such keys")
    if isinstance(frame, Second):
        connection.second_wanted = frame.note
        connection.second_wanted_s = books.now.monotonic_s
    elif connection.second_asked and frame.size == connection.second_asked.size:
        connection.second_answer = frame.line  # of another size: an answer that came too late


def next_act_s(books: Books, connection: Connection) -> float | None:
    """Return the monotonic time at which `act` has something to do; None: nothing is open."""
    if not books.has_ml_dsa or connection.is_closing or books.standing.broken:
        return None
    due = (_answer_s(books, connection), _grant_s(books, connection), _ask_s(books, connection))
    return min((at for at in due if at is not None), default=None)


def act(books: Books, connection: Connection) -> None:
    """Do what is due: verify an answer, cosign what the peer shows, show our newest.

    Raises:
        PeerError: what the peer sent does not hold; the connection is to be closed.
    """
    now_s = books.now.monotonic_s
    if _is_due(_answer_s(books, connection), now_s):
        _read_answer(books, connection)
    if _is_due(_grant_s(books, connection), now_s):
        _grant(books, connection)
    if _is_due(_ask_s(books, connection), now_s):
        _ask(books, connection)


def _is_due(at: float | None, now_s: float) -> bool:
    return at is not None and at <= now_s


# -- our own log


def _ask_s(books: Books, connection: Connection) -> float | None:
    newest = books.newest_cosigned
    if connection.pushes is None or newest is None or newest.size <= books.seconded_size:
        return None
    if connection.second_asked is not None:
        return connection.second_asked_s + ANSWER_S
    return max(books.unseconded_s + GATHER_S, books.second_asked_s + INTERVAL_S)


def _ask(books: Books, connection: Connection) -> None:
    newest, identity = books.newest_cosigned, books.identity
    books.second_asked_s = connection.second_asked_s = books.now.monotonic_s
    if newest is None or identity.log_ml_dsa_key is None:
        return
    text = parse_note_untrusted(newest.note).text
    is_signed = newest.size <= books.standing.marker.size
    if not is_signed or not books.is_ours(parse_checkpoint_untrusted(text)):
        return  # never a second history, in whatever kind of signature
    line = cosign(text, identity.own_card.log.name, identity.log_ml_dsa_key, 0)
    note = add_signature_lines(newest.note, [line])
    connection.second_asked = Note(books.own.origin, newest.size, note, cosigned=True)
    connection.seconds.append(Second(note))


def _answer_s(books: Books, connection: Connection) -> float | None:
    return None if connection.second_answer is None else books.now.monotonic_s


def _read_answer(books: Books, connection: Connection) -> None:
    asked, line = connection.second_asked, connection.second_answer
    connection.second_asked = connection.second_answer = None
    if asked is None or line is None:
        return
    text = parse_note_untrusted(asked.note).text
    open_cosignature(text, line, _ml_dsa(books.identity.peer_card)[1])
    note = add_signature_lines(asked.note, [line])
    books.keep_seconded(Note(asked.origin, asked.size, note, cosigned=True))
    books.seconded_size = asked.size


# -- the peer's log


def _grant_s(books: Books, connection: Connection) -> float | None:
    if connection.second_wanted is None or not books.standing.is_whole:
        return None  # as with Ed25519: while our own log is not whole nothing is cosigned
    return max(connection.second_wanted_s, books.second_granted_s + LEAST_INTERVAL_S)


def _grant(books: Books, connection: Connection) -> None:
    shown, connection.second_wanted = connection.second_wanted, None
    books.second_granted_s = books.now.monotonic_s
    identity, mirror = books.identity, books.mirror
    if shown is None or identity.mirror_ml_dsa_key is None or mirror.is_forked:
        return
    note, time_s = _open_shown(books, shown)
    text = parse_note_untrusted(note).text
    checkpoint = parse_checkpoint_untrusted(text)
    if checkpoint.size > mirror.cosigned_size:
        return  # this node came back from a backup: what it lost is pushed first, and asked anew
    if mirror.log.root_at(checkpoint.size) != checkpoint.root:
        _found_fork(books, connection, note, checkpoint)
        return
    name = _ml_dsa(identity.own_card)[1].name
    line = cosign(text, name, identity.mirror_ml_dsa_key, time_s)
    kept = add_signature_lines(note, [line])
    books.keep_seconded(Note(checkpoint.origin, checkpoint.size, kept, cosigned=True))
    connection.seconds.append(Seconded(checkpoint.size, line))


def _open_shown(books: Books, shown: bytes) -> tuple[bytes, int]:
    """Verify a checkpoint to be seconded; return its three lines alone, and when we cosigned it."""
    own, peer = books.identity.own_card, books.identity.peer_card
    keys = [peer.log, own.mirror, _ml_dsa(peer)[0]]
    verified = dict(verify_note(parse_note_untrusted(shown), keys).verified)
    if len(verified) < len(keys):
        raise SignatureError("a checkpoint to be seconded without the three signatures before that")
    text = parse_note_untrusted(shown).text
    if parse_checkpoint_untrusted(text).origin != peer.log.name:
        raise SignatureError(f"a checkpoint to be seconded that is not of {peer.log.name}")
    # One line of each in the order of `keys`: every stored note has the same form.
    lines = [format_signature_line(verified[key]) for key in keys]
    return text + b"\n" + b"".join(lines), cosignature_time(own.mirror, verified[own.mirror])


def _found_fork(books: Books, connection: Connection, note: bytes, checkpoint: Checkpoint) -> None:
    error = books.mirror.contradiction(note, checkpoint, books.mirror.log.hash)
    if not isinstance(error, ForkError):
        raise error
    books.keep_peers_fork(error.fork)
    connection.owes_evidence = True


def _ml_dsa(card: KeyCard) -> tuple[VerifierKey, VerifierKey]:
    """Return the log's and the mirror's ML-DSA-44 key of a card that has them."""
    if card.log_ml_dsa is None or card.mirror_ml_dsa is None:
        raise MalformedError(f"the key card of {card.name} names no ML-DSA-44 keys")
    return card.log_ml_dsa, card.mirror_ml_dsa

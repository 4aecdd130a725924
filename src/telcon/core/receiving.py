"""Frames from the peer, read into the books. Every byte is foreign; what is wrong ends as an event.

A frame that breaks the protocol closes the connection. A push that cannot be taken is refused, and
the same may be sent again rightly.
"""

from telcon.core import frames, seconding
from telcon.core.books import Books, origin_of
from telcon.core.connection import Connection
from telcon.core.events import Misbehaviour, PushRefused, SignalReceived
from telcon.core.mirror import ForkError, PushError, keep_verified
from telcon.core.standing import open_shown
from telcon.errors import MalformedError, PeerError, ProofError
from telcon.ledger import Checkpoint, Fork, fork_between, open_checkpoint, verify_fork

__all__ = ["close", "keep_shown", "receive"]


def receive(books: Books, connection: Connection, data: bytes) -> None:
    """Take one frame. Whatever it holds, nothing is raised."""
    if connection.is_closing:
        return
    try:
        frame = frames.parse_frame_untrusted(data)
    except PeerError as error:
        close(books, connection, str(error), kind=Misbehaviour.FRAME)
        return
    try:
        if isinstance(frame, frames.Hello) is connection.is_ready:
            raise MalformedError("hello is the first frame, and only the first")
        _read(books, connection, frame, len(data))
    except PeerError as error:
        close(books, connection, str(error))


def close(
    books: Books,
    connection: Connection,
    reason: str,
    *,
    kind: Misbehaviour = Misbehaviour.OTHER,
) -> None:
    """Read and send nothing more; the caller is told to close the connection."""
    connection.is_closing = True
    books.misbehaved(reason, close=True, kind=kind)


def _read(books: Books, connection: Connection, frame: frames.Frame, octets: int) -> None:
    match frame:
        case frames.Push():
            _read_push(books, connection, frame, octets)
        case frames.Cosigned():
            _read_cosigned(books, connection, frame)
        case frames.Signal(kind, call, body):
            books.events.append(SignalReceived(kind, call, body))
        case frames.Hello():
            _read_hello(books, connection, frame)
        case frames.AskLast():
            connection.owes_last = True
        case frames.Last(note):
            _read_last(books, connection, note)
        case frames.Fetch(first):
            connection.fetch_from = first
            connection.heard(books.now)
        case frames.Refill():
            connection.fetching = None
            connection.heard(books.now)
            books.standing.refill(frame)
        case frames.Refused():
            _read_refused(books, connection, frame)
        case frames.Evidence(note_a, note_b):
            _read_evidence(books, Fork(note_a, note_b))
        case frames.Contradiction(note_a, note_b, path):
            _read_evidence(books, Fork(note_a, note_b, tuple(path)))
        case frames.Second() | frames.Seconded():
            seconding.receive(books, connection, frame)


def _read_hello(books: Books, connection: Connection, hello: frames.Hello) -> None:
    identity = books.identity
    if hello.version != frames.PROTOCOL_VERSION:
        raise MalformedError(f"version {hello.version} of the protocol is not spoken here")
    if (hello.name, hello.line) != (identity.peer_name, identity.line):
        raise MalformedError(f"hello of {hello.name!r} for line {hello.line!r}")
    connection.peer_size = hello.own_size
    _learn(books, connection, hello.last)
    connection.is_ready = True
    connection.heard(books.now)


def _read_last(books: Books, connection: Connection, note: bytes) -> None:
    if not connection.awaits_last:
        raise MalformedError("last without being asked")
    connection.awaits_last = False
    _learn(books, connection, note)
    if connection.pushes is not None:
        connection.pushes.restart(min(connection.held, books.standing.marker.size))


def _learn(books: Books, connection: Connection, note: bytes) -> None:
    """Take what the peer shows of our log."""
    card = books.identity.own_card
    shown = open_shown(note, card.log, books.identity.peer_card.mirror) if note else None
    connection.shown = shown
    _hold_against(books, shown.checkpoint if shown else None, note)
    keep_shown(books, connection)


def _hold_against(books: Books, checkpoint: Checkpoint | None, note: bytes) -> None:
    """Hold what our key signed against what is stored, and keep the proof where both contradict.

    `note` bears `checkpoint`; None: the peer holds nothing.
    """
    standing = books.standing
    was_broken = bool(standing.broken)
    standing.learn(checkpoint)
    if checkpoint is None or was_broken or not standing.broken or books.is_ours(checkpoint):
        return
    newest = books.own.newest_note()
    if newest is not None and newest[0] >= checkpoint.size:
        key = books.identity.own_card.log
        notes = [keep_verified(one, [key]) for one in (note, newest[1])]
        books.keep_own_fork(fork_between(notes[0], notes[1], books.author.log.hash))


def keep_shown(books: Books, connection: Connection) -> None:
    """Keep the cosignature that the peer showed, once what it covers is stored here."""
    shown = connection.shown
    if shown and shown.cosignature and books.is_ours(shown.checkpoint):
        connection.shown = shown._replace(cosignature=None)
        books.keep_cosignature(shown.cosignature)


def _read_push(books: Books, connection: Connection, push: frames.Push, octets: int) -> None:
    mirror = books.mirror
    try:
        if books.standing.broken:
            raise PushError("frozen", "this line has ended here")
        if not mirror.take(push, octets):
            connection.owes_cosigned = mirror.log.size == mirror.cosigned_size
    except ForkError as error:
        books.keep_peers_fork(error.fork)
        connection.owes_evidence = True
        _refuse(books, connection, PushError("fork", str(error)), push.first)
    except PushError as error:
        _refuse(books, connection, error, push.first)


def _refuse(books: Books, connection: Connection, error: PushError, first: int) -> None:
    refused = frames.Refused(error.code, first, error.detail[:512])
    is_too_often = connection.refuse(refused, books.mirror.log.size)
    if error.code not in ("gap", "frozen"):
        kind = Misbehaviour.LIMIT if error.code == "limit" else Misbehaviour.OTHER
        books.misbehaved(f"a push was refused, {error}", close=is_too_often, kind=kind)
    connection.is_closing = is_too_often


def _read_cosigned(books: Books, connection: Connection, cosigned: frames.Cosigned) -> None:
    if connection.pushes is None:
        raise MalformedError("a cosignature for nothing that was sent")
    signed_to = books.standing.marker.size
    cosignature = connection.pushes.cosigned(cosigned.size, cosigned.line, signed_to)
    connection.heard(books.now)
    books.keep_cosignature(cosignature)


def _read_refused(books: Books, connection: Connection, refused: frames.Refused) -> None:
    pushes = connection.pushes
    if pushes is None:
        raise MalformedError("a refusal of nothing that was sent")
    books.events.append(PushRefused(refused.code, refused.detail))
    pushes.halt(is_ended_there=refused.code == "frozen" and pushes.newest_signed is not None)
    if refused.code in ("gap", "over credit") and pushes.may_resync():
        connection.asks_last = not connection.awaits_last


def _read_evidence(books: Books, claimed: Fork) -> None:
    own, theirs = books.identity.own_card.log, books.identity.peer_card.log
    is_own = origin_of(claimed.first) == own.name
    key = own if is_own else theirs
    try:
        verify_fork(claimed, key)
    except ProofError:
        if not (is_own and _learn_signed(books, claimed)):
            books.misbehaved("evidence that shows no contradiction", close=False)
        return
    fork = claimed._replace(
        first=keep_verified(claimed.first, [key]), second=keep_verified(claimed.second, [key])
    )
    if is_own:
        books.keep_own_fork(fork)
    elif not books.mirror.is_forked:
        books.keep_peers_fork(fork)


def _learn_signed(books: Books, claimed: Fork) -> bool:
    """Take two checkpoints of our log as shown by the peer; say whether one was news.

    Both may be true. But what bears our signature and does not stand here, we have to know of.
    """
    key = books.identity.own_card.log
    news = False
    for note in (claimed.first, claimed.second):
        checkpoint = open_checkpoint(note, key)
        if not books.is_ours(checkpoint):
            _hold_against(books, checkpoint, note)
            news = True
    return news

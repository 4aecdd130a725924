"""The frames that are due on a connection, made when they can be sent.

In the order of what must not wait: the answer to `last?`, cosignatures, signals, our own log, then
signatures by ML-DSA-44.
"""

from telcon.core import frames
from telcon.core.books import Books
from telcon.core.connection import Connection
from telcon.core.growing import GrowingLog
from telcon.core.pushing import cut_piece
from telcon.ledger import Fork

__all__ = ["frames_due"]


def frames_due(books: Books, connection: Connection) -> list[bytes]:
    """Return what is to be sent now, in order; bounded by the credit."""
    if connection.is_closing:
        return []
    sent: list[bytes] = []
    if not connection.is_hello_sent:
        connection.is_hello_sent = True
        sent.append(frames.format_frame(_hello(books)))
    if connection.is_ready:
        sent += map(frames.format_frame, _answers(books, connection))
        sent += _pushes(books, connection)
        sent += map(frames.format_frame, _questions(books, connection))
        sent += map(frames.format_frame, connection.seconds)
        connection.seconds.clear()
    return sent


def _hello(books: Books) -> frames.Hello:
    identity = books.identity
    return frames.Hello(
        frames.PROTOCOL_VERSION,
        identity.own_name,
        identity.line,
        books.author.log.stored_size,
        books.mirror.log.stored_size,
        books.mirror.last(books.now.utc_us),
    )


def _answers(books: Books, connection: Connection) -> list[frames.Frame]:
    due: list[frames.Frame] = []
    if connection.owes_evidence:
        connection.owes_evidence = False
        due += map(_evidence, books.told_evidence[:1])
    if connection.owes_last:
        connection.owes_last = False
        due.append(frames.Last(books.mirror.last(books.now.utc_us)))
    if connection.owes_cosigned:
        connection.owes_cosigned = False
        due += _cosigned(books)
    due += connection.answers()
    if connection.fetch_from is not None:
        due.append(_refill(books.mirror.log, connection.fetch_from))
        connection.fetch_from = None
    return due


def _evidence(fork: Fork) -> frames.Frame:
    if fork.path:
        return frames.Contradiction(fork.first, fork.second, list(fork.path))
    return frames.Evidence(fork.first, fork.second)


def _cosigned(books: Books) -> list[frames.Cosigned]:
    if books.mirror.cosigned is None:  # made by an earlier process
        books.mirror.cosign_again(books.now.utc_us)
    return [books.mirror.cosigned] if books.mirror.cosigned else []


def _refill(log: GrowingLog, first: int) -> frames.Refill:
    piece = log.read(first)
    del piece[cut_piece(piece) :]
    openings = [
        frames.SentOpening(index, opening.member, opening.key, opening.content)
        for index, (_, openings) in enumerate(piece, first)
        for opening in openings
    ]
    is_last = first + len(piece) >= log.stored_size
    return frames.Refill(first, [entry for entry, _ in piece], openings, is_last)


def _pushes(books: Books, connection: Connection) -> list[bytes]:
    pushes = connection.pushes
    if pushes is None:
        return []
    if not pushes.is_waiting:
        connection.heard(books.now)  # from now on the peer owes an answer
    sent = []
    while (push := pushes.next_push(books.standing.marker.size)) is not None:
        sent.append(push)
    return sent


def _questions(books: Books, connection: Connection) -> list[frames.Frame]:
    due: list[frames.Frame] = []
    if connection.asks_last:
        connection.asks_last = False
        connection.awaits_last = True
        connection.heard(books.now)
        due.append(frames.AskLast())
    refilling = books.standing.refilling
    wanted = refilling.wanted() if refilling else None
    if wanted is not None and connection.fetching is None:
        connection.fetching = wanted
        connection.heard(books.now)
        due.append(frames.Fetch(wanted))
    return due

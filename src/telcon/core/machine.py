"""One side of one line, without IO: two logs kept by two nodes that do not trust each other.

Bytes, acts and time go in; bytes, events, commits and deadlines come out. After every call, in this
order: take `frames_to_send`, drain `next_event`, look at `next_deadline`; and whenever no commit is
under way ask `take_commit`, carry it out as `Commit` says, and tell `committed` or `commit_failed`.

What holds, whatever the peer sends and whenever the node is killed (docs/protocol.md §5):

- Nothing is signed that was not durable before, and nothing beyond the marker.
- Nothing is signed before the peer was heard on this connection: its `last` may know more of our
  log than we do. Then the log is refilled from its mirror, or it has ended.
- A peer that has signed two histories is cosigned no more, and the line is frozen by an entry.
- What arrives while a commit is under way goes into the next. All that a peer can make us keep in
  memory is bounded.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from telcon.core import frames, receiving, seconding, sending
from telcon.core.books import Books
from telcon.core.connection import Connection
from telcon.core.draft import Draft, line_frozen
from telcon.core.entry import Entry, Void
from telcon.core.events import (
    ActDropped,
    Cosigned,
    EntryHeld,
    Event,
    ForkFound,
    LineBroken,
    LineDown,
    LineIdentity,
    LineRefilled,
    LineUp,
    Now,
    PeerMisbehaved,
    PushRefused,
    SignalReceived,
    Ticket,
)
from telcon.core.fold import Applied, LineFold
from telcon.core.growing import Row
from telcon.core.pushing import Pushes
from telcon.core.replay import replayed_fold
from telcon.core.seal import Text
from telcon.core.standing import State
from telcon.core.stored import NEW_LOG, Commit, LogGrowth, Marker, Note, StoredLog
from telcon.errors import IllegalActError, LinkDownError, MisuseError, PeerError
from telcon.ledger import Fork

__all__ = [
    "NEW_LOG",
    "ActDropped",
    "Commit",
    "Cosigned",
    "EntryHeld",
    "Event",
    "ForkFound",
    "LineBroken",
    "LineDown",
    "LineIdentity",
    "LineMachine",
    "LineRefilled",
    "LineUp",
    "LogGrowth",
    "Marker",
    "Note",
    "Now",
    "PeerMisbehaved",
    "PushRefused",
    "SignalReceived",
    "StoredLog",
    "Ticket",
]

RETRY_S: Final = 1.0  # after a commit that failed
FORKED: Final = Text(
    "en", "The other node has signed two checkpoints of its log that cannot both be true."
)
MAX_LATE_EVENTS: Final = 256  # of what came while asking; older is history


@dataclass(frozen=True, slots=True)
class _Outstanding:
    """What the commit under way will have made true."""

    commit: Commit
    own_size: int
    theirs_size: int
    theirs_note: Note | None
    cosigned: tuple[Note, ...]
    signed: Note | None
    seconded: tuple[Note, ...]


class LineMachine:
    """One side of one line. See the module for the order in which to call it."""

    def __init__(
        self,
        identity: LineIdentity,
        own: StoredLog,
        theirs: StoredLog,
        marker: Marker | None,
        random: Callable[[int], bytes],
        now: Now,
        *,
        evidence: Sequence[Fork] = (),
    ) -> None:
        """Replay both logs and hold the own one against `marker`.

        `marker` of a new line is `NEW_LOG`, written at pairing; None means that it is lost.
        `random(n)` returns n fresh octets; `evidence` is what earlier commits stored of this line.

        Raises:
            StorageError: stored entries are not those of the stored tree.
            SignatureError: a stored checkpoint is not signed by the keys of `identity`.
        """
        self._books = Books(identity, own, theirs, marker, random, evidence, now)
        self._connection: Connection | None = None
        self._outstanding: _Outstanding | None = None
        self._retry_at: float | None = None
        self._is_broken_told = False
        self._cosigned_stored = self._books.cosigned_by_peer
        self._folded_theirs = self._books.mirror.log.stored_size
        self._unfolded: deque[tuple[Row, Entry | Void]] = deque()  # durable, to be folded next
        self._fold: LineFold
        self._replay(lambda *_: None)
        self._settle()

    # -- how the line stands

    @property
    def fold(self) -> LineFold:
        """Both logs' meaning: of our own entries at once, of the peer's once they are durable."""
        if self._unfolded:
            self._fold_theirs()
        return self._fold

    @property
    def state(self) -> State:
        """Whether acts are taken; see `Standing.state`."""
        return self._books.standing.state

    @property
    def broken(self) -> str:
        """Why our log has ended; empty if it has not."""
        return self._books.standing.broken

    @property
    def is_ended_there(self) -> bool:
        """Whether the peer says that its log has ended: it holds nothing more of ours.

        It says so when it is pushed something; on the next connection it is asked anew.
        """
        connection = self._connection
        pushes = connection.pushes if connection is not None else None
        return pushes is not None and pushes.is_ended_there

    @property
    def cosigned_by_peer(self) -> int:
        """How much of our log the peer has signed to hold, verified here."""
        return self._books.cosigned_by_peer

    @property
    def cosigned_stored(self) -> int:
        """Of what `cosigned_by_peer` counts, how much is shown by a cosignature that is stored."""
        return self._cosigned_stored

    @property
    def cosigned_here(self) -> int:
        """How much of the peer's log is durable and cosigned here."""
        return self._books.mirror.cosigned_size

    @property
    def seconded_by_peer(self) -> int:
        """Up to where both have signed our log by ML-DSA-44 too; 0 on a line without such keys."""
        return self._books.seconded_size

    @property
    def waiting(self) -> int:
        """How many acts of ours the peer has not cosigned, those not yet written included."""
        size = self._books.author.log.size + self._books.author.waiting_bulk
        return max(0, size - self.cosigned_by_peer)

    @property
    def missing(self) -> int:
        """How much of the peer's log is not held here yet, by its own word when it connected."""
        stated = 0 if self._connection is None else self._connection.peer_size
        return max(0, stated - self.cosigned_here)

    def _replay(self, on_applied: Callable[[str, int, Applied], None]) -> None:
        books = self._books
        logs = {log.origin: log for log in (books.author.log, books.mirror.log)}
        self._fold = replayed_fold(
            books.own, books.theirs, lambda origin, size: logs[origin].root_at(size), on_applied
        )

    def _settle(self) -> None:
        """Draw the consequences of what was learnt about our own log."""
        standing = self._books.standing
        if standing.is_whole and self.state == "asking":
            self._cosign()
            self._try_to_go()
        if self._books.mirror.is_forked and self.state == "going":
            self._freeze()
        if standing.broken and not self._is_broken_told:
            self._is_broken_told = True
            self._books.events.append(LineBroken(standing.broken))
        connection = self._connection
        if connection is None:
            return
        if self.state != "going":
            connection.pushes = None
            self._tell_down(connection)
        elif connection.is_ready and connection.pushes is None:
            self._start(connection)

    def _freeze(self) -> None:
        """Freeze the line on which the peer has signed two histories; see docs/decisions/0009."""
        author, fold = self._books.author, self.fold
        if fold.is_frozen or author.is_full or author.log.origin not in fold.line.opened:
            return  # done, or done as soon as it can be
        author.append(line_frozen(FORKED), fold, self._books.seen(), self._books.now)

    def _try_to_go(self) -> None:
        """Go on once the peer's log is here as far as our own entries have seen it."""
        books = self._books
        size, root = books.newest_seen()
        if size > books.mirror.log.stored_size:
            return
        if size and books.mirror.log.root_at(size) != root:
            books.standing.end("the other node's log is not the one that our entries have seen")
            return
        late: deque[EntryHeld] = deque(maxlen=MAX_LATE_EVENTS)
        is_folded = self.fold.size(books.own.origin) == books.author.log.stored_size
        if not is_folded or self._folded_theirs < books.mirror.log.stored_size:
            self._replay(lambda *place: self._replayed(late, *place))
        self._folded_theirs = books.mirror.log.stored_size
        books.standing.go()
        books.events.extend(late)

    def _replayed(self, late: deque[EntryHeld], origin: str, index: int, applied: Applied) -> None:
        theirs = self._books.theirs
        if origin == theirs.origin and index >= self._folded_theirs:
            openings = tuple(opening for _, opening in theirs.openings(index, 1))
            late.append(EntryHeld(origin, index, applied.entry, applied.void, openings, None))

    def _start(self, connection: Connection) -> None:
        """Push what the peer lacks: it was heard, and our log is whole."""
        books = self._books
        receiving.keep_shown(books, connection)
        held = min(connection.held, books.standing.marker.size)
        identity = books.identity
        connection.pushes = Pushes(
            books.author.log, identity.log_key, identity.peer_card.mirror, held
        )
        if not connection.is_up:
            connection.is_up = True
            books.events.append(LineUp())

    # -- acts

    def append(self, draft: Draft, now: Now) -> Ticket:
        """Take an act of a call; it is judged at once, and durable with the next commit.

        Raises:
            IllegalActError: it would be void, or this log has ended; nothing was written.
            LinkDownError: our log is not known to be whole; the peer has to be asked first.
            BusyError: the disk does not keep up.
            MisuseError: the draft makes no entry.
        """
        books = self._at(now)
        self._check_going(draft)
        return books.author.append(draft, self.fold, books.seen(), now)

    def append_bulk(self, draft: Draft, now: Now) -> Ticket:
        """Take an act that waits behind acts of calls: a message, a blank.

        It is composed when a commit is next asked for; `ActDropped` tells if it is void by then.

        Raises:
            IllegalActError: this log has ended.
            LinkDownError: our log is not known to be whole; the peer has to be asked first.
            BusyError: 4,096 are waiting.
        """
        books = self._at(now)
        self._check_going(draft)
        return books.author.append_bulk(draft)

    def _check_going(self, draft: Draft) -> None:
        if self.state == "broken":
            raise IllegalActError(draft.type, "this line's log has ended")
        if self.state == "asking":
            raise LinkDownError(
                "what was lost of this line's log has to be read back from the other node first",
                advice="Wait until the line is up, then try again.",
            )

    def signal(self, kind: str, call: str, body: bytes, now: Now) -> None:
        """Send something ephemeral if the link is up; it is lost otherwise, as signals may be.

        Raises:
            MisuseError: the body is over 16 KiB.
        """
        self._at(now)
        if len(body) > frames.MAX_SIGNAL_OCTETS:
            raise MisuseError(f"a signal of {len(body)} octets would be refused")
        if self._connection is not None and self._connection.is_ready:
            self._connection.signals.append(frames.Signal(kind, call, body))

    # -- commits

    def take_commit(self, now: Now) -> Commit | None:
        """Return what to make durable next, or None. Answer with `committed` or `commit_failed`.

        Ask while one is under way too: bulk is then composed for the next, as the disk is at work.
        """
        books = self._at(now)
        if _is_later(self._retry_at, now):
            return None
        if self._outstanding is not None:
            self._compose_bulk()
            return None
        self._retry_at = None
        self._compose_bulk()
        logs = () if books.standing.broken else (books.author.log, books.mirror.log)
        marker = books.standing.next_marker()
        is_flush_due = books.flush_at is not None and not _is_later(books.flush_at, now)
        is_grown = any(log.size > log.stored_size for log in logs)
        if not (is_grown or marker or books.fresh_evidence or is_flush_due):
            return None
        grown = tuple(growth for log in logs if (growth := log.growth()) is not None)
        self._outstanding = self._take(grown, marker)
        return self._outstanding.commit

    def _compose_bulk(self) -> None:
        books = self._books
        pushes = self._connection.pushes if self._connection else None
        author = books.author
        if author.waiting_bulk and self.state == "going" and not (pushes and pushes.is_crowded):
            dropped = author.compose_bulk(self.fold, books.seen(), books.now)
            books.events.extend(dropped)

    def _take(self, grown: tuple[LogGrowth, ...], marker: Marker | None) -> _Outstanding:
        books = self._books
        own, theirs = books.author.log, books.mirror.log
        is_broken = bool(books.standing.broken)  # then nothing is written but evidence and notes
        taken = None if is_broken else books.mirror.taken_note
        fresh = (taken,) if taken and theirs.size > theirs.stored_size else ()
        cosigned = tuple(books.cosigned_notes.values())
        seconded = tuple(books.seconded_notes.values())
        books.cosigned_notes.clear()
        books.seconded_notes.clear()
        signed, books.signed_note = books.signed_note, None
        kept = (*cosigned, *fresh, *([signed] if signed else []))
        books.author.batch_taken()
        books.flush_at = None
        return _Outstanding(
            Commit(grown, kept, tuple(books.fresh_evidence), marker, seconded),
            own.stored_size if is_broken else own.size,
            theirs.stored_size if is_broken else theirs.size,
            taken,
            cosigned,
            signed,
            seconded,
        )

    def committed(self, commit: Commit, now: Now) -> None:
        """Take note that `commit` is durable, and its marker: now it may be signed and told."""
        books = self._at(now)
        done = self._finish(commit)
        for note in done.cosigned:
            if note.origin == books.own.origin:
                self._cosigned_stored = note.size
        books.events.extend(books.author.settle(done.own_size))
        if read_back := books.standing.settle(commit.marker):
            books.events.append(LineRefilled(read_back))
        rows = books.mirror.settle(done.theirs_note, done.theirs_size)
        if rows and books.standing.is_whole:
            self._cosign()
        if self.state == "going":
            self._unfolded.extend(rows)  # later, for the peer waits for the cosignature
        for fork in commit.evidence:
            books.fresh_evidence.remove(fork)
            books.events.append(ForkFound(fork))
        self._settle()

    def _finish(self, commit: Commit) -> _Outstanding:
        done = self._outstanding
        if done is None or done.commit is not commit:
            raise MisuseError("this commit is not the one under way")
        self._outstanding = None
        return done

    def _cosign(self) -> None:
        if self._books.cosign() and self._connection is not None:
            self._connection.owes_cosigned = True

    def _fold_theirs(self) -> None:
        origin, first = self._books.theirs.origin, self._folded_theirs
        for index, (row, read) in enumerate(self._unfolded, first):
            applied = self._fold.apply_read(origin, index, read)
            self._books.events.append(
                EntryHeld(origin, index, applied.entry, applied.void, row.openings, None)
            )
        self._folded_theirs = first + len(self._unfolded)
        self._unfolded.clear()

    def commit_failed(self, commit: Commit, now: Now) -> None:
        """Take note that `commit` failed; the same and more is offered again after a second."""
        books = self._at(now)
        failed = self._finish(commit)
        for note in failed.cosigned:
            books.cosigned_notes.setdefault(note.origin, note)
        books.signed_note = books.signed_note or failed.signed
        for note in failed.seconded:
            books.seconded_notes.setdefault(note.origin, note)
        self._retry_at = now.monotonic_s + RETRY_S
        books.flush_at = self._retry_at if self._is_flush_wanted() else None

    def _is_flush_wanted(self) -> bool:
        books = self._books
        return bool(books.cosigned_notes or books.signed_note or books.seconded_notes)

    def close(self, now: Now) -> None:
        """Offer what waits at once: take, carry out and confirm commits until there is none."""
        books = self._at(now)
        if self._is_flush_wanted():
            books.flush_at = now.monotonic_s

    # -- the link

    def link_up(self, now: Now) -> None:
        """Take a new connection whose other end is the peer's pinned certificate."""
        self.link_down(now)
        self._connection = Connection(heard_s=now.monotonic_s)

    def link_down(self, now: Now) -> None:
        """Take the end of the connection."""
        books = self._at(now)
        if self._connection is not None:
            pushes = self._connection.pushes
            if pushes is not None and pushes.newest_signed is not None:
                books.keep_signed(*pushes.newest_signed)
            self._tell_down(self._connection)
        self._connection = None

    def _tell_down(self, connection: Connection) -> None:
        if connection.is_up:
            connection.is_up = False
            self._books.events.append(LineDown())

    def receive_frame(self, data: bytes, now: Now) -> None:
        """Take one frame from the peer. Whatever it holds, nothing is raised; events tell."""
        books = self._at(now)
        if self._connection is not None:
            receiving.receive(books, self._connection, data)
            self._settle()

    def frames_to_send(self) -> list[bytes]:
        """Return the frames to send now, in order; bounded by the credit."""
        return sending.frames_due(self._books, self._connection) if self._connection else []

    def next_event(self) -> Event | None:
        """Return the next thing that has happened, or None."""
        if self._unfolded:
            self._fold_theirs()
        return self._books.events.popleft() if self._books.events else None

    def next_deadline(self) -> float | None:
        """Return the monotonic time by which to call `handle_deadline` and ask for a commit."""
        deadlines: list[float | None] = []
        if self._connection is not None:
            deadlines.append(self._connection.deadline())
            deadlines.append(seconding.next_act_s(self._books, self._connection))
        if self._outstanding is None:
            deadlines.append(self._retry_at or self._books.flush_at)
        return min((at for at in deadlines if at is not None), default=None)

    def handle_deadline(self, now: Now) -> None:
        """Notice that the peer has been silent for too long, if it has; sign what is due again."""
        books, connection = self._at(now), self._connection
        if connection is None:
            return
        deadline = connection.deadline()
        if deadline is not None and not _is_later(deadline, now):
            receiving.close(books, connection, "silent for too long, an answer is owed")
        due = seconding.next_act_s(books, connection)
        if due is not None and not _is_later(due, now):
            try:
                seconding.act(books, connection)
            except PeerError as error:
                receiving.close(books, connection, str(error))

    def _at(self, now: Now) -> Books:
        self._books.now = now
        return self._books


def _is_later(at: float | None, now: Now) -> bool:
    return at is not None and at > now.monotonic_s

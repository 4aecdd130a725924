"""One side of one line, without IO: two logs kept by two nodes that do not trust each other.

Bytes, acts and time go in; bytes, events, commits and deadlines come out. After every call, in this
order: take `frames_to_send`, drain `next_event`, look at `next_deadline`; and whenever no commit is
under way ask `take_commit`, carry it out as `Commit` says, and tell `committed` or `commit_failed`.

What holds, whatever the peer sends and whenever the node is killed (docs/protocol.md §5):

- Nothing is signed that was not durable before, and nothing beyond the marker.
- Nothing is signed before the peer was heard on this connection: its `last` may know more of our
  log than we do. Then the log is refilled from its mirror, or it has ended.
- What arrives while a commit is under way goes into the next. All that a peer can make us keep in
  memory is bounded.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from telcon.core import frames
from telcon.core.author import Author
from telcon.core.connection import Connection
from telcon.core.draft import Draft
from telcon.core.entry import VoidError, parse_entry_untrusted
from telcon.core.events import (
    ActDropped,
    Cosigned,
    EntryHeld,
    Event,
    ForkFound,
    LineBroken,
    LineDown,
    LineIdentity,
    LineUp,
    Now,
    PeerMisbehaved,
    PushRefused,
    SignalReceived,
    Ticket,
)
from telcon.core.fold import Applied, LineFold
from telcon.core.growing import Row
from telcon.core.mirror import ForkError, Mirror, PushError, keep_verified
from telcon.core.pushing import Cosignature, Pushes, cut_piece
from telcon.core.replay import replay
from telcon.core.standing import Standing, State, open_shown
from telcon.core.stored import NEW_LOG, Commit, LogGrowth, Marker, Note, StoredLog
from telcon.errors import IllegalActError, LinkDownError, MalformedError, MisuseError, PeerError
from telcon.ledger import (
    Checkpoint,
    open_checkpoint,
    parse_checkpoint_untrusted,
    parse_note_untrusted,
)

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

FLUSH_S: Final = 1.0  # a cosigned checkpoint waits this long for a commit that has more to store
RETRY_S: Final = 1.0  # after a commit that failed
MAX_LATE_EVENTS: Final = 256  # of what came while asking; older is history


@dataclass(frozen=True, slots=True)
class _Outstanding:
    """What the commit under way will have made true."""

    commit: Commit
    own_size: int
    theirs_size: int
    theirs_note: Note | None
    cosigned: tuple[Note, ...]


class LineMachine:
    """One side of one line. See the module for the order in which to call it."""

    fold: LineFold
    """Both logs' meaning: of our own entries at once, of the peer's once they are durable."""

    def __init__(
        self,
        identity: LineIdentity,
        own: StoredLog,
        theirs: StoredLog,
        marker: Marker | None,
        random: Callable[[int], bytes],
        now: Now,
        *,
        evidence: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        """Replay both logs and hold the own one against `marker`.

        `marker` of a new line is `NEW_LOG`, written at pairing; None means that it is lost.
        `random(n)` returns n fresh octets; `evidence` is what earlier commits stored of this line.
        """
        self.cosigned_by_peer = 0
        self._identity = identity
        self._own = own
        self._theirs = theirs
        self._now = now
        self._author = Author(own, random)
        card = identity.peer_card
        self._mirror = Mirror(
            theirs,
            card.log,
            name=identity.own_card.mirror.name,
            key=identity.mirror_key,
            is_forked=any(_origin_of(pair[0]) == card.log.name for pair in evidence),
        )
        self._standing = Standing(self._author.log, marker)
        self._events: deque[Event] = deque()
        self._connection: Connection | None = None
        self._outstanding: _Outstanding | None = None
        self._peer_time = 0  # of the newest cosignature of our log
        self._cosigned_notes: dict[str, Note] = {}  # by origin, to be stored
        self._evidence = [pair for pair in evidence if _origin_of(pair[0]) == card.log.name]
        self._fresh_evidence: list[tuple[bytes, bytes]] = []
        self._flush_at: float | None = None
        self._retry_at: float | None = None
        self._is_broken_told = False
        self._folded_theirs = self._mirror.log.stored_size
        if any(_origin_of(pair[0]) == own.origin for pair in evidence):
            self._standing.end("two histories of this log were signed by our key")
        self._read_cosigned()
        self._replay()
        self._settle_standing()

    def _read_cosigned(self) -> None:
        newest = self._own.newest_note()
        if newest is None:
            return
        card = self._identity.own_card
        shown = open_shown(newest[1], card.log, self._identity.peer_card.mirror)
        if shown.cosignature is not None:
            self.cosigned_by_peer = shown.checkpoint.size
            self._peer_time = shown.cosignature.timestamp

    # -- standing

    @property
    def state(self) -> State:
        """Whether acts are taken; see `Standing.state`."""
        return self._standing.state

    @property
    def broken(self) -> str:
        """Why our log has ended; empty if it has not."""
        return self._standing.broken

    @property
    def cosigned_here(self) -> int:
        """How much of the peer's log is durable and cosigned here."""
        return self._mirror.cosigned_size

    @property
    def waiting(self) -> int:
        """How many acts of ours the peer has not cosigned, those not yet written included."""
        size = self._author.log.size + self._author.waiting_bulk
        return max(0, size - self.cosigned_by_peer)

    def _replay(self, on_applied: Callable[[str, int, Applied], None] | None = None) -> None:
        logs = {log.origin: log for log in (self._author.log, self._mirror.log)}
        self.fold = LineFold(frozenset(logs), lambda origin, size: logs[origin].root_at(size))
        replay(self.fold, self._own, self._theirs, on_applied or (lambda *_: None))

    def _settle_standing(self) -> None:
        """Draw the consequences of what was learnt about our own log."""
        if self._standing.broken and not self._is_broken_told:
            self._break()
        elif self._standing.is_whole and self.state == "asking":
            self._cosign()
            self._try_to_go()

    def _break(self) -> None:
        self._is_broken_told = True
        self._events.append(LineBroken(self._standing.broken))
        if self._connection is not None:
            self._connection.pushes = None
            self._tell_down(self._connection)

    def _try_to_go(self) -> None:
        """Go on once the peer's log is here as far as our own entries have seen it."""
        size, root = self._newest_seen()
        if size > self._mirror.log.stored_size:
            return
        if size and self._mirror.log.root_at(size) != root:
            self._standing.end("the other node's log is not the one that our entries have seen")
            self._settle_standing()
            return
        late: deque[EntryHeld] = deque(maxlen=MAX_LATE_EVENTS)
        if self._folded_theirs < self._mirror.log.stored_size or not self._is_folded():
            self._replay(lambda *place: self._replayed(late, *place))
        self._folded_theirs = self._mirror.log.stored_size
        self._standing.go()
        self._events.extend(late)
        if self._connection is not None and self._connection.is_ready:
            self._start_pushing(self._connection)

    def _is_folded(self) -> bool:
        return self.fold.size(self._own.origin) == self._author.log.stored_size

    def _newest_seen(self) -> tuple[int, bytes]:
        size = self._author.log.stored_size
        if size == 0:
            return 0, b""
        try:
            newest = parse_entry_untrusted(self._own.entries(size - 1, 1)[0])
        except VoidError:  # of a later version of this program: what it has seen is not known
            return 0, b""
        return newest.seen[0], bytes.fromhex(newest.seen[1])

    def _replayed(self, late: deque[EntryHeld], origin: str, index: int, applied: Applied) -> None:
        if origin == self._theirs.origin and index >= self._folded_theirs:
            openings = tuple(opening for _, opening in self._theirs.openings(index, 1))
            late.append(EntryHeld(origin, index, applied.entry, applied.void, openings, None))

    # -- acts

    def append(self, draft: Draft, now: Now) -> Ticket:
        """Take an act of a call; it is judged at once, and durable with the next commit.

        Raises:
            IllegalActError: it would be void, or this log has ended; nothing was written.
            LinkDownError: our log is not known to be whole; the peer has to be asked first.
            BusyError: the disk does not keep up.
            MisuseError: the draft makes no entry.
        """
        self._now = now
        self._check_going(draft)
        return self._author.append(draft, self.fold, self._seen(), now)

    def append_bulk(self, draft: Draft, now: Now) -> Ticket:
        """Take an act that waits behind all acts of calls: a message, a blank.

        It is composed with a later commit; `ActDropped` tells if it has become void by then.

        Raises:
            IllegalActError: this log has ended.
            LinkDownError: our log is not known to be whole; the peer has to be asked first.
            BusyError: 4,096 are waiting.
        """
        self._now = now
        self._check_going(draft)
        return self._author.append_bulk(draft)

    def _check_going(self, draft: Draft) -> None:
        if self.state == "broken":
            raise IllegalActError(draft.type, "this line's log has ended")
        if self.state == "asking":
            raise LinkDownError(
                "what was lost of this line's log has to be read back from the other node first",
                advice="Wait until the line is up, then try again.",
            )

    def _seen(self) -> tuple[int, bytes]:
        size = self._mirror.cosigned_size
        root = self._mirror.log.root_at(size)
        if root is None:
            raise MalformedError(f"{self._theirs.origin} is shorter than its stored checkpoint")
        return size, root

    def signal(self, kind: str, call: str, body: bytes, now: Now) -> None:
        """Send something ephemeral if the link is up; it is lost otherwise, as signals may be."""
        self._now = now
        if self._connection is not None and self._connection.is_ready:
            self._connection.signals.append(frames.Signal(kind, call, body))

    # -- commits

    def take_commit(self, now: Now) -> Commit | None:
        """Return what to make durable next, or None. Answer with `committed` or `commit_failed`."""
        self._now = now
        if self._outstanding is not None or _is_later(self._retry_at, now):
            return None
        self._retry_at = None
        self._compose_bulk(now)
        is_broken = self.state == "broken"
        logs = () if is_broken else (self._author.log, self._mirror.log)
        grown = tuple(growth for log in logs if (growth := log.growth()) is not None)
        marker = self._standing.next_marker()
        is_settling = any(log.size > log.stored_size for log in logs)
        if not (is_settling or marker or self._fresh_evidence) and (
            self._flush_at is None or _is_later(self._flush_at, now)
        ):
            return None
        commit = Commit(grown, self._take_notes(), tuple(self._fresh_evidence), marker)
        self._outstanding = _Outstanding(
            commit,
            self._author.log.stored_size if is_broken else self._author.log.size,
            self._mirror.log.stored_size if is_broken else self._mirror.log.size,
            None if is_broken else self._mirror.taken_note,
            tuple(self._cosigned_notes.values()),
        )
        self._cosigned_notes.clear()
        self._flush_at = None
        return commit

    def _compose_bulk(self, now: Now) -> None:
        connection = self._connection
        is_crowded = connection is not None and connection.pushes and connection.pushes.is_crowded
        if self.state == "going" and not is_crowded:
            self._events.extend(self._author.compose_bulk(self.fold, self._seen(), now))

    def _take_notes(self) -> tuple[Note, ...]:
        notes = list(self._cosigned_notes.values())
        mirrored = self._mirror.log
        taken = self._mirror.taken_note
        if self.state != "broken" and mirrored.size > mirrored.stored_size and taken is not None:
            notes.append(taken)
        return tuple(notes)

    def committed(self, commit: Commit, now: Now) -> None:
        """Take note that `commit` is durable, and its marker: now it may be signed and told."""
        self._now = now
        done = self._finish(commit)
        self._retry_at = None
        self._events.extend(self._author.settle(done.own_size))
        self._standing.settle(commit.marker)
        first = self._mirror.log.stored_size
        rows = self._mirror.settle(done.theirs_note, done.theirs_size)
        if rows and self._standing.is_whole:
            self._cosign()
        if self.state == "going":
            self._fold_theirs(first, rows)
        for pair in commit.evidence:
            self._fresh_evidence.remove(pair)
            self._events.append(ForkFound(*pair))
        self._settle_standing()

    def _finish(self, commit: Commit) -> _Outstanding:
        done = self._outstanding
        if done is None or done.commit is not commit:
            raise MisuseError("this commit is not the one under way")
        self._outstanding = None
        return done

    def _fold_theirs(self, first: int, rows: list[Row]) -> None:
        origin = self._theirs.origin
        for index, row in enumerate(rows, first):
            applied = self.fold.apply(origin, index, row.entry)
            self._events.append(
                EntryHeld(origin, index, applied.entry, applied.void, row.openings, None)
            )
        self._folded_theirs = first + len(rows)

    def _cosign(self) -> None:
        """Cosign what is durable of the peer's log, if that is more than before."""
        note = self._mirror.cosign_durable(self._now.utc_us)
        if note is None:
            return
        self._store_later(note)
        if self._connection is not None:
            self._connection.owes_cosigned = True

    def _store_later(self, note: Note) -> None:
        self._cosigned_notes[note.origin] = note
        if self._flush_at is None:
            self._flush_at = self._now.monotonic_s + FLUSH_S

    def commit_failed(self, commit: Commit, now: Now) -> None:
        """Take note that `commit` failed; the same and more is offered again after a second."""
        self._now = now
        done = self._finish(commit)
        for note in done.cosigned:
            self._cosigned_notes.setdefault(note.origin, note)
        self._retry_at = now.monotonic_s + RETRY_S
        self._flush_at = self._retry_at if self._cosigned_notes else None

    def close(self, now: Now) -> None:
        """Offer what waits at once: take, carry out and confirm commits until there is none."""
        self._now = now
        if self._cosigned_notes:
            self._flush_at = now.monotonic_s

    # -- the link

    def link_up(self, now: Now) -> None:
        """Take a new connection whose other end is the peer's pinned certificate."""
        self.link_down(now)
        self._connection = Connection(heard_s=now.monotonic_s)

    def link_down(self, now: Now) -> None:
        """Take the end of the connection."""
        self._now = now
        if self._connection is not None:
            self._tell_down(self._connection)
        self._connection = None

    def _tell_down(self, connection: Connection) -> None:
        if connection.is_up:
            connection.is_up = False
            self._events.append(LineDown())

    def next_event(self) -> Event | None:
        """Return the next thing that has happened, or None."""
        return self._events.popleft() if self._events else None

    def next_deadline(self) -> float | None:
        """Return the monotonic time by which to call `handle_deadline` and ask for a commit."""
        deadlines = [self._connection.deadline() if self._connection else None]
        if self._outstanding is None:
            deadlines += [self._retry_at, None if self._retry_at else self._flush_at]
        return min((at for at in deadlines if at is not None), default=None)

    def handle_deadline(self, now: Now) -> None:
        """Notice that the peer has been silent for too long, if it has."""
        self._now = now
        if self._retry_at is not None and not _is_later(self._retry_at, now):
            self._retry_at = None
        connection = self._connection
        deadline = connection.deadline() if connection else None
        if deadline is not None and not _is_later(deadline, now):
            self._misbehaved("silent for too long while an answer was owed", close=True)

    def _misbehaved(self, reason: str, *, close: bool) -> None:
        self._events.append(PeerMisbehaved(reason, close))
        if close and self._connection is not None:
            self._connection.is_closing = True

    # -- frames out

    def frames_to_send(self) -> list[bytes]:
        """Return the frames to send now, in order; bounded by the credit."""
        connection = self._connection
        if connection is None or connection.is_closing:
            return []
        out: list[frames.Frame] = []
        if not connection.is_hello_sent:
            connection.is_hello_sent = True
            out.append(self._hello())
        if not connection.is_ready:
            return [frames.format_frame(frame) for frame in out]
        out += self._answers(connection)
        sent = [frames.format_frame(frame) for frame in out]
        sent += self._pushes(connection)
        return sent + [frames.format_frame(frame) for frame in self._questions(connection)]

    def _hello(self) -> frames.Hello:
        identity = self._identity
        return frames.Hello(
            frames.PROTOCOL_VERSION,
            identity.own_name,
            identity.line,
            self._author.log.stored_size,
            self._mirror.log.stored_size,
            self._mirror.last(self._now.utc_us),
        )

    def _answers(self, connection: Connection) -> list[frames.Frame]:
        out: list[frames.Frame] = []
        if connection.owes_evidence:
            connection.owes_evidence = False
            out += [frames.Evidence(*pair) for pair in self._evidence[:1]]
        if connection.owes_last:
            connection.owes_last = False
            out.append(frames.Last(self._mirror.last(self._now.utc_us)))
        if connection.owes_cosigned:
            connection.owes_cosigned = False
            out += self._cosigned_frame()
        out += connection.answers()
        if connection.fetch_from is not None:
            out.append(self._refill(connection.fetch_from))
            connection.fetch_from = None
        return out

    def _cosigned_frame(self) -> list[frames.Frame]:
        if self._mirror.cosigned is None:
            self._mirror.cosign_again(self._now.utc_us)
        return [self._mirror.cosigned] if self._mirror.cosigned else []

    def _refill(self, first: int) -> frames.Refill:
        piece = self._mirror.log.read(first)
        del piece[cut_piece(piece) :]
        openings = [
            frames.SentOpening(index, opening.member, opening.key, opening.content)
            for index, (_, openings) in enumerate(piece, first)
            for opening in openings
        ]
        is_last = first + len(piece) >= self._mirror.log.stored_size
        return frames.Refill(first, [entry for entry, _ in piece], openings, is_last)

    def _pushes(self, connection: Connection) -> list[bytes]:
        pushes = connection.pushes
        if pushes is None or self.state != "going":
            return []
        if not pushes.is_waiting:
            connection.heard_s = self._now.monotonic_s  # from now on the peer owes
        signed_to = self._standing.marker.size
        sent = []
        while (push := pushes.next_push(signed_to)) is not None:
            sent.append(push)
        return sent

    def _questions(self, connection: Connection) -> list[frames.Frame]:
        out: list[frames.Frame] = []
        if connection.ask_last:
            connection.ask_last = False
            connection.awaits_last = True
            connection.heard_s = self._now.monotonic_s
            out.append(frames.AskLast())
        refilling = self._standing.refilling
        wanted = refilling.wanted() if refilling else None
        if wanted is not None and connection.fetching is None:
            connection.fetching = wanted
            connection.heard_s = self._now.monotonic_s
            out.append(frames.Fetch(wanted))
        return out

    # -- frames in

    def receive_frame(self, data: bytes, now: Now) -> None:
        """Take one frame from the peer. Whatever it holds, nothing is raised; events tell."""
        self._now = now
        connection = self._connection
        if connection is None or connection.is_closing:
            return
        try:
            frame = frames.parse_frame_untrusted(data)
            if isinstance(frame, frames.Hello) is connection.is_ready:
                raise MalformedError("hello is the first frame, and only the first")
            self._receive(connection, frame, len(data))
        except PeerError as error:
            self._misbehaved(str(error), close=True)
        self._settle_standing()

    def _receive(self, connection: Connection, frame: frames.Frame, octets: int) -> None:
        match frame:
            case frames.Push():
                self._receive_push(connection, frame, octets)
            case frames.Cosigned():
                self._receive_cosigned(connection, frame)
            case frames.Signal(kind, call, body):
                self._events.append(SignalReceived(kind, call, body))
            case frames.Hello():
                self._receive_hello(connection, frame)
            case frames.AskLast():
                connection.owes_last = True
            case frames.Last(note):
                self._receive_last(connection, note)
            case frames.Fetch(first):
                connection.fetch_from = first
                connection.heard_s = self._now.monotonic_s
            case frames.Refill():
                connection.fetching = None
                connection.heard_s = self._now.monotonic_s
                self._standing.refill(frame)
            case frames.Refused():
                self._receive_refused(connection, frame)
            case frames.Evidence(note_a, note_b):
                self._receive_evidence(note_a, note_b)

    def _receive_hello(self, connection: Connection, hello: frames.Hello) -> None:
        identity = self._identity
        if hello.version != frames.PROTOCOL_VERSION:
            raise MalformedError(f"version {hello.version} of the protocol is not spoken here")
        if (hello.name, hello.line) != (identity.peer_name, identity.line):
            raise MalformedError(f"hello of {hello.name!r} for line {hello.line!r}")
        self._learn_last(connection, hello.last)
        connection.is_ready = True
        connection.heard_s = self._now.monotonic_s
        self._settle_standing()
        if self.state == "going" and connection.pushes is None:
            self._start_pushing(connection)

    def _start_pushing(self, connection: Connection) -> None:
        self._keep_shown(connection)
        held = min(connection.held, self._standing.marker.size)
        connection.pushes = Pushes(
            self._author.log, self._identity.log_key, self._identity.peer_card.mirror, held
        )
        if not connection.is_up:
            connection.is_up = True
            self._events.append(LineUp())

    def _receive_last(self, connection: Connection, note: bytes) -> None:
        if not connection.awaits_last:
            raise MalformedError("last without being asked")
        connection.awaits_last = False
        self._learn_last(connection, note)
        if connection.pushes is not None:
            connection.pushes.restart(min(connection.held, self._standing.marker.size))

    def _learn_last(self, connection: Connection, note: bytes) -> None:
        """Take what the peer shows of our log."""
        stored = self._author.log.stored_size
        is_idle = self._author.log.size == stored and (
            self._outstanding is None or self._outstanding.own_size == stored
        )
        card = self._identity.own_card
        shown = open_shown(note, card.log, self._identity.peer_card.mirror) if note else None
        connection.shown = shown
        self._standing.learn(shown.checkpoint if shown else None, is_idle=is_idle)
        self._keep_shown(connection)

    def _keep_shown(self, connection: Connection) -> None:
        """Keep the cosignature that the peer showed, once the log it covers is here."""
        shown = connection.shown
        if shown and shown.cosignature and self._is_ours(shown.checkpoint):
            self._keep_cosignature(shown.cosignature)

    def _is_ours(self, checkpoint: Checkpoint) -> bool:
        """Say whether a checkpoint is of the history that is stored here."""
        log = self._author.log
        return checkpoint.size <= log.stored_size and (
            log.root_at(checkpoint.size) == checkpoint.root
        )

    def _receive_push(self, connection: Connection, push: frames.Push, octets: int) -> None:
        try:
            if self.state == "broken":
                raise PushError("frozen", "this line has ended here")
            if self._mirror.take(push, octets):
                return
        except ForkError as error:
            self._keep_evidence(error.notes)
            self._evidence.append(error.notes)
            connection.owes_evidence = True
            self._refuse(connection, "fork", push.first, str(error))
        except PushError as error:
            self._refuse(connection, error.code, push.first, error.detail)
        else:
            connection.owes_cosigned = self._mirror.log.size == self._mirror.cosigned_size

    def _refuse(self, connection: Connection, code: str, first: int, detail: str) -> None:
        refused = frames.Refused(code, first, detail[:512])
        is_too_often = connection.refuse(refused, self._mirror.log.size)
        if code not in ("gap", "frozen"):
            self._misbehaved(f"a push was refused, {code}: {detail}", close=is_too_often)

    def _keep_evidence(self, notes: tuple[bytes, bytes]) -> None:
        if notes not in self._fresh_evidence:
            self._fresh_evidence.append(notes)

    def _receive_cosigned(self, connection: Connection, frame: frames.Cosigned) -> None:
        if connection.pushes is None:
            raise MalformedError("a cosignature for nothing that was sent")
        cosignature = connection.pushes.cosigned(
            frame.size, frame.line, self._standing.marker.size
        )
        connection.heard_s = self._now.monotonic_s
        self._keep_cosignature(cosignature)

    def _keep_cosignature(self, cosignature: Cosignature) -> None:
        size, timestamp, note = cosignature
        is_older = timestamp < self._peer_time
        if size <= self.cosigned_by_peer:
            if is_older:
                self._misbehaved(f"an old cosignature of size {size} was shown again", close=False)
            elif size == self.cosigned_by_peer:
                self._peer_time = timestamp
            return
        self.cosigned_by_peer = size
        self._peer_time = timestamp
        self._store_later(Note(self._own.origin, size, note, cosigned=True))
        self._events.append(Cosigned(size, timestamp))

    def _receive_refused(self, connection: Connection, refused: frames.Refused) -> None:
        pushes = connection.pushes
        if pushes is None:
            raise MalformedError("a refusal of nothing that was sent")
        self._events.append(PushRefused(refused.code, refused.detail))
        pushes.halt()
        if refused.code in ("gap", "over credit") and pushes.may_resync():
            connection.ask_last = not connection.awaits_last

    def _receive_evidence(self, note_a: bytes, note_b: bytes) -> None:
        own, theirs = self._identity.own_card.log, self._identity.peer_card.log
        is_own = _origin_of(note_a) == own.name
        key = own if is_own else theirs
        first, second = open_checkpoint(note_a, key), open_checkpoint(note_b, key)
        is_proven = first.size == second.size and first.root != second.root
        if is_own and self._standing.is_whole and first != second:
            is_proven = is_proven or not (self._is_ours(first) and self._is_ours(second))
        if not is_proven:
            self._misbehaved("evidence that shows no contradiction", close=False)
            return
        pair = (keep_verified(note_a, [key]), keep_verified(note_b, [key]))
        if is_own and self.state != "broken":
            self._keep_evidence(pair)
            self._standing.end("the other node holds two histories of this log, signed by our key")
        elif not is_own and not self._mirror.is_forked:
            self._keep_evidence(pair)
            self._mirror.is_forked = True
            self._evidence.append(pair)


def _is_later(at: float | None, now: Now) -> bool:
    return at is not None and at > now.monotonic_s


def _origin_of(note: bytes) -> str:
    """Return which log a signed checkpoint claims to be of."""
    return parse_checkpoint_untrusted(parse_note_untrusted(note).text).origin

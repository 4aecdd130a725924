"""What the parts of the machine share: the two logs, how ours stands, and what waits to be stored.

The parts are functions and small classes that are handed the books: `telcon.core.receiving` reads
frames into them, `telcon.core.sending` writes frames from them, `telcon.core.machine` turns them.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from telcon.core.author import Author
from telcon.core.entry import VoidError, parse_entry_untrusted
from telcon.core.events import Cosigned, Event, LineIdentity, Misbehaviour, Now, PeerMisbehaved
from telcon.core.mirror import Mirror
from telcon.core.pushing import Cosignature
from telcon.core.standing import Standing, open_shown
from telcon.core.stored import Marker, Note, StoredLog
from telcon.errors import MisuseError
from telcon.ledger import Checkpoint, Fork, parse_checkpoint_untrusted, parse_note_untrusted

__all__ = ["Books", "origin_of"]

FLUSH_S: Final = 1.0  # a cosigned checkpoint waits this long for a commit that has more to store


class Books:
    """Both logs of a line and what is known of them."""

    def __init__(
        self,
        identity: LineIdentity,
        own: StoredLog,
        theirs: StoredLog,
        marker: Marker | None,
        random: Callable[[int], bytes],
        evidence: Sequence[Fork],
        now: Now,
    ) -> None:
        """Read what is stored; see `LineMachine`."""
        self.identity = identity
        self.now = now
        self.events: deque[Event] = deque()
        self.own = own
        self.theirs = theirs
        self.author = Author(own, random)
        card = identity.peer_card
        self.told_evidence = [fork for fork in evidence if origin_of(fork.first) == card.log.name]
        """Of the peer's forks; sent on each connection."""
        self.mirror = Mirror(
            theirs,
            card.log,
            name=identity.own_card.mirror.name,
            key=identity.mirror_key,
            is_forked=bool(self.told_evidence),
        )
        self.standing = Standing(self.author.log, marker)
        self.is_forked = len(self.told_evidence) < len(evidence)
        """Whether proof is kept that our key signed two histories of our log."""
        if self.is_forked:
            self.standing.end("two histories of this log were signed by our key")
        self.cosigned_notes: dict[str, Note] = {}
        """By origin: the newest cosigned checkpoints, to be stored."""
        self.signed_note: Note | None = None
        """Of our log, the newest checkpoint that was sent and not cosigned; to be stored."""
        self.has_ml_dsa = identity.has_ml_dsa
        self.seconded_notes: dict[str, Note] = {}
        """By origin: the newest that bear ML-DSA-44 signatures too, to be stored."""
        self.seconded_size = own.seconded_size()
        """Of our newest checkpoint that does."""
        self.unseconded_s = self.second_asked_s = self.second_granted_s = now.monotonic_s
        """Monotonic: when our log was first cosigned beyond what we asked for, and when we last
        asked for an ML-DSA-44 cosignature, and granted one."""
        self.newest_cosigned: Cosignature | None = None
        """The newest checkpoint of our log that the peer has cosigned."""
        self.flush_at: float | None = None
        """When these are to be stored, even if nothing else is."""
        self.fresh_evidence: list[Fork] = []
        """To be stored."""
        self.cosigned_by_peer = 0
        self._peer_time = 0  # of the newest cosignature of our log
        self._read_cosigned()

    def _read_cosigned(self) -> None:
        newest = self.own.newest_note()
        if newest is None:
            return
        card = self.identity.own_card
        shown = open_shown(newest[1], card.log, self.identity.peer_card.mirror)
        if shown.cosignature is not None:
            self.cosigned_by_peer = shown.checkpoint.size
            self._peer_time = shown.cosignature.timestamp
            self.newest_cosigned = shown.cosignature

    def misbehaved(
        self, reason: str, *, close: bool, kind: Misbehaviour = Misbehaviour.OTHER
    ) -> None:
        """Tell that the peer broke the protocol."""
        self.events.append(PeerMisbehaved(reason, close, kind))

    # -- our own log

    def is_ours(self, checkpoint: Checkpoint) -> bool:
        """Say whether a checkpoint of our log is of the history that is stored here."""
        log = self.author.log
        return checkpoint.size <= log.stored_size and (
            log.root_at(checkpoint.size) == checkpoint.root
        )

    def keep_cosignature(self, cosignature: Cosignature) -> None:
        """Take a verified cosignature of our log; an old one shown again changes nothing."""
        size, timestamp, note = cosignature
        if size > self.cosigned_by_peer:
            self.cosigned_by_peer = size
            self._peer_time = timestamp
            self.newest_cosigned = cosignature
            if self.unseconded_s <= self.second_asked_s:
                self.unseconded_s = self.now.monotonic_s
            self._store_later(Note(self.own.origin, size, note, cosigned=True))
            self.events.append(Cosigned(size, timestamp))
        elif timestamp < self._peer_time:
            self.misbehaved(f"an old cosignature of size {size} was shown again", close=False)
        elif size == self.cosigned_by_peer:
            self._peer_time = timestamp

    def keep_signed(self, size: int, note: bytes) -> None:
        """Keep what we signed and the peer did not: all there is of entries that it never held."""
        if size > self.cosigned_by_peer and self.own.note(size) is None:
            self.signed_note = Note(self.own.origin, size, note, cosigned=False)
            self._flush_later()

    def newest_seen(self) -> tuple[int, bytes]:
        """Return size and root of the peer's log that our newest stored entry has seen."""
        size = self.author.log.stored_size
        if size == 0:
            return 0, b""
        try:
            newest = parse_entry_untrusted(self.own.entries(size - 1, 1)[0])
        except VoidError:  # of a later version of this program: what it has seen is not known
            return 0, b""
        return newest.seen[0], bytes.fromhex(newest.seen[1])

    # -- the peer's log

    def seen(self) -> tuple[int, bytes]:
        """Return size and root of the peer's log as stored and cosigned here."""
        size = self.mirror.cosigned_size
        root = self.mirror.log.root_at(size)
        if root is None:
            raise MisuseError(f"the store holds less of {self.theirs.origin} than its checkpoint")
        return size, root

    def cosign(self) -> bool:
        """Cosign what is durable of the peer's log; say whether that is more than before."""
        note = self.mirror.cosign_durable(self.now.utc_us)
        if note is None:
            return False
        self._store_later(note)
        return True

    def keep_seconded(self, note: Note) -> None:
        """Let a checkpoint be stored that bears all four signatures."""
        self.seconded_notes[note.origin] = note
        self._flush_later()

    def keep_evidence(self, fork: Fork) -> None:
        """Let proof of a fork be stored."""
        if fork not in self.fresh_evidence:
            self.fresh_evidence.append(fork)

    def keep_own_fork(self, fork: Fork) -> None:
        """Let proof be stored that our key signed two histories: our log has ended."""
        if not self.is_forked:
            self.is_forked = True
            self.keep_evidence(fork)
        self.standing.end("the other node holds two histories of this log, signed by our key")

    def keep_peers_fork(self, fork: Fork) -> None:
        """Let proof be stored that the peer signed two histories; tell it, and cosign no more."""
        self.keep_evidence(fork)
        self.told_evidence.append(fork)
        self.mirror.is_forked = True

    def _store_later(self, note: Note) -> None:
        self.cosigned_notes[note.origin] = note
        self._flush_later()

    def _flush_later(self) -> None:
        if self.flush_at is None:
            self.flush_at = self.now.monotonic_s + FLUSH_S


def origin_of(note: bytes) -> str:
    """Return which log a signed checkpoint claims to be of.

    Raises:
        MalformedError: not a checkpoint.
    """
    return parse_checkpoint_untrusted(parse_note_untrusted(note).text).origin

"""The house log that this node writes, without IO: acts, blanks each hour, then a signature.

Acts and time go in; commits come out, to be carried out as `telcon.core.stored.Commit` says and
confirmed by `committed` or `commit_failed`. What holds:

- Nothing is signed but what the log was at a full hour, and nothing beyond the marker: persist,
  sync, then sign. Between two full hours acts cost a commit and no marker.
- A log that does not fit its marker, or of which a witness shows more under our own signature than
  is stored, has *ended*: nothing of it is signed any more, and the caller opens a new one.
  Witnesses hold no entries, so it cannot be read back as a line's log can.
- What waits for a disk that refuses is bounded. What is over that is counted, and the count
  becomes an act.
"""

from collections.abc import Callable, Mapping
from typing import Final

from telcon.core.growing import GrowingLog, make_row
from telcon.core.house import (
    By,
    Detail,
    compose_act,
    compose_blank,
    compose_opened,
    padded_size,
)
from telcon.core.seal import Opening
from telcon.core.stored import NEW_LOG, Commit, Marker, Note, StoredLog
from telcon.errors import MisuseError, SignatureError
from telcon.ledger import (
    ED25519,
    Checkpoint,
    SigningKey,
    VerifierKey,
    add_signature_lines,
    consistency_proof,
    open_checkpoint,
    parse_note_untrusted,
    sign_checkpoint,
    verify_note,
)
from telcon.ledger.witness import format_submission

__all__ = ["LEFT_OUT", "MAX_WAITING", "HouseLog"]

MAX_WAITING: Final = 1_024  # entries that the disk has not taken
LEFT_OUT: Final = "audit.events-dropped"
"""The act that says how many acts a disk that refused has cost."""


class HouseLog:
    """One house log that this node writes. See the module for what it owes."""

    def __init__(
        self,
        key: SigningKey,
        stored: StoredLog,
        marker: Marker | None,
        random: Callable[[int], bytes],
    ) -> None:
        """Hold `stored` against `marker`; None: it is lost. `random(n)` returns n fresh octets."""
        self.origin = stored.origin
        self.vkey = VerifierKey(stored.origin, ED25519, key.public)
        self.ended = ""
        """Why nothing of this log is signed any more; empty while it is."""
        self._key = key
        self._stored = stored
        self._random = random
        self._log = GrowingLog(stored, keep_octets=0)
        self._marker = marker or NEW_LOG
        self._is_markable = True  # until the marker is refused
        self._turn = self._marker.size  # how long the log was at the last full hour
        self._lost = 0
        self._notes: dict[int, Note] = {}  # cosigned, to be stored
        self._outstanding: tuple[Commit, int] | None = None
        self._compare(marker)

    def _compare(self, marker: Marker | None) -> None:
        root = self._log.root_at(self._marker.size)
        if marker is None:
            self.end("its marker is gone, so nobody can tell how far it was signed")
        elif root is None:
            self.end(f"{self._log.size} entries are stored of {marker.size} that were signed")
        elif root != marker.root:
            self.end(f"the store holds another history than was signed up to {marker.size}")

    def end(self, reason: str) -> None:
        """Sign nothing of this log any more; what it holds stays."""
        self.ended = self.ended or reason

    # -- growing

    @property
    def size(self) -> int:
        """Number of entries, those that wait for a commit included."""
        return self._log.size

    @property
    def waiting(self) -> int:
        """How many entries are not durable."""
        return self._log.size - self._log.stored_size

    @property
    def signed(self) -> Checkpoint | None:
        """What may be shown of this log: how it was at the newest full hour that is durable."""
        if self.ended or not self._marker.size:
            return None
        return Checkpoint(self.origin, self._marker.size, self._marker.root)

    def open(self, previous: tuple[str, int, bytes] | None, time_us: int) -> None:
        """Write the first entry of a new log; `previous`: see `telcon.core.house.HouseOpened`.

        Raises:
            MisuseError: it has one.
        """
        if self._log.size:
            raise MisuseError(f"{self.origin} is open")
        self._grow(compose_opened(previous, time_us, self._random), ())

    def last_known(self) -> tuple[str, int, bytes]:
        """Return origin, size and root as a log that continues this one names them."""
        if self._marker.size:
            return self.origin, self._marker.size, self._marker.root
        return self.origin, self._log.size, self._log.tip.root()

    def append(self, act: str, by: By, details: Mapping[str, Detail], time_us: int) -> None:
        """Take an act; where the disk takes none, it may only be counted.

        Raises:
            MisuseError: a name or details that no reader would accept.
        """
        if self.waiting >= MAX_WAITING:
            self._lost += 1
            return
        if self._lost:
            lost, self._lost = self._lost, 0
            self._append(LEFT_OUT, "node", {"count": lost}, time_us)
        self._append(act, by, details, time_us)

    def _append(self, act: str, by: By, details: Mapping[str, Detail], time_us: int) -> None:
        made = compose_act(
            act, by, details, origin=self.origin, time_us=time_us, random=self._random
        )
        self._grow(made.data, (made.opening,))

    def turn(self, time_us: int) -> None:
        """Let a full hour have come: pad the log, to be signed once that is durable.

        A disk that takes nothing is not fed with blanks: that hour is then padded with the next.
        """
        if self.ended or not self._is_markable or self.waiting >= MAX_WAITING:
            return
        turn = padded_size(self._turn, self._log.size)
        while self._log.size < turn:
            self._grow(compose_blank(time_us, self._random), ())
        self._turn = turn

    def _grow(self, entry: bytes, openings: tuple[Opening, ...]) -> None:
        self._log.grow(make_row(self._log.tip, entry, openings))

    # -- commits

    def take_commit(self) -> Commit | None:
        """Return what to make durable next; None where there is nothing, or one is under way."""
        if self._outstanding is not None:
            return None
        growth = self._log.growth()
        marker = self._next_marker()
        notes = tuple(self._notes.values())
        if growth is None and marker is None and not notes:
            return None
        self._notes.clear()
        commit = Commit((growth,) if growth else (), notes, (), marker)
        self._outstanding = (commit, self._log.size)
        return commit

    def _next_marker(self) -> Marker | None:
        if self.ended or not self._is_markable or self._turn <= self._marker.size:
            return None
        root = self._log.root_at(self._turn)
        return Marker(self._turn, root) if root is not None else None

    def committed(self, commit: Commit) -> None:
        """Take note that `commit` is durable, and its marker: now that may be signed."""
        size = self._finish(commit)
        self._log.settle(size)
        if commit.marker is not None:
            self._marker = commit.marker

    def commit_failed(self, commit: Commit) -> None:
        """Take note that `commit` failed, perhaps at its marker alone; ask again after a while.

        Where the marker was refused, nothing is signed until the node is started again.
        """
        size = self._finish(commit)
        if commit.marker is not None and self._stored.size >= size:
            self._is_markable = False
            self._log.settle(size)
        else:
            for note in commit.notes:
                self._notes.setdefault(note.size, note)

    def _finish(self, commit: Commit) -> int:
        if self._outstanding is None or self._outstanding[0] is not commit:
            raise MisuseError("this commit is not the one under way")
        size = self._outstanding[1]
        self._outstanding = None
        return size

    # -- what witnesses are asked, show and answer

    def signed_note(self, size: int) -> bytes:
        """Return our checkpoint of `size`, with the cosignatures that are kept of it.

        Raises:
            MisuseError: it was never signed, or this log has ended.
        """
        if self.ended or not 0 < size <= self._marker.size:
            raise MisuseError(f"{self.origin} may not sign {size} entries")
        if size in self._notes:
            return self._notes[size].note
        stored = self._stored.note(size)
        return stored or sign_checkpoint(self._checkpoint(size), self._key)

    def public_note(self) -> bytes | None:
        """Return what `signed` says under our signature alone: cosignatures name our peers."""
        return None if self.signed is None else sign_checkpoint(self.signed, self._key)

    def submission(self, old: int) -> bytes:
        """Return what asks a witness that has cosigned `old` entries to cosign what is `signed`.

        Raises:
            MisuseError: nothing is signed, or not so much.
        """
        signed = self.signed
        if signed is None or old > signed.size:
            raise MisuseError(f"{self.origin}: nothing that is signed grows from {old} entries")
        proof = consistency_proof(old, signed.size, self._log.hash) if old else ()
        return format_submission(old, proof, sign_checkpoint(signed, self._key))

    def learn(self, note: bytes) -> int:
        """Hold what a witness shows of this log against what is stored; return its size.

        May end this log: our own key has then signed what is not here.

        Raises:
            MalformedError: not a checkpoint.
            SignatureError: not one that our key signed.
        """
        shown = open_checkpoint(note, self.vkey)
        if shown.size > self._log.stored_size:
            self.end(f"{self._log.stored_size} entries are stored of {shown.size} that were signed")
        elif self._log.root_at(shown.size) != shown.root:
            self.end(f"another history than the stored one was signed up to {shown.size}")
        else:
            self._turn = max(self._turn, shown.size)
        return shown.size

    def is_cosigned(self, size: int, witness: VerifierKey) -> bool:
        """Say whether the checkpoint of `size` bears a cosignature of `witness`."""
        try:
            verify_note(parse_note_untrusted(self.signed_note(size)), [witness])
        except SignatureError:
            return False
        return True

    def keep_cosignature(self, size: int, witness: VerifierKey, line: bytes) -> None:
        """Let the verified cosignature `line` of `witness` be stored; the first one stays.

        Raises:
            MisuseError: that checkpoint was never signed, or this log has ended.
        """
        if not self.is_cosigned(size, witness):
            note = add_signature_lines(self.signed_note(size), [line])
            self._notes[size] = Note(self.origin, size, note, cosigned=True)

    def _checkpoint(self, size: int) -> Checkpoint:
        root = self._log.root_at(size)
        if root is None:
            raise MisuseError(f"{self.origin} has no {size} entries to sign")
        return Checkpoint(self.origin, size, root)

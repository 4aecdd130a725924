"""The other side's log as mirrored here: pushes verified, forks found, checkpoints cosigned.

A push is verified in the order of docs/protocol.md §5, numbered below, and taken whole or not at
all. What a peer may send without a cosignature is bounded, so that a flood costs it and not us.
Nothing is cosigned that is not durable; the caller says when it is, by `settle`.
"""

from collections import deque
from typing import Final

from telcon.core.entry import MAX_ENTRY_BYTES, Entry, Void, read_entry_untrusted
from telcon.core.frames import Cosigned, Push, openings_by_index
from telcon.core.growing import GrowingLog, Row, make_row
from telcon.core.seal import MAX_CONTENT_BYTES, Opening, opening_fits, owed_members
from telcon.core.stored import Note, StoredLog
from telcon.errors import MalformedError, PeerError, SignatureError
from telcon.ledger import (
    COSIGNATURE_ED25519,
    Checkpoint,
    Fork,
    Frontier,
    HashReader,
    SigningKey,
    VerifierKey,
    add_signature_lines,
    cosign,
    cosignature_time,
    fork_between,
    format_signature_line,
    leaf_hash,
    parse_checkpoint_untrusted,
    parse_note_untrusted,
    verify_note,
)

__all__ = ["MAX_UNCOSIGNED_OCTETS", "ForkError", "Mirror", "PushError", "keep_verified"]

MAX_UNCOSIGNED_OCTETS: Final = 2_097_152  # twice what an author may send, so that none is cut off


class PushError(PeerError):
    """A push is not taken; `code` is one of docs/protocol.md §5."""

    def __init__(self, code: str, detail: str) -> None:
        """Keep what the frame `refused` says."""
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class ForkError(PeerError):
    """The peer signed two checkpoints of its log that cannot both be true."""

    def __init__(self, fork: Fork) -> None:
        """Keep the two signed checkpoints, and what shows it."""
        super().__init__("two checkpoints of one log cannot both be true")
        self.fork = fork


class Mirror:
    """One peer's log, from what it pushes to what we have cosigned of it."""

    def __init__(
        self,
        stored: StoredLog,
        log_key: VerifierKey,
        *,
        name: str,
        key: SigningKey,
        is_forked: bool,
    ) -> None:
        """Mirror the log that `log_key` signs; cosign as `name` with `key`."""
        self.log = GrowingLog(stored, keep_octets=0)
        self.is_forked = is_forked
        self._stored = stored
        self._log_key = log_key
        self._cosigner = VerifierKey(name, COSIGNATURE_ED25519, key.public)
        self._key = key
        self._uncosigned: deque[tuple[int, int]] = deque()  # size after a push, its octets
        self._uncosigned_octets = 0
        self._read: deque[Entry | Void] = deque()  # of entries that are taken, not durable yet
        self._cosigned: Cosigned | None = None
        newest = stored.newest_note()
        self._durable = self._read_newest(newest) if newest else None
        self._taken = self._durable
        self._timestamp = _newest_time(newest[1], self._cosigner) if newest else 0
        # Where the newest bears no cosignature of ours, the node was killed before it was made.
        self._held = self._durable if self._timestamp else None
        self._kept_size = self.cosigned_size

    def _read_newest(self, newest: tuple[int, bytes]) -> Note:
        size, note = newest
        return Note(self.log.origin, size, keep_verified(note, [self._log_key]), cosigned=False)

    # -- pushes

    def take(self, push: Push, octets: int) -> bool:
        """Verify `push`, a frame of `octets`, and take what is new of it.

        Returns:
            Whether anything was new.

        Raises:
            PushError: not taken, nothing of it.
            ForkError: it bears a valid signature of another history than the one held.
        """
        self._check_limits(push)  # (1)
        if push.first > self.log.size:  # (2)
            raise PushError("gap", f"{self.log.size} entries are held")
        checkpoint = self._read_note(push)
        leaves = [leaf_hash(entry) for entry in push.entries]
        known = min(len(leaves), self.log.size - push.first)
        same = all(
            leaf == self.log.hash(0, index) for index, leaf in enumerate(leaves[:known], push.first)
        )
        if not same or known == len(leaves):
            self._compare(push, checkpoint, leaves, same=same)
            return False
        if self._uncosigned_octets + octets > MAX_UNCOSIGNED_OCTETS:
            raise PushError("over credit", f"{self._uncosigned_octets} octets are not cosigned")
        self._append(push, leaves, known, checkpoint)
        self._uncosigned.append((checkpoint.size, octets))
        self._uncosigned_octets += octets
        return True

    def _check_limits(self, push: Push) -> None:
        if self.is_forked:
            raise PushError("fork", "this log has two histories")
        if any(not 0 < len(entry) <= MAX_ENTRY_BYTES for entry in push.entries):
            raise PushError("limit", f"an entry has 1 to {MAX_ENTRY_BYTES} octets")
        if any(len(opening.content) > MAX_CONTENT_BYTES for opening in push.openings):
            raise PushError("limit", f"an opening has at most {MAX_CONTENT_BYTES} octets")

    def _read_note(self, push: Push) -> Checkpoint:
        try:
            checkpoint = parse_checkpoint_untrusted(parse_note_untrusted(push.note).text)
        except MalformedError as error:
            raise PushError("signature", str(error)) from error
        if checkpoint.origin != self.log.origin:
            raise PushError("signature", f"a checkpoint of {checkpoint.origin}")
        if checkpoint.size != push.first + len(push.entries):
            raise PushError("hash", f"a checkpoint of size {checkpoint.size} does not fit the push")
        return checkpoint

    def _compare(
        self, push: Push, checkpoint: Checkpoint, leaves: list[bytes], *, same: bool
    ) -> None:
        """Judge a push that brings nothing new, or something else than what is held."""
        if same and checkpoint.root == self.log.root_at(checkpoint.size):
            return
        self._verify(push)
        held = self.log.root_at(checkpoint.size)
        if held is not None and held != checkpoint.root:
            raise self.contradiction(push.note, checkpoint, self.log.hash)
        frontier = Frontier.load(push.first, self.log.hash)
        completed = []
        for leaf in leaves:
            frontier, hashes = frontier.append(leaf)
            completed.append(hashes)
        if frontier.root() == checkpoint.root:
            raise self.contradiction(push.note, checkpoint, self._tree_of(push.first, completed))
        raise PushError(
            "hash", "other entries than are held, and the checkpoint does not bear them"
        )

    def _append(self, push: Push, leaves: list[bytes], known: int, checkpoint: Checkpoint) -> None:
        openings = openings_by_index(push.openings)
        rows: list[Row] = []
        frontier = self.log.tip
        for entry, leaf in zip(push.entries[known:], leaves[known:], strict=True):  # (3)
            row = make_row(frontier, entry, (), leaf)
            frontier = row.frontier
            rows.append(row)
        if frontier.root() != checkpoint.root:
            raise PushError("hash", f"the root at size {frontier.size} is another")
        note = self._verify(push)  # (4)
        read = [read_entry_untrusted(row.entry) for row in rows]
        taken = [
            row._replace(openings=self._owed(entry, openings.get(index, {})))  # (5)
            for index, (row, entry) in enumerate(zip(rows, read, strict=True), self.log.size)
        ]
        for row in taken:
            self.log.grow(row)
        self._read.extend(read)
        self._taken = Note(self.log.origin, self.log.size, note, cosigned=False)

    def _verify(self, push: Push) -> bytes:
        try:
            return keep_verified(push.note, [self._log_key])
        except PeerError as error:
            raise PushError("signature", str(error)) from error

    def _owed(self, entry: Entry | Void, sent: dict[str, Opening]) -> tuple[Opening, ...]:
        """Return the openings owed with an entry; nothing vouches for others: they are left."""
        if isinstance(entry, Void):
            return ()  # held and void: what cannot be read owes nothing
        owed = []
        for member in sorted(owed_members(entry)):
            opening = sent.get(member)
            if opening is None or not opening_fits(entry, self.log.origin, opening):
                raise PushError("opening", f"{member} has no opening that fits")
            owed.append(opening)
        return tuple(owed)

    def _tree_of(self, first: int, completed: list[tuple[bytes, ...]]) -> HashReader:
        """Read the tree of a log that is as held here up to `first`, then completes `completed`."""

        def read(level: int, index: int) -> bytes:
            last = ((index + 1) << level) - 1
            return self.log.hash(level, index) if last < first else completed[last - first][level]

        return read

    def contradiction(
        self, note: bytes, checkpoint: Checkpoint, tree: HashReader
    ) -> ForkError | PushError:
        """Return what to make of a verified checkpoint of another history than the one held.

        A `ForkError` where one is kept that it contradicts; then nothing of this log is cosigned
        again. `tree` reads the tree of the larger of both.
        """
        held = self._stored.note(checkpoint.size) or (self._taken.note if self._taken else None)
        if held is None:
            return PushError("hash", "another history than the one held")
        self.is_forked = True
        keys = [self._log_key]
        return ForkError(fork_between(keep_verified(held, keys), keep_verified(note, keys), tree))

    # -- commits and cosignatures

    @property
    def taken_note(self) -> Note | None:
        """The author-signed checkpoint of all that was taken."""
        return self._taken

    @property
    def cosigned_size(self) -> int:
        """How much of the log is durable and cosigned here."""
        return self._held.size if self._held else 0

    @property
    def cosigned(self) -> Cosigned | None:
        """The newest cosignature made here, as it goes to the author."""
        return self._cosigned

    def settle(self, note: Note | None, size: int) -> list[tuple[Row, Entry | Void]]:
        """Take note that `size` entries and `note`, their checkpoint, are durable.

        Returns:
            What has become durable, and how it reads.
        """
        if note is not None:
            self._durable = note
        return [(row, self._read.popleft()) for row in self.log.settle(size)]

    def cosign_durable(self, utc_us: int) -> Note | None:
        """Cosign the newest durable checkpoint; None if nothing is new, or the log is forked.

        Returns:
            The note with the author's signature and ours, to be stored with the next commit.
        """
        if self.is_forked or self._durable is None or self._durable.size == self._kept_size:
            return None
        self._held = self._durable
        self._kept_size = self._held.size
        while self._uncosigned and self._uncosigned[0][0] <= self._held.size:
            self._uncosigned_octets -= self._uncosigned.popleft()[1]
        return self.cosign_again(utc_us)

    def cosign_again(self, utc_us: int) -> Note | None:
        """Cosign afresh what is cosigned already; None if that is nothing, or the log is forked."""
        if self._held is None or self.is_forked:
            return None
        # A cosigner's times do not fall, even where its clock was set back.
        self._timestamp = max(self._timestamp, utc_us // 1_000_000)
        text = parse_note_untrusted(self._held.note).text
        line = cosign(text, self._cosigner.name, self._key, self._timestamp)
        self._cosigned = Cosigned(self._held.size, line)
        note = add_signature_lines(self._held.note, [line])
        return Note(self.log.origin, self._held.size, note, cosigned=True)

    def last(self, utc_us: int) -> bytes:
        """Answer `last?`: the newest durable checkpoint, freshly cosigned if it may be.

        It may not if the log is forked, or while what the peer has pushed waits for our own log to
        be whole. What is held was held before, perhaps with more: a node that was set back cosigns
        what its backup holds, so such a cosignature does not show that no more was.
        """
        if self._durable is None:
            return b""
        if self.cosigned_size != self._durable.size:
            return self._durable.note
        cosigned = self.cosign_again(utc_us)
        return cosigned.note if cosigned else self._durable.note


def keep_verified(note: bytes, keys: list[VerifierKey]) -> bytes:
    """Return `note` with the signatures by `keys` alone, each of which verifies.

    Raises:
        MalformedError: not a note.
        SignatureError: none is by `keys`, or one is and does not verify.
    """
    verified = verify_note(parse_note_untrusted(note), keys)
    lines = [format_signature_line(signature) for _, signature in verified.verified]
    return verified.text + b"\n" + b"".join(lines)


def _newest_time(note: bytes, cosigner: VerifierKey) -> int:
    try:
        verified = verify_note(parse_note_untrusted(note), [cosigner])
    except SignatureError:
        return 0  # stored before it was cosigned
    return cosignature_time(*verified.verified[0])

"""A house log in memory: what a store does for it, failing where it is told to, and a witness."""

from hashlib import sha256

from fakes.memory_log import MemoryLog
from telcon.core.house import house_origin
from telcon.core.house_log import HouseLog
from telcon.core.stored import NEW_LOG, Commit, Marker
from telcon.ledger import (
    COSIGNATURE_ED25519,
    Checkpoint,
    SigningKey,
    VerifierKey,
    add_signature_lines,
    parse_vkey,
)
from telcon.ledger.witness import Accepted, Answer, Refused, Witnessed, cosigned_answer, decide

__all__ = ["Kept", "MemoryWitness"]

COSIGNED_AT = 1_800_000_000


class Kept:
    """The store, the marker and the log of one node."""

    def __init__(self, node: str = "arcadia.example", log: str = "0" * 32, seed: int = 1) -> None:
        self.seed = bytes([seed]) * 32
        self.rows = MemoryLog(house_origin(node, log))
        self.marker: Marker | None = NEW_LOG
        self._fresh = 0
        self.log = self.start()
        self.log.open(None, 0)
        self.write()

    def start(self) -> HouseLog:
        """Start the node again."""
        self.log = HouseLog(SigningKey(self.seed), self.rows, self.marker, self._random)
        return self.log

    def _random(self, octets: int) -> bytes:
        self._fresh += 1
        return sha256(self.seed + self._fresh.to_bytes(8, "big")).digest()[:octets]

    def act(self, count: int = 1) -> None:
        for number in range(count):
            self.log.append("audit.web.signed-in", "principal", {"number": number}, 1)

    def write(self) -> None:
        """Carry out all commits that are due."""
        while (commit := self.log.take_commit()) is not None:
            self.store(commit)
            self.mark(commit)
            self.log.committed(commit)

    def store(self, commit: Commit) -> None:
        """Do the transaction."""
        for growth in commit.grown:
            assert growth.first == self.rows.size
            self.rows.rows += zip(growth.entries, growth.hashes, strict=True)
            for index, opening in growth.openings:
                self.rows.opened.setdefault(index, []).append(opening)
        for note in commit.notes:
            self.rows.notes[note.size] = note

    def mark(self, commit: Commit) -> None:
        """Write the marker."""
        self.marker = commit.marker or self.marker

    def hour(self) -> Checkpoint:
        """Let a full hour come; return what may be shown then."""
        self.log.turn(1)
        self.write()
        assert self.log.signed is not None
        return self.log.signed

    def backup(self, size: int | None = None) -> "Kept":
        """Return the node as it was; its marker is not in a backup, but stays on the machine."""
        other = Kept.__new__(Kept)
        other.seed, other._fresh = self.seed, self._fresh + 1_000
        other.rows, other.marker = self.rows.copy(size), self.marker
        other.start()
        return other


class MemoryWitness:
    """A witness without a disk, see `telcon.node.house_link.Witness`."""

    def __init__(self, node: str, seed: int = 99) -> None:
        self.key = SigningKey(bytes([seed]) * 32)
        self.vkey = VerifierKey(f"{node}/witness", COSIGNATURE_ED25519, self.key.public)
        self.held: dict[str, Witnessed] = {}
        self.notes: dict[str, bytes] = {}
        self.kept: list[bytes] = []  # what was refused and may prove a fork

    async def admit(self, vkey: str) -> None:
        key = parse_vkey(vkey)
        self.held.setdefault(key.name, Witnessed((key,)))

    async def dismiss(self, origin: str) -> None:
        del self.held[origin]

    async def add_checkpoint(self, body: bytes) -> Answer:
        return self.answer(body)

    def answer(self, body: bytes) -> Answer:
        decided = decide(body, self.held.get)
        if isinstance(decided, Refused):
            self.kept += [body] if decided.proves else []
            return decided.answer
        return self._cosign(decided)

    def _cosign(self, accepted: Accepted) -> Answer:
        checkpoint = accepted.checkpoint
        keys = self.held[checkpoint.origin].keys
        self.held[checkpoint.origin] = Witnessed(keys, checkpoint.size, checkpoint.root)
        answer = cosigned_answer(accepted, self.vkey.name, self.key, COSIGNED_AT)
        self.notes[checkpoint.origin] = add_signature_lines(accepted.note, [answer.body])
        return answer

    def checkpoint(self, hashed_origin: str) -> bytes | None:
        found = {sha256(origin.encode()).hexdigest(): note for origin, note in self.notes.items()}
        return found.get(hashed_origin)

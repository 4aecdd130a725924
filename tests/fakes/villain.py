"""A peer that follows the protocol only as far as it likes; it has Borealis' true keys."""

from itertools import count

from fakes.joined import ARCADIA, BOREALIS, LINE, START_US, identity_of, opening_acts
from fakes.memory_log import MemoryLog, MemoryStore
from telcon.core import frames
from telcon.core.draft import Draft, compose
from telcon.core.machine import Commit, Event, LineMachine, Now, PeerMisbehaved
from telcon.core.seal import Opening
from telcon.ledger import (
    EMPTY_ROOT,
    Checkpoint,
    SigningKey,
    add_signature_lines,
    cosign,
    format_checkpoint,
    root_at,
    sign_checkpoint,
)

__all__ = ["Victim", "Villain"]


_drawn = count(1)


def _random(octets: int) -> bytes:
    return next(_drawn).to_bytes(octets, "big")


class Victim:
    """Arcadia's machine, its store, and a shell that does at once what it is told."""

    def __init__(self, store: MemoryStore | None = None, *, commit: bool = True) -> None:
        identity = identity_of(ARCADIA)
        self.identity = identity
        self.store = store or MemoryStore(identity.own_card.log.name, identity.peer_card.log.name)
        self.time_s = 1_000.0
        self.machine = LineMachine(
            identity,
            self.store.own,
            self.store.theirs,
            self.store.marker,
            _random,
            self.now(),
            evidence=self.store.evidence,
        )
        self.events: list[Event] = []
        self.sent: list[frames.Frame] = []
        self.turn(commit=commit)

    @property
    def state(self) -> str:
        return self.machine.state

    def now(self) -> Now:
        return Now(START_US + int(self.time_s * 1e6), self.time_s)

    def turn(self, *, commit: bool = True) -> None:
        while True:
            for frame in self.machine.frames_to_send():
                self.sent.append(frames.parse_frame_untrusted(frame))
            while (event := self.machine.next_event()) is not None:
                self.events.append(event)
            taken = self.machine.take_commit(self.now()) if commit else None
            if taken is None:
                return
            self.carry_out(taken)

    def carry_out(self, commit: Commit) -> None:
        self.store.commit(commit)
        self.store.mark(commit)
        self.machine.committed(commit, self.now())

    def append(self, *acts: Draft) -> None:
        for act in acts:
            self.machine.append(act, self.now())
        self.turn()

    def receive(self, *given: frames.Frame, commit: bool = True) -> None:
        for frame in given:
            self.machine.receive_frame(frames.format_frame(frame), self.now())
            self.turn(commit=commit)

    def link_up(self) -> None:
        self.machine.link_up(self.now())
        self.turn()

    def wait(self, seconds: float) -> None:
        self.time_s += seconds
        self.machine.handle_deadline(self.now())
        self.turn()

    def sent_of(self, kind: type) -> list[frames.Frame]:
        return [frame for frame in self.sent if isinstance(frame, kind)]

    def told(self, kind: type) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def complaints(self) -> list[PeerMisbehaved]:
        return [event for event in self.events if isinstance(event, PeerMisbehaved)]

    def complaint(self) -> PeerMisbehaved:
        """Return the one complaint about the peer."""
        (complaint,) = self.complaints()
        return complaint

    def refusals(self) -> list[str]:
        return [f.code for f in self.sent_of(frames.Refused) if isinstance(f, frames.Refused)]


class Villain:
    """Borealis, by hand: a log to push from, and a mirror of Arcadia's to cosign."""

    def __init__(self) -> None:
        identity = identity_of(BOREALIS)
        self.identity = identity
        self.log = MemoryLog(identity.own_card.log.name)
        self.opened: dict[int, tuple[Opening, ...]] = {}
        self.past = MemoryLog("")  # Arcadia's log, as it was
        self.write(*opening_acts())

    def write(self, *acts: Draft, time_us: int = START_US) -> None:
        for act in acts:
            entry, openings, _ = compose(
                act, origin=self.log.origin, time_us=time_us, seen=(0, EMPTY_ROOT), random=_random
            )
            self.write_bytes(entry, openings)

    def write_bytes(self, entry: bytes, openings: tuple[Opening, ...] = ()) -> None:
        self.opened[self.log.size] = openings
        self.log.fill([entry])

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        size = self.log.size if size is None else size
        return Checkpoint(self.log.origin, size, root_at(size, self.log.hash))

    def note(self, size: int | None = None, *, key: SigningKey | None = None) -> bytes:
        return sign_checkpoint(self.checkpoint(size), key or self.identity.log_key)

    def hello(self, last: bytes = b"", held: int = 0) -> frames.Hello:
        return frames.Hello(1, BOREALIS, LINE, self.log.size, held, last)

    def push(
        self, first: int = 0, size: int | None = None, note: bytes | None = None
    ) -> frames.Push:
        size = self.log.size if size is None else size
        return frames.Push(
            first,
            [entry for entry, _ in self.log.rows[first:size]],
            self.openings(first, size),
            note if note is not None else self.note(size),
        )

    def openings(self, first: int, size: int) -> list[frames.SentOpening]:
        return [
            frames.SentOpening(index, one.member, one.key, one.content)
            for index in range(first, size)
            for one in self.opened[index]
        ]

    def fork(self, at: int) -> "Villain":
        """Return a villain whose log is the same up to `at` entries, then its own."""
        other = Villain()
        other.log = self.log.copy(at)
        other.opened = dict(self.opened)
        return other

    def cosign(
        self,
        log: MemoryLog,
        size: int,
        *,
        time_s: int = START_US // 1_000_000,
        name: str = "",
        key: SigningKey | None = None,
    ) -> bytes:
        """Return the line that cosigns Arcadia's log, or what is passed off as one."""
        text = format_checkpoint(Checkpoint(log.origin, size, root_at(size, log.hash)))
        signer = name or self.identity.own_card.mirror.name
        return cosign(text, signer, key or self.identity.mirror_key, time_s)

    def last(self, log: MemoryLog, size: int, *, time_s: int = START_US // 1_000_000) -> bytes:
        """Return Arcadia's own checkpoint as this mirror holds and cosigns it."""
        checkpoint = Checkpoint(log.origin, size, root_at(size, log.hash))
        note = sign_checkpoint(checkpoint, identity_of(ARCADIA).log_key)
        return add_signature_lines(note, [self.cosign(log, size, time_s=time_s)])

    def refill(self, log: MemoryLog, first: int, size: int | None = None) -> frames.Refill:
        """Answer a fetch from what Arcadia's log was."""
        size = log.size if size is None else size
        sent = [
            frames.SentOpening(index, one.member, one.key, one.content)
            for index, one in log.openings(first, size - first)
        ]
        return frames.Refill(first, log.all_entries()[first:size], sent, size == log.size)

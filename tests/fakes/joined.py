"""Two machines joined in memory: a network with delay, disks with delay, one clock for all.

Everything happens in the order of a queue of virtual times, so a run is repeated by its seed.
A connection keeps its order, but may end at any instant with frames in flight.
"""

import heapq
import random as random_module
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from itertools import count
from typing import cast

from fakes.memory_log import MemoryStore
from telcon.core import draft as drafts
from telcon.core.draft import Draft
from telcon.core.machine import (
    Commit,
    EntryHeld,
    Event,
    LineIdentity,
    LineMachine,
    Now,
    PeerMisbehaved,
    Ticket,
)
from telcon.core.seal import Media, Person, Text
from telcon.ledger import (
    COSIGNATURE_ED25519,
    COSIGNATURE_ML_DSA,
    ED25519,
    KeyCard,
    MlDsaSigningKey,
    SigningKey,
    VerifierKey,
    key_card_hash,
    log_origin,
    mirror_name,
)

LINE = "0123456789abcdef0123456789abcdef"
ARCADIA = "arcadia.example"
BOREALIS = "borealis.example"
START_US = 1_700_000_000_000_000


def keys_of(name: str) -> tuple[KeyCard, SigningKey, SigningKey]:
    """Return key card, log key and mirror key of a node; the same each time."""
    log = SigningKey(name.encode().ljust(32, b"l")[:32])
    mirror = SigningKey(name.encode().ljust(32, b"m")[:32])
    card = KeyCard(
        name,
        LINE,
        VerifierKey(log_origin(name, LINE), ED25519, log.public),
        VerifierKey(mirror_name(name, LINE), COSIGNATURE_ED25519, mirror.public),
        "00" * 32,
    )
    return card, log, mirror


class SteadyKey:
    """An ML-DSA-44 key that signs the same in the same way, so that a run can be repeated."""

    def __init__(self, seed: bytes) -> None:
        key = MlDsaSigningKey(seed)
        self.public = key.public
        self.sign = lru_cache(maxsize=4_096)(key.sign)


def steady_key(seed: bytes) -> MlDsaSigningKey:
    return cast("MlDsaSigningKey", SteadyKey(seed))


@cache
def ml_dsa_keys_of(name: str) -> tuple[KeyCard, MlDsaSigningKey, MlDsaSigningKey]:
    """Return the same node's card of version 2, and the keys that it names besides."""
    log = steady_key(name.encode().ljust(32, b"p")[:32])
    mirror = steady_key(name.encode().ljust(32, b"q")[:32])
    card = replace(
        keys_of(name)[0],
        log_ml_dsa=VerifierKey(log_origin(name, LINE), COSIGNATURE_ML_DSA, log.public),
        mirror_ml_dsa=VerifierKey(mirror_name(name, LINE), COSIGNATURE_ML_DSA, mirror.public),
    )
    return card, log, mirror


def identity_of(name: str, *, ml_dsa: bool = False) -> LineIdentity:
    """Return who `name` is on the line between Arcadia and Borealis."""
    peer = BOREALIS if name == ARCADIA else ARCADIA
    card, log, mirror = keys_of(name)
    if not ml_dsa:
        return LineIdentity(name, peer, LINE, card, keys_of(peer)[0], log, mirror)
    card, second_log, second_mirror = ml_dsa_keys_of(name)
    cards = card, ml_dsa_keys_of(peer)[0]
    return LineIdentity(name, peer, LINE, *cards, log, mirror, second_log, second_mirror)


def opening_acts() -> list[Draft]:
    """Return what each side writes first."""
    hashes = [key_card_hash(keys_of(name)[0]) for name in (ARCADIA, BOREALIS)]
    return [drafts.line_opened((hashes[0], hashes[1]), None), drafts.line_terms("go on")]


def message(text: str) -> Draft:
    """Return a message between the two principals."""
    ada = Person("en", "Ada Example", "Head of State", "Arcadia")
    bor = Person("en", "Bo Example", "Head of Government", "Borealis")
    return drafts.message(ada, bor, Text("en", text))


def ring(call: str = "c" * 32) -> Draft:
    """Return a ring of the principal."""
    ada = Person("en", "Ada Example", "Head of State", "Arcadia")
    media = Media("a" * 64, "b" * 64, "c" * 64)
    return drafts.ring(call, "1" * 16, mode="audio", track=1, person=ada, media=media)


@dataclass
class Side:
    """One node: its store survives a restart, its machine does not."""

    name: str
    store: MemoryStore
    machine: LineMachine
    events: list[Event] = field(default_factory=list)
    held: list[EntryHeld] = field(default_factory=list)  # our own, told durable
    life: int = 0  # grows with each restart; what was under way belongs to an earlier one
    outstanding: Commit | None = None
    timer: float | None = None
    connection: int = 0  # 0: none
    ahead_us: int = 0  # of the true time, by its wall clock

    @property
    def state(self) -> str:
        return self.machine.state

    def misbehaviour(self) -> list[PeerMisbehaved]:
        return [event for event in self.events if isinstance(event, PeerMisbehaved)]

    def told(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


class Pair:
    """Arcadia and Borealis on one line; `run` turns the world until nothing happens any more."""

    def __init__(
        self,
        seed: int = 0,
        *,
        delay_s: float = 0.010,
        disk_s: float = 0.005,
        is_uneven: bool = False,
        ml_dsa: bool = False,
    ) -> None:
        """Make the world of `seed`; an uneven one stretches each delay by up to three."""
        print(f"seed {seed}")
        self.ml_dsa = ml_dsa
        self.is_uneven = is_uneven
        self._arrivals: dict[tuple[int, str], float] = {}
        self.random = random_module.Random(seed)
        self.delay_s = delay_s
        self.disk_s = disk_s
        self.time_s = 1_000.0
        self.on_step: Callable[[], None] = lambda: None
        self.tamper: Callable[[Side, bytes], list[bytes]] = lambda _, frame: [frame]
        self.carried: list[tuple[str, bytes]] = []  # who sent what
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._connections = count(1)
        self.arcadia = self._side(ARCADIA)
        self.borealis = self._side(BOREALIS)

    def _side(self, name: str) -> Side:
        identity = identity_of(name)
        store = MemoryStore(identity.own_card.log.name, identity.peer_card.log.name)
        return Side(name, store, self._machine(name, store))

    def _machine(self, name: str, store: MemoryStore) -> LineMachine:
        return LineMachine(
            identity_of(name, ml_dsa=self.ml_dsa),
            store.own,
            store.theirs,
            store.marker,
            self.random.randbytes,
            self.now(),
            evidence=store.evidence,
        )

    def now(self, side: Side | None = None) -> Now:
        """Return the time, as the wall clock of `side` has it."""
        ahead_us = 0 if side is None else side.ahead_us
        return Now(START_US + int(self.time_s * 1e6) + ahead_us, self.time_s)

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.arcadia, self.borealis

    def other(self, side: Side) -> Side:
        return self.borealis if side is self.arcadia else self.arcadia

    # -- what a test does

    def open(self) -> None:
        """Connect both, and let each write what opens its log."""
        self.connect()
        for side in self.sides:
            for draft in opening_acts():
                self.append(side, draft)
        self.run()

    def append(self, side: Side, draft: Draft) -> Ticket:
        ticket = side.machine.append(draft, self.now(side))
        self.turn(side)
        return ticket

    def say(self, side: Side, text: str) -> Ticket:
        ticket = side.machine.append_bulk(message(text), self.now(side))
        self.turn(side)
        return ticket

    def connect(self) -> None:
        """Put up a new connection; the one before is gone, with all that was on its way."""
        connection = next(self._connections)
        for side in self.sides:
            side.connection = connection
            side.machine.link_up(self.now(side))
        for side in self.sides:
            self.turn(side)

    def disconnect(self) -> None:
        for side in self.sides:
            if side.connection:
                side.connection = 0
                side.machine.link_down(self.now(side))
                self.turn(side)

    def restart(self, side: Side) -> None:
        """Kill the node and start it again on what its disk holds; the link goes down."""
        self.crash(side)
        self.disconnect()
        self.turn(side)

    def crash(self, side: Side) -> None:
        """Let the node begin anew on what its disk holds, with nothing under way."""
        side.life += 1
        side.outstanding = None
        side.timer = None
        side.connection = 0
        side.machine = self._machine(side.name, side.store)

    def send_raw(self, to: Side, frame: bytes) -> None:
        """Give `to` a frame as if its peer had sent it."""
        to.machine.receive_frame(frame, self.now(to))
        self.turn(to)

    # -- the world

    def run(self, until_s: float | None = None, steps: int = 200_000) -> None:
        """Let happen what is due, up to `until_s` from now, or until all is quiet."""
        end = None if until_s is None else self.time_s + until_s
        for _ in range(steps):
            if not self._queue or (end is not None and self._queue[0][0] > end):
                break
            at, _, act = heapq.heappop(self._queue)
            self.time_s = max(self.time_s, at)
            act()
            self.on_step()
        else:
            raise AssertionError("the pair never comes to rest")
        if end is not None:
            self.time_s = end

    def after(self, delay_s: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.time_s + delay_s, next(self._order), act))

    def turn(self, side: Side) -> None:
        """What the shell does after each call."""
        for frame in side.machine.frames_to_send():
            self.carried.append((side.name, frame))
            if side.connection:
                self._deliver(side, frame)
        while (event := side.machine.next_event()) is not None:
            side.events.append(event)
            if isinstance(event, EntryHeld) and event.origin == side.store.own.origin:
                side.held.append(event)
            if isinstance(event, PeerMisbehaved) and event.close:
                self.after(0, self.disconnect)
        self._start_commit(side)
        self._arm(side)

    def _deliver(self, side: Side, frame: bytes) -> None:
        connection, to = side.connection, self.other(side)

        def arrive(frame: bytes) -> None:
            if to.connection == connection:
                to.machine.receive_frame(frame, self.now(to))
                self.turn(to)

        for sent in self.tamper(side, frame):
            # Never before what was sent earlier on the same connection.
            way = (connection, side.name)
            at = max(self._arrivals.get(way, 0.0), self.time_s + self._uneven(self.delay_s))
            self._arrivals[way] = at
            self.after(at - self.time_s, lambda sent=sent: arrive(sent))  # type: ignore[misc]

    def _uneven(self, delay_s: float) -> float:
        return self.random.random() * 3 * delay_s if self.is_uneven else delay_s

    def _start_commit(self, side: Side) -> None:
        if side.outstanding is not None:
            return
        commit = side.machine.take_commit(self.now(side))
        if commit is None:
            return
        side.outstanding = commit
        life = side.life
        # Three steps, so that a kill can fall between any two of them.
        self.after(self._uneven(self.disk_s), lambda: self._transact(side, life, commit))

    def _transact(self, side: Side, life: int, commit: Commit) -> None:
        if side.life == life:
            side.store.commit(commit)
            self.after(0, lambda: self._mark(side, life, commit))

    def _mark(self, side: Side, life: int, commit: Commit) -> None:
        if side.life == life:
            side.store.mark(commit)
            self.after(0, lambda: self._confirm(side, life, commit))

    def _confirm(self, side: Side, life: int, commit: Commit) -> None:
        if side.life == life:
            side.outstanding = None
            side.machine.committed(commit, self.now(side))
            self.turn(side)

    def _arm(self, side: Side) -> None:
        deadline = side.machine.next_deadline()
        if deadline is None or deadline == side.timer:
            return
        side.timer = deadline
        life = side.life
        self.after(max(0.0, deadline - self.time_s), lambda: self._deadline(side, life, deadline))

    def _deadline(self, side: Side, life: int, deadline: float) -> None:
        if side.life == life and side.timer == deadline:
            side.timer = None
            side.machine.handle_deadline(self.now(side))
            self.turn(side)

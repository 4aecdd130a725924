"""Two logs of one line and their authors, who know of each other only what they have `seen`.

Nothing is signed or sent here: authors write, `see` when the test lets them, and `fold_all` reads
both logs in any order that respects `seen`.
"""

from collections.abc import Callable
from random import Random

from telcon.core import draft as drafts
from telcon.core.call import CallState, Place
from telcon.core.draft import Draft, HeldTrack, compose
from telcon.core.entry import Mode, Ref, Role, Void
from telcon.core.fold import Applied, LineFold
from telcon.core.seal import Media, Person, Text
from telcon.ledger.merkle import EMPTY_FRONTIER, Frontier, leaf_hash

LINE = "0123456789abcdef" * 2
ARCADIA = f"arcadia.example/line/{LINE}"
BOREALIS = f"borealis.example/line/{LINE}"
ORIGINS = frozenset({ARCADIA, BOREALIS})

BEYOND = 10**9  # entries that a liar claims to have seen; they never come

PERSON = Person("en", "Ada Example", "President", "Arcadia")
WORDS = Text("en", "as agreed")
MEDIA = Media("a" * 64, "b" * 64, "c" * 64)


class TwoLogs:
    """The bytes of both logs and every root they ever had."""

    def __init__(self, seed: int = 0) -> None:
        self.random = Random(seed)
        self.entries: dict[str, list[bytes]] = {ARCADIA: [], BOREALIS: []}
        self._frontiers: dict[str, Frontier] = dict.fromkeys(self.entries, EMPTY_FRONTIER)
        self._roots = {origin: [EMPTY_FRONTIER.root()] for origin in self.entries}
        self.rings: dict[str, Place] = {}
        self.now_us = 1_700_000_000_000_000
        self.arcadia = Author(self, ARCADIA)
        self.borealis = Author(self, BOREALIS)

    @property
    def authors(self) -> "tuple[Author, Author]":
        return (self.arcadia, self.borealis)

    def opened(self) -> "TwoLogs":
        """Let both sides open the line, state their terms, and see it."""
        for author in self.authors:
            author.write(drafts.line_opened((bytes(32), bytes(32)), None))
            author.write(drafts.line_terms("go on"))
        self.all_see()
        return self

    def all_see(self) -> None:
        for author in self.authors:
            author.see()

    def root_of(self, origin: str, size: int) -> bytes | None:
        roots = self._roots[origin]
        return roots[size] if size < len(roots) else None

    def append(self, origin: str, data: bytes) -> int:
        self.entries[origin].append(data)
        self._frontiers[origin], _ = self._frontiers[origin].append(leaf_hash(data))
        self._roots[origin].append(self._frontiers[origin].root())
        return len(self.entries[origin]) - 1

    def new_fold(self) -> LineFold:
        return LineFold(ORIGINS, self.root_of)

    def fold_all(self, order: Random | None = None) -> LineFold:
        """Fold both logs whole; with `order`, in a random order that respects `seen`."""
        return self.fold_each(lambda *_: None, order)

    def fold_each(
        self,
        then: Callable[[LineFold, str, int, Applied], None],
        order: Random | None = None,
    ) -> LineFold:
        """Fold both logs and call `then` after each entry."""
        fold = self.new_fold()
        while waiting := [o for o in sorted(ORIGINS) if fold.size(o) < len(self.entries[o])]:
            ready = [o for o in waiting if self._may_come(fold, o)]
            origin = order.choice(ready) if order is not None else ready[0]
            index = fold.size(origin)
            then(fold, origin, index, fold.apply(origin, index, self.entries[origin][index]))
        return fold

    def _may_come(self, fold: LineFold, origin: str) -> bool:
        data = self.entries[origin][fold.size(origin)]
        return fold.is_ready(origin, data) or f'"seen":[{BEYOND},'.encode() in data

    def call(self, call: str) -> CallState:
        return self.fold_all().calls[call]

    def octets(self, count: int) -> bytes:
        return self.random.randbytes(count)


class Author:
    """One side: writes to its log, sees as much of the other as it is told to."""

    def __init__(self, logs: TwoLogs, origin: str) -> None:
        self.logs = logs
        self.origin = origin
        (self.other,) = ORIGINS - {origin}
        self.seen = 0
        self.local = logs.new_fold()  # what this side knows
        self._void: Void | None = None

    def see(self, upto: int | None = None) -> None:
        """Store and cosign the other log, all of it or up to a size."""
        entries = self.logs.entries[self.other]
        for index in range(self.seen, len(entries) if upto is None else upto):
            self.local.apply(self.other, index, entries[index])
            self.seen = index + 1

    def compose(self, draft: Draft, seen: tuple[int, bytes] | None = None) -> bytes:
        root = self.logs.root_of(self.other, self.seen)
        assert root is not None
        self.logs.now_us += 1_000
        data, *_ = compose(
            draft,
            origin=self.origin,
            time_us=self.logs.now_us,
            seen=seen or (self.seen, root),
            random=self.logs.octets,
        )
        return data

    def write(self, draft: Draft, seen: tuple[int, bytes] | None = None) -> Place:
        """Append an act, lawful or not (`judged`)."""
        place = self.write_bytes(self.compose(draft, seen))
        if draft.type == "call.ring" and draft.call is not None and self._void is None:
            self.logs.rings.setdefault(draft.call, place)
        return place

    def write_bytes(self, data: bytes) -> Place:
        index = self.logs.append(self.origin, data)
        self._void = self.local.apply(self.origin, index, data).void
        return (self.origin, index)

    def judged(self) -> Void | None:
        """What this side's fold makes of what was written last."""
        return self._void

    # The acts, with what a test need not say filled in.

    @property
    def handle(self) -> str:
        return ("a" if self.origin == ARCADIA else "b") * 16

    def ring(self, call: str, mode: Mode = "audio", track: int = 1) -> Place:
        return self.write(
            drafts.ring(call, self.handle, mode=mode, track=track, person=PERSON, media=MEDIA)
        )

    def ringing(self, call: str, devices: int = 2) -> Place:
        return self.write(drafts.ringing(call, self.logs.rings[call], devices))

    def answer(self, call: str, mode: Mode = "audio", own_ring: Ref | None = None) -> Place:
        return self.write(
            drafts.answer(
                call,
                self.handle,
                self.logs.rings[call],
                mode=mode,
                track=1,
                person=PERSON,
                media=MEDIA,
                own_ring=own_ring,
            )
        )

    def decline(self, call: str) -> Place:
        return self.write(drafts.decline(call, self.logs.rings[call], WORDS))

    def cancel(self, call: str) -> Place:
        return self.write(drafts.cancel(call, self.logs.rings[call]))

    def missed(self, call: str) -> Place:
        return self.write(drafts.missed(call, self.logs.rings[call]))

    def join(
        self, call: str, by: str = "d" * 16, track: int = 2, role: Role = "interpreter"
    ) -> Place:
        return self.write(drafts.join(call, by, role=role, track=track, person=PERSON, media=MEDIA))

    def leave(self, call: str, by: str | None = None) -> Place:
        return self.write(drafts.leave(call, by or self.handle))

    def mode(self, call: str, mode: Mode) -> Place:
        return self.write(drafts.mode(call, self.handle, mode))

    def record_on(self, call: str, track: tuple[str, int] | None = None) -> Place:
        return self.write(drafts.record_on(call, track or (self.origin, 1)))

    def record_chunk(self, call: str, first: int = 0, count: int = 250, track: int = 1) -> Place:
        tracks = [(track, first, count, bytes(32))]
        return self.write(drafts.record_chunk(call, tracks, self.logs.octets(32)))

    def record_gap(self, call: str, first: int = 0, count: int = 10, track: int = 1) -> Place:
        return self.write(drafts.record_gap(call, [(track, first, count)]))

    def record_held(self, call: str, chunk: Ref, *tracks: HeldTrack) -> Place:
        return self.write(drafts.record_held(call, chunk, tracks or [(1, "0" * 64, (), (), ())]))

    def record_agreed(self, call: str, octets: int = 4_000) -> Place:
        track = (ARCADIA, 1, 250, "0" * 64, octets)
        return self.write(drafts.record_agreed(call, (track,)))

    def record_off(self, call: str, track: tuple[str, int] | None = None) -> Place:
        return self.write(drafts.record_off(call, track or (self.origin, 1), bytes(32), 9))

    def hang_up(self, call: str, by: str | None = None) -> Place:
        return self.write(drafts.hang_up(call, by or self.handle))

    def fail(self, call: str) -> Place:
        return self.write(drafts.fail(call, WORDS))

    def freeze(self) -> Place:
        return self.write(drafts.line_frozen(WORDS))

    def message(self, call: str | None = None, re: Ref | None = None) -> Place:
        return self.write(drafts.message(PERSON, PERSON, WORDS, call=call, re=re))

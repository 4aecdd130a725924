"""Random pairs of logs, by authors who know a part of each other and are honest at times."""

from random import Random

from fakes.two_logs import (
    BEYOND,
    MEDIA,
    ORIGINS,
    PERSON,
    WORDS,
    Author,
    TwoLogs,
)
from telcon.core import draft as drafts
from telcon.core.call import CallState, Place
from telcon.core.draft import Draft
from telcon.core.entry import MODES, Mode
from telcon.core.transitions import EVENTS, Phase

RARE = {"call.record-held", "call.record-agreed"}  # the rest moves a call, or comes before these
OFTEN = [event for event in EVENTS for _ in range(2 if event in RARE else 3)]
LINE_EVENTS = ("message", "line.test", "line.tested", "line.frozen", "line.terms", "blank")
CALL_IDS = [f"{number:032x}" for number in range(40)]


class WildAuthor:
    """Writes what comes to mind; mostly, but not always, what its own fold would let it."""

    def __init__(self, author: Author, random: Random, calls: list[str]) -> None:
        self.author = author
        self.random = random
        self.calls = calls  # shared: ids that either side has used
        self.handles: list[str] = []
        self.own_rings: list[Place] = []
        self.honesty = random.choice([0.5, 0.9])

    def step(self) -> None:
        if self.random.random() < 0.4:
            size = len(self.author.logs.entries[self.author.other])
            self.author.see(self.random.randint(self.author.seen, size))
        if self.random.random() < 0.06:
            self._lie()
            return
        for _ in range(6):
            draft = self._draft()
            data = self.author.compose(draft)
            void = self.author.local.judge(self.author.origin, data)
            if void is None or self.random.random() > self.honesty:
                self._write(draft, data)
                return

    def _write(self, draft: Draft, data: bytes) -> None:
        place = self.author.write_bytes(data)
        if draft.by is not None:
            self.handles.append(draft.by)
        if draft.type == "call.ring" and draft.call is not None:
            self.own_rings.append(place)
            self.calls.append(draft.call)
            self.author.logs.rings.setdefault(draft.call, place)

    def _lie(self) -> None:
        author, logs = self.author, self.author.logs
        before = max(0, author.seen - 1)
        root = logs.root_of(author.other, before) or b""
        author.write_bytes(
            self.random.choice(
                [
                    b"\xff{",
                    b'{"type":"call.applaud","v":1,"nonce":0}',
                    author.compose(drafts.blank(), (author.seen, bytes(32))),
                    author.compose(drafts.blank(), (before, root)),
                    author.compose(drafts.blank(), (BEYOND, bytes(32))),
                    author.compose(drafts.line_opened((bytes(32), bytes(32)), None)),
                ]
            )
        )

    def _draft(self) -> Draft:
        random = self.random
        if random.random() < 0.05:
            return self._line_draft(random.choices(LINE_EVENTS, [9, 3, 3, 1, 1, 3])[0])
        return self._call_draft(random.choice(OFTEN), self._call())

    def _call(self) -> str:
        if self.calls and self.random.random() < 0.95:
            return self.random.choice(self.calls[-3:])
        return self.random.choice(CALL_IDS)

    def _line_draft(self, kind: str) -> Draft:
        match kind:
            case "message":
                return drafts.message(PERSON, PERSON, WORDS, re=self._any_place())
            case "line.test":
                return drafts.line_test()
            case "line.tested":
                return drafts.line_tested(self._any_place())
            case "line.frozen":
                return drafts.line_frozen(WORDS)
            case "line.terms":
                return drafts.line_terms(self.random.choice(["go on", "mute", "end"]))
        if len(self.calls) % 2:  # without a draw: what else is drawn stays as it was
            return drafts.line_acknowledged(bytes(32), WORDS)
        return drafts.blank()

    def _call_draft(self, kind: str, call: str) -> Draft:
        random, by = self.random, self._handle(call)
        ring = self.author.logs.rings.get(call)
        if ring is None or random.random() < 0.05:
            ring = self._any_place()
        match kind:
            case "call.ring":
                fresh = random.choice(CALL_IDS) if random.random() < 0.7 else call
                return drafts.ring(
                    fresh,
                    self._new_handle(),
                    mode=self._mode(),
                    track=self._new_track(call),
                    person=PERSON,
                    media=MEDIA,
                )
            case "call.ringing":
                return drafts.ringing(call, ring, random.randint(0, 3))
            case "call.answer":
                own = random.choice(self.own_rings) if self.own_rings else None
                return drafts.answer(
                    call,
                    self._new_handle(),
                    ring,
                    mode=self._mode(),
                    track=self._new_track(call),
                    person=PERSON,
                    media=MEDIA,
                    own_ring=own if random.random() < 0.5 else None,
                )
            case "call.decline":
                return drafts.decline(call, ring, random.choice([None, WORDS]))
            case "call.cancel":
                return drafts.cancel(call, ring)
            case "call.missed":
                return drafts.missed(call, ring)
            case "call.join":
                return drafts.join(
                    call,
                    self._new_handle(),
                    role="expert",
                    track=self._new_track(call),
                    person=PERSON,
                    media=MEDIA,
                )
            case "call.leave":
                return drafts.leave(call, by)
            case "call.mode":
                return drafts.mode(call, by, random.choice(MODES))
            case "call.hang-up":
                return drafts.hang_up(call, by)
            case "call.fail":
                return drafts.fail(call, WORDS)
            case "message":
                return drafts.message(PERSON, PERSON, WORDS, call=call)
        return self._record_draft(kind, call)

    def _record_draft(self, kind: str, call: str) -> Draft:
        random, origin = self.random, self.author.origin
        track = (random.choice(sorted(ORIGINS)), random.randint(1, 3))
        if kind == "call.record-on":
            return drafts.record_on(call, track)
        if kind == "call.record-off":
            return drafts.record_off(call, track, bytes(32), 1)
        state = self.author.local.calls.get(call)
        if kind == "call.record-agreed":
            return drafts.record_agreed(call, ((*track, random.randint(0, 2), "0" * 64, 9),))
        if kind == "call.record-sealed":
            return drafts.record_sealed(call, random.randint(1, 3))
        if kind == "call.record-destroyed":
            return drafts.record_destroyed(call, WORDS)
        if kind == "call.record-held":
            return self._held_draft(call, state)
        number = random.randint(1, 2)
        known = state.chunks.get((origin, number)) if state is not None else None
        first = known.next if known is not None and random.random() < 0.9 else 0
        if kind == "call.record-gap":
            return drafts.record_gap(call, [(number, first, random.randint(1, 9))])
        chunk = (number, first, random.randint(1, 250), bytes(32))
        return drafts.record_chunk(call, [chunk], random.randbytes(32))

    def _held_draft(self, call: str, state: CallState | None) -> Draft:
        """Answer for the next chunk of the other side, as a rule."""
        random, other = self.random, self.author.other
        entries = state.chunk_entries.get(other, ()) if state is not None else ()
        held = state.held.get(self.author.origin) if state is not None else None
        at = held.chunks if held is not None else 0
        place = (other, entries[at]) if at < len(entries) else self._any_place()
        track = (random.randint(1, 2), "0" * 64, ((3, 4),), (), ())
        return drafts.record_held(call, place, [track])

    def _handle(self, call: str) -> str:
        state = self.author.local.calls.get(call)
        seats = state.active(self.author.origin) if state is not None else ()
        if seats and self.random.random() < 0.9:
            return self.random.choice(seats).handle
        if self.handles and self.random.random() < 0.5:
            return self.random.choice(self.handles)
        return self._new_handle()

    def _new_handle(self) -> str:
        if self.random.random() < 0.05:
            return "f" * 16  # one that both sides may come upon
        return self.random.randbytes(8).hex()

    def _new_track(self, call: str) -> int:
        state = self.author.local.calls.get(call)
        seats = state.roster.values() if state is not None else ()
        used = [seat.track for seat in seats if seat.origin == self.author.origin]
        return min(255, max(used, default=0) + (1 if self.random.random() < 0.95 else 0)) or 1

    def _mode(self) -> Mode:
        return "audio" if self.random.random() < 0.7 else self.random.choice(MODES)

    def _any_place(self) -> Place:
        origin = self.random.choice(sorted(ORIGINS))
        size = len(self.author.logs.entries[origin])
        return (origin, self.random.randint(max(0, size - 6), size))


def wild_logs(seed: int, steps: int = 70) -> TwoLogs:
    """Return what two wild authors wrote; the same for the same seed."""
    random = Random(seed)
    logs = TwoLogs(seed)
    if random.random() < 0.95:
        logs.opened()
    calls: list[str] = []
    wild = [WildAuthor(author, random, calls) for author in logs.authors]
    if random.random() < 0.4:
        _ring_at_once(wild, random)
    for _ in range(steps):
        random.choice(wild).step()
    return logs


def _ring_at_once(wild: list[WildAuthor], random: Random) -> None:
    """Begin with glare, so that merged rings are not too rare."""
    for author, call in zip(wild, random.sample(CALL_IDS, 2), strict=True):
        draft = author._call_draft("call.ring", call)
        author._write(draft, author.author.compose(draft))
    arcadia = wild[0]
    if random.random() < 0.7:
        arcadia.author.see()
    ringing = [
        state
        for state in arcadia.author.local.going_on()
        if state.phase is Phase.RINGING and state.rung[0] != arcadia.author.origin
    ]
    for state in ringing:
        draft = drafts.answer(
            state.call,
            arcadia._new_handle(),
            state.rung,
            mode="audio",
            track=1,
            person=PERSON,
            media=MEDIA,
            own_ring=arcadia.own_rings[-1],
        )
        arcadia._write(draft, arcadia.author.compose(draft))

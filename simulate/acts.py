"""What people and nodes do in a world: an act that makes sense, as far as one side knows.

At times one that does not, so that what is void is met too. What a side would have to know to do
the right thing it takes from its own fold; whether it was right is for `simulate.invariants` and
`simulate.records`.
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from itertools import islice
from random import Random

from fakes.joined import START_US, Side
from telcon.core import draft as drafts
from telcon.core.call import CallState, TrackRef
from telcon.core.coverage import ALWAYS
from telcon.core.draft import Draft
from telcon.core.entry import MODES, Mode
from telcon.core.seal import Media, Person, Text
from telcon.core.transitions import ENDS

__all__ = ["WORDS", "Actor"]

PERSON = Person("en", "Ada Example", "Head of State", "Arcadia")
MEDIA = Media("a" * 64, "b" * 64, "c" * 64)
WORDS = Text("en", "Words of no weight.")
ASTRAY = 0.1  # of what a side should know: drawn at random instead
OVER = 8  # of the newest calls: those of them that are over are thought of still
DAY_US = 86_400_000_000
OFFICE_HOURS = ((480, 1_080), (1_920, 2_520))

_Choice = Mapping[Callable[[], Draft], float]


class Actor:
    """Draws acts from a world's will."""

    def __init__(self, will: Random) -> None:
        """Draw from `will`; nothing else is random here."""
        self._will = will

    def draft(self, side: Side) -> Draft:
        """Return what `side` does next: about a call that lives, rings or is over, or else."""
        states, over = side.machine.fold.going_on(), _over(side)
        live = [state for state in states if state.answered]
        ringing = [state for state in states if not state.answered]
        place = self._will.random()
        if place < 0.05 or not (states or over):
            return self._rare(side)
        if over and (place < 0.4 or not states):
            return self._of_over(side, self._mostly_first(over))
        if live and (place < 0.9 or not ringing):
            return self._of_live(side, self._mostly_first(live))
        return self._of_ringing(side, self._will.choice(ringing))

    def _mostly_first(self, states: list[CallState]) -> CallState:
        """Return the same call most of the time, so that much comes together in it."""
        return states[0] if self._will.random() < 0.7 else self._will.choice(states)

    def _pick(self, acts: _Choice) -> Draft:
        (act,) = self._will.choices(list(acts), list(acts.values()))
        return act()

    def _is_astray(self) -> bool:
        return self._will.random() < ASTRAY

    def _hex(self, octets: int) -> str:
        return self._will.randbytes(octets).hex()

    # -- of the line

    def _rare(self, side: Side) -> Draft:
        other = side.store.theirs
        place = (other.origin, self._will.randrange(max(other.size, 1)))
        return self._pick(
            {
                self._ring: 3,
                drafts.line_test: 1,
                partial(drafts.line_tested, place): 1,
                drafts.blank: 1,
                partial(drafts.line_terms, self._will.choice(["go on", "mute", "end"])): 1,
                self._coverage: 2,
                partial(drafts.line_acknowledged, self._will.randbytes(32), WORDS): 0.5,
                partial(drafts.hang_up, self._hex(16), self._hex(8)): 1,
                partial(drafts.record_on, self._hex(16), (side.store.own.origin, 1)): 1,
            }
        )

    def _coverage(self) -> Draft:
        since_us = START_US + self._will.randint(-DAY_US, DAY_US)
        until_us = self._will.choice([None, since_us + self._will.randint(1, DAY_US)])
        hours = self._will.choice([ALWAYS, OFFICE_HOURS])
        modes = MODES[: self._will.randint(1, len(MODES))]
        return drafts.line_coverage(since_us, until_us, hours, (PERSON,), modes)

    # -- of calls

    def _ring(self) -> Draft:
        return drafts.ring(
            self._hex(16), self._hex(8), mode=self._mode(), track=1, person=PERSON, media=MEDIA
        )

    def _mode(self) -> Mode:
        return "audio" if self._will.random() < 0.8 else self._will.choice(MODES)

    def _of_ringing(self, side: Side, state: CallState) -> Draft:
        call, rung = state.call, state.rung
        if rung[0] == side.store.own.origin:
            return self._pick(
                {
                    partial(drafts.cancel, call, rung): 1,
                    self._ring: 0.5,
                    partial(drafts.message, PERSON, PERSON, WORDS, call=call): 2,
                }
            )
        answer = partial(
            drafts.answer, call, self._hex(8), rung, mode=self._mode(), track=1, person=PERSON,
            media=MEDIA,
        )  # fmt: skip
        return self._pick(
            {
                partial(drafts.ringing, call, rung, 2): 1,
                answer: 4,
                partial(drafts.decline, call, rung, WORDS): 0.5,
                partial(drafts.missed, call, rung): 0.5,
                self._ring: 0.3,
            }
        )

    def _of_live(self, side: Side, state: CallState) -> Draft:
        own, call = side.store.own.origin, state.call
        is_audio = state.mode == "audio"
        acts: dict[Callable[[], Draft], float] = {
            partial(self._join, call): 2,
            partial(drafts.message, PERSON, PERSON, WORDS, call=call): 1,
            partial(drafts.fail, call, WORDS): 0.3,
            partial(self._on, side, state): 4 if is_audio else 0.5,
            partial(self._chunk, side, state): 12 if is_audio else 2,
            partial(self._gap, side, state): 3,
            partial(self._held, side, state): 10 if _is_behind(side, state) else 0.5,
            partial(self._off, side, state): 1.5,
            partial(self._agreed, side, state): 0.2,  # too early, and lawful
            partial(self._sealed, call): 0.2,
            partial(drafts.record_destroyed, call, WORDS): 0.2,
        }
        for seat in state.active(own):
            acts[partial(drafts.hang_up, call, seat.handle)] = 0.7
            acts[partial(drafts.leave, call, seat.handle)] = 0.3
            acts[partial(drafts.mode, call, seat.handle, self._mode())] = 0.5 if is_audio else 3
        return self._pick(acts)

    def _of_over(self, side: Side, state: CallState) -> Draft:
        call, is_behind = state.call, _is_behind(side, state)
        stated = state.agreed.get(side.store.theirs.origin)
        due = 20 if stated is not None and not state.is_agreed else 4
        return self._pick(
            {
                partial(self._chunk, side, state): 1.5,
                partial(self._gap, side, state): 0.5,
                partial(self._held, side, state): 8 if is_behind else 0.5,
                partial(self._off, side, state): 3,
                partial(self._agreed, side, state): 1 if is_behind else due,
                partial(self._sealed, call): 1.2,
                partial(drafts.record_destroyed, call, WORDS): 1.2,
                partial(drafts.message, PERSON, PERSON, WORDS, call=call): 1,
                partial(self._on, side, state): 0.3,  # too late, as are the two below
                partial(self._join, call): 0.3,
                partial(drafts.fail, call, WORDS): 0.3,
                self._ring: 1,
            }
        )

    def _join(self, call: str) -> Draft:
        track = self._will.randint(2, 200)
        return drafts.join(
            call, self._hex(8), role="notetaker", track=track, person=PERSON, media=MEDIA
        )

    # -- of records

    def _on(self, side: Side, state: CallState) -> Draft:
        known = [(seat.origin, seat.track) for seat in state.roster.values()]
        return drafts.record_on(state.call, self._one_of(known, side))

    def _off(self, side: Side, state: CallState) -> Draft:
        own = side.store.own.origin
        going = [one.track for one in state.recordings if one.author == own and one.off is None]
        track = self._one_of(going, side)
        return drafts.record_off(state.call, track, self._will.randbytes(32), 9)

    def _one_of(self, tracks: list[TrackRef], side: Side) -> TrackRef:
        if not tracks or self._is_astray():
            return side.store.own.origin, self._will.randint(1, 3)
        return self._will.choice(tracks)

    def _own_tracks(self, side: Side, state: CallState) -> list[tuple[int, int]]:
        """Return number and next index of one own track or several, by rising number."""
        own = side.store.own.origin
        numbers = [seat.track for seat in state.roster.values() if seat.origin == own] or [1]
        chosen = self._will.sample(numbers, min(len(numbers), self._will.choice([1, 1, 2, 3])))
        found = [(number, state.told.get((own, number), 0)) for number in sorted(chosen)]
        if self._is_astray():
            return [(number, self._will.randrange(9)) for number, _ in found]
        return found

    def _chunk(self, side: Side, state: CallState) -> Draft:
        tracks = [
            (number, first, self._will.randint(1, 250), self._will.randbytes(32))
            for number, first in self._own_tracks(side, state)
        ]
        return drafts.record_chunk(state.call, tracks, self._will.randbytes(32))

    def _gap(self, side: Side, state: CallState) -> Draft:
        tracks = self._own_tracks(side, state)
        return drafts.record_gap(
            state.call, [(*track, self._will.randint(1, 50_000)) for track in tracks]
        )

    def _held(self, side: Side, state: CallState) -> Draft:
        """Answer for the other side's next chunk, or for one that is not next or never was."""
        other = side.store.theirs
        entries = state.chunk_entries.get(other.origin, ())
        held = state.held.get(side.store.own.origin)
        at = 0 if held is None else held.chunks
        if at >= len(entries) or self._is_astray():
            place, numbers = self._will.randrange(9), [1]
        else:
            place = entries[at]
            numbers = [track[0] for track in json.loads(other.rows[place][0])["tracks"]]
        tracks = [(number, self._hex(32), self._runs(), self._runs(), ()) for number in numbers]
        return drafts.record_held(state.call, (other.origin, place), tracks)

    def _runs(self) -> drafts.Runs:
        return self._will.choice([(), (), ((0, 3),), ((1, 1), (5, 2))])

    def _agreed(self, side: Side, state: CallState) -> Draft:
        """State the record: the same as the other side, once both know of the same chunks."""
        own = side.store.own.origin
        counts = {track: one.count for track, one in sorted(state.chunks.items())}
        what = self._hex(4) if self._is_astray() else state.call
        tracks = [
            (*track, count, sha256(f"{what} {track} {count}".encode()).hexdigest(), 9 * count)
            for track, count in (counts or {(own, 1): 0}).items()
        ]
        return drafts.record_agreed(state.call, tuple(tracks))

    def _sealed(self, call: str) -> Draft:
        return drafts.record_sealed(call, self._will.randint(1, 5))


def _is_behind(side: Side, state: CallState) -> bool:
    """Return whether `side` knows of a chunk that it has not answered for."""
    held = state.held.get(side.store.own.origin)
    chunks = state.chunk_entries.get(side.store.theirs.origin, ())
    return len(chunks) > (0 if held is None else held.chunks)


def _over(side: Side) -> list[CallState]:
    """Return the newest calls that are over and had been answered, first what has most to say."""
    calls = side.machine.fold.calls
    states = [calls[call] for call in islice(reversed(calls), OVER)]
    over = [state for state in states if state.answered and state.phase in ENDS]
    return sorted(over, key=lambda state: -len(state.chunks))

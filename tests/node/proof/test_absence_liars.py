"""One node lies as it likes, the other is honest and its clock is right: no call is ever hidden.

The liar writes what it likes, at false times, having seen less than it has; it cosigns the honest
log at any size and time, picks out of the honest cosignatures the bounds that suit it, and cuts
both logs where it likes. The honest node's own fold, at each moment, says when there was a call.
"""

from random import Random

import pytest

from fakes.signed_line import ADA, BORIS, CALL, Node, SignedLine, handle
from node.proof.test_absence import FROM_US, HOUR_US, MIDNIGHT_US, TO_US, at
from telcon.core import draft as drafts
from telcon.core.call import Place
from telcon.core.draft import Draft, compose
from telcon.core.fold import LineFold
from telcon.core.seal import Media, Text
from telcon.ledger import root_at
from telcon.node.proof.absence import Bounds, Exchange, Findings, Until, survey
from telcon.node.proof.export import CutLog

ACTS = 14
CHOICES = 8
LIES_H = (-6, -3, -1, 0, 0, 1, 3, 6)
MEDIA = Media("aa" * 32, "bb" * 32, "cc" * 32)


class World:
    """One line for half a day; Arcadia is honest, its entries and cosignatures tell the time."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.line = SignedLine()
        self.line.now_us = MIDNIGHT_US
        self.line.open()
        self.honest, self.liar = self.line.arcadia, self.line.borealis
        self.logs = {node.log.origin: node.log for node in (self.honest, self.liar)}
        self.fold = LineFold(frozenset(self.logs), self.root_of)
        self.held: list[tuple[int, int]] = []
        """Size of the liar's log as the honest node held it, and since when."""
        self.had_call = False
        self._seen = 0
        for _ in range(2):
            for log in self.logs.values():
                self.apply(log.origin)

    def root_of(self, origin: str, size: int) -> bytes | None:
        log = self.logs[origin]
        return root_at(size, log.hash) if size <= log.size else None

    def apply(self, origin: str) -> None:
        index = self.fold.size(origin)
        self.fold.apply(origin, index, self.logs[origin].entries(index, 1)[0])
        if origin == self.liar.log.origin:
            self.held.append((index + 1, self.line.now_us))

    def live(self) -> "World":
        """Let everything happen; call what rings or lives at any moment of the time a call."""
        moments = sorted(self.random.uniform(0.1, 12) for _ in range(ACTS))
        for hours in (*moments, 12.5):
            now_us = MIDNIGHT_US + round(hours * HOUR_US)
            is_touched = self.line.now_us < TO_US and now_us > FROM_US
            self.had_call |= is_touched and bool(self.fold.going_on())
            self.line.now_us = now_us
            self.act()
            self.had_call |= FROM_US <= now_us < TO_US and bool(self.fold.going_on())
        return self

    def act(self) -> None:
        if self.random.random() < 0.1:
            self.claim(self.honest.log.size + self.random.choice((1, 2, 5, 1 << 40)))
        elif self.random.random() < 0.6:
            self._seen = self.random.randint(self._seen, self.honest.log.size)
            lie_us = self.random.choice(LIES_H) * HOUR_US
            self.write(self.liar, self.draft(self.liar), self._seen, lie_us)
        else:
            self.write(self.honest, self.draft(self.honest), self.liar.log.size)
        for state in self.fold.going_on():  # at once, unless it is killed just then
            is_theirs = state.rung[0] == self.liar.log.origin
            if is_theirs and not state.devices and self.random.random() < 0.8:
                self.write(
                    self.honest, drafts.ringing(state.call, state.rung, 1), self.liar.log.size
                )

    def claim(self, seen: int) -> None:
        """Let the liar say that it has seen what is not there yet, or never."""
        data, *_ = compose(
            self.draft(self.liar),
            origin=self.liar.log.origin,
            time_us=self.line.now_us,
            seen=(seen, self.random.randbytes(32)),
            random=self.random.randbytes,
        )
        self.liar.log.fill([data])
        self.apply(self.liar.log.origin)

    def write(self, node: Node, draft: Draft, seen: int, lie_us: int = 0) -> None:
        other = self.line.other(node).log
        data, *_ = compose(
            draft,
            origin=node.log.origin,
            time_us=self.line.now_us + lie_us,
            seen=(seen, root_at(seen, other.hash)),
            random=self.random.randbytes,
        )
        if node is self.honest and self.fold.judge(node.log.origin, data) is not None:
            return
        node.log.fill([data])
        self.apply(node.log.origin)

    def draft(self, node: Node) -> Draft:
        random, by = self.random, handle(node)
        states = list(self.fold.calls.values())
        fresh = f"{random.getrandbits(128):032x}"
        if not states or random.random() < 0.3:
            ring = drafts.ring(fresh, by, mode="audio", track=1, person=ADA, media=MEDIA)
            quiet = (drafts.line_test(), drafts.message(ADA, BORIS, Text("en", "hm")))
            return random.choice([ring, *quiet, *quiet])
        state = random.choice(states[-2:])
        call, rung, words = state.call, state.rung, Text("en", "no more")
        answer = drafts.answer(call, by, rung, mode="audio", track=1, person=BORIS, media=MEDIA)
        ends = (drafts.hang_up(call, by), drafts.cancel(call, rung), drafts.fail(call, words))
        return random.choice([answer, *ends, drafts.missed(call, rung), drafts.decline(call, rung)])

    def shown(self) -> bool:
        """Say whether what the liar chooses to show passes for a time without a call."""
        random, honest, liar = self.random, self.honest.log, self.liar.log
        befores = [(size, us) for size, us in self.held if us < FROM_US]
        afters = [(size, us) for size, us in self.held if us >= TO_US]
        if not afters:
            return False
        before, after = random.choice([None, *befores]), random.choice(afters)
        size = random.randint(1, honest.size)
        bounds = {
            liar.origin: Bounds(
                None if before is None else Until(before[0], before[1] // 1_000_000),
                Until(after[0], after[1] // 1_000_000),
            ),
            honest.origin: Bounds(
                random.choice([None, Until(random.randint(0, size), 0)]),
                Until(random.randint(0, size), 2**40),
            ),
        }
        cut = [CutLog(liar, random.randint(after[0], liar.size)), CutLog(honest, size)]
        ours, theirs = random.sample(cut, 2)
        found = survey(ours, theirs, bounds, FROM_US, TO_US)
        return not (found.touching or found.short or found.unread or found.withheld)


@pytest.mark.parametrize("block", range(4))
def test_no_call_is_hidden_from_whoever_reads_both_logs(block: int) -> None:
    quiet = 0
    for seed in range(20 * block, 20 * block + 20):
        world = World(seed).live()
        passed = [world.shown() for _ in range(CHOICES)]
        assert not (world.had_call and any(passed)), f"seed {seed}"
        quiet += any(passed)
    assert quiet or block, "some of them are without a call, or this tests nothing"


# -- by hand: what the clock of the honest side asks, whatever the liar pretends

EARLY_US, LATE_US = FROM_US - HOUR_US, TO_US + HOUR_US
OWN_TESTS = 5


def opened() -> SignedLine:
    """Return a line whose honest log is the longer one, so that no bound fits both."""
    line = at(SignedLine(), 0).open()
    for _ in range(OWN_TESTS):
        say(line, line.arcadia, drafts.line_test(), EARLY_US)
    return line


def say(line: SignedLine, node: Node, draft: Draft, time_us: int, unseen: int = 0) -> Place:
    """Append an act of that time which has not seen the last `unseen` entries; below 0: it lies."""
    other = line.other(node).log
    size = other.size - unseen
    root = root_at(size, other.hash) if unseen >= 0 else bytes(32)
    data, *_ = compose(
        draft,
        origin=node.log.origin,
        time_us=time_us,
        seen=(size, root),
        random=line.random.randbytes,
    )
    return line.write_bytes(node, data, cosigned=False)


def ring(node: Node, call: str = CALL) -> Draft:
    return drafts.ring(call, handle(node), mode="audio", track=1, person=ADA, media=MEDIA)


def answer(node: Node, rung: Place, call: str = CALL, own_ring: Place | None = None) -> Draft:
    return drafts.answer(
        call,
        handle(node),
        rung,
        mode="audio",
        track=2,
        person=BORIS,
        media=MEDIA,
        own_ring=own_ring,
    )


def surveyed(line: SignedLine, after: int | None = None, before: int | None = None) -> Findings:
    """Read both logs; Arcadia held `before` and `after` entries of Borealis', which pretends all.

    All of Borealis' log by default, and none known of before the time.
    """
    ours, theirs = line.arcadia.log, line.borealis.log
    bounds = {
        theirs.origin: Bounds(
            None if before is None else Until(before, 0),
            Until(theirs.size if after is None else after, 0),
        ),
        ours.origin: Bounds(Until(ours.size, 0), Until(0, 0)),
    }
    return survey(ours, theirs, bounds, FROM_US, TO_US)


@pytest.mark.parametrize(("us", "touches"), [(-1, False), (0, True)])
def test_an_own_end_is_of_before_the_time_to_the_microsecond(us: int, touches: bool) -> None:
    line = opened()
    rung = say(line, line.borealis, ring(line.borealis), EARLY_US)
    say(line, line.arcadia, answer(line.arcadia, rung), EARLY_US)
    say(line, line.arcadia, drafts.hang_up(CALL, handle(line.arcadia)), FROM_US + us)
    assert bool(surveyed(line).touching) is touches


@pytest.mark.parametrize(("us", "touches"), [(-1, True), (0, False)])
def test_an_own_ring_is_of_after_the_time_to_the_microsecond(us: int, touches: bool) -> None:
    line = opened()
    say(line, line.arcadia, ring(line.arcadia), TO_US + us)
    assert bool(surveyed(line).touching) is touches


@pytest.mark.parametrize(("held", "touches"), [(0, True), (1, False)])
def test_the_other_sides_end_counts_once_it_was_held(held: int, touches: bool) -> None:
    line = opened()
    rung = say(line, line.borealis, ring(line.borealis), EARLY_US)
    ended = say(line, line.borealis, drafts.cancel(CALL, rung), EARLY_US)
    assert bool(surveyed(line, before=ended[1] + held).touching) is touches


@pytest.mark.parametrize(("us", "touches"), [(-1, False), (0, True)])
def test_the_other_sides_end_counts_once_it_was_seen(us: int, touches: bool) -> None:
    line = opened()
    rung = say(line, line.borealis, ring(line.borealis), EARLY_US)
    say(line, line.borealis, drafts.cancel(CALL, rung), EARLY_US)
    say(line, line.arcadia, drafts.line_test(), FROM_US + us)
    assert bool(surveyed(line).touching) is touches
    assert bool(surveyed(line, before=1).touching) is touches


def test_what_a_void_entry_says_it_has_seen_counts_for_nothing() -> None:
    line = opened()
    rung = say(line, line.borealis, ring(line.borealis), EARLY_US)
    say(line, line.borealis, drafts.cancel(CALL, rung), EARLY_US)
    say(line, line.arcadia, drafts.line_test(), EARLY_US, unseen=-3)
    found = surveyed(line)
    assert found.touching
    assert found.unseen == {line.borealis.log.origin: line.borealis.log.size + 3}


def test_an_own_act_in_the_time_touches_though_the_end_was_held_before() -> None:
    line = opened()
    rung = say(line, line.borealis, ring(line.borealis), EARLY_US)
    say(line, line.borealis, drafts.cancel(CALL, rung), EARLY_US)
    say(line, line.arcadia, answer(line.arcadia, rung), FROM_US, unseen=1)
    assert surveyed(line, before=line.borealis.log.size).touching


def test_a_void_act_in_the_time_is_no_act_of_the_call() -> None:
    line = opened()
    rung = say(line, line.borealis, ring(line.borealis), EARLY_US)
    say(line, line.borealis, drafts.cancel(CALL, rung), EARLY_US)
    say(line, line.arcadia, answer(line.arcadia, rung), FROM_US)
    assert not surveyed(line, before=line.borealis.log.size).touching


@pytest.mark.parametrize("has_seen", [False, True])
def test_a_ring_came_later_if_it_has_seen_what_was_written_after(has_seen: bool) -> None:
    line = opened()
    if has_seen:
        say(line, line.arcadia, drafts.line_test(), TO_US)
    say(line, line.borealis, ring(line.borealis), LATE_US)
    say(line, line.borealis, drafts.line_test(), LATE_US)
    say(line, line.arcadia, drafts.line_test(), LATE_US)
    assert bool(surveyed(line).touching) is not has_seen


@pytest.mark.parametrize(("held", "touches"), [(0, False), (1, True)])
def test_a_ring_came_later_if_it_was_not_held_after_the_time(held: int, touches: bool) -> None:
    line = opened()
    rung = say(line, line.borealis, ring(line.borealis), LATE_US)
    assert bool(surveyed(line, after=rung[1] + held).touching) is touches


@pytest.mark.parametrize("kind", ["ringing", "answer", "decline", "missed", "fail"])
def test_a_ring_came_later_if_it_is_said_to_ring_then(kind: str) -> None:
    """Arcadia's missed and failed calls may have rung long before it says so."""
    line = opened()
    rung = say(line, line.borealis, ring(line.borealis), LATE_US)
    words = {
        "ringing": drafts.ringing(CALL, rung, 1),
        "answer": answer(line.arcadia, rung),
        "decline": drafts.decline(CALL, rung),
        "missed": drafts.missed(CALL, rung),
        "fail": drafts.fail(CALL, Text("en", "no more")),
    }
    say(line, line.arcadia, words[kind], TO_US)
    assert bool(surveyed(line).touching) is (kind in {"missed", "fail"})


@pytest.mark.parametrize("kind", ["ringing", "join"])
def test_any_act_within_the_time_touches_though_the_ring_rang_on(kind: str) -> None:
    line = opened()
    rung = say(line, line.borealis, ring(line.borealis), LATE_US)
    act = drafts.ringing(CALL, rung, 1)
    if kind == "join":
        act = drafts.join(CALL, "12" * 8, role="expert", track=9, person=BORIS, media=MEDIA)
    say(line, line.arcadia, act, FROM_US)
    say(line, line.arcadia, drafts.ringing(CALL, rung, 2), TO_US)
    assert surveyed(line).touching


def test_a_call_is_outside_on_one_side_of_the_time_by_both_clocks() -> None:
    """Borealis puts it before the time, Arcadia after it: one of them is wrong by hours."""
    line = opened()
    rung = say(line, line.borealis, ring(line.borealis), EARLY_US)
    say(line, line.arcadia, answer(line.arcadia, rung), TO_US)
    say(line, line.borealis, drafts.hang_up(CALL, handle(line.borealis)), EARLY_US)
    assert surveyed(line).touching


@pytest.mark.parametrize(("us", "touches"), [(-1, False), (0, True)])
def test_a_call_that_freezing_ended_is_over_when_the_line_froze(us: int, touches: bool) -> None:
    line = opened()
    rung = say(line, line.borealis, ring(line.borealis), EARLY_US)
    say(line, line.arcadia, answer(line.arcadia, rung), EARLY_US)
    say(line, line.arcadia, drafts.line_frozen(Text("en", "no more")), FROM_US + us)
    assert bool(surveyed(line).touching) is touches


@pytest.mark.parametrize("us", [-1, 0])
def test_a_merged_ring_is_over_when_the_other_was_answered(us: int) -> None:
    line = opened()
    merged = say(line, line.arcadia, ring(line.arcadia, "aa" * 16), EARLY_US)
    rung = say(line, line.borealis, ring(line.borealis), EARLY_US, unseen=1)
    say(line, line.arcadia, answer(line.arcadia, rung, own_ring=merged), FROM_US + us)
    expected = {rung} if us < 0 else {rung, merged}
    assert {touch.ring for touch in surveyed(line).touching} == expected


@pytest.mark.parametrize(("held", "touches"), [(0, False), (1, True)])
def test_of_two_rings_of_one_id_each_must_have_come_later(held: int, touches: bool) -> None:
    line = opened()
    say(line, line.arcadia, ring(line.arcadia), LATE_US)
    rung = say(line, line.borealis, ring(line.borealis), LATE_US, unseen=1)
    assert bool(surveyed(line, after=rung[1] + held).touching) is touches


@pytest.mark.parametrize(("us", "is_short"), [(-1, True), (0, False)])
def test_both_logs_reach_beyond_the_time_to_the_microsecond(us: int, is_short: bool) -> None:
    for at_it, other in ((0, 1), (1, 0)):
        line = opened()
        nodes = (line.arcadia, line.borealis)
        say(line, nodes[at_it], drafts.line_test(), TO_US + us)
        say(line, nodes[other], drafts.line_test(), LATE_US)
        assert surveyed(line).short == ([nodes[at_it].log.origin] if is_short else [])


def test_a_void_entry_too_tells_how_far_its_log_reaches() -> None:
    line = opened()
    for node in (line.arcadia, line.borealis):
        say(line, node, drafts.line_test(), TO_US, unseen=-3)
    assert surveyed(line).short == []


def test_only_rings_of_the_time_are_counted_as_without_effect() -> None:
    line = opened()
    rung = say(line, line.borealis, ring(line.borealis), EARLY_US)
    say(line, line.borealis, drafts.cancel(CALL, rung), EARLY_US)
    for time_us in (FROM_US - 1, FROM_US, TO_US - 1, TO_US):
        say(line, line.borealis, ring(line.borealis), time_us)  # its id is taken
    say(line, line.borealis, drafts.cancel(CALL, rung), FROM_US)
    assert surveyed(line).void_rings == 2


# -- entries of unknown kinds


def hologram(line: SignedLine, node: Node) -> None:
    line.write_bytes(node, b'{"type":"call.hologram","v":1}', cosigned=False)


@pytest.mark.parametrize(("after", "count"), [(4, 1), (3, 0)])
def test_what_cannot_be_read_was_there_if_the_other_side_held_it_next(
    after: int, count: int
) -> None:
    """Entry 3 of a liar, which says that it is of after the time."""
    line = opened()
    say(line, line.borealis, drafts.line_test(), LATE_US)
    hologram(line, line.borealis)
    say(line, line.borealis, drafts.line_test(), LATE_US)
    expected = {line.borealis.log.origin: count} if count else {}
    assert surveyed(line, before=3, after=after).unread == expected


@pytest.mark.parametrize(("before", "count"), [(None, 1), (3, 1), (4, 0)])
def test_what_cannot_be_read_was_there_before_if_the_other_side_held_it(
    before: int | None, count: int
) -> None:
    """Entry 3 of a liar, which says that it is of before the time."""
    line = opened()
    say(line, line.borealis, drafts.line_test(), EARLY_US)
    hologram(line, line.borealis)
    say(line, line.borealis, drafts.line_test(), EARLY_US)
    say(line, line.borealis, drafts.line_test(), LATE_US)
    expected = {line.borealis.log.origin: count} if count else {}
    assert surveyed(line, before=before, after=5).unread == expected


@pytest.mark.parametrize(("before", "after"), [(None, 1), (1, 1), (6, 6)])
@pytest.mark.parametrize(
    ("previous_us", "next_us"),
    [(EARLY_US, LATE_US), (FROM_US, TO_US - 1), (EARLY_US, TO_US), (FROM_US, EARLY_US)],
)
def test_what_cannot_be_read_is_placed_by_its_authors_entries(
    previous_us: int, next_us: int, before: int | None, after: int
) -> None:
    """Whatever the other side says that it held when."""
    line = opened()
    for node in (line.arcadia, line.borealis):
        say(line, node, drafts.line_test(), previous_us)
        hologram(line, node)
        say(line, node, drafts.line_test(), next_us)
        say(line, node, drafts.line_test(), LATE_US)
    origins = (line.arcadia.log.origin, line.borealis.log.origin)
    assert surveyed(line, before=before, after=after).unread == dict.fromkeys(origins, 1)


def test_newer_entries_of_the_line_after_the_time_leave_nothing_open() -> None:
    line = opened()
    say(line, line.borealis, drafts.line_test(), LATE_US)
    line.write_bytes(line.borealis, b'{"type":"line.terms","v":2}', cosigned=False)
    assert surveyed(line, after=3).unread == {}
    assert surveyed(line, after=4).unread == {line.borealis.log.origin: 1}


# -- line tests


@pytest.mark.parametrize(
    ("asked", "answered", "place"),
    [
        (FROM_US - 2, FROM_US - 1, "before"),
        (FROM_US - 1, FROM_US, ""),
        (FROM_US, FROM_US - 1, ""),
        (FROM_US, TO_US - 1, "within"),
        (TO_US - 1, FROM_US, "within"),
        (TO_US - 1, TO_US, ""),
        (TO_US, TO_US - 1, ""),
        (FROM_US - 1, TO_US, ""),
        (TO_US, TO_US, "after"),
    ],
)
def test_a_line_test_lies_where_both_clocks_put_it(asked: int, answered: int, place: str) -> None:
    line = opened()
    test = say(line, line.borealis, drafts.line_test(), asked)
    say(line, line.arcadia, drafts.line_tested(test), answered)
    found = surveyed(line)
    exchange = Exchange(line.borealis.log.origin, asked, answered)
    assert found.tests == (place == "within")
    assert found.test_before == (exchange if place == "before" else None)
    assert found.test_after == (exchange if place == "after" else None)


def test_the_nearest_line_tests_are_kept() -> None:
    line = opened()
    for time_us in (FROM_US - 2, FROM_US - 1, TO_US, TO_US + 1):
        test = say(line, line.arcadia, drafts.line_test(), time_us)
        say(line, line.borealis, drafts.line_tested(test), time_us)
    found = surveyed(line)
    assert found.test_before == Exchange(line.arcadia.log.origin, FROM_US - 1, FROM_US - 1)
    assert found.test_after == Exchange(line.arcadia.log.origin, TO_US, TO_US)

"""What a node owes after a time: calls missed, taken back, failed; and a link that stays away.

Pure: the shell says what it observes and what time it is (monotonic seconds), and writes the acts
it is given. A wish stands until the fold shows its effect; one that was asked for and did not come
about (the disk was full, the log could not sign) is asked for again.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from telcon.core import draft as drafts
from telcon.core.call import CallState, Place
from telcon.core.draft import Draft
from telcon.core.entry import Mode
from telcon.core.fold import LineFold
from telcon.core.gate import is_countersigned
from telcon.core.guards import name_of
from telcon.core.seal import Text
from telcon.core.settle import stricter
from telcon.core.transitions import Phase

__all__ = [
    "CANCEL_AFTER_S",
    "COUNTERSIGN_WITHIN_S",
    "ENDED_THERE_REASON",
    "LINK_LOST_AFTER_S",
    "LINK_LOST_REASON",
    "MISSED_AFTER_S",
    "NOT_COUNTERSIGNED_REASON",
    "RECORDER_CONDITIONS",
    "RECORDER_GONE_S",
    "RECORDER_STOPPED_REASON",
    "RESTARTED_REASON",
    "SILENT_AFTER_S",
    "SILENT_REASON",
    "Duties",
    "Firmness",
    "GlareAnswer",
    "LinkLost",
    "glare_answers",
    "recorder_terms",
]

MISSED_AFTER_S: Final = 45.0  # unanswered: the callee's node writes call.missed
CANCEL_AFTER_S: Final = 60.0  # unanswered: the caller's node takes its ring back
COUNTERSIGN_WITHIN_S: Final = 5.0  # live without the peer's cosignature on our opening entry
LINK_LOST_AFTER_S: Final = 60.0  # after which the line's terms decide
SILENT_AFTER_S: Final = 60.0  # link and trunk both silent
RECORDER_GONE_S: Final = 3.0  # off for so long: the terms decide; a slow disk stalls for less
ASK_AGAIN_S: Final = 5.0  # a wish that did not come about

NOT_COUNTERSIGNED_REASON: Final = Text("en", "not countersigned")
ENDED_THERE_REASON: Final = Text("en", "the other log has ended")
LINK_LOST_REASON: Final = Text("en", "link lost")
SILENT_REASON: Final = Text("en", "link and trunk silent")
Firmness: TypeAlias = Literal["go on", "mute", "end"]

RESTARTED_REASON: Final = Text("en", "node restarted")

RECORDER_STOPPED_REASON: Final = Text("en", "recorder stopped")

RECORDER_CONDITIONS: Final[Mapping[Firmness, str]] = {
    "go on": "",
    "mute": "recorder stopped mute",
    "end": "recorder stopped end",
}
"""What becomes of a call whose recorder stops, and the condition in `line.terms` that says so."""

# Of the two sides' terms the firmer holds.
_FIRMNESS: Final[tuple[Firmness, ...]] = ("go on", "mute", "end")


@dataclass(frozen=True, slots=True)
class GlareAnswer:
    """Both sides rang at once, and it is ours to answer the other's ring; no tap is needed."""

    call: str  # the other's call, which goes on
    rung: Place
    own_call: str  # ours, which merges into it
    own_ring: Place
    mode: Mode  # the stricter of both


@dataclass(frozen=True, slots=True)
class LinkLost:
    """The link has been away for a minute in a live call; the terms decide what follows."""

    call: str
    action: Literal["go on", "mute"]  # say once that it goes on unsigned, or close the gate


@dataclass(slots=True)
class _Watch:
    """When this node first saw a call as it is now."""

    phase: Phase
    since: float
    unsigned_since: float | None = None  # live without the peer's cosignature on our opening


class Duties:
    """The time-outs of one line's calls, seen from one side."""

    def __init__(self, own_origin: str) -> None:
        """Watch for the side whose log is `own_origin`."""
        self._own = own_origin
        self._fold: LineFold | None = None
        self._watches: dict[str, _Watch] = {}
        self._down_since: float | None = None
        self._stopped: dict[str, float] = {}  # call -> since when a recorder is off
        self._silenced: frozenset[str] = frozenset()
        self._is_ended_there = False
        self._heard_at = 0.0
        self._asked: dict[tuple[str, str], float] = {}
        self._said: set[tuple[str, float]] = set()

    def restarted(self, fold: LineFold) -> list[Draft]:
        """Return what a node owes right after its start: calls that it cannot carry on fail."""
        return [
            drafts.fail(state.call, RESTARTED_REASON)
            for state in fold.going_on()
            if self._needs_us(state)
        ]

    def observe(
        self,
        fold: LineFold,
        *,
        cosigned_by_peer: int,
        cosigned_here: int,
        link_up: bool,
        trunk_silent_s: float,
        now: float,
        unrecorded: Collection[str] = (),
        ended_there: bool = False,
    ) -> None:
        """Take in how things are at `now`, a monotonic time; call it after every change.

        `trunk_silent_s`: seconds since the last packet over the trunk. `unrecorded`: live calls in
        mode audio in which a recorder is off, ours or, as far as we hear, theirs. `ended_there`:
        whether the peer says that its log has ended.
        """
        self._fold = fold
        self._heard_at = now - trunk_silent_s
        self._is_ended_there = ended_there
        if link_up:
            self._down_since = None
        elif self._down_since is None:
            self._down_since = now
        self._stopped = {call: self._stopped.get(call, now) for call in unrecorded}
        states = {state.call: state for state in fold.going_on()}
        for call in self._watches.keys() - states.keys():
            self._forget(call)
        for call, state in states.items():
            if self._rang(state) or state.rung[1] < cosigned_here:
                self._watch(call, state, cosigned_by_peer, now)

    def due(self, now: float) -> list[Draft]:
        """Return the acts to write at `now`; each is asked for again if it does not come about."""
        found = []
        for state in self._watched():
            for deadline, draft in self._wishes(state):
                if max(deadline, self._asked.get((state.call, draft.type), deadline)) <= now:
                    self._asked[state.call, draft.type] = now + ASK_AGAIN_S
                    found.append(draft)
                    break
        return found

    def link_lost(self, now: float) -> list[LinkLost]:
        """Return, once for each loss, the live calls whose link has been away too long."""
        found = []
        for state in self._watched():
            action, deadline = self._terms(), self._link_deadline(state)
            if action == "end" or deadline is None or deadline > now:
                continue
            key = (state.call, deadline)
            if key not in self._said:
                self._said.add(key)
                found.append(LinkLost(state.call, action))
        return found

    def silenced(self, now: float) -> frozenset[str]:
        """Return the calls in which nobody may be heard, because a recorder is off for too long."""
        gone = (call for call, since in self._stopped.items() if since + RECORDER_GONE_S <= now)
        self._silenced = frozenset(gone if self._recorder_terms() == "mute" else ())
        return self._silenced

    def next_deadline(self) -> float | None:
        """Return the monotonic time at which `due` or `link_lost` may next have something."""
        times = []
        for state in self._watched():
            for deadline, draft in self._wishes(state):
                times.append(max(deadline, self._asked.get((state.call, draft.type), deadline)))
            lost = self._link_deadline(state)
            if lost is not None and self._terms() != "end" and (state.call, lost) not in self._said:
                times.append(lost)
        if self._recorder_terms() == "mute":
            gone = self._stopped.items()
            times += [at + RECORDER_GONE_S for call, at in gone if call not in self._silenced]
        return min(times, default=None)

    def _rang(self, state: CallState) -> bool:
        return state.rung[0] == self._own

    def _needs_us(self, state: CallState) -> bool:
        """Say whether a call that goes on cannot do so without this side."""
        return state.phase is Phase.LIVE or self._rang(state)

    def _forget(self, call: str) -> None:
        del self._watches[call]
        self._asked = {key: at for key, at in self._asked.items() if key[0] != call}
        self._said = {key for key in self._said if key[0] != call}

    def _watch(self, call: str, state: CallState, cosigned_by_peer: int, now: float) -> None:
        watch = self._watches.get(call)
        if watch is None or watch.phase is not state.phase:
            watch = self._watches[call] = _Watch(state.phase, now)
        if state.phase is Phase.LIVE and not is_countersigned(state, self._own, cosigned_by_peer):
            watch.unsigned_since = watch.since
        else:
            watch.unsigned_since = None

    def _watched(self) -> Iterator[CallState]:
        if self._fold is not None:
            for call in self._watches:
                yield self._fold.calls[call]

    def _wishes(self, state: CallState) -> Iterator[tuple[float, Draft]]:
        """Yield what may become due for a call, and when."""
        watch = self._watches[state.call]
        if state.phase is not watch.phase:
            return  # it moved on since it was observed
        if self._is_ended_there and self._needs_us(state):
            yield watch.since, drafts.fail(state.call, ENDED_THERE_REASON)
        if state.phase is Phase.RINGING and self._rang(state):
            yield watch.since + CANCEL_AFTER_S, drafts.cancel(state.call, state.rung)
        elif state.phase is Phase.RINGING:
            yield watch.since + MISSED_AFTER_S, drafts.missed(state.call, state.rung)
        else:
            yield from self._failures(state, watch)

    def _failures(self, state: CallState, watch: _Watch) -> Iterator[tuple[float, Draft]]:
        if watch.unsigned_since is not None:
            deadline = watch.unsigned_since + COUNTERSIGN_WITHIN_S
            yield deadline, drafts.fail(state.call, NOT_COUNTERSIGNED_REASON)
        if state.call in self._stopped and self._recorder_terms() == "end":
            gone = self._stopped[state.call] + RECORDER_GONE_S
            yield gone, drafts.fail(state.call, RECORDER_STOPPED_REASON)
        if self._down_since is None:
            return
        silent = max(self._down_since, self._heard_at, watch.since) + SILENT_AFTER_S
        yield silent, drafts.fail(state.call, SILENT_REASON)
        lost = self._link_deadline(state)
        if lost is not None and self._terms() == "end":
            yield lost, drafts.fail(state.call, LINK_LOST_REASON)

    def _link_deadline(self, state: CallState) -> float | None:
        watch = self._watches[state.call]
        if self._down_since is None or state.phase is not Phase.LIVE:
            return None
        return max(self._down_since, watch.since) + LINK_LOST_AFTER_S

    def _recorder_terms(self) -> Firmness:
        return "go on" if self._fold is None else recorder_terms(self._fold)

    def _terms(self) -> Firmness:
        terms = self._fold.line.terms.values() if self._fold is not None else ()
        firmest = max((_FIRMNESS.index(side.link_lost) for side in terms), default=0)
        return _FIRMNESS[firmest]


def recorder_terms(fold: LineFold) -> Firmness:
    """Return what becomes of a call whose recorder stops: the firmer of both sides' terms."""
    stated = {one for side in fold.line.terms.values() for one in side.conditions}
    return max(
        (firmness for firmness, one in RECORDER_CONDITIONS.items() if not one or one in stated),
        key=_FIRMNESS.index,
    )


def glare_answers(fold: LineFold, own_origin: str) -> list[GlareAnswer]:
    """Return the rings that this side answers by itself, because both sides rang at once.

    Only the side whose name sorts first answers; the other waits for it.
    """
    ringing = [state for state in fold.going_on() if state.phase is Phase.RINGING]
    ours = [state for state in ringing if state.rung[0] == own_origin]
    found = []
    for other in ringing:
        if name_of(own_origin) >= name_of(other.rung[0]):
            continue
        own = next((own for own in ours if _at_once(own, other)), None)
        if own is not None:
            ours.remove(own)
            mode = stricter([own.mode, other.mode])
            found.append(GlareAnswer(other.call, other.rung, own.call, own.rung, mode))
    return found


def _at_once(own: CallState, other: CallState) -> bool:
    return own.rung_seen <= other.rung[1] and other.rung_seen <= own.rung[1]

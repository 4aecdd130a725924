"""Section 4 of docs/protocol.md read literally: slow, and sharing no rule with the fold it checks.

Which entries took effect is taken from the fold; whether that was right, and which phase they make,
is worked out here anew for every entry and every pair of prefixes.
"""

from dataclasses import dataclass, field
from random import Random

from fakes.two_logs import ORIGINS, TwoLogs
from telcon.core.call import Place
from telcon.core.entry import CallAnswer, Entry, Void, call_of
from telcon.core.fold import Applied, LineFold

PHASE_REASONS = {
    Void.NO_SUCH_CALL,
    Void.CALL_ID_USED,
    Void.NOT_YOURS,
    Void.NOT_RINGING,
    Void.NOT_LIVE,
    Void.CALL_ENDED,
    Void.ALREADY_ANSWERED,
}
LINE_REASONS = {
    Void.NOT_CANONICAL,
    Void.UNKNOWN_TYPE,
    Void.NOT_IN_TERMS,
    Void.WRONG_SEEN_ROOT,
    Void.SEEN_FELL,
    Void.SEEN_BEYOND,
    Void.LINE_NOT_OPENED,
    Void.LINE_ALREADY_OPENED,
    Void.LINE_FROZEN,
}
RECORD_STATEMENTS = {f"record-{what}" for what in ("held", "agreed", "sealed", "destroyed")}
OVER = {"ended", "declined", "missed", "cancelled", "failed"}

Past = dict[str, int]


@dataclass
class LiteralFold:
    """All entries that took effect so far, in no order."""

    acts: dict[Place, Entry] = field(default_factory=dict)

    def phase(self, call: str, past: Past) -> str:
        acts = {p: e for p, e in self._past(past).items() if call_of(e) == call}
        rings = [p for p, e in acts.items() if e.TYPE == "call.ring"]
        if not rings:
            return "no call"
        if any(ring in self._merged_rings(past) for ring in rings):
            return "merged"
        if len(rings) == 2:
            return "failed"
        answers = [p for p, e in acts.items() if e.TYPE == "call.answer"]
        kinds = {e.TYPE for e in acts.values()}
        if answers and "call.cancel" in kinds:
            followers = {p for p in acts if p[0] == answers[0][0] and p >= answers[0]}
            kinds = {e.TYPE for p, e in acts.items() if p not in followers}
        for kind, phase in (
            ("call.hang-up", "ended"),
            ("call.decline", "declined"),
            ("call.missed", "missed"),
            ("call.cancel", "cancelled"),
            ("call.fail", "failed"),
        ):
            if kind in kinds:
                return phase
        if any(e.TYPE == "line.frozen" for e in self._past(past).values()):
            return "failed"
        return "live" if "call.answer" in kinds else "ringing"

    def reason(self, entry: Entry, origin: str, past: Past) -> Void | None:
        """Why the phase, and nothing else, keeps `entry` from taking effect."""
        call = call_of(entry)
        if call is None:
            return None
        phase = self.phase(call, past)
        mine = {p: e for p, e in self._past(past).items() if call_of(e) == call}
        rang = any(p[0] == origin and e.TYPE == "call.ring" for p, e in mine.items())
        answered = any(e.TYPE == "call.answer" for e in mine.values())
        kind = entry.TYPE.removeprefix("call.")
        if kind == "ring":
            return None if phase == "no call" else Void.CALL_ID_USED
        if phase == "no call":
            return Void.NO_SUCH_CALL
        if kind == "message":
            return None
        if kind in {"record-chunk", "record-gap", "record-off"} | RECORD_STATEMENTS:
            return None if answered else Void.NOT_LIVE
        if phase not in {"ringing", "live"}:
            return Void.CALL_ENDED
        if kind in {"mode", "hang-up", "record-on"}:
            return None if phase == "live" else Void.NOT_LIVE
        if kind in {"join", "leave", "fail"}:
            return None
        if rang != (kind == "cancel"):
            return Void.NOT_YOURS
        if phase == "live":
            return Void.NOT_RINGING if kind == "ringing" else Void.ALREADY_ANSWERED
        return None

    def _past(self, past: Past) -> dict[Place, Entry]:
        return {p: e for p, e in self.acts.items() if p[1] < past[p[0]]}

    def _merged_rings(self, past: Past) -> set[Place]:
        acts = self._past(past).values()
        cancelled = {call_of(e) for e in acts if e.TYPE == "call.cancel"}
        return {
            e.re[1]
            for e in acts
            if isinstance(e, CallAnswer) and e.glare and e.call not in cancelled
        }


def check_logs(logs: TwoLogs, orders: int = 3) -> None:
    """Hold the fold of `logs` to what §4 promises; AssertionError says what is broken.

    1. Every order that respects `seen` gives the same voids and, at each pair of sizes that two
       orders have in common, the same state.
    2. A call that ended never lives again.
    3. Each entry takes effect exactly when the literal reading lets it, and makes the same phase.
    """
    verdicts: dict[Place, Applied] = {}
    states: dict[tuple[int, ...], object] = {}
    for number in range(orders):
        over: set[str] = set()
        literal = LiteralFold() if number == 0 else None

        def then(
            fold: LineFold,
            origin: str,
            index: int,
            applied: Applied,
            over: set[str] = over,
            literal: LiteralFold | None = literal,
        ) -> None:
            place = (origin, index)
            assert verdicts.setdefault(place, applied) == applied, f"{place}: another verdict"
            sizes = tuple(fold.size(o) for o in sorted(ORIGINS))
            state = snapshot(fold)
            assert states.setdefault(sizes, state) == state, f"{sizes}: another state"
            _hold_ends(fold, over)
            if literal is not None:
                _hold_literally(literal, fold, place, applied)

        logs.fold_each(then, Random(number) if number else None)


def snapshot(fold: LineFold) -> object:
    """Everything that a fold says, in a form that can be compared."""
    messages = sorted((m.origin, m.index, m.time_us) for m in fold.messages)
    going_on = {state.call for state in fold.going_on()}
    return (fold.line, dict(fold.calls), messages, going_on)


def _hold_ends(fold: LineFold, over: set[str]) -> None:
    for call, state in fold.calls.items():
        assert call not in over or state.phase.value in OVER | {"merged"}, f"{call} lives again"
        if state.phase.value in OVER:
            over.add(call)


def _hold_literally(literal: LiteralFold, fold: LineFold, place: Place, applied: Applied) -> None:
    origin, index = place
    entry, void = applied.entry, applied.void
    (other,) = ORIGINS - {origin}
    if entry is not None and void not in LINE_REASONS:
        reason = literal.reason(entry, origin, {origin: index, other: entry.seen[0]})
        of_glare = isinstance(entry, CallAnswer) and entry.glare
        if reason is not None or void is None:
            assert void == reason, f"{place}: {entry.TYPE} is {void}, not {reason}"
        else:
            assert of_glare or void not in PHASE_REASONS, f"{place}: {entry.TYPE} is {void}"
    if entry is not None and void is None:
        literal.acts[place] = entry
    sizes = {o: fold.size(o) for o in ORIGINS}
    for state in fold.calls.values():
        assert state.phase.value == literal.phase(state.call, sizes), f"{place}: {state.call}"

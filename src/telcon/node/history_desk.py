"""The calls of one line that are over, as its principal sees them, and the gaps between them.

Drawn from the fold, every time; a piece of fifty costs the same however many calls are past.
"""

from collections.abc import Iterator

from telcon.core.call import CallState
from telcon.core.transitions import ENDS, Phase
from telcon.node.call_desk import CallDesk, View, record_word
from telcon.node.line import Line
from telcon.node.strip import Strip

__all__ = ["SHOWN_CALLS", "HistoryDesk"]

SHOWN_CALLS = 50
SHOWN_GAPS = 50  # in one piece


class HistoryDesk:
    """What has happened on one line."""

    def __init__(self, line: Line, calls: CallDesk, strip: Strip) -> None:
        """Show the calls of `line`, as `calls` tells how they ended, and the gaps of `strip`."""
        self._line = line
        self._calls = calls
        self._strip = strip
        self._own = line.identity.own_card.log.name

    def calls(self, before: str | None = None) -> list[View]:
        """Return calls that are over, newest first; those before the call `before`."""
        found = []
        for state in self._states(before):
            if state.phase in ENDS and state.phase is not Phase.MERGED:
                found.append(self._past(state))
            if len(found) == SHOWN_CALLS:
                break
        return found

    def gaps(self, shown: list[View], before: str | None = None) -> list[View]:
        """Return the gaps that belong among the calls `shown`, newest first.

        What our own log tells comes before what theirs alone states: it cannot be crowded out.
        """
        cursor = self._line.machine.fold.calls.get(before or "")
        until_us = cursor.rung_us if cursor is not None else None
        from_us = shown[-1]["rung_us"] if len(shown) == SHOWN_CALLS else 0
        found = [
            gap
            for gap in self._strip.gaps()
            if gap["from_us"] >= from_us and (until_us is None or gap["from_us"] < until_us)
        ]
        known = sorted(found, key=lambda gap: bool(gap["kind"].endswith(".theirs")))[:SHOWN_GAPS]
        return sorted(known, key=lambda gap: int(gap["from_us"]), reverse=True)

    def _states(self, before: str | None) -> Iterator[CallState]:
        """Return the calls, the newest first, that come behind `before`."""
        calls = self._line.machine.fold.calls
        ids = reversed(calls)
        if before is not None:
            any(call == before for call in ids)  # goes on behind that call
        return (calls[call] for call in ids)

    def _past(self, state: CallState) -> View:
        ended = self._calls.ended(state)
        return {
            "call": state.call,
            "phase": ended["phase"],
            "side": self._calls.rung_by(state),
            "rung_us": state.rung_us,
            "answered_us": state.answered_us,
            "ended_us": state.ended_us,
            "by": ended["by"],
            "reason": ended["reason"],
            "signed": self._signed(state),
            "record": record_word(state),
        }

    def _signed(self, state: CallState) -> bool:
        """Say whether both sides have signed how the call ended."""
        held = self._line.machine.cosigned_by_peer
        return all(origin != self._own or index < held for origin, index in state.ended_by)

"""The call of one line as its principal sees it: who, since when, what is signed, how it ended.

Drawn from the fold and from what runs here, every time; nothing shown is remembered.
"""

import time
from typing import Any

from telcon.core.call import CallState, Seat
from telcon.core.seal import Person
from telcon.core.transitions import ENDS, Phase
from telcon.node.contents import Contents
from telcon.node.line import Line
from telcon.node.running import RunningCall
from telcon.node.switchboard import Switchboard

__all__ = ["CallDesk", "View", "person_view", "record_word", "short"]

SHOWN_CHARACTERS = 300  # of a name or a reason; ours are no longer
SOUNDS_AFTER_MS = 2_000
"""A ring lights a phone up at once and sounds after this: a slip taken back wakes nobody."""

View = dict[str, Any]


class CallDesk:
    """The calls of one line as its principal sees them."""

    def __init__(self, line: Line, board: Switchboard, peer: Person, contents: Contents) -> None:
        """Show the calls that `board` runs on `line`, with the principal `peer`."""
        self._line = line
        self._board = board
        self._peer = peer
        self._contents = contents
        self._own = line.identity.own_card.log.name
        self._peer_origin = line.identity.peer_card.log.name

    def view(self, device: str) -> View | None:
        """Return the call that is going on, or ended just now; None if there is none."""
        running = self._board.calls.shown()
        state = self._line.machine.fold.calls.get(running.call) if running else None
        if running is None or state is None:
            return None
        theirs = next((s for s in state.roster.values() if s.origin != self._own), None)
        stated = running.persons.get(theirs.handle) if theirs is not None else None
        return {
            "call": running.call,
            "line": self._line.identity.line,
            "phase": str(state.phase),
            "side": self.rung_by(state),
            "peer": person_view(stated or self._peer) | {"node": self._line.identity.peer_name},
            "rung_us": state.rung_us,
            "ringing": self._ringing(running, state),
            "answered_us": state.answered_us,
            "mode": state.mode,
            "stated": {
                "ours": state.stated.get(self._own),
                "theirs": state.stated.get(self._peer_origin),
            },
            "mine": device in running.seats,
            "countersigned": self._line.machine.cosigned_by_peer
            >= self._line.machine.fold.size(self._own),
            "unsigned_since_us": None if self._line.up_since_us else self._line.down_since_us,
            "goes_on_unsigned": running.goes_on_unsigned,
            "quality": self._quality(running, device),
            "recorders": {
                "ours": self._our_lamp(running, state),
                "theirs": self._their_lamp(running, state),
            },
            "silenced": running.call in self._board.calls.unrecorded,
            "people": [
                self._seat(running, seat) for seat in state.roster.values() if seat.left is None
            ],
            "ended": None if state.phase not in ENDS else self.ended(state),
            "late": bool(state.late),
        }

    def slots(self, device: str) -> View | None:
        """Return who is heard where on `device`, or None if it is on no call."""
        running = self._board.calls.current()
        if running is None or running.floor.device(device) is None:
            return None
        heard = running.floor.heard_by(device).items()
        names = {handle: running.persons.get(handle) for _, handle in heard}
        return {
            "call": running.call,
            "slots": [
                {"slot": slot, "handle": handle, "name": short(person.name) if person else ""}
                for slot, handle in heard
                for person in [names[handle]]
            ],
        }

    def rung_by(self, state: CallState) -> str:
        """Return whose ring the call began with: ours, theirs or both."""
        if len(state.initiated_by) == 2:
            return "both"
        return "ours" if self._own in state.initiated_by else "theirs"

    def ended(self, state: CallState) -> View:
        """Return how the call of `state` ended, by whom, and why."""
        sides = {origin for origin, _ in state.ended_by}
        by = None
        if sides:
            by = "both" if len(sides) > 1 else ("ours" if self._own in sides else "theirs")
        reasons = (self._contents.text(place, "reason") for place in state.ended_by)
        reason = next((short(words.text) for words in reasons if words is not None), None)
        return {"phase": str(state.phase), "by": by, "reason": reason}

    # -- pieces

    def _ringing(self, running: RunningCall, state: CallState) -> View | None:
        """Return how many devices ring, in how many ms they sound, and since when the line stands.

        They sound by this node's clock alone: a second page does not begin anew.
        """
        if state.phase is not Phase.RINGING:
            return None
        rung_ms = round((self._board.calls.site.clock() - running.began) * 1_000)
        return {
            "devices": state.devices,
            "sounds_in_ms": max(0, SOUNDS_AFTER_MS - rung_ms),
            "line_opened_us": self._contents.opened_us(self._own),
        }

    def _quality(self, running: RunningCall, device: str) -> View | None:
        """Return what this node knows of the sound that `device` sends and gets."""
        seated = running.floor.device(device)
        if seated is None or device not in running.seats or running.floor.is_cut:
            return None
        trunk = running.floor.trunk_statistics()
        return {
            "missed": round(seated.missed(), 3),
            "trunk_received": trunk.received,
            "trunk_lost": max(0, trunk.lost),
            "trunk_silent_ms": round(running.floor.trunk_silent_s() * 1_000),
        }

    def _seat(self, running: RunningCall, seat: Seat) -> View:
        person = running.persons.get(seat.handle)
        return {
            "handle": seat.handle,
            "side": "ours" if seat.origin == self._own else "theirs",
            "name": short(person.name) if person else "",
            "office": short(person.office) if person else "",
            "role": seat.role,
            "muted": seat.handle in running.muted,
        }

    def _our_lamp(self, running: RunningCall, state: CallState) -> View:
        lamp = running.recorder()
        on = lamp.on and _records(state, self._own)
        is_off = running.tape is not None and running.tape.is_switched_off
        return {
            "on": on,
            "age_ms": lamp.age_ms,
            "switched_off": is_off,
            "reason": None if on else self._why_off(state, self._own),
        }

    def _why_off(self, state: CallState, author: str) -> str | None:
        """Return why the recorder of `author` was closed last, if it says so and is not on."""
        mine = [one for one in state.recordings if one.author == author]
        if not mine or _records(state, author):
            return None
        reason = self._contents.text((author, max(one.off or 0 for one in mine)), "reason")
        return None if reason is None else short(reason.text)

    def _their_lamp(self, running: RunningCall, state: CallState) -> View:
        """Return their lamp: their log must say that they record, and their recorder must beat."""
        if running.their_recorder is None or not _records(state, self._peer_origin):
            return {
                "on": False,
                "age_ms": None,
                "reason": self._why_off(state, self._peer_origin),
            }
        beat, came = running.their_recorder
        since_ms = round((time.monotonic() - came) * 1_000)
        age = None if beat.age_ms is None else beat.age_ms + since_ms
        return {"on": running.hears_their_recorder(), "age_ms": age, "reason": None}


def _records(state: CallState, author: str) -> bool:
    """Say whether the log of `author` states that its node is recording the call."""
    return any(one.author == author and one.off is None for one in state.recordings)


def person_view(person: Person) -> View:
    """Return a person as pages show them."""
    return {
        "name": short(person.name),
        "office": short(person.office),
        "organisation": short(person.organisation),
    }


def short(words: str) -> str:
    """Cut what the other side may have made as long as 8 KiB: the buttons stand below it."""
    return words if len(words) <= SHOWN_CHARACTERS else words[:SHOWN_CHARACTERS] + "…"


def record_word(state: CallState) -> str:
    """Return how far the record of a call is: none, waiting, agreed or differs."""
    if not state.recordings:
        return "none"
    if len(state.agreed) < 2:
        return "waiting"
    return "agreed" if state.is_agreed else "differs"

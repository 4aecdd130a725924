"""The calls of one line: entries on one side, devices and media on the other.

Entries that are held arrive as events; what people do arrives through `telcon.node.acts`. Both end
in the same place, `settle`: it looks at the fold, asks `telcon.core.gate` what may be heard, and
lets the floor obey.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence

from telcon.core import draft as drafts
from telcon.core.call import CallState
from telcon.core.draft import Draft
from telcon.core.entry import CallAnswer, CallJoin, CallRing
from telcon.core.events import EntryHeld, Event, LineUp, SignalReceived, Ticket
from telcon.core.gate import CLOSED, gate_of
from telcon.core.signals import (
    HintKind,
    HintSignal,
    TrunkSignal,
    format_signal,
    parse_hint_untrusted,
    parse_recorder_untrusted,
    parse_trunk_untrusted,
)
from telcon.core.transitions import ENDS, Phase
from telcon.errors import MalformedError, StorageError, TelconError
from telcon.node.agreements import Agreements
from telcon.node.audit import AuditEvent
from telcon.node.floor import Floor, Speaker
from telcon.node.line import Line
from telcon.node.running import RunningCall, Site

__all__ = ["Calls"]

MAX_RUNNING = 4  # calls at once that get media; principals have one, two after glare
MAX_SPEAKERS = 16  # of one side, heard and recorded; a listener hears four others at once
MAX_EARLY_TRUNKS = 8  # trunk signals that came before their ring was held
MAX_POSTED = 256  # acts of the node's own that wait for the disk; people's go beside them
MAX_OWED = 16_384  # that wait behind these; what time asks for is asked for again
ENDED_SHOWN_S = 6.0  # how long the screen keeps an ended call, so that a person can read why
RECORD_AGAIN_S = 1.0  # where the store could not be read
HINT_HOLDS_S = 5.0  # a hint that nothing follows is forgotten


class Calls:
    """One line's calls as they run here. Everything happens on the loop's thread."""

    def __init__(self, line: Line, site: Site) -> None:
        """Run the calls of `line`; what rings here rings on after a restart."""
        self.line = line
        self.site = site
        self.own_origin = line.identity.own_card.log.name
        self.running: dict[str, RunningCall] = {}
        self.agreements = Agreements(site.spawn, site.audit)
        self._early: dict[str, TrunkSignal] = {}
        self._owed: deque[Draft] = deque()
        self._posted: set[Ticket | None] = set()  # not durable yet
        self._hushed: set[str] = set()  # calls that the terms mute while the link is away
        self.unrecorded: frozenset[str] = frozenset()
        """Calls that the terms mute while a recorder is off; set by `hush_unrecorded`."""
        for state in line.machine.fold.going_on():
            self._ring_on(state)

    def close(self) -> None:
        """Cut all media and end the recordings; the node is closing."""
        for running in self.running.values():
            running.end(self.site.clock())
            running.forget()
        self.agreements.close()

    # -- what is going on

    def current(self) -> RunningCall | None:
        """Return the call that is going on; of two, as in glare, the older."""
        return next((one for one in self.running.values() if one.ended_at is None), None)

    def shown(self) -> RunningCall | None:
        """Return the call that the screens show, one that ended just now too."""
        return self.current() or next(reversed(self.running.values()), None)

    def is_live(self, call: str) -> bool:
        """Say whether the fold has `call` live."""
        state = self.line.machine.fold.calls.get(call)
        return state is not None and state.phase is Phase.LIVE

    def begin(self, call: str) -> RunningCall:
        """Begin to run `call`, with fresh keys for its media."""
        site = self.site
        floor = Floor(
            site.plane, site.hosts, call, self.own_origin, clock=site.clock, lost=site.changed
        )
        running = self.running[call] = RunningCall(call, floor, site.audit, site.clock())
        trunk = self._early.pop(call, None)
        if trunk is not None:
            running.take_trunk(trunk)
        return running

    def forget(self, call: str) -> None:
        """Take `call` off the screens."""
        gone = self.running.pop(call, None)
        if gone is not None:
            gone.forget()
            self._hushed.discard(call)
            self.site.changed()

    # -- to the other node

    def signal_trunk(self, running: RunningCall) -> None:
        """Tell the peer our half of the trunk."""
        if not running.floor.is_cut:
            body = format_signal(running.floor.trunk_signal())
            self.line.signal("trunk", running.call, body)

    def hint(self, running: RunningCall, kind: HintKind, handle: str) -> None:
        """Tell the peer what is about to be logged, or that a microphone went quiet."""
        if handle:
            self.line.signal("hint", running.call, format_signal(HintSignal(kind, handle)))

    def write(self, draft: Draft) -> None:
        """Append an act of the node's own; many take turns, so that no person waits behind them."""
        if len(self._owed) < MAX_OWED:
            self._owed.append(draft)
        self._post_owed()

    def _post_owed(self) -> None:
        while self._owed and len(self._posted) < MAX_POSTED:
            draft = self._owed.popleft()
            try:
                self._posted.add(self.line.post(draft))
            except TelconError as error:  # it was overtaken
                fields = {"call": draft.call, "act": draft.type, "why": str(error)}
                self.site.audit(AuditEvent.ACT_REFUSED, **fields)

    # -- what the line tells

    def event(self, event: Event) -> None:
        """Take one event of the line."""
        match event:
            case EntryHeld():
                self._held(event)
            case SignalReceived():
                self._signal(event)
            case LineUp():
                self._hushed.clear()
                for running in self.running.values():
                    running.goes_on_unsigned = False
                    self._signal_again(running)
                self._settle_all()
            case _:
                self._settle_all()
        self.agreements.event(event)

    def _held(self, held: EntryHeld) -> None:
        if held.ticket in self._posted:
            self._posted.remove(held.ticket)
            self._post_owed()
        entry = held.entry
        if entry is None or held.void is not None:
            return
        ours = held.origin == self.own_origin
        if isinstance(entry, CallRing) and not ours:
            self._rung(entry.call, held)
        if isinstance(entry, CallRing | CallAnswer | CallJoin):
            contents = {opening.member: opening.content for opening in held.openings}
            running = self.running.get(entry.call)
            if running is not None:
                opens = not ours and not isinstance(entry, CallJoin)
                running.introduce(entry.by, contents, opens_theirs=opens)
        self._settle_all()  # an entry may move two calls, as when rings merge, or all of them

    def _rung(self, call: str, held: EntryHeld) -> None:
        """Let a ring of the other side ring here, unless it is over or one too many."""
        state = self.line.machine.fold.calls[call]
        if state.phase is not Phase.RINGING or call in self.running:
            return
        rung = (held.origin, held.index)
        if sum(one.ended_at is None for one in self.running.values()) >= MAX_RUNNING:
            self.write(drafts.missed(call, rung))
        else:
            self.begin(call)
            self.write(drafts.ringing(call, rung, self.site.devices()))

    def _ring_on(self, state: CallState) -> None:
        """Take up a ring of the other side that a restart met; its trunk is signalled again."""
        origin, index = state.rung
        is_theirs = state.phase is Phase.RINGING and origin != self.own_origin
        if not is_theirs or len(self.running) >= MAX_RUNNING:
            return
        found = self.site.store.stored_log(origin).openings(index, 1)
        running = self.begin(state.call)
        for seat in state.roster.values():
            if (seat.origin, seat.opening) == state.rung:
                contents = {opening.member: opening.content for _, opening in found}
                running.introduce(seat.handle, contents, opens_theirs=True)

    # -- signals: unverified beyond their form

    def _signal(self, signal: SignalReceived) -> None:
        running = self.running.get(signal.call)
        try:
            match signal.kind:
                case "trunk":
                    self._take_trunk(signal.call, parse_trunk_untrusted(signal.body))
                case "hint" if running is not None:
                    self._take_hint(running, parse_hint_untrusted(signal.body))
                case "recorder" if running is not None:
                    beat = parse_recorder_untrusted(signal.body)
                    running.their_recorder = (beat, time.monotonic())
        except MalformedError as error:
            self.site.audit(AuditEvent.PEER_MISBEHAVED, call=signal.call, reason=str(error))

    def _take_trunk(self, call: str, trunk: TrunkSignal) -> None:
        running = self.running.get(call)
        if running is not None:
            running.take_trunk(trunk)
            return
        self._early[call] = trunk
        while len(self._early) > MAX_EARLY_TRUNKS:
            del self._early[next(iter(self._early))]

    def _take_hint(self, running: RunningCall, hint: HintSignal) -> None:
        state = self.line.machine.fold.calls.get(running.call)
        if state is None or not running.take_hint(hint, state):
            return
        running.hushed_until = self.site.clock() + HINT_HOLDS_S
        self.settle(running.call)
        self.site.passed({"hint": {"call": running.call, "kind": hint.kind}})
        asyncio.get_running_loop().call_later(HINT_HOLDS_S, self.settle, running.call)

    def _signal_again(self, running: RunningCall) -> None:
        """Say again what may have been lost with the link."""
        self.signal_trunk(running)
        for handle in running.muted & set(running.seats.values()):
            self.hint(running, "mute", handle)

    # -- settling

    def hush_unsigned(self, call: str) -> None:
        """Let nobody be heard in `call` until the link is back: the terms say so."""
        self._hushed.add(call)
        self.settle(call)

    def hush_unrecorded(self, calls: frozenset[str]) -> None:
        """Let nobody be heard in `calls` while a recorder is off, and in others again."""
        if calls != self.unrecorded:
            self.unrecorded = calls
            self._settle_all()
            self.site.changed()

    def _settle_all(self) -> None:
        for call in list(self.running):
            self.settle(call)

    def settle(self, call: str) -> None:
        """Let the media of `call` follow its fold."""
        running, state = self.running.get(call), self.line.machine.fold.calls.get(call)
        if running is None or state is None or running.ended_at is not None:
            return
        machine = self.line.machine
        target = self.running.get(state.merged_into or "")
        if target is not None:
            self._merge(running, target)
            return
        if state.phase in ENDS or machine.state == "broken":
            self._end(running)
            return
        speakers = _speakers(state)
        gate = gate_of(
            machine.fold, call, self.own_origin, machine.cosigned_by_peer, machine.cosigned_here
        )
        if call in self._hushed or (running.hushed_until or 0.0) > self.site.clock():
            gate = CLOSED
        if state.mode != "audio" and state.phase is Phase.LIVE:
            running.pause()
        elif (gate.send or gate.play) and not running.floor.is_cut and self._may_record(running):
            self._record(running, speakers)
        if call in self.unrecorded:  # only now: what begins to record again opens the gate
            gate = CLOSED
        running.floor.apply(gate, speakers, running.seats)

    def _record(self, running: RunningCall, speakers: Sequence[Speaker]) -> None:
        """Record `speakers`; if the store refuses, the talk goes on, and it is tried again."""
        try:
            running.record(self.site, self.line, self.agreements, speakers)
            running.is_unread = False
        except StorageError as error:
            if not running.is_unread:
                self.site.audit(AuditEvent.RECORDER_FAILED, call=running.call, why=str(error))
                self._record_later(running)
            running.is_unread = True

    def _record_later(self, running: RunningCall) -> None:
        asyncio.get_running_loop().call_later(RECORD_AGAIN_S, self._record_again, running)

    def _record_again(self, running: RunningCall) -> None:
        if self.running.get(running.call) is running:
            self.settle(running.call)
            if running.is_unread:
                self._record_later(running)

    def _may_record(self, running: RunningCall) -> bool:
        """Say whether a recording can be told: after a while without, both sides must know gaps."""
        terms = self.line.machine.fold.line.terms.values() if running.had_stricter else ()
        return all("call.record-gap" in side.types for side in terms)

    def _merge(self, running: RunningCall, target: RunningCall) -> None:
        """Both sides rang: devices of the ring that was merged move to the call that lives."""
        state = self.line.machine.fold.calls[target.call]
        answered = [
            seat.handle
            for seat in state.roster.values()
            if seat.origin == self.own_origin and (seat.origin, seat.opening) == state.answered
        ]
        target.adopt(running, next(iter(answered), None))
        self.forget(running.call)
        self.settle(target.call)

    def _end(self, running: RunningCall) -> None:
        """End the media of a call that is over; the newest alone stays on the screens a while."""
        for other in [one for one in self.running.values() if one.ended_at is not None]:
            self.forget(other.call)
        running.end(self.site.clock())
        loop = asyncio.get_running_loop()
        running.leaving = loop.call_later(ENDED_SHOWN_S, self.forget, running.call)


def _speakers(state: CallState) -> list[Speaker]:
    """Return who is on the call now, of each side the first: each costs a file and its packets."""
    openings = (state.rung, state.answered)
    speakers = []
    left = dict.fromkeys((seat.origin for seat in state.roster.values()), MAX_SPEAKERS)
    for seat in state.roster.values():
        if seat.left is not None or not left[seat.origin]:
            continue
        left[seat.origin] -= 1
        joined = (seat.origin, seat.opening) not in openings
        speakers.append(Speaker(seat.handle, seat.origin, seat.track, joined))
    return speakers

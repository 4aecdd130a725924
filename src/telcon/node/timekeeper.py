"""What the calls of one line owe to time, and what two rings at once owe to each other.

`telcon.core.duties` decides; this module tells it how things stand, writes the acts it wishes for,
and wakes when it next may have one.
"""

import asyncio
import os

from telcon.core import draft as drafts
from telcon.core.call import CallState
from telcon.core.duties import Duties, GlareAnswer, LinkLost, glare_answers, recorder_terms
from telcon.core.seal import Text
from telcon.core.transitions import Phase
from telcon.node.calls import Calls

__all__ = ["Timekeeper"]

LISTEN_S = 1.0
"""How often recorders are looked at where the terms want one: a dead one tells nothing."""

STOPPED_REASON = Text("en", "node stopped")


class Timekeeper:
    """Keeps the time of one line's calls. Call `look` after every change."""

    def __init__(self, calls: Calls) -> None:
        """Keep the time of what `calls` runs."""
        self._calls = calls
        self._line = calls.line
        self._duties = Duties(calls.own_origin)
        self._glared: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def resume(self) -> None:
        """End what a restart has cut: a live call, a ring of ours. What rings here rings on."""
        for draft in self._duties.restarted(self._line.machine.fold):
            if draft.call not in self._calls.running:
                self._calls.write(draft)

    def close(self) -> None:
        """End every call that this node cannot carry on without itself; look no more."""
        for draft in self._duties.restarted(self._line.machine.fold):
            self._calls.write(drafts.fail(draft.call or "", STOPPED_REASON))
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()

    def look(self) -> None:
        """Write what has become due, and see when to look again."""
        if self._is_closed:
            return
        now = self._calls.site.clock()
        self._observe(now)
        for draft in self._duties.due(now):
            self._calls.write(draft)
        self._answer_glare()
        for lost in self._duties.link_lost(now):
            self._tell_unsigned(lost)
        self._calls.hush_unrecorded(self._duties.silenced(now))
        self._arm(now)

    def _observe(self, now: float) -> None:
        machine = self._line.machine
        running = self._calls.running.values()
        quiet = [one.floor.trunk_silent_s() for one in running if one.ended_at is None]
        self._duties.observe(
            machine.fold,
            cosigned_by_peer=machine.cosigned_by_peer,
            cosigned_here=machine.cosigned_here,
            link_up=self._line.up_since_us is not None,
            trunk_silent_s=min(quiet, default=0.0),
            now=now,
            unrecorded=self._unrecorded(),
            ended_there=machine.is_ended_there,
        )

    def _to_be_recorded(self) -> list[CallState]:
        """Return live calls in mode audio, if the terms say what becomes of an unrecorded one."""
        fold = self._line.machine.fold
        going_on = [state for state in fold.going_on() if state.call in self._calls.running]
        found = [one for one in going_on if one.phase is Phase.LIVE and one.mode == "audio"]
        return found if found and recorder_terms(fold) != "go on" else []

    def _unrecorded(self) -> list[str]:
        own, link_up = self._calls.own_origin, self._line.up_since_us is not None
        return [
            state.call
            for state in self._to_be_recorded()
            if not self._calls.running[state.call].is_recorded(state, own, link_up=link_up)
        ]

    def _tell_unsigned(self, lost: LinkLost) -> None:
        """Do what the terms say of a call whose link stays away: hush it, or tell its people."""
        if lost.action == "mute":
            self._calls.hush_unsigned(lost.call)
        elif lost.call in self._calls.running:
            self._calls.running[lost.call].goes_on_unsigned = True
            self._calls.site.changed()

    def _arm(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._duties.next_deadline()
        if self._to_be_recorded():
            deadline = min(deadline or now + LISTEN_S, now + LISTEN_S)
        if deadline is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, deadline - now), self.look)

    # -- both sides rang

    def _answer_glare(self) -> None:
        fold = self._line.machine.fold
        self._glared &= {state.call for state in fold.going_on()}
        for glare in glare_answers(fold, self._calls.own_origin):
            if glare.call not in self._glared and self._answer(glare):
                self._glared.add(glare.call)

    def _answer(self, glare: GlareAnswer) -> bool:
        """Answer the other's ring by ourselves: our principal has tapped to ring already."""
        own = self._calls.running.get(glare.own_call)
        other = self._calls.running.get(glare.call)
        device = next(iter(own.seats), None) if own is not None else None
        if own is None or other is None or device is None:
            return False
        site = self._calls.site
        draft = drafts.answer(
            glare.call,
            os.urandom(8).hex(),
            glare.rung,
            mode=glare.mode,
            track=1,
            person=site.principal,
            media=site.media(own.certificates[device].hex(), other.floor.trunk_key_hash),
            own_ring=glare.own_ring,
        )
        self._calls.signal_trunk(other)
        self._calls.write(draft)
        return True

"""What the calls of one line owe to time, and what two rings at once owe to each other.

`telcon.core.duties` decides; this module tells it how things stand, writes the acts it wishes for,
and wakes when it next may have one.
"""

import asyncio
import os

from telcon.core import draft as drafts
from telcon.core.duties import Duties, GlareAnswer, LinkLost, glare_answers
from telcon.core.seal import Text
from telcon.node.calls import Calls

__all__ = ["Timekeeper"]

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
        )

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

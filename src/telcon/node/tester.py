"""One line's tests at run time: written when due, answered at once, waited for when one asks.

`telcon.core.line_tests` decides when one is due and what became of it; all of that stands in the
logs, so a restart forgets nothing. What a test of the other side asks for is its answer, and the
node that is off when a test comes never gives one: the other side sees it missed.
"""

import asyncio
import time

from telcon.core import draft as drafts
from telcon.core.call import Place
from telcon.core.entry import LineTest, LineTested
from telcon.core.events import EntryHeld, Event, LineUp
from telcon.core.line_tests import Rhythm
from telcon.errors import OperatorError
from telcon.node.calls import Calls
from telcon.node.line import now

__all__ = ["Tester"]

TEST_TIMEOUT_S = 10.0
LOOK_AGAIN_S = 60.0  # at the latest: a wall clock may be set, and timers do not hear of it
MINUTE_US = 60_000_000


class Tester:
    """Tests one line and answers its tests. Everything happens on the loop's thread."""

    def __init__(self, calls: Calls, every_minutes: int) -> None:
        """Test the line of `calls`, each so many minutes (0: only when asked)."""
        self.every_minutes = every_minutes
        self._calls = calls
        self._line = calls.line
        self._own = calls.own_origin
        self._rhythm = Rhythm(
            every_minutes * MINUTE_US,
            line=self._line.identity.line,
            is_first=self._own < self._line.identity.peer_card.log.name,
            now_us=now().utc_us,
        )
        self._asked: dict[Place, asyncio.Event] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def event(self, event: Event) -> None:
        """Take one event of the line."""
        if isinstance(event, LineUp):
            self._rhythm.came_up()
            self.look()
        elif isinstance(event, EntryHeld) and event.void is None and event.origin != self._own:
            self._held(event)

    def look(self) -> None:
        """Write a test if one is due, and see when to look again."""
        if self._is_closed or not self.every_minutes:
            return
        machine, now_us = self._line.machine, now().utc_us
        fold = machine.fold
        if machine.state == "going" and fold.is_stated and not fold.is_frozen:
            newest = fold.tests.newest(self._own)
            if self._rhythm.is_due(now_us, newest, is_up=self._line.is_up):
                self._calls.write(drafts.line_test())
        self._arm((self._rhythm.next_us(now_us) - now_us) / 1e6)

    def close(self) -> None:
        """Test no more."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()

    async def test(self) -> float:
        """Test the line now; return the milliseconds until the other had answered and signed.

        Raises:
            OperatorError: it has not answered within ten seconds.
            IllegalActError: the line is frozen.
        """
        began = time.monotonic()
        held = await self._line.act(drafts.line_test())
        place = (held.origin, held.index)
        answered = self._asked[place] = asyncio.Event()
        try:
            async with asyncio.timeout(TEST_TIMEOUT_S):
                await answered.wait()
        except TimeoutError as error:
            raise OperatorError(
                f"the other node has not answered the test within {TEST_TIMEOUT_S:g} s",
                advice="The test stands in the log. See: telcon line list",
            ) from error
        finally:
            del self._asked[place]
        return (time.monotonic() - began) * 1_000

    def _held(self, held: EntryHeld) -> None:
        if isinstance(held.entry, LineTest):
            self._calls.write(drafts.line_tested((held.origin, held.index)))
        elif isinstance(held.entry, LineTested):
            answered = self._asked.get(held.entry.re[0])
            if answered is not None:
                answered.set()

    def _arm(self, delay_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        delay_s = min(max(delay_s, 0.0), LOOK_AGAIN_S)
        self._timer = asyncio.get_running_loop().call_later(delay_s, self.look)

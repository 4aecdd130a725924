"""One line's switchboard: its calls, what people do in them, and what they owe to time.

The parts are `telcon.node.calls`, `telcon.node.acts` and `telcon.node.timekeeper`; here they are
put together, and the line's own test is carried out.
"""

import asyncio
import time

from telcon.core import draft as drafts
from telcon.core.call import Place
from telcon.core.entry import LineTest, LineTested
from telcon.core.events import EntryHeld, Event, LineUp
from telcon.errors import OperatorError
from telcon.node.acts import Acts
from telcon.node.calls import Calls
from telcon.node.line import Line
from telcon.node.running import Site
from telcon.node.timekeeper import Timekeeper

__all__ = ["Switchboard"]

TEST_TIMEOUT_S = 10.0


class Switchboard:
    """All that goes on on one line, besides its messages."""

    def __init__(self, line: Line, site: Site) -> None:
        """Serve `line`; call `resume` once its events are heard."""
        self.calls = Calls(line, site)
        self.acts = Acts(self.calls)
        self._line = line
        self._site = site
        self._timekeeper = Timekeeper(self.calls)
        self._tests: dict[Place, asyncio.Event] = {}
        self._looking: asyncio.Handle | None = None
        self._is_closed = False

    def resume(self) -> None:
        """Say what a restart has cut: those calls have failed."""
        self._timekeeper.resume()

    def event(self, event: Event) -> None:
        """Take one event of the line."""
        if self._is_closed:
            return
        if isinstance(event, LineUp):
            self._timekeeper.resume()
        elif isinstance(event, EntryHeld) and event.void is None:
            self._test(event)
        self.calls.event(event)
        if self._looking is None:  # once for all events of this turn: a flood costs one look
            self._looking = asyncio.get_running_loop().call_soon(self.look)
        self._site.changed()

    def look(self) -> None:
        """See whether anything has become due."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        self._timekeeper.look()

    def close(self) -> None:
        """End every call, as far as that can be said without waiting; the node is closing."""
        if self._looking is not None:
            self._looking.cancel()
        self._is_closed = True
        self._timekeeper.close()
        self.calls.close()

    async def test(self) -> float:
        """Test the line; return the milliseconds until the other node had answered and signed.

        Raises:
            OperatorError: it has not answered within ten seconds.
            IllegalActError: the line is frozen.
        """
        began = time.monotonic()
        held = await self._line.act(drafts.line_test())
        place = (held.origin, held.index)
        answered = self._tests[place] = asyncio.Event()
        try:
            async with asyncio.timeout(TEST_TIMEOUT_S):
                await answered.wait()
        except TimeoutError as error:
            raise OperatorError(
                f"the other node has not answered the test within {TEST_TIMEOUT_S:g} s",
                advice="The test stands in the log. See: telcon line list",
            ) from error
        finally:
            del self._tests[place]
        return (time.monotonic() - began) * 1_000

    def _test(self, held: EntryHeld) -> None:
        if held.origin == self.calls.own_origin:
            return
        if isinstance(held.entry, LineTest):
            self.calls.write(drafts.line_tested((held.origin, held.index)))
        elif isinstance(held.entry, LineTested):
            answered = self._tests.get(held.entry.re[0])
            if answered is not None:
                answered.set()

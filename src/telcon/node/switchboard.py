"""One line's switchboard: its calls, what people do in them, what they owe to time, its tests.

The parts are `telcon.node.calls`, `telcon.node.acts`, `telcon.node.timekeeper` and
`telcon.node.tester`; here they are put together.
"""

import asyncio

from telcon.core.events import Event, LineUp
from telcon.node.acts import Acts
from telcon.node.calls import Calls
from telcon.node.line import Line
from telcon.node.running import Site
from telcon.node.tester import Tester
from telcon.node.timekeeper import Timekeeper

__all__ = ["Switchboard"]


class Switchboard:
    """All that goes on on one line, besides its messages."""

    def __init__(self, line: Line, site: Site) -> None:
        """Serve `line`; call `resume` once its events are heard."""
        self.calls = Calls(line, site)
        self.acts = Acts(self.calls)
        self._line = line
        self._site = site
        self._timekeeper = Timekeeper(self.calls)
        self.tester = Tester(self.calls, site.test_every_minutes)
        self._looking: asyncio.Handle | None = None
        self._is_closed = False

    def resume(self) -> None:
        """Say what a restart has cut: those calls have failed."""
        self._timekeeper.resume()
        self.tester.look()

    def event(self, event: Event) -> None:
        """Take one event of the line."""
        if self._is_closed:
            return
        if isinstance(event, LineUp):
            self._timekeeper.resume()
        self.tester.event(event)
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
        self.tester.look()

    def close(self) -> None:
        """End every call, as far as that can be said without waiting; the node is closing."""
        if self._looking is not None:
            self._looking.cancel()
        self._is_closed = True
        self._timekeeper.close()
        self.tester.close()
        self.calls.close()

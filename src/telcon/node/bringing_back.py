"""Brings back from the other node what a kill took of this node's own tracks.

Its word is all there is for these packets: they are marked for ever.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

from telcon.core.signals import ReturnedSignal, ReturnSignal, format_signal
from telcon.node.line import Line
from telcon.node.record.claims import MAX_RETURNED, following
from telcon.node.record.packet import How, Packet, Track
from telcon.node.record.shelf import Shelf

__all__ = ["BringingBack"]

RETURN_AGAIN_S: Final = 1.0
LINKED_WITHIN_S: Final = 30.0
"""For the link to be up after a kill; without it the record is closed as it is."""

BRING_BACK_S: Final = 10.0
"""For the other node to answer, from then on."""


@dataclass(slots=True)
class _Returning:
    """What of an own track was asked back, and what has come of it."""

    track: Track
    first: int
    packets: dict[int, Packet] = field(default_factory=dict)
    done: asyncio.Event = field(default_factory=asyncio.Event)


class BringingBack:
    """The asking for what one call's record lacks of our own tracks."""

    def __init__(self, call: str, line: Line, shelf: Shelf) -> None:
        """Bring back what is not on `shelf`, over `line`."""
        self._call = call
        self._line = line
        self._shelf = shelf
        self._own = line.identity.own_card.log.name
        self._returning: _Returning | None = None
        self._until = 0.0  # monotonic
        self._was_up = False  # since it asks

    def take(self, returned: ReturnedSignal) -> None:
        """Take packets of our own that the other side gives back; others are left."""
        back = self._returning
        if back is None or (returned.track, returned.first) != (back.track[1], back.first):
            return
        for index, timestamp, payload in returned.packets:
            if back.first <= index < back.first + MAX_RETURNED:
                packet = Packet(index, timestamp, payload, How.RETURNED)
                back.packets.setdefault(index, packet)
        if returned.is_last:
            back.done.set()

    async def run(self) -> None:
        """Ask for what lacks at the end of each own track, and keep what is given.

        Where no link or no answer comes in time, the record goes on without it.
        """
        self._until = time.monotonic() + LINKED_WITHIN_S
        for track in self._shelf.tracks():
            if track[0] == self._own:
                await self._bring_back(track)

    async def _bring_back(self, track: Track) -> None:
        first = self._shelf.bound(track)
        last = (await self._shelf.read(track, first - 1, 1))[first - 1]
        self._returning = back = _Returning(track, first)
        body = format_signal(ReturnSignal(track[1], back.first))
        try:
            while not back.done.is_set() and time.monotonic() < self._until:
                if self._line.is_up:
                    if not self._was_up:
                        self._was_up, self._until = True, time.monotonic() + BRING_BACK_S
                    self._line.signal("record-return", self._call, body)
                try:
                    await asyncio.wait_for(back.done.wait(), RETURN_AGAIN_S)
                except TimeoutError:
                    continue
        finally:
            self._returning = None
        found = [(track, packet) for packet in following(last, back.packets)]
        if found:
            now = time.monotonic()
            self._shelf.put(found, None, now)
            await self._shelf.wait_kept(now)

"""What held entries say to people, read from the store and kept for the screens.

Openings can be destroyed while their entries stay: what is gone or unreadable reads as None.
"""

from collections import OrderedDict

from telcon.core.entry import read_entry_untrusted
from telcon.core.seal import (
    Person,
    Text,
    parse_person_untrusted,
    parse_text_untrusted,
)
from telcon.core.void import Void
from telcon.errors import MalformedError, UnreadableError
from telcon.node.store import Store

__all__ = ["Contents"]

KEPT_ENTRIES = 1024  # 1 KiB each, 24 at most; a screen shows fifty messages and calls a line


class Contents:
    """Openings by entry, newest use kept."""

    def __init__(self, store: Store) -> None:
        """Read from `store`."""
        self._store = store
        self._opened: dict[str, int] = {}
        self._kept: OrderedDict[tuple[str, int], dict[str, bytes]] = OrderedDict()

    def person(self, place: tuple[str, int], member: str = "person") -> Person | None:
        """Return the person sealed in `member` of the entry at `place`, as its author states."""
        content = self._of(place).get(member)
        try:
            return None if content is None else parse_person_untrusted(content)
        except MalformedError:
            return None  # shown as unreadable: it is what was sealed

    def text(self, place: tuple[str, int], member: str) -> Text | None:
        """Return the words sealed in `member` of the entry at `place`."""
        content = self._of(place).get(member)
        try:
            return None if content is None else parse_text_untrusted(content)
        except MalformedError:
            return None  # shown as unreadable: it is what was sealed

    def opened_us(self, origin: str) -> int | None:
        """Return when the log `origin` began, by its author's clock; None before it has."""
        if origin not in self._opened and (first := self._store.stored_log(origin).entries(0, 1)):
            entry = read_entry_untrusted(first[0])
            if not isinstance(entry, Void):
                self._opened[origin] = entry.time
        return self._opened.get(origin)

    def is_held(self, place: tuple[str, int]) -> bool:
        """Say whether the entry at `place` is durable; our own have effect a moment before."""
        origin, index = place
        return index < self._store.stored_log(origin).size

    def _of(self, place: tuple[str, int]) -> dict[str, bytes]:
        if place not in self._kept:
            if not self.is_held(place):
                return {}  # not to be kept: it will be there in a moment
            origin, index = place
            try:
                found = self._store.stored_log(origin).openings(index, 1)
            except UnreadableError:
                found = []  # shown as unreadable: the rest of the page is not
            self._kept[place] = {opening.member: opening.content for _, opening in found}
            while len(self._kept) > KEPT_ENTRIES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(place)
        return self._kept[place]

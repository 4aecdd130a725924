"""What the fold keeps of a line besides its calls: each log's size, terms and freezing; messages.

Messages are kept as their places alone, a few octets each: a line may hold very many.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, overload

from telcon.core.entry import SUPPORTED_TYPES, Entry, LineTerms, LineTest, Message
from telcon.core.settle import Act

__all__ = ["Kind", "LineState", "Log", "MessageState", "Messages", "Terms", "kind_of", "terms_of"]

_SUPPORTED: Final = frozenset(SUPPORTED_TYPES)


class Kind(IntEnum):
    """What an entry is to those that refer to it; one octet for each entry of a log."""

    OTHER = 0  # nothing that can be referred to by kind
    MESSAGE = 1
    TEST = 2
    VOID = 3


@dataclass(frozen=True, slots=True)
class Terms:
    """What one side gives effect to, from index `since` of its log on."""

    since: int
    types: frozenset[str]  # of those that this version knows
    conditions: tuple[str, ...]
    link_lost: str  # "go on", "mute" or "end"


@dataclass(frozen=True, slots=True)
class LineState:
    """The line as both logs tell it."""

    opened: frozenset[str]  # the sides whose log is opened
    frozen_by: frozenset[str]  # the sides that froze it while it was not, to their knowledge
    terms: Mapping[str, Terms]  # each side's newest, by origin
    acknowledged: Mapping[str, frozenset[str]]  # evidence that each side took note of, by origin


@dataclass(slots=True)
class Log:
    """What the fold keeps of one log."""

    size: int = 0
    seen: tuple[int, str] = (0, "")  # the newest that was right
    is_open: bool = False
    terms: list[Terms] = field(default_factory=list)
    frozen: Act | None = None  # which moves calls; of two, the later has nothing left to move
    froze_at: int | None = None  # its `line.frozen`, whether or not the other side froze before
    acknowledged: set[str] = field(default_factory=set)
    kinds: bytearray = field(default_factory=bytearray)

    def count(self, kind: Kind) -> None:
        """Note that one more entry stands in the log, and what it is to others."""
        self.kinds.append(kind)
        self.size += 1

    def terms_within(self, bound: int) -> Terms | None:
        """Return the newest terms among the first `bound` entries."""
        for terms in reversed(self.terms):
            if terms.since < bound:
                return terms
        return None


@dataclass(frozen=True, slots=True)
class MessageState:
    """A message that took effect; its text lies in the openings of its entry."""

    origin: str
    index: int
    time_us: int  # author's clock


class Messages(Sequence[MessageState]):
    """The messages that took effect, in the order in which they were applied here.

    The order between the two logs is no part of the state: another reader may have met the same
    messages in another order. Live and not to be changed by readers.
    """

    def __init__(self, origins: tuple[str, str]) -> None:
        self._origins = origins
        self._places = array("Q")  # index * 2 + position of the origin
        self._times = array("Q")

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, position: int) -> MessageState: ...
    @overload
    def __getitem__(self, position: slice) -> list[MessageState]: ...
    def __getitem__(self, position: int | slice) -> MessageState | list[MessageState]:
        if isinstance(position, slice):
            pairs = zip(self._places[position], self._times[position], strict=True)
            return [MessageState(self._origins[at & 1], at >> 1, time_us) for at, time_us in pairs]
        at = self._places[position]
        return MessageState(self._origins[at & 1], at >> 1, self._times[position])

    def position(self, origin: str, index: int) -> int | None:
        """Return where in this sequence the message at `index` of the log `origin` stands."""
        if origin not in self._origins:
            return None
        try:
            return self._places.index(index * 2 + self._origins.index(origin))
        except ValueError:
            return None

    def add(self, origin: str, index: int, time_us: int) -> None:
        """Add a message that took effect."""
        self._places.append(index * 2 + self._origins.index(origin))
        self._times.append(time_us)


def terms_of(entry: LineTerms, index: int) -> Terms:
    """Return what `entry` at `index` gives effect to, of what this version knows."""
    types = frozenset(name for name, version in entry.types if (name, version) in _SUPPORTED)
    return Terms(index, types, entry.conditions, entry.link_lost)


def kind_of(entry: Entry) -> Kind:
    """Return what `entry`, which took effect, is to others."""
    if isinstance(entry, Message):
        return Kind.MESSAGE
    return Kind.TEST if isinstance(entry, LineTest) else Kind.OTHER

"""Our own log as it is written: acts composed, judged, and given to the next commit.

Acts of a call are composed when they come; bulk (messages, blanks) waits until the next commit has
room for it, so that no act ever stands behind much of it. Nothing here signs.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from telcon.core.draft import Draft, compose
from telcon.core.entry import Entry
from telcon.core.events import ActDropped, EntryHeld, Now, Ticket
from telcon.core.fold import LineFold
from telcon.core.growing import GrowingLog, make_row
from telcon.core.stored import StoredLog
from telcon.core.void import Void
from telcon.errors import BusyError, IllegalActError, MisuseError

__all__ = ["BATCH_OCTETS", "Author"]

BATCH_OCTETS: Final = 65_536  # bulk entries per commit, so that an act never waits for much
MAX_WAITING_BULK: Final = 4_096
MAX_WAITING_ACTS: Final = 1_024  # not durable yet; a disk that refuses lets them pile up
MAX_FRESH_BULK: Final = MAX_WAITING_ACTS // 2
RECENT_OCTETS: Final = 1_048_576  # kept in memory for pushing


class Author:
    """Writes our own log, up to where a commit makes it durable."""

    def __init__(self, stored: StoredLog, random: Callable[[int], bytes]) -> None:
        """Continue the log `stored`; `random(n)` returns n fresh octets."""
        self.log = GrowingLog(stored, keep_octets=RECENT_OCTETS)
        self._random = random
        self._tickets = 0
        self._fresh: deque[tuple[Ticket, Entry]] = deque()  # of entries not durable yet
        self._bulk: deque[tuple[Ticket, Draft]] = deque()
        self._batch_octets = 0  # of bulk in the next commit

    @property
    def waiting_bulk(self) -> int:
        """How many acts wait to be composed."""
        return len(self._bulk)

    @property
    def is_full(self) -> bool:
        """Whether no more acts are taken before the disk has taken some."""
        return len(self._fresh) >= MAX_WAITING_ACTS

    def append(self, draft: Draft, fold: LineFold, seen: tuple[int, bytes], now: Now) -> Ticket:
        """Compose, judge and apply an act of a call.

        Raises:
            IllegalActError: it would be void; nothing was written.
            BusyError: too many acts wait for the disk.
            MisuseError: the draft makes no entry.
        """
        if self.is_full:
            raise BusyError("the disk does not keep up: no more acts can be taken right now")
        ticket = self._ticket()
        _, void = self._write(ticket, draft, fold, seen, now)
        if void is not None:
            raise IllegalActError(draft.type, void.value)
        return ticket

    def append_bulk(self, draft: Draft) -> Ticket:
        """Take an act that waits until a commit has room for it.

        Raises:
            BusyError: 4,096 are waiting.
        """
        if len(self._bulk) >= MAX_WAITING_BULK:
            raise BusyError(f"{MAX_WAITING_BULK} messages wait to be written; try again shortly")
        ticket = self._ticket()
        self._bulk.append((ticket, draft))
        return ticket

    def compose_bulk(self, fold: LineFold, seen: tuple[int, bytes], now: Now) -> list[ActDropped]:
        """Write what waits, as far as the next commit has room; return what is void by now."""
        dropped = []
        while (
            self._bulk
            and self._batch_octets < BATCH_OCTETS
            and len(self._fresh) < MAX_FRESH_BULK  # a disk that refuses leaves acts their room
        ):
            ticket, draft = self._bulk.popleft()
            try:
                written, void = self._write(ticket, draft, fold, seen, now)
            except MisuseError:  # a draft that makes no entry must not stop the line
                written, void = 0, Void.NOT_CANONICAL
            self._batch_octets += written
            if void is not None:
                dropped.append(ActDropped(ticket, void))
        return dropped

    def batch_taken(self) -> None:
        """Take note that a commit is under way with all that was composed: the next has room."""
        self._batch_octets = 0

    def _ticket(self) -> Ticket:
        self._tickets += 1
        return Ticket(self._tickets)

    def _write(
        self, ticket: Ticket, draft: Draft, fold: LineFold, seen: tuple[int, bytes], now: Now
    ) -> tuple[int, Void | None]:
        data, openings, entry = compose(
            draft, origin=self.log.origin, time_us=now.utc_us, seen=seen, random=self._random
        )
        void = fold.try_apply(self.log.origin, entry)
        if void is not None:
            return 0, void
        self.log.grow(make_row(self.log.tip, data, openings))
        self._fresh.append((ticket, entry))
        return len(data), None

    def settle(self, size: int) -> list[EntryHeld]:
        """Take note that `size` entries are durable; return what to tell of the new ones."""
        first = self.log.stored_size
        rows = self.log.settle(size)
        held = []
        for index, row in enumerate(rows, first):
            if not self._fresh:  # read back from the mirror: replayed as a whole afterwards
                break
            ticket, entry = self._fresh.popleft()
            held.append(EntryHeld(self.log.origin, index, entry, None, row.openings, ticket))
        return held

"""Brings the record of one call to the same on both sides, chunk by chunk, and says so in the log.

For every chunk that the other side has logged this node compares what it holds, asks the speaker's
node over the link for what did not come, keeps what fits the logged root, and appends
`call.record-held`. When the call is over and every chunk of both sides is dealt with, it appends
`call.record-agreed`: the hash of each track's file. The record is agreed when both sides' say the
same. All that is needed to go on stands in the logs and in the journal, so a restart goes on.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from telcon.core import draft as drafts
from telcon.core.call import CallState, ChunkSum
from telcon.core.draft import Draft, Runs
from telcon.core.signals import (
    MAX_RUNS,
    AskSignal,
    GiveSignal,
    format_signal,
)
from telcon.core.transitions import ENDS
from telcon.errors import LinkDownError, StorageError, TelconError
from telcon.node.audit import AuditEvent
from telcon.node.bringing_back import BringingBack
from telcon.node.giving import Giving
from telcon.node.line import Line
from telcon.node.record.claims import (
    Claim,
    Finding,
    claims_of,
    missing,
    runs,
    weigh,
    weigh_by_leaves,
)
from telcon.node.record.held import held_tracks
from telcon.node.record.journal import How, Packet, Track
from telcon.node.record.place import RecordPlace
from telcon.node.record.shelf import Shelf
from telcon.node.record.spans import FOREVER, Spans
from telcon.node.store import Store
from telcon.node.store.records import ALL_TRACKS, find_left_out, leave_out

__all__ = ["Agreement", "find_left"]

_LOG = logging.getLogger(__name__)

SETTLE_S: Final = 1.5
"""In a live call, for what the network delivers late and what is not on the disk yet."""

ASK_AGAIN_S: Final = 2.0
ASK_FOR_S: Final = 60.0
"""For one track of a chunk, with the link up: a side that gives a packet at a time ends here."""

GATHER_S: Final = 0.05
"""After an answer, for the rest of it: what lacks is looked at once for all, and costs."""

MAX_TRIES: Final = 5
"""Asks without any answer, with the link up, before a packet counts as absent."""


def find_left(store: Store, line: Line, call: str) -> dict[Track, Spans]:
    """Return what of a call is stored as left on purpose: it came while our recorder was off.

    Raises:
        StorageError: the disk refused.
    """
    origins = (line.identity.own_card.log.name, line.identity.peer_card.log.name)
    left: dict[Track, Spans] = {}
    for track, first, last in store.read(partial(find_left_out, call=call, origins=origins)):
        left.setdefault(track, Spans()).append(first, last)
    return left


@dataclass(slots=True)
class _Asking:
    """What was asked for, and what has come of it."""

    chunk: int
    claim: Claim
    packets: dict[int, Packet] = field(default_factory=dict)
    leaves: dict[int, bytes] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Agreement:
    """One call's record on its way to be agreed; `run` until it is."""

    def __init__(
        self,
        call: str,
        line: Line,
        place: RecordPlace,
        shelf: Shelf,
        store: Store,
        audit: Callable[..., None],
        *,
        keepers: int,
        left: dict[Track, Spans],
    ) -> None:
        """Work on `call` of `line` with what is on `shelf`, the record at `place`.

        What is `left` on purpose is not asked for: see `find_left`.

        Packets still come; call `recorded` when none do any more. The record is sealed to so many
        `keepers` besides this node: if there are any, this node's key is erased in the end.
        """
        self.call = call
        self.shelf = shelf
        self._line = line
        self._place = place
        self._keepers = keepers
        self._store = store
        self._audit = audit
        self._own = line.identity.own_card.log.name
        self._other = line.identity.peer_card.log.name
        self._origins = (self._own, self._other)
        self._done = dict.fromkeys(self._origins, 0)  # chunks that are dealt with
        self._spoken: dict[Track, Spans] = {}  # by what these say
        self._stated_for: Mapping[Track, ChunkSum] | None = None
        self._left = left
        self.giving = Giving(call, line, shelf, store, audit)
        """What the other side asks for."""
        self.bringing_back = BringingBack(call, line, shelf)
        """What a kill took of our own tracks; run by whoever takes up the record."""
        self._asking: _Asking | None = None
        self._is_closing = False
        self._recorded = asyncio.Event()
        self._wake = asyncio.Event()
        self.ended = asyncio.Event()
        """Nothing is done any more, and the journal is closed."""

    # -- what happens outside

    def look(self) -> None:
        """See what there is to do: an entry was held, or the link is up."""
        self._wake.set()

    def recorded(self) -> None:
        """Note that the recording is closed, and its closing is in the log."""
        self._recorded.set()
        self._wake.set()

    def is_waiting(self, since_us: int) -> bool:
        """Say whether a side has yet to state the record, and the call ended since then."""
        state = self._state()
        if state.ended_us is not None and state.ended_us < since_us:
            return False
        is_open = any(recording.off is None for recording in state.recordings)
        return is_open or (bool(state.chunks) and len(state.agreed) < len(self._done))

    @property
    def is_closing(self) -> bool:
        """Whether `close` was called."""
        return self._is_closing

    def close(self) -> None:
        """End `run` once the recording is closed; the next start of the node goes on."""
        self._is_closing = True
        self._wake.set()

    def take_give(self, give: GiveSignal) -> None:
        """Take what the other side gives; what was not asked for is left."""
        asking = self._asking
        if asking is None or (give.chunk, give.track) != (asking.chunk, asking.claim.track[1]):
            return
        claim = asking.claim
        for index, timestamp, payload in give.packets:
            if claim.first <= index <= claim.last:
                packet = Packet(index, timestamp, payload, How.REPAIRED)
                asking.packets.setdefault(index, packet)
        for index, leaf in enumerate(give.leaves, give.first):
            if claim.first <= index <= claim.last:
                asking.leaves.setdefault(index, leaf)
        for first, count in give.gone:
            start, end = max(first, claim.first), min(first + count - 1, claim.last)
            asking.gone.update(range(start, end + 1))
        asking.news.set()

    def leave(self, track: Track, index: int) -> None:
        """Do not ask for a packet of the other side that came while our recorder was switched off.

        What was lost on the way meanwhile is not asked for either.
        """
        self._left.setdefault(track, Spans()).add(index)

    async def keep_left(self, *, is_off: bool) -> None:
        """Store what is left, for the next start; while the recorder `is_off`, all that may come.

        Raises:
            StorageError: the disk refused.
        """
        bounds: dict[Track, int] = {}
        if is_off:
            self.shelf.flush()
            await self.shelf.wait_kept(time.monotonic())
            theirs = {track for track in self.shelf.tracks() if track[0] == self._other}
            bounds = {track: self.shelf.bound(track) for track in theirs | self._left.keys()}
            bounds[self._other, ALL_TRACKS] = 0
        spans = [(track, first, FOREVER) for track, first in bounds.items()]
        spans += [
            (track, first, last)
            for track, kept in self._left.items()
            for first, last in kept
            if first < bounds.get(track, FOREVER)
        ]
        work = partial(leave_out, call=self.call, origins=self._origins, spans=spans)
        await self._store.commit(work)

    # -- work

    async def run(self) -> None:
        """Deal with one chunk after the other until both sides state the same record.

        Cancellation: what is in the log stays; the next start goes on.
        """
        try:
            async with asyncio.TaskGroup() as group:
                answering = group.create_task(self.giving.run())
                await self._agree()
                await self._recorded.wait()  # whoever closes the recording still writes and reads
                answering.cancel()
        finally:
            await self.shelf.close(time.monotonic())
            self.ended.set()

    async def _agree(self) -> None:
        try:
            while not await self._step():
                await self._news()
            if self._state().is_agreed:
                await self._seal()
        except (TelconError, OSError) as error:
            # The node closes, the line has ended, the disk refuses, or the other side knows no such
            # acts: the record stays as it is, and is not said to be agreed.
            if not self._is_closing:
                self._audit(AuditEvent.RECORD_NOT_AGREED, call=self.call, why=str(error))
        except Exception as defect:  # noqa: BLE001 -- the edge: the recording must go on
            _LOG.exception("the record of call %s", self.call)
            self._audit(AuditEvent.RECORD_NOT_AGREED, call=self.call, why=repr(defect))

    async def _news(self) -> None:
        await self._wake.wait()
        self._wake.clear()
        if self._is_closing and self._recorded.is_set():
            raise LinkDownError("the node is closing")

    def _state(self) -> CallState:
        return self._line.machine.fold.calls[self.call]

    async def _step(self) -> bool:
        """Do what can be done now; say whether both sides state the same record, or have none."""
        while (author := self._next_author()) is not None:
            await self._deal_with(author)
        state = self._state()
        if state.is_agreed and self._recorded.is_set():
            return True
        if self._is_complete(state):
            if state.is_silent:
                return True
            await self._state_record(state)
        return self._state().is_agreed and self._recorded.is_set()

    def _next_author(self) -> str | None:
        """Return a side with a chunk that is not dealt with yet."""
        entries = self._state().chunk_entries
        for author, done in self._done.items():
            waiting = entries.get(author, ())[done:]
            # Our own is in the fold before it is on the disk.
            if waiting and waiting[0] < self._store.stored_log(author).size:
                return author
        return None

    async def _deal_with(self, author: str) -> None:
        """Compare and repair the next chunk of `author`."""
        state = self._state()
        at = self._done[author]
        index = state.chunk_entries[author][at]
        log = self._store.stored_log(author)
        openings = [opening for _, opening in log.openings(index, 1)]
        claims = claims_of(author, log.entries(index, 1)[0], openings)
        stated = state.held.get(self._own)
        if author == self._other and (stated is None or stated.chunks <= at):
            await self._settle(claims)
            tracks = [await self._repair(index, claim) for claim in claims]
            await self._keep(findings=[finding for _, finding in tracks], claims=claims)
            held = drafts.record_held(self.call, (author, index), held_tracks(tracks))
            await self._act(held)
        for claim in claims:
            self._spoken.setdefault(claim.track, Spans()).append(claim.first, claim.last)
        self._done[author] = at + 1

    async def _settle(self, claims: Sequence[Claim]) -> None:
        """Give the network and the disk the time they take; all that came is on the disk then.

        While people talk, what is claimed may still be on its way, or not even have been said: it
        is dealt with once what comes after it has come, or nothing comes any more.
        """
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._recorded.wait(), SETTLE_S)
            self.shelf.flush()
            await self.shelf.wait_kept(time.monotonic())
            if self._recorded.is_set() or self._is_closing:
                return
            if all(self.shelf.bound(claim.track) > claim.last for claim in claims):
                return

    async def _repair(self, chunk: int, claim: Claim) -> tuple[Claim, Finding]:
        """Say what is held of `claim`, after asking for what is not."""
        held = await self.shelf.read(claim.track, claim.first, claim.count)
        self._asking = asking = _Asking(chunk, claim)
        deadline = time.monotonic() + ASK_FOR_S
        try:
            if self.shelf.failure is None:
                left = self._left_of(claim.track)
                lacking = lambda: _without(missing(claim, held), asking, left)  # noqa: E731
                await self._ask(asking, lacking, deadline)
            given = dict(asking.packets)
            finding = await asyncio.to_thread(weigh, claim, held, given)
            if finding is None:
                if self.shelf.failure is None:
                    lacking = lambda: _unknown_leaves(claim, asking)  # noqa: E731 -- as above
                    await self._ask(asking, lacking, deadline, leaves=True)
                leaves = [leaf for _, leaf in sorted(asking.leaves.items())]
                finding = await asyncio.to_thread(weigh_by_leaves, claim, held, given, leaves)
        finally:
            self._asking = None
        return claim, finding

    def _left_of(self, track: Track) -> Spans:
        return self._left.get(track) or self._left.get((track[0], ALL_TRACKS)) or Spans()

    async def _ask(
        self,
        asking: _Asking,
        lacking: Callable[[], Runs],
        deadline: float,
        *,
        leaves: bool = False,
    ) -> None:
        """Ask until nothing lacks, nothing more comes, or the link was up past the deadline."""
        tries, wanted = 0, lacking()
        while wanted and tries < MAX_TRIES:
            if not self._line.is_up:
                began = time.monotonic()
                await self._news()
                deadline += time.monotonic() - began
                continue
            if time.monotonic() > deadline:
                return
            asking.news.clear()
            body = AskSignal(asking.chunk, asking.claim.track[1], leaves, list(wanted[:MAX_RUNS]))
            self._line.signal("record-ask", self.call, format_signal(body))
            if self._is_closing:
                raise LinkDownError("the node is closing")
            try:
                await asyncio.wait_for(asking.news.wait(), ASK_AGAIN_S)
            except TimeoutError:
                tries += 1
                continue
            await asyncio.sleep(GATHER_S)
            asked, wanted = wanted, lacking()
            tries += asked == wanted  # an answer that brings nothing is none

    async def _keep(self, findings: Sequence[Finding], claims: Sequence[Claim]) -> None:
        """Put the repairs on the shelf before anybody is told that they are held."""
        repairs = [
            (claim.track, packet)
            for claim, finding in zip(claims, findings, strict=True)
            for packet in finding.repairs
        ]
        if repairs:
            now = time.monotonic()
            self.shelf.put(repairs, None, now)
            if not await self.shelf.wait_kept(now):
                raise StorageError(f"the record cannot be mended: {self.shelf.failure}")

    def _is_complete(self, state: CallState) -> bool:
        """Say whether nothing more can come: all is over, closed, and dealt with."""
        closed = all(recording.off is not None for recording in state.recordings)
        entries = state.chunk_entries
        dealt = all(len(entries.get(one, ())) == done for one, done in self._done.items())
        return self._recorded.is_set() and state.phase in ENDS and closed and dealt

    async def _state_record(self, state: CallState) -> None:
        """State what is held, from the journal alone: so it is just what can be shown."""
        if self._stated_for == state.chunks:
            return
        tracks = []
        for track in sorted(state.chunks):
            digest, size = await self.shelf.measure_agreed(track, self._spoken[track])
            packets = await self.shelf.count(track, self._spoken[track])
            tracks.append((*track, packets, digest.hex(), size))
        self._stated_for = state.chunks
        stated = state.agreed.get(self._own)
        if tracks and (stated is None or stated[1] != tuple(tracks)):
            await self._act(drafts.record_agreed(self.call, tuple(tracks)))

    async def _seal(self) -> None:
        """Erase this node's key and say so: from now on record-keepers alone open the record.

        A crash between the two: the next start finds an agreed record without a key, and says so.
        """
        if self._keepers and self._own not in self._state().sealed:
            await asyncio.to_thread(self._place.erase_guarded_key)
            await self._act(drafts.record_sealed(self.call, self._keepers))

    async def _act(self, draft: Draft) -> None:
        await self._line.act(draft)


def _without(lacking: Runs, asking: _Asking, left: Spans) -> Runs:
    """Return what is lacking still, after what was given, is gone, or is `left` on purpose."""
    indexes = (index for first, count in lacking for index in range(first, first + count))
    rest = (i for i in indexes if i not in asking.packets and i not in asking.gone)
    return runs(i for i in rest if i not in left)


def _unknown_leaves(claim: Claim, asking: _Asking) -> Runs:
    return runs(i for i in range(claim.first, claim.last + 1) if i not in asking.leaves)

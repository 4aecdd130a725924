"""Brings the record of one call to the same on both sides, chunk by chunk, and says so in the log.

For every chunk that the other side has logged this node compares what it holds, asks the speaker's
node over the link for what did not come, keeps what fits the logged root, and appends
`call.record-held`. When the call is over and every chunk of both sides is dealt with, it appends
`call.record-agreed`: the hash of each track's file. The record is agreed when both sides' say the
same. All that is needed to go on stands in the logs and in the journal, so a restart goes on.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from telcon.core import draft as drafts
from telcon.core.call import CallState
from telcon.core.draft import Draft, HeldTrack, Runs
from telcon.core.entry import MAX_ENTRY_BYTES, RecordChunk, parse_entry_untrusted
from telcon.core.signals import (
    MAX_GIVEN,
    MAX_LEAVES,
    MAX_PACKET_OCTETS,
    MAX_RUNS,
    AskSignal,
    GiveSignal,
    format_signal,
)
from telcon.core.transitions import ENDS
from telcon.errors import LinkDownError, MisuseError, StorageError, TelconError
from telcon.node.audit import AuditEvent
from telcon.node.line import Line
from telcon.node.record.claims import (
    MAX_PACKETS,
    Claim,
    Finding,
    leaves_of,
    missing,
    runs,
    weigh,
    weigh_by_leaves,
)
from telcon.node.record.journal import How, Packet, Track
from telcon.node.record.place import RecordPlace
from telcon.node.record.rendering import Rendering
from telcon.node.record.shelf import Shelf
from telcon.node.store import Store

__all__ = ["Agreement"]

SETTLE_S: Final = 1.5
"""In a live call, for what the network delivers late and what is not on the disk yet."""

ASK_AGAIN_S: Final = 2.0
MAX_TRIES: Final = 5
"""Asks without any answer, with the link up, before a packet counts as absent."""

GIVES_AN_ASK: Final = 4
"""Signals that answer one ask, 64 KiB at most; the rest is asked for again."""

GIVE_OCTETS: Final = 15_000
"""Of packets in one signal, which has 16 KiB."""

PACKET_COST: Final = 24
"""Octets of one packet in a signal besides its payload."""

RUNS_OCTETS: Final = MAX_ENTRY_BYTES - 2_048
"""For the runs of one entry; more are drawn together."""


LEFT_APART: Final = 500
"""Indexes, ten seconds: packets left on purpose that lie closer are one span."""


@dataclass(slots=True)
class _Asking:
    """What was asked for, and what has come of it."""

    chunk: int
    claim: Claim
    packets: dict[int, Packet] = field(default_factory=dict)
    leaves: dict[int, bytes] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    news: asyncio.Event = field(default_factory=asyncio.Event)


class _TrackFiles:
    """One track's two files as they grow: what came by itself, and all that is held."""

    def __init__(self, call: str, track: Track) -> None:
        self.recorded = Rendering(call, track)
        self.whole = Rendering(call, track)
        self.next = 0
        """Index after the last that a chunk claimed."""

    def add(self, packets: Sequence[Packet]) -> None:
        """Add the packets of a chunk, in order."""
        self.recorded.add(packet for packet in packets if packet.how is How.CAME)
        self.whole.add(packets)


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
    ) -> None:
        """Work on `call` of `line` with what is on `shelf`, the record at `place`.

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
        self._done = {self._own: 0, self._other: 0}  # chunks that are in the renderings
        self._files: dict[Track, _TrackFiles] = {}
        self._left: dict[Track, list[tuple[int, int]]] = {}
        # Guards the renderings: one that grows in a thread must not be read for a file meanwhile.
        self._rendering = asyncio.Lock()
        self._asking: _Asking | None = None
        self._asks: asyncio.Queue[AskSignal] = asyncio.Queue(maxsize=1)
        self._is_closing = False
        self._recorded = asyncio.Event()
        self._wake = asyncio.Event()

    # -- what happens outside

    def look(self) -> None:
        """See what there is to do: an entry was held, or the link is up."""
        self._wake.set()

    def recorded(self) -> None:
        """Note that the recording is closed, and its closing is in the log."""
        self._recorded.set()
        self._wake.set()

    def close(self) -> None:
        """End `run` once the recording is closed; the next start of the node goes on."""
        self._is_closing = True
        self._wake.set()

    def take_ask(self, ask: AskSignal) -> None:
        """Take what the other side asks for; while one is being answered, one more waits."""
        if not self._asks.full():
            self._asks.put_nowait(ask)

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
        spans = self._left.setdefault(track, [])
        if spans and abs(index - spans[-1][1]) < LEFT_APART:
            spans[-1] = (min(spans[-1][0], index), max(spans[-1][1], index))
        else:
            spans.append((index, index))

    # -- work

    async def run(self) -> None:
        """Deal with one chunk after the other until both sides state the same record.

        Cancellation: what is in the log stays; the next start goes on.
        """
        try:
            async with asyncio.TaskGroup() as group:
                answering = group.create_task(self._answer())
                await self._agree()
                answering.cancel()
        finally:
            await self.shelf.close(time.monotonic())

    async def _agree(self) -> None:
        try:
            while not await self._step():
                await self._news()
            await self._seal()
        except (TelconError, OSError) as error:
            # The node closes, the line has ended, the disk refuses, or the other side knows no such
            # acts: the record stays as it is, and is not said to be agreed.
            if not self._is_closing:
                self._audit(AuditEvent.RECORD_NOT_AGREED, call=self.call, why=str(error))
            await self._recorded.wait()  # whoever closes the recording still reads it

    async def file_of(self, track: Track) -> tuple[bytes, int]:
        """Return SHA-256 and octets of the file of what came of `track` by itself, up to now.

        A record that could not even be created has none: of no octets.

        Raises:
            StorageError: the journal cannot be read.
        """
        if not self.shelf.is_made:
            return sha256().digest(), 0
        async with self._rendering:
            files = self._files.get(track) or _TrackFiles(self.call, track)
            recorded, begin = files.recorded.copy(), files.next
        bound = self.shelf.bound(track)
        if bound > begin:
            packets = await self.shelf.read(track, begin, bound - begin)
            recorded.add(packet for packet in packets.values() if packet.how is How.CAME)
        recorded.finish()
        return recorded.file.hash.digest(), recorded.file.size

    async def _news(self) -> None:
        await self._wake.wait()
        self._wake.clear()
        if self._is_closing and self._recorded.is_set():
            raise LinkDownError("the node is closing")

    def _state(self) -> CallState:
        return self._line.machine.fold.calls[self.call]

    async def _step(self) -> bool:
        """Do what can be done now; say whether both sides state the same record."""
        while (author := self._next_author()) is not None:
            await self._deal_with(author)
        state = self._state()
        if state.is_agreed and self._recorded.is_set():
            return True
        if self._is_complete(state):
            await self._state_record(state)
        return self._state().is_agreed

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
        """Compare, repair and render the next chunk of `author`."""
        state = self._state()
        at = self._done[author]
        index = state.chunk_entries[author][at]
        claims = self._claims(author, index)
        stated = state.held.get(self._own)
        if author == self._other and (stated is None or stated.chunks <= at):
            await self._settle()
            tracks = [await self._repair(index, claim) for claim in claims]
            await self._keep(findings=[finding for _, finding in tracks], claims=claims)
            held = _fitting([_held_track(claim, finding) for claim, finding in tracks])
            await self._act(drafts.record_held(self.call, (author, index), held))
        for claim in claims:
            await self._render(claim)
        self._done[author] = at + 1

    def _claims(self, author: str, index: int) -> list[Claim]:
        log = self._store.stored_log(author)
        entry = parse_entry_untrusted(log.entries(index, 1)[0])
        if not isinstance(entry, RecordChunk):
            raise MisuseError(f"entry {index} of {author} is no chunk")
        keys = {opening.member: opening.content for _, opening in log.openings(index, 1)}
        key = keys.get("key", b"")
        return [
            Claim((author, number), first, count, bytes.fromhex(root), key)
            for number, first, count, root in entry.tracks
        ]

    async def _settle(self) -> None:
        """In a live call, give the network and the disk the time they take."""
        try:
            await asyncio.wait_for(self._recorded.wait(), SETTLE_S)
        except TimeoutError:
            return

    async def _repair(self, chunk: int, claim: Claim) -> tuple[Claim, Finding]:
        """Say what is held of `claim`, after asking for what is not."""
        held = await self.shelf.read(claim.track, claim.first, min(claim.count, MAX_PACKETS))
        self._asking = asking = _Asking(chunk, claim)
        try:
            if self.shelf.failure is None:
                left = self._left.get(claim.track, ())
                await self._ask(asking, lambda: _without(missing(claim, held), asking, left))
            finding = await asyncio.to_thread(weigh, claim, held, asking.packets)
            if finding is None:
                if not asking.gone and self.shelf.failure is None:
                    await self._ask(asking, lambda: _unknown_leaves(claim, asking), leaves=True)
                leaves = [leaf for _, leaf in sorted(asking.leaves.items())]
                finding = await asyncio.to_thread(
                    weigh_by_leaves, claim, held, asking.packets, leaves
                )
        finally:
            self._asking = None
        return claim, finding

    async def _ask(
        self, asking: _Asking, lacking: Callable[[], Runs], *, leaves: bool = False
    ) -> None:
        """Ask until nothing lacks, or nothing more comes."""
        tries = 0
        while (wanted := lacking()) and tries < MAX_TRIES:
            if not self._line.is_up:
                await self._news()
                continue
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
            if lacking() == wanted:  # an answer that brings nothing is none
                tries += 1

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

    async def _render(self, claim: Claim) -> None:
        files = self._files.setdefault(claim.track, _TrackFiles(self.call, claim.track))
        if claim.count <= MAX_PACKETS:
            packets = await self.shelf.read(claim.track, claim.first, claim.count)
            async with self._rendering:
                await asyncio.to_thread(files.add, list(packets.values()))
                files.next = claim.first + claim.count
        else:
            files.next = claim.first + claim.count

    def _is_complete(self, state: CallState) -> bool:
        """Say whether nothing more can come: the call is over and all recordings are closed."""
        closed = all(recording.off is not None for recording in state.recordings)
        return self._recorded.is_set() and state.phase in ENDS and closed

    async def _state_record(self, state: CallState) -> None:
        tracks = []
        for (origin, number), files in sorted(self._files.items()):
            whole = files.whole.copy()
            whole.finish()
            file = whole.file
            tracks.append((origin, number, file.packets, file.hash.hexdigest(), file.size))
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

    # -- what the other side lacks

    async def _answer(self) -> None:
        """Give what is asked for, one ask after the other."""
        while True:
            ask = await self._asks.get()
            try:
                for give in await self._gives(ask):
                    self._line.signal("record-give", self.call, format_signal(give))
            except TelconError as error:
                self._audit(AuditEvent.RECORD_UNREADABLE, call=self.call, why=str(error))

    async def _gives(self, ask: AskSignal) -> list[GiveSignal]:
        """Return what we have of what is asked for; nothing if we claimed no such chunk."""
        if ask.chunk not in self._state().chunk_entries.get(self._own, ()):
            return []
        claims = [one for one in self._claims(self._own, ask.chunk) if one.track[1] == ask.track]
        if not claims or claims[0].count > MAX_PACKETS:
            return []
        (claim,) = claims
        held = await self.shelf.read(claim.track, claim.first, claim.count)
        wanted = [
            index
            for first, count in ask.runs
            for index in range(max(first, claim.first), min(first + count - 1, claim.last) + 1)
        ]
        if ask.leaves:
            return _leaf_gives(ask, claim, held, wanted)
        return _packet_gives(ask, held, wanted)


def _packet_gives(
    ask: AskSignal, held: Mapping[int, Packet], wanted: Sequence[int]
) -> list[GiveSignal]:
    gone = list(runs(index for index in wanted if index not in held))[:MAX_RUNS]
    gives: list[GiveSignal] = []
    packets: list[tuple[int, int, bytes]] = []
    octets = 0
    for index in wanted:
        packet = held.get(index)
        if packet is None or len(packet.payload) > MAX_PACKET_OCTETS:
            continue
        cost = PACKET_COST + len(packet.payload)
        if octets + cost > GIVE_OCTETS or len(packets) == MAX_GIVEN:
            gives.append(GiveSignal(ask.chunk, ask.track, packets, [], 0, []))
            packets, octets = [], 0
            if len(gives) == GIVES_AN_ASK:
                break
        packets.append((packet.index, packet.timestamp, packet.payload))
        octets += cost
    if packets or gone:
        gives.append(GiveSignal(ask.chunk, ask.track, packets, [], 0, gone))
    return gives


def _leaf_gives(
    ask: AskSignal, claim: Claim, held: Mapping[int, Packet], wanted: Sequence[int]
) -> list[GiveSignal]:
    """Return the leaves from the first that is wanted on; none if we lack a packet."""
    if len(held) != claim.count or not wanted:
        return []
    leaves = leaves_of(claim, held)
    at = wanted[0]
    gives = []
    for _ in range(GIVES_AN_ASK):
        part = leaves[at - claim.first :][:MAX_LEAVES]
        if part:
            gives.append(GiveSignal(ask.chunk, ask.track, [], part, at, []))
        at += len(part)
    return gives


def _without(lacking: Runs, asking: _Asking, left: Sequence[tuple[int, int]]) -> Runs:
    """Return what is lacking still, after what was given, is gone, or is `left` on purpose."""
    indexes = (index for first, count in lacking for index in range(first, first + count))
    rest = (i for i in indexes if i not in asking.packets and i not in asking.gone)
    return runs(i for i in rest if not any(low <= i <= high for low, high in left))


def _unknown_leaves(claim: Claim, asking: _Asking) -> Runs:
    return runs(i for i in range(claim.first, claim.last + 1) if i not in asking.leaves)


def _held_track(claim: Claim, finding: Finding) -> HeldTrack:
    return (
        claim.track[1],
        finding.root.hex(),
        finding.repaired,
        finding.absent,
        finding.differing,
    )


def _fitting(tracks: Sequence[HeldTrack]) -> list[HeldTrack]:
    """Draw runs together until all fit into an entry: they hold all such packets, and more."""
    apart = 1
    fitting = list(tracks)
    while sum(len(str(track)) for track in fitting) > RUNS_OCTETS:
        apart *= 2
        fitting = [_draw_together(track, apart) for track in tracks]
    return fitting


def _draw_together(track: HeldTrack, apart: int) -> HeldTrack:
    number, root, repaired, absent, differing = track
    return (
        number,
        root,
        _drawn_together(repaired, apart),
        _drawn_together(absent, apart),
        _drawn_together(differing, apart),
    )


def _drawn_together(apart_runs: Runs, apart: int) -> Runs:
    found: list[tuple[int, int]] = []
    for first, count in apart_runs:
        if found and first - sum(found[-1]) <= apart:
            found[-1] = (found[-1][0], first + count - found[-1][0])
        else:
            found.append((first, count))
    return tuple(found)

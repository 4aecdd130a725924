"""Gives the other side what it lacks of a record: packets, leaves, its own after a kill."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from telcon.core.signals import (
    MAX_GIVEN,
    MAX_LEAVES,
    MAX_PACKET_OCTETS,
    MAX_RUNS,
    AskSignal,
    GiveSignal,
    ReturnedSignal,
    ReturnSignal,
    format_signal,
)
from telcon.errors import TelconError
from telcon.node.audit import AuditEvent
from telcon.node.line import Line
from telcon.node.record.chunks import Chunk
from telcon.node.record.claims import MAX_RETURNED, Claim, claims_of, leaves_of, runs
from telcon.node.record.packet import Packet
from telcon.node.record.shelf import Shelf
from telcon.node.store import Store

__all__ = ["Giving"]

_LOG = logging.getLogger(__name__)

GIVES_AN_ASK: Final = 4
"""Signals that answer one ask, 64 KiB at most; the rest is asked for again."""

GIVE_OCTETS: Final = 15_000
"""Of packets in one signal, which has 16 KiB."""

FLUSH_EACH_S: Final = 1.0
"""Who asks all the time does not have each packet written and synced by itself."""

HASH_OCTETS: Final = 32

PACKET_COST: Final = 24
"""Octets of one packet in a signal besides its payload."""


class Giving:
    """Answers what the other side asks of one call's record."""

    def __init__(
        self, call: str, line: Line, shelf: Shelf, store: Store, audit: Callable[..., None]
    ) -> None:
        """Give what is on `shelf` and in the chunks that our log in `store` has of `call`."""
        self._call = call
        self._line = line
        self._shelf = shelf
        self._store = store
        self._audit = audit
        self._flushed_at = -FLUSH_EACH_S  # monotonic
        self._leaves: dict[bytes, Mapping[int, bytes]] = {}  # by chunk key, and track number
        self._own = line.identity.own_card.log.name
        self._other = line.identity.peer_card.log.name
        self._asks: asyncio.Queue[AskSignal | ReturnSignal] = asyncio.Queue(maxsize=1)

    def hold(self, chunk: Chunk) -> None:
        """Hold the leaves of a chunk of ours whose packets this node has not kept: 32 octets each.

        They are all that shows the other side which of its packets are what we claim.
        """
        self._leaves[chunk.key] = chunk.leaves

    def take(self, ask: AskSignal | ReturnSignal) -> None:
        """Take what the other side asks for; while one is being answered, one more waits."""
        if not self._asks.full():
            self._asks.put_nowait(ask)

    async def run(self) -> None:
        """Give what is asked for, one ask after the other, until cancelled."""
        while True:
            ask = await self._asks.get()
            try:
                if isinstance(ask, ReturnSignal):
                    for returned in await self._returns(ask):
                        self._line.signal("record-returned", self._call, format_signal(returned))
                    continue
                for give in await self._gives(ask):
                    self._line.signal("record-give", self._call, format_signal(give))
            except TelconError as error:
                self._audit(AuditEvent.RECORD_UNREADABLE, call=self._call, why=str(error))
            except Exception as defect:  # noqa: BLE001 -- the edge: one ask must not end all
                _LOG.exception("the record of call %s", self._call)
                self._audit(AuditEvent.RECORD_UNREADABLE, call=self._call, why=repr(defect))

    async def _gives(self, ask: AskSignal) -> list[GiveSignal]:
        """Return what we have of what is asked for; nothing if we claimed no such chunk."""
        state = self._line.machine.fold.calls[self._call]
        if ask.chunk not in state.chunk_entries.get(self._own, ()):
            return []
        log = self._store.stored_log(self._own)
        if ask.chunk >= log.size:
            return []  # it is composed, and not on the disk yet
        entry, openings = log.entries(ask.chunk, 1)[0], log.openings(ask.chunk, 1)
        all_claims = claims_of(self._own, entry, [opening for _, opening in openings])
        claims = [one for one in all_claims if one.track[1] == ask.track]
        if not claims:
            return []
        (claim,) = claims
        held = await self._shelf.read(claim.track, claim.first, claim.count)
        wanted = [
            index
            for first, count in ask.runs
            for index in range(max(first, claim.first), min(first + count - 1, claim.last) + 1)
        ]
        if ask.leaves:
            kept = self._leaves.get(claim.key, {}).get(ask.track, b"")
            return await asyncio.to_thread(_leaf_gives, ask, claim, held, kept, wanted)
        return await asyncio.to_thread(_packet_gives, ask, held, wanted)

    async def _returns(self, ask: ReturnSignal) -> list[ReturnedSignal]:
        """Return what we hold of a track of the other side from some index on, without a hole."""
        now = time.monotonic()
        if now - self._flushed_at >= FLUSH_EACH_S:
            self._flushed_at = now
            self._shelf.flush()
            await self._shelf.wait_kept(now)
        held = await self._shelf.read((self._other, ask.track), ask.first, MAX_RETURNED)
        packets: list[tuple[int, int, bytes]] = []
        returns: list[ReturnedSignal] = []
        octets = 0
        while (packet := held.get(ask.first + len(packets) + _counted(returns))) is not None:
            cost = PACKET_COST + len(packet.payload)
            if len(packet.payload) > MAX_PACKET_OCTETS:
                break
            if octets + cost > GIVE_OCTETS or len(packets) == MAX_GIVEN:
                returns.append(ReturnedSignal(ask.track, ask.first, packets, False))
                packets, octets = [], 0
            packets.append((packet.index, packet.timestamp, packet.payload))
            octets += cost
        return [*returns, ReturnedSignal(ask.track, ask.first, packets, True)]


def _counted(returns: Sequence[ReturnedSignal]) -> int:
    return sum(len(one.packets) for one in returns)


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
    ask: AskSignal,
    claim: Claim,
    held: Mapping[int, Packet],
    kept: bytes,
    wanted: Sequence[int],
) -> list[GiveSignal]:
    """Return the leaves from the first that is wanted on, those that were `kept` if any were.

    None if we lack a packet otherwise.
    """
    if not wanted:
        return []
    if kept:
        leaves = [kept[at : at + HASH_OCTETS] for at in range(0, len(kept), HASH_OCTETS)]
    elif len(held) == claim.count:
        leaves = leaves_of(claim, held)
    else:
        return []
    at = wanted[0]
    gives = []
    for _ in range(GIVES_AN_ASK):
        part = leaves[at - claim.first :][:MAX_LEAVES]
        if part:
            gives.append(GiveSignal(ask.chunk, ask.track, [], part, at, []))
        at += len(part)
    return gives

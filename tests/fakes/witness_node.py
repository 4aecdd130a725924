"""A witness of our own on loopback, and a line's logs put into a store, for it to witness."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from fakes.disk import a_line, commit_line
from fakes.signed_line import Node, SignedLine
from telcon.core.stored import Commit, LogGrowth, Marker, Note
from telcon.ledger import format_key_card, format_vkey, root_at
from telcon.ledger.witness import Answer
from telcon.node.public import PublicAnswers, PublicListener
from telcon.node.store import LineRecord, Store
from telcon.node.witnessing import Witnessing

LOOPBACK = "127.0.0.1"


class WitnessNode:
    """As much of a node as witnesses: a folder, a key, a listener."""

    def __init__(self, folder: Path, name: str = "corelia.example") -> None:
        self.name = name
        self.store = Store.open(folder)
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.witnessing = Witnessing(
            folder,
            name,
            self.store,
            audit=lambda event, **fields: self.events.append((event, fields)),
        )
        self.asked: list[tuple[str, str, bytes]] = []
        self.answers = PublicAnswers(self.store, self.witnessing, lambda: None)
        self.instead: Answer | None = None
        """What is answered to every request, if it is no honest witness."""
        self.holding: asyncio.Event | None = None
        """Until it is set nothing is answered."""
        self.port = 0
        self._listener: PublicListener | None = None

    async def _answer(self, method: str, path: str, body: bytes) -> Answer:
        self.asked.append((method, path, body))
        if self.holding is not None:
            await self.holding.wait()
        return self.instead or await self.answers(method, path, body)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/witness"

    @property
    def vkey(self) -> str:
        return format_vkey(self.witnessing.vkey)

    async def start(self) -> None:
        self._listener = PublicListener(self._answer, on_full=lambda: None)
        await self._listener.start(LOOPBACK, self.port)
        self.port = self._listener.port

    async def stop(self) -> None:
        if self._listener is not None:
            await self._listener.close()
            self._listener = None

    async def close(self) -> None:
        await self.stop()
        await self.store.close()


def record_of(line: SignedLine, own: Node) -> LineRecord:
    """Return the line as the store of `own` has it."""
    values = {name: getattr(a_line(), name) for name in LineRecord.__dataclass_fields__}
    peer = line.other(own)
    values |= {
        "line": own.card.line,
        "own_name": own.name,
        "peer_name": peer.name,
        "own_card": format_key_card(own.card),
        "peer_card": format_key_card(peer.card),
    }
    return LineRecord(**values)


async def store_line(store: Store, line: SignedLine, own: Node) -> LineRecord:
    """Put all that was written on `line` so far into the store of `own`."""
    record = record_of(line, own)
    if record.line not in [one.line for one in store.lines()]:
        await store.add_line(record)
    for node in (own, line.other(own)):
        log = node.log
        first = store.stored_log(log.origin).size
        rows = log.rows[first:]
        openings = tuple(log.openings(first, log.size - first))
        growth = LogGrowth(
            log.origin,
            first,
            tuple(row[0] for row in rows),
            tuple(row[1] for row in rows),
            openings,
        )
        notes: tuple[Note, ...] = tuple(n for size, n in log.notes.items() if size > first)
        marker = Marker(log.size, root_at(log.size, log.hash)) if node is own else None
        grown = (growth,) if rows else ()
        await commit_line(store, record.line, Commit(grown, notes, (), marker))
    return record

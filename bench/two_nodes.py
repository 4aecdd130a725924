"""Two paired nodes: the far one a process of its own, the near one inside the bench.

Both are what `telcon node run` starts. Being inside, a bench sees the moment at which its node has
verified something, and not the moment at which a client hears of it.
"""

import asyncio
import contextlib
import os
import sqlite3
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from demo.nodes import ARCADIA, BOREALIS, DemoNode, pair
from demo.ports import FIRST, free_ports
from telcon.cli.running import leave_what_stays
from telcon.ledger import format_key_card, parse_key_card
from telcon.node.assembly import Node
from telcon.node.desk import LineDesk, PrincipalDesk
from telcon.node.store.engine import DATABASE

__all__ = ["Looker", "TwoNodes", "paired_nodes", "two_nodes"]

DEVICE = "0" * 32
PORTS_A_RUN = 64


@dataclass(slots=True)
class Looker:
    """A page of the near node that looks, each time that something has changed."""

    desk: PrincipalDesk
    line: LineDesk
    _unsigned: deque[tuple[int, asyncio.Future[float]]] = field(default_factory=deque)
    _wanted: list[tuple[Callable[[], bool], asyncio.Future[float]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.desk.subscribe(DEVICE, self._look, _ignore)

    async def when(self, holds: Callable[[], bool]) -> float:
        """Return the moment (`time.perf_counter`) at which `holds` first does."""
        if holds():
            return time.perf_counter()
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._wanted.append((holds, future))
        return await future

    async def signed(self, index: int) -> float:
        """Return the moment at which our entry `index` is countersigned; ask in their order."""
        if index < self.line.line.machine.cosigned_by_peer:
            return time.perf_counter()
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._unsigned.append((index, future))
        return await future

    def _look(self) -> None:
        moment = time.perf_counter()
        size = self.line.line.machine.cosigned_by_peer
        while self._unsigned and self._unsigned[0][0] < size:
            self._unsigned.popleft()[1].set_result(moment)
        for wanted in [wanted for wanted in self._wanted if wanted[0]()]:
            self._wanted.remove(wanted)
            wanted[1].set_result(moment)


def _ignore(_: Mapping[str, Any]) -> None:
    pass


@dataclass(frozen=True, slots=True)
class TwoNodes:
    """What a bench works with."""

    folder: Path
    near: Node
    line: LineDesk
    """The near node's side of the line."""
    looker: Looker
    far: DemoNode


@contextmanager
def paired_nodes(
    folder: Path, kind: type[DemoNode] = DemoNode
) -> Iterator[tuple[DemoNode, DemoNode]]:
    """Start both nodes as processes of `kind`, paired; they are killed in the end."""
    ports = free_ports(8, first=FIRST + PORTS_A_RUN * (os.getpid() % 100))
    nodes = kind(ARCADIA, folder / "arcadia"), kind(BOREALIS, folder / "borealis")
    try:
        for number, node in enumerate(nodes):
            node.set_up(ports[4 * number : 4 * number + 4])
            node.start()
        pair(*nodes, folder / "invitation")
        yield nodes
    finally:
        for node in nodes:
            node.kill()


def bring_back_first_cards(folder: Path) -> None:
    """Make the lines of a node that does not run what they were before ML-DSA-44."""
    with contextlib.closing(sqlite3.connect(folder / DATABASE)) as connection, connection:
        lines = connection.execute("SELECT line, own_card, peer_card FROM line").fetchall()
        for line, *cards in lines:
            first = [
                format_key_card(replace(parse_key_card(card), log_ml_dsa=None, mirror_ml_dsa=None))
                for card in cards
            ]
            connection.execute(
                "UPDATE line SET own_card = ?, peer_card = ?, log_ml_dsa_seed = NULL,"
                " mirror_ml_dsa_seed = NULL WHERE line = ?",
                (*first, line),
            )


@asynccontextmanager
async def two_nodes(*, ml_dsa: bool = True) -> AsyncIterator[TwoNodes]:
    """Start two nodes, pair them, take the near one in, and wait until the line is up.

    Without `ml_dsa` theirs is a line of key cards of version 1.
    """
    with tempfile.TemporaryDirectory(prefix="telcon-bench-") as place:
        folder = Path(place)
        with paired_nodes(folder) as (arcadia, far):
            arcadia.stop()
            if not ml_dsa:
                far.stop()
                for node in (arcadia, far):
                    bring_back_first_cards(node.folder)
                far.start()
            near = await Node.start(arcadia.folder)
            try:
                (line,) = near.desk.lines()
                looker = Looker(near.desk, line)
                await looker.when(lambda: line.line.is_up)
                leave_what_stays()
                yield TwoNodes(folder, near, line, looker, far)
            finally:
                await near.close()

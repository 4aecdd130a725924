"""Keeps one pair of nodes, with people and a page, for all rows of a file of tests."""

import asyncio
import re
from pathlib import Path

from browser.cdp import Browser
from faults.pair import FaultyNode, Pair, open_pair, paired_nodes
from faults.row import Row, spoken


class Keeper:
    """Keeps one pair for all rows; a row that fails takes it along."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._browser = Browser()
        self._runner = asyncio.Runner()
        self._nodes: tuple[FaultyNode, ...] = ()
        self._pair: Pair | None = None
        self._pairs = 0

    def run(self, row: Row) -> None:
        """Go through a row."""
        try:
            self._runner.run(self._go_through(row))
        except BaseException:
            self.drop()
            raise

    async def _go_through(self, row: Row) -> None:
        if self._pair is None:
            self._pairs += 1
            nodes = await asyncio.to_thread(paired_nodes, self._folder / str(self._pairs))
            self._nodes = nodes
            self._pair = await open_pair(nodes, self._browser)
        await go_through(row, self._pair)

    def drop(self) -> None:
        """End both nodes, whatever they are at."""
        if self._pair is not None:
            self._runner.run(self._pair.close())
            self._pair.page.close()
        for node in self._nodes:
            node.kill()
        self._pair, self._nodes = None, ()

    def close(self) -> None:
        """End everything."""
        self.drop()
        self._runner.close()
        self._browser.close()


async def go_through(row: Row, pair: Pair) -> None:
    await pair.use(row.through)
    pair.mark()
    if row.words:
        await pair.look_at_line()
    async with row.fault(pair):
        for key in row.words:
            await pair.reads(spoken(key))
    if row.said:
        assert re.search(row.said, pair.said, re.DOTALL), pair.said
    if row.event is not None:
        await pair.audits(row.event)
    if pair.watched is pair.arcadia:
        await pair.well()

"""Every fault that a node has to live with, made for real, one row each.

Two nodes run as processes, two people are signed in, and Arcadia's page is open in Chromium. A row
makes its fault and ends it. Tested of each: the words a person reads, the event in the audit file,
that nothing acknowledged is lost and nothing half-written, and that all is well afterwards.
"""

import asyncio
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser.cdp import Browser
from faults import clocks, disk, links, people, resources, starting
from faults.pair import FaultyNode, Pair, open_pair, paired_nodes
from faults.row import Row, spoken

pytestmark = [
    pytest.mark.browser,
    pytest.mark.process,
    pytest.mark.timeout(180),
    # Sockets to a node that was ended are closed by the kernel, some of them while nobody looks.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ROWS: list[Row] = [
    *starting.ROWS,
    *people.ROWS,
    *links.ROWS,
    *resources.ROWS,
    *disk.ROWS,
    *clocks.ROWS,
]


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


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    folder = tmp_path_factory.mktemp("faults")
    keeper = Keeper(folder)
    try:
        yield keeper
    finally:
        keeper.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_fault_is_said_audited_survived_and_over_when_it_ends(row: Row, keeper: Keeper) -> None:
    keeper.run(row)


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

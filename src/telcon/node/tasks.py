"""Tasks that somebody owns: none is lost, none dies unheard, all are over when their owner ends."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

__all__ = ["Tasks"]

_LOG = logging.getLogger(__name__)


class Tasks:
    """The tasks of one owner."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work`; an error ends that task alone, and is logged."""
        task = asyncio.get_running_loop().create_task(_guarded(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def wait(self, timeout_s: float | None = None) -> None:
        """Wait until all are over, at most `timeout_s`."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_s)

    async def cancel(self) -> None:
        """End all that still run, and wait for it."""
        for task in self._running:
            task.cancel()
        await self.wait()


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:  # noqa: BLE001 -- the edge of a task: one must not take the others down
        _LOG.exception("a task of the node failed")

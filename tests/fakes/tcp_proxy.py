"""A bad network for TCP: connections that fall silent without a word, and a path that is gone."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Self

MOST_OCTETS = 65_536

Place = tuple[str, int]


class TcpProxy:
    """Carries connections from `listen` to `target` within the test's own loop."""

    def __init__(self, listen: Place, target: Place) -> None:
        self.carried = 0
        """Connections that anything was carried on."""
        self._listen, self._target = listen, target
        self._server: asyncio.Server | None = None
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._carry, *self._listen)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.die()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Carry nothing any more, and tell nobody; connections stay half-open."""
        self._open.clear()

    def mend(self) -> None:
        """Carry what waited, and what comes."""
        self._open.set()

    def die(self) -> None:
        """Be gone: what stands falls silent, and no new connection comes about."""
        self.cut()
        if self._server is not None:
            self._server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            pumps = [
                asyncio.create_task(self._pump(reader, far_writer)),
                asyncio.create_task(self._pump(far_reader, writer)),
            ]
            try:
                await asyncio.gather(*pumps)
            finally:
                for pump in pumps:
                    pump.cancel()
                far_writer.transport.abort()
        writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carried = False
        while data := await reader.read(MOST_OCTETS):
            await self._open.wait()
            self.carried += not carried
            carried = True
            writer.write(data)
            await writer.drain()
        writer.write_eof()

"""One line of this node at run time: the machine, its store and its link, kept turning.

The machine (`telcon.core.machine`) decides; this module carries out what it decides and nothing
else: writes its commits, sends its frames, keeps its deadlines, and hands its events to those who
asked for them. It knows nothing of calls; `telcon.node.switchboard` does.
"""

import asyncio
import os
import time
from collections.abc import Callable

from telcon.core.draft import Draft
from telcon.core.events import (
    ActDropped,
    EntryHeld,
    Event,
    LineBroken,
    LineDown,
    LineIdentity,
    LineUp,
    Now,
    PeerMisbehaved,
    Ticket,
)
from telcon.core.machine import LineMachine
from telcon.core.stored import Marker
from telcon.errors import IllegalActError, LinkDownError, StorageError
from telcon.node.store import Store

__all__ = ["Line", "now"]

MAX_FRAMES_PER_TURN = 64  # so that a flood from the peer never starves the media on the same loop


def now() -> Now:
    """Return the wall clock (µs, UTC) and the monotonic clock (s), read together."""
    return Now(utc_us=time.time_ns() // 1_000, monotonic_s=time.monotonic())


class Line:
    """A line that runs: acts go in by `act`, events come out to the listeners.

    Everything happens on the loop's thread. `run` owns the commits; call `close` to end it.
    """

    def __init__(
        self,
        identity: LineIdentity,
        store: Store,
        marker: Marker | None,
        *,
        on_event: Callable[[Event], None],
        on_storage: Callable[[StorageError | None], None],
    ) -> None:
        """Replay both logs of `identity.line` from `store`; `marker` is what was last signed.

        `on_storage` hears when the disk refuses, and None when it takes what waited after all.
        """
        self.identity = identity
        self.machine = LineMachine(
            identity,
            store.stored_log(identity.own_card.log.name),
            store.stored_log(identity.peer_card.log.name),
            marker,
            os.urandom,
            now(),
            evidence=store.evidence(identity.line),
        )
        self.up_since_us: int | None = None
        self.down_since_us = now().utc_us
        self._store = store
        self._on_event = on_event
        self._on_storage = on_storage
        self._is_refused = False
        self._send: Callable[[bytes], None] | None = None
        self._close_link: Callable[[str], None] | None = None
        self._waiting: dict[Ticket, asyncio.Future[EntryHeld]] = {}
        self._work = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False

    # -- acts

    async def act(self, draft: Draft) -> EntryHeld:
        """Append `draft` as an act of a call and wait until it is durable here.

        Raises:
            IllegalActError: the fold would void it; nothing was written.
            LinkDownError: the line may not sign yet, or was closed before the act was durable.

        Cancellation: the act stays appended; only the wait ends.
        """
        return await self._wait(self.machine.append(draft, now()))

    async def act_bulk(self, draft: Draft) -> EntryHeld:
        """Append `draft` behind all acts of calls (messages, blanks) and wait until it is durable.

        Raises:
            BusyError: too much is waiting already.
            LinkDownError: the line may not sign yet, or was closed before the act was durable.

        Cancellation: the act stays appended; only the wait ends.
        """
        return await self._wait(self.machine.append_bulk(draft, now()))

    def signal(self, kind: str, call: str, body: bytes) -> None:
        """Send an unlogged signal if the link is up; lost otherwise, as signals may be."""
        self.machine.signal(kind, call, body, now())
        self._turn()

    # -- the link's side; see telcon.node.link

    def link_up(self, send: Callable[[bytes], None], close: Callable[[str], None]) -> None:
        """Take a connection that stands: frames go out by `send`; `close` ends it with words."""
        self._send, self._close_link = send, close
        self.machine.link_up(now())
        self._turn()

    def link_frame(self, data: bytes) -> None:
        """Take one frame from the peer; every byte of it is unverified."""
        self.machine.receive_frame(data, now())
        self._turn()

    def link_down(self, reason: str) -> None:
        """Take the end of the connection; `reason` is for the log, the machine needs none."""
        del reason
        self._send = self._close_link = None
        self.machine.link_down(now())
        self._turn()

    # -- life

    async def run(self) -> None:
        """Write commits until `close`; one at a time, what arrives meanwhile goes into the next."""
        while True:
            commit = self.machine.take_commit(now())
            if commit is None and self._ended:
                return
            if commit is None:
                self._work.clear()
                await self._work.wait()
                continue
            try:
                await self._store.commit_line(self.identity.line, commit)
            except StorageError as error:
                self.machine.commit_failed(commit, now())  # offered again after a second
                self._is_refused = True
                self._on_storage(error)
            else:
                self.machine.committed(commit, now())
                if self._is_refused:
                    self._is_refused = False
                    self._on_storage(None)
            self._turn()

    def close(self) -> None:
        """End `run` once nothing waits to be written; waiting acts get `LinkDownError`."""
        self._ended = True
        self.machine.close(now())
        if self._timer is not None:
            self._timer.cancel()
        self._work.set()
        self._fail_waiting(LinkDownError("the node is closing"))

    # -- turning

    async def _wait(self, ticket: Ticket) -> EntryHeld:
        future: asyncio.Future[EntryHeld] = asyncio.get_running_loop().create_future()
        self._waiting[ticket] = future
        self._turn()
        try:
            return await future
        finally:
            self._waiting.pop(ticket, None)

    def _turn(self) -> None:
        """Send what is to be sent, hand out events, wake the writer, set the next deadline."""
        self._send_frames()
        while (event := self.machine.next_event()) is not None:
            self._dispatch(event)
        self._work.set()
        self._arm()

    def _send_frames(self) -> None:
        for frame in self.machine.frames_to_send():
            if self._send is not None:
                self._send(frame)

    def _dispatch(self, event: Event) -> None:
        match event:
            case EntryHeld(ticket=ticket) if ticket is not None and ticket in self._waiting:
                future = self._waiting.pop(ticket)
                if not future.done():
                    future.set_result(event)
            case ActDropped(ticket=ticket, void=void) if ticket in self._waiting:
                future = self._waiting.pop(ticket)
                if not future.done():
                    future.set_exception(IllegalActError("the act", void.value))
            case LineBroken(reason=reason):
                self._fail_waiting(LinkDownError(f"this line has ended: {reason}"))
            case LineUp():
                self.up_since_us = now().utc_us
            case LineDown():
                self.up_since_us, self.down_since_us = None, now().utc_us
            case PeerMisbehaved(reason=reason, close=True) if self._close_link is not None:
                self._close_link(reason)
        self._on_event(event)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.machine.next_deadline()
        if deadline is not None and not self._ended:
            delay = max(0.0, deadline - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._deadline)

    def _deadline(self) -> None:
        self._timer = None
        self.machine.handle_deadline(now())
        self._turn()

    def _fail_waiting(self, error: Exception) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()

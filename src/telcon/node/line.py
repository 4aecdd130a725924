"""One line of this node at run time: the machine, its store and its link, kept turning.

The machine (`telcon.core.machine`) decides; this module carries out what it decides and nothing
else: writes its commits, sends its frames, keeps its deadlines, and hands its events to those who
asked for them. It knows nothing of calls; `telcon.node.calls` does.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from functools import partial

from telcon.core.draft import Draft
from telcon.core.events import (
    ActDropped,
    Cosigned,
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
from telcon.core.machine import RETRY_S, LineMachine
from telcon.core.stored import Commit, Marker
from telcon.errors import IllegalActError, LinkDownError, StorageError
from telcon.node.store import Store

__all__ = ["Line", "now"]

EVENTS_A_TURN = 64  # a peer may push thousands at once, and media is waiting on the same loop

_LOG = logging.getLogger(__name__)


def now() -> Now:
    """Return the wall clock (µs, UTC) and the monotonic clock (s), read together."""
    return Now(utc_us=time.time_ns() // 1_000, monotonic_s=time.monotonic())


class Line:
    """A line that runs: acts go in by `act`, events come out to the listeners.

    Everything happens on the loop's thread. A commit begins in the call that makes it needed, and
    the next when it is done; `run` returns after the last, once `close` was called.
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
        self._refused = ""
        self._send: Callable[[bytes], None] | None = None
        self._close_link: Callable[[str], None] | None = None
        self._waiting: dict[Ticket, asyncio.Future[EntryHeld]] = {}
        self._is_writing = False
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._held_changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._is_turning = False
        self._turning: asyncio.Handle | None = None
        self._ended = False

    @property
    def is_up(self) -> bool:
        """Whether the other node hears us, and both sides have stated their terms."""
        return self.up_since_us is not None and self.machine.fold.is_stated

    # -- acts

    async def act(self, draft: Draft) -> EntryHeld:
        """Append `draft` as an act of a call and wait until it is durable here.

        Raises:
            IllegalActError: the fold would void it; nothing was written.
            LinkDownError: the line may not sign yet, or was closed before the act was durable.
            BusyError: the disk does not keep up.

        Cancellation: the act stays appended; only the wait ends.
        """
        self._require_open()
        return await self._wait(self.machine.append(draft, now()))

    def post(self, draft: Draft) -> Ticket:
        """Append `draft` as an act that nobody waits for; its `EntryHeld` bears the ticket.

        Raises:
            IllegalActError: the fold would void it; nothing was written.
            LinkDownError: the line may not sign yet, or is closed.
            BusyError: the disk does not keep up.
        """
        self._require_open()
        ticket = self.machine.append(draft, now())
        self._turn_soon()
        return ticket

    async def act_bulk(self, draft: Draft) -> EntryHeld:
        """Append `draft` behind all acts of calls (messages, blanks) and wait until it is durable.

        Raises:
            BusyError: too much is waiting already.
            LinkDownError: the line may not sign yet, or was closed before the act was durable.

        Cancellation: the act stays appended; only the wait ends.
        """
        self._require_open()
        return await self._wait(self.machine.append_bulk(draft, now()))

    def _require_open(self) -> None:
        if self._ended:
            raise LinkDownError("the node is closing")

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
        """Wait until `close` was called and nothing is left to be written.

        Raises:
            Others: a defect stopped the line; nothing more is written.
        """
        await asyncio.shield(self._done)

    def _write(self) -> None:
        """Begin the next commit if there is one; what arrives while it runs goes into another."""
        if self._done.done():
            return
        with self._stopped_by_defects():
            commit = self.machine.take_commit(now())
            if commit is not None:
                self._is_writing = True
                self._store.commit_line(self.identity.line, commit, partial(self._written, commit))
            elif self._ended and not self._is_writing:
                self._done.set_result(None)

    def _written(self, commit: Commit, error: BaseException | None) -> None:
        self._is_writing = False
        with self._stopped_by_defects():
            self._take_outcome(commit, error)
            self._send_frames()  # the peer waits for what may be signed now
            self._turn()

    def _take_outcome(self, commit: Commit, error: BaseException | None) -> None:
        if error is None:
            self.machine.committed(commit, now())
            self._held_changed.set()
            self._tell_storage(None)
        elif isinstance(error, StorageError):
            self.machine.commit_failed(commit, now())  # offered again after a second
            self._tell_storage(error)
        else:
            raise error

    def _tell_storage(self, error: StorageError | None) -> None:
        """Say once that the disk refuses, and once that it does not any more."""
        refused = "" if error is None else str(error)
        if refused != self._refused:
            self._refused = refused
            self._on_storage(error)

    @contextlib.contextmanager
    def _stopped_by_defects(self) -> Iterator[None]:
        """Let `run` raise what goes wrong: this line stops, and the node does not.

        What the disk refuses to let be read is no defect: the same is tried again after a second.
        """
        try:
            yield
        except StorageError as error:
            self._tell_storage(error)
            if not self._ended:
                asyncio.get_running_loop().call_later(RETRY_S, self._turn_again)
            elif not self._is_writing and not self._done.done():
                self._done.set_result(None)
        except Exception as defect:  # noqa: BLE001 -- the edge: `run` raises it
            if self._done.done():
                _LOG.exception("line %s, which has stopped", self.identity.line)
            else:
                self._done.set_exception(defect)

    def _turn_again(self) -> None:
        with self._stopped_by_defects():
            self._turn()
            self._tell_storage(None)

    async def wait_cosigned(self, timeout_s: float) -> None:
        """Wait until the other node has signed all we wrote; not long, and only if it hears us."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.is_up and self.machine.waiting:
                    self._held_changed.clear()
                    await self._held_changed.wait()

    async def wait_held(self, index: int, timeout_s: float) -> bool:
        """Wait until the store has the other node's signature that it holds our entry `index`.

        As long as the other node hears us; what it has signed is stored within a second.

        Returns:
            Whether it has.
        """
        machine = self.machine
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while machine.cosigned_stored <= index and (
                    self.is_up or machine.cosigned_by_peer > index
                ):
                    self._held_changed.clear()
                    await self._held_changed.wait()
        return machine.cosigned_stored > index

    def close(self) -> None:
        """End `run` once nothing waits to be written; waiting acts get `LinkDownError`.

        A disk that refuses is not waited for: what it did not take was not acknowledged either.
        """
        self._ended = True
        self.machine.close(now())
        if self._timer is not None:
            self._timer.cancel()
        self._fail_waiting(LinkDownError("the node is closing"))
        self._turn_now()

    # -- turning

    async def _wait(self, ticket: Ticket) -> EntryHeld:
        future: asyncio.Future[EntryHeld] = asyncio.get_running_loop().create_future()
        self._waiting[ticket] = future
        self._turn_soon()
        try:
            return await future
        finally:
            self._waiting.pop(ticket, None)

    def _turn_soon(self) -> None:
        """Turn once for all acts that this turn of the loop brings: they share a commit."""
        if self._turning is None:
            self._turning = asyncio.get_running_loop().call_soon(self._turn_now)

    def _turn_now(self) -> None:
        self._turning = None
        with self._stopped_by_defects():
            self._turn()

    def _turn(self) -> None:
        """Do what is due: write, send, hand out events, set the next deadline."""
        self._write()
        self._tell()

    def _tell(self) -> None:
        if self._is_turning:
            return  # whoever handles an event may act; the turn under way goes on with it
        self._is_turning = True
        try:
            self._send_frames()
            if self._hand_out():
                self._send_frames()  # what the events have led to
        finally:
            self._is_turning = False
        self._arm()

    def _hand_out(self) -> int:
        """Hand out events, so many at once; return how many."""
        handed = 0
        while (event := self.machine.next_event()) is not None:
            self._dispatch(event)
            handed += 1
            if handed == EVENTS_A_TURN and not self._ended:
                self._turn_soon()
                break
        return handed

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
            case Cosigned():
                self._held_changed.set()
            case LineDown():
                self._held_changed.set()
                self.up_since_us, self.down_since_us = None, now().utc_us
            case PeerMisbehaved(reason=reason, close=True) if self._close_link is not None:
                self._close_link(reason)
        try:
            self._on_event(event)
        except Exception:  # noqa: BLE001 -- the edge: a defect above must not cut link or log
            _LOG.exception("an event of line %s was not handled to its end", self.identity.line)

    def _arm(self) -> None:
        """See to it that the deadline is looked at: too early does no harm, to move it costs."""
        deadline = self.machine.next_deadline()
        if deadline is None or self._ended:
            return
        if self._timer is not None:
            if self._timer.when() <= deadline:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(deadline, self._deadline)

    def _deadline(self) -> None:
        self._timer = None
        with self._stopped_by_defects():  # what is to be signed may have to be read
            self.machine.handle_deadline(now())
        self._turn_now()

    def _fail_waiting(self, error: Exception) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()

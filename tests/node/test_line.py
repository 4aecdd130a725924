"""One line at run time, beside its other end in memory: acts in, events out, a failing disk."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from fakes.joined import ARCADIA, BOREALIS, identity_of, message, opening_acts, ring
from fakes.memory_log import MemoryLog, MemoryStore
from telcon.core import draft as drafts
from telcon.core.events import EntryHeld, Event, LineDown, LineUp, Now, SignalReceived
from telcon.core.seal import Text
from telcon.core.stored import Commit
from telcon.errors import (
    IllegalActError,
    LinkDownError,
    MisuseError,
    StorageError,
    TelconError,
)
from telcon.node.line import Line, now
from telcon.node.store import Store


class FakeStore:
    """A store in memory; `refusal` is what its disk says, `is_open` lets commits through."""

    def __init__(self, own: str, theirs: str) -> None:
        self.memory = MemoryStore(own, theirs)
        self.refusal: TelconError | None = None
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.commits = 0

    def stored_log(self, origin: str) -> MemoryLog:
        return next(log for log in (self.memory.own, self.memory.theirs) if log.origin == origin)

    def evidence(self, line: str) -> list[tuple[bytes, bytes]]:
        return []

    def commit_line(
        self, line: str, commit: Commit, done: Callable[[BaseException | None], None]
    ) -> None:
        self.commit = asyncio.create_task(self._commit(commit, done))

    async def _commit(self, commit: Commit, done: Callable[[BaseException | None], None]) -> None:
        await self.is_open.wait()
        if self.refusal is None:
            self.commits += 1
            self.memory.commit(commit)
            self.memory.mark(commit)
        done(self.refusal)


class End:
    """One end of the line, with what it told."""

    def __init__(self, name: str) -> None:
        identity = identity_of(name)
        own, peer = identity.own_card.log.name, identity.peer_card.log.name
        self.store = FakeStore(own, peer)
        self.events: list[Event] = []
        self.storage: list[StorageError | None] = []
        self.on_event: Callable[[Event], None] = lambda event: None
        self.line = Line(
            identity,
            cast("Store", self.store),
            self.store.memory.marker,
            on_event=self._take,
            on_storage=self.storage.append,
        )

    def _take(self, event: Event) -> None:
        self.events.append(event)
        self.on_event(event)

    def told(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


class Joined:
    """Both ends; frames go over as soon as the loop turns."""

    def __init__(self) -> None:
        self.ends = (End(ARCADIA), End(BOREALIS))
        self.closed: list[str] = []
        self._connection = 0

    def connect(self) -> None:
        self._connection += 1
        number = self._connection
        loop = asyncio.get_running_loop()
        for end, other in (self.ends, reversed(self.ends)):

            def send(data: bytes, other: End = other) -> None:
                loop.call_soon(self._deliver, number, other, data)

            end.line.link_up(send, self.closed.append)

    def disconnect(self) -> None:
        self._connection += 1
        for end in self.ends:
            end.line.link_down("cut")

    def _deliver(self, number: int, end: End, data: bytes) -> None:
        if number == self._connection:
            end.line.link_frame(data)


def on_line(
    test: Callable[[Joined], Coroutine[Any, Any, None]],
) -> Callable[[], None]:
    """Run a test on an open line that is up."""

    async def run() -> None:
        joined = Joined()
        running = [asyncio.create_task(end.line.run()) for end in joined.ends]
        joined.connect()
        for end in joined.ends:
            for act in opening_acts():
                await end.line.act(act)
        await until(lambda: all(end.line.is_up for end in joined.ends))
        await test(joined)
        for end in joined.ends:
            end.line.close()
        await asyncio.wait(running)
        for task in running:
            task.result()

    def wrapped() -> None:
        asyncio.run(asyncio.wait_for(run(), 20))

    wrapped.__name__ = test.__name__
    return wrapped


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 -- a few turns of the loop
        await asyncio.sleep(0)


@on_line
async def test_an_act_returns_once_it_is_durable_and_the_other_end_is_told(joined: Joined) -> None:
    near, far = joined.ends
    held = await near.line.act(ring())
    assert held.index < near.store.memory.own.size
    await until(lambda: any(held.index == e.index and e.origin == held.origin for e in helds(far)))


def helds(end: End) -> list[EntryHeld]:
    return [event for event in end.events if isinstance(event, EntryHeld)]


@on_line
async def test_an_act_that_would_be_void_is_not_written(joined: Joined) -> None:
    near, _ = joined.ends
    size = near.store.memory.own.size
    with pytest.raises(IllegalActError, match="no such call"):
        await near.line.act(drafts.hang_up("c" * 32, "1" * 16))
    assert near.store.memory.own.size == size


@on_line
async def test_many_acts_share_a_commit(joined: Joined) -> None:
    near, _ = joined.ends
    before = near.store.commits
    await asyncio.gather(*(near.line.act_bulk(message(f"{number}")) for number in range(50)))
    assert near.store.commits - before < 10


@on_line
async def test_a_message_that_has_become_void_is_told_at_once(joined: Joined) -> None:
    near, far = joined.ends
    await near.line.act(drafts.line_frozen(Text("en", "no more")))
    await until(lambda: far.line.machine.waiting == near.line.machine.waiting == 0)
    for end in joined.ends:
        with pytest.raises(IllegalActError, match="line frozen"):
            await asyncio.wait_for(end.line.act_bulk(message("too late")), 1)


@on_line
async def test_a_disk_that_refuses_is_told_once_and_so_is_that_it_takes_again(
    joined: Joined,
) -> None:
    near, _ = joined.ends
    near.store.refusal = StorageError("disk full")
    writing = asyncio.create_task(near.line.act(ring()))
    await until(lambda: bool(near.storage))
    for _ in range(3):
        near.line.machine.handle_deadline(now())
    assert not writing.done()
    near.store.refusal = None
    await writing
    assert [str(error) for error in near.storage] == ["disk full", "None"]


@on_line
async def test_a_listener_that_fails_cuts_neither_link_nor_log(joined: Joined) -> None:
    near, far = joined.ends
    logging.getLogger("telcon.node.line").disabled = True

    def fail(event: Event) -> None:
        raise ZeroDivisionError

    far.on_event = fail
    try:
        await near.line.act(ring())
        await until(lambda: near.line.machine.waiting == 0)
    finally:
        logging.getLogger("telcon.node.line").disabled = False
    assert far.line.is_up
    assert joined.closed == []


@on_line
async def test_what_a_listener_does_while_it_is_told_is_told_after(joined: Joined) -> None:
    near, far = joined.ends
    order: list[str] = []

    def answer(event: Event) -> None:
        if isinstance(event, SignalReceived):
            order.append(f"begin {event.kind}")
            far.line.signal("hint", "", b"back")
            order.append(f"end {event.kind}")

    far.on_event = answer
    near.line.signal("trunk", "", b"1")
    near.line.signal("recorder", "", b"2")
    await until(lambda: len(near.told(SignalReceived)) == 2)
    assert order == ["begin trunk", "end trunk", "begin recorder", "end recorder"]


@on_line
async def test_garbage_ends_the_connection_and_nothing_else(joined: Joined) -> None:
    near, far = joined.ends
    near.line.link_frame(b"\xff")
    assert len(joined.closed) == 1
    joined.disconnect()
    joined.connect()
    await until(lambda: all(end.line.is_up for end in joined.ends))
    await near.line.act(ring())
    await until(lambda: far.line.machine.fold.calls.get("c" * 32) is not None)


@on_line
async def test_up_and_down_are_told_with_their_times(joined: Joined) -> None:
    near, _ = joined.ends
    assert near.line.up_since_us is not None
    joined.disconnect()
    assert not near.line.is_up
    assert near.line.down_since_us > 0
    assert (len(near.told(LineUp)), len(near.told(LineDown))) == (1, 1)


@on_line
async def test_what_is_written_without_a_link_goes_when_it_is_back(joined: Joined) -> None:
    near, far = joined.ends
    joined.disconnect()
    await near.line.act_bulk(message("later"))
    near.line.signal("hint", "", b"lost, as signals may be")
    joined.connect()
    await until(lambda: len(far.line.machine.fold.messages) == 1)
    assert far.told(SignalReceived) == []


@on_line
async def test_closing_writes_what_waits_and_takes_nothing_more(joined: Joined) -> None:
    near, _ = joined.ends
    near.store.is_open.clear()
    writing = asyncio.create_task(near.line.act(ring()))
    await asyncio.sleep(0)
    near.line.close()
    with pytest.raises(LinkDownError, match="closing"):
        await writing
    with pytest.raises(LinkDownError, match="closing"):
        await near.line.act(ring("d" * 32))
    near.store.is_open.set()
    await until(lambda: near.store.memory.own.size == 3)


@on_line
async def test_who_stops_waiting_leaves_no_trace_and_the_act_stands(joined: Joined) -> None:
    near, _ = joined.ends
    near.store.is_open.clear()
    writing = asyncio.create_task(near.line.act(ring()))
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait([writing])
    assert near.line._waiting == {}
    near.store.is_open.set()
    await until(lambda: near.store.memory.own.size == 3)


def test_a_defect_under_a_commit_ends_the_line_and_whoever_waits_hears_of_it() -> None:
    async def run() -> None:
        end = End(ARCADIA)
        end.store.refusal = MisuseError("not what this log holds")
        act = asyncio.create_task(end.line.act(opening_acts()[0]))
        with pytest.raises(MisuseError, match="not what this log holds"):
            await end.line.run()
        end.line.close()
        with pytest.raises(LinkDownError):
            await act

    asyncio.run(asyncio.wait_for(run(), 20))


@on_line
async def test_entries_that_cannot_be_read_once_are_pushed_when_they_can(joined: Joined) -> None:
    near, far = joined.ends
    stored, refusals = near.line.machine.frames_to_send, [StorageError("the disk does not answer")]

    def frames_to_send() -> list[bytes]:
        if refusals:
            raise refusals.pop()
        return stored()

    near.line.machine.frames_to_send = frames_to_send  # type: ignore[method-assign]
    held = await near.line.act_bulk(message("read when it can be"))
    await near.line.wait_cosigned(15)
    assert near.line.machine.cosigned_by_peer > held.index
    assert [str(error) for error in near.storage] == ["the disk does not answer", "None"]
    assert any(held.index == one.index and one.origin == held.origin for one in helds(far))


@on_line
async def test_an_entry_is_held_once_the_other_ends_signature_over_it_is_stored(
    joined: Joined,
) -> None:
    near, _ = joined.ends
    held = await near.line.act(ring())
    await until(lambda: near.line.machine.waiting == 0)
    assert held.index + 1 not in near.store.memory.own.notes  # signed, and not stored yet
    assert await near.line.wait_held(held.index, 15)
    assert near.store.memory.own.notes[held.index + 1].cosigned


@on_line
async def test_nobody_waits_for_an_end_that_is_away_to_hold_an_entry(joined: Joined) -> None:
    near, far = joined.ends
    far.store.is_open.clear()  # it can store nothing, so it signs nothing
    held = await near.line.act(ring())
    waiting = asyncio.create_task(near.line.wait_held(held.index, 600))
    assert not await near.line.wait_held(held.index, 0)
    assert not waiting.done()
    joined.disconnect()
    assert not await waiting
    assert not await near.line.wait_held(held.index, 600)
    far.store.is_open.set()


@on_line
async def test_a_deadline_at_which_nothing_can_be_read_does_not_stop_the_line(
    joined: Joined,
) -> None:
    near, _ = joined.ends

    def handle_deadline(now: Now) -> None:
        raise StorageError("the disk does not answer")

    near.line.machine.handle_deadline = handle_deadline  # type: ignore[method-assign]
    near.line._deadline()
    assert str(near.storage[0]) == "the disk does not answer"
    await near.line.act(ring())
    await until(lambda: near.line.machine.waiting == 0)


@on_line
async def test_a_line_that_cannot_read_closes_all_the_same(joined: Joined) -> None:
    near, _ = joined.ends

    def frames_to_send() -> list[bytes]:
        raise StorageError("the disk does not answer")

    near.line.machine.frames_to_send = frames_to_send  # type: ignore[method-assign]
    near.line.close()

"""The link of a line falls silent, or one of its paths dies, while people talk and write.

Each case has two nodes of its own; all run at once, for what they take is time and not work.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path

from fakes.tcp_proxy import TcpProxy
from fakes.two_nodes import (
    LOOPBACK,
    Phone,
    TwoNodes,
    line_of,
    two_nodes,
)
from network.rig import NEARLY_ALL, OUTSIDE, Talk, hears_share
from telcon.node.assembly import Node

ELSEWHERE = "127.0.0.8"
NOTICED_S = 15.0  # docs/protocol.md §5: nothing heard for so long, and the connection is dead

Paths = dict[str, list[TcpProxy]]  # by the name of the node that is dialled
Case = Callable[[TwoNodes, Paths], Coroutine[object, object, None]]


@contextlib.asynccontextmanager
async def behind_proxies(both: TwoNodes) -> AsyncIterator[Paths]:
    """Let each node reach the other at two addresses alone, a proxy at each."""
    paths: Paths = {}
    async with contextlib.AsyncExitStack() as stack:
        for node in both.nodes:
            listening = node.settings.link.port
            paths[node.settings.name] = [
                await stack.enter_async_context(TcpProxy((host, listening), (LOOPBACK, listening)))
                for host in (OUTSIDE, ELSEWHERE)
            ]
        await both.unlink()
        for number, peer in enumerate(both._peers):
            dialled = next(n for n in both.nodes if n.settings.name == peer.peer_name)
            port = dialled.settings.link.port
            addresses = tuple(f"{host}:{port}" for host in (OUTSIDE, ELSEWHERE))
            both._peers[number] = replace(peer, addresses=addresses)
        both.relink()
        await both.up()
        yield paths


def all_of(paths: Paths) -> list[TcpProxy]:
    return [proxy for proxies in paths.values() for proxy in proxies]


async def write(phone: Phone, text: str) -> None:
    await phone.do("message", line=phone.line, text=text, tag=text, lang="en")


def log_sizes(node: Node) -> tuple[int, int]:
    """Return how much of both logs this node holds."""
    books = line_of(node).machine._books
    return books.own.size, books.theirs.size


async def caught_up(both: TwoNodes, caller: Phone, callee: Phone) -> None:
    """Wait until both nodes hold the same of both logs, and the screens say so."""

    def same(_: object) -> bool:
        arcadia, borealis = log_sizes(both.arcadia), log_sizes(both.borealis)
        return arcadia == (borealis[1], borealis[0])

    for phone in (caller, callee):
        await phone.wait(lambda shown: shown["call"]["unsigned_since_us"] is None)
        await phone.wait(lambda shown: shown["call"]["countersigned"])
        await phone.wait(lambda shown: shown["lines"][0]["messages_waiting"] == 0)
        await phone.wait(same)


async def check_silence(both: TwoNodes, paths: Paths, seconds: float) -> None:
    """Let the link fall silent in a call in which both speak and write."""
    caller, callee, _ = await both.call()
    talks = Talk(caller, "Rey"), Talk(callee, "Voss")
    key = caller_floor_key(both, caller)
    for proxy in all_of(paths):
        proxy.cut()
    await asyncio.gather(write(caller, "from Rey"), write(callee, "from Voss"))
    await asyncio.sleep(seconds)
    for phone in (caller, callee):
        assert phone.shown["call"]["phase"] == "live"
        assert phone.shown["lines"][0]["messages_waiting"] == 1
    if seconds > NOTICED_S:
        await caller.wait(lambda shown: shown["call"]["unsigned_since_us"] is not None)
        await callee.wait(lambda shown: shown["call"]["unsigned_since_us"] is not None)
    for proxy in all_of(paths):
        proxy.mend()
    await caught_up(both, caller, callee)
    for talk in talks:
        await talk.stop()
    await hears_share(callee, talks[0].said, NEARLY_ALL)  # the trunk was never touched
    await hears_share(caller, talks[1].said, NEARLY_ALL)
    assert caller_floor_key(both, caller) == key


def caller_floor_key(both: TwoNodes, caller: Phone) -> str:
    """Return the hash of the key that our side's sound is sealed under."""
    call = caller.shown["call"]["call"]
    (desk,) = both.arcadia.desks()
    return desk.board.calls.running[call].floor.trunk_key_hash


async def check_a_moment(both: TwoNodes, paths: Paths) -> None:
    """See that a link which is silent for a moment was never down."""
    await check_silence(both, paths, 5.0)


async def check_long(both: TwoNodes, paths: Paths) -> None:
    """See that a link which is silent for long is dialled anew, and catches up."""
    await check_silence(both, paths, NOTICED_S + 3.0)


async def check_a_dying_path(both: TwoNodes, paths: Paths) -> None:
    """See that the other path of the link is taken when one dies."""
    caller, callee, _ = await both.call()
    talk = Talk(caller, "Rey")
    used = [proxies[0] if proxies[0].carried else proxies[1] for proxies in paths.values()]
    for proxy in used:
        proxy.die()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await write(caller, "while it dies")
    await caller.wait(lambda shown: shown["lines"][0]["messages_waiting"] == 0)
    print(f"the other path carried what was written {loop.time() - began:.1f} s later")
    await caught_up(both, caller, callee)
    await talk.stop()
    await hears_share(callee, talk.said, NEARLY_ALL)
    assert caller.shown["call"]["phase"] == callee.shown["call"]["phase"] == "live"


def test_silences_and_a_path_that_dies_all_at_once(tmp_path: Path) -> None:
    async def check_all() -> None:
        cases: dict[str, Case] = {"a": check_a_moment, "b": check_long, "c": check_a_dying_path}
        async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            for name, check in cases.items():
                both = await stack.enter_async_context(two_nodes(tmp_path / name))
                paths = await stack.enter_async_context(behind_proxies(both))
                group.create_task(check(both, paths))

    asyncio.run(check_all())

"""What the documents say of the link, asked of a real node that dials the stranger."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosedError

from demo.nodes import DemoNode
from stranger.entries import compact
from stranger.lines import OURS, be_opened, command, invite, open_log, own_address, sign_in
from stranger.node import Line

pytestmark = pytest.mark.process

UNKNOWN = b'{"type":"call.hologram","v":1,"colour":"blue"}'


@asynccontextmanager
async def invited_line(node: DemoNode, scratch: Path) -> AsyncIterator[Line]:
    paired = await invite(node, scratch / "invitation", "arcadia.example", own_address())
    line = Line(paired)
    open_log(line)
    async with line.listen():
        await be_opened(line)
        yield line


def test_a_stranger_that_invites_is_dialled(borealis: DemoNode, tmp_path: Path) -> None:
    async def run() -> None:
        async with invited_line(borealis, tmp_path) as line:
            for asking in STEPS:
                await asking(line)
            await answers_a_test(line, borealis)
            await goes_on_where_it_was(line, borealis)

    asyncio.run(run())
    assert borealis.stop() == 0


async def a_test_is_answered(line: Line) -> None:
    test = await line.write("line.test")
    _, tested = await line.entry("line.tested")
    assert tested["re"] == [[line.ours.origin, test]]


async def last_is_told(line: Line) -> None:
    _, last = await line.ask(["last?"], "last")
    assert line.open_last(last)[0] == line.ours.size


async def own_log_is_given_back(line: Line) -> None:
    """Every entry and opening of ours comes back from the mirror."""
    _, first, entries, openings, is_last = await line.ask(["fetch", 1], "refill")
    assert (first, entries, is_last) == (1, line.ours.entries[1:], True)
    held = [[n, o.member, o.key, o.content] for n, many in line.ours.openings.items() for o in many]
    assert openings == held


async def an_unknown_type_is_held_and_cosigned(line: Line) -> None:
    index = line.ours.size
    line.ours.entries.append(UNKNOWN)
    line.ours.openings[index] = []
    await line.push()
    await line.wait(lambda: line.ours.cosigned > index)


async def a_gap_is_refused(line: Line) -> None:
    note = line.me.log.checkpoint([*line.ours.entries, b"one", b"two"])
    push = ["push", line.ours.size + 1, [b"two"], [], note]
    refused = await line.ask(push, "refused")
    assert refused[1:3] == ["gap", line.ours.size + 1]


async def a_seal_without_opening_is_refused(line: Line) -> None:
    index = line.append("call.fail", call="00" * 16, reason=b"whatever")
    data = line.ours.entries.pop()
    del line.ours.openings[index]
    note = line.me.log.checkpoint([*line.ours.entries, data])
    refused = await line.ask(["push", index, [data], [], note], "refused")
    assert refused[1:3] == ["opening", index]


async def another_root_is_refused(line: Line) -> None:
    note = line.me.log.checkpoint([*line.ours.entries, b"one"])
    refused = await line.ask(["push", line.ours.size, [b"two"], [], note], "refused")
    assert refused[1:3] == ["hash", line.ours.size]


async def what_is_held_is_cosigned_again(line: Line) -> None:
    note = line.ours.notes[line.ours.size]
    line.ours.cosigned = 0
    await line.send(["push", line.ours.size - 1, line.ours.entries[-1:], [], note])
    await line.wait(lambda: line.ours.cosigned == line.ours.size)


async def nonsense_closes_the_connection(line: Line) -> None:
    await line.send(["nonsense"])
    with pytest.raises(ConnectionClosedError) as closed:
        await line.wait(lambda: False)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    line.failure = None
    await line.wait(lambda: line.up)  # the node has dialled again


STEPS: list[Callable[[Line], Awaitable[None]]] = [
    a_test_is_answered,
    last_is_told,
    own_log_is_given_back,
    an_unknown_type_is_held_and_cosigned,
    a_gap_is_refused,
    a_seal_without_opening_is_refused,
    another_root_is_refused,
    what_is_held_is_cosigned_again,
    nonsense_closes_the_connection,
]


async def answers_a_test(line: Line, node: DemoNode) -> None:
    testing = asyncio.create_task(command(node, "line", "test", line.me.name))
    index, _ = await line.entry("line.test")
    await line.write("line.tested", re=[[line.theirs.origin, index]])
    assert " ms" in await testing


async def goes_on_where_it_was(line: Line, node: DemoNode) -> None:
    """What was written without a link is pushed as soon as the node has dialled again."""
    person, text = compact(OURS), compact({"lang": "en", "text": os.urandom(4).hex()})
    line.append("message", from_=person, to=compact(line.peer.person), text=text)
    await line.drop()
    await line.wait(lambda: line.ours.cosigned == line.ours.size)
    async with sign_in(node) as device:
        await device.wait(lambda shown: bool(shown["messages"][device.line]))
        await device.ask("message", line=device.line, text="well", tag="1", lang="en")
        await line.entry("message")

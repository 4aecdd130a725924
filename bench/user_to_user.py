"""A message from page to page, beside one from client to client of Prosody with SQLite archive.

telcon: from the moment at which a page's WebSocket has the act to the moment at which the page of
the other node's principal has a snapshot with the message, signed by both. Two nodes, two disks'
syncs, a signature each. Prosody: from the moment at which a client's stream has the message to the
moment at which the other client has it; one server that archives it for both. Messages of both
kinds are taken in turn, one at a time, as far apart as a fast writer's.
"""

import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect

from bench.figures import Row, every, median, spread
from bench.prosody import INSTALL, Client, archived, is_installed, prosody
from bench.two_nodes import paired_nodes
from demo.device import redeem
from demo.nodes import DemoNode

__all__ = ["run"]

WARM_UP = 40
MESSAGES = 200
PAUSE_S = 0.05
LIMIT = 1.5
WORDS = "The delegation will be at the north gate at nine; please let your people know."


class Page:
    """A page of a node's principal that reads nothing but what it looks for."""

    def __init__(self, socket: ClientConnection) -> None:
        """Use `open`."""
        self._socket = socket
        self.line = ""

    @classmethod
    async def open(cls, node: DemoNode) -> Self:
        """Sign in and wait until the line is up."""
        host, port = node.party.host, node.web_port
        secret = node.sign_in_link().partition("#")[2]
        cookie = await asyncio.to_thread(redeem, host, port, secret)
        socket = await connect(
            f"ws://{host}:{port}/live?page={os.urandom(16).hex()}",
            host="127.0.0.1",  # not every resolver knows names under .localhost
            origin=f"http://{host}:{port}",  # type: ignore[arg-type]
            additional_headers={"Cookie": cookie},
            compression=None,
        )
        page = cls(socket)
        state: dict[str, Any] = {}
        while not (state.get("lines") and state["lines"][0]["up"]):
            state = json.loads(await socket.recv()).get("state", state)
        page.line = state["lines"][0]["line"]
        return page

    async def write(self, text: str, tag: str) -> None:
        """Hand the node a message."""
        act = {"do": "message", "line": self.line, "text": text, "tag": tag, "lang": "en"}
        await self._socket.send(json.dumps(act | {"ask": 0}))

    async def sees(self, text: str) -> float:
        """Return the moment at which a snapshot with `text` has come; it must be signed."""
        while text not in (state := str(await self._socket.recv())):
            pass
        moment = time.perf_counter()
        (messages,) = json.loads(state)["state"]["messages"].values()
        assert messages[-1]["text"] == text
        assert messages[-1]["state"] == "signed by both"
        return moment

    async def close(self) -> None:
        """Go."""
        await self._socket.close()


async def drain(page: Page) -> None:
    """Read what a page gets, which a browser would too."""
    while True:
        await page.sees("no text is like this")


async def from_page(near: Page, far: Page, text: str) -> float:
    """Return the milliseconds from page to page."""
    began = time.perf_counter()
    seen = asyncio.ensure_future(far.sees(text))
    await near.write(text, os.urandom(8).hex())
    return (await seen - began) * 1e3


async def from_client(near: Client, far: Client, text: str) -> float:
    """Return the milliseconds from client to client."""
    began = time.perf_counter()
    seen = asyncio.ensure_future(far.wait(text))
    near.send(far.person, text)
    return (await seen - began) * 1e3


async def compare(folder: Path, nodes: tuple[DemoNode, DemoNode]) -> tuple[list[float], ...]:
    """Return the times of both, taken in turn."""
    ours: list[float] = []
    theirs: list[float] = []
    async with prosody(folder, "rey", "voss") as port:
        pages = [await Page.open(node) for node in nodes]
        clients = [await Client.open(port, person) for person in ("rey", "voss")]
        draining = asyncio.ensure_future(drain(pages[0]))
        for number in range(WARM_UP + MESSAGES):
            text = f"{number:08} {WORDS}"
            await asyncio.sleep(PAUSE_S)
            ours.append(await from_page(pages[0], pages[1], text))
            await asyncio.sleep(PAUSE_S)
            theirs.append(await from_client(clients[0], clients[1], text))
        draining.cancel()
        for page in pages:
            await page.close()
        for client in clients:
            client.close()
        await asyncio.sleep(PAUSE_S)
        assert archived(folder) == 2 * (WARM_UP + MESSAGES)
    return ours[WARM_UP:], theirs[WARM_UP:]


def run() -> list[Row]:
    """Measure and print."""
    if not is_installed():
        print(f"not measured: Prosody is not installed. To have the comparison: {INSTALL}")
        return []
    with tempfile.TemporaryDirectory(prefix="telcon-bench-") as place:
        folder = Path(place) / "prosody"
        folder.mkdir()
        with paired_nodes(Path(place)) as nodes:
            ours, theirs = asyncio.run(compare(folder, nodes))
    print("from user to user, one message at a time, in turns; milliseconds")
    for name, times in (("telcon, page to page, signed by both", ours), ("Prosody", theirs)):
        print(f"  {name}\n{every(times)}\n    {spread(times, digits=2)}")
    ratio = median(ours) / median(theirs)
    print(f"  telcon / Prosody: {ratio:.2f} (limit {LIMIT})")
    reference = f"Prosody {median(theirs):.2f} ms, {ratio:.2f} of it"
    limit = f"≤ {LIMIT} x Prosody"
    return [Row("user to user", median(ours), "ms", limit, ratio <= LIMIT, reference, ours)]

"""kill -9 of either node in a live call with messages flowing: nothing acknowledged is lost.

The list of what was acknowledged is kept by the clients, outside both nodes. The logs are read back
and hashed by code that shares nothing with the ledger.
"""

import asyncio
import base64
import json
import os
import random
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest

from demo.device import DeviceError, ScriptedDevice
from demo.nodes import DemoNode
from telcon.node.store import Store

pytestmark = pytest.mark.process

KILLS = int(os.environ.get("TELCON_KILLS", "10"))
SEED = int(os.environ.get("TELCON_SEED", "20261122"))
VOICE = Path(__file__).parents[2] / "demo" / "voices" / "arcadia.opus"


@dataclass
class Client:
    """Somebody at a node who writes down what was acknowledged to them."""

    node: DemoNode
    device: ScriptedDevice
    acknowledged: dict[str, str] = field(default_factory=dict)  # place in the log -> text

    async def write(self) -> None:
        """Send messages one after the other until the node is gone."""
        while True:
            text = f"{self.node.party.organisation} {len(self.acknowledged)}"
            try:
                answer = await self.device.ask(
                    "message", line=self.device.line, text=text, tag=text, lang="en"
                )
            except DeviceError:
                return
            self.acknowledged[answer["id"]] = text

    def is_up(self) -> bool:
        lines = self.device.snapshot.get("lines", [])
        return bool(lines) and lines[0]["up"]


async def begin_call(caller: ScriptedDevice, callee: ScriptedDevice) -> str:
    """Ring, answer, and let the caller speak."""
    rung = await caller.ask("ring", line=caller.line, mode="audio", certificate=caller.certificate)
    call = str(rung["call"])
    await callee.wait(lambda shown: bool(shown["call"]) and shown["call"]["call"] == call)
    await asyncio.gather(caller.connect_leg(call), callee.connect_leg(call))
    await callee.ask("answer", call=call, certificate=callee.certificate)
    await caller.wait(lambda shown: shown["call"]["phase"] == "live")
    return call


async def kill_once(victim: Client, other: Client, moment_s: float) -> None:
    """Let both write in a live call, kill one node, start it again, wait until both agree."""
    call = await begin_call(victim.device, other.device)
    speaking = asyncio.create_task(victim.device.speak(VOICE, packets=int(moment_s * 50)))
    writing = [asyncio.create_task(client.write()) for client in (victim, other)]
    await speaking
    await asyncio.to_thread(victim.node.kill)
    await writing[0]
    writing[1].cancel()
    await asyncio.wait(writing)
    for client in (victim, other):
        client.device.hang_up_leg()
    await asyncio.to_thread(victim.node.start)
    await victim.device.connect()
    for client in (victim, other):
        await client.device.wait(lambda shown: shown["lines"][0]["up"])
        await client.device.wait(lambda shown: shown["lines"][0]["waiting"] == 0)
        await client.device.wait(
            lambda shown: any(
                past["call"] == call and past["phase"] == "failed"
                for past in shown["history"][shown["lines"][0]["line"]]
            )
        )
        await client.device.wait(lambda shown: shown["call"] is None)


@pytest.mark.timeout(600)
# The clients' sockets to a killed node are closed by the kernel, some of them while nobody looks.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_acknowledged_message_is_lost_when_either_node_is_killed(
    nodes: tuple[DemoNode, DemoNode],
) -> None:
    print(f"seed {SEED}, {KILLS} kills of each node")
    chance = random.Random(SEED)

    async def run() -> list[Client]:
        clients = [
            Client(node, await ScriptedDevice.open(await asyncio.to_thread(node.sign_in_link)))
            for node in nodes
        ]
        for client in clients:
            await client.device.wait(lambda shown: bool(shown["lines"]) and shown["lines"][0]["up"])
        for _ in range(KILLS):
            for victim, other in (clients, reversed(clients)):
                await kill_once(victim, other, chance.uniform(0.1, 0.8))
        for client in clients:
            await client.device.close()
        return clients

    clients = asyncio.run(run())
    for node in nodes:
        assert node.stop() == 0
    for client in clients:
        assert len(client.acknowledged) > KILLS
        for node in nodes:
            assert texts_held(node, client.acknowledged) == client.acknowledged
    assert logs_of(nodes[0]) == logs_of(nodes[1])
    for node in nodes:
        verify_by_hand(node)


def texts_held(node: DemoNode, places: dict[str, str]) -> dict[str, str]:
    """Return what `node` holds at the places that were acknowledged."""
    held = {}
    with Store.open_read_only(node.folder) as store:
        for place in places:
            origin, _, index = place.partition("#")
            for _, opening in store.stored_log(origin).openings(int(index), 1):
                if opening.member == "text":
                    held[place] = json.loads(opening.content)["text"]
    return held


def logs_of(node: DemoNode) -> dict[str, list[bytes]]:
    """Return both logs of the node's line, whole."""
    with Store.open_read_only(node.folder) as store:
        (line,) = store.lines()
        logs = [store.stored_log(origin) for origin in (line.own_origin, line.peer_origin)]
        return {log.origin: log.entries(0, 1 << 30) for log in logs}


def verify_by_hand(node: DemoNode) -> None:
    """Hash both logs anew (RFC 6962) and hold the roots against the newest cosigned checkpoints."""
    entries = logs_of(node)
    with Store.open_read_only(node.folder) as store:
        for origin, datas in entries.items():
            newest = store.stored_log(origin).newest_note()
            assert newest is not None
            size, note = newest
            lines = note.decode().split("\n")
            assert lines[0] == origin
            assert int(lines[1]) == size == len(datas)
            assert base64.b64decode(lines[2]) == root(datas)
            assert note.count("\n— ".encode()) == 2  # its author's and its mirror's


def root(datas: list[bytes]) -> bytes:
    if len(datas) == 1:
        return sha256(b"\x00" + datas[0]).digest()
    split = 1 << (len(datas) - 1).bit_length() - 1
    return sha256(b"\x01" + root(datas[:split]) + root(datas[split:])).digest()

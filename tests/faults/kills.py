"""Kills nodes by a plan, in live calls with messages flowing, and counts what was acknowledged."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from demo.device import DeviceError, ScriptedDevice
from faults.evidence import Disk, held_by, open_recordings, rows
from faults.pair import FaultyNode, People, until
from telcon.node.record.journal import How
from telcon.node.record.place import RecordPlace

KILLS_IN_TEST = 50
WHO = (("arcadia",), ("borealis",), ("arcadia", "borealis"))
SHORT_S, LONG_S = (0.1, 0.8), (5.2, 6.5)  # a chunk of speech is signed after five seconds
LONG_EACH = 10  # kills
FRAME_S = 0.02
TOC = b"\xf8"  # CELT, 20 ms, mono, one frame
BLOCK_PACKETS = 60  # what a recorder may still hold in memory: a block is a second


@dataclass(frozen=True)
class Kill:
    """Who is killed, how long the call has been live by then, and how far apart the two are."""

    who: tuple[str, ...]
    after_s: float
    apart_s: float

    def __str__(self) -> str:
        return f"{'+'.join(self.who)} {self.after_s:.2f} s"


def plan_of(seed: int, kills: int) -> list[Kill]:
    """Return the plan of that seed."""
    chance = random.Random(seed)
    return [
        Kill(
            WHO[number % 3] if number < 3 else chance.choice(WHO),
            chance.uniform(*(LONG_S if number % LONG_EACH == LONG_EACH - 1 else SHORT_S)),
            chance.choice((0.0, chance.uniform(0, 0.05))),
        )
        for number in range(kills)
    ]


@dataclass
class Killing(People):
    """Two people who go on calling and writing while their nodes are killed."""

    chunks: set[tuple[str, bytes]] = field(default_factory=set)
    """Log, and entry: chunks of speech that both nodes had signed when one was killed."""
    said: dict[tuple[str, str], list[bytes]] = field(default_factory=dict)
    """Call and log of the speaker's node: what was said, in order."""
    written: int = 0

    @classmethod
    async def run(
        cls,
        nodes: tuple[FaultyNode, FaultyNode],
        plan: list[Kill],
        done: Callable[[Kill], None] = lambda kill: None,
    ) -> Self:
        """Go through `plan`; `done` hears of each kill that was survived."""
        rey, voss = [
            await ScriptedDevice.open(await asyncio.to_thread(node.sign_in_link)) for node in nodes
        ]
        both = cls(*nodes, rey, voss)
        await both.up()
        for kill in plan:
            await both.kill(kill)
            done(kill)
        await both.agree()
        await asyncio.to_thread(both.whole)
        assert len(both.held.messages) > len(plan)
        await both.close()
        return both

    async def kill(self, kill: Kill) -> None:
        """Let both talk and write, kill, start again, and wait until both sides agree."""
        call = await self.call()
        begun = [
            asyncio.create_task(work)
            for one in self.devices
            for work in (self.speak(one, call), self.write_on(one))
        ]
        await asyncio.sleep(kill.after_s)
        victims = [node for node in self.nodes if node.party.organisation.lower() in kill.who]
        for victim in victims:
            await asyncio.to_thread(victim.kill)
            await asyncio.sleep(kill.apart_s)
        self.chunks |= {chunk for node in self.nodes for chunk in signed_chunks(node)}
        for task in begun:
            task.cancel()
        await asyncio.wait(begun)
        for task in begun:
            error = None if task.cancelled() else task.exception()
            assert error is None, error
        await asyncio.gather(*(self.start(victim) for victim in victims))
        rows_of_call = await self.over(call)
        assert {row["phase"] for row in rows_of_call} == {"failed"}
        await until(lambda: not any(open_recordings(node.folder) for node in self.nodes))
        await self.up()
        await asyncio.to_thread(self.look_back, call, victims)

    async def write_on(self, device: ScriptedDevice) -> None:
        """Send messages one after the other until the node is gone."""
        while True:
            self.written += 1
            try:
                await self.write(device, f"message {self.written}")
            except DeviceError:
                return

    async def speak(self, device: ScriptedDevice, call: str) -> None:
        """Speak in packets that are all unlike each other."""
        node = self.nodes[self.devices.index(device)]
        said = self.said.setdefault((call, node.party.node), [])
        leg = device._own_leg()
        while True:
            payload = TOC + f"{node.party.node} {call} {len(said)}".encode().ljust(80, b".")
            said.append(payload)
            leg.send_opus(payload)
            await asyncio.sleep(FRAME_S)

    def look_back(self, call: str, victims: list[FaultyNode]) -> None:
        """Hold the logs and this call's recordings against what was acknowledged and said."""
        disks = [held_by(node.folder) for node in self.nodes]
        for disk in disks:
            kept = {(origin, data) for origin, log in disk.logs.items() for data in log}
            lost = [origin for origin, _ in self.chunks - kept]
            assert not lost, f"chunks that both had signed are lost: {lost}"
            disk.require(self.held)
        for node in self.nodes:
            self.check_recordings(node, call, disks[0], lenient=node in victims)

    def check_recordings(self, node: FaultyNode, call: str, disk: Disk, *, lenient: bool) -> None:
        """Of what a signed chunk covers nothing is missing; a killed node lacks a block at most."""
        query = "SELECT origin, track, path, size_octets FROM recording WHERE call = ?"
        for origin, number, path, size in rows(node.folder, query, call):
            kept: list[bytes] = []
            if size:
                journal = RecordPlace(node.folder, path).read()
                track = (origin, number)
                packets = journal.read(track, 0, journal.bound(track)).values()
                kept = [packet.payload for packet in packets if packet.how is How.CAME]
            said = iter(self.said[call, origin.partition("/")[0]])
            assert all(payload in said for payload in kept), "not what was said, in its order"
            needed = covered(self.chunks, disk, origin, call) - (BLOCK_PACKETS if lenient else 0)
            assert len(kept) >= needed, f"{len(kept)} packets of {needed} at {node.party.node}"


def covered(chunks: set[tuple[str, bytes]], disk: Disk, origin: str, call: str) -> int:
    """Return how many packets of a call the signed chunks of a log cover."""
    entries = set(disk.logs[origin])
    found = [json.loads(data) for log, data in chunks if log == origin and data in entries]
    return sum(track[2] for one in found if one["call"] == call for track in one["tracks"])


def signed_chunks(node: FaultyNode) -> set[tuple[str, bytes]]:
    """Return the chunks of speech that a node holds under checkpoints that both have signed."""
    return {
        (origin, bytes(data))
        for origin, data in rows(node.folder, SIGNED)
        if b'"type":"call.record-chunk"' in bytes(data)
    }


SIGNED = (
    "SELECT log.origin, entry.data FROM entry JOIN log ON log.id = entry.log WHERE entry.position"
    " < (SELECT max(size) FROM note WHERE note.log = entry.log AND note.cosigned)"
)

"""CPU that the node spends on each packet it delivers: one speaker, many listeners, real legs.

The node runs in a process of its own, the devices in this one; where there are two cores, each has
its own. CPU is what the scheduler charged the node's process, kernel time included, for everything
between two readings: also answering checks and reports of all listeners. A packet that is not
delivered makes the bench fail.

The same is measured once more while the speaker is recorded: every packet hashed, its chunks ended
each five seconds, its blocks sealed to a record-keeper and the node, and synced to the disk.

Two things stand beside it, measured in the same run by turns. *Bare* is what the node's process
needs for encrypting and sending as many packets in the same rhythm with nothing around it. *Janus*
is its videoroom under the same load (`bench.janus`), where the Debian package is installed.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import socket
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.fan_load import LISTENERS, PACKETS_A_SECOND, PAYLOAD_BYTES, Load, Run
from bench.figures import Row, at_most, median
from bench.janus import JanusElsewhere, JanusMissingError
from telcon.node.media.client import DeviceLeg
from telcon.node.media.leg import Leg
from telcon.node.media.plane import MediaPlane
from telcon.node.media.rtp import RtpPacket, format_rtp
from telcon.node.media.source import Source
from telcon.node.media.srtp import AEAD_AES_256_GCM, Protector
from telcon.node.record.journal import Head, Packet
from telcon.node.record.place import RecordPlace
from telcon.node.record.recorder import CallRecorder
from telcon.node.record.sealing import PrivateKey
from telcon.node.record.shelf import Shelf

__all__ = ["run"]

HOST = "127.0.0.1"
BARE_BURSTS = 100
SECONDS = 8
RUNS = 3
LIMIT_US, LIMIT_SHARE, LIMIT_P50_MS, LIMIT_P95_MS = 16.0, 0.5, 1.0, 10.0
RECORDED_LIMIT_US = 30.0
LOOK_S = 0.25  # as the node looks after its recorders
OWN = "arcadia.example/line/" + "ab" * 16
THEIRS = "borealis.example/line/" + "ab" * 16


class Recording:
    """Records the speaker while it is switched on."""

    def __init__(self, folder: Path) -> None:
        """Begin a record in `folder`, sealed for one record-keeper and for the node."""
        head = Head("cd" * 16, OWN, THEIRS, time.time_ns() // 1_000)
        make = partial(RecordPlace.of(folder, "1", "2").begin, head, [PrivateKey.generate().reader])
        now = time.monotonic()
        self.is_on = False
        self._shelf = Shelf("record", make, now)
        self._recorder = CallRecorder(
            self._shelf, OWN, call_began=now, now=now, random_bytes=os.urandom
        )
        self._recorder.add_track((OWN, 1), now)
        self._index = 0
        self._looking = asyncio.get_running_loop().create_task(self._look())

    def take(self, packet: RtpPacket) -> None:
        """Hear a packet of the speaker."""
        if self.is_on:
            taken = Packet(self._index, self._index * 960, packet.payload)
            self._recorder.write((OWN, 1), taken, time.monotonic())
            self._index += 1

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._recorder.due(time.monotonic())

    async def close(self) -> None:
        """End the record.

        Raises:
            SystemExit: the disk has not taken all of it.
        """
        self._looking.cancel()
        self._recorder.close(time.monotonic())
        await self._shelf.close(time.monotonic())
        if self._recorder.next_event() is not None or not self._index:
            raise SystemExit("nothing, or not all, was recorded")


def serve(pipe: Connection, core: int | None) -> None:
    """Be the node: answer each offer, let everybody hear whoever came first."""
    if core is not None:
        os.sched_setaffinity(0, {core})
    asyncio.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    plane = MediaPlane.open(HOST, 0, [HOST])
    legs: list[Leg] = []
    speakers: list[Source] = []
    opened = ExitStack()
    recording = Recording(Path(opened.enter_context(tempfile.TemporaryDirectory())))

    def answer(offer: str) -> str:
        leg = plane.open_leg(None, lambda _: None)
        answered = leg.answer(offer)
        source = leg.admit()
        if speakers:
            leg.slots[0].map(speakers[0])
        else:
            source.add_tap(recording.take)
        speakers.append(source)
        legs.append(leg)
        return answered

    def command() -> None:
        what: tuple[str, str] = pipe.recv()
        match what[0]:
            case "offer":
                pipe.send(answer(what[1]))
            case "cpu":
                pipe.send(time.process_time())
            case "bare":
                pipe.send(bare_us())
            case "record":
                recording.is_on = what[1] == "on"
                pipe.send(None)
            case _:
                done.set()

    loop.add_reader(pipe.fileno(), command)
    await done.wait()
    loop.remove_reader(pipe.fileno())
    plane.close()
    await recording.close()
    opened.close()


def bare_us() -> float:
    """Encrypt and send to as many sockets, in the same rhythm, and return the CPU a packet."""
    sinks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(LISTENERS)]
    for sink in sinks:
        sink.bind((HOST, 0))
    ways = [(Protector(AEAD_AES_256_GCM, os.urandom(44)), sink.getsockname()) for sink in sinks]
    payload = os.urandom(PAYLOAD_BYTES)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        cpu = time.process_time()
        for sequence in range(BARE_BURSTS):
            time.sleep(1 / PACKETS_A_SECOND)
            packet = format_rtp(RtpPacket(111, False, sequence, 0, 7, payload))
            for protector, address in ways:
                sender.sendto(protector.protect(packet), address)
        cpu = time.process_time() - cpu
    for sink in sinks:
        sink.close()
    return cpu / BARE_BURSTS / LISTENERS * 1e6


class NodeProcess:
    """The node, at the other end of a pipe."""

    def __init__(self, core: int | None) -> None:
        """Start it on `core`, if it has one of its own."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, core))
        self._process.start()

    def take_speaker(self, device: DeviceLeg) -> None:
        """Let `device` in; whoever comes first is heard by all others."""
        device.accept(self._ask("offer", device.offer()))

    take_listener = take_speaker

    def cpu_s(self) -> float:
        """Return the CPU time that the node's process has used."""
        return float(self._ask("cpu"))

    def bare_us(self) -> float:
        """Return what the node's process needs for a packet with nothing around it."""
        return float(self._ask("bare"))

    def record(self, *, on: bool) -> None:
        """Record the speaker from now on, or no more."""
        self._ask("record", "on" if on else "off")

    def stop(self) -> None:
        """End the process.

        Raises:
            SystemExit: it has failed.
        """
        self._pipe.send(("end", ""))
        self._process.join()
        if self._process.exitcode:
            raise SystemExit("the node's process failed; it says why above")

    def _ask(self, what: str, about: str = "") -> Any:
        self._pipe.send((what, about))
        return self._pipe.recv()


async def measure(node: NodeProcess, janus: JanusElsewhere | None) -> dict[str, list[Any]]:
    """Return all runs, by turns, over the same connections, after a short one that warms up."""
    load = Load(node, host=HOST)
    await load.connect()
    await load.speak(1)
    found: dict[str, list[Any]] = {"node": [], "recorded": [], "bare": [], "janus": []}
    for number in range(RUNS):
        found["node"].append(await load.speak(SECONDS))
        node.record(on=True)
        found["recorded"].append(await load.speak(SECONDS))
        node.record(on=False)
        print(f"run {number + 1}: {found['recorded'][-1]}, recorded", flush=True)
        found["bare"].append(node.bare_us())
        print(f"run {number + 1}: {found['node'][-1]}, bare {found['bare'][-1]:.1f} us", flush=True)
        if janus is not None:
            found["janus"].append(await asyncio.to_thread(janus.speak, SECONDS))
            print(f"       {found['janus'][-1]}: Janus videoroom", flush=True)
    load.close()
    return found


def run() -> list[Row]:
    """Print every run and the worst.

    Raises:
        SystemExit: a packet was lost.
    """
    two_cores = len(os.sched_getaffinity(0)) >= 2
    print(f"{LISTENERS} listeners, {PACKETS_A_SECOND} packets/s, {RUNS} runs of {SECONDS} s")
    node, janus = NodeProcess(0 if two_cores else None), None
    if two_cores:
        os.sched_setaffinity(0, {1})
    try:
        janus = JanusElsewhere()
    except JanusMissingError as error:
        print(f"without the reference: {error}")
    try:
        found = asyncio.run(measure(node, janus))
    finally:
        node.stop()
        if janus is not None:
            janus.stop()
    runs: list[Run] = found["node"]
    print(f"worst: {max(runs, key=lambda one: one.cpu_us)}")
    if any(one.delivered != one.expected for one in runs + found["recorded"]):
        raise SystemExit("a packet was lost")
    recorded = [one.cpu_us for one in found["recorded"]]
    beside = f"{median([one.cpu_us for one in runs]):.1f} µs where nothing is recorded"
    name = f"{LISTENERS} listeners, recorded, hashed and sealed: node's CPU a delivered packet"
    return [
        *_rows(runs, found["bare"], found["janus"]),
        at_most(name, median(recorded), "µs", RECORDED_LIMIT_US, beside, recorded),
    ]


def _rows(runs: list[Run], bare: list[float], janus: list[Run]) -> list[Row]:
    cpu, theirs = [one.cpu_us for one in runs], [one.cpu_us for one in janus]
    p50, p95 = [one.delay_p50_ms for one in runs], [one.delay_p95_ms for one in runs]
    what = f"{LISTENERS} listeners"
    beside = f"bare encrypt and send {median(bare):.1f} µs"
    delays = "".join(
        f"Janus p50 {median([one.delay_p50_ms for one in janus]):.2f} ms,"
        f" p95 {median([one.delay_p95_ms for one in janus]):.2f} ms"
        for _ in janus[:1]
    )
    rows = [
        at_most(f"{what}: node's CPU a delivered packet", median(cpu), "µs", LIMIT_US, beside, cpu),
        at_most(f"{what}: added delay, median", median(p50), "ms", LIMIT_P50_MS, delays, p50),
        at_most(f"{what}: added delay, 95 %", median(p95), "ms", LIMIT_P95_MS, delays, p95),
    ]
    if janus:
        shares = [ours / other for ours, other in zip(cpu, theirs, strict=True)]
        beside = f"Janus videoroom {median(theirs):.1f} µs"
        rows.insert(
            1,
            at_most(
                f"{what}: CPU beside Janus", median(shares), "of it", LIMIT_SHARE, beside, shares
            ),
        )
    return rows

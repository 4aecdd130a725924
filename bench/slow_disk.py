"""Every commit delayed by 20 ms on both nodes: what link and audio notice of it.

The delay stands in the commit thread, after the sync, as a slow disk's would. Meanwhile people on
both sides write, a call is live, and both nodes ping each other over the link. The same without the
delay, in turns. What must not wait for a disk: a ping, and a packet of the one who speaks.

As a process (`python -m bench.slow_disk`) this is a node with such a disk and such pings.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection as Database
from websockets.frames import Frame, Opcode

from bench.figures import Row, median, spread
from bench.two_nodes import paired_nodes
from demo.device import ScriptedDevice
from demo.nodes import DemoNode
from telcon.node.link.connection import Connection
from telcon.node.media.rtp import RtpPacket
from telcon.node.store import commits
from telcon.node.store.engine import transaction

__all__ = ["run"]

DELAY_S = 0.02
PHASE_S = 6.0
SETTLE_S = 0.5
TURNS = 3
EVERY_S = 0.02
WRITERS = 8
PAUSE_S = 0.1  # of each writer: what the processor has to do is the same with both disks
OPUS = bytes([0xF8])  # 20 ms, mono, one frame; its content is the packet's number
PING_LIMIT_MS = 5.0
AUDIO_LIMIT_MS = 1.0  # how much later the median packet may come
FOLDER = "TELCON_BENCH_FOLDER"


# -- in the nodes' processes


def slow_down(delay: Path) -> None:
    """Let each commit of this process take as many seconds longer as the file `delay` says."""

    @contextmanager
    def slow(connection: Database) -> Iterator[None]:
        with transaction(connection):
            yield
        time.sleep(float(delay.read_text()))

    commits.transaction = slow  # type: ignore[attr-defined]


def ping(pings: Path) -> None:
    """Let each connection of the link ping, and write down moment and milliseconds in `pings`."""
    handle, begin = Connection._handle_frame, Connection._open
    tasks: set[asyncio.Task[None]] = set()
    file = pings.open("a", buffering=1)

    def look(self: Connection, frame: Frame) -> None:
        if frame.opcode is Opcode.PONG and len(frame.data) == 8:
            now, sent = time.perf_counter_ns(), int.from_bytes(frame.data, "big")
            file.write(f"{sent / 1e9} {(now - sent) / 1e6}\n")
        handle(self, frame)

    async def go_on(self: Connection) -> None:
        while self.is_open:
            self._websocket.send_ping(time.perf_counter_ns().to_bytes(8, "big"))
            self._flush()
            await asyncio.sleep(EVERY_S)

    def started(self: Connection) -> None:
        begin(self)
        tasks.add(asyncio.get_running_loop().create_task(go_on(self)))

    Connection._handle_frame = look  # type: ignore[method-assign]
    Connection._open = started  # type: ignore[method-assign]


def main() -> int:
    """Be telcon, with that disk and those pings."""
    from telcon.cli import main as telcon

    folder = Path(os.environ[FOLDER])
    slow_down(folder / "delay")
    ping(folder / f"pings-{os.getpid()}")
    return telcon()


# -- in the bench's


def set_delay(delay: Path, seconds: float) -> None:
    """Make both disks so slow."""
    delay.write_text(str(seconds))


class SlowNode(DemoNode):
    """A node whose process runs this module instead of telcon's own."""

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "bench.slow_disk", "--data", str(self.folder)]


class TimedDevice(ScriptedDevice):
    """A device that notes when each numbered packet was sent, and when it came."""

    def __init__(self, host: str, port: int, cookie: str) -> None:
        """Use `open`."""
        super().__init__(host, port, cookie)
        self.at: dict[bytes, float] = {}

    def _hear(self, slot: int, packet: RtpPacket) -> None:
        self.at.setdefault(packet.payload, time.perf_counter())
        super()._hear(slot, packet)

    async def count_aloud(self, first: int, seconds: float) -> None:
        """Say numbers from `first` on, one in 20 ms."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(round(seconds / EVERY_S)):
            payload = OPUS + (first + number).to_bytes(60, "big")
            self.at[payload] = time.perf_counter()
            self._own_leg().send_opus(payload, marker=number == 0)
            await asyncio.sleep(max(0.0, began + (number + 1) * EVERY_S - loop.time()))

    async def write_on(self) -> None:
        """Write messages until cancelled."""
        while True:
            await asyncio.sleep(PAUSE_S)
            tag = os.urandom(8).hex()
            await self.ask("message", line=self.line, text="On and on.", tag=tag, lang="en")


@dataclass(slots=True)
class Found:
    """What was measured with one kind of disk, in milliseconds."""

    audio: list[float] = field(default_factory=list)
    ping: list[float] = field(default_factory=list)
    lost: int = 0
    spans: list[tuple[float, float]] = field(default_factory=list)

    def take_pings(self, folder: Path) -> None:
        """Read what both nodes wrote down while this kind of disk was in use."""
        for file in folder.glob("pings-*"):
            for line in file.read_text().splitlines():
                moment, took_ms = map(float, line.split())
                if any(began < moment < ended for began, ended in self.spans):
                    self.ping.append(took_ms)


Devices = tuple[TimedDevice, TimedDevice]


async def phase(devices: Devices, first: int, found: Found) -> None:
    """Talk and write for a while."""
    speaker, listener = devices
    speaker.at.clear()
    listener.at.clear()
    busy = [
        asyncio.ensure_future(device.write_on()) for device in devices for _ in range(WRITERS // 2)
    ]
    began = time.perf_counter()
    await speaker.count_aloud(first, PHASE_S)
    found.spans.append((began, time.perf_counter()))
    for task in busy:
        task.cancel()
    await asyncio.gather(*busy, return_exceptions=True)
    await asyncio.sleep(SETTLE_S)
    came = [listener.at[one] - sent for one, sent in speaker.at.items() if one in listener.at]
    found.audio += [seconds * 1e3 for seconds in came]
    found.lost += len(speaker.at) - len(came)


async def begin_call(devices: Devices) -> None:
    """Put both devices into a live call."""
    caller, callee = devices
    certificate = caller.certificate
    rung = await caller.ask("ring", line=caller.line, mode="audio", certificate=certificate)
    await callee.wait(lambda snapshot: snapshot["call"] is not None)
    await asyncio.gather(*(device.connect_leg(rung["call"]) for device in devices))
    await callee.ask("answer", call=rung["call"], certificate=callee.certificate)
    for device in devices:
        await device.wait(lambda snapshot: snapshot["call"]["phase"] == "live")


async def measure(nodes: tuple[DemoNode, DemoNode], delay: Path) -> dict[str, Found]:
    """Return what was found with a quick and with a slow disk."""
    found = {"quick": Found(), "slow": Found()}
    links = [node.sign_in_link() for node in nodes]
    devices = (await TimedDevice.open(links[0]), await TimedDevice.open(links[1]))
    for device in devices:
        await device.wait(lambda snapshot: snapshot["lines"] and snapshot["lines"][0]["up"])
    await begin_call(devices)
    for turn in range(TURNS):
        for name, delay_s in (("quick", 0.0), ("slow", DELAY_S)):
            set_delay(delay, delay_s)
            await asyncio.sleep(SETTLE_S)
            await phase(devices, 10_000 * (turn + 1), found[name])
    set_delay(delay, 0.0)
    for device in devices:
        await device.close()
    return found


def run() -> list[Row]:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="telcon-bench-") as place:
        folder = Path(place)
        os.environ[FOLDER] = place
        delay = folder / "delay"
        set_delay(delay, 0.0)
        with paired_nodes(folder, SlowNode) as nodes:
            found = asyncio.run(measure(nodes, delay))
        for kind in found.values():
            kind.take_pings(folder)
    print(f"{TURNS} turns of {PHASE_S:g} s each; {WRITERS} people write; milliseconds")
    for name, kind in found.items():
        print(f"  {name} disk: {kind.lost} of {len(kind.audio) + kind.lost} packets lost")
        print(f"    ping of the link  {spread(kind.ping)}")
        print(f"    packet to packet  {spread(kind.audio)}")
    return rows(found["quick"], found["slow"])


def rows(quick: Found, slow: Found) -> list[Row]:
    """Return the figures of the table."""
    high = sorted(slow.ping)[round(len(slow.ping) * 0.99) - 1]
    high_quick = sorted(quick.ping)[round(len(quick.ping) * 0.99) - 1]
    later = median(slow.audio) - median(quick.audio)
    print(f"  a slow disk: ping 99 % {high:.2f} ms; the median packet {later:+.2f} ms, later if +")
    return [
        Row(
            "link ping on a slow disk, 99 %",
            high,
            "ms",
            f"≤ {PING_LIMIT_MS:g}",
            high <= PING_LIMIT_MS,
            f"{high_quick:.2f} ms on a quick disk",
        ),
        Row(
            "audio on a slow disk, median packet later by",
            later,
            "ms",
            f"≤ {AUDIO_LIMIT_MS:g}",
            later <= AUDIO_LIMIT_MS and slow.lost <= quick.lost,
            f"{median(quick.audio):.2f} ms on a quick disk; {slow.lost} and {quick.lost} lost",
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())

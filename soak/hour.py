"""A call that lasts: both speak at 50 packets a second, and write now and then."""

import asyncio
import re
from pathlib import Path

from demo.device import ScriptedDevice
from faults.pair import FaultyNode, People, paired_nodes

FRAME_S = 0.02
TOC = b"\xf8"  # CELT, 20 ms, mono, one frame
PAYLOAD_OCTETS = 80
SETTLED_MINUTES = 2.0  # before it, buffers and caches fill that are bounded
MOST_GROWTH_MIB = 10.0


def talk(folder: Path, minutes: float) -> int:
    """Let two people talk for so long; return 0 if neither node grew by more than the limit."""
    nodes = paired_nodes(folder)
    try:
        growth = asyncio.run(_talk(nodes, minutes))
    finally:
        statuses = [node.stop() for node in nodes]
    print(f"worst growth {max(growth):.1f} MiB, limit {MOST_GROWTH_MIB} MiB", flush=True)
    return int(max(growth) > MOST_GROWTH_MIB or any(statuses))


async def _talk(nodes: tuple[FaultyNode, FaultyNode], minutes: float) -> list[float]:
    rey, voss = [
        await ScriptedDevice.open(await asyncio.to_thread(node.sign_in_link)) for node in nodes
    ]
    people = People(*nodes, rey, voss)
    await people.up()
    call = await people.call()
    speaking = [asyncio.create_task(_speak(device)) for device in people.devices]
    growth = await _watch(people, minutes, speaking)
    for task in speaking:
        task.cancel()
    await asyncio.wait(speaking)
    await people.hang_up(rey, call)
    await people.up()
    await people.close()
    return growth


async def _speak(device: ScriptedDevice) -> None:
    """Speak until cancelled, on the beat of the clock."""
    loop, leg, number = asyncio.get_running_loop(), device._own_leg(), 0
    began = loop.time()
    while True:
        leg.send_opus(TOC + f"{number}".encode().ljust(PAYLOAD_OCTETS, b"."))
        number += 1
        await asyncio.sleep(max(0.0, began + number * FRAME_S - loop.time()))


async def _watch(
    people: People, minutes: float, speaking: list["asyncio.Task[None]"]
) -> list[float]:
    """Say each minute how much memory the nodes hold, and how much of the speech was heard."""
    settled: list[float] = []
    now = [_resident_mib(node) for node in people.nodes]
    elapsed = 0.0
    while elapsed < minutes:
        step = min(1.0, minutes - elapsed)
        await asyncio.sleep(60 * step)
        elapsed += step
        if any(task.done() for task in speaking):
            raise AssertionError("somebody fell silent")
        await people.write(people.rey, f"minute {elapsed:.0f}")
        now = [_resident_mib(node) for node in people.nodes]
        if not settled and elapsed >= min(SETTLED_MINUTES, minutes / 2):
            settled = now
        grown = [a - b for a, b in zip(now, settled or now, strict=True)]
        heard = [len(device.heard) for device in people.devices]
        for device in people.devices:
            device.heard.clear()
        print(
            f"minute {elapsed:5.1f}  RSS {now[0]:6.1f} {now[1]:6.1f} MiB"
            f"  grown {grown[0]:+5.1f} {grown[1]:+5.1f}  heard {heard[0]} {heard[1]}",
            flush=True,
        )
        assert min(heard) >= 0.8 * 3_000 * step, "speech is lost"
    return [a - b for a, b in zip(now, settled, strict=True)]


def _resident_mib(node: FaultyNode) -> float:
    text = Path(f"/proc/{node.pid}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024

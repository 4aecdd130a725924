"""`make demo ARGS="--check --out DIR"`: a whole call between two nodes, without a browser, proven.

Each step is printed with its time. What is left in DIR is what each side would give to a stranger:
its proof folder, and beside it its key card.
"""

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.device import FRAME_S, ScriptedDevice
from demo.nodes import ARCADIA, BOREALIS, DemoNode, Party, pair
from demo.ports import free_ports
from telcon.node.media.oggopus import parse_ogg_opus_untrusted

VOICES = Path(__file__).parent / "voices"
MESSAGES = 3  # each way
LAST_WORDS_FRAMES = 250  # five seconds
PROVEN, CONSISTENT = 0, 3  # exit statuses of telcon verify


class CheckError(Exception):
    """Something that must hold did not."""


class Clock:
    """Prints each step with the seconds it took."""

    def __init__(self) -> None:
        """Start now."""
        self._began = time.monotonic()

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Run a step called `what`."""
        began = time.monotonic()
        print(f"{began - self._began:7.2f} s  {what} …", end="", flush=True)
        yield
        print(f" {time.monotonic() - began:.2f} s", flush=True)


def check(out: Path) -> int:
    """Run everything; return 0 only if all of it holds."""
    clock = Clock()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="telcon-check-") as scratch:
        nodes = [
            DemoNode(party, Path(scratch) / party.organisation) for party in (ARCADIA, BOREALIS)
        ]
        try:
            _start(nodes, clock, Path(scratch))
            call = asyncio.run(_talk(nodes, clock))
            _write_cards(nodes, out)
        finally:
            with clock.step("both nodes end"):
                statuses = [node.stop() for node in nodes]
        if any(statuses):
            raise CheckError(f"the nodes ended with {statuses}")
        _export(nodes, call, out, clock)
        _compare(out, clock)
    _verify(out, clock)
    print(f"all of it holds; the proof folders are in {out}/")
    return 0


def _start(nodes: list[DemoNode], clock: Clock, scratch: Path) -> None:
    ports = free_ports(8)
    for number, node in enumerate(nodes):
        with clock.step(f"{node.party.node} starts"):
            node.set_up(ports[4 * number : 4 * number + 4])
            node.start()
    with clock.step("they pair by six words"):
        pair(nodes[0], nodes[1], scratch / "invitation")


async def _talk(nodes: list[DemoNode], clock: Clock) -> str:
    """Ring, answer, talk both ways, write messages, hang up; return the call's id."""
    with clock.step("both principals sign in"):
        caller = await ScriptedDevice.open(nodes[0].sign_in_link())
        callee = await ScriptedDevice.open(nodes[1].sign_in_link())
        for device in (caller, callee):
            await device.wait(
                lambda snapshot: bool(snapshot["lines"] and snapshot["lines"][0]["up"])
            )
    with clock.step("Arcadia rings, Borealis' phone shows it"):
        certificate = caller.certificate
        rung = await caller.ask("ring", line=caller.line, mode="audio", certificate=certificate)
        call = str(rung["call"])
        await callee.wait(lambda snapshot: _phase(snapshot) == "ringing")
    with clock.step("both legs are armed"):
        await asyncio.gather(caller.connect_leg(call), callee.connect_leg(call))
    with clock.step("Borealis answers"):
        await callee.ask("answer", call=call, certificate=callee.certificate)
        await asyncio.gather(
            *(
                device.wait(lambda snapshot: _phase(snapshot) == "live")
                for device in (caller, callee)
            )
        )
    with clock.step("they talk for six seconds and write messages"):
        sent = await asyncio.gather(
            caller.speak(VOICES / "arcadia.opus"),
            callee.speak(VOICES / "borealis.opus"),
            _write(caller, "Arcadia"),
            _write(callee, "Borealis"),
        )
    with clock.step("the last words arrive"):
        await _hear_out(callee, len(sent[0]))
        await _hear_out(caller, len(sent[1]))
    _require(set(callee.heard) <= set(sent[0]), "Borealis heard what Arcadia did not say")
    _require(set(caller.heard) <= set(sent[1]), "Arcadia heard what Borealis did not say")
    _require(len(callee.heard) >= 0.95 * len(sent[0]), "too little of Arcadia was heard")
    _require(len(caller.heard) >= 0.95 * len(sent[1]), "too little of Borealis was heard")
    with clock.step("Arcadia hangs up, both logs say so"):
        await caller.ask("hang-up", call=call)
        for device in (caller, callee):
            await device.wait(lambda snapshot: _is_signed(snapshot, call))
    with clock.step("both sides sign that they hold the same recording"):
        for device in (caller, callee):
            await device.wait(lambda snapshot: _is_agreed(snapshot, call))
            await device.close()
    return call


async def _hear_out(device: ScriptedDevice, sent: int) -> None:
    """Wait for what is on its way: who hangs up on it records less than who said it."""
    for _ in range(LAST_WORDS_FRAMES):
        if len(device.heard) >= sent:
            return
        await asyncio.sleep(FRAME_S)


async def _write(device: ScriptedDevice, who: str) -> None:
    for number in range(1, MESSAGES + 1):
        text = f"{who}, message {number}"
        await device.ask("message", line=device.line, text=text, tag=f"{who}{number}", lang="en")
    await device.wait(
        lambda snapshot: (
            [message["state"] for message in snapshot["messages"][device.line]]
            == ["signed by both"] * 2 * MESSAGES
        )
    )


def _write_cards(nodes: list[DemoNode], out: Path) -> None:
    for node, other in ((nodes[0], nodes[1]), (nodes[1], nodes[0])):
        node.telcon("card", other.party.node, "--out", str(_card(out, node.party)))


def _export(nodes: list[DemoNode], call: str, out: Path, clock: Clock) -> None:
    for node in nodes:
        folder = out / node.party.node
        shutil.rmtree(folder, ignore_errors=True)
        with clock.step(f"{node.party.node} exports the call"):
            node.telcon("export", "--call", call, "--out", str(folder), "--whole-log")


def _compare(out: Path, clock: Clock) -> None:
    """Require that both sides hold both speakers' recordings, the same octet for octet."""
    with clock.step("both sides' recordings are compared"):
        for speaker in (ARCADIA, BOREALIS):
            copies = [
                (out / holder.node / "recordings" / f"{speaker.node}-1.opus").read_bytes()
                for holder in (ARCADIA, BOREALIS)
            ]
            _require(len(_payloads(copies[0])) > 0, f"no packet of {speaker.node} was recorded")
            _require(copies[0] == copies[1], f"the copies of {speaker.node} differ")


def _payloads(file: bytes) -> list[bytes]:
    packets = parse_ogg_opus_untrusted(file).packets
    return [packet.payload for packet in packets if not packet.is_lost]


def _verify(out: Path, clock: Clock) -> None:
    """Verify each folder in a process of its own: with both key cards, and without any."""
    cards = [f"--card={_card(out, party)}" for party in (ARCADIA, BOREALIS)]
    for party in (ARCADIA, BOREALIS):
        with clock.step(f"{party.node}'s folder is verified with both key cards"):
            printed = _expect(PROVEN, "verify", str(out / party.node), *cards)
            _require("state that they hold" in printed, "the record is not said to be agreed")
        with clock.step(f"{party.node}'s folder is verified without any"):
            printed = _expect(CONSISTENT, "verify", str(out / party.node))
            _require(
                "CONSISTENT under the keys in this folder" in printed, "the words are not there"
            )


def _expect(status: int, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "telcon.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    _require(done.returncode == status, f"telcon {arguments}: {done.stdout}{done.stderr}")
    return done.stdout


def _card(out: Path, party: Party) -> Path:
    return out / f"{party.node}.card"


def _phase(snapshot: object) -> str | None:
    call = snapshot["call"] if isinstance(snapshot, dict) and snapshot else None
    return None if call is None else str(call["phase"])


def _is_signed(snapshot: object, call: str) -> bool:
    if not isinstance(snapshot, dict):
        return False
    calls = [past for line in snapshot["history"].values() for past in line]
    return any(past["call"] == call and past["signed"] for past in calls)


def _is_agreed(snapshot: object, call: str) -> bool:
    if not isinstance(snapshot, dict):
        return False
    calls = [past for line in snapshot["history"].values() for past in line]
    return any(past["call"] == call and past["record"] == "agreed" for past in calls)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise CheckError(otherwise)

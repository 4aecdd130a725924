"""Two running nodes to break things on: processes, people with devices, and a page in Chromium.

What was acknowledged to anybody is written down here, outside both nodes, and asked for again after
every fault.
"""

import asyncio
import json
import resource
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from browser.cdp import Browser, Page
from demo.device import ScriptedDevice
from demo.nodes import ARCADIA, BOREALIS, DemoNode, Party, Process, pair
from fakes.ports import own_ports
from fakes.quiet import let_lines_be_tested
from fakes.warm import WarmNode
from faults.evidence import Disk, Held, held_by, open_recordings, require_whole
from faults.through import Tool

VOICE = Path(__file__).parents[2] / "demo" / "voices" / "arcadia.opus"
WAIT_S = 90.0  # a node that was away for long is dialled again after half a minute
LOOK_S = 0.05

Snapshot = Any


class FaultyNode(WarmNode):
    """A node whose process can be started through other programs, such as one that moves clocks."""

    through: Sequence[str] = ()

    def _spawn(
        self, *arguments: str, own_session: bool = False, stderr: int | None = None
    ) -> Process:
        kind = DemoNode if self.through else WarmNode
        return kind._spawn(self, *arguments, own_session=own_session, stderr=stderr)

    def _command(self) -> list[str]:
        return [*self.through, *super()._command()]

    def limit(self, what: int, soft: int) -> None:
        """Set a limit of the running process, at most the highest that it may have."""
        _, hard = resource.prlimit(self.pid, what)
        if hard != resource.RLIM_INFINITY:
            soft = hard if soft == resource.RLIM_INFINITY else min(soft, hard)
        resource.prlimit(self.pid, what, (soft, hard))

    def audited(self) -> list[dict[str, Any]]:
        """Return all audit events; a line that is not whole is an error."""
        text = (self.folder / "audit.jsonl").read_text()
        assert not text or text.endswith("\n"), "half a line in the audit file"
        return [json.loads(line) for line in text.splitlines()]

    def cpu_s(self) -> float:
        """Return the processor time that the process has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def descriptors(self) -> set[int]:
        """Return the numbers of the descriptors that the process holds."""
        return {int(path.name) for path in Path(f"/proc/{self.pid}/fd").iterdir()}

    def port(self, what: str) -> int:
        """Return the port of `web`, `link` or `media` as the settings have it."""
        settings = tomllib.loads((self.folder / "node.toml").read_text())
        return int(settings[what]["port"])

    def command(self) -> list[str]:
        """Return the node's command line, without what is asked of it."""
        return self._command()


@dataclass
class People:
    """Arcadia and Borealis, their principals, and what was acknowledged to them."""

    arcadia: FaultyNode
    borealis: FaultyNode
    rey: ScriptedDevice
    voss: ScriptedDevice
    held: Held = field(default_factory=Held)

    @property
    def nodes(self) -> tuple[FaultyNode, FaultyNode]:
        return (self.arcadia, self.borealis)

    @property
    def devices(self) -> tuple[ScriptedDevice, ScriptedDevice]:
        return (self.rey, self.voss)

    @property
    def line(self) -> str:
        return self.rey.line

    # -- what people do

    async def write(self, device: ScriptedDevice, text: str) -> str:
        """Write a message and note that it was acknowledged; return its place."""
        answer = await device.ask("message", line=self.line, text=text, tag=text[:64], lang="en")
        place = str(answer["id"])
        self.held.messages[place] = text
        return place

    async def ring(self, caller: ScriptedDevice, callee: ScriptedDevice) -> str:
        """Ring and wait until the other phone shows it."""
        done = await caller.ask(
            "ring", line=self.line, mode="audio", certificate=caller.certificate
        )
        call = str(done["call"])
        self.held.acts.append((call, "call.ring"))
        await callee.wait(lambda shown: phase(shown, call) == "ringing")
        return call

    async def answer(self, caller: ScriptedDevice, callee: ScriptedDevice, call: str) -> None:
        """Arm both legs and answer."""
        await asyncio.gather(caller.connect_leg(call), callee.connect_leg(call))
        await callee.ask("answer", call=call, certificate=callee.certificate)
        self.held.acts.append((call, "call.answer"))
        for device in (caller, callee):
            await device.wait(lambda shown: phase(shown, call) == "live")

    async def call(self) -> str:
        """Let Rey ring Voss; return the live call."""
        call = await self.ring(self.rey, self.voss)
        await self.answer(self.rey, self.voss, call)
        return call

    async def hang_up(self, device: ScriptedDevice, call: str) -> None:
        """Hang up; the call stands in both histories, signed."""
        await device.ask("hang-up", call=call)
        self.held.acts.append((call, "call.hang-up"))
        await self.over(call)

    async def over(self, call: str) -> list[Snapshot]:
        """Wait until `call` is over and signed on both sides; return both histories' rows."""
        for device in self.devices:
            device.hang_up_leg()
        rows = []
        for device in self.devices:
            shown = await device.wait(lambda shown: past(shown, call) is not None)
            rows.append(past(shown, call))
        return rows

    async def up(self) -> None:
        """Wait until both nodes hear each other and nothing waits to be signed."""
        for device in self.devices:
            await device.wait(
                lambda shown: (
                    bool(shown["lines"])
                    and shown["lines"][0]["up"]
                    and shown["lines"][0]["waiting"] == 0
                )
            )

    async def hears(self, speaker: ScriptedDevice, listener: ScriptedDevice) -> None:
        """Let one speak for half a second; nearly all of it is heard."""
        before = len(listener.heard)
        sent = await speaker.speak(VOICE, packets=25)
        await until(lambda: len(listener.heard) - before >= len(sent) * 0.8)

    # -- what is left of it

    async def agree(self) -> None:
        """Wait until both nodes hold the same, and all of what was acknowledged.

        An entry may still be on its way: what was recorded is agreed on after the call.
        """
        disks: list[Disk] = []

        def is_same() -> bool:
            disks[:] = [held_by(node.folder) for node in self.nodes]
            return disks[0].logs == disks[1].logs

        await until(is_same)
        for disk in disks:
            disk.require(self.held)

    def whole(self) -> None:
        """See that nothing on the disk of either node is half-written."""
        for node in self.nodes:
            require_whole(node.folder)
            node.audited()

    async def start(self, node: FaultyNode) -> None:
        """Start a node that does not run, and let its device in again."""
        await asyncio.to_thread(node.start)
        await self.devices[self.nodes.index(node)].connect()

    async def close(self) -> None:
        """Let go of the devices; the nodes are ended by who started them."""
        for device in self.devices:
            await device.close()


@dataclass
class Pair(People):
    """The same with Arcadia's page in Chromium, and with what a row of faults needs."""

    page: Page = field(kw_only=True)
    tool: Tool | None = None
    """What Arcadia's process was started through."""
    said: str = ""
    """What a command said that was to fail."""
    watched: FaultyNode | None = None
    """In whose audit file events are looked for."""
    audited_before: int = 0

    # -- what the page says

    async def look_at_line(self) -> None:
        """Open the line's own screen on Arcadia's page, anew."""
        address = f"http://{self.arcadia.party.host}:{self.arcadia.web_port}/#line/{self.line}"
        await asyncio.to_thread(self.page.goto, "about:blank#again")
        await asyncio.to_thread(self.page.goto, address)

    async def reads(self, words: str, deadline_s: float = WAIT_S) -> None:
        """Wait until the page in Chromium shows `words`."""
        await asyncio.to_thread(self.page.wait_text, words, deadline_s)

    async def reads_no_more(self, words: str) -> None:
        """Wait until the page in Chromium shows `words` no more."""

        def gone() -> bool:
            return words.lower() not in self.page.text().lower()

        async with asyncio.timeout(WAIT_S):
            while not await asyncio.to_thread(gone):  # noqa: ASYNC110 -- a page
                await asyncio.sleep(LOOK_S)

    # -- what is left of it

    def mark(self) -> None:
        """Look at audit events and words from here on."""
        self.watch(self.arcadia)
        self.said = ""

    def watch(self, node: FaultyNode) -> None:
        """Look for audit events in the file of `node`, from here on."""
        self.watched, self.audited_before = node, len(node.audited())

    def audited(self, event: str) -> list[dict[str, Any]]:
        """Return the fields of each such event since `mark` or `watch`."""
        assert self.watched is not None
        events = self.watched.audited()[self.audited_before :]
        return [one["fields"] for one in events if one["event"] == event]

    async def audits(self, event: str) -> dict[str, Any]:
        """Wait for such an event; return its fields."""
        await until(lambda: bool(self.audited(event)))
        return self.audited(event)[0]

    async def well(self) -> None:
        """Prove that all goes on: message each way, a call, and that nothing is half-written."""
        await self.up()
        for device, who in zip(self.devices, ("Rey", "Voss"), strict=True):
            await self.write(device, f"{who} is well after {len(self.held.messages)}")
        call = await self.call()
        await self.hears(self.rey, self.voss)
        await self.hang_up(self.voss, call)
        await until(lambda: not any(open_recordings(node.folder) for node in self.nodes))
        await self.agree()
        await self.up()
        await asyncio.to_thread(self.whole)

    async def use(self, kind: type[Tool] | None) -> None:
        """Let Arcadia run through such a tool, started anew if it does not yet."""
        if kind is not (type(self.tool) if self.tool else None):
            self.tool = kind(self.arcadia.folder.parent) if kind else None
            self.arcadia.through = self.tool.through if self.tool else ()
            await asyncio.to_thread(self.arcadia.stop)
            await self.start(self.arcadia)


async def open_pair(
    nodes: tuple[FaultyNode, FaultyNode],
    browser: Browser,
    device: type[ScriptedDevice] = ScriptedDevice,
) -> Pair:
    """Sign in on two paired nodes, and on Arcadia with a real page too."""
    rey, voss = [await device.open(await asyncio.to_thread(node.sign_in_link)) for node in nodes]
    page = browser.new_page()
    await asyncio.to_thread(sign_in, page, nodes[0])
    both = Pair(*nodes, rey, voss, page=page)
    await both.up()
    return both


def sign_in(page: Page, node: DemoNode) -> None:
    page.goto(node.sign_in_link())
    page.click("Sign in", "button")
    page.wait_text("Elena Voss")


def paired_nodes(folder: Path) -> tuple[FaultyNode, FaultyNode]:
    """Start and pair two new nodes in `folder`."""
    nodes = new_nodes(folder)
    try:
        pair_nodes(nodes)
    except BaseException:
        for node in nodes:
            node.kill()
        raise
    return nodes


def pair_nodes(nodes: tuple[FaultyNode, FaultyNode]) -> None:
    """Start two nodes and pair them as their operators would."""
    for node in nodes:
        node.start()
    pair(*nodes, nodes[0].folder.parent / "invitation")


def new_nodes(folder: Path, host: str = "127.0.0.1") -> tuple[FaultyNode, FaultyNode]:
    """Set up two nodes that listen on `host`, unless they are; neither is started."""
    folder.mkdir(parents=True, exist_ok=True)
    ports = own_ports(8)
    return (
        _set_up(ARCADIA, folder, ports[:4], host),
        _set_up(BOREALIS, folder, ports[4:], host),
    )


def _set_up(party: Party, folder: Path, ports: list[int], host: str) -> FaultyNode:
    node = FaultyNode(party, folder / party.organisation.lower())
    node.set_up(ports)
    let_lines_be_tested(node.folder, 0)
    if host != "127.0.0.1":
        settings = node.folder / "node.toml"
        text = settings.read_text()
        web, rest = text.split("[link]")
        rest = rest.replace('"127.0.0.1:', f'"[{host}]:').replace('"127.0.0.1"', f'"{host}"')
        settings.write_text(f"{web}[link]{rest}")
    return node


def phase(shown: Snapshot, call: str) -> str | None:
    """Return how `call` stands on a page; None if it shows another one or none."""
    found = shown["call"]
    return str(found["phase"]) if found and found["call"] == call else None


def past(shown: Snapshot, call: str) -> Snapshot | None:
    """Return the row of `call` in the history once both sides have signed it."""
    rows = (row for line in shown["history"].values() for row in line)
    return next((row for row in rows if row["call"] == call and row["signed"]), None)


async def until(holds: Callable[[], bool], deadline_s: float = WAIT_S) -> None:
    """Wait for something that nobody tells us of."""
    async with asyncio.timeout(deadline_s):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110 -- a file, a process
            await asyncio.sleep(LOOK_S)

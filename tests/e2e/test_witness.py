"""Three nodes as processes: Corelia witnesses the line of Arcadia and Borealis, then dies."""

import asyncio
import http.client
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from demo.device import ScriptedDevice
from demo.nodes import ARCADIA, BOREALIS, DemoNode, Party, pair
from fakes.ports import own_ports
from fakes.quiet import let_lines_be_tested
from fakes.warm import WarmNode
from stranger.tlog import VerifierKey, cosignature_in, open_checkpoint, open_cosignature
from telcon.cli import main
from telcon.ledger import format_vkey, parse_key_card
from telcon.node.control import call_node, control_socket

pytestmark = pytest.mark.process

CORELIA = Party(
    "corelia.example", "Corelia", "Ines Kor", "President of the Court", "corelia.localhost"
)
ROUNDS = 2_000  # questions to a node, some milliseconds each


class Three:
    """Three nodes; Corelia and Arcadia have a public address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        parties = {"arcadia": ARCADIA, "borealis": BOREALIS, "corelia": CORELIA}
        self.nodes = {name: WarmNode(party, folder / name) for name, party in parties.items()}
        self.public: dict[str, int] = {}

    def start(self) -> None:
        ports = own_ports(5 * len(self.nodes))
        for number, (name, node) in enumerate(self.nodes.items()):
            *four, public = ports[5 * number : 5 * number + 5]
            node.set_up(four)
            let_lines_be_tested(node.folder, 0)
            if name != "borealis":
                file = node.folder / "node.toml"
                listen = f'listen = "127.0.0.1:{public}"'
                file.write_text(file.read_text().replace('listen = ""', listen))
                self.public[name] = public
        with ThreadPoolExecutor() as threads:
            list(threads.map(DemoNode.start, self.nodes.values()))
        pair(self.nodes["arcadia"], self.nodes["borealis"], self.folder / "invitation")

    def ask(self, name: str, do: str, **members: Any) -> Mapping[str, Any]:
        """Do what a command does, without its process."""
        socket = control_socket(self.nodes[name].folder)
        *_, answer = call_node(socket, {"do": do, **members})
        return answer

    def wait(
        self, holds: Callable[[Mapping[str, Any]], bool], name: str, do: str, **members: Any
    ) -> Mapping[str, Any]:
        for _ in range(ROUNDS):
            if holds(answer := self.ask(name, do, **members)):
                return answer
        raise AssertionError(f"{do}: {answer}")

    def get(self, name: str, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.public[name], timeout=30)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Three]:
    made = Three(tmp_path)
    try:
        made.start()
        yield made
    finally:
        for node in made.nodes.values():
            node.kill()


async def ring_and_cancel(node: DemoNode) -> str:
    """Ring, take it back, and wait until the other side has signed that it holds both."""
    device = await ScriptedDevice.open(node.sign_in_link())
    try:
        await device.wait(lambda shown: bool(shown["lines"]) and shown["lines"][0]["up"])
        ask = {"line": device.line, "mode": "audio", "certificate": device.certificate}
        call = str((await device.ask("ring", **ask))["call"])
        await device.ask("cancel", call=call)
        await device.wait(
            lambda shown: any(
                one["call"] == call and one["signed"]
                for line in shown["history"].values()
                for one in line
            )
        )
        return call
    finally:
        await device.close()


def all_held(answer: Mapping[str, Any]) -> bool:
    (line,) = answer["lines"]
    return bool(line["own_size"] == line["cosigned"])


def verify(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capfd.readouterr()
    status = main(["verify", *arguments])
    return status, capfd.readouterr().out


def test_a_third_state_witnesses_a_line_and_is_not_needed_for_it(
    three: Three, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arcadia, borealis, corelia = three.nodes.values()
    call = asyncio.run(ring_and_cancel(arcadia))
    three.wait(all_held, "arcadia", "lines")

    # What each operator types.
    vkey = corelia.telcon("witness", "key").strip()
    url = f"http://127.0.0.1:{three.public['corelia']}/witness"
    cards, logs = [], {}
    for name, peer in (("arcadia", borealis), ("borealis", arcadia)):
        card = tmp_path / f"{name}.card"
        answer = three.ask(name, "card", peer=peer.party.node)
        card.write_text(answer["card"])
        cards.append(f"--card={card}")
        logs[name] = parse_key_card(card.read_bytes()).log
        three.ask("corelia", "witness-admit", vkey=format_vkey(logs[name]))
        three.ask(name, "line-witness-add", peer=peer.party.node, vkey=vkey, url=url)
    size = three.ask("arcadia", "lines")["lines"][0]["own_size"]
    for name, peer in (("arcadia", borealis), ("borealis", arcadia)):
        three.wait(
            lambda answer: answer["witnesses"][0]["size"] > 0,
            name,
            "line-witness-list",
            peer=peer.party.node,
        )
    listed = arcadia.telcon("line", "witness", "list", "borealis.example")
    assert re.search(rf"^corelia.example/witness  signed {size} entries on ", listed)

    # What strangers can ask for, read by code that was written from the documents alone.
    published = arcadia.telcon("line", "publish", "borealis.example").splitlines()
    path = re.search(r"/line/[0-9a-f]{32}/checkpoint", published[0])
    assert path is not None
    assert published[1] == format_vkey(logs["arcadia"])
    status, note = three.get("arcadia", path[0])
    assert status == 200
    hashed = sha256(logs["arcadia"].name.encode()).hexdigest()
    status, witnessed = three.get("corelia", f"/witness/{hashed}/checkpoint")
    assert status == 200
    for one in (note, witnessed):
        assert open_checkpoint(one, VerifierKey.parse(published[1]))[0] == size
        open_cosignature(one, cosignature_in(one, VerifierKey.parse(vkey)), VerifierKey.parse(vkey))
    assert three.get("arcadia", "/line/" + "0" * 32 + "/checkpoint")[0] == 404

    # A receipt, and a witness that dies.
    first = tmp_path / "first"
    arcadia.telcon("export", "--call", call, "--out", str(first))
    corelia.kill()
    later = asyncio.run(ring_and_cancel(arcadia))
    three.wait(all_held, "arcadia", "lines")
    three.wait(all_held, "borealis", "lines")
    second = tmp_path / "second"
    arcadia.telcon("export", "--call", later, "--out", str(second))
    assert arcadia.stop() == borealis.stop() == 0

    # What it had signed when it was killed it knows, by the same key.
    corelia.start()
    sizes = {one["origin"]: one["size"] for one in three.ask("corelia", "witness-list")["logs"]}
    assert sizes[logs["arcadia"].name] == size
    assert three.ask("corelia", "witness-key")["vkey"] == vkey

    words = "and 1 of 1 further witnesses saw the checkpoint by "
    status, said = verify(capfd, str(first), *cards, f"--witness={vkey}")
    assert (status, said.count(words)) == (0, 2)
    policy = first / "ours" / "policy.txt"
    receipt = next((first / "ours" / "receipts").glob("*call.ring.tlog-proof"))
    status, said = verify(capfd, str(receipt), f"--policy={policy}")
    assert (status, said.count(words)) == (0, 1)
    status, said = verify(capfd, str(second), *cards, f"--witness={vkey}")
    assert status == 0
    assert "and 0 of 1 further witnesses saw the checkpoint;" in said

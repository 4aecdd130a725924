"""What a peer with true keys claims and never was: audited, and on the page until it is cleared."""

from pathlib import Path

from fakes.two_nodes import wait_audited
from hostile.peer import PAGE, HostilePeer, node_in, run
from telcon.core import draft as drafts
from telcon.core.seal import Person, Text
from telcon.web.words import catalogue

EVE = Person("en", "Eve", "", "")


def message(text: str) -> drafts.Draft:
    return drafts.message(EVE, EVE, Text("en", text))


def test_a_wrong_seen_root_is_audited_and_shown_also_after_a_restart(tmp_path: Path) -> None:
    async def attack() -> None:
        folder = tmp_path / "arcadia"
        async with node_in(folder) as node:
            eve = await HostilePeer(tmp_path, node).pair(tmp_path)
            size, _ = eve.seen
            eve.write(message("before you signed this"), seen=(size, b"\x66" * 32))
            await eve.flush()
            audited = await wait_audited(node, "audit.line.wrong-seen")
            assert eve.log.origin in audited
            assert trouble(node.desk.snapshot(PAGE)) == "seen"
        async with node_in(folder) as node:
            assert trouble(node.desk.snapshot(PAGE)) == "seen"
        assert "another history" in catalogue()["trouble.seen"]

    run(attack())


def trouble(shown: dict[str, list[dict[str, str]]]) -> str:
    return shown["lines"][0]["trouble"]

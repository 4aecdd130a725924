"""Peers whose clock lies, or who hold nothing: what is exported of their calls claims no more."""

import json
from pathlib import Path

import pytest

from hostile.peer import CERTIFICATE, PAGE, HostilePeer, node_in, run
from telcon.cli import main
from telcon.cli.proof import _find_call
from telcon.core import draft as drafts
from telcon.ledger import format_key_card
from telcon.node.proof.steps import QUIET
from telcon.node.store import Store


def test_the_last_call_is_the_one_that_was_logged_last(tmp_path: Path) -> None:
    old, new = "a" * 32, "b" * 32

    async def attack() -> None:
        async with node_in(tmp_path / "arcadia") as node:
            eve = await HostilePeer(tmp_path, node).pair(tmp_path)
            await eve.act(eve.ring(old), time_us=2**53 - 1)
            await eve.act(drafts.cancel(old, (eve.log.origin, eve.log.size - 1)))
            await eve.act(eve.ring(new), time_us=0)

    run(attack())
    with Store.open_read_only(tmp_path / "arcadia") as store:
        assert _find_call(store, None, QUIET)[0] == new
        assert _find_call(store, old, QUIET)[0] == old


def test_a_ring_to_a_node_that_signs_nothing_is_shown_as_ours_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The link stands, the entry goes over it, and no word comes back."""
    folder, out, cards = tmp_path / "arcadia", tmp_path / "call", tmp_path / "card"

    async def attack() -> HostilePeer:
        async with node_in(folder) as node:
            eve = await HostilePeer(tmp_path, node).pair(tmp_path)
            eve.cosigns = False
            call = await eve.victim.board.acts.ring(PAGE, "audio", CERTIFICATE, None)
            await eve.until(lambda: call.encode() in eve.held.all_entries()[-1])
            return eve

    eve = run(attack())
    given = []
    for card in (eve.victim_card, eve.card(eve.line)):
        given += ["--card", f"{cards}-{card.name}"]
        Path(given[-1]).write_bytes(format_key_card(card))
    assert main(["--data", str(folder), "export", "--last", "--out", str(out)]) == 0
    assert (out / "ours" / "alone" / "000002-call.ring.tlog-proof").exists()
    said = json.loads((out / "call.json").read_text())["words"]
    assert "borealis.example is not shown to have held the ring" in said
    capsys.readouterr()
    assert main(["verify", *given, str(out)]) == main(["verify", str(out)]) == 1
    assert "nobody else is shown to have held it" in capsys.readouterr().out

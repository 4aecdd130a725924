"""A peer whose clock lies so that its old call is exported as the last one."""

from pathlib import Path

from hostile.peer import HostilePeer, node_in, run
from telcon.cli.proof import _find_call
from telcon.core import draft as drafts
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

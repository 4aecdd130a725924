"""Pairings under way: used once, by one; gone when confirmed or run out."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.disk import LINE, a_line
from telcon.errors import InvitationError
from telcon.node.store import InvitationRecord, Store
from telcon.node.store.invitations import (
    add_invitation,
    change_invitation,
    delete_expired_invitations,
    find_invitation,
    find_invitations,
    use_invitation,
)

HASH = b"\x05" * 32
EXPIRES_US = 600_000_000


def an_invitation(line: str = LINE, *, invited: bool = True) -> InvitationRecord:
    return InvitationRecord(
        line, invited, b"card", b"\x01" * 32, b"\x02" * 32, b"statement", HASH, EXPIRES_US
    )


def run(folder: Path, test: Callable[[Store], Awaitable[None]]) -> None:
    async def main() -> None:
        store = Store.open(folder)
        await store.commit(lambda connection: add_invitation(connection, an_invitation()))
        try:
            await test(store)
        finally:
            await store.close()

    asyncio.run(main())


def held(store: Store) -> InvitationRecord | None:
    return store.read(lambda connection: find_invitation(connection, LINE))


async def use(store: Store, now_us: int = 1) -> InvitationRecord:
    return await store.commit(lambda connection: use_invitation(connection, HASH, now_us))


def test_an_invitation_is_kept(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        assert held(store) == an_invitation()
        assert store.read(find_invitations) == [an_invitation()]

    run(tmp_path, test)


def test_an_invitation_shows_no_seed() -> None:
    assert "seed" not in repr(an_invitation())


def test_of_two_uses_at_once_one_gets_it(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        results = await asyncio.gather(*(use(store) for _ in range(5)), return_exceptions=True)
        assert [one for one in results if isinstance(one, InvitationRecord)] == [held(store)]
        refused = [str(one) for one in results if isinstance(one, InvitationError)]
        assert refused == ["the invitation is used already"] * 4

    run(tmp_path, test)


def test_an_invitation_runs_out(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        with pytest.raises(InvitationError, match="expired") as caught:
            await use(store, EXPIRES_US)
        assert "new invitation" in caught.value.advice()
        assert (await use(store, EXPIRES_US - 1)).used_at_us == EXPIRES_US - 1

    run(tmp_path, test)


def test_an_unknown_secret_is_refused(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        with pytest.raises(InvitationError, match="unknown"):
            await store.commit(lambda connection: use_invitation(connection, b"\x06" * 32, 1))

    run(tmp_path, test)


def test_the_accepting_side_has_nothing_to_use(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        accepting = replace(an_invitation("cd" * 16, invited=False), secret_hash=b"\x07" * 32)
        await store.commit(lambda connection: add_invitation(connection, accepting))
        with pytest.raises(InvitationError, match="unknown"):
            await store.commit(lambda connection: use_invitation(connection, b"\x07" * 32, 1))

    run(tmp_path, test)


def test_what_the_exchange_brought_is_kept(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        used = await use(store)
        paired = replace(used, peer_card=b"card", peer_statement=b"stated", words="a b c d e f")
        await store.commit(lambda connection: change_invitation(connection, paired))
        assert held(store) == paired
        foreign = replace(paired, line="00" * 16)
        with pytest.raises(InvitationError, match="unknown"):
            await store.commit(lambda connection: change_invitation(connection, foreign))

    run(tmp_path, test)


def test_a_confirmed_line_ends_the_pairing(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        await store.add_line(a_line())
        assert held(store) is None

    run(tmp_path, test)


def test_what_ran_out_is_forgotten_with_its_keys(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        assert await store.commit(lambda c: delete_expired_invitations(c, EXPIRES_US - 1)) == 0
        assert await store.commit(lambda c: delete_expired_invitations(c, EXPIRES_US)) == 1
        assert held(store) is None

    run(tmp_path, test)

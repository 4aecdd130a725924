"""One-time links and the sessions they open."""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from telcon.errors import SignInError
from telcon.node.people import PRINCIPAL, SESSION_LIFETIME_US, SignIn
from telcon.node.people.sign_in import LINK_LIFETIME_US
from telcon.node.store import Store

START_US = 1_767_225_600_000_000


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now_us = START_US

    def __call__(self) -> int:
        return self.now_us


class Bench:
    """Sign-in over a store, with a clock of its own."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = Clock()
        self.sign_in = SignIn(store, os.urandom, self.clock)

    async def signed_in(self) -> str:
        return await self.sign_in.redeem(await self.sign_in.make_link())

    def count(self, table: str) -> int:
        query = f"SELECT count(*) FROM {table}"
        return int(self.store.read(lambda c: c.exec_driver_sql(query).scalar_one()))


def run(folder: Path, test: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        store = Store.open(folder)
        try:
            await test(Bench(store))
        finally:
            await store.close()

    asyncio.run(main())


def test_a_link_opens_a_session(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        token = await bench.signed_in()
        assert bench.sign_in.who(token) == PRINCIPAL
        session = bench.sign_in.session(token)
        assert session is not None
        assert session.created_at_us == START_US
        assert session.expires_at_us == START_US + SESSION_LIFETIME_US

    run(tmp_path, test)


def test_secrets_are_long_and_never_alike(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        links = {await bench.sign_in.make_link() for _ in range(20)}
        assert {len(link) for link in links} == {22}  # 128 bits in base64url
        assert len(links) == 20
        assert len(await bench.sign_in.redeem(links.pop())) == 43  # 256 bits

    run(tmp_path, test)


def test_a_link_works_once(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        secret = await bench.sign_in.make_link()
        await bench.sign_in.redeem(secret)
        with pytest.raises(SignInError, match="used before") as caught:
            await bench.sign_in.redeem(secret)
        assert "telcon link" in caught.value.advice()

    run(tmp_path, test)


def test_of_two_posts_at_once_one_is_signed_in(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        secret = await bench.sign_in.make_link()
        results = await asyncio.gather(
            *(bench.sign_in.redeem(secret) for _ in range(10)), return_exceptions=True
        )
        assert len([one for one in results if isinstance(one, str)]) == 1
        assert len([one for one in results if isinstance(one, SignInError)]) == 9
        assert bench.count("session") == 1

    run(tmp_path, test)


def test_a_link_runs_out_after_15_minutes(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        early, late = await bench.sign_in.make_link(), await bench.sign_in.make_link()
        bench.clock.now_us += LINK_LIFETIME_US - 1
        await bench.sign_in.redeem(early)
        bench.clock.now_us += 1
        with pytest.raises(SignInError, match="expired"):
            await bench.sign_in.redeem(late)
        assert LINK_LIFETIME_US == 15 * 60 * 10**6

    run(tmp_path, test)


@pytest.mark.parametrize(
    "secret",
    ["", "short", "A" * 23, "A" * 21, "A" * 21 + "B", "A" * 21 + "ä", "\udcff" * 22, "=" * 22],
)
def test_what_no_link_can_be_costs_no_transaction(tmp_path: Path, secret: str) -> None:
    async def test(bench: Bench) -> None:
        before = bench.store.statistics().transactions
        with pytest.raises(SignInError, match="incomplete"):
            await bench.sign_in.redeem(secret)
        assert bench.store.statistics().transactions == before

    run(tmp_path, test)


def test_an_unknown_link_is_refused(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        with pytest.raises(SignInError, match="unknown"):
            await bench.sign_in.redeem("A" * 22)
        assert bench.count("session") == 0

    run(tmp_path, test)


def test_a_session_runs_out_after_30_days(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        token = await bench.signed_in()
        bench.clock.now_us += SESSION_LIFETIME_US - 1
        assert bench.sign_in.who(token) == PRINCIPAL
        bench.clock.now_us += 1
        assert bench.sign_in.who(token) is None
        assert SESSION_LIFETIME_US == 30 * 24 * 3_600 * 10**6

    run(tmp_path, test)


@pytest.mark.parametrize("token", ["", "A" * 43, "\udcff", "'; DROP TABLE session"])
def test_another_token_is_nobody(tmp_path: Path, token: str) -> None:
    async def test(bench: Bench) -> None:
        await bench.signed_in()
        assert bench.sign_in.who(token) is None

    run(tmp_path, test)


def test_signing_out_ends_this_session_alone(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        here, there = await bench.signed_in(), await bench.signed_in()
        await bench.sign_in.sign_out(here)
        await bench.sign_in.sign_out("unknown")
        assert (bench.sign_in.who(here), bench.sign_in.who(there)) == (None, PRINCIPAL)

    run(tmp_path, test)


def test_signing_out_everywhere_ends_all(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        tokens = [await bench.signed_in() for _ in range(3)]
        assert await bench.sign_in.sign_out_everywhere() == 3
        assert [bench.sign_in.who(token) for token in tokens] == [None] * 3

    run(tmp_path, test)


def test_sessions_outlive_the_node(tmp_path: Path) -> None:
    tokens: list[str] = []

    async def sign_in(bench: Bench) -> None:
        tokens.append(await bench.signed_in())

    async def look(bench: Bench) -> None:
        assert bench.sign_in.who(tokens[0]) == PRINCIPAL

    run(tmp_path, sign_in)
    run(tmp_path, look)


def test_no_secret_is_stored(tmp_path: Path) -> None:
    found: list[str] = []

    async def test(bench: Bench) -> None:
        found.append(await bench.sign_in.make_link())
        found.append(await bench.sign_in.redeem(found[0]))

    run(tmp_path, test)
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in found:
        assert secret.encode() not in stored
        assert hashlib.sha256(secret.encode()).digest() in stored


def test_what_ran_out_is_forgotten(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.signed_in()
        bench.clock.now_us += SESSION_LIFETIME_US
        await bench.sign_in.make_link()
        assert (bench.count("session"), bench.count("sign_in_link")) == (0, 1)

    run(tmp_path, test)

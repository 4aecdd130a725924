"""A lost device: the operator signs everybody out."""

import asyncio
from pathlib import Path

import pytest

from fakes.two_nodes import ask, audited, two_nodes, until
from telcon.errors import OperatorError


def test_no_session_is_left_and_the_audit_file_says_how_many_were(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as both:
            sign_in = both.arcadia.sign_in
            token = await sign_in.redeem(await sign_in.make_link())
            assert (await ask(both.arcadia, "sign-out", name="Adrian Rey"))["sessions"] == 1
            assert sign_in.who(token) is None
            await until(lambda: bool(audited(both.arcadia, "audit.web.signed-out")))

    asyncio.run(run())


def test_a_wrong_name_signs_nobody_out(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as both:
            sign_in = both.arcadia.sign_in
            token = await sign_in.redeem(await sign_in.make_link())
            with pytest.raises(OperatorError, match="nobody here"):
                await ask(both.arcadia, "sign-out", name="Elena Voss")
            assert sign_in.who(token) is not None

    asyncio.run(run())

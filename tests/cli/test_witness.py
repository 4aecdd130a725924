"""Witnesses as an operator names them: what is typed, what is read."""

import asyncio
from pathlib import Path

import pytest

from cli.test_with_a_node import telcon
from fakes.two_nodes import line_of, two_nodes
from telcon.ledger import (
    COSIGNATURE_ED25519,
    ED25519,
    SigningKey,
    VerifierKey,
    format_vkey,
    log_origin,
)

LOG = VerifierKey(log_origin("delia.example", "0" * 32), ED25519, SigningKey(bytes(32)).public)
NOBODY = "http://127.0.0.1:9/witness"  # the port "discard": nobody listens


def test_operators_name_logs_and_witnesses(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as both:
            arcadia, line = both.arcadia, line_of(both.arcadia).identity.line

            async def says(*arguments: str, status: int = 0) -> str:
                assert await telcon(arcadia, *arguments) == status
                printed = capfd.readouterr()
                return printed.err if status else printed.out

            capfd.readouterr()
            assert LOG.name not in await says("witness", "list")
            admitted = await says("witness", "admit", format_vkey(LOG))
            assert f"{LOG.name} is witnessed from now on, from 0 entries" in admitted
            assert f"{LOG.name}  0 entries\n" in await says("witness", "list")
            assert "no more" in await says("witness", "remove", LOG.name)
            assert "witnessed no more" in await says("witness", "list")
            assert "telcon witness list" in await says("witness", "remove", "x", status=2)
            own = (await says("witness", "key")).strip()
            assert own == format_vkey(arcadia.witnessing.vkey)

            to = "borealis.example"
            assert "No further witness" in await says("line", "witness", "list", to)
            refused = await says("line", "witness", "add", to, own, NOBODY, status=2)
            assert "one of the two sides" in refused
            for number, name in enumerate(("corelia.example/witness", "delia.example/witness")):
                key = SigningKey(bytes([number]) * 32).public
                vkey = format_vkey(VerifierKey(name, COSIGNATURE_ED25519, key))
                assert "Named" in await says("line", "witness", "add", to, vkey, NOBODY + "/")
            assert "should bear 2" in await says("line", "witness", "need", to, "2")
            assert "not 3" in await says("line", "witness", "need", to, "3", status=2)
            listed = await says("line", "witness", "list", to)
            assert f"corelia.example/witness  has signed nothing yet  {NOBODY}\n" in listed
            assert "A receipt should bear 2 of these 2." in listed
            assert "not published" in listed
            gone = await says("line", "witness", "remove", to, "delia.example/witness")
            assert "asked no more" in gone
            assert "should bear 1 of these 1" in await says("line", "witness", "list", to)

            published = await says("line", "publish", to)
            assert f"/line/{line}/checkpoint" in published
            assert "Nobody can reach it yet" in published
            assert "is published" in await says("line", "witness", "list", to)
            assert "Nobody" in await says("line", "unpublish", to)
            for command in ("publish", "unpublish"):
                assert "telcon line list" in await says("line", command, "x.example", status=2)

    asyncio.run(run())

"""ML-DSA-44 between two real nodes, and a line of the time before it in a database of that time."""

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

from fakes.two_nodes import TwoNodes, line_of, on_two_nodes, until
from telcon.ledger import format_key_card, mirror_policy, parse_key_card, verify_checkpoint
from telcon.node.assembly import Node
from telcon.node.line import Line
from telcon.node.store.cipher import OPENINGS_KEY, OpeningCipher, load_openings_key
from telcon.node.store.engine import DATABASE

SEEDS = ("log_ml_dsa_seed", "mirror_ml_dsa_seed")


def is_seconded(line: Line) -> bool:
    machine = line.machine
    return machine.waiting == 0 and machine.seconded_by_peer == machine.cosigned_by_peer > 0


def logs_held(both: TwoNodes, line: Line) -> list[bytes | None]:
    """Our newest checkpoint with all signatures, as each of the two nodes has stored it."""
    index, origin = line.machine.cosigned_by_peer - 1, line.identity.own_card.log.name
    found = [node.store.stored_log(origin).seconded_note_over(index) for node in both.nodes]
    return [None if one is None else one[1] for one in found]


@on_two_nodes
async def test_new_lines_sign_with_ml_dsa_too_and_both_nodes_keep_it(both: TwoNodes) -> None:
    page = both.phone(both.arcadia)
    await page.do("message", line=page.line, text="words", tag="t", lang="en")
    for node in both.nodes:
        line = line_of(node)
        await until(lambda: is_seconded(line) and None not in logs_held(both, line))  # noqa: B023
        own, peer = line.identity.own_card, line.identity.peer_card
        assert own.log_ml_dsa is not None
        assert peer.mirror_ml_dsa is not None
        ours, theirs = logs_held(both, line)
        assert ours is not None
        assert ours == theirs
        for log, mirror in ((own.log, peer.mirror), (own.log_ml_dsa, peer.mirror_ml_dsa)):
            verified = verify_checkpoint(ours, mirror_policy(log, mirror))
            assert verified.checkpoint.size == line.machine.cosigned_by_peer
    before = line_of(both.arcadia).machine.seconded_by_peer
    await both.restart(both.arcadia)
    assert line_of(both.arcadia).machine.seconded_by_peer == before


NEWER_TABLES = (
    "seconded",
    "witness_cosignature",
    "line_witness",
    "line_public",
    "witness_refused",
    "witnessed",
    "house_pin",
    "house_note",
    "house_opening",
    "house_entry",
    "house_log",
    "left_out",
)
"""What came after the revision to which `make_old` goes back; those that refer to others first."""


def make_old(folder: Path) -> None:
    """Bring a node's database to the form that it had before, with key cards of version 1."""
    connection = sqlite3.connect(folder / DATABASE)
    with connection:
        ((line, *cards),) = connection.execute("SELECT line, own_card, peer_card FROM line")
        first = [
            format_key_card(replace(parse_key_card(card), log_ml_dsa=None, mirror_ml_dsa=None))
            for card in cards
        ]
        connection.execute(
            "UPDATE line SET own_card = ?, peer_card = ? WHERE line = ?", (*first, line)
        )
        for table in ("line", "invitation"):
            for seed in SEEDS:
                connection.execute(f"ALTER TABLE {table} DROP COLUMN {seed}")
        for column in ("path", "acknowledged"):
            connection.execute(f"ALTER TABLE evidence DROP COLUMN {column}")
        for table in NEWER_TABLES:
            connection.execute(f"DROP TABLE {table}")
        decrypt(connection, OpeningCipher(load_openings_key(folder)))
        connection.execute("UPDATE alembic_version SET version_num = '0003'")
    connection.close()
    (folder / "keys" / OPENINGS_KEY).unlink()


def decrypt(connection: sqlite3.Connection, cipher: OpeningCipher) -> None:
    """Bring the openings of the line's logs to the form in which they stood in clear."""
    rows = connection.execute("SELECT house, log, position, member, sealed FROM opening")
    clear = []
    for house, log, position, member, sealed in rows:
        opening = cipher.open("opening", log, position, member, sealed)
        clear.append((house, log, position, member, opening.key, opening.content))
    connection.execute("DROP TABLE opening")
    connection.execute(
        "CREATE TABLE opening (house TEXT NOT NULL, log INTEGER, position BIGINT, member TEXT,"
        " key BLOB NOT NULL, content BLOB NOT NULL, PRIMARY KEY (log, position, member),"
        " FOREIGN KEY (log, position) REFERENCES entry (log, position)) WITHOUT ROWID"
    )
    connection.executemany("INSERT INTO opening VALUES (?, ?, ?, ?, ?, ?)", clear)


@on_two_nodes
async def test_a_line_of_first_cards_in_an_old_database_goes_on(both: TwoNodes) -> None:
    await asyncio.gather(both.arcadia.close(), both.borealis.close())
    for node in both.nodes:
        make_old(node.folder)
    both.arcadia = await Node.start(both.arcadia.folder, both.clock)
    both.borealis = await Node.start(both.borealis.folder, both.clock)
    await both.up()
    page = both.phone(both.arcadia)
    await page.do("message", line=page.line, text="words", tag="t", lang="en")
    line = line_of(both.arcadia)
    await until(lambda: line.machine.waiting == 0)
    assert b"v1" in format_key_card(line.identity.own_card)
    assert not line.identity.has_ml_dsa
    assert line.machine.seconded_by_peer == 0

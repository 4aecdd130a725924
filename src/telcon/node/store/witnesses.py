"""What of a line outsiders see, as rows: whether it is published, its witnesses, what they signed.

Functions take a connection, as in `telcon.node.store.records`. What the rows mean is said in
`telcon.node.witnesses`.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from telcon.node.store import tables
from telcon.node.store.tables import HOUSE

__all__ = [
    "LinePublic",
    "LineWitness",
    "WitnessCosignature",
    "add_cosignature",
    "add_witness",
    "find_cosignatures",
    "find_newest_cosigned",
    "find_public",
    "find_witnessed_size_over",
    "find_witnesses",
    "remove_witness",
    "set_public",
]


@dataclass(frozen=True, slots=True)
class LinePublic:
    """What of a line outsiders see."""

    published: bool = False
    """Whether who knows the line may ask for our log's checkpoint."""
    needed: int = 1
    """How many of its witnesses a receipt should bear, if the line has that many."""


@dataclass(frozen=True, slots=True)
class LineWitness:
    """A further witness of our log of a line."""

    vkey: str
    url: str
    """Its submission prefix."""
    added_at_us: int


@dataclass(frozen=True, slots=True)
class WitnessCosignature:
    """A verified cosignature by a further witness."""

    vkey: str
    size: int
    signature: bytes
    """The whole line with its LF."""
    time_s: int
    """On the witness's clock."""


def find_public(connection: Connection, line: str) -> LinePublic:
    """Return what of `line` outsiders see."""
    table = tables.line_public
    row = connection.execute(select(table).where(table.c.line == line)).first()
    return LinePublic(row.published, row.needed) if row is not None else LinePublic()


def set_public(connection: Connection, line: str, public: LinePublic) -> None:
    """Store what of `line` outsiders see."""
    values = {"published": public.published, "needed": public.needed}
    connection.execute(
        insert(tables.line_public)
        .values(house=HOUSE, line=line, **values)
        .on_conflict_do_update(index_elements=["line"], set_=values)
    )


def find_witnesses(connection: Connection, line: str) -> list[LineWitness]:
    """Return the further witnesses of our log of `line`, in the order in which they were added."""
    table = tables.line_witness
    query = select(table).where(table.c.line == line).order_by(table.c.added_at_us, table.c.vkey)
    return [LineWitness(row.vkey, row.url, row.added_at_us) for row in connection.execute(query)]


def add_witness(connection: Connection, line: str, witness: LineWitness) -> None:
    """Store a witness; of one that is there already the address is changed."""
    connection.execute(
        insert(tables.line_witness)
        .values(
            house=HOUSE,
            line=line,
            vkey=witness.vkey,
            url=witness.url,
            added_at_us=witness.added_at_us,
        )
        .on_conflict_do_update(index_elements=["line", "vkey"], set_={"url": witness.url})
    )


def remove_witness(connection: Connection, line: str, vkey: str) -> bool:
    """Forget a witness, not what it signed; return false if it was none."""
    table = tables.line_witness
    gone = delete(table).where(table.c.line == line, table.c.vkey == vkey)
    return connection.execute(gone).rowcount == 1


# -- what they signed; `log` is the id of our log


def add_cosignature(connection: Connection, log: int, cosignature: WitnessCosignature) -> None:
    """Store a verified cosignature; the first by one key over one size stays."""
    connection.execute(
        insert(tables.witness_cosignature)
        .values(
            house=HOUSE,
            log=log,
            size=cosignature.size,
            vkey=cosignature.vkey,
            signature=cosignature.signature,
            time_s=cosignature.time_s,
        )
        .on_conflict_do_nothing()
    )


def find_cosignatures(connection: Connection, log: int, size: int) -> list[WitnessCosignature]:
    """Return all over the checkpoint of exactly `size`, by key."""
    table = tables.witness_cosignature
    query = select(table).where(table.c.log == log, table.c.size == size).order_by(table.c.vkey)
    rows = connection.execute(query)
    return [WitnessCosignature(row.vkey, row.size, row.signature, row.time_s) for row in rows]


def find_newest_cosigned(connection: Connection, log: int, vkey: str) -> WitnessCosignature | None:
    """Return the newest by one key; None if there is none."""
    table = tables.witness_cosignature
    query = select(table).where(table.c.log == log, table.c.vkey == vkey)
    row = connection.execute(query.order_by(table.c.size.desc()).limit(1)).first()
    if row is None:
        return None
    return WitnessCosignature(row.vkey, row.size, row.signature, row.time_s)


def find_witnessed_size_over(
    connection: Connection, log: int, index: int, vkeys: Collection[str], needed: int
) -> int | None:
    """Return the least size over entry `index` that `needed` of `vkeys` cosigned, if there is."""
    table = tables.witness_cosignature
    query = (
        select(table.c.size)
        .where(table.c.log == log, table.c.size > index, table.c.vkey.in_(vkeys))
        .group_by(table.c.size)
        .having(func.count() >= needed)
        .order_by(table.c.size)
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()

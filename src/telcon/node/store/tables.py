"""The tables, as SQLAlchemy Core sees them. `migrations` makes them; a test holds the two together.

Each table has a `house` id, one constant in version 1, so that several houses can share a database
later. Times are integer microseconds UTC, hashes and keys raw octets. The tables that grow with
every message are clustered by their key (no rowid): one appended page each per commit, and no
second tree to write.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

__all__ = [
    "HOUSE",
    "METADATA",
    "entry",
    "evidence",
    "invitation",
    "line",
    "log",
    "note",
    "opening",
    "recording",
    "session",
    "sign_in_link",
    "waking",
]

# The one house of version 1.
HOUSE = "house"

METADATA = MetaData()


def _house() -> Column[str]:
    return Column("house", Text, nullable=False)


line = Table(
    "line",
    METADATA,
    _house(),
    Column("line", Text, primary_key=True),  # 32 hex digits
    Column("own_name", Text, nullable=False),
    Column("peer_name", Text, nullable=False),
    Column("own_card", LargeBinary, nullable=False),
    Column("peer_card", LargeBinary, nullable=False),
    Column("log_seed", LargeBinary, nullable=False),  # secret
    Column("mirror_seed", LargeBinary, nullable=False),  # secret
    Column("own_statement", LargeBinary, nullable=False),
    Column("peer_statement", LargeBinary, nullable=False),
    Column("peer_lang", Text, nullable=False),
    Column("peer_person", Text, nullable=False),
    Column("peer_office", Text, nullable=False),
    Column("peer_organisation", Text, nullable=False),
    Column("peer_addresses", Text, nullable=False),  # JSON list of "host:port"
    Column("link_lost", Text, nullable=False),
    Column("confirmed_at_us", BigInteger, nullable=False),
)

log = Table(
    "log",
    METADATA,
    _house(),
    Column("id", Integer, primary_key=True),
    Column("line", Text, ForeignKey("line.line"), nullable=False),
    Column("origin", Text, nullable=False, unique=True),
    Column("own", Boolean, nullable=False),
)

# `hashes`: the perfect subtrees this leaf completes, level 0 first, 32 octets each. So the hash
# (level, j) stands in the row (j + 1) * 2**level - 1 at offset 32 * level, and the tree needs no
# table of its own.
entry = Table(
    "entry",
    METADATA,
    _house(),
    Column("log", Integer, ForeignKey("log.id"), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# Apart from the entries, so that content can be destroyed while the proof that it was sealed stays.
opening = Table(
    "opening",
    METADATA,
    _house(),
    Column("log", Integer, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("member", Text, primary_key=True),
    Column("key", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    ForeignKeyConstraint(["log", "position"], ["entry.log", "entry.position"]),
    sqlite_with_rowid=False,
)

note = Table(
    "note",
    METADATA,
    _house(),
    Column("log", Integer, ForeignKey("log.id"), primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
    Column("cosigned", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

evidence = Table(
    "evidence",
    METADATA,
    _house(),
    Column("id", Integer, primary_key=True),
    Column("line", Text, ForeignKey("line.line"), nullable=False),
    Column("first", LargeBinary, nullable=False),
    Column("second", LargeBinary, nullable=False),
    Column("path", LargeBinary),  # where the sizes differ: hashes of 32 octets, as in ledger.Fork
    Column("acknowledged", LargeBinary),  # the operator's reason, as sealed; NULL until given
    UniqueConstraint("line", "first", "second"),
)

recording = Table(
    "recording",
    METADATA,
    _house(),
    Column("call", Text, primary_key=True),  # 32 hex digits
    Column("origin", Text, ForeignKey("log.origin"), primary_key=True),
    Column("track", Integer, primary_key=True, autoincrement=False),
    Column("path", Text, nullable=False),  # relative to the node's folder
    Column("opened_at_us", BigInteger, nullable=False),
    Column("sha256", LargeBinary),  # NULL while open
    Column("size_octets", BigInteger),  # NULL while open
)

session = Table(
    "session",
    METADATA,
    _house(),
    Column("id", Integer, primary_key=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("created_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger, nullable=False),
)

# A browser that is woken when it rings; goes with its session.
waking = Table(
    "waking",
    METADATA,
    _house(),
    Column("session", Integer, ForeignKey("session.id", ondelete="CASCADE"), primary_key=True),
    Column("endpoint", Text, nullable=False, unique=True),  # secret
    Column("key", LargeBinary, nullable=False),
    Column("auth", LargeBinary, nullable=False),  # secret
)

sign_in_link = Table(
    "sign_in_link",
    METADATA,
    _house(),
    Column("secret_hash", LargeBinary, primary_key=True),
    Column("expires_at_us", BigInteger, nullable=False),
    Column("used_at_us", BigInteger),  # NULL until used
)

# A pairing under way, on either side; gone once its line is confirmed.
invitation = Table(
    "invitation",
    METADATA,
    _house(),
    Column("line", Text, primary_key=True),
    Column("invited", Boolean, nullable=False),  # true on the side that wrote the invitation
    Column("own_card", LargeBinary, nullable=False),
    Column("log_seed", LargeBinary, nullable=False),  # secret
    Column("mirror_seed", LargeBinary, nullable=False),  # secret
    Column("own_statement", LargeBinary, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("expires_at_us", BigInteger, nullable=False),
    Column("used_at_us", BigInteger),  # NULL until the secret was shown once
    Column("peer_card", LargeBinary),  # NULL, as the two below, until the exchange
    Column("peer_statement", LargeBinary),
    Column("words", Text),  # six, with spaces between: what the people compare
)

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
    "house_entry",
    "house_log",
    "house_note",
    "house_opening",
    "house_pin",
    "invitation",
    "keeper",
    "left_out",
    "line",
    "line_public",
    "line_witness",
    "log",
    "note",
    "opening",
    "recording",
    "seconded",
    "session",
    "sign_in_link",
    "waking",
    "witness_cosignature",
    "witness_refused",
    "witnessed",
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
    Column("log_ml_dsa_seed", LargeBinary),  # secret; NULL, as below, where a card is of version 1
    Column("mirror_ml_dsa_seed", LargeBinary),  # secret
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
    Column("sealed", LargeBinary, nullable=False),  # encrypted, see cipher
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

# Checkpoints that bear ML-DSA-44 signatures of both sides too. Apart from `note`, which is written
# with every message: such a row takes seven thousand octets.
seconded = Table(
    "seconded",
    METADATA,
    _house(),
    Column("log", Integer, ForeignKey("log.id"), primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
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

# Packets of the other side that came while our recorder was switched off: never to be asked for.
# Track 0 stands for each track that has no row of its own.
left_out = Table(
    "left_out",
    METADATA,
    _house(),
    Column("call", Text, primary_key=True),
    Column("origin", Text, ForeignKey("log.origin"), primary_key=True),
    Column("track", Integer, primary_key=True, autoincrement=False),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
)

# Whoever opens the records of a line; its private key is nowhere here.
keeper = Table(
    "keeper",
    METADATA,
    _house(),
    Column("line", Text, ForeignKey("line.line"), primary_key=True),
    Column("public", LargeBinary, primary_key=True),
    Column("added_at_us", BigInteger, nullable=False),
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
    Column("log_ml_dsa_seed", LargeBinary),  # secret; NULL once it has failed
    Column("mirror_ml_dsa_seed", LargeBinary),  # secret
)

# -- Witnesses.

# A log of somebody else that this node witnesses, or once did: how far it has cosigned is never
# forgotten, or it could cosign a second history.
witnessed = Table(
    "witnessed",
    METADATA,
    _house(),
    Column("origin", Text, primary_key=True),
    Column("vkey", Text, nullable=False),
    Column("admitted", Boolean, nullable=False),
    Column("size", BigInteger, nullable=False),  # as last cosigned; 0 if never
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary),  # with the log's own signature; NULL until the first
)

# Requests that were signed and refused, and may prove that their log forked.
witness_refused = Table(
    "witness_refused",
    METADATA,
    _house(),
    Column("id", Integer, primary_key=True),
    Column("origin", Text, ForeignKey("witnessed.origin"), nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("held", LargeBinary),  # the note that it did not fit; NULL if there was none
    Column("came_at_us", BigInteger, nullable=False),
    UniqueConstraint("origin", "request"),
)

# What of a line outsiders may see; no row: nothing.
line_public = Table(
    "line_public",
    METADATA,
    _house(),
    Column("line", Text, ForeignKey("line.line"), primary_key=True),
    Column("published", Boolean, nullable=False),
    Column("needed", Integer, nullable=False),  # how many of its witnesses a receipt should bear
)

line_witness = Table(
    "line_witness",
    METADATA,
    _house(),
    Column("line", Text, ForeignKey("line.line"), primary_key=True),
    Column("vkey", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("added_at_us", BigInteger, nullable=False),
)

# Beside the note of that size: what goes over the link stays as the two sides made it.
witness_cosignature = Table(
    "witness_cosignature",
    METADATA,
    _house(),
    Column("log", Integer, primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("vkey", Text, primary_key=True),
    Column("signature", LargeBinary, nullable=False),  # the whole line, verified
    Column("time_s", BigInteger, nullable=False),
    ForeignKeyConstraint(["log", "size"], ["note.log", "note.size"]),
    sqlite_with_rowid=False,
)

# -- House logs.

# This node's own house logs, the newest last; all but that one have ended.
house_log = Table(
    "house_log",
    METADATA,
    _house(),
    Column("id", Integer, primary_key=True),
    Column("origin", Text, nullable=False, unique=True),
    Column("seed", LargeBinary, nullable=False),  # secret
    Column("opened_at_us", BigInteger, nullable=False),
    Column("ended", Text),  # why nothing of it is signed any more; NULL while it is
)

# As `entry`, `opening` and `note` of the logs of lines.
house_entry = Table(
    "house_entry",
    METADATA,
    _house(),
    Column("log", Integer, ForeignKey("house_log.id"), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

house_opening = Table(
    "house_opening",
    METADATA,
    _house(),
    Column("log", Integer, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("member", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),  # encrypted, see cipher
    ForeignKeyConstraint(["log", "position"], ["house_entry.log", "house_entry.position"]),
    sqlite_with_rowid=False,
)

house_note = Table(
    "house_note",
    METADATA,
    _house(),
    Column("log", Integer, ForeignKey("house_log.id"), primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
    Column("cosigned", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

# The keys to which the other node's house log and cosignatures are held, as it first stated them.
house_pin = Table(
    "house_pin",
    METADATA,
    _house(),
    Column("line", Text, ForeignKey("line.line"), primary_key=True),
    Column("log_vkey", Text, nullable=False),
    Column("witness_vkey", Text, nullable=False),
    Column("pinned_at_us", BigInteger, nullable=False),
)

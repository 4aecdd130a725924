"""What lies on a node's disk, read by code that shares nothing with the ledger.

Both logs are hashed anew (RFC 6962) and held against the newest cosigned checkpoints; records are
opened, and their files held against what the store says of them.
"""

import base64
import json
import sqlite3
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from telcon.node.media.oggopus import parse_ogg_opus_untrusted
from telcon.node.record.place import RecordPlace
from telcon.node.record.rendering import render_recorded

Place = tuple[str, int]  # a log's origin, and where in it


@dataclass
class Held:
    """What was acknowledged to the people outside."""

    messages: dict[str, str] = field(default_factory=dict)
    """Place in a log, and its text."""
    acts: list[tuple[str, str]] = field(default_factory=list)
    """Call, and the type of an entry of it."""
    covered: dict[Place, int] = field(default_factory=dict)
    """A call's track: how many packets the chunks that were signed by both cover."""


@dataclass
class Disk:
    """What a node holds."""

    logs: dict[str, list[bytes]]
    texts: dict[str, str]
    """By place, what the opening `text` of a message says."""

    def require(self, held: Held) -> None:
        """Find all that was acknowledged."""
        missing = {place for place, text in held.messages.items() if self.texts.get(place) != text}
        assert not missing, f"acknowledged messages are lost: {missing}"
        acts = set(self.acts())
        lost = [act for act in held.acts if act not in acts]
        assert not lost, f"acknowledged acts are lost: {lost}"

    def acts(self) -> list[tuple[str, str]]:
        """Return call and type of every entry that bears a call, of both logs."""
        datas = [data for log in self.logs.values() for data in log if b'"call":"' in data]
        return [(entry["call"], entry["type"]) for entry in map(json.loads, datas)]


def rows(folder: Path, query: str, *values: Any) -> list[Any]:
    """Return what a query finds in a node's database, beside the running node."""
    database = sqlite3.connect(f"file:{folder / 'telcon.db'}?mode=ro", uri=True)
    try:
        return database.execute(query, values).fetchall()
    finally:
        database.close()


def held_by(folder: Path) -> Disk:
    """Read both logs of the node's only line, and the texts of their messages."""
    logs = {
        origin: [bytes(data) for (data,) in rows(folder, ENTRIES, number)]
        for number, origin in rows(folder, "SELECT id, origin FROM log ORDER BY origin")
    }
    key = bytes.fromhex((folder / "keys" / "openings.key").read_text())
    texts = {
        f"{origin}#{position}": json.loads(_opened(key, number, position, sealed))["text"]
        for origin, number, position, sealed in rows(folder, TEXTS)
    }
    return Disk(logs, texts)


ENTRIES = "SELECT data FROM entry WHERE log = ? ORDER BY position"
TEXTS = (
    "SELECT log.origin, log.id, opening.position, opening.sealed FROM opening"
    " JOIN log ON log.id = opening.log WHERE opening.member = 'text'"
)


def _opened(key: bytes, log: int, position: int, sealed: bytes) -> bytes:
    """Return what a message says, by the format that `telcon.node.store.cipher` states."""
    bound = b"\0".join([b"telcon opening v1", b"opening", b"%d" % log, b"%d" % position, b"text"])
    return AESGCM(key).decrypt(sealed[:12], sealed[12:], bound)[32:]


def open_recordings(folder: Path) -> int:
    """Return how many recordings are not closed yet."""
    return int(rows(folder, "SELECT count(*) FROM recording WHERE sha256 IS NULL")[0][0])


def require_whole(folder: Path) -> None:
    """Prove that nothing in a node's folder is half-written, while no call goes on."""
    assert rows(folder, "PRAGMA integrity_check") == [("ok",)]
    assert rows(folder, "PRAGMA foreign_key_check") == []
    _require_cosigned(folder)
    half = [path for path in folder.rglob("*") if path.name.endswith((".partial", ".tmp"))]
    assert half == []
    _require_recordings(folder)


def _require_cosigned(folder: Path) -> None:
    """Hold each log's root, computed here, against its newest cosigned checkpoint."""
    for number, origin in rows(folder, "SELECT id, origin FROM log"):
        ((size, note),) = rows(
            folder,
            "SELECT size, note FROM note WHERE log = ? AND cosigned ORDER BY size DESC LIMIT 1",
            number,
        )
        datas = [bytes(data) for (data,) in rows(folder, ENTRIES, number)]
        lines = bytes(note).decode().split("\n")
        assert (lines[0], int(lines[1])) == (origin, size)
        assert base64.b64decode(lines[2]) == root(datas[:size])
        assert bytes(note).count("\n— ".encode()) == 2  # its author's and its mirror's


def _require_recordings(folder: Path) -> None:
    """Hash every recording that was closed; each plays to its end."""
    query = "SELECT path, origin, track, sha256, size_octets FROM recording"
    for path, origin, number, digest, size in rows(folder, query):
        assert digest is not None, f"{path} was left open"
        if size == 0:
            continue
        journal = RecordPlace(folder, path).read()
        data = b"".join(render_recorded(journal, (origin, number)))
        assert (sha256(data).digest(), len(data)) == (digest, size), path
        parse_ogg_opus_untrusted(data)


def root(datas: list[bytes]) -> bytes:
    """Return the root of RFC 6962 over `datas`, by its definition."""
    if len(datas) == 1:
        return sha256(b"\x00" + datas[0]).digest()
    split = 1 << (len(datas) - 1).bit_length() - 1
    return sha256(b"\x01" + root(datas[:split]) + root(datas[split:])).digest()

"""Entries and seals, written from docs/protocol.md §2 and §3."""

import hmac
import json
import os
import re
import time
from dataclasses import dataclass
from typing import Any

from stranger.tlog import ProtocolError, require

# The table of §2: `*` is a seal, `?` may be absent.
TYPES = {
    "line.opened": "cards previous",
    "line.terms": "types policy conditions link_lost",
    "line.test": "",
    "line.tested": "re",
    "line.frozen": "reason*",
    "line.acknowledged": "evidence reason*",
    "line.coverage": "since until? hours modes persons*",
    "call.ring": "call by mode track person* topic*? media*",
    "call.ringing": "call re devices",
    "call.answer": "call by re mode glare track person* media*",
    "call.decline": "call re reason*?",
    "call.cancel": "call re reason*?",
    "call.missed": "call re",
    "call.join": "call by role track person* media*",
    "call.leave": "call by",
    "call.mode": "call by mode",
    "call.record-on": "call track",
    "call.record-chunk": "call tracks key*",
    "call.record-gap": "call tracks",
    "call.record-held": "call re tracks",
    "call.record-agreed": "call tracks",
    "call.record-sealed": "call keepers",
    "call.record-destroyed": "call reason*",
    "call.record-off": "call track sha256 size reason*?",
    "call.hang-up": "call by",
    "call.fail": "call reason*",
    "message": "call? re? from* to* text*",
    "blank": "",
}
HEAD = "type v nonce time seen"
JSON_MEMBERS = {
    **dict.fromkeys(("person", "from", "to"), ("lang", "name", "office", "organisation")),
    **dict.fromkeys(("topic", "reason", "text"), ("lang", "text")),
    "persons": ("persons",),
    "media": ("node", "device", "trunk"),
}
Entry = dict[str, Any]


@dataclass(frozen=True)
class Opening:
    """What a seal hides, and its key."""

    member: str
    key: bytes
    content: bytes


def compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def seal(origin: str, kind: str, opening: Opening) -> str:
    parts = (b"telcon seal v1", origin.encode(), kind.encode(), opening.member.encode())
    message = b"\x00".join((*parts, opening.content))
    return hmac.new(opening.key, message, "sha256").hexdigest()


def sealed_members(kind: str) -> set[str]:
    """Return the members of a type that are seals."""
    words = TYPES[kind].split()
    return {word.rstrip("?*") for word in words if "*" in word}


def compose(
    origin: str, kind: str, seen: tuple[int, bytes], members: dict[str, Any]
) -> tuple[bytes, list[Opening]]:
    """Write an entry of `origin`; a member that is a seal is given as its content in bytes."""
    head = {
        "type": kind,
        "v": 1,
        "nonce": os.urandom(16).hex(),
        "time": time.time_ns() // 1000,
        "seen": [seen[0], seen[1].hex()],
    }
    openings = []
    for word in TYPES[kind].split():
        member = word.rstrip("?*")
        if member not in members and word.endswith("?"):
            continue
        value = members[member]
        if "*" in word:
            openings.append(Opening(member, os.urandom(32), value))
            value = seal(origin, kind, openings[-1])
        head[member] = value
    data = compact(head)
    require(read_entry(data) == head, "composed wrongly")
    return data, openings


def read_entry(data: bytes) -> Entry:
    """Read an entry, which must be canonical and of a type in the table."""
    require(len(data) <= 16_384, "too long")
    entry: Entry = json.loads(data)
    require(compact(entry) == data, f"not canonical: {data!r}")
    require(entry["type"] in TYPES and entry["v"] == 1, f"unknown type: {data!r}")
    words = (HEAD + " " + TYPES[entry["type"]]).split()
    present = [w.rstrip("?*") for w in words if not w.endswith("?") or w.rstrip("?*") in entry]
    require(list(entry) == present, f"members out of order: {data!r}")
    require(re.fullmatch("[0-9a-f]{32}", entry["nonce"]) is not None, "no nonce")
    return entry


def check_openings(origin: str, data: bytes, openings: list[Opening]) -> None:
    """Require exactly the openings that the entry's seals owe, all fitting."""
    entry = read_entry(data)
    owed = sealed_members(entry["type"]) & set(entry)
    require(owed == {opening.member for opening in openings}, f"openings missing: {data!r}")
    require(len(owed) == len(openings), "an opening twice")
    for opening in openings:
        require(len(opening.key) == 32 and len(opening.content) <= 8192, "length of an opening")
        sealed = seal(origin, entry["type"], opening)
        require(sealed == entry[opening.member], f"{opening.member} does not fit")
        read_content(opening)


def read_content(opening: Opening) -> dict[str, str]:
    """Read a sealed JSON content; the chunk key has none and gives an empty one."""
    if opening.member == "key":
        require(len(opening.content) == 32, "length of a chunk key")
        return {}
    content: dict[str, str] = json.loads(opening.content)
    if tuple(content) != JSON_MEMBERS[opening.member] or compact(content) != opening.content:
        raise ProtocolError(f"content not in its one spelling: {opening.content!r}")
    return content

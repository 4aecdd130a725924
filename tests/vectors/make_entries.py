"""Writes entries.json: one entry of every type and seals, spelt without telcon's own code.

The bytes are part of the protocol: a change to what this script writes is a change of the format,
and entries of the old form must stay readable. Run it only to add to the file:

    python tests/vectors/make_entries.py
"""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

LINE = "0123456789abcdef" * 2
ARCADIA = f"arcadia.example/line/{LINE}"
BOREALIS = f"borealis.example/line/{LINE}"
CALL = "c0ffee" + "0" * 26
RING, OWN_RING = [ARCADIA, 2], [BOREALIS, 2]

PERSON = '{"lang":"en","name":"Ada Example","office":"President","organisation":"Arcadia"}'
WORDS = '{"lang":"fr","text":"demain à midi"}'
MEDIA = f'{{"node":"{"a" * 64}","device":"{"b" * 64}","trunk":""}}'


def digest(what: str) -> str:
    return hashlib.sha256(what.encode()).hexdigest()


def head(kind: str, **named: Any) -> dict[str, Any]:
    nonce = digest(f"nonce {kind}")[:32]
    seen = [4, digest("root")]
    return {
        "type": kind,
        "v": 1,
        "nonce": nonce,
        "time": 1_790_000_000_123_456,
        "seen": seen,
    } | named


def seal(kind: str, member: str, content: bytes, origin: str = ARCADIA) -> dict[str, str]:
    key = hashlib.sha256(f"key {kind} {member}".encode()).digest()
    parts = (b"telcon seal v1", origin.encode(), kind.encode(), member.encode(), content)
    made = hmac.new(key, b"\0".join(parts), hashlib.sha256).hexdigest()
    return {
        "origin": origin,
        "type": kind,
        "member": member,
        "key": key.hex(),
        "content": content.hex() if member == "key" else content.decode(),
        "seal": made,
    }


SEALS = {
    (kind, member): seal(kind, member, content.encode())
    for kind, members in {
        "line.frozen": {"reason": WORDS},
        "line.acknowledged": {"reason": WORDS},
        "line.coverage": {"persons": f'{{"persons":[{PERSON}]}}'},
        "call.ring": {"person": PERSON, "topic": WORDS, "media": MEDIA},
        "call.answer": {"person": PERSON, "media": MEDIA},
        "call.decline": {"reason": WORDS},
        "call.cancel": {"reason": WORDS},
        "call.join": {"person": PERSON, "media": MEDIA},
        "call.record-off": {"reason": WORDS},
        "call.fail": {"reason": WORDS},
        "call.record-destroyed": {"reason": WORDS},
        "message": {"from": PERSON, "to": PERSON, "text": WORDS},
    }.items()
    for member, content in members.items()
} | {("call.record-chunk", "key"): seal("call.record-chunk", "key", bytes(range(32)))}


def sealed(kind: str, *members: str) -> dict[str, str]:
    return {member: SEALS[kind, member]["seal"] for member in members}


def act(kind: str, members: dict[str, Any], *, by: bool = False, re: Any = None) -> dict[str, Any]:
    named: dict[str, Any] = {"call": CALL}
    if by:
        named["by"] = "00112233445566ff"
    if re is not None:
        named["re"] = re
    return head(kind) | named | members


ENTRIES = [
    head("line.opened") | {"cards": [digest("card a"), digest("card b")], "previous": None},
    head("line.opened")
    | {"cards": [digest("card a"), digest("card b")], "previous": [ARCADIA, 9, digest("old root")]},
    head("line.terms")
    | {
        "types": [["blank", 1], ["call.ring", 1], ["message", 2]],
        "policy": "mirror",
        "conditions": [],
        "link_lost": "go on",
    },
    head("line.test"),
    head("line.tested") | {"re": [[BOREALIS, 3]]},
    head("line.frozen") | sealed("line.frozen", "reason"),
    head("line.acknowledged")
    | {"evidence": digest("a fork")}
    | sealed("line.acknowledged", "reason"),
    head("line.coverage")
    | {"since": 1_790_000_000_000_000, "hours": [[0, 10_080]], "modes": ["audio"]}
    | sealed("line.coverage", "persons"),
    head("line.coverage")
    | {
        "since": 1_790_000_000_000_000,
        "until": 1_800_000_000_000_000,
        "hours": [[480, 1_080], [1_920, 2_520]],
        "modes": ["transcript only", "existence only"],
    }
    | sealed("line.coverage", "persons"),
    act(
        "call.ring",
        {"mode": "audio", "track": 1} | sealed("call.ring", "person", "topic", "media"),
        by=True,
    ),
    act(
        "call.ring", {"mode": "audio", "track": 1} | sealed("call.ring", "person", "media"), by=True
    ),
    act("call.ringing", {"devices": 2}, re=[RING]),
    act(
        "call.answer",
        {"mode": "notes only", "glare": False, "track": 255}
        | sealed("call.answer", "person", "media"),
        by=True,
        re=[RING],
    ),
    act(
        "call.answer",
        {"mode": "existence only", "glare": True, "track": 1}
        | sealed("call.answer", "person", "media"),
        by=True,
        re=[RING, OWN_RING],
    ),
    act("call.decline", sealed("call.decline", "reason"), re=[RING]),
    act("call.decline", {}, re=[RING]),
    act("call.cancel", sealed("call.cancel", "reason"), re=[RING]),
    act("call.missed", {}, re=[RING]),
    act(
        "call.join",
        {"role": "duty officer", "track": 2} | sealed("call.join", "person", "media"),
        by=True,
    ),
    act("call.leave", {}, by=True),
    act("call.mode", {"mode": "transcript only"}, by=True),
    act("call.record-on", {"track": [BOREALIS, 1]}),
    act(
        "call.record-chunk",
        {"tracks": [[1, 0, 250, digest("chunk 1")], [2, 2**53 - 2, 1, digest("chunk 2")]]}
        | sealed("call.record-chunk", "key"),
    ),
    act("call.record-gap", {"tracks": [[1, 250, 1_500], [2, 0, 2**53 - 1]]}),
    act(
        "call.record-held",
        {
            "re": [[BOREALIS, 9]],
            "tracks": [
                [1, digest("chunk 1"), [[3, 1], [5, 20]], [], [[30, 2]]],
                [2, digest("chunk 2"), [], [[2**53 - 2, 1]], []],
            ],
        },
    ),
    act("call.record-agreed", {"tracks": [[ARCADIA, 1, 250, digest("chunk 1"), 3]]}),
    act("call.record-sealed", {"keepers": 2}),
    act("call.record-destroyed", sealed("call.record-destroyed", "reason")),
    act(
        "call.record-off",
        {"track": [ARCADIA, 1], "sha256": digest("file"), "size": 48_000}
        | sealed("call.record-off", "reason"),
    ),
    act("call.hang-up", {}, by=True),
    act("call.fail", sealed("call.fail", "reason")),
    head("message")
    | {"call": CALL, "re": [[BOREALIS, 7]]}
    | sealed("message", "from", "to", "text"),
    head("message") | sealed("message", "from", "to", "text"),
    head("blank"),
]


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def main() -> None:
    vectors = {"entries": [compact(entry) for entry in ENTRIES], "seals": list(SEALS.values())}
    path = Path(__file__).with_name("entries.json")
    path.write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

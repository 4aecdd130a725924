"""Key cards: what a node publishes of its keys for one line, docs/protocol.md §1.

One JSON object in one spelling, so that its hash names it. Others keep it and verify receipts
with it years later, without asking anyone.
"""

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from telcon.errors import MalformedError
from telcon.ledger._spelling import parse_hex
from telcon.ledger.note import COSIGNATURE_ED25519, ED25519, VerifierKey, format_vkey, parse_vkey

MAX_CARD_OCTETS: Final = 4096
MAX_NODE_NAME_OCTETS: Final = 200
LINE_ID_OCTETS: Final = 16

_HEADING = "telcon key card v1"
_MEMBERS = ("card", "name", "line", "log", "mirror", "tls")
_LABEL = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_NODE_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)


@dataclass(frozen=True, slots=True)
class KeyCard:
    """The public keys of one node on one line. One that exists has been checked.

    Raises:
        MalformedError: names that do not belong together, equal or wrong keys, a bad hash.
    """

    name: str
    """The node, like `arcadia.example`."""
    line: str
    """The line's id, 32 lower-case hex digits."""
    log: VerifierKey
    """Signs the checkpoints of this node's own line log."""
    mirror: VerifierKey
    """Cosigns the other side's line log."""
    tls: str
    """SHA-256 of the DER form of the link's certificate, 64 lower-case hex digits."""

    def __post_init__(self) -> None:
        check_node_name(self.name)
        parse_hex(self.line, LINE_ID_OCTETS, "line id")
        parse_hex(self.tls, 32, "hash of the link's certificate")
        if (self.log.name, self.log.type) != (log_origin(self.name, self.line), ED25519):
            raise MalformedError(f"key card of {self.name}: {self.log.name} is not its log key")
        if (self.mirror.name, self.mirror.type) != (
            mirror_name(self.name, self.line),
            COSIGNATURE_ED25519,
        ):
            raise MalformedError(f"key card of {self.name}: {self.mirror.name} is not its mirror")
        if self.log.public == self.mirror.public:
            raise MalformedError(f"key card of {self.name}: log and mirror have the same key")


def check_node_name(name: str) -> None:
    """Refuse what is not the DNS-like name of a node.

    Raises:
        MalformedError: not lower-case labels of letters, digits and '-', or over 200 octets.
    """
    if len(name) > MAX_NODE_NAME_OCTETS or not _NODE_NAME.fullmatch(name):
        raise MalformedError(f"expected a node name such as arcadia.example, got {name[:80]!r}")


def log_origin(name: str, line: str) -> str:
    """Return the origin, and log key name, of the node `name` on a line."""
    return f"{name}/line/{line}"


def mirror_name(name: str, line: str) -> str:
    """Return the key name under which the node `name` cosigns the other side's log of a line."""
    return f"{name}/mirror/{line}"


def parse_key_card(data: bytes) -> KeyCard:
    """Read a key card.

    Raises:
        MalformedError: anything but the one spelling, or a card that fits no node.
    """
    if len(data) > MAX_CARD_OCTETS:
        raise MalformedError(f"a key card has at most {MAX_CARD_OCTETS} octets")
    try:
        members = json.loads(data.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise MalformedError("a key card is a JSON object in ASCII") from error
    if not isinstance(members, dict) or tuple(members) != _MEMBERS:
        raise MalformedError(f"a key card has the members {', '.join(_MEMBERS)}, in this order")
    if not all(isinstance(value, str) for value in members.values()):
        raise MalformedError("a key card's members are strings")
    card = KeyCard(
        name=members["name"],
        line=members["line"],
        log=parse_vkey(members["log"]),
        mirror=parse_vkey(members["mirror"]),
        tls=members["tls"],
    )
    if format_key_card(card) != data:
        raise MalformedError("the key card is not in its one spelling")
    return card


def format_key_card(card: KeyCard) -> bytes:
    """Write a key card in its one spelling, without a line feed at its end."""
    values = (
        _HEADING,
        card.name,
        card.line,
        format_vkey(card.log),
        format_vkey(card.mirror),
        card.tls,
    )
    members = dict(zip(_MEMBERS, values, strict=True))
    return json.dumps(members, separators=(",", ":")).encode("ascii")


def key_card_hash(card: KeyCard) -> bytes:
    """Return the SHA-256 of the card's bytes, by which `line.opened` names it."""
    return sha256(format_key_card(card)).digest()

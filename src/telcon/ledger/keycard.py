"""Key cards: what a node publishes of its keys for one line, docs/protocol.md §1.

One JSON object in one spelling, so that its hash names it. Others keep it and verify receipts
with it years later, without asking anyone. A card of version 1 has Ed25519 keys alone; one of
version 2 names ML-DSA-44 keys beside them.
"""

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from telcon.errors import MalformedError
from telcon.ledger._spelling import parse_hex
from telcon.ledger.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_ML_DSA,
    ED25519,
    VerifierKey,
    format_vkey,
    parse_vkey,
)

MAX_CARD_OCTETS: Final = 8192  # of version 1 half as much, which none can reach
MAX_NODE_NAME_OCTETS: Final = 200
LINE_ID_OCTETS: Final = 16

_HEADING = "telcon key card v1"
_MEMBERS = ("card", "name", "line", "log", "mirror", "tls")
_HEADING_2 = "telcon key card v2"
_ML_DSA_MEMBERS = ("log_ml_dsa_44", "mirror_ml_dsa_44")
_MEMBERS_2 = (*_MEMBERS[:-1], *_ML_DSA_MEMBERS, _MEMBERS[-1])
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
    log_ml_dsa: VerifierKey | None = None
    """Signs the same checkpoints by ML-DSA-44; None, as the one below, in a card of version 1."""
    mirror_ml_dsa: VerifierKey | None = None
    """Cosigns as `mirror` does, by ML-DSA-44."""

    def __post_init__(self) -> None:
        check_node_name(self.name)
        parse_hex(self.line, LINE_ID_OCTETS, "line id")
        parse_hex(self.tls, 32, "hash of the link's certificate")
        origin, mirror = log_origin(self.name, self.line), mirror_name(self.name, self.line)
        self._check(self.log, origin, ED25519)
        self._check(self.mirror, mirror, COSIGNATURE_ED25519)
        if (self.log_ml_dsa is None) is not (self.mirror_ml_dsa is None):
            raise MalformedError(f"key card of {self.name}: one ML-DSA-44 key without the other")
        if self.log_ml_dsa is not None and self.mirror_ml_dsa is not None:
            self._check(self.log_ml_dsa, origin, COSIGNATURE_ML_DSA)
            self._check(self.mirror_ml_dsa, mirror, COSIGNATURE_ML_DSA)
        if len({key.public for key in self.keys}) != len(self.keys):
            raise MalformedError(f"key card of {self.name}: log and mirror have the same key")

    def _check(self, key: VerifierKey, name: str, key_type: int) -> None:
        if (key.name, key.type) != (name, key_type):
            raise MalformedError(
                f"key card of {self.name}: {key.name} of type 0x{key.type:02x}"
                f" is not its {name} of type 0x{key_type:02x}"
            )

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """Every key of the card: two, or in version 2 four."""
        keys = (self.log, self.mirror, self.log_ml_dsa, self.mirror_ml_dsa)
        return tuple(key for key in keys if key is not None)


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
    if not isinstance(members, dict) or tuple(members) not in (_MEMBERS, _MEMBERS_2):
        raise MalformedError(f"a key card has the members {', '.join(_MEMBERS)}, in this order")
    if not all(isinstance(value, str) for value in members.values()):
        raise MalformedError("a key card's members are strings")
    ml_dsa = [parse_vkey(members[member]) for member in _ML_DSA_MEMBERS if member in members]
    card = KeyCard(
        members["name"],
        members["line"],
        parse_vkey(members["log"]),
        parse_vkey(members["mirror"]),
        members["tls"],
        *ml_dsa,
    )
    if format_key_card(card) != data:
        raise MalformedError("the key card is not in its one spelling")
    return card


def format_key_card(card: KeyCard) -> bytes:
    """Write a key card in its one spelling, without a line feed at its end."""
    is_first = card.log_ml_dsa is None
    heading, names = (_HEADING, _MEMBERS) if is_first else (_HEADING_2, _MEMBERS_2)
    values = (heading, card.name, card.line, *map(format_vkey, card.keys), card.tls)
    members = dict(zip(names, values, strict=True))
    return json.dumps(members, separators=(",", ":")).encode("ascii")


def key_card_hash(card: KeyCard) -> bytes:
    """Return the SHA-256 of the card's bytes, by which `line.opened` names it."""
    return sha256(format_key_card(card)).digest()

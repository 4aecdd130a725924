"""What two nodes state to each other for new keys, held against what they stated before; no IO.

docs/protocol.md §8. The link is that of the old line, so who speaks is known; new are the keys and
nothing else. Whoever is another by name, certificate, principal or terms is met by words.
"""

import struct
from collections.abc import Collection
from hashlib import sha256
from typing import Final

from telcon.errors import MalformedError
from telcon.ledger.keycard import parse_key_card
from telcon.node.link.pairing import OwnSide, check_peer_untrusted
from telcon.node.link.statement import parse_statement_untrusted

__all__ = ["check_renewed_untrusted", "is_another", "renewal_hash"]

_CONTEXT: Final = b"telcon renewal v1"


def renewal_hash(replaced: str, line: str, sides: tuple[OwnSide, OwnSide]) -> bytes:
    """Hash all that both sides stated when `line` was to take the place of the line `replaced`.

    `sides`: first that whose name sorts first. There is no nonce: all the keys are new, and the
    hash is compared whole, by machines.
    """
    digest = sha256(_CONTEXT + b"\0" + f"{replaced}\0{line}\0".encode())
    for side in sides:
        for part in (side.card, side.statement):
            digest.update(struct.pack(">I", len(part)) + part)
    return digest.digest()


def is_another(before: OwnSide, stated: OwnSide) -> str | None:
    """Return in what a side is another than it was `before`; None: in nothing but keys.

    Where a node is reached may change.
    """
    card, was_card = parse_key_card(stated.card), parse_key_card(before.card)
    side = parse_statement_untrusted(stated.statement)
    was = parse_statement_untrusted(before.statement)
    pairs = {
        "name": (card.name, was_card.name),
        "certificate": (card.tls, was_card.tls),
        "principal": (side.principal, was.principal),
        "terms": (side.terms, was.terms),
    }
    return next((what for what, (now, then) in pairs.items() if now != then), None)


def check_renewed_untrusted(
    own: OwnSide, stated: OwnSide, before: OwnSide, known: Collection[bytes]
) -> None:
    """Hold what the other side has `stated` against ours, and against what it stated `before`.

    `known`: the public keys that either side has had on any line between the two.

    Raises:
        MalformedError: it cannot be read, or does not fit; it says why.
    """
    card, _ = check_peer_untrusted(own, stated)  # (1) whole, of that line, no key twice
    what = is_another(before, stated)
    if what is not None:  # (2) who would be met by people, and words
        raise MalformedError(f"the {what} stated is not that of the line")
    # (3) Else whoever has stolen the old keys would have the new ones too.
    if any(key.public in known for key in card.keys):
        raise MalformedError("a key stated is one that was in use before")
    # (4) Else a line with ML-DSA-44 keys could be led back to one without.
    if len(card.keys) < len(parse_key_card(before.card).keys):
        raise MalformedError("fewer keys are stated than the line has")

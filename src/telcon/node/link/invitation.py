"""The invitation that one operator hands the other: a small file, good once, for ten minutes."""

import secrets
from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from telcon.errors import InvitationError, MalformedError
from telcon.ledger.keycard import check_node_name, parse_key_card
from telcon.node.link.addresses import MAX_ADDRESSES, parse_address

__all__ = [
    "INVITATION_LIFE_US",
    "SECRET_OCTETS",
    "Invitation",
    "format_invitation",
    "make_invitation",
    "parse_invitation_untrusted",
    "secret_hash",
]

INVITATION_LIFE_US: Final = 10 * 60 * 1_000_000
SECRET_OCTETS: Final = 16
MAX_INVITATION_OCTETS: Final = 8_192

Id = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Invitation(Struct, frozen=True, forbid_unknown_fields=True):
    """What the file says."""

    invitation: Literal["telcon invitation v1"]
    node: str  # the inviter's name
    line: Id
    secret: Id  # 128 bits
    addresses: Annotated[tuple[str, ...], Meta(min_length=1, max_length=MAX_ADDRESSES)]
    keys: Hash  # of the inviter's key card
    tls: Hash  # of the certificate that the pairing listener shows
    expires: Annotated[int, Meta(ge=0, lt=2**53)]  # microseconds, UTC

    def __repr__(self) -> str:
        """Leave the secret out: it has no place in a log or a traceback."""
        return f"Invitation({self.node!r}, line={self.line!r}, expires={self.expires})"


_DECODER = msgspec.json.Decoder(Invitation)


def make_invitation(
    card: bytes,
    addresses: tuple[str, ...],
    *,
    now_us: int,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> Invitation:
    """Return a new invitation to the line of our key card `card`, good from now on.

    `addresses` are those of the pairing listener. Store `secret_hash` of it, never the secret.
    """
    parsed = parse_key_card(card)
    return Invitation(
        invitation="telcon invitation v1",
        node=parsed.name,
        line=parsed.line,
        secret=random(SECRET_OCTETS).hex(),
        addresses=addresses,
        keys=sha256(card).hexdigest(),
        tls=parsed.tls,
        expires=now_us + INVITATION_LIFE_US,
    )


def secret_hash(secret: bytes) -> bytes:
    """Return what the inviter's store knows an invitation by."""
    return sha256(secret).digest()


def format_invitation(invitation: Invitation) -> bytes:
    """Return the file's content."""
    return msgspec.json.encode(invitation) + b"\n"


def parse_invitation_untrusted(data: bytes) -> Invitation:
    """Read an invitation file; spaces are allowed, for it may have gone through a mail.

    Raises:
        InvitationError: it is not one, or a part of it cannot be used.
    """
    try:
        if len(data) > MAX_INVITATION_OCTETS:
            raise MalformedError(f"it is longer than {MAX_INVITATION_OCTETS} octets")
        invitation = _DECODER.decode(data)
        check_node_name(invitation.node)
        for address in invitation.addresses:
            parse_address(address)
    except (ValueError, RecursionError, MalformedError) as error:
        raise InvitationError(
            f"this is not an invitation that telcon can read: {error}",
            advice="See whether the file arrived whole, or ask for a new invitation.",
        ) from error
    return invitation

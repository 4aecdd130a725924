"""What a node states of itself at pairing, beside its keys; docs/protocol.md §8.

JSON in one spelling, like entries: decoded strictly, written again, compared. The stated bytes go
into the six words, so both sides keep them as they came.
"""

import base64
import binascii
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from telcon.core.seal import Person
from telcon.errors import MalformedError, MisuseError
from telcon.node.link.addresses import MAX_ADDRESSES, parse_address
from telcon.node.link.tls import MAX_CERTIFICATE_OCTETS, check_certificate

__all__ = [
    "MAX_STATEMENT_OCTETS",
    "LinkLost",
    "Statement",
    "Terms",
    "format_statement",
    "parse_statement_untrusted",
]

MAX_STATEMENT_OCTETS: Final = 16_384

LinkLost = Literal["go on", "mute", "end"]
Size = Annotated[int, Meta(ge=0, lt=2**53)]
Root = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Terms(Struct, frozen=True, forbid_unknown_fields=True):
    """What the stating side will write into its `line.terms`."""

    policy: Literal["mirror"]
    conditions: Annotated[tuple[str, ...], Meta(max_length=0)]  # none in version 1
    link_lost: LinkLost


class Statement(Struct, frozen=True, forbid_unknown_fields=True):
    """One side's statement."""

    addresses: Annotated[tuple[str, ...], Meta(max_length=MAX_ADDRESSES)]  # of its link
    principal: Person
    terms: Terms
    previous: tuple[str, Size, Root] | None  # the log that the new one continues
    certificate: str  # of its link: DER, in base64

    @property
    def certificate_der(self) -> bytes:
        """Return the certificate's DER form."""
        return base64.b64decode(self.certificate, validate=True)


_DECODER = msgspec.json.Decoder(Statement)


def format_statement(statement: Statement) -> bytes:
    """Return the one spelling of `statement`.

    Raises:
        MisuseError: the other side would not accept it.
    """
    try:
        data = msgspec.json.encode(statement)
        parse_statement_untrusted(data)
    except (UnicodeEncodeError, MalformedError) as error:
        raise MisuseError(f"a statement that the other side would refuse: {error}") from error
    return data


def parse_statement_untrusted(data: bytes) -> Statement:
    """Read the other side's statement.

    Raises:
        MalformedError: anything but the one spelling, or an address or certificate of no use.
    """
    if len(data) > MAX_STATEMENT_OCTETS:
        raise MalformedError(f"a statement has at most {MAX_STATEMENT_OCTETS} octets")
    try:
        statement = _DECODER.decode(data)
        again = msgspec.json.encode(statement)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"the statement cannot be read: {error}") from error
    if again != data:
        raise MalformedError("the statement reads, but its one spelling is another")
    for address in statement.addresses:
        parse_address(address)
    _check_base64(statement.certificate)
    check_certificate(statement.certificate_der)
    return statement


def _check_base64(text: str) -> None:
    """Refuse all but the one spelling; padding bits may otherwise hide in the last letter."""
    if len(text) > MAX_CERTIFICATE_OCTETS * 2:
        raise MalformedError("the certificate is too long")
    try:
        der = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("the certificate is not base64") from error
    if base64.b64encode(der).decode() != text:
        raise MalformedError("the certificate's base64 is not in its one spelling")

"""A record-keeper's keys as files: the public half is given to nodes, the private half to nobody.

public    "telcon record-keeper v1 " id in hex SP base64 of the public key LF
private   "telcon record-keeper private key v1 " base64 of the private key LF
"""

import binascii
from base64 import b64decode, b64encode
from typing import Final

from telcon.errors import MalformedError
from telcon.node.record.sealing import PrivateKey, Reader

__all__ = [
    "MAX_KEY_FILE_OCTETS",
    "format_keeper",
    "format_private_key",
    "parse_keeper_untrusted",
    "parse_private_key_untrusted",
]

MAX_KEY_FILE_OCTETS: Final = 4_096

_PUBLIC: Final = b"telcon record-keeper v1 "
_PRIVATE: Final = b"telcon record-keeper private key v1 "


def format_keeper(reader: Reader) -> bytes:
    """Return the public half as its file."""
    return _PUBLIC + reader.id.hex().encode() + b" " + b64encode(reader.public) + b"\n"


def parse_keeper_untrusted(data: bytes) -> Reader:
    """Read the file of a public half.

    Raises:
        MalformedError: anything but the one spelling of a key.
    """
    if data.startswith(_PRIVATE):
        raise MalformedError(
            "this is a record-keeper's private key",
            advice="Take it off this machine, and give the file beside it, which ends in .pub.",
        )
    if len(data) > MAX_KEY_FILE_OCTETS or not data.startswith(_PUBLIC):
        raise MalformedError(
            "this is no record-keeper's public key",
            advice="`telcon keeper new` writes one; its name ends in .pub.",
        )
    reader = Reader(_decode(data[len(_PUBLIC) :].partition(b" ")[2]))
    if format_keeper(reader) != data:
        raise MalformedError("the record-keeper's key is not in its one spelling")
    return reader


def format_private_key(key: PrivateKey) -> bytes:
    """Return the private half as its file: whoever has it opens what was sealed to the keeper."""
    return _PRIVATE + b64encode(key.to_bytes()) + b"\n"


def parse_private_key_untrusted(data: bytes) -> PrivateKey:
    """Read the file of a private half.

    Raises:
        MalformedError: anything but the one spelling of a key.
    """
    if len(data) > MAX_KEY_FILE_OCTETS or not data.startswith(_PRIVATE):
        raise MalformedError("this is no record-keeper's private key")
    key = PrivateKey(_decode(data[len(_PRIVATE) :]))
    if format_private_key(key) != data:
        raise MalformedError("the record-keeper's private key is not in its one spelling")
    return key


def _decode(text: bytes) -> bytes:
    try:
        return b64decode(text.removesuffix(b"\n"), validate=True)
    except binascii.Error as error:
        raise MalformedError("the key is not base64") from error

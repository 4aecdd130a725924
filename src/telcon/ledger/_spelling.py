"""The one accepted spelling of base64, hex, decimal numbers and key names in text formats.

Every reader here is used on bytes from outside and raises `MalformedError` alone. `int()` and
`b64decode()` accept too much (signs, underscores, other digits, stray bits), so each value is
decoded, encoded again and compared.
"""

import base64
import binascii
import re
from functools import lru_cache
from typing import Final

from telcon.errors import MalformedError

MAX_SIZE = 2**63 - 1  # c2sp.org/tlog-checkpoint: tree sizes and times are signed 64-bit numbers

MAX_NAME_OCTETS: Final = 255  # so that a name fits the 8-bit length of type 0x06
PARSED_NOTES: Final = 16  # kept as read: a checkpoint on its way is looked at several times

_NAME = re.compile(r"[^\s+\x00-\x1f\ud800-\udfff]+")  # \s is every space that Unicode knows
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_HEX = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)


def parse_base64(text: str, what: str) -> bytes:
    """Decode canonical standard base64 with padding; `what` names the value in the error.

    Raises:
        MalformedError: another alphabet, missing padding, stray bits or other characters.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError(f"{what}: expected standard base64") from error
    if format_base64(data) != text:
        raise MalformedError(f"{what}: base64 is not in its canonical spelling")
    return data


def format_base64(data: bytes) -> str:
    """Encode as standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def parse_base64_hash(text: str, what: str) -> bytes:
    """Decode base64 of exactly 32 octets.

    Raises:
        MalformedError: not canonical base64, or another length.
    """
    data = parse_base64(text, what)
    if len(data) != 32:
        raise MalformedError(f"{what}: expected 32 octets, got {len(data)}")
    return data


def parse_decimal(text: str, what: str) -> int:
    """Read a number from 0 to 2^63-1 without sign or leading zero.

    Raises:
        MalformedError: any other spelling, or out of range.
    """
    if not _DECIMAL.fullmatch(text):
        raise MalformedError(f"{what}: expected a decimal number without sign or leading zero")
    number = int(text)
    if number > MAX_SIZE:
        raise MalformedError(f"{what}: above 2^63-1")
    return number


def parse_hex(text: str, octets: int, what: str) -> bytes:
    """Decode lower-case hex of exactly `octets` octets.

    Raises:
        MalformedError: upper case, other characters, or another length.
    """
    if len(text) != 2 * octets or not _HEX.fullmatch(text):
        raise MalformedError(f"{what}: expected {2 * octets} lower-case hex digits")
    return bytes.fromhex(text)


@lru_cache(maxsize=1024)
def check_key_name(name: str) -> None:
    """Refuse what cannot name a key (or a log, whose origin is a key name).

    Raises:
        MalformedError: empty, over 255 octets, or with a space, control character or '+'.
    """
    if not name or len(name.encode("utf-8", "replace")) > MAX_NAME_OCTETS:
        raise MalformedError("a key name has 1 to 255 octets")
    if not _NAME.fullmatch(name):
        raise MalformedError(f"key name {name!r}: no space, control character or '+' is allowed")

"""Checksums made right again after a fuzzer has changed what they are over.

A fuzzer cannot guess a hash. Without this it would only ever see how one is refused.
"""

import base64
import re
import struct
from hashlib import sha256

from aioice import stun

from telcon.node.media.ogg import format_page

__all__ = ["with_key_ids", "with_page_checksums", "with_stun_fingerprint"]

_VKEY = re.compile(rb"([^\s+\"]+)\+[0-9a-f]{8}\+([A-Za-z0-9+/]{1751}=|[A-Za-z0-9+/]{44})")
_PAGE_HEAD = struct.Struct("<4sBBqIIIB")
_FINGERPRINT_HEAD = bytes.fromhex("80280004")


def with_key_ids(data: bytes) -> bytes:
    """Return `data` with the ID that belongs to each verifier key in it."""
    return _VKEY.sub(_with_key_id, data)


def _with_key_id(found: re.Match[bytes]) -> bytes:
    name, encoded = found[1], found[2]
    # The type and the key: of Ed25519 33 octets, of ML-DSA-44 1,313.
    key_id = sha256(name + b"\n" + base64.b64decode(encoded)).digest()[:4]
    return name + b"+" + key_id.hex().encode() + b"+" + encoded


def with_page_checksums(data: bytes) -> bytes:
    """Return `data` with the checksum of each Ogg page that stands in a row from its beginning."""
    pages = []
    at = 0
    while at + _PAGE_HEAD.size <= len(data):
        magic, version, flags, granule, serial, sequence, _, segments = _PAGE_HEAD.unpack_from(
            data, at
        )
        lacing_at = at + _PAGE_HEAD.size
        body_at = lacing_at + segments
        lacing = data[lacing_at:body_at]
        end = body_at + sum(lacing)
        if magic != b"OggS" or version != 0 or len(lacing) != segments or end > len(data):
            break
        pages.append(format_page(flags, granule, serial, sequence, lacing, data[body_at:end]))
        at = end
    return b"".join(pages) + data[at:]


def with_stun_fingerprint(data: bytes) -> bytes:
    """Return `data` with its last attribute made right, if that is a FINGERPRINT."""
    head = data[:-4]
    if len(data) < stun.HEADER_LENGTH + 8 or head[-4:] != _FINGERPRINT_HEAD:
        return data
    return head + stun.message_fingerprint(data[:-8]).to_bytes(4, "big")

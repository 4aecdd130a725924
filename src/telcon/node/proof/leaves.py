"""The file of packets with their proofs, `tracks/NAME.leaves` (docs/protocol.md §9).

    file  = "telcon leaves v1" 0A || piece*
    piece = u64 index of the chunk's entry || u16 number of leaves || u8 number of hashes ||
            leaf* || hash*
    leaf  = u16 length || salt (16 octets) || u64 index || u64 timestamp || u8 kind || payload

A leaf is hashed as it stands here, after its length. It bears its own salt and not the chunk's key,
from which the salts of all packets follow: with those, silence could be told in what is left out.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from telcon.core.entry import MAX_CHUNK_PACKETS
from telcon.errors import MalformedError
from telcon.ledger.merkle import HASH_OCTETS, MAX_PROOF_HASHES
from telcon.node.media.opus import MAX_PACKET_BYTES
from telcon.node.record.chunks import OPUS, RETURNED

__all__ = [
    "MAX_LEAVES_OCTETS",
    "Leaf",
    "ShownPiece",
    "format_leaves",
    "parse_leaf_untrusted",
    "parse_leaves_untrusted",
]

MAX_LEAVES_OCTETS: Final = 32 * 1024 * 1024
"""Of one file: more than an hour of one speaker."""

MAX_HASHES: Final = 2 * MAX_PROOF_HASHES

_MAGIC: Final = b"telcon leaves v1\n"
_PIECE: Final = struct.Struct(">QHB")
_LENGTH: Final = struct.Struct(">H")
_LEAF: Final = struct.Struct(">16sQQB")


@dataclass(frozen=True, slots=True)
class Leaf:
    """What is hashed of one packet."""

    octets: bytes
    """As they are hashed: salt, index, timestamp, kind, payload."""
    index: int
    timestamp: int
    """48 kHz, 64 bits."""
    kind: int
    """OPUS, or RETURNED: of that its speaker's node says that it had it back from the other."""
    payload: bytes
    """An Opus packet, or whatever its speaker's node took for one."""


@dataclass(frozen=True, slots=True)
class ShownPiece:
    """Packets of one track that stand together in one chunk, and the proof that they do."""

    chunk: int
    """Index of the chunk's entry in the log of the speaker's node."""
    leaves: tuple[Leaf, ...]
    proof: tuple[bytes, ...]
    """Of `telcon.ledger.range_proof`."""


def format_leaves(pieces: Sequence[ShownPiece]) -> bytes:
    """Write the file."""
    parts = [_MAGIC]
    for piece in pieces:
        parts.append(_PIECE.pack(piece.chunk, len(piece.leaves), len(piece.proof)))
        for leaf in piece.leaves:
            parts += (_LENGTH.pack(len(leaf.octets)), leaf.octets)
        parts += piece.proof
    return b"".join(parts)


def parse_leaves_untrusted(data: bytes) -> tuple[ShownPiece, ...]:
    """Read the file. What its pieces are proofs of is for the reader of both logs to say.

    Raises:
        MalformedError: it ends within a piece, a number is over its limit, or a leaf is none.
    """
    if len(data) > MAX_LEAVES_OCTETS or not data.startswith(_MAGIC):
        raise MalformedError("this is no file of leaves, or one over its limit")
    pieces = []
    at = len(_MAGIC)
    while at < len(data):
        head = _take(data, at, _PIECE.size)
        chunk, count, hashes = _PIECE.unpack(head)
        if not (1 <= count <= MAX_CHUNK_PACKETS and hashes <= MAX_HASHES):
            raise MalformedError(f"a piece of {count} leaves and {hashes} hashes")
        at += _PIECE.size
        leaves = []
        for _ in range(count):
            (length,) = _LENGTH.unpack(_take(data, at, _LENGTH.size))
            at += _LENGTH.size
            leaves.append(parse_leaf_untrusted(_take(data, at, length)))
            at += length
        proof = _take(data, at, hashes * HASH_OCTETS)
        at += len(proof)
        split = tuple(proof[n : n + HASH_OCTETS] for n in range(0, len(proof), HASH_OCTETS))
        pieces.append(ShownPiece(chunk, tuple(leaves), split))
    return tuple(pieces)


def parse_leaf_untrusted(data: bytes) -> Leaf:
    """Read one leaf.

    Raises:
        MalformedError: too short, too long, or of a kind that is not known.
    """
    if not _LEAF.size <= len(data) <= _LEAF.size + MAX_PACKET_BYTES:
        raise MalformedError(f"a leaf has no {len(data)} octets")
    _, index, timestamp, kind = _LEAF.unpack_from(data)
    if kind not in (OPUS, RETURNED):
        raise MalformedError(f"a leaf of unknown kind {kind}")
    return Leaf(data, index, timestamp, kind, data[_LEAF.size :])


def _take(data: bytes, at: int, octets: int) -> bytes:
    taken = data[at : at + octets]
    if len(taken) != octets:
        raise MalformedError("a file of leaves ends within a piece")
    return taken

"""The chunk tree: what a speaker's own node says about the packets it forwarded (protocol.md §7).

All tracks of one node share a chunk of about five seconds and its key. For each track the chunk
holds a Merkle root, so that later an excerpt can be shown alone; the key salts the leaves, because
without it the three octets of a silent packet could be guessed. Packets are hashed as they come and
only the tree's frontier is kept. Pure: the key is an argument, and nothing here knows the clock.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import digest

from telcon.core.entry import MAX_CHUNK_PACKETS
from telcon.errors import MisuseError
from telcon.ledger.merkle import EMPTY_FRONTIER, Frontier, leaf_hash

__all__ = [
    "CHUNK_KEY_BYTES",
    "OPUS",
    "RETURNED",
    "Chunk",
    "ChunkTree",
    "TrackChunk",
    "format_leaf",
    "gaps_before",
]

CHUNK_KEY_BYTES = 32
"""Fresh for each chunk; it is also the seal's content, protocol.md §3 `key`."""

OPUS = 0
"""The leaf kind of an Opus packet."""

RETURNED = 1
"""Of one that its author's node lost by a kill and has from the other: it cannot vouch for it."""

_LEAF_HEAD = struct.Struct(">QQB")
_INDEX = struct.Struct(">Q")
_SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class TrackChunk:
    """One track's part of a chunk, as `call.record-chunk` lists it."""

    number: int
    """Track number, 1 to 255."""
    first: int
    """Index of the first packet."""
    count: int
    """Packets; at least 1. Their indexes follow each other."""
    root: bytes
    """RFC 6962 tree hash over the leaves."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk of all own tracks, ready for its entry."""

    key: bytes
    """Goes into the opening of the entry's seal `key`."""
    tracks: tuple[TrackChunk, ...]
    """By rising number; a track without packets is absent."""
    leaves: Mapping[int, bytes]
    """By track number, the hashes of its leaves one after the other."""
    is_kept: bool
    """Whether all its packets were to be kept: the leaves of others are all that can be given."""


def gaps_before(chunk: Chunk, told: Mapping[int, int]) -> list[tuple[int, int, int]]:
    """Return what of each track lies between what the log has `told` and the chunk.

    `told`: by track number, the index after the last packet of its chunks and gaps so far.

    Returns:
        Number, first index and count, as `call.record-gap` lists them; empty if the chunk follows.
    """
    return [
        (part.number, at, part.first - at)
        for part in chunk.tracks
        if part.first > (at := told.get(part.number, 0))
    ]


def format_leaf(key: bytes, index: int, timestamp: int, payload: bytes, kind: int = OPUS) -> bytes:
    """Return the leaf of one packet, of `kind` OPUS or RETURNED.

    `index` and `timestamp` (48 kHz, unwrapped) are below 2^64; `key` is the chunk's.
    """
    salt = digest(key, _INDEX.pack(index), "sha256")[:_SALT_BYTES]
    return b"".join((salt, _LEAF_HEAD.pack(index, timestamp, kind), payload))


class ChunkTree:
    """The chunk that is being filled; make a new one, with a new key, for the next."""

    def __init__(self, key: bytes) -> None:
        """Begin with a fresh `key` of 32 octets.

        Raises:
            MisuseError: another length.
        """
        if len(key) != CHUNK_KEY_BYTES:
            raise MisuseError(f"a chunk key has {CHUNK_KEY_BYTES} octets, not {len(key)}")
        self._key = key
        self._tracks: dict[int, _TrackTree] = {}
        self._is_kept = True

    def note_unkept(self) -> None:
        """Know that not all its packets are kept."""
        self._is_kept = False

    def append(
        self, number: int, index: int, timestamp: int, payload: bytes, kind: int = OPUS
    ) -> None:
        """Hash one packet of track `number`.

        Raises:
            MisuseError: `index` does not follow the packet before in this chunk.
        """
        tree = self._tracks.get(number)
        if tree is None:
            tree = self._tracks[number] = _TrackTree(index)
        elif index != tree.first + tree.frontier.size:
            expected = tree.first + tree.frontier.size
            raise MisuseError(f"packet {expected} of track {number} is due, not {index}")
        leaf = leaf_hash(format_leaf(self._key, index, timestamp, payload, kind))
        tree.frontier, _ = tree.frontier.append(leaf)
        tree.leaves.append(leaf)

    def is_full(self, number: int) -> bool:
        """Say whether a chunk takes no more packets of track `number`."""
        tree = self._tracks.get(number)
        return tree is not None and tree.frontier.size >= MAX_CHUNK_PACKETS

    def close(self) -> Chunk | None:
        """Return the chunk, or None when it holds no packet."""
        if not self._tracks:
            return None
        tracks = (
            TrackChunk(number, tree.first, tree.frontier.size, tree.frontier.root())
            for number, tree in sorted(self._tracks.items())
        )
        leaves = {number: b"".join(tree.leaves) for number, tree in self._tracks.items()}
        return Chunk(self._key, tuple(tracks), leaves, self._is_kept)


@dataclass(slots=True)
class _TrackTree:
    first: int
    frontier: Frontier = EMPTY_FRONTIER
    leaves: list[bytes] = field(default_factory=list)

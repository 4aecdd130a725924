"""The chunk tree of a node's own tracks."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telcon.errors import MisuseError
from telcon.ledger.merkle import leaf_hash, node_hash
from telcon.node.record.chunks import ChunkTree, TrackChunk, format_leaf

KEY = bytes(range(32))


def test_a_leaf_is_what_the_protocol_says() -> None:
    salt = hmac.new(KEY, b"\x00\x00\x00\x00\x00\x00\x00\x05", "sha256").digest()[:16]
    leaf = salt + (5).to_bytes(8, "big") + (960).to_bytes(8, "big") + b"\x00" + b"abc"
    assert format_leaf(KEY, 5, 960, b"abc") == leaf


def test_the_root_is_that_of_the_leaves() -> None:
    tree = ChunkTree(KEY)
    leaves = []
    for index in range(3):
        tree.append(1, index, index * 960, b"x")
        leaves.append(leaf_hash(format_leaf(KEY, index, index * 960, b"x")))
    chunk = tree.close()
    assert chunk is not None
    root = node_hash(node_hash(leaves[0], leaves[1]), leaves[2])
    assert chunk.tracks == (TrackChunk(1, 0, 3, root),)
    assert chunk.key == KEY


def test_tracks_stand_by_rising_number_with_their_own_first_index() -> None:
    tree = ChunkTree(KEY)
    tree.append(9, 250, 0, b"x")
    tree.append(2, 0, 0, b"x")
    tree.append(9, 251, 960, b"x")
    chunk = tree.close()
    assert chunk is not None
    assert [(t.number, t.first, t.count) for t in chunk.tracks] == [(2, 0, 1), (9, 250, 2)]


def test_an_empty_chunk_is_none() -> None:
    assert ChunkTree(KEY).close() is None


@pytest.mark.parametrize("index", [0, 1, 3])
def test_an_index_has_to_follow(index: int) -> None:
    tree = ChunkTree(KEY)
    tree.append(1, 1, 0, b"x")
    with pytest.raises(MisuseError, match="packet 2 of track 1 is due"):
        tree.append(1, index, 0, b"x")


def test_a_key_has_32_octets() -> None:
    with pytest.raises(MisuseError, match="32 octets, not 31"):
        ChunkTree(KEY[:31])


@given(
    st.binary(min_size=1, max_size=8),
    st.integers(0, 2**32),
    st.sampled_from(["key", "index", "timestamp", "payload"]),
)
def test_any_change_changes_the_root(payload: bytes, timestamp: int, changed: str) -> None:
    key = KEY[::-1] if changed == "key" else KEY
    other = payload + b"\x00" if changed == "payload" else payload
    trees = ChunkTree(KEY), ChunkTree(key)
    trees[0].append(1, 7, timestamp, payload)
    trees[1].append(1, 7 + (changed == "index"), timestamp + (changed == "timestamp"), other)
    roots = [chunk.tracks[0].root for tree in trees if (chunk := tree.close()) is not None]
    assert roots[0] != roots[1]

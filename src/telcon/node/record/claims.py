"""What a speaker's node says that it sent, held against what came. Pure.

A chunk claims a root over the leaves of a row of packets (`telcon.node.record.chunks`). The node
that listened holds most of these packets, asks for the rest, and says in its own log what it holds:
the root, and which packets came by repair, are absent, or differ from what was claimed. What was
received is never replaced; a repair counts only if it leads to the claimed root.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from telcon.core.draft import Runs
from telcon.core.entry import RecordChunk, parse_entry_untrusted
from telcon.core.seal import Opening
from telcon.errors import MalformedError, MisuseError
from telcon.ledger.merkle import EMPTY_FRONTIER, Frontier, leaf_hash
from telcon.node.media.opus import parse_opus_untrusted
from telcon.node.record.chunks import OPUS, RETURNED, format_leaf
from telcon.node.record.packet import How, Packet, Track
from telcon.node.record.spans import Spans

__all__ = [
    "MAX_RETURNED",
    "MAX_RETURNED_SAMPLES",
    "Claim",
    "Finding",
    "claimed_leaves",
    "claims_of",
    "covered",
    "following",
    "leaves_of",
    "missing",
    "runs",
    "weigh",
    "weigh_by_leaves",
]

MAX_RETURNED: Final = 600
"""Packets that a kill can take of a track: what is 1.2 s old at most."""

MAX_RETURNED_SAMPLES: Final = 2 * 48_000
"""How much time they take together, with what the disk may hesitate."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One track's part of a chunk, as its author logged it."""

    track: Track
    first: int
    """Index of the first packet."""
    count: int
    root: bytes
    key: bytes
    """The chunk's."""

    @property
    def last(self) -> int:
        """Index of the last packet."""
        return self.first + self.count - 1


@dataclass(frozen=True, slots=True)
class Finding:
    """What a node holds of a claim."""

    root: bytes
    """Over the leaves of what is held, in order."""
    repairs: tuple[Packet, ...]
    """Given afterwards and as claimed: to be kept."""
    repaired: Runs
    absent: Runs
    differing: Runs

    @property
    def is_whole(self) -> bool:
        """Whether all that was claimed is held as it was claimed."""
        return not self.absent and not self.differing


def claims_of(author: str, data: bytes, openings: Iterable[Opening]) -> list[Claim]:
    """Return what the entry `data` of the log `author` claims, with its `openings` as held.

    Raises:
        MisuseError: it is no chunk.
    """
    entry = parse_entry_untrusted(data)
    if not isinstance(entry, RecordChunk):
        raise MisuseError(f"an entry of {author} is no chunk")
    key = next((one.content for one in openings if one.member == "key"), b"")
    return [
        Claim((author, number), first, count, bytes.fromhex(root), key)
        for number, first, count, root in entry.tracks
    ]


def covered(track: Track, chunks: Iterable[bytes]) -> Spans:
    """Return the indexes of `track` that its speaker's `chunks`, in order, speak of.

    What lies between them the speaker did not keep; the other side may, for it stopped later.

    Raises:
        MisuseError: one of these entries is no chunk.
    """
    spans = Spans()
    for data in chunks:
        for claim in claims_of(track[0], data, ()):
            if claim.track == track:
                spans.append(claim.first, claim.last)
    return spans


def missing(claim: Claim, held: Mapping[int, Packet]) -> Runs:
    """Return what of a claim is not held, however much is claimed."""
    return tuple(_between(claim, held))


def following(last: Packet, given: Mapping[int, Packet]) -> list[Packet]:
    """Return what was `given` back of a track of our own, as it may have come after `last`.

    The other side says so, and may invent. Speech fills time: each packet begins where the one
    before has ended, or later, and all are over within MAX_RETURNED_SAMPLES. None is missing in
    between, for a chunk has no hole.
    """
    found: list[Packet] = []
    end = last.timestamp + (_samples(last) or 0)
    latest = end + MAX_RETURNED_SAMPLES
    while len(found) < MAX_RETURNED:
        packet = given.get(last.index + 1 + len(found))
        samples = None if packet is None else _samples(packet)
        if packet is None or samples is None or packet.timestamp < end:
            break
        end = packet.timestamp + samples
        if end > latest:
            break
        found.append(packet)
    return found


def _samples(packet: Packet) -> int | None:
    try:
        return parse_opus_untrusted(packet.payload).samples
    except MalformedError:
        return None


def runs(indexes: Iterable[int]) -> Runs:
    """Return rising `indexes` as runs of first and count."""
    found: list[tuple[int, int]] = []
    for index in indexes:
        if found and index == sum(found[-1]):
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((index, 1))
    return tuple(found)


def weigh(claim: Claim, held: Mapping[int, Packet], given: Mapping[int, Packet]) -> Finding | None:
    """Say what is held of `claim`, with what the author has `given` of the rest.

    Returns:
        None if that is not all that was claimed: the leaves are needed to say what it is.
    """
    before = _repaired(held)
    repairs = {index: packet for index, packet in given.items() if index not in held}
    together = dict(sorted((dict(held) | repairs).items()))
    root = _root(claim, together)
    if len(together) != claim.count or root != claim.root:
        return None
    return Finding(root, tuple(repairs.values()), runs(sorted([*before, *repairs])), (), ())


def weigh_by_leaves(
    claim: Claim,
    held: Mapping[int, Packet],
    given: Mapping[int, Packet],
    leaves: Sequence[bytes],
) -> Finding:
    """Say what is held of `claim`, where something is absent or differs.

    `leaves` are the hashes of all its leaves, as its author gives them: they say which packet it
    is. Hashes that do not lead to the claimed root say nothing. Then what was given is not kept,
    and all that came counts as differing: it cannot be shown to be what was claimed.
    """
    before = _repaired(held)
    if len(leaves) != claim.count or _fold(leaves) != claim.root:
        differing = runs(sorted(held))
        return Finding(_root(claim, held), (), runs(before), missing(claim, held), differing)
    repairs = {index: packet for index, packet in given.items() if index not in held}
    good = {i: p for i, p in repairs.items() if _fits(claim, p, leaves)}
    kept = dict(sorted((dict(held) | good).items()))
    wrong = {i for i, p in held.items() if not _fits(claim, p, leaves)}
    found = [_leaf(claim, p) if i in wrong else leaves[i - claim.first] for i, p in kept.items()]
    return Finding(
        root=_fold(found),
        repairs=tuple(good.values()),
        repaired=runs(sorted([*before, *good])),
        absent=missing(claim, kept),
        differing=runs(sorted(wrong)),
    )


def claimed_leaves(claim: Claim, packets: Sequence[Packet]) -> list[bytes] | None:
    """Return the leaves that lead to the claimed root, not hashed; None if there are none.

    Only its author knows which of its packets it has back from the other node (RETURNED). They are
    what a kill took, so the last of a chunk; the other node finds where they begin by trying.
    """
    fields = [(claim.key, one.index, one.timestamp, one.payload) for one in packets]
    own = [format_leaf(*one) for one in fields]
    back = [format_leaf(*one, RETURNED) for one in fields[-MAX_RETURNED:]]
    at = len(own) - len(back)
    trees = list(_growing(map(leaf_hash, own)))
    hashed = [leaf_hash(leaf) for leaf in back]
    for first in range(len(own), at - 1, -1):
        tree = trees[first]
        for leaf in hashed[first - at :]:
            tree, _ = tree.append(leaf)
        if tree.root() == claim.root:
            return own[:first] + back[first - at :]
    return None


def leaves_of(claim: Claim, packets: Mapping[int, Packet]) -> list[bytes]:
    """Return the hashes of the leaves of `packets`, in order."""
    return [_leaf(claim, packet) for _, packet in sorted(packets.items())]


def _repaired(held: Mapping[int, Packet]) -> list[int]:
    return [index for index, packet in held.items() if packet.how is How.REPAIRED]


def _fits(claim: Claim, packet: Packet, leaves: Sequence[bytes]) -> bool:
    """Say whether a packet is as claimed; its author may have got it back from somebody."""
    leaf = leaves[packet.index - claim.first]
    return any(_leaf(claim, packet, kind) == leaf for kind in (OPUS, RETURNED))


def _leaf(claim: Claim, packet: Packet, kind: int | None = None) -> bytes:
    if kind is None:
        kind = RETURNED if packet.how is How.RETURNED else OPUS
    fields = (claim.key, packet.index, packet.timestamp, packet.payload, kind)
    return leaf_hash(format_leaf(*fields))


def _root(claim: Claim, packets: Mapping[int, Packet]) -> bytes:
    return _fold(leaves_of(claim, packets))


def _fold(leaves: Iterable[bytes]) -> bytes:
    tree = EMPTY_FRONTIER
    for leaf in leaves:
        tree, _ = tree.append(leaf)
    return tree.root()


def _growing(leaves: Iterable[bytes]) -> Iterable[Frontier]:
    """Return the tree of no leaf, of the first, and so on."""
    tree = EMPTY_FRONTIER
    yield tree
    for leaf in leaves:
        tree, _ = tree.append(leaf)
        yield tree


def _between(claim: Claim, held: Mapping[int, Packet]) -> Iterable[tuple[int, int]]:
    """Return the runs of a claim that are not held, without counting through it."""
    at = claim.first
    for first, count in runs(sorted(held)):
        if first > at:
            yield (at, first - at)
        at = first + count
    if at <= claim.last:
        yield (at, claim.last + 1 - at)

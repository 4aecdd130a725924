"""The Ogg Opus file of one track, made of its packets alone: the same octets on both sides.

Whoever holds the same packets makes the same file (docs/protocol.md §7), so a hash of it in two
logs says that two nodes hold the same recording. Nothing that only one side knows goes in: no time
of arrival, no name of a person. What is lost, muted or cut off stands as lost frames, so that the
file's time is the track's time.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from telcon.errors import MalformedError, ProofError
from telcon.node.media.oggopus import OggOpusWriter
from telcon.node.media.opus import SAMPLE_RATE, lost_frame, parse_opus_untrusted
from telcon.node.record.claims import covered
from telcon.node.record.packet import How, Packet, Track
from telcon.node.record.spans import Spans

if TYPE_CHECKING:
    from telcon.core.call import CallState
    from telcon.core.stored import StoredLog
    from telcon.node.record.journal import Journal
    from telcon.node.store import HeldLog

__all__ = ["Rendering", "measure", "render_agreed", "render_recorded", "render_stated"]

GRAIN: Final = 480
"""Samples, 10 ms: the shortest lost frame every mode has. A shorter hole goes into the next one."""

MAX_BACKWARD: Final = SAMPLE_RATE
"""A timestamp that falls by more is a new clock: the packet follows the one before."""

MAX_FILLED: Final = 24 * 3_600 * SAMPLE_RATE
"""All lost time of a file; beyond, holes are closed up, or one packet could fill the disk."""

_FRAME: Final = 2 * GRAIN
_SILENCE: Final = lost_frame(0xFC, _FRAME)
"""All that a file holds whose speaker was never heard: players refuse one without any packet."""


class Rendering:
    """Makes the file; packets go in by rising index, octets come out for somebody to write."""

    def __init__(self, call: str, track: Track) -> None:
        """Begin the file of `track` in `call`."""
        origin, number = track
        self._names = {
            "ARTIST": origin.partition("/")[0],
            "TELCON_CALL": call,
            "TELCON_ORIGIN": origin,
            "TELCON_TRACK": str(number),
        }
        # A serial has to differ only among streams that somebody may join into one file.
        self._serial = int.from_bytes(sha256(f"{call} {origin} {number}".encode()).digest()[:4])
        self._ogg: OggOpusWriter | None = None
        self._base = 0
        self._filled = 0
        self._toc = 0

    @property
    def position(self) -> int:
        """Where the file ends so far, in samples: 48,000 a second."""
        return 0 if self._ogg is None else self._ogg.position

    def add(self, packets: Iterable[Packet]) -> bytes:
        """Add packets, in order; return the octets that are ready."""
        return b"".join(self._add(packet) for packet in packets)

    def finish(self) -> bytes:
        """Return the last octets; nothing may follow."""
        pages = b""
        ogg = self._ogg
        if ogg is None:
            ogg = self._begin(Packet(0, 0, b""))
            pages = ogg.header()
        if ogg.position == 0:
            pages += ogg.write(_SILENCE, _FRAME)
        return pages + ogg.finish()

    def _add(self, packet: Packet) -> bytes:
        try:
            samples = parse_opus_untrusted(packet.payload).samples
        except MalformedError:
            return b""  # what no decoder could frame is a hole
        pages = b""
        ogg = self._ogg
        if ogg is None:
            ogg = self._begin(packet)
            pages = ogg.header()
        hole = self._base + packet.timestamp - ogg.position
        if hole < -MAX_BACKWARD or self._filled + hole > MAX_FILLED:
            self._base -= hole
        elif hole >= GRAIN:
            pages += self._fill(ogg, hole // GRAIN * GRAIN)
        self._toc = packet.payload[0]
        return pages + ogg.write(packet.payload, samples)

    def _begin(self, first: Packet) -> OggOpusWriter:
        self._base = -first.timestamp
        self._toc = first.payload[0] if first.payload else 0
        # Of the first packet, as in the chunk tree: so its leaves can be made from the file.
        starts = {"TELCON_INDEX": first.index, "TELCON_TIMESTAMP": first.timestamp}
        names = self._names | {name: str(value) for name, value in starts.items()}
        self._ogg = OggOpusWriter(self._serial, names)
        return self._ogg

    def _fill(self, ogg: OggOpusWriter, lost: int) -> bytes:
        """Write `lost` samples as lost frames in the mode of the packet before."""
        self._filled += lost
        count, rest = divmod(lost, _FRAME)
        pages = ogg.fill(lost_frame(self._toc, _FRAME), _FRAME, count)
        if rest:
            pages += ogg.write(lost_frame(self._toc, GRAIN), GRAIN)
        return pages


def render_recorded(journal: "Journal", track: Track) -> Iterator[bytes]:
    """Return the file of what came of `track` by itself: `call.record-off` bears its hash.

    Blocks on the disk; raises what `Journal.read` does.
    """
    rendering = Rendering(journal.head.call, track)
    for packets in journal.windows(track, journal.bound(track)):
        yield rendering.add(packet for packet in packets.values() if packet.how is How.CAME)
    yield rendering.finish()


def render_agreed(journal: "Journal", track: Track, spoken: Spans) -> Iterator[bytes]:
    """Return the file of all that is held of what chunks say was `spoken`, with what was repaired.

    `call.record-agreed` bears its hash. Blocks on the disk; raises what `Journal.read` does.
    """
    rendering = Rendering(journal.head.call, track)
    for packets in journal.windows(track, spoken.bound):
        yield rendering.add(packet for index, packet in packets.items() if index in spoken)
    yield rendering.finish()


def render_stated(
    journal: "Journal", track: Track, state: "CallState", own: "HeldLog", theirs: "StoredLog"
) -> Iterator[bytes]:
    """Return the file of `track` that our log `own` speaks of: whoever gets one gets just this.

    It is the one of our newest `call.record-agreed` once the record is agreed, or the other side
    has signed to hold that statement, without what is held beyond the speaker's last chunk. Else,
    as of a track that its speaker's node logged nothing of, it is what came by itself.

    Blocks on the disk; raises what `Journal.read` does.

    Raises:
        ProofError: at its end, if the record is agreed and this is not the file that was.
    """
    at, tracks = state.agreed.get(own.origin, (0, ()))
    stated = {(origin, number): (digest, size) for origin, number, _, digest, size in tracks}
    is_signed = state.is_agreed or (tracks and own.cosigned_note_over(at) is not None)
    if track not in stated or not is_signed:
        return render_recorded(journal, track)
    author = own if track[0] == own.origin else theirs
    chunks = (author.entries(at, 1)[0] for at in state.chunk_entries[track[0]])
    pieces = render_agreed(journal, track, covered(track, chunks))
    return _held_to(stated[track], track, pieces) if state.is_agreed else pieces


def _held_to(stated: tuple[str, int], track: Track, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Return `pieces`, and raise where they do not come to what was `stated`."""
    digest, size = sha256(), 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
        yield piece
    if (digest.hexdigest(), size) != stated:
        node, _, _ = track[0].partition("/")
        raise ProofError(
            f"the record of {node}, track {track[1]}, is not the one that both sides signed: it"
            f" comes to {size} octets with SHA-256 {digest.hexdigest()}, and {stated[1]} with"
            f" {stated[0]} were agreed",
            advice="What this node keeps of it has changed since. The other side holds its own.",
        )


def measure(pieces: Iterable[bytes]) -> tuple[bytes, int]:
    """Return SHA-256 and octets of a file; blocks as `pieces` does."""
    digest, size = sha256(), 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
    return digest.digest(), size

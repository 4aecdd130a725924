"""The sealed file of one call: every packet of every track, in the order in which it was kept.

    file     = head || readers || part*
    head     = "telcon record v1" 0A || u16 length || JSON {"call":…,"own":…,"other":…,"began":µs}
    readers  = u8 count || for each: the public key (1,216 octets)
    part     = u8 kind || u32 length || body
    kind 1   begins a segment: body = for each reader, in that order: u16 length || the sealed data
             key
    kind 2   a block: body = AES-256-GCM(data key of the segment, nonce = u96 number of the block in
             the segment, context) of packet*
    packet   = u8 side (0 own, 1 other) || u8 track || u8 how || u64 index || u64 timestamp ||
               u16 length || payload
    context  = SHA-256(head || readers) || u32 number of the segment in the file, from 0

A block holds about a second, a segment five seconds at most and never two starts of the node; its
data key is wrapped to each reader, with the context as HPKE's info. A kill leaves a torn last part:
readers leave it out and the next writer cuts it off. What was kept once is never replaced: of two
packets of one index the first counts.

Writing and reading block on the disk: `telcon.node.record.shelf` calls them in threads.
"""

import contextlib
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from telcon.errors import MalformedError, MisuseError, SealedError
from telcon.node.folder import sync_folder
from telcon.node.record.disk import write_whole
from telcon.node.record.packet import How, Packet, Track
from telcon.node.record.sealing import PUBLIC_BYTES, DataKey, PrivateKey, Reader

__all__ = ["SEGMENT_S", "Head", "How", "Journal", "Packet", "Track", "count_readers"]

SEGMENT_S: Final = 5.0
"""How long one data key is used."""

WINDOW: Final = 3_000
"""Packets read at once: a minute."""

MAX_BLOCK_BYTES: Final = 1024 * 1024
"""Of packets, before sealing; one of more is written as several."""

MAX_PART_BYTES: Final = 2 * MAX_BLOCK_BYTES
MAX_READERS: Final = 32

_MAGIC: Final = b"telcon record v1\n"
_LENGTH: Final = struct.Struct(">H")
_PART: Final = struct.Struct(">BI")
_PACKET: Final = struct.Struct(">BBBQQH")
_SEGMENT_PART, _BLOCK_PART = 1, 2
_CREATE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_AGAIN: Final = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which call a journal is of."""

    call: str
    own: str
    """Origin of this node's line log."""
    other: str
    """Origin of the other side's."""
    began: int
    """Microseconds UTC."""


@dataclass(frozen=True, slots=True)
class _Block:
    """Where a block lies and what it holds."""

    offset: int
    size: int
    segment: int
    number: int
    spans: tuple[tuple[int, int, int, int], ...]
    """Side, track, lowest and highest index."""


class Journal:
    """One call's journal, open for writing and reading.

    One thread writes; any may read, also while it writes.
    """

    def __init__(
        self, path: Path, head: Head, readers: Sequence[Reader], key: PrivateKey | None
    ) -> None:
        """Use `create` or `open`. `key` opens what other starts of the node have written."""
        self.path = path
        self.head = head
        self.readers = tuple(readers)
        """Who can open the record: this node first, then the record-keepers."""
        self._key = key
        self._digest = sha256(_format_head(head, readers)).digest()
        self._sides = {head.own: 0, head.other: 1}
        self._wrapped: list[bytes] = []  # body of each segment's first part
        self._keys: dict[int, DataKey] = {}  # of the segments whose key is known
        self._blocks: list[_Block] = []
        self._bounds: dict[tuple[int, int], int] = {}  # by side and track
        self._size = 0
        self._descriptor: int | None = None
        self._segment_began: float | None = None

    @classmethod
    def create(cls, path: Path, head: Head, readers: Sequence[Reader]) -> "Journal":
        """Begin a new file, and its folders; nothing is readable by others than the node.

        Raises:
            OSError: the disk refused, and no file stays; or there is such a file.
        """
        journal = cls(path, head, readers, None)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, _CREATE, 0o600)
        data = _format_head(head, readers)
        try:
            write_whole(descriptor, data, 0)
            os.fdatasync(descriptor)
            for folder in list(path.parents)[:3]:  # of the call, of the line, of all lines
                sync_folder(folder)
        except OSError:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                path.unlink()  # half a head, or one that a power cut may take: no journal
            raise
        journal._descriptor, journal._size = descriptor, len(data)
        return journal

    @classmethod
    def open(cls, path: Path, key: PrivateKey, *, is_writing: bool = False) -> "Journal":
        """Read what is there with `key`; what is written on goes to the same readers.

        Raises:
            FileNotFoundError: there is no such file.
            OSError: the disk refused.
            MalformedError: it is no journal, or was altered.
            SealedError: it was not sealed to `key`.
        """
        with path.open("rb") as file:
            head, readers = _read_head(file)
            journal = cls(path, head, readers, key)
            journal._size = file.tell()
            journal._scan(file)
        if is_writing:
            journal._descriptor = os.open(path, _AGAIN)
            os.ftruncate(journal._descriptor, journal._size)
            os.lseek(journal._descriptor, journal._size, os.SEEK_SET)
        return journal

    # -- writing

    def append(self, packets: Iterable[tuple[Track, Packet]], now: float) -> None:
        """Write packets; `now` (monotonic) decides whether a new key is due.

        Raises:
            OSError: the disk refused; the file ends before what could not be written.
        """
        if self._descriptor is None:
            raise MisuseError("this journal was opened for reading")
        for block in _blocks_of(packets):
            if self._segment_began is None or now - self._segment_began >= SEGMENT_S:
                self._begin_segment(now)
            self._append_block(self._descriptor, block)

    def _append_block(self, descriptor: int, packets: Sequence[tuple[Track, Packet]]) -> None:
        segment = len(self._wrapped) - 1
        key = self._keys[segment]
        number = key.sealed
        sealed = key.seal(self._format_packets(packets), self._context(segment))
        part = _PART.pack(_BLOCK_PART, len(sealed)) + sealed
        write_whole(descriptor, part, self._size)
        offset = self._size + _PART.size
        self._size += len(part)
        self._add(_Block(offset, len(sealed), segment, number, self._spans_of(packets)))

    def _add(self, block: _Block) -> None:
        self._blocks.append(block)
        for side, track, _, highest in block.spans:
            bound = self._bounds.get((side, track), 0)
            self._bounds[side, track] = max(bound, highest + 1)

    def sync(self) -> None:
        """Make what was written survive a power cut.

        Raises:
            OSError: the disk refused.
        """
        if self._descriptor is not None:
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Write nothing more; reading goes on.

        Raises:
            OSError: the disk refused, perhaps something written long before.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)

    # -- reading

    def tracks(self) -> list[Track]:
        """Return the tracks of which there is a packet, by origin and number."""
        origins = {side: origin for origin, side in self._sides.items()}
        return sorted((origins[side], track) for side, track in list(self._bounds))

    def bound(self, track: Track) -> int:
        """Return the index after the highest of `track` that is kept; 0 if there is none."""
        return self._bounds.get((self._sides[track[0]], track[1]), 0)

    def windows(self, track: Track, bound: int) -> Iterator[dict[int, Packet]]:
        """Read what is kept of `track` below index `bound`, a minute at a time; raises as `read`.

        `bound` may be any number that somebody claimed, and so may the indexes: minutes of which
        nothing is kept cost nothing.
        """
        where = (self._sides[track[0]], track[1])
        end = min(bound, self.bound(track))
        kept = {
            number
            for block in list(self._blocks)
            for *of, lowest, highest in block.spans
            if tuple(of) == where
            for number in range(lowest // WINDOW, highest // WINDOW + 1)
        }
        for first in (number * WINDOW for number in sorted(kept)):
            if first < end:
                yield self.read(track, first, min(WINDOW, end - first))

    def read(self, track: Track, first: int, count: int) -> dict[int, Packet]:
        """Return what is kept of `count` packets of `track` from index `first` on.

        Raises:
            OSError: the disk refused.
            MalformedError: the file was altered.
            SealedError: a segment was not sealed to our key.
        """
        side, number = self._sides[track[0]], track[1]
        last = first + count - 1
        found: dict[int, Packet] = {}
        with self.path.open("rb") as file:
            for block in list(self._blocks):
                if any(
                    (span[0], span[1]) == (side, number) and span[2] <= last and span[3] >= first
                    for span in block.spans
                ):
                    for one, packet in self._read_block(file, block):
                        if one == (side, number) and first <= packet.index <= last:
                            found.setdefault(packet.index, packet)
        return dict(sorted(found.items()))

    def _read_block(self, file: BinaryIO, block: _Block) -> list[tuple[tuple[int, int], Packet]]:
        file.seek(block.offset)
        sealed = file.read(block.size)
        context = self._context(block.segment)
        plain = self._data_key(block.segment).open(block.number, sealed, context)
        return list(_parse_packets(plain))

    def _data_key(self, segment: int) -> DataKey:
        known = self._keys.get(segment)
        if known is None:
            if self._key is None or self._key.reader not in self.readers:
                raise SealedError(
                    "this record was not sealed to this key",
                    advice="Records are sealed to those who kept the line's records by then.",
                )
            wrapped = _wrapped_for(self._wrapped[segment], self.readers.index(self._key.reader))
            secret = self._key.unwrap(wrapped, self._context(segment))
            known = self._keys[segment] = DataKey(secret)
        return known

    # -- the format

    def _begin_segment(self, now: float) -> None:
        segment = len(self._wrapped)
        key = DataKey.generate()
        context = self._context(segment)
        body = bytearray()
        for reader in self.readers:
            sealed = reader.wrap(key.secret, context)
            body += _LENGTH.pack(len(sealed)) + sealed
        part = _PART.pack(_SEGMENT_PART, len(body)) + body
        if self._descriptor is not None:
            write_whole(self._descriptor, part, self._size)
        self._size += len(part)
        self._wrapped.append(bytes(body))
        self._keys[segment] = key
        self._segment_began = now

    def _context(self, segment: int) -> bytes:
        return self._digest + segment.to_bytes(4)

    def _format_packets(self, packets: Sequence[tuple[Track, Packet]]) -> bytes:
        return b"".join(
            _PACKET.pack(
                self._sides[origin],
                number,
                packet.how,
                packet.index,
                packet.timestamp,
                len(packet.payload),
            )
            + packet.payload
            for (origin, number), packet in packets
        )

    def _spans_of(
        self, packets: Sequence[tuple[Track, Packet]]
    ) -> tuple[tuple[int, int, int, int], ...]:
        return _spans(
            ((self._sides[origin], number), packet.index) for (origin, number), packet in packets
        )

    def _scan(self, file: BinaryIO) -> None:
        """Find all whole parts, opening each block to see what it holds."""
        number = 0
        while (head := file.read(_PART.size)) and len(head) == _PART.size:
            kind, length = _PART.unpack(head)
            if length > MAX_PART_BYTES or kind not in (_SEGMENT_PART, _BLOCK_PART):
                if not any(head) and not any(file.read()):
                    return  # a power cut: the file's length reached the disk, its octets did not
                raise MalformedError(f"{self.path.name} is damaged at offset {self._size}")
            body = file.read(length)
            if len(body) < length:
                return  # torn: the node was killed while it wrote this
            if kind == _SEGMENT_PART:
                self._wrapped.append(body)
                number = 0
            elif not self._wrapped:
                raise MalformedError(f"{self.path.name} holds a block before any key")
            else:
                self._take_block(self._size + _PART.size, body, number)
                number += 1
            self._size += _PART.size + length

    def _take_block(self, offset: int, body: bytes, number: int) -> None:
        segment = len(self._wrapped) - 1
        plain = self._data_key(segment).open(number, body, self._context(segment))
        spans = _spans((key, packet.index) for key, packet in _parse_packets(plain))
        self._add(_Block(offset, len(body), segment, number, spans))


def _spans(
    packets: Iterable[tuple[tuple[int, int], int]],
) -> tuple[tuple[int, int, int, int], ...]:
    """Return side, track, lowest and highest index of each track among `packets`."""
    found: dict[tuple[int, int], tuple[int, int]] = {}
    for key, index in packets:
        low, high = found.get(key, (index, index))
        found[key] = (min(low, index), max(high, index))
    return tuple((*key, *span) for key, span in sorted(found.items()))


def count_readers(path: Path) -> int:
    """Return for how many readers the journal at `path` is sealed, without opening it.

    Raises:
        OSError: the disk refused, or there is none.
        MalformedError: it is no journal.
    """
    with path.open("rb") as file:
        return len(_read_head(file)[1])


def _blocks_of(packets: Iterable[tuple[Track, Packet]]) -> Iterator[list[tuple[Track, Packet]]]:
    block: list[tuple[Track, Packet]] = []
    octets = 0
    for track, packet in packets:
        cost = _PACKET.size + len(packet.payload)
        if block and octets + cost > MAX_BLOCK_BYTES:
            yield block
            block, octets = [], 0
        block.append((track, packet))
        octets += cost
    if block:
        yield block


def _format_head(head: Head, readers: Sequence[Reader]) -> bytes:
    data = msgspec.json.encode(head)
    keys = b"".join(reader.public for reader in readers)
    return _MAGIC + _LENGTH.pack(len(data)) + data + bytes((len(readers),)) + keys


def _read_head(file: BinaryIO) -> tuple[Head, list[Reader]]:
    start = file.read(len(_MAGIC) + _LENGTH.size)
    if len(start) != len(_MAGIC) + _LENGTH.size or not start.startswith(_MAGIC):
        raise MalformedError("this is no record of telcon")
    (length,) = _LENGTH.unpack_from(start, len(_MAGIC))
    data = file.read(length)
    try:
        head = msgspec.json.decode(data, type=Head)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedError(f"the head of this record cannot be read: {error}") from error
    count = file.read(1)
    keys = file.read(PUBLIC_BYTES * count[0]) if count and count[0] <= MAX_READERS else b""
    readers = [Reader(keys[at : at + PUBLIC_BYTES]) for at in range(0, len(keys), PUBLIC_BYTES)]
    if not readers or _format_head(head, readers) != start + data + count + keys:
        raise MalformedError("the head of this record is not in its one spelling")
    return head, readers


def _wrapped_for(body: bytes, place: int) -> bytes:
    """Return the data key as it was wrapped for the reader at `place`."""
    at = 0
    for number in range(place + 1):
        head = body[at : at + _LENGTH.size]
        length = int.from_bytes(head)
        at += _LENGTH.size
        if len(head) < _LENGTH.size or at + length > len(body):
            raise MalformedError("a key of the record cannot be read")
        if number == place:
            return body[at : at + length]
        at += length
    raise MalformedError("a key of the record cannot be read")


def _parse_packets(data: bytes) -> Iterator[tuple[tuple[int, int], Packet]]:
    at = 0
    while at < len(data):
        if at + _PACKET.size > len(data):
            raise MalformedError("a block of the record ends within a packet")
        side, track, how, index, timestamp, length = _PACKET.unpack_from(data, at)
        at += _PACKET.size
        payload = data[at : at + length]
        if side > 1 or how not in iter(How) or len(payload) != length:
            raise MalformedError("a packet of the record cannot be read")
        at += length
        yield (side, track), Packet(index, timestamp, payload, How(how))

"""One recording: one speaker's Ogg Opus file, while it is written and after a crash.

What is lost, muted or cut off stands in the file as lost frames, so that the file's time is the
call's time. The tags say where the file belongs and when it began, and hold what is needed to make
the leaves of the chunk tree from the file again. Bytes go to disk.py's thread; only `recover` works
on the disk itself.
"""

import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from telcon.errors import MalformedError
from telcon.node.media.disk import DiskFile, DiskWriter
from telcon.node.media.ogg import (
    LAST_PAGE,
    OggPage,
    format_page,
    holds_page,
    scan_pages_untrusted,
)
from telcon.node.media.oggopus import OggOpusWriter, parse_ogg_opus_untrusted
from telcon.node.media.opus import lost_frame, parse_opus_untrusted
from telcon.node.media.timeline import GRAIN, Arrival, Placed, Timeline

__all__ = ["ClosedRecording", "Label", "Recording", "RecordingStatistics", "recover"]

PAGE_S = 1.0
"""A page goes to the disk when it is this old, however little it holds."""

_FRAME = 2 * GRAIN
_SILENCE = lost_frame(0xFC, _FRAME)
"""All that a file holds whose speaker was never heard: players refuse one without any packet."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a file says about itself."""

    call: str
    origin: str
    """The line log of the speaker's side."""
    number: int
    """Track number, 1 to 255."""
    speaker: str
    """For players."""


@dataclass(frozen=True, slots=True)
class ClosedRecording:
    """A file that will not change any more."""

    origin: str
    number: int
    path: Path
    sha256: bytes
    size: int
    """Octets."""
    packets: int
    """Opus packets that somebody sent; the lost frames between them are not counted."""


@dataclass(frozen=True, slots=True)
class RecordingStatistics:
    """Counts since the recording began."""

    packets: int
    dropped: int
    """Came twice, too late, or faster than anybody speaks."""
    refused: int
    """Were no Opus packets."""
    segments: int
    """How often the timestamps had a new base; 1 is normal."""


class Recording:
    """The file of one track, being written."""

    def __init__(
        self,
        disk: DiskWriter,
        path: Path,
        label: Label,
        utc_us: Callable[[float], int],
        now: float,
    ) -> None:
        """Let `disk` create the file; `utc_us` turns `now` of any call into UTC microseconds."""
        self.label = label
        self._disk = disk
        self._file: DiskFile = disk.open(path, now)
        self._utc_us = utc_us
        self._ogg: OggOpusWriter | None = None
        self._timeline = Timeline()
        self._toc = 0
        self._page_began = now
        self._newest: float | None = None
        self._packets = 0
        self._refused = 0

    @property
    def newest_on_disk(self) -> float | None:
        """Return the arrival of the newest packet on the disk; None before the first."""
        return self._file.newest

    def statistics(self) -> RecordingStatistics:
        """Return the counts so far."""
        return RecordingStatistics(
            self._packets, self._timeline.dropped, self._refused, self._timeline.segments
        )

    def write(self, index: int, timestamp: int, payload: bytes, now: float) -> None:
        """Take one packet, which may be late, doubled, or anything but Opus."""
        try:
            samples = parse_opus_untrusted(payload).samples
        except MalformedError:
            self._refused += 1
            return
        self._write(self._timeline.receive(Arrival(index, timestamp, payload, samples, now)), now)

    def handle_time(self, now: float) -> None:
        """Stop waiting for what is lost, and let no page grow old."""
        self._write(self._timeline.release(now), now)
        if self._ogg and self._ogg.pending_samples and now - self._page_began >= PAGE_S:
            self._disk.write(self._file, self._ogg.flush(), self._newest, now)

    def finish(self, now: float) -> None:
        """Write all that is left and the last page; nothing may follow."""
        self._write(self._timeline.drain(), now)
        ogg = self._ogg or self._begin(Arrival(0, 0, b"", 0, now))
        pages = ogg.write(_SILENCE, _FRAME) if ogg.position == 0 else b""
        self._disk.write(self._file, pages + ogg.finish(), self._newest, now)

    def result(self) -> ClosedRecording | None:
        """Return the file as the disk has it; None if it could not even be created.

        Call it when the disk is closed.
        """
        if self._file.size == 0:
            return None
        return ClosedRecording(
            self.label.origin,
            self.label.number,
            self._file.path,
            self._file.hash.digest(),
            self._file.size,
            self._packets,
        )

    def _write(self, placed: list[Placed], now: float) -> None:
        for lost, arrival in placed:
            ogg = self._ogg or self._begin(arrival)
            if ogg.pending_samples == 0:
                self._page_began = arrival.now
            pages = self._fill(ogg, lost) if lost else b""
            pages += ogg.write(arrival.payload, arrival.samples)
            self._toc = arrival.payload[0]
            self._newest = arrival.now
            self._packets += 1
            if pages:
                self._disk.write(self._file, pages, self._newest, now)

    def _begin(self, first: Arrival) -> OggOpusWriter:
        comments = {
            "ARTIST": self.label.speaker,
            "TELCON_CALL": self.label.call,
            "TELCON_ORIGIN": self.label.origin,
            "TELCON_TRACK": str(self.label.number),
            "TELCON_START": str(self._utc_us(first.now)),  # of the first sample, UTC microseconds
            "TELCON_INDEX": str(first.index),  # of the first packet, as in the chunk tree
            "TELCON_TIMESTAMP": str(first.timestamp),
        }
        # The serial has to differ only among streams that somebody may join into one file.
        self._ogg = OggOpusWriter(random.getrandbits(32), comments)
        self._disk.write(self._file, self._ogg.header(), None, first.now)
        return self._ogg

    def _fill(self, ogg: OggOpusWriter, lost: int) -> bytes:
        """Write `lost` samples as lost frames in the mode of the packet before."""
        count, rest = divmod(lost, _FRAME)
        pages = ogg.fill(lost_frame(self._toc, _FRAME), _FRAME, count)
        if rest:
            pages += ogg.write(lost_frame(self._toc, GRAIN), GRAIN)
        return pages


def recover(path: Path) -> ClosedRecording:
    """Close a file that a crash interrupted; a closed one stays as it is. Blocks on the disk.

    A torn last page is cut off and a last page written, so it may be called again at any point.

    Raises:
        MalformedError: no recording of ours, without a single packet, or damaged in its middle;
            the file is left alone.
        OSError: the disk refused.
    """
    data = path.read_bytes()
    pages = list(scan_pages_untrusted(data))
    if not pages:
        raise MalformedError(f"{path.name} does not begin with an Ogg page")
    last = pages[-1]
    if holds_page(data, last.end):
        raise MalformedError(f"{path.name} is damaged at offset {last.end} and goes on after it")
    whole = data[: last.end]
    if not last.flags & LAST_PAGE:
        whole += _format_closing(last)
    file = parse_ogg_opus_untrusted(whole)
    origin, number = _owner(file.comments)
    if whole != data:
        _replace_end(path, last.end, whole[last.end :])
    packets = sum(not packet.is_lost for packet in file.packets)
    return ClosedRecording(origin, number, path, sha256(whole).digest(), len(whole), packets)


def _format_closing(last: OggPage) -> bytes:
    """Return the page that ends a file whose last page so far is `last`."""
    position, lacing, body = last.granule, b"", b""
    if position == 0:
        position, lacing, body = _FRAME, bytes((len(_SILENCE),)), _SILENCE
    return format_page(LAST_PAGE, position, last.serial, last.sequence + 1, lacing, body)


def _owner(comments: Mapping[str, str]) -> tuple[str, int]:
    try:
        return comments["TELCON_ORIGIN"], int(comments["TELCON_TRACK"])
    except (KeyError, ValueError) as e:
        raise MalformedError("the file's tags do not say whose track it holds") from e


def _replace_end(path: Path, at: int, end: bytes) -> None:
    """Replace all behind offset `at`. A crash in here leaves a shorter file that is still whole."""
    with path.open("r+b", buffering=0) as file:
        file.truncate(at)
        file.seek(at)
        file.write(end)
        os.fsync(file.fileno())

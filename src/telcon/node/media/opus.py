"""How long an Opus packet lasts, read from its first octets (RFC 6716 §3), without decoding it.

The node never decodes audio. The recorder still has to know how much time a packet covers, to keep
the file's clock equal to real time, and has to refuse what no decoder could frame. Only framing is
checked here: whether the compressed frames make sense is the listener's decoder's business.
"""

from typing import NamedTuple

from telcon.errors import MalformedError, MisuseError

__all__ = [
    "MAX_PACKET_BYTES",
    "SAMPLE_RATE",
    "OpusPacket",
    "lost_frame",
    "parse_opus_untrusted",
]

SAMPLE_RATE = 48_000
"""Ogg Opus and RTP both count in 48 kHz samples, whatever the encoder's input was (RFC 7845 §4)."""

MAX_PACKET_BYTES = 1_500
"""Nothing longer fits into one datagram on the way here; RFC 6716 itself allows far more."""

_MAX_FRAME_BYTES = 1_275  # RFC 6716 §3.2.1 [R2]
_MAX_SAMPLES = 5_760  # 120 ms, RFC 6716 §3.2.5 [R5]

_SILK = (480, 960, 1_920, 2_880)
_HYBRID = (480, 960)
_CELT = (120, 240, 480, 960)
_FRAME_SAMPLES = _SILK * 3 + _HYBRID * 2 + _CELT * 4  # by config, RFC 6716 §3.1 table 2


class OpusPacket(NamedTuple):
    """What the framing of one packet says."""

    config: int
    """Mode, bandwidth and frame size, 0 to 31."""
    frames: int
    """1 to 48."""
    samples: int
    """All frames together, in 48 kHz samples; at most 5,760 (120 ms)."""


def parse_opus_untrusted(packet: bytes) -> OpusPacket:
    """Return the framing of a packet that somebody sent.

    A lone TOC octet is legal: one frame of no bytes, which a decoder conceals as lost.

    Raises:
        MalformedError: it breaks one of the rules R1 to R7 of RFC 6716 §3, or is over
            MAX_PACKET_BYTES.
    """
    size = len(packet)
    if not 1 <= size <= MAX_PACKET_BYTES:  # [R1]
        raise MalformedError(f"an Opus packet has 1 to {MAX_PACKET_BYTES} octets, not {size}")
    config = packet[0] >> 3
    code = packet[0] & 3
    if code == 0:
        frames, longest = 1, size - 1
    elif code == 1:
        frames, longest = 2, _read_equal_pair(packet)
    elif code == 2:
        frames, longest = 2, _read_unequal_pair(packet)
    else:
        frames, longest = _read_many(packet)
    if longest > _MAX_FRAME_BYTES:
        raise MalformedError(f"an Opus frame has at most {_MAX_FRAME_BYTES} octets, not {longest}")
    samples = frames * _FRAME_SAMPLES[config]
    if samples > _MAX_SAMPLES:
        raise MalformedError(f"an Opus packet lasts at most 120 ms, not {samples // 48} ms")
    return OpusPacket(config, frames, samples)


def lost_frame(toc: int, samples: int) -> bytes:
    """Return the packet of `samples` that says "lost here" in the mode of the packet `toc` began.

    `samples` is 480 or 960: 10 and 20 ms, which every mode has. Mode, bandwidth and channels stay,
    so that the decoder need not switch (RFC 7845 §4.1).

    Raises:
        MisuseError: another number of samples.
    """
    if samples not in (480, 960):
        raise MisuseError(f"a lost frame lasts 480 or 960 samples, not {samples}")
    config = toc >> 3
    if config < 12:
        first = config & ~3
    elif config < 16:
        first = config & ~1
    else:
        first = (config & ~3) + 2
    return bytes(((first + (samples == 960)) << 3 | toc & 4,))


def _read_equal_pair(packet: bytes) -> int:
    """Return the size of each of two equal frames (code 1)."""
    if len(packet) % 2 == 0:  # [R3]
        raise MalformedError("two equal Opus frames need an even number of octets")
    return len(packet) // 2


def _read_unequal_pair(packet: bytes) -> int:
    """Return the size of the longer of two frames (code 2)."""
    first, at = _read_length(packet, 1)
    second = len(packet) - at - first
    if second < 0:  # [R4]
        raise MalformedError("the first of two Opus frames is longer than the packet")
    return max(first, second)


def _read_many(packet: bytes) -> tuple[int, int]:
    """Return the number of frames and the size of the longest (code 3).

    0 1 2 3 4 5 6 7
    v p M M M M M M    v: sizes differ; p: padding follows; M: number of frames
    """
    if len(packet) < 2:  # [R6], [R7]
        raise MalformedError("an Opus packet of many frames ends before their number")
    head = packet[1]
    frames = head & 0x3F
    if frames == 0:  # [R5]
        raise MalformedError("an Opus packet of many frames holds none")
    padding, at = _read_padding(packet, 2) if head & 0x40 else (0, 2)
    longest = 0
    taken = 0
    if head & 0x80:
        for _ in range(frames - 1):
            size, at = _read_length(packet, at)
            longest = max(longest, size)
            taken += size
    left = len(packet) - at - padding - taken
    if left < 0:
        raise MalformedError("the frames of an Opus packet are longer than the packet")
    if head & 0x80:
        return frames, max(longest, left)
    if left % frames:
        raise MalformedError("equal Opus frames do not divide the octets of the packet")
    return frames, left // frames


def _read_padding(packet: bytes, at: int) -> tuple[int, int]:
    """Return the number of padding octets and where the frame sizes begin."""
    padding = 0
    while True:
        if at >= len(packet):
            raise MalformedError("an Opus packet ends within its padding length")
        octet = packet[at]
        at += 1
        if octet < 255:
            return padding + octet, at
        padding += 254


def _read_length(packet: bytes, at: int) -> tuple[int, int]:
    """Return one frame's size (RFC 6716 §3.2.1) and where the next field begins."""
    if at >= len(packet):
        raise MalformedError("an Opus packet ends within a frame length")
    first = packet[at]
    if first < 252:
        return first, at + 1
    if at + 1 >= len(packet):
        raise MalformedError("an Opus packet ends within a frame length")
    return first + 4 * packet[at + 1], at + 2

"""SRTP (RFC 3711, RFC 7714) by libsrtp: one object that encrypts, one that decrypts.

A Python wrapper that allocates for every packet costs more than the cipher does, so the way taken
for each packet hands libsrtp one buffer shared by all sessions. It uses three names that pylibsrtp
keeps to itself; therefore the first session made checks both ways against each other, and if they
ever differ the public calls are used. The shared buffer makes this module usable from the event
loop's thread alone.

libsrtp refuses to encrypt one index of a stream twice (`allow_repeat_tx` stays off), because the
second packet would reuse the keystream of the first.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import pylibsrtp

from telcon.errors import MisuseError, SrtpError
from telcon.node.media.rtp import MAX_PACKET_BYTES

__all__ = [
    "AEAD_AES_128_GCM",
    "AEAD_AES_256_GCM",
    "AES128_CM_SHA1_80",
    "DTLS_PROFILES",
    "MAX_PACKET_BYTES",
    "Protector",
    "SrtpProfile",
    "Unprotector",
    "is_fast_path_sound",
]

REPLAY_WINDOW = 1_024
"""Packets. 20 s of speech: whatever a jittery network delays longer nobody plays any more."""

_PYLIBSRTP: Any = pylibsrtp
"""For the names it keeps to itself: `ffi`, `lib` and `Session._srtp`."""

_BUFFER_BYTES = 2_048


@dataclass(frozen=True, slots=True)
class SrtpProfile:
    """One way of protecting media, as negotiated by DTLS-SRTP (RFC 5764 §4.1.2)."""

    name: str
    """As OpenSSL spells it."""
    key_bytes: int
    """Of the master key."""
    salt_bytes: int
    """Of the master salt, which follows the key."""
    constant: int
    """As libsrtp numbers it."""

    @property
    def secret_bytes(self) -> int:
        """Return the length of master key and salt together."""
        return self.key_bytes + self.salt_bytes


AEAD_AES_256_GCM = SrtpProfile(
    "SRTP_AEAD_AES_256_GCM", 32, 12, pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM
)
AEAD_AES_128_GCM = SrtpProfile(
    "SRTP_AEAD_AES_128_GCM", 16, 12, pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM
)
AES128_CM_SHA1_80 = SrtpProfile(
    "SRTP_AES128_CM_SHA1_80", 16, 14, pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80
)
DTLS_PROFILES = (AEAD_AES_256_GCM, AEAD_AES_128_GCM, AES128_CM_SHA1_80)
"""In order of preference; GCM decrypts more than twice as fast."""


class Protector:
    """Encrypts what one side sends under one key, all streams of it."""

    def __init__(self, profile: SrtpProfile, key_and_salt: bytes) -> None:
        """Take the master key followed by the master salt, `profile.secret_bytes` octets.

        Raises:
            MisuseError: the key has another length.
        """
        session = _make_session(profile, key_and_salt, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self._session = _choose_way(session)

    def protect(self, packet: bytes) -> bytes:
        """Return one RTP packet encrypted.

        Raises:
            MisuseError: not an RTP packet, too long, or its index was used before.
        """
        return self._session.protect(packet)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Return one compound RTCP packet encrypted.

        Raises:
            MisuseError: not an RTCP packet, or too long.
        """
        return self._session.protect_rtcp(packet)


class Unprotector:
    """Decrypts what the other side sends under one key, all streams of it."""

    def __init__(self, profile: SrtpProfile, key_and_salt: bytes) -> None:
        """Take the master key followed by the master salt, `profile.secret_bytes` octets.

        Raises:
            MisuseError: the key has another length.
        """
        session = _make_session(profile, key_and_salt, pylibsrtp.Policy.SSRC_ANY_INBOUND)
        self._session = _choose_way(session)

    def unprotect(self, packet: bytes) -> bytes:
        """Return the RTP packet in an SRTP packet.

        Raises:
            SrtpError: forged, altered, seen before, or too old.
        """
        return self._session.unprotect(packet)

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """Return the compound RTCP packet in an SRTCP packet.

        Raises:
            SrtpError: forged, altered, seen before, or too old.
        """
        return self._session.unprotect_rtcp(packet)


def _make_session(profile: SrtpProfile, key_and_salt: bytes, direction: int) -> Any:
    if len(key_and_salt) != profile.secret_bytes:
        raise MisuseError(
            f"{profile.name} takes {profile.secret_bytes} octets of key and salt, "
            f"not {len(key_and_salt)}"
        )
    policy = pylibsrtp.Policy(key=key_and_salt, ssrc_type=direction, srtp_profile=profile.constant)
    policy.window_size = REPLAY_WINDOW
    policy.allow_repeat_tx = False
    return pylibsrtp.Session(policy)


def _choose_way(session: Any) -> _FastSession | _PublicSession:
    return _FastSession(session) if is_fast_path_sound() else _PublicSession(session)


@functools.cache
def is_fast_path_sound() -> bool:
    """Return whether the shared buffer gives, both ways, what the public calls give."""
    secret, packet = bytes(range(44)), bytes.fromhex("806f00010000000000000001") + bytes(160)
    report = bytes.fromhex("80c9000100000001")

    def session(direction: int) -> Any:
        return _make_session(AEAD_AES_256_GCM, secret, direction)

    outbound, inbound = pylibsrtp.Policy.SSRC_ANY_OUTBOUND, pylibsrtp.Policy.SSRC_ANY_INBOUND
    try:
        fast_out, fast_in = _FastSession(session(outbound)), _FastSession(session(inbound))
        public_out = session(outbound)
        sealed, sealed_report = public_out.protect(packet), public_out.protect_rtcp(report)
        return (
            fast_out.protect(packet) == sealed
            and fast_out.protect_rtcp(report) == sealed_report
            and fast_in.unprotect(sealed) == packet
            and fast_in.unprotect_rtcp(sealed_report) == report
        )
    except (AttributeError, TypeError, IndexError, MisuseError, SrtpError):
        # pylibsrtp has moved its private names: slower, but nothing else changes.
        return False


class _FastSession:
    """libsrtp called with the buffer that all sessions share."""

    _data: Any = None
    _view: Any = None
    _length: Any = None

    def __init__(self, session: Any) -> None:
        if _FastSession._data is None:
            _FastSession._data = _PYLIBSRTP.ffi.new("char[]", _BUFFER_BYTES)
            _FastSession._view = _PYLIBSRTP.ffi.buffer(_FastSession._data)
            _FastSession._length = _PYLIBSRTP.ffi.new("int *")
        self._owner = session  # frees the context when it goes
        self._context = session._srtp[0]
        self._protect = _PYLIBSRTP.lib.srtp_protect
        self._unprotect = _PYLIBSRTP.lib.srtp_unprotect

    def protect(self, packet: bytes) -> bytes:
        # Written out in full, as `unprotect` is: called for every packet to every listener.
        size, view, length = len(packet), self._view, self._length
        if size > MAX_PACKET_BYTES:
            raise MisuseError(f"an RTP packet of {size} octets, {MAX_PACKET_BYTES} are the limit")
        view[0:size] = packet
        length[0] = size
        status = self._protect(self._context, self._data, length)
        if status:
            raise MisuseError(f"libsrtp does not encrypt this packet: status {status}")
        sealed: bytes = view[0 : length[0]]
        return sealed

    def unprotect(self, packet: bytes) -> bytes:
        size, view, length = len(packet), self._view, self._length
        if size > _BUFFER_BYTES:
            raise SrtpError(f"an SRTP packet of {size} octets")
        view[0:size] = packet
        length[0] = size
        status = self._unprotect(self._context, self._data, length)
        if status:
            raise SrtpError(f"an SRTP packet was refused by libsrtp: status {status}")
        opened: bytes = view[0 : length[0]]
        return opened

    def protect_rtcp(self, packet: bytes) -> bytes:
        if len(packet) > MAX_PACKET_BYTES:
            raise MisuseError(f"an RTCP packet of {len(packet)} octets")
        status = self._run(_PYLIBSRTP.lib.srtp_protect_rtcp, packet)
        if status:
            raise MisuseError(f"libsrtp does not encrypt this report: status {status}")
        return self._result()

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        if len(packet) > _BUFFER_BYTES:
            raise SrtpError(f"an SRTCP packet of {len(packet)} octets")
        status = self._run(_PYLIBSRTP.lib.srtp_unprotect_rtcp, packet)
        if status:
            raise SrtpError(f"an SRTCP packet was refused by libsrtp: status {status}")
        return self._result()

    def _run(self, function: Any, packet: bytes) -> int:
        self._view[0 : len(packet)] = packet
        self._length[0] = len(packet)
        return int(function(self._context, self._data, self._length))

    def _result(self) -> bytes:
        return bytes(self._view[0 : self._length[0]])


class _PublicSession:
    """libsrtp by pylibsrtp's documented calls alone."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def protect(self, packet: bytes) -> bytes:
        return self._encrypt(self._session.protect, packet)

    def protect_rtcp(self, packet: bytes) -> bytes:
        return self._encrypt(self._session.protect_rtcp, packet)

    def unprotect(self, packet: bytes) -> bytes:
        return self._decrypt(self._session.unprotect, packet)

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        return self._decrypt(self._session.unprotect_rtcp, packet)

    @staticmethod
    def _encrypt(call: Any, packet: bytes) -> bytes:
        if len(packet) > MAX_PACKET_BYTES:
            raise MisuseError(f"a packet of {len(packet)} octets is too long to be sent")
        try:
            return bytes(call(packet))
        except (pylibsrtp.Error, ValueError) as error:
            raise MisuseError(f"libsrtp does not encrypt this packet: {error}") from error

    @staticmethod
    def _decrypt(call: Any, packet: bytes) -> bytes:
        try:
            return bytes(call(packet))
        except (pylibsrtp.Error, ValueError) as error:
            raise SrtpError(f"a packet was refused by libsrtp: {error}") from error

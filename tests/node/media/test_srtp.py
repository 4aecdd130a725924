"""SRTP: both ways into libsrtp agree, and nothing forged, repeated or old comes through."""

import types

import pylibsrtp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telcon.errors import MisuseError, SrtpError
from telcon.node.media import srtp
from telcon.node.media.rtcp import ReceiverReport, format_rtcp
from telcon.node.media.rtp import RtpPacket, format_rtp
from telcon.node.media.srtp import (
    AEAD_AES_256_GCM,
    DTLS_PROFILES,
    MAX_PACKET_BYTES,
    Protector,
    SrtpProfile,
    Unprotector,
)

REPORT = format_rtcp([ReceiverReport(7)])
SECRET = bytes(range(44))


def packet(sequence: int, payload: bytes = b"opus", ssrc: int = 7) -> bytes:
    return format_rtp(RtpPacket(111, False, sequence & 0xFFFF, sequence * 960, ssrc, payload))


def pair(profile: SrtpProfile = AEAD_AES_256_GCM) -> tuple[Protector, Unprotector]:
    secret = SECRET[: profile.secret_bytes]
    return Protector(profile, secret), Unprotector(profile, secret)


@pytest.fixture(params=["shared buffer", "public calls"])
def each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "public calls":
        monkeypatch.setattr(srtp, "is_fast_path_sound", lambda: False)


def test_the_shared_buffer_is_sound_with_the_installed_library() -> None:
    assert srtp.is_fast_path_sound()


def test_falls_back_when_the_library_has_moved_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(srtp._FastSession, "_data", None)
    monkeypatch.setattr(srtp, "_PYLIBSRTP", types.SimpleNamespace())
    srtp.is_fast_path_sound.cache_clear()
    try:
        protector, unprotector = pair()
        assert not srtp.is_fast_path_sound()
        assert unprotector.unprotect(protector.protect(packet(1))) == packet(1)
    finally:
        srtp.is_fast_path_sound.cache_clear()


@pytest.mark.usefixtures("each_way")
@pytest.mark.parametrize("profile", DTLS_PROFILES, ids=lambda profile: profile.name)
def test_opens_what_was_sealed(profile: SrtpProfile) -> None:
    protector, unprotector = pair(profile)
    assert unprotector.unprotect(protector.protect(packet(1))) == packet(1)
    assert unprotector.unprotect_rtcp(protector.protect_rtcp(REPORT)) == REPORT


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20))
def test_both_ways_give_the_same_bytes(payloads: list[bytes]) -> None:
    fast = Protector(AEAD_AES_256_GCM, SECRET)
    public = srtp._PublicSession(
        srtp._make_session(AEAD_AES_256_GCM, SECRET, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
    )
    for sequence, payload in enumerate(payloads):
        plain = packet(sequence, payload)
        assert fast.protect(plain) == public.protect(plain)


@pytest.mark.usefixtures("each_way")
def test_refuses_every_changed_bit() -> None:
    protector, unprotector = pair()
    sealed = protector.protect(packet(1))
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SrtpError):
            unprotector.unprotect(bytes(changed))
    assert unprotector.unprotect(sealed) == packet(1)


@pytest.mark.usefixtures("each_way")
def test_refuses_a_packet_and_a_report_that_come_again() -> None:
    protector, unprotector = pair()
    sealed, sealed_report = protector.protect(packet(1)), protector.protect_rtcp(REPORT)
    unprotector.unprotect(sealed)
    unprotector.unprotect_rtcp(sealed_report)
    with pytest.raises(SrtpError):
        unprotector.unprotect(sealed)
    with pytest.raises(SrtpError):
        unprotector.unprotect_rtcp(sealed_report)


def test_takes_a_packet_late_within_the_window_and_not_beyond() -> None:
    protector, unprotector = pair()
    sealed = [protector.protect(packet(sequence)) for sequence in range(1_026)]
    unprotector.unprotect(sealed[1_025])
    assert unprotector.unprotect(sealed[2]) == packet(2)
    with pytest.raises(SrtpError):
        unprotector.unprotect(sealed[1])


def test_refuses_another_key() -> None:
    protector = Protector(AEAD_AES_256_GCM, SECRET)
    unprotector = Unprotector(AEAD_AES_256_GCM, SECRET[::-1])
    with pytest.raises(SrtpError):
        unprotector.unprotect(protector.protect(packet(1)))


@pytest.mark.usefixtures("each_way")
def test_never_encrypts_one_index_twice() -> None:
    protector, _ = pair()
    protector.protect(packet(1))
    with pytest.raises(MisuseError):
        protector.protect(packet(1, b"else"))


@pytest.mark.usefixtures("each_way")
def test_goes_on_over_the_wrap_of_the_sequence() -> None:
    protector, unprotector = pair()
    for sequence in range(65_500, 65_600):
        assert unprotector.unprotect(protector.protect(packet(sequence))) == packet(sequence)


@pytest.mark.usefixtures("each_way")
def test_takes_the_longest_packet_and_none_longer() -> None:
    protector, unprotector = pair()
    longest = packet(1, bytes(MAX_PACKET_BYTES - 12))
    assert unprotector.unprotect(protector.protect(longest)) == longest
    with pytest.raises(MisuseError):
        protector.protect(packet(2, bytes(MAX_PACKET_BYTES - 11)))
    with pytest.raises(MisuseError):
        protector.protect_rtcp(bytes(MAX_PACKET_BYTES + 1))


@pytest.mark.usefixtures("each_way")
@pytest.mark.parametrize("size", [0, 1, 7, 8, 11, 12, 20, 28, 1_500, 2_048, 2_049, 70_000])
def test_refuses_garbage_of_any_size_with_the_one_error(size: int) -> None:
    _, unprotector = pair()
    for filling in (b"\x00", b"\x80", b"\xff"):
        with pytest.raises(SrtpError):
            unprotector.unprotect(filling * size)
        with pytest.raises(SrtpError):
            unprotector.unprotect_rtcp(filling * size)


@given(st.binary(max_size=100))
def test_any_bytes_are_refused_with_the_one_error(data: bytes) -> None:
    _, unprotector = pair()
    with pytest.raises(SrtpError):
        unprotector.unprotect(data)
    with pytest.raises(SrtpError):
        unprotector.unprotect_rtcp(data)


@pytest.mark.parametrize("profile", DTLS_PROFILES, ids=lambda profile: profile.name)
def test_refuses_a_secret_of_another_length(profile: SrtpProfile) -> None:
    with pytest.raises(MisuseError):
        Protector(profile, bytes(profile.secret_bytes - 1))
    with pytest.raises(MisuseError):
        Unprotector(profile, bytes(profile.secret_bytes + 1))

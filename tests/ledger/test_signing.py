"""Ed25519 as used here: the worked keys, the weak keys, and lengths."""

import pytest

from ledger.vectors import LOG, MIRROR, VECTORS
from telcon.errors import MalformedError, MisuseError
from telcon.ledger import SigningKey, is_weak_public_key, verify_signature

WEAK = [bytes.fromhex(text) for text in VECTORS["weak_ed25519_public_keys_hex"]]


def test_public_keys_are_the_worked_ones() -> None:
    assert LOG.public.hex() == VECTORS["keys"]["log"]["public_hex"]
    assert MIRROR.public.hex() == VECTORS["keys"]["mirror"]["public_hex"]


def test_a_signature_holds_for_its_message_and_key_only() -> None:
    signature = LOG.sign(b"text")
    assert verify_signature(LOG.public, signature, b"text")
    assert not verify_signature(LOG.public, signature, b"texu")
    assert not verify_signature(MIRROR.public, signature, b"text")


def test_no_flipped_bit_of_a_signature_verifies() -> None:
    signature = LOG.sign(b"text")
    for bit in range(512):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not verify_signature(LOG.public, bytes(flipped), b"text")


@pytest.mark.parametrize("octets", [0, 63, 65])
def test_signatures_and_keys_of_another_length_verify_nothing(octets: int) -> None:
    assert not verify_signature(LOG.public, bytes(octets), b"text")
    assert not verify_signature(bytes(octets), LOG.sign(b"text"), b"text")


@pytest.mark.parametrize("public", WEAK)
def test_each_weak_key_is_named_weak(public: bytes) -> None:
    assert is_weak_public_key(public)


def test_all_fourteen_weak_keys_are_listed() -> None:
    assert len(set(WEAK)) == 14


@pytest.mark.parametrize("public", WEAK)
def test_the_signature_that_fits_every_message_verifies_nothing(public: bytes) -> None:
    assert not verify_signature(public, public + bytes(32), b"any message")


@pytest.mark.parametrize("above", range(19))
@pytest.mark.parametrize("sign", [0, 1 << 255])
def test_coordinates_outside_the_field_are_weak(above: int, sign: int) -> None:
    assert is_weak_public_key((2**255 - 19 + above | sign).to_bytes(32, "little"))


def test_a_point_outside_the_main_subgroup_is_weak() -> None:
    # y = 3 is on the curve, of mixed order; no key pair has it
    assert is_weak_public_key((3).to_bytes(32, "little"))


def test_honest_keys_are_not_weak() -> None:
    assert not any(is_weak_public_key(SigningKey(bytes([n]) * 32).public) for n in range(64))


def test_wrong_lengths_are_refused() -> None:
    with pytest.raises(MisuseError):
        SigningKey(bytes(31))
    with pytest.raises(MalformedError):
        is_weak_public_key(bytes(31))


def test_a_key_does_not_print_its_secret() -> None:
    assert VECTORS["keys"]["log"]["seed_hex"] not in repr(LOG)
    assert VECTORS["keys"]["log"]["public_hex"] in repr(LOG)

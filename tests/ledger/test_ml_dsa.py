"""ML-DSA-44: the worked key and cosignature, what is signed, weak keys, policies of either kind.

What is signed is written out here once more, from the specification.
"""

import base64
from dataclasses import replace
from hashlib import sha256, shake_256

import pytest

from ledger.vectors import COSIGNED, LOG, LOG_KEY, MIRROR_KEY, SIGNED, TIMESTAMP, VECTORS
from telcon.errors import MalformedError, MisuseError, PolicyError, SignatureError
from telcon.ledger import (
    COSIGNATURE_ML_DSA,
    MlDsaSigningKey,
    NoteSignature,
    Policy,
    SigningKey,
    VerifierKey,
    Witness,
    add_signature_lines,
    cosign,
    format_policy,
    format_signature_line,
    format_vkey,
    is_weak_ml_dsa_key,
    mirror_policy,
    open_checkpoint,
    open_cosignature,
    parse_note_untrusted,
    parse_policy,
    parse_vkey,
    verify_checkpoint,
    verify_ml_dsa_signature,
    verify_note,
)
from telcon.ledger.note import key_id, subtree_message

WORKED = VECTORS["keys"]["mirror_mldsa44"]
TEXT = SIGNED[3].partition(b"\n\n")[0] + b"\n"
MIRROR_44 = MlDsaSigningKey(bytes.fromhex(WORKED["seed_hex"]))
MIRROR_44_KEY = parse_vkey(WORKED["vkey"])
LOG_44 = MlDsaSigningKey(bytes(range(96, 128)))
LOG_44_KEY = VerifierKey(LOG_KEY.name, COSIGNATURE_ML_DSA, LOG_44.public)
WORKED_BLOB = base64.b64decode(VECTORS["mldsa44"]["signature_blob_base64_with_key_id"])
WORKED_LINE = format_signature_line(
    NoteSignature(MIRROR_44_KEY.name, WORKED_BLOB[:4], WORKED_BLOB[4:])
)
LOG_LINE = cosign(TEXT, LOG_KEY.name, LOG_44, 0)
MIRROR_LINE = cosign(TEXT, MIRROR_44_KEY.name, MIRROR_44, TIMESTAMP)
ALL_FOUR = add_signature_lines(COSIGNED, [LOG_LINE, MIRROR_LINE])
ML_DSA_ALONE = TEXT + b"\n" + LOG_LINE + MIRROR_LINE


def message(name: bytes, time: int, origin: bytes, size: int, root: bytes) -> bytes:
    """What type 0x06 signs, c2sp.org/tlog-cosignature, as this test reads it."""
    names = bytes([len(name)]) + name + time.to_bytes(8) + bytes([len(origin)]) + origin
    return b"subtree/v1\n\0" + names + (0).to_bytes(8) + size.to_bytes(8) + root


def test_the_worked_key_is_derived_from_its_seed() -> None:
    assert sha256(MIRROR_44.public).hexdigest() == WORKED["public_sha256_hex"]
    assert MIRROR_44_KEY.public == MIRROR_44.public
    assert MIRROR_44_KEY.key_id.hex() == WORKED["key_id_hex"]
    assert format_vkey(MIRROR_44_KEY) == WORKED["vkey"]


def test_the_signed_message_is_the_worked_one() -> None:
    root = base64.b64decode(TEXT.split(b"\n")[2])
    expected = message(b"borealis.example/mirror", TIMESTAMP, LOG_KEY.name.encode(), 3, root)
    assert expected.hex() == VECTORS["mldsa44"]["cosigned_message_hex"]
    checkpoint = open_checkpoint(SIGNED[3], LOG_KEY)
    assert subtree_message(checkpoint, MIRROR_44_KEY.name, TIMESTAMP) == expected


def test_the_worked_cosignature_verifies() -> None:
    assert open_cosignature(TEXT, WORKED_LINE, MIRROR_44_KEY) == TIMESTAMP


def test_a_cosignature_made_here_verifies_and_is_another_each_time() -> None:
    assert open_cosignature(TEXT, MIRROR_LINE, MIRROR_44_KEY) == TIMESTAMP
    assert cosign(TEXT, MIRROR_44_KEY.name, MIRROR_44, TIMESTAMP) != MIRROR_LINE


@pytest.mark.parametrize("timestamp", [0, 1, 2**63 - 1])
def test_times_in_range_round_trip(timestamp: int) -> None:
    line = cosign(TEXT, MIRROR_44_KEY.name, MIRROR_44, timestamp)
    assert open_cosignature(TEXT, line, MIRROR_44_KEY) == timestamp


def line_with(timestamp: int, signature: bytes, key: VerifierKey = MIRROR_44_KEY) -> bytes:
    blob = timestamp.to_bytes(8) + signature
    return format_signature_line(NoteSignature(key.name, key.key_id, blob))


SIGNATURE = WORKED_BLOB[12:]
BAD_LINES = {
    "another time": line_with(TIMESTAMP + 1, SIGNATURE),
    "a time out of range": line_with(
        2**63,
        MIRROR_44.sign(subtree_message(open_checkpoint(SIGNED[3], LOG_KEY), "x", 2**63)),
    ),
    "too short": line_with(TIMESTAMP, SIGNATURE[:-1]),
    "too long": line_with(TIMESTAMP, SIGNATURE + b"\0"),
    "none": line_with(TIMESTAMP, b""),
    "of the text": line_with(TIMESTAMP, MIRROR_44.sign(TEXT)),
    "under another name": line_with(
        TIMESTAMP,
        MIRROR_44.sign(
            subtree_message(open_checkpoint(SIGNED[3], LOG_KEY), "corelia.example", TIMESTAMP)
        ),
    ),
    "by another key": line_with(
        TIMESTAMP,
        LOG_44.sign(
            subtree_message(open_checkpoint(SIGNED[3], LOG_KEY), MIRROR_44_KEY.name, TIMESTAMP)
        ),
    ),
}


@pytest.mark.parametrize("line", BAD_LINES.values(), ids=BAD_LINES.keys())
def test_refuses_a_bent_cosignature(line: bytes) -> None:
    with pytest.raises(SignatureError):
        open_cosignature(TEXT, line, MIRROR_44_KEY)


def test_a_cosignature_of_another_checkpoint_is_refused() -> None:
    with pytest.raises(SignatureError):
        open_cosignature(SIGNED[1].partition(b"\n\n")[0] + b"\n", WORKED_LINE, MIRROR_44_KEY)


def test_no_flipped_bit_of_a_signature_verifies() -> None:
    for bit in range(0, 8 * len(SIGNATURE), 61):
        flipped = bytearray(SIGNATURE)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SignatureError):
            open_cosignature(TEXT, line_with(TIMESTAMP, bytes(flipped)), MIRROR_44_KEY)


def test_type_6_signs_checkpoints_and_no_other_text() -> None:
    note = parse_note_untrusted(b"words\n\n" + line_with(TIMESTAMP, SIGNATURE))
    with pytest.raises(SignatureError, match="does not verify"):
        verify_note(note, [MIRROR_44_KEY])
    with pytest.raises(MisuseError):
        cosign(b"words\n", MIRROR_44_KEY.name, MIRROR_44, TIMESTAMP)


# -- keys


def forged(public: bytes, text: bytes) -> bytes:
    """Make the signature that needs no secret where t1 is as good as zero: FIPS 204, z = h = 0."""
    tr = shake_256(public).digest(64)
    mu = shake_256(tr + b"\0\0" + text).digest(64)
    w1 = bytes(768)  # four polynomials of 256 numbers of 6 bits, all zero
    challenge = shake_256(mu + w1).digest(32)
    zeros = (1 << 17).to_bytes(3, "little")  # gamma1 - 0, in 18 bits
    numbers = sum(int.from_bytes(zeros, "little") << 18 * n for n in range(1024))
    return challenge + numbers.to_bytes(2304, "little") + bytes(84)


def packed(numbers: list[int]) -> bytes:
    """A public key whose t1 are these 1,024 numbers."""
    bits = sum(number << 10 * place for place, number in enumerate(numbers))
    return bytes(range(32)) + bits.to_bytes(1280, "little")


WEAK_KEYS = {
    "zero": packed([0] * 1024),
    "minus one": packed([1023] * 1024),
    "one here and there": packed([int(place % 64 == 0) for place in range(1024)]),
}


@pytest.mark.parametrize("public", WEAK_KEYS.values(), ids=WEAK_KEYS.keys())
def test_refuses_a_key_for_which_anyone_can_sign_anything(public: bytes) -> None:
    assert verify_ml_dsa_signature(public, forged(public, b"whatever"), b"whatever")
    assert is_weak_ml_dsa_key(public)
    label = key_id("borealis.example/mirror", COSIGNATURE_ML_DSA, public).hex()
    encoded = base64.b64encode(b"\x06" + public).decode()
    with pytest.raises(MalformedError, match="weak"):
        parse_vkey(f"borealis.example/mirror+{label}+{encoded}")


def test_honest_keys_are_not_weak_and_cannot_be_forged_for() -> None:
    for seed in range(32):
        public = MlDsaSigningKey(bytes([seed]) * 32).public
        assert not is_weak_ml_dsa_key(public)
        assert not verify_ml_dsa_signature(public, forged(public, b"whatever"), b"whatever")


@pytest.mark.parametrize(
    ("small", "large", "weak"),
    [(31, 32, False), (0, 32, False), (992, 991, False), (1023, 500, False), (5, 31, True)],
)
def test_half_of_the_numbers_decide(small: int, large: int, weak: bool) -> None:
    half = packed([small] * 512 + [large] * 512)
    assert is_weak_ml_dsa_key(half) is weak
    assert is_weak_ml_dsa_key(packed([small] * 513 + [large] * 511))
    assert is_weak_ml_dsa_key(packed([large] * 511 + [small] * 513))


def test_wrong_lengths_are_refused() -> None:
    with pytest.raises(MisuseError):
        MlDsaSigningKey(bytes(31))
    with pytest.raises(MalformedError):
        is_weak_ml_dsa_key(bytes(1311))
    with pytest.raises(MalformedError, match="1313 octets"):
        parse_vkey(f"a+00000000+{base64.b64encode(bytes([6]) + LOG.public).decode()}")
    assert not verify_ml_dsa_signature(LOG_44.public[:-1], SIGNATURE, b"")


def test_a_key_does_not_print_its_secret() -> None:
    assert WORKED["seed_hex"] not in repr(MIRROR_44)


# -- policies

ED25519_POLICY = mirror_policy(LOG_KEY, MIRROR_KEY)
ML_DSA_POLICY = mirror_policy(LOG_44_KEY, MIRROR_44_KEY)
KEYS = (
    f"log {format_vkey(LOG_KEY)}\nlog {format_vkey(LOG_44_KEY)}\n"
    f"witness ed {format_vkey(MIRROR_KEY)}\nwitness ml {format_vkey(MIRROR_44_KEY)}\n"
)
EITHER = parse_policy(f"{KEYS}group mirror any ed ml\nquorum mirror\n".encode())
BOTH = parse_policy(f"{KEYS}group mirror all ed ml\nquorum mirror\n".encode())


@pytest.mark.parametrize(
    ("policy", "note", "passes"),
    [
        (ED25519_POLICY, COSIGNED, True),
        (ED25519_POLICY, ALL_FOUR, True),
        (ED25519_POLICY, ML_DSA_ALONE, False),
        (ML_DSA_POLICY, COSIGNED, False),
        (ML_DSA_POLICY, ALL_FOUR, True),
        (ML_DSA_POLICY, ML_DSA_ALONE, True),
        (EITHER, COSIGNED, True),
        (EITHER, ALL_FOUR, True),
        (EITHER, ML_DSA_ALONE, True),
        (BOTH, COSIGNED, False),
        (BOTH, ALL_FOUR, True),
        (BOTH, ML_DSA_ALONE, False),
    ],
)
def test_a_policy_asks_for_either_kind_or_both(policy: Policy, note: bytes, passes: bool) -> None:
    if passes:
        assert verify_checkpoint(note, policy).checkpoint.size == 3
    else:
        with pytest.raises((PolicyError, SignatureError)):
            verify_checkpoint(note, policy)


def test_what_was_verified_is_told_by_kind() -> None:
    accepted = verify_checkpoint(ALL_FOUR, EITHER)
    assert accepted.signed == (LOG_KEY, LOG_44_KEY)
    assert accepted.cosigned == ((MIRROR_KEY, TIMESTAMP), (MIRROR_44_KEY, TIMESTAMP))


def test_of_keys_beside_a_policy_nothing_is_asked_and_nothing_is_taken() -> None:
    policy = replace(ED25519_POLICY, beside=(LOG_44_KEY, MIRROR_44_KEY))
    assert verify_checkpoint(COSIGNED, policy).signed == (LOG_KEY,)
    accepted = verify_checkpoint(ALL_FOUR, policy)
    assert accepted.signed == (LOG_KEY, LOG_44_KEY)
    assert [key for key, _ in accepted.cosigned] == [MIRROR_KEY, MIRROR_44_KEY]
    mirrors = COSIGNED[len(SIGNED[3]) :] + MIRROR_LINE
    without_log = TEXT + b"\n" + LOG_LINE + mirrors
    with pytest.raises(SignatureError, match="did not sign"):
        verify_checkpoint(without_log, policy)
    with pytest.raises(PolicyError, match="cosigned by"):
        verify_checkpoint(add_signature_lines(SIGNED[3], [LOG_LINE, MIRROR_LINE]), policy)
    for line in BAD_LINES.values():
        with pytest.raises(SignatureError, match="does not verify"):
            verify_checkpoint(add_signature_lines(COSIGNED, [line]), policy)
    with pytest.raises(MisuseError):
        format_policy(policy)


def test_policies_of_both_kinds_round_trip() -> None:
    for policy in (EITHER, BOTH, ML_DSA_POLICY):
        assert parse_policy(format_policy(policy)) == policy


@pytest.mark.parametrize("line", BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_line_of_a_known_key_that_fails_spoils_the_checkpoint(line: bytes) -> None:
    with pytest.raises(SignatureError, match="does not verify"):
        verify_checkpoint(add_signature_lines(COSIGNED, [line]), EITHER)


def test_a_cosignature_of_time_0_is_not_counted() -> None:
    timeless = cosign(TEXT, MIRROR_44_KEY.name, MIRROR_44, 0)
    note = add_signature_lines(SIGNED[3], [LOG_LINE, timeless])
    with pytest.raises(PolicyError, match="cosigned by nobody"):
        verify_checkpoint(note, ML_DSA_POLICY)


@pytest.mark.parametrize("name", ["arcadia.example/mirror", LOG_KEY.name, "ARCADIA.example/x"])
def test_a_cosigner_of_the_logs_own_organisation_is_refused(name: str) -> None:
    own = VerifierKey(name, COSIGNATURE_ML_DSA, MIRROR_44.public)
    for log in (LOG_KEY, LOG_44_KEY):
        with pytest.raises(PolicyError, match="whose log it cosigns"):
            mirror_policy(log, own)


def test_the_logs_own_key_is_no_cosigner_under_another_name() -> None:
    own = VerifierKey("borealis.example/mirror", COSIGNATURE_ML_DSA, LOG_44.public)
    with pytest.raises(PolicyError, match="the same"):
        Policy(LOG_KEY, (Witness("peer", own),), (), "peer", other_logs=(LOG_44_KEY,))


@pytest.mark.parametrize(
    "other",
    [
        VerifierKey("arcadia.example/line/other", COSIGNATURE_ML_DSA, LOG_44.public),
        VerifierKey(LOG_KEY.name, 0x04, MIRROR_KEY.public),
        LOG_KEY,
    ],
    ids=["another log", "a cosigner", "twice"],
)
def test_further_keys_of_a_log_are_of_that_log(other: VerifierKey) -> None:
    with pytest.raises(PolicyError):
        Policy(LOG_KEY, (Witness("peer", MIRROR_44_KEY),), (), "peer", other_logs=(other,))


def test_a_log_has_at_most_32_keys() -> None:
    keys = [
        VerifierKey(LOG_KEY.name, 0x01, SigningKey(bytes([seed]) * 32).public) for seed in range(32)
    ]
    witness = (Witness("peer", MIRROR_44_KEY),)
    assert Policy(LOG_KEY, witness, (), "peer", other_logs=tuple(keys[:31]))
    with pytest.raises(PolicyError, match="at most 32"):
        Policy(LOG_KEY, witness, (), "peer", other_logs=tuple(keys))


def test_the_longest_names_fit_what_is_signed_and_sent() -> None:
    """A frame `second` takes 8,192 octets; names are of at most 255."""
    name = "a" * 255
    log, key = SigningKey(bytes(32)), VerifierKey(name, COSIGNATURE_ML_DSA, MIRROR_44.public)
    text = TEXT.replace(LOG_KEY.name.encode(), name.encode())
    lines = [cosign(text, name, one, 2**63 - 1) for one in (log, MIRROR_44)]
    assert open_cosignature(text, lines[1], key) == 2**63 - 1
    assert len(text) + 1 + 2 * len(lines[0]) + len(lines[1]) < 8_192


def test_the_mirrors_signature_is_not_taken_for_the_logs() -> None:
    bare = TEXT + b"\n" + MIRROR_LINE
    with pytest.raises(SignatureError, match="did not sign"):
        verify_checkpoint(bare, ML_DSA_POLICY)

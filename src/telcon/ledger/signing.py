"""Ed25519, ML-DSA-44, and which public keys are refused. No other pure module meets primitives.

For Ed25519 PyNaCl's bindings are used directly: of what is public and packaged they sign and verify
fastest (`bench/` has the figures). ML-DSA-44 (FIPS 204, pure mode, empty context) is that of
`cryptography`, imported when first used: it takes 8 MiB. The format around a signature is in
`telcon.ledger.note`.
"""

from typing import Final, final

from nacl import bindings
from nacl.exceptions import BadSignatureError

from telcon.errors import MalformedError, MisuseError

SEED_OCTETS: Final = 32
PUBLIC_OCTETS: Final = 32
SIGNATURE_OCTETS: Final = 64
ML_DSA_PUBLIC_OCTETS: Final = 1312
ML_DSA_SIGNATURE_OCTETS: Final = 2420

_FIELD_PRIME = 2**255 - 19

# The y coordinates of the points of low order. With such a "key" one signature can fit every
# message, so that its holder could later say that anyone may have signed.
_WEAK_Y = frozenset(
    {
        0,
        1,
        _FIELD_PRIME - 1,
        int.from_bytes(
            bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
            "little",
        ),
        int.from_bytes(
            bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
            "little",
        ),
    }
)


@final
class SigningKey:
    """An Ed25519 key pair that never prints its secret."""

    __slots__ = ("_secret", "public")

    public: bytes
    """The public key, 32 octets."""

    def __init__(self, seed: bytes) -> None:
        """Derive the pair from `seed`, 32 octets from a random source of the caller.

        Raises:
            MisuseError: `seed` has another length.
        """
        if len(seed) != SEED_OCTETS:
            raise MisuseError(f"expected a seed of 32 octets, got {len(seed)}")
        self.public, self._secret = bindings.crypto_sign_seed_keypair(bytes(seed))

    def sign(self, message: bytes) -> bytes:
        """Return the signature of `message`, 64 octets; the same each time."""
        return bindings.crypto_sign(message, self._secret)[:SIGNATURE_OCTETS]

    def __repr__(self) -> str:
        return f"<SigningKey for public key {self.public.hex()}>"


def is_weak_public_key(public: bytes) -> bool:
    """Say whether 32 octets must be refused as a public key.

    True for the 14 encodings of low order, for a y coordinate outside the field, and for whatever
    libsodium takes for no point of the main subgroup. No honest key pair has such a key.

    Raises:
        MalformedError: `public` has another length.
    """
    if len(public) != PUBLIC_OCTETS:
        raise MalformedError(f"expected a public key of 32 octets, got {len(public)}")
    y = int.from_bytes(public, "little") & (2**255 - 1)
    if y >= _FIELD_PRIME or y in _WEAK_Y:
        return True
    return not bindings.crypto_core_ed25519_is_valid_point(public)


def verify_signature(public: bytes, signature: bytes, message: bytes) -> bool:
    """Say whether `signature` (64 octets) is that of `message` under `public` (32 octets).

    A signature or key of another length verifies nothing.
    """
    if len(signature) != SIGNATURE_OCTETS or len(public) != PUBLIC_OCTETS:
        return False
    try:
        bindings.crypto_sign_open(signature + message, public)
    except BadSignatureError:
        return False
    return True


# FIPS 204, pkEncode: a seed of 32 octets, then t1 as 1,024 numbers of 10 bits, lowest bits first.
_ML_DSA_SEED_OCTETS = 32
_T1_NUMBERS = 1024
_T1_UPPER_BITS = range(5, 10)
_T1_LOWEST_BITS = sum(1 << 10 * number for number in range(_T1_NUMBERS))


@final
class MlDsaSigningKey:
    """An ML-DSA-44 key pair that never prints its secret."""

    __slots__ = ("_secret", "public")

    public: bytes
    """The public key, 1,312 octets."""

    def __init__(self, seed: bytes) -> None:
        """Derive the pair from `seed`, 32 octets from a random source of the caller.

        Raises:
            MisuseError: `seed` has another length.
        """
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

        if len(seed) != SEED_OCTETS:
            raise MisuseError(f"expected a seed of 32 octets, got {len(seed)}")
        self._secret = MLDSA44PrivateKey.from_seed_bytes(bytes(seed))
        self.public = self._secret.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return a signature of `message`, 2,420 octets; another one each time.

        It takes most of a millisecond, sometimes four, and the interpreter's lock with it.
        """
        return self._secret.sign(message)

    def __repr__(self) -> str:
        return f"<MlDsaSigningKey for public key {self.public[:16].hex()}...>"


def is_weak_ml_dsa_key(public: bytes) -> bool:
    """Say whether 1,312 octets must be refused as a public key of ML-DSA-44.

    True where most of t1 is zero or next to it. Such a "key" needs no secret: the signature whose z
    and hints are all zero can be made for every message by anyone, so that its holder could later
    say that anyone may have signed (a test makes one). Of an honest key one in sixteen is so small.

    Raises:
        MalformedError: `public` has another length.
    """
    if len(public) != ML_DSA_PUBLIC_OCTETS:
        raise MalformedError(f"expected a public key of 1312 octets, got {len(public)}")
    t1 = int.from_bytes(public[_ML_DSA_SEED_OCTETS:], "little")
    # All numbers at once: of which is any of the upper five bits set, of which are all of them.
    any_set, all_set = 0, _T1_LOWEST_BITS
    for bit in _T1_UPPER_BITS:
        any_set |= t1 >> bit & _T1_LOWEST_BITS
        all_set &= t1 >> bit
    # 1023 * 2**13 is -1 modulo q, so what is near 1023 is near zero too.
    small = _T1_NUMBERS - any_set.bit_count() + all_set.bit_count()
    return small > _T1_NUMBERS // 2


def verify_ml_dsa_signature(public: bytes, signature: bytes, message: bytes) -> bool:
    """Say whether `signature` (2,420 octets) is that of `message` under `public` (1,312 octets).

    A signature or key of another length verifies nothing.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

    if len(signature) != ML_DSA_SIGNATURE_OCTETS or len(public) != ML_DSA_PUBLIC_OCTETS:
        return False
    try:
        MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True

"""Ed25519, and which public keys are refused. The only pure module that meets primitives.

PyNaCl's bindings are used directly: of what is public and packaged they sign and verify fastest
(`bench/` has the figures). The format around a signature is in `telcon.ledger.note`.
"""

from typing import Final, final

from nacl import bindings
from nacl.exceptions import BadSignatureError

from telcon.errors import MalformedError, MisuseError

SEED_OCTETS: Final = 32
PUBLIC_OCTETS: Final = 32
SIGNATURE_OCTETS: Final = 64

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

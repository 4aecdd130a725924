"""Who can open a record: data keys wrapped to public keys by HPKE (RFC 9180), post-quantum hybrid.

A record is sealed with AES-256-GCM under data keys that nobody stores. Each is wrapped to every
*reader* of the record, a pair of ML-KEM-768 and X25519 keys: the record-keepers of the line, whose
private keys are outside the node, and the node itself for as long as it needs the record.

    public key   = 1,184 octets of ML-KEM-768 || 32 octets of X25519
    private key  = 64 octets of ML-KEM-768 (its seed) || 32 octets of X25519
    reader's id  = the first 8 octets of SHA-256 of the public key

All cryptography is that of the `cryptography` package; its HPKE is young, so it is met here alone.
"""

import os
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from telcon.errors import MalformedError, SealedError

__all__ = ["DATA_KEY_BYTES", "PRIVATE_BYTES", "PUBLIC_BYTES", "DataKey", "PrivateKey", "Reader"]

PUBLIC_BYTES: Final = 1_184 + 32
PRIVATE_BYTES: Final = 64 + 32
DATA_KEY_BYTES: Final = 32
ID_BYTES: Final = 8

_KEM_PUBLIC: Final = 1_184
_KEM_SEED: Final = 64
_NONCE_BYTES: Final = 12

_SUITE: Final = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who can open a record, known by a public key."""

    public: bytes

    def __post_init__(self) -> None:
        """Refuse what is no public key.

        Raises:
            MalformedError: another length, or numbers that are no keys.
        """
        _public_key(self.public)

    @property
    def id(self) -> bytes:
        """Return the id by which a record names its readers: 8 octets."""
        return sha256(self.public).digest()[:ID_BYTES]

    def wrap(self, secret: bytes, context: bytes) -> bytes:
        """Seal `secret` so that this reader alone can open it, in the same `context`."""
        return _SUITE.encrypt(secret, _public_key(self.public), context)


class PrivateKey:
    """The private half of a reader; never shown by repr."""

    def __init__(self, data: bytes) -> None:
        """Read the 96 octets of a private key.

        Raises:
            MalformedError: another length, or numbers that are no keys.
        """
        if len(data) != PRIVATE_BYTES:
            raise MalformedError(f"a reader's private key has {PRIVATE_BYTES} octets")
        kem = mlkem.MLKEM768PrivateKey.from_seed_bytes(data[:_KEM_SEED])
        curve = x25519.X25519PrivateKey.from_private_bytes(data[_KEM_SEED:])
        self._key = hpke.MLKEM768X25519PrivateKey(kem, curve)
        public = kem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
        self.reader = Reader(public)
        self._data = data

    @classmethod
    def generate(cls) -> "PrivateKey":
        """Return a fresh key."""
        kem = mlkem.MLKEM768PrivateKey.generate().private_bytes_raw()
        return cls(kem + x25519.X25519PrivateKey.generate().private_bytes_raw())

    def to_bytes(self) -> bytes:
        """Return the 96 octets: whoever has them opens all records that were sealed to it."""
        return self._data

    def unwrap(self, sealed: bytes, context: bytes) -> bytes:
        """Open what was wrapped to this reader in `context`.

        Raises:
            SealedError: it was wrapped to somebody else, in another context, or was altered.
        """
        try:
            return bytes(_SUITE.decrypt(sealed, self._key, context))
        except (InvalidTag, ValueError) as error:
            raise SealedError("this key does not open the record") from error


@dataclass(slots=True)
class DataKey:
    """The key of one segment; it counts its own nonces, so none is used twice."""

    secret: bytes = field(repr=False)
    sealed: int = 0
    """How much was sealed so far; the next nonce."""

    @classmethod
    def generate(cls) -> "DataKey":
        """Return a fresh key of 32 octets."""
        return cls(os.urandom(DATA_KEY_BYTES))

    def seal(self, data: bytes, context: bytes) -> bytes:
        """Seal `data` under the next nonce; `context` is bound to it."""
        nonce = self.sealed.to_bytes(_NONCE_BYTES)
        self.sealed += 1
        return AESGCM(self.secret).encrypt(nonce, data, context)

    def open(self, number: int, sealed: bytes, context: bytes) -> bytes:
        """Open what was sealed as the one of this `number`, from 0.

        Raises:
            MalformedError: it was altered, or stands somewhere else than where it was written.
        """
        try:
            return AESGCM(self.secret).decrypt(number.to_bytes(_NONCE_BYTES), sealed, context)
        except InvalidTag as error:
            raise MalformedError("a block of the record is not what was written") from error


def _public_key(data: bytes) -> hpke.MLKEM768X25519PublicKey:
    if len(data) != PUBLIC_BYTES:
        raise MalformedError(f"a reader's public key has {PUBLIC_BYTES} octets, not {len(data)}")
    try:
        kem = mlkem.MLKEM768PublicKey.from_public_bytes(data[:_KEM_PUBLIC])
        curve = x25519.X25519PublicKey.from_public_bytes(data[_KEM_PUBLIC:])
    except ValueError as error:
        raise MalformedError("these octets are no reader's public key") from error
    return hpke.MLKEM768X25519PublicKey(kem, curve)

"""What is sent to a push service: one word, sealed for one browser (RFC 8291 over RFC 8188).

The service carries it and can neither read nor forge it: the browser's half of the key and its
`auth` secret reach the node alone. Every ring is the same word, and so of the same length.
"""

import os

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

__all__ = ["RING", "seal"]

RING = b"ring"
SALT_OCTETS = 16
RECORD_OCTETS = 4_096  # RFC 8291 §4: one record; this is the size that all services take
LAST_RECORD = b"\x02"  # RFC 8188 §2: no padding, nothing follows


def seal(
    content: bytes,
    their_key: bytes,
    auth: bytes,
    own: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """Return `content` sealed for the browser with `their_key` (65 octets) and `auth` (16).

    `own` and `salt` are made anew for every message; only a test of the RFC's example gives them.

    Raises:
        ValueError: `their_key` is no point of P-256.
    """
    own = own or ec.generate_private_key(ec.SECP256R1())
    salt = salt or os.urandom(SALT_OCTETS)
    their = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), their_key)
    own_key = own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    # RFC 8291 §3.4
    shared = own.exchange(ec.ECDH(), their)
    secret = _derive(auth, shared, b"WebPush: info\0" + their_key + own_key, 32)
    # RFC 8188 §2.2, §2.3
    key = _derive(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derive(salt, secret, b"Content-Encoding: nonce\0", 12)
    sealed = AESGCM(key).encrypt(nonce, content + LAST_RECORD, None)
    header = salt + RECORD_OCTETS.to_bytes(4, "big") + bytes((len(own_key),)) + own_key
    return header + sealed


def _derive(salt: bytes, secret: bytes, info: bytes, octets: int) -> bytes:
    return HKDF(SHA256(), octets, salt, info).derive(secret)

"""Who sends: the node's key for push services, and what it signs for each (RFC 8292).

The key is made at first use and lies with the node's other keys. It is for nothing else: a service
learns by it that two rings come from one node, and a browser takes rings under no other.
"""

import base64
import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from telcon.errors import SettingsError, StorageError
from telcon.node.folder import write_once

__all__ = ["KEY_FILE", "VapidKey", "text64"]

KEY_FILE = "push.pem"
GOOD_FOR_S = 3_600  # RFC 8292 §2: at most a day; a ring needs a minute


class VapidKey:
    """The node's key for push services."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        """Sign with `key`; use `load_or_make`."""
        self._key = key
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public = text64(point)

    @classmethod
    def load_or_make(cls, folder: Path) -> "VapidKey":
        """Return the key in `folder`, made now (0600) if there is none yet.

        Raises:
            SettingsError: the file is there but holds no such key.
            StorageError: the folder refuses.
        """
        path = folder / KEY_FILE
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                write_once(path, _make_pem())
            key = load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise StorageError(
                f"the push key {path} cannot be used: {error.strerror}",
                advice="Give the node a folder that its user owns and may write to.",
            ) from error
        except ValueError as error:
            raise _not_a_key(path) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise _not_a_key(path)
        return cls(key)

    def authorization(self, service: str, contact: str, now_s: int) -> str:
        """Return the Authorization header for `service` (its origin), as sent by `contact` (a URL).

        `now_s` is in seconds since 1970.
        """
        claims = {"aud": service, "exp": now_s + GOOD_FOR_S, "sub": contact}
        parts = ({"typ": "JWT", "alg": "ES256"}, claims)
        signed = ".".join(text64(json.dumps(part).encode()) for part in parts)
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return f"vapid t={signed}.{text64(signature)}, k={self.public}"


def text64(octets: bytes) -> str:
    """Return `octets` in base64 for addresses, without padding."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def _make_pem() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _not_a_key(path: Path) -> SettingsError:
    return SettingsError(
        f"{path} holds no P-256 key",
        advice="Restore it, or remove it: then each device has to be told again to be woken.",
    )

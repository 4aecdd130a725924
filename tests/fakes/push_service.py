"""A push service of our own on loopback: takes what a node sends, opens it as the browser would.

What is sent is decoded by the letter of RFC 8188 and RFC 8291, with nothing of ours, and the
sender's signature is checked by another library.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import ssl
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import NameOID

POINT = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


@dataclass
class Browser:
    """One subscribed browser: its half of the keys."""

    endpoint: str
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    auth: bytes = field(default_factory=lambda: os.urandom(16))

    def stated(self) -> bytes:
        """Return what `JSON.stringify(subscription)` gives."""
        keys = {
            "p256dh": text64(self.key.public_key().public_bytes(*POINT)),
            "auth": text64(self.auth),
        }
        return json.dumps(
            {"endpoint": self.endpoint, "expirationTime": None, "keys": keys}
        ).encode()

    def open(self, body: bytes) -> bytes:
        """Return what was sealed for this browser."""
        salt, length, sealed = body[:16], body[20], body[21:]
        sender, sealed = sealed[:length], sealed[length:]
        own = self.key.public_key().public_bytes(*POINT)
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        shared = self.key.exchange(ec.ECDH(), point)
        secret = derive(self.auth, shared, b"WebPush: info\0" + own + sender, 32)
        key = derive(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
        nonce = derive(salt, secret, b"Content-Encoding: nonce\0", 12)
        plain = AESGCM(key).decrypt(nonce, sealed, None)
        assert plain.endswith(b"\x02")
        return plain[:-1]


@dataclass
class Sent:
    """One request of a node."""

    target: str
    headers: dict[str, str]
    body: bytes

    def claims(self, public: str, origin: str) -> dict[str, Any]:
        """Return what the node signed by its key, which is `public`, for the service `origin`."""
        scheme, _, rest = self.headers["authorization"].partition(" ")
        parts = dict(part.split("=", 1) for part in rest.replace(" ", "").split(","))
        assert scheme == "vapid"
        assert parts["k"] == public
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), octets(public))
        found: dict[str, Any] = jwt.decode(parts["t"], point, ["ES256"], audience=origin)
        return found


@dataclass
class PushService:
    """A running service."""

    port: int = 0
    answer: bytes = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
    sent: list[Sent] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        return f"https://{self.place}"

    def browser(self, name: str = "one") -> Browser:
        return Browser(f"{self.origin}/send/{name}?secret=of-{name}")

    async def wait(self, count: int) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(20):
            while len(self.sent) < count:
                self.came.clear()
                await self.came.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")
            pairs = (line.split(": ", 1) for line in head[1:] if line)
            headers = {name.lower(): value for name, value in pairs}
            body = await reader.readexactly(int(headers["content-length"]))
            self.sent.append(Sent(head[0], headers, body))
            writer.write(self.answer)
            await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass  # a node that went away
        finally:
            self.came.set()
            writer.close()


@asynccontextmanager
async def push_service(folder: Path) -> AsyncIterator[tuple[PushService, ssl.SSLContext]]:
    """Run a service; yields it with a context that trusts its certificate and no other."""
    pem = folder / "service.pem"
    pem.write_bytes(certificate())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    service = PushService()
    server = await asyncio.start_server(service._serve, "127.0.0.1", 0, ssl=context)
    service.port = server.sockets[0].getsockname()[1]
    try:
        yield service, ssl.create_default_context(cafile=pem)
    finally:
        server.close()
        await server.wait_closed()


def certificate() -> bytes:
    """Return a key and a certificate for 127.0.0.1, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(made)
        .not_valid_after(made.replace(year=2120))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private + signed.public_bytes(serialization.Encoding.PEM)


def derive(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def text64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def octets(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))

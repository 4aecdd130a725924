"""What a browser states when it wants to be woken, and which services a node may speak to.

The address comes from a page, and the node will connect to it: so it has to be one of the services
that the operator has named, over HTTPS, whatever else it says.
"""

import base64
import binascii
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import msgspec

from telcon.errors import MalformedError, OperatorError

__all__ = ["Subscription", "is_service", "parse_subscription_untrusted"]

HTTPS_PORT = 443
MAX_ENDPOINT_CHARACTERS = 1_024
KEY_OCTETS = 65  # an uncompressed point of P-256
AUTH_OCTETS = 16  # RFC 8291 §3.2


@dataclass(frozen=True, slots=True)
class Subscription:
    """One browser at one push service."""

    endpoint: str
    """An https URL; whoever has it can send to it, so it is a secret."""
    key: bytes
    auth: bytes

    @property
    def service(self) -> str:
        """Return where it is, `host:port`; no secret."""
        return _place(urlsplit(self.endpoint))

    @property
    def origin(self) -> str:
        """Return the origin of the service, as RFC 8292 wants it named."""
        parts = urlsplit(self.endpoint)
        return f"{parts.scheme}://{parts.netloc}"


class _Keys(msgspec.Struct):
    p256dh: str
    auth: str


class _Stated(msgspec.Struct):
    # What `JSON.stringify(subscription)` gives; browsers add members of their own.
    endpoint: str
    keys: _Keys


def parse_subscription_untrusted(data: bytes, services: tuple[str, ...]) -> Subscription:
    """Read what a browser stated.

    Raises:
        MalformedError: it is no subscription.
        OperatorError: its service is none of `services`.
    """
    try:
        stated = msgspec.json.decode(data, type=_Stated)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise MalformedError(f"a subscription that is none: {error}") from error
    key, auth = _octets(stated.keys.p256dh, KEY_OCTETS), _octets(stated.keys.auth, AUTH_OCTETS)
    _require_point(key)
    service = _place(_parse_endpoint(stated.endpoint))
    if not any(is_service(service, allowed) for allowed in services):
        raise OperatorError("Your node does not speak to this browser's push service.")
    return Subscription(stated.endpoint, key, auth)


def is_service(service: str, allowed: str) -> bool:
    """Tell whether `service` (`host:port`) is the `allowed` one: `host`, `host:port`, `*.host`."""
    allowed = allowed if ":" in allowed else f"{allowed}:{HTTPS_PORT}"
    if allowed.startswith("*."):
        return service.endswith(allowed[1:]) and len(service) > len(allowed[1:])
    return service == allowed


def _parse_endpoint(endpoint: str) -> SplitResult:
    is_plain = endpoint.isascii() and endpoint.isprintable() and " " not in endpoint
    if not is_plain or len(endpoint) > MAX_ENDPOINT_CHARACTERS:
        raise MalformedError("the address of a push service is plain, and not longer than others")
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError as error:
        raise MalformedError(f"the address of a push service cannot be read: {error}") from error
    has_user = parts.username is not None or parts.password is not None
    if parts.scheme != "https" or not parts.hostname or has_user or port == 0 or "\\" in endpoint:
        raise MalformedError("a push service has an https address, without a user")
    return parts


def _place(parts: SplitResult) -> str:
    return f"{parts.hostname}:{parts.port or HTTPS_PORT}"


def _octets(text: str, length: int) -> bytes:
    try:
        octets = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise MalformedError(f"a key that is no base64: {error}") from error
    if len(octets) != length:
        raise MalformedError(f"a key of {len(octets)} octets, not {length}")
    return octets


def _require_point(key: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    except ValueError as error:
        raise MalformedError("a key that is no point of P-256") from error

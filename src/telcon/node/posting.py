"""One POST to a service outside: HTTPS with a verified certificate, nothing more.

Plain HTTP goes to this machine alone. No redirect is followed, of the answer so much is read as
the caller wants, and the whole takes `TIMEOUT_S` at most.
"""

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

from telcon.errors import MalformedError, NetworkError

__all__ = ["Reply", "check_url", "post"]

TIMEOUT_S = 10.0
READ_OCTETS = 4_096
MAX_ANSWER_OCTETS = 16_384  # of an answer's head
MAX_URL_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class Reply:
    """What a service answered."""

    status: int
    body: bytes
    """Empty where the caller wants none."""


def check_url(url: str) -> None:
    """Refuse an address that this node does not post to.

    Raises:
        MalformedError: not https to a host, or http to this machine; or with a user, a query, a
            fragment, a slash at its end, or what is no printable ASCII.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise MalformedError(f"expected a web address, got {url[:80]!r}") from error
    plain = url.isascii() and url.isprintable() and " " not in url
    if not plain or len(url) > MAX_URL_CHARACTERS or not host or port == 0:
        raise MalformedError(f"expected a web address, got {url[:80]!r}")
    if "@" in parts.netloc or "?" in url or "#" in url or url.endswith("/"):
        raise MalformedError(f"{url}: no user, query, fragment, or slash at the end")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_here(host)):
        raise MalformedError(f"{url}: https, or http to this machine alone")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def post(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    context: ssl.SSLContext,
    *,
    max_body_octets: int = 0,
) -> Reply:
    """Send `body` to `url` (checked by the caller) and return what was answered.

    Raises:
        NetworkError: it cannot be reached, its certificate is none, it does not speak HTTP, or
            its answer is longer than `max_body_octets` (0: its body is not looked at).
    """
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await _exchange(url, headers, body, context, max_body_octets)
    except (OSError, TimeoutError, ssl.SSLError, h11.ProtocolError, UnicodeError) as error:
        raise NetworkError(f"{type(error).__name__}: {error}") from error


async def _exchange(
    url: str, headers: Mapping[str, str], body: bytes, context: ssl.SSLContext, most: int
) -> Reply:
    parts = urlsplit(url)
    host, is_secure = parts.hostname or "", parts.scheme == "https"
    reader, writer = await asyncio.open_connection(
        host,
        parts.port or (443 if is_secure else 80),
        ssl=context if is_secure else None,
        server_hostname=host if is_secure else None,
        limit=MAX_ANSWER_OCTETS,
    )
    try:
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_ANSWER_OCTETS)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        fields = {"Host": parts.netloc, "Content-Length": str(len(body)), **headers}
        request = h11.Request(method="POST", target=path, headers=list(fields.items()))
        for event in (request, h11.Data(body), h11.EndOfMessage()):
            writer.write(http.send(event) or b"")
        await writer.drain()
        status = await _status(http, reader)
        return Reply(status, await _body(http, reader, most) if most else b"")
    finally:
        writer.close()
        with contextlib.suppress(
            OSError, ssl.SSLError
        ):  # the answer is there; how it ends is not ours
            await writer.wait_closed()


async def _status(http: h11.Connection, reader: asyncio.StreamReader) -> int:
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(READ_OCTETS))
        elif isinstance(event, h11.Response):
            return event.status_code
        elif not isinstance(event, h11.InformationalResponse):
            raise h11.RemoteProtocolError("the connection ended before an answer")


async def _body(http: h11.Connection, reader: asyncio.StreamReader, most: int) -> bytes:
    body = b""
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(READ_OCTETS))
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > most:
                raise h11.RemoteProtocolError(f"the answer has more than {most} octets")
        else:
            return body

"""One POST to a push service, and its status: HTTPS with a verified certificate, nothing more.

No redirect is followed, no body is read beyond its head, and the whole takes `TIMEOUT_S` at most.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import h11

from telcon.errors import NetworkError

__all__ = ["post"]

TIMEOUT_S = 10.0
READ_OCTETS = 4_096
MAX_ANSWER_OCTETS = 16_384  # of an answer's head


async def post(url: str, headers: Mapping[str, str], body: bytes, context: ssl.SSLContext) -> int:
    """Send `body` to `url` (https, checked by the caller) and return the HTTP status.

    Raises:
        NetworkError: it cannot be reached, its certificate is none, or it does not speak HTTP.
    """
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await _exchange(url, headers, body, context)
    except (OSError, TimeoutError, ssl.SSLError, h11.ProtocolError, UnicodeError) as error:
        raise NetworkError(f"{type(error).__name__}: {error}") from error


async def _exchange(
    url: str, headers: Mapping[str, str], body: bytes, context: ssl.SSLContext
) -> int:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    reader, writer = await asyncio.open_connection(
        host, port, ssl=context, server_hostname=host, limit=MAX_ANSWER_OCTETS
    )
    try:
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_ANSWER_OCTETS)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        fields = {"Host": parts.netloc, "Content-Length": str(len(body)), **headers}
        request = h11.Request(method="POST", target=path, headers=list(fields.items()))
        for event in (request, h11.Data(body), h11.EndOfMessage()):
            writer.write(http.send(event) or b"")
        await writer.drain()
        return await _status(http, reader)
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

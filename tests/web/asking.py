"""Plain requests and WebSockets to the pages, with headers as a test wants them."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect

from web.serving import Served

PAGE = "ab" * 16


def request(
    pages: Served, method: str, path: str, body: str = "", **headers: str
) -> http.client.HTTPResponse:
    """Send one request to 127.0.0.1 with the node's own Host unless `headers` say otherwise."""
    connection = http.client.HTTPConnection("127.0.0.1", pages.port, timeout=10)
    try:
        headers = {"Host": pages.host, **headers}
        connection.request(method, path, body or None, headers)
        response = connection.getresponse()
        response.text = response.read().decode()  # type: ignore[attr-defined]
        return response
    finally:
        connection.close()


@contextmanager
def live(
    pages: Served, *, page: str = PAGE, cookie: str | None = None, **headers: str
) -> Iterator[ClientConnection]:
    """Open the WebSocket as page `page`, signed in unless `cookie` says otherwise."""
    headers = {
        "Host": pages.host,
        "Origin": pages.address,
        "Cookie": pages.signed_in() if cookie is None else cookie,
        **headers,
    }
    origin = headers.pop("Origin")
    with connect(
        f"ws://{headers.pop('Host')}/live?page={page}",
        sock=socket.create_connection(("127.0.0.1", pages.port), 10),
        additional_headers=headers,
        origin=origin or None,  # type: ignore[arg-type]
        proxy=None,
        compression=None,
    ) as opened:
        yield opened


def read(page: ClientConnection) -> dict[str, Any]:
    """Return the next message of the node."""
    return dict(json.loads(page.recv(timeout=10)))


def ask(page: ClientConnection, **act: Any) -> dict[str, Any]:
    """Send one ask and return its answer, whatever comes between."""
    page.send(json.dumps({"ask": 7, **act}))
    while True:
        message = read(page)
        if "answer" in message:
            return message

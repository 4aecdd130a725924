"""The listener's side of a connection against whatever bytes, without a network."""

import asyncio
import http
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.uri import WebSocketURI

from telcon.errors import PinError, TelconError
from telcon.node.link.connection import MAX_FRAME_OCTETS, Connection, accepting
from telcon.node.link.connection_owner import ConnectionOwner
from telcon.node.link.times import LinkTimes


class Wire:
    """A `ByteTransport` that keeps what is written."""

    address = "192.0.2.1:1"
    unsent_octets = 0

    def __init__(self) -> None:
        self.written = b""
        self.finished = self.aborted = False

    def write(self, data: bytes) -> None:
        if not (self.finished or self.aborted):
            self.written += data

    def finish(self) -> None:
        self.finished = True

    def abort(self) -> None:
        self.aborted = True


class Owner(ConnectionOwner):
    """Lets everyone in, or no certificate at all; remembers the order of calls."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.calls: list[str] = []
        self.frames: list[bytes] = []
        self.errors: list[TelconError] = []
        self._refuses = refuses

    def secured(self, connection: Connection) -> None:
        if self._refuses:
            raise PinError("not pinned")

    def admit(self, connection: Connection, path: str) -> http.HTTPStatus:
        self.calls.append("admit")
        return http.HTTPStatus.SWITCHING_PROTOCOLS

    def opened(self, connection: Connection) -> None:
        self.calls.append("opened")

    def frame(self, connection: Connection, data: bytes) -> None:
        assert len(data) <= MAX_FRAME_OCTETS
        self.calls.append("frame")
        self.frames.append(data)
        connection.send(data)

    def ended(self, connection: Connection, error: TelconError) -> None:
        self.calls.append("ended")
        self.errors.append(error)

    def lost(self, connection: Connection) -> None:
        self.calls.append("lost")


def feed(owner: Owner, *pieces: bytes) -> Wire:
    """Give a fresh connection these pieces in clear, then the end; return what it wrote."""
    wire: Any = Wire()

    async def main() -> None:
        connection = accepting(owner, LinkTimes())
        connection.connected(wire)
        connection.secured(b"certificate")
        for piece in pieces:
            connection.received(piece)
            await asyncio.sleep(0)
        connection.ended()
        connection.lost(None)
        await connection.wait_lost()

    asyncio.run(main())
    assert isinstance(wire, Wire)
    return wire


def greeting() -> tuple[ClientProtocol, bytes]:
    uri = WebSocketURI(secure=True, host="h", port=443, path="/telcon/v1/x", query="")
    client = ClientProtocol(uri)
    client.send_request(client.connect())
    return client, b"".join(client.data_to_send())


def test_a_visit_is_told_in_order() -> None:
    client, hello = greeting()
    owner = Owner()
    client.state = client.state.OPEN
    client.send_binary(b"one")
    client.send_close(1000)
    feed(owner, hello, b"".join(client.data_to_send()))
    assert owner.calls == ["admit", "opened", "frame", "ended", "lost"]


def test_one_octet_at_a_time_makes_no_difference() -> None:
    client, hello = greeting()
    owner = Owner()
    client.state = client.state.OPEN
    client.send_binary(b"one")
    whole = hello + b"".join(client.data_to_send())
    feed(owner, *[whole[at : at + 1] for at in range(len(whole))])
    assert owner.frames == [b"one"]


def test_a_frame_before_the_close_in_one_piece_is_handed_on_and_answers_go_nowhere() -> None:
    client, hello = greeting()
    owner = Owner()
    client.state = client.state.OPEN
    client.send_binary(b"last words")
    client.send_close(1000)
    wire = feed(owner, hello + b"".join(client.data_to_send()))
    assert owner.frames == [b"last words"]
    assert b"last words" not in wire.written


def test_a_refused_certificate_has_its_request_ignored() -> None:
    _, hello = greeting()
    owner = Owner(refuses=True)
    wire = feed(owner, hello)
    assert owner.calls == ["ended", "lost"]
    assert wire.written == b""
    assert wire.finished


def test_an_http_request_that_is_no_websocket_is_answered_and_ends() -> None:
    owner = Owner()
    wire = feed(owner, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert wire.written.startswith(b"HTTP/1.1 426 ")
    assert owner.calls == ["admit", "ended", "lost"]


def test_endless_headers_end() -> None:
    owner = Owner()
    wire = feed(owner, b"GET / HTTP/1.1\r\n", *[b"x: y\r\n"] * 1_000)
    assert wire.finished
    assert owner.calls == ["ended", "lost"]


def test_given_up_before_tcp_came_about_it_is_cut_at_once() -> None:
    async def main() -> None:
        connection = accepting(Owner(), LinkTimes())
        connection.abort("given up")
        wire: Any = Wire()
        connection.connected(wire)
        assert wire.aborted

    asyncio.run(main())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=6), st.booleans())
def test_whatever_comes_the_end_is_told_once_and_last(pieces: list[bytes], greets: bool) -> None:
    owner = Owner()
    feed(owner, *([greeting()[1]] if greets else []), *pieces)
    assert owner.calls.count("ended") == owner.calls.count("lost") == 1
    assert owner.calls[-2:] == ["ended", "lost"]
    assert owner.calls.count("opened") == greets

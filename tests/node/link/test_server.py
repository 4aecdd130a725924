"""The listening side against peers that are not ours: another WebSocket client, or mere bytes."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from node.link.rig import LINE, Handler, Node, run, two_nodes
from telcon.errors import PortError
from telcon.node.link.connection import MAX_FRAME_OCTETS
from telcon.node.link.times import LinkTimes
from telcon.node.link.tls import dialling_context

Visit = Callable[[ClientConnection, Handler, Node], Coroutine[Any, Any, None]]


def visit(folder: Path, act: Visit, times: LinkTimes | None = None, **options: Any) -> Node:
    """Have a foreign client with Arcadia's key visit Borealis; return Borealis."""
    kept: list[Node] = []

    async def test() -> None:
        handler = Handler(echo=True)
        async with two_nodes(folder, times or LinkTimes(linger_s=0.3)) as (arcadia, borealis):
            kept.append(borealis)
            borealis.add(arcadia, handler)
            context = dialling_context(arcadia.certificate, borealis.certificate.der)
            options.setdefault("path", f"/telcon/v1/{LINE}")
            where = f"wss://127.0.0.1:{borealis.server.port}{options.pop('path')}"
            async with connect(where, ssl=context, proxy=None, **options) as client:
                await act(client, handler, borealis)

    run(test())
    return kept[0]


def test_another_websocket_client_is_echoed(tmp_path: Path) -> None:
    async def act(client: ClientConnection, handler: Handler, _: Node) -> None:
        await client.send(b"hello")
        assert await client.recv() == b"hello"
        await (await client.ping())
        assert not client.protocol.extensions  # it offered compression

    assert visit(tmp_path, act).refused == []


def test_a_frame_in_pieces_is_put_together(tmp_path: Path) -> None:
    async def act(client: ClientConnection, handler: Handler, _: Node) -> None:
        await client.send([b"a" * 1000, b"", b"b" * 1000])
        assert await client.recv() == b"a" * 1000 + b"b" * 1000

    visit(tmp_path, act)


@pytest.mark.parametrize(
    ("message", "code"),
    [("text", 1008), (bytes(MAX_FRAME_OCTETS + 1), 1009), ([bytes(40_000), bytes(40_000)], 1009)],
)
def test_what_no_frame_may_be_closes_the_connection(
    tmp_path: Path, message: str | bytes | list[bytes], code: int
) -> None:
    async def act(client: ClientConnection, handler: Handler, _: Node) -> None:
        await client.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code
        await handler.until(lambda: handler.story == ["up", "down"])
        assert handler.frames == []

    visit(tmp_path, act)


def test_the_peer_is_told_that_this_node_closes(tmp_path: Path) -> None:
    async def act(client: ClientConnection, handler: Handler, borealis: Node) -> None:
        await handler.until_up()
        await borealis.server.close()
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001

    visit(tmp_path, act)


def test_a_clean_close_of_the_peer_is_reported_with_its_words(tmp_path: Path) -> None:
    async def act(client: ClientConnection, handler: Handler, _: Node) -> None:
        await client.close(1000, "good night")
        await handler.until(lambda: handler.reasons)
        assert handler.reasons == ["the other side closed: good night"]

    visit(tmp_path, act)


def test_a_broken_websocket_frame_closes_the_connection(tmp_path: Path) -> None:
    async def act(client: ClientConnection, handler: Handler, _: Node) -> None:
        client.transport.write(b"\xff" * 8)
        await handler.until(lambda: handler.reasons)
        assert "broke the WebSocket protocol" in handler.reasons[0]

    visit(tmp_path, act)


@pytest.mark.parametrize(
    "path",
    ["/", "/telcon/v1", "/telcon/v1/", f"/telcon/v1/{LINE[:-1]}0", LINE, f"/telcon/v2/{LINE}"],
)
def test_another_path_is_not_found_and_reported(tmp_path: Path, path: str) -> None:
    async def act(*_: object) -> None:
        raise AssertionError("let in")

    with pytest.raises(InvalidStatus, match="404"):
        visit(tmp_path, act, path="/" + path.lstrip("/"))


def test_a_peer_that_dials_again_replaces_its_own_connection(tmp_path: Path) -> None:
    async def act(client: ClientConnection, handler: Handler, borealis: Node) -> None:
        await handler.until_up()
        ssl_context = client.transport.get_extra_info("ssl_object").context
        where = f"wss://127.0.0.1:{borealis.server.port}/telcon/v1/{LINE}"
        async with connect(where, ssl=ssl_context, proxy=None) as second:
            with pytest.raises(ConnectionClosed):
                await client.recv()
            await second.send(b"hello")
            assert await second.recv() == b"hello"
        assert handler.story[:3] == ["up", "down", "up"]

    visit(tmp_path, act)


# -- half-open connections


def test_a_guest_that_says_nothing_is_cut_after_its_time(tmp_path: Path) -> None:
    async def test() -> None:
        async with two_nodes(tmp_path, LinkTimes(handshake_s=0.05)) as (_, borealis):
            reader, writer = await asyncio.open_connection("127.0.0.1", borealis.server.port)
            assert await ended(reader)
            await borealis.until(lambda: borealis.refused)
            writer.close()
        assert borealis.refused[0][0] == "no WebSocket within 0.05 s"

    run(test())


async def ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


def test_a_handshake_dripped_octet_by_octet_is_cut_after_its_time(tmp_path: Path) -> None:
    async def test() -> None:
        async with two_nodes(tmp_path, LinkTimes(handshake_s=0.1)) as (_, borealis):
            reader, writer = await asyncio.open_connection("127.0.0.1", borealis.server.port)
            hello = client_hello()
            gone = asyncio.create_task(ended(reader))
            while hello and not gone.done():
                writer.write(hello[:1])
                hello = hello[1:]
                await asyncio.wait([gone], timeout=0.01)
            assert await gone
            assert hello
            writer.close()

    run(test())


def client_hello() -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="x").do_handshake()
    return outgoing.read()


def test_a_flood_of_silent_guests_is_bounded_and_a_peer_still_gets_in(tmp_path: Path) -> None:
    async def test() -> None:
        ours, theirs = Handler(), Handler()
        async with two_nodes(tmp_path, half_open_limit=8) as (arcadia, borealis):
            borealis.add(arcadia, theirs)
            port = borealis.server.port
            flood = [await asyncio.open_connection("127.0.0.1", port) for _ in range(40)]
            await borealis.until(lambda: len(borealis.refused) >= 1)
            assert borealis.server.statistics().half_open <= 8
            arcadia.add(borealis, ours, port)
            await ours.until_up()
            for _, writer in flood:
                writer.transport.abort()
        assert "say nothing" in borealis.refused[0][0]

    run(test())


def test_one_address_that_floods_does_not_shut_out_another(tmp_path: Path) -> None:
    async def test() -> None:
        async with two_nodes(tmp_path, half_open_limit=8) as (_, borealis):
            port = borealis.server.port
            reader, quiet = await asyncio.open_connection(
                "127.0.0.1", port, local_addr=("127.0.0.2", 0)
            )
            flood = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
            await borealis.until(lambda: len(borealis.refused) >= 13)
            assert all(address.startswith("127.0.0.1:") for _, _, address in borealis.refused)
            assert not reader.at_eof()
            for _, writer in [*flood, (reader, quiet)]:
                writer.transport.abort()

    run(test())


def test_what_is_not_tls_is_reported(tmp_path: Path) -> None:
    async def test() -> None:
        async with two_nodes(tmp_path) as (_, borealis):
            reader, writer = await asyncio.open_connection("127.0.0.1", borealis.server.port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await borealis.until(lambda: borealis.refused)
            await reader.read()
            writer.close()
        assert "no TLS 1.3 connection" in borealis.refused[0][0]

    run(test())


# -- the port


def test_a_port_in_use_is_said_in_words(tmp_path: Path) -> None:
    async def test() -> None:
        async with two_nodes(tmp_path) as (arcadia, _):
            late = Node(tmp_path / "late", "late.example")
            with pytest.raises(PortError, match="something else listens") as refused:
                await late.server.start("127.0.0.1", arcadia.server.port)
            assert "another port" in refused.value.advice()
            await late.server.close()

    run(test())


def test_an_address_of_another_machine_is_said_in_words(tmp_path: Path) -> None:
    async def test() -> None:
        node = Node(tmp_path, "late.example")
        with pytest.raises(PortError, match="cannot listen on"):
            await node.server.start("192.0.2.1", 0)

    run(test())

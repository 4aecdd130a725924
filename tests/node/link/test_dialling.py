import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from node.link.rig import ARCADIA, BOREALIS, Handler, Node, run
from telcon.errors import LinkDownError
from telcon.node.link.dialling import Backoff
from telcon.node.link.times import LinkTimes
from telcon.node.link.tls import listening_context

TIMES = LinkTimes(first_backoff_s=0.2, longest_backoff_s=30.0)


def test_pauses_double_up_to_their_bound() -> None:
    backoff = Backoff(lambda: 1.0, TIMES)
    pauses = [backoff.next_pause_s() for _ in range(12)]
    assert pauses[:5] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2])
    assert pauses[8:] == [30.0] * 4


def test_a_pause_is_drawn_from_nought_to_its_bound() -> None:
    draws = iter([0.0, 0.5, 0.25])
    backoff = Backoff(lambda: next(draws), TIMES)
    assert [backoff.next_pause_s() for _ in range(3)] == pytest.approx([0.0, 0.2, 0.2])


def test_after_a_connection_that_lasted_pauses_begin_anew() -> None:
    backoff = Backoff(lambda: 1.0, TIMES)
    for _ in range(5):
        backoff.next_pause_s()
    backoff.reset()
    assert backoff.next_pause_s() == pytest.approx(0.2)


# -- listeners that are no nodes


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def say(words: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(words)
    writer.close()


async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


def failure(
    folder: Path, answer: Answer, *, tls: bool = True, times: LinkTimes | None = None
) -> LinkDownError:
    """Dial Borealis, in whose place `answer` answers with Borealis' key; return what came of it."""
    failures: list[LinkDownError] = []

    async def test() -> None:
        arcadia = Node(folder / "a", ARCADIA, times or LinkTimes(linger_s=0.3))
        borealis = Node(folder / "b", BOREALIS)
        context = listening_context(borealis.certificate, [arcadia.certificate.der])
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context if tls else None)
        arcadia.add(borealis, Handler(), server.sockets[0].getsockname()[1])
        await arcadia.until(lambda: arcadia.failed)
        await arcadia.server.close()
        server.close()
        await server.wait_closed()
        failures.append(arcadia.failed[0])

    run(test())
    return failures[0]


def test_a_listener_that_closes_before_it_answers_may_have_refused_our_key(tmp_path: Path) -> None:
    error = failure(tmp_path, partial(say, b""))
    assert "refused our key" in str(error)
    assert "without a valid HTTP response" in str(error)
    assert "pair anew" in error.advice()


def test_a_web_server_is_no_node(tmp_path: Path) -> None:
    words = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    assert "answered with HTTP status 200" in str(failure(tmp_path, partial(say, words)))


def test_what_does_not_speak_http_is_no_node(tmp_path: Path) -> None:
    assert "valid HTTP response" in str(failure(tmp_path, partial(say, b"220 mail\r\n\r\n")))


def test_what_does_not_speak_tls_is_no_node(tmp_path: Path) -> None:
    words = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    error = failure(tmp_path, partial(say, words), tls=False)
    assert "no TLS 1.3 connection" in str(error)


def test_a_listener_that_closes_in_the_tls_handshake_is_said_so(tmp_path: Path) -> None:
    error = failure(tmp_path, partial(say, b""), tls=False)
    assert "in the TLS handshake" in str(error)


def test_a_listener_that_never_answers_is_given_up(tmp_path: Path) -> None:
    times = LinkTimes(handshake_s=0.1, linger_s=0.1)
    error = failure(tmp_path, keep_silent, tls=False, times=times)
    assert "no WebSocket within 0.1 s" in str(error)


def test_a_name_that_nobody_has_is_said_in_words(tmp_path: Path) -> None:
    async def test() -> None:
        arcadia, borealis = Node(tmp_path / "a", ARCADIA), Node(tmp_path / "b", BOREALIS)
        arcadia.add_at(borealis, Handler(), "nobody.invalid:7443")
        await arcadia.until(lambda: arcadia.failed)
        await arcadia.server.close()
        assert "cannot be reached" in str(arcadia.failed[0])
        assert "Errno" not in str(arcadia.failed[0])

    run(test())


def test_an_address_that_is_none_is_said_in_words(tmp_path: Path) -> None:
    async def test() -> None:
        arcadia, borealis = Node(tmp_path / "a", ARCADIA), Node(tmp_path / "b", BOREALIS)
        arcadia.add_at(borealis, Handler(), "nowhere")
        await arcadia.until(lambda: arcadia.failed)
        await arcadia.server.close()
        assert "Correct the address" in arcadia.failed[0].advice()

    run(test())

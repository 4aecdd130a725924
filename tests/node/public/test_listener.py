"""Strangers at the public listener: what they get, and how little they can hold."""

import asyncio
import logging
from collections.abc import Callable, Coroutine

import pytest

from telcon.errors import PortError
from telcon.ledger.witness import MAX_SUBMISSION_OCTETS, PLAIN_TYPE, Answer
from telcon.node.public import PublicListener
from telcon.node.public.listener import BURST

HOST = "127.0.0.1"


class Rig:
    """A listener that answers with what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, bytes]] = []
        self.at_s = 0.0

    async def answer(self, method: str, path: str, body: bytes) -> Answer:
        self.asked.append((method, path, body))
        if path == "/defect":
            raise ValueError("a defect")
        return Answer(200, b"an answer\n", PLAIN_TYPE)

    async def say(self, request: bytes) -> tuple[int, bytes]:
        """Return status and all of the answer; (0, b"") if there is none."""
        reader, writer = await asyncio.open_connection(HOST, self.listener.port)
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        return (int(answer.split(b" ")[1]) if answer else 0), answer

    async def run(
        self, test: Callable[["Rig"], Coroutine[None, None, None]], request_s: float
    ) -> None:
        self.listener = PublicListener(
            self.answer,
            on_full=lambda: None,
            clock=lambda: self.at_s,
            request_s=request_s,
            max_connections=4,
        )
        await self.listener.start(HOST, 0)
        try:
            await test(self)
        finally:
            await self.listener.close()


def on_a_listener(
    request_s: float = 30.0,
) -> Callable[[Callable[[Rig], Coroutine[None, None, None]]], Callable[[], None]]:
    def decorate(test: Callable[[Rig], Coroutine[None, None, None]]) -> Callable[[], None]:
        def wrapped() -> None:
            asyncio.run(Rig().run(test, request_s))

        wrapped.__name__, wrapped.__doc__ = test.__name__, test.__doc__
        return wrapped

    return decorate


def post(body: bytes, path: str = "/a", more: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"


@on_a_listener()
async def test_an_answer_is_bare(it: Rig) -> None:
    status, answer = await it.say(GET)
    assert status == 200
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == b"an answer\n"
    names = {line.split(b":")[0].lower() for line in head.split(b"\r\n")[1:]}
    assert names == {
        b"content-type",
        b"content-length",
        b"cache-control",
        b"x-content-type-options",
        b"connection",
    }
    assert it.asked == [("GET", "/a", b"")]


@on_a_listener()
async def test_a_head_is_answered_without_a_body(it: Rig) -> None:
    status, answer = await it.say(b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status == 200
    assert answer.endswith(b"\r\n\r\n")
    assert it.asked == [("GET", "/a", b"")]


@on_a_listener()
async def test_a_body_is_read_up_to_the_limit(it: Rig) -> None:
    most = b"x" * MAX_SUBMISSION_OCTETS
    assert (await it.say(post(most)))[0] == 200
    assert (await it.say(post(most + b"x")))[0] == 400
    assert it.asked == [("POST", "/a", most)]
    chunked = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert (await it.say(chunked + b"3\r\nabc\r\n0\r\n\r\n"))[0] == 200
    assert it.asked[-1] == ("POST", "/a", b"abc")
    assert (await it.say(chunked + b"11000\r\n" + b"x" * 0x11000 + b"\r\n0\r\n\r\n"))[0] == 400


@on_a_listener()
async def test_who_waits_to_send_a_body_is_told_to_go_on(it: Rig) -> None:
    _, answer = await it.say(post(b"abc", more="Expect: 100-continue\r\n"))
    assert answer.startswith((b"HTTP/1.1 100", b"HTTP/1.1 200"))
    assert it.asked == [("POST", "/a", b"abc")]


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        (b"PUT /a HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"GET /a HTTP/1.1\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", 400),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    ],
)
def test_what_nobody_here_takes_is_refused_unasked(bad: bytes, status: int) -> None:
    @on_a_listener()
    async def test(it: Rig) -> None:
        assert (await it.say(bad))[0] == status
        assert it.asked == []
        assert (await it.say(GET))[0] == 200

    test()


@pytest.mark.parametrize(
    "more", [b"Content-Length: 1\r\n\r\nx", b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n"]
)
def test_a_head_with_a_body_is_refused_and_leaves_nothing_in_the_log(
    more: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    @on_a_listener()
    async def test(it: Rig) -> None:
        status, answer = await it.say(b"HEAD /a HTTP/1.1\r\nHost: x\r\n" + more)
        assert status == 400
        assert answer.endswith(b"\r\n\r\n")
        assert it.asked == []

    test()
    assert caplog.records == []


@on_a_listener(request_s=0.05)
async def test_who_says_nothing_or_half_is_cut_off(it: Rig) -> None:
    for half in (b"", b"GET /a HTTP/1.1\r\nHo", post(b"abc")[:-1]):
        assert await it.say(half) == (0, b"")
    assert it.asked == []


@on_a_listener()
async def test_many_that_say_nothing_shut_nobody_out(it: Rig) -> None:
    silent = [await asyncio.open_connection(HOST, it.listener.port) for _ in range(12)]
    assert (await it.say(GET))[0] == 200
    for _, writer in silent:
        writer.close()


@on_a_listener()
async def test_more_than_a_burst_of_requests_is_told_to_wait(it: Rig) -> None:
    for _ in range(BURST):
        assert it.listener._pace.take()
    status, answer = await it.say(GET)
    assert status == 429
    assert b"\r\nRetry-After: 60\r\n" in answer
    it.at_s += 1
    assert (await it.say(GET))[0] == 200


@on_a_listener()
async def test_a_second_request_on_one_connection_is_not_read(it: Rig) -> None:
    _, answer = await it.say(GET + GET)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert len(it.asked) == 1


def test_a_defect_ends_one_request_alone(caplog: pytest.LogCaptureFixture) -> None:
    @on_a_listener()
    async def test(it: Rig) -> None:
        with caplog.at_level(logging.ERROR):
            assert await it.say(GET.replace(b"/a", b"/defect")) == (0, b"")
        assert "as it should not" in caplog.text
        assert (await it.say(GET))[0] == 200

    test()


@on_a_listener()
async def test_a_taken_port_is_named(it: Rig) -> None:
    other = PublicListener(it.answer, on_full=lambda: None)
    with pytest.raises(PortError, match=str(it.listener.port)) as caught:
        await other.start(HOST, it.listener.port)
    assert "public.listen" in caught.value.advice()
    with pytest.raises(PortError, match="cannot listen"):
        await other.start("192.0.2.1", 1)
    await other.close()

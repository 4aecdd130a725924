"""What a process runs out of: descriptors, memory."""

import asyncio
import http.client
import resource
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from socket import create_connection

from faults.pair import FaultyNode, Pair, until
from faults.row import Row
from telcon.node.audit import AuditEvent

BUSY = 0.5  # of one processor: an accept loop that spins takes all of it
KNOCKS = 30


@asynccontextmanager
async def no_descriptor_is_left(pair: Pair) -> AsyncIterator[None]:
    """The call goes on; a new page is answered with words; nothing spins."""
    call = await pair.call()
    await pair.hears(pair.rey, pair.voss)
    pair.arcadia.limit(resource.RLIMIT_NOFILE, first_free(pair.arcadia))
    pair.said = await asyncio.to_thread(asked, pair.arcadia)
    await asyncio.to_thread(knock, pair.arcadia)
    await pair.hears(pair.rey, pair.voss)
    await pair.hears(pair.voss, pair.rey)
    await pair.write(pair.rey, "written without a free descriptor")
    yield
    pair.arcadia.limit(resource.RLIMIT_NOFILE, 1_024)
    await until(lambda: asked(pair.arcadia).startswith("200"))
    await pair.hang_up(pair.rey, call)


def first_free(node: FaultyNode) -> int:
    """Return the lowest number that the next descriptor could have."""
    used = node.descriptors()
    return next(number for number in range(max(used) + 2) if number not in used)


def asked(node: FaultyNode, host: str = "") -> str:
    """Ask for the page, by another name if so; return the status and what a person reads."""
    connection = http.client.HTTPConnection("127.0.0.1", node.web_port, timeout=10)
    with closing(connection), suppress(ConnectionError):
        connection.request(
            "GET", "/", headers={"Host": host or f"{node.party.host}:{node.web_port}"}
        )
        response = connection.getresponse()
        return f"{response.status} {response.read().decode()}"
    return "nothing"


def knock(node: FaultyNode) -> None:
    """Knock at the page's port and the link's many times: the process must not spin."""
    used, began = node.cpu_s(), time.monotonic()
    ports = (node.web_port, node.port("link"))
    knocks = [create_connection(("127.0.0.1", port), 10) for port in ports for _ in range(KNOCKS)]
    time.sleep(2)
    share = (node.cpu_s() - used) / (time.monotonic() - began)
    for one in knocks:
        one.close()
    assert share < BUSY, f"the process takes {share:.0%} of a processor"


ROWS = [
    Row(
        no_descriptor_is_left,
        words=("live.elsewhere",),
        said="503 Too many.*again",
        event=AuditEvent.OUT_OF_FILES,
    ),
]

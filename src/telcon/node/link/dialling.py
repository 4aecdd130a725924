"""Dials one node: its addresses in turn, with pauses that grow and are drawn at random.

Both nodes of a line start dialling when the link breaks, and so do all lines of a node that lost
its network; full jitter (a pause drawn from nought to the bound) keeps them from marching in step.
"""

import asyncio
import http
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from telcon.errors import KeyRefusedError, LinkDownError, MalformedError, PinError, TelconError
from telcon.node.link.addresses import parse_address
from telcon.node.link.connection import Connection, dialling
from telcon.node.link.connection_owner import ConnectionOwner
from telcon.node.link.secure_session import TlsSession
from telcon.node.link.times import LinkTimes
from telcon.node.link.transport import ByteTransport

__all__ = ["AnotherStandsError", "Backoff", "dial"]


class AnotherStandsError(LinkDownError):
    """The peer has a connection of this line that goes before the one dialled; no failure."""


class Backoff:
    """How long to pause before the next round of dialling."""

    def __init__(self, random: Callable[[], float], times: LinkTimes) -> None:
        """Draw with `random`, which returns a float from 0 up to 1."""
        self._random = random
        self._times = times
        self._bound_s = times.first_backoff_s

    def next_pause_s(self) -> float:
        """Return the next pause, in seconds, and double its bound."""
        bound_s = self._bound_s
        self._bound_s = min(bound_s * 2, self._times.longest_backoff_s)
        return self._random() * bound_s

    def reset(self) -> None:
        """Begin anew: the last connection lasted."""
        self._bound_s = self._times.first_backoff_s


async def dial(
    address: str,
    owner: ConnectionOwner,
    context: ssl.SSLContext,
    *,
    node: str,
    path: str,
    times: LinkTimes,
) -> Connection:
    """Open a connection to the node named `node` at `address` and ask for `path`.

    Raises:
        AnotherStandsError: the peer has a better one already.
        LinkDownError: it could not be opened; says why, and its advice what to do.

    Cancellation: what was begun is closed.
    """
    call = _Call(owner, context, node, path, times)
    try:
        host, port = parse_address(address)
        async with asyncio.timeout(times.connect_s):
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return await _call_in_turn(call, [info[4] for info in found])
    except AnotherStandsError:
        raise
    except (OSError, TelconError) as error:
        raise _explain(error, node, address) from error


@dataclass(frozen=True, slots=True)
class _Call:
    """What is the same at whatever address the node is found."""

    owner: ConnectionOwner
    context: ssl.SSLContext
    node: str
    path: str
    times: LinkTimes


async def _call_in_turn(call: _Call, places: Sequence[Any]) -> Connection:
    """Open a connection to the first of `places` (IP address, port, …) where TCP comes about.

    One after the other: asyncio's race between them loses sockets when it is cancelled.
    """
    failure: OSError = OSError("the name has no address")
    for place in places:
        connection = dialling(call.owner, call.times, host=call.node, path=call.path)
        try:
            await _connect(call, connection, place[0], place[1])
        except OSError as error:
            failure = error
            continue
        try:
            await connection.wait_open()
        except TelconError as error:
            if connection.answered == http.HTTPStatus.CONFLICT:
                raise AnotherStandsError(f"{call.node} has another connection here") from error
            raise
        except asyncio.CancelledError:
            connection.abort("dialling was given up")
            raise
        return connection
    raise failure


async def _connect(call: _Call, connection: Connection, host: str, port: int) -> None:
    session = TlsSession(call.context, server=False)
    transport = ByteTransport(session, connection, linger_s=call.times.linger_s)
    try:
        async with asyncio.timeout(call.times.connect_s):
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: transport, host, port)
    except (OSError, asyncio.CancelledError):
        connection.abort("dialling was given up")
        raise


def _explain(error: OSError | TelconError, node: str, address: str) -> LinkDownError:
    where = f"{node} at {address}"
    if isinstance(error, MalformedError):
        return LinkDownError(f"{where}: {error}", advice="Correct the address of this line.")
    if isinstance(error, PinError):
        return LinkDownError(
            f"{where}: {error}",
            advice=f"Somebody else may be answering there. Ask the operator of {node}, over another"
            " channel, whether the node's key has changed; if so, pair anew.",
        )
    if isinstance(error, TimeoutError):
        return LinkDownError(f"{where} does not answer", advice=_CHECK_REACH)
    if isinstance(error, OSError):
        code = error.errno or 0  # below 0 for names that cannot be found, with words of their own
        words = os.strerror(code) if code > 0 else error.strerror or error
        return LinkDownError(f"{where} cannot be reached: {words}", advice=_CHECK_REACH)
    if isinstance(error, KeyRefusedError):
        return LinkDownError(
            f"{where} refused our key: {error}",
            advice=f"Ask the operator of {node} whether this line is confirmed there and the node"
            " runs; if this node's key has changed, pair anew.",
        )
    return LinkDownError(
        f"{where}: {error}",
        advice=f"If this goes on, ask the operator of {node} whether the node runs and the line is"
        " confirmed there.",
    )


_CHECK_REACH = "See whether the other node runs and whether a firewall lets this port through."

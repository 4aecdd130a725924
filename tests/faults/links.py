"""Faults of the other node, of the own one, and of what lies between them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from unittest import mock

from demo.device import ScriptedDevice
from faults.pair import FaultyNode, Pair, new_nodes, open_pair, pair_nodes, past, phase
from faults.row import Row, spoken
from telcon.node.audit import AuditEvent
from telcon.node.link import tls
from telcon.node.media.client import DeviceLeg


@asynccontextmanager
async def the_other_node_stops_while_it_rings(pair: Pair) -> AsyncIterator[None]:
    """The page says that the line is down; it rings on when that is over, and can be taken back."""
    call = await pair.ring(pair.rey, pair.voss)
    await asyncio.to_thread(pair.borealis.stop)
    yield
    await pair.start(pair.borealis)
    await pair.voss.wait(lambda shown: phase(shown, call) == "ringing")
    await pair.rey.ask("cancel", call=call)
    rows = await pair.over(call)
    assert {row["phase"] for row in rows} == {"cancelled"}


@asynccontextmanager
async def the_other_node_stops_in_a_call(pair: Pair) -> AsyncIterator[None]:
    """The call fails at once, with the reason; the page says so."""
    call = await pair.call()
    await asyncio.to_thread(pair.borealis.stop)
    yield
    await pair.start(pair.borealis)
    rows = await pair.over(call)
    assert {row["reason"] for row in rows} == {"node stopped"}


@asynccontextmanager
async def the_own_node_is_stopped_in_a_call(pair: Pair) -> AsyncIterator[None]:
    """The other side reads why; the own page that its node is gone, and it comes back by itself."""
    call = await pair.call()
    await asyncio.to_thread(pair.arcadia.stop)
    await pair.voss.wait(lambda shown: past(shown, call) is not None)
    assert (past(pair.voss.snapshot, call) or {})["reason"] == "node stopped"
    yield
    await pair.start(pair.arcadia)
    await pair.over(call)
    await pair.reads_no_more(spoken("lost.banner"))


@asynccontextmanager
async def the_other_node_bears_another_certificate(pair: Pair) -> AsyncIterator[None]:
    """The pin holds: no link, whoever dials; each try is audited."""
    keys = pair.borealis.folder / "keys"
    own, kept = keys / tls.CERTIFICATE_FILE, keys / "kept"
    await asyncio.to_thread(pair.borealis.stop)
    own.rename(kept)
    await pair.start(pair.borealis)  # it makes itself a new one
    await pair.audits(AuditEvent.WRONG_PEER_KEY)
    yield
    await asyncio.to_thread(pair.borealis.stop)
    kept.replace(own)
    await pair.start(pair.borealis)


@asynccontextmanager
async def certificates_are_expired_and_not_yet_valid(pair: Pair) -> AsyncIterator[None]:
    """What holds is the pin, not a date in the certificate: the line is up and carries a call."""
    nodes = new_nodes(pair.arcadia.folder.parent / "dates")
    long_ago = (datetime(2001, 1, 1, tzinfo=UTC), datetime(2002, 1, 1, tzinfo=UTC))
    far_off = (datetime(2090, 1, 1, tzinfo=UTC), datetime(2091, 1, 1, tzinfo=UTC))
    for node, (begin, end) in zip(nodes, (long_ago, far_off), strict=True):
        with mock.patch.multiple(tls, _ALWAYS=begin, _NEVER=end):
            tls.load_or_make_certificate(node.folder / "keys", node.party.node)
    async with another_pair(pair, nodes):
        yield


class Ipv6Device(ScriptedDevice):
    """A device whose audio goes over IPv6 too."""

    def _own_leg(self) -> DeviceLeg:
        if self._leg is None:
            self._leg = DeviceLeg(self._hear, host="::1")
        return self._leg


@asynccontextmanager
async def there_is_ipv6_alone(pair: Pair) -> AsyncIterator[None]:
    """Two nodes that listen on ::1 alone pair, ring and talk."""
    nodes = new_nodes(pair.arcadia.folder.parent / "ipv6", "::1")
    async with another_pair(pair, nodes, Ipv6Device):
        yield


@asynccontextmanager
async def another_pair(
    pair: Pair,
    nodes: tuple[FaultyNode, FaultyNode],
    device: type[ScriptedDevice] = ScriptedDevice,
) -> AsyncIterator[None]:
    """Let two other nodes pair and have a call; their page says that the line is up."""
    other: Pair | None = None
    try:
        await asyncio.to_thread(pair_nodes, nodes)
        other = await open_pair(nodes, pair.page.browser, device)
        await other.look_at_line()
        await other.reads(spoken("person.up.text"))
        await other.well()
        yield
    finally:
        if other is not None:
            await other.close()
            other.page.close()
        for node in nodes:
            node.kill()


ROWS = [
    Row(the_other_node_stops_while_it_rings, words=("ringing.down",)),
    Row(the_other_node_stops_in_a_call, words=("reason.node stopped",)),
    Row(the_own_node_is_stopped_in_a_call, words=("lost.banner",)),
    Row(
        the_other_node_bears_another_certificate,
        words=("person.down.text",),
        event=AuditEvent.WRONG_PEER_KEY,
    ),
    Row(certificates_are_expired_and_not_yet_valid),
    Row(there_is_ipv6_alone),
]

"""Bad input: the words that a person gets, the event in the audit file, nothing half-written."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from fakes.two_nodes import (
    Phone,
    TwoNodes,
    ask,
    content,
    exchange,
    line_of,
    two_nodes,
    wait_audited,
)
from telcon.cli.running import served_pages
from telcon.core.frames import Push, Refused, SentOpening, format_frame
from telcon.errors import TelconError
from telcon.node.assembly import Node
from telcon.node.link.connection_owner import ConnectionOwner
from telcon.node.link.dialling import dial
from telcon.node.link.invitation import INVITATION_LIFE_US
from telcon.node.link.line_link import LINK_PATH
from telcon.node.link.times import LinkTimes
from telcon.node.link.tls import dialling_context, load_or_make_certificate
from telcon.node.media.client import DeviceLeg
from telcon.node.store.engine import DATABASE
from telcon.web.words import catalogue, sentences

Deed = Callable[[TwoNodes], Coroutine[Any, Any, str]]


@dataclass(frozen=True)
class Row:
    """What is done, what the person who did it is told, and what Arcadia's audit file says."""

    do: Deed
    words: str
    event: str
    paired: bool = True
    in_call: bool = False

    def __str__(self) -> str:
        return self.do.__name__


async def told(act: Coroutine[Any, Any, Any]) -> str:
    """Return what an operator is told who does this: what happened and what to do."""
    with pytest.raises(TelconError) as refused:
        await act
    assert refused.value.advice(), "it must say what to do"
    return f"{refused.value} {refused.value.advice()}"


async def shown(act: Coroutine[Any, Any, Any]) -> str:
    """Return what the page of a person says who does this."""
    with pytest.raises(TelconError) as refused:
        await act
    what, advice = sentences(refused.value)
    assert advice, "it must say what to do"
    return f"{what} {advice}"


# -- strangers and peers


async def an_unknown_key_dials(both: TwoNodes) -> str:
    stranger = load_or_make_certificate(both.folder / "stranger", "cassiopeia.example")
    line = line_of(both.arcadia)
    link = both.arcadia.settings.link
    return await told(
        dial(
            f"127.0.0.1:{link.port}",
            ConnectionOwner(),
            dialling_context(stranger, both.arcadia._certificate.der),
            node=both.arcadia.settings.name,
            path=LINK_PATH + line.identity.line,
            times=LinkTimes(),
        )
    )


async def an_entry_over_the_limit_is_pushed(both: TwoNodes) -> str:
    return await pushed(both, Push(size(both.borealis), [bytes(16_385)], [], b"a note"))


async def an_opening_over_the_limit_is_pushed(both: TwoNodes) -> str:
    opening = SentOpening(size(both.borealis), "text", bytes(32), bytes(8_193))
    return await pushed(both, Push(size(both.borealis), [bytes(1_000)], [opening], b"a note"))


def size(node: Node) -> int:
    """Return how many entries the node's own log has."""
    line = line_of(node)
    return line.machine.fold.size(line.identity.own_card.log.name)


async def pushed(both: TwoNodes, push: Push) -> str:
    """Push with true keys; return what the node that pushed writes into its own audit file."""
    send = line_of(both.borealis)._send
    assert send is not None
    send(format_frame(push))
    line = await wait_audited(both.borealis, "audit.peer.push-refused")
    fields = json.loads(line)["fields"]
    assert fields["code"] == Refused("limit", 0, "").code
    return str(fields["detail"])


async def a_malformed_frame_is_sent(both: TwoNodes) -> str:
    send = line_of(both.borealis)._send
    assert send is not None
    page = both.phone(both.arcadia)
    send(b"\xff\xff not a frame")
    await page.wait(lambda shown: not shown["lines"][0]["up"])  # the connection ends …
    await page.wait(lambda shown: bool(shown["lines"][0]["up"]))  # … and is made again
    return "the line is up again"


# -- invitations


async def an_expired_invitation_is_accepted(both: TwoNodes) -> str:
    file = both.folder / "invitation"
    await both.arcadia.introductions.invite(file, (f"127.0.0.1:{both.arcadia.pairing_port}",))
    both.arcadia._pairing._now_us = lambda: 2**52
    return await told(ask(both.borealis, "accept", invitation=content(file)))


async def an_invitation_is_accepted_twice(both: TwoNodes) -> str:
    file = both.folder / "invitation"
    await exchange(both.arcadia, both.borealis, file)
    return await told(ask(both.borealis, "accept", invitation=content(file)))


async def an_invented_invitation_is_accepted(both: TwoNodes) -> str:
    file = both.folder / "invitation"
    await both.arcadia.introductions.invite(file, (f"127.0.0.1:{both.arcadia.pairing_port}",))
    false = re.sub(r'"secret":"[0-9a-f]{32}"', f'"secret":"{"0" * 32}"', content(file))
    return await told(ask(both.borealis, "accept", invitation=false))


async def an_invitation_too_old_for_the_own_clock_is_accepted(both: TwoNodes) -> str:
    file = both.folder / "invitation"
    now_us = both.borealis.introductions._now_us
    both.borealis.introductions._now_us = lambda: now_us() - INVITATION_LIFE_US - 1
    await both.borealis.introductions.invite(file, ("127.0.0.1:1",))
    return await told(ask(both.arcadia, "accept", invitation=content(file)))


async def a_file_that_is_no_invitation_is_accepted(both: TwoNodes) -> str:
    return await told(ask(both.arcadia, "accept", invitation="Dear Sir or Madam"))


# -- devices


async def another_certificate_is_offered_than_was_logged(both: TwoNodes) -> str:
    rey, voss = both.two_phones()
    call = await voss.ring()
    await rey.wait_phase("ringing")
    await rey.answer(call)
    other = DeviceLeg(lambda slot, packet: None)
    try:
        return await shown(rey.do("offer", call=call, sdp=other.offer()))
    finally:
        other.close()
        await end(voss, call)


async def another_certificate_is_stated_than_was_offered(both: TwoNodes) -> str:
    rey, voss = both.two_phones()
    call = await voss.ring()
    await rey.wait_phase("ringing")
    await rey.arm(call)
    words = await shown(rey.do("answer", call=call, certificate="00" * 32))
    await voss.do("cancel", call=call)
    await rey.wait_past(call)
    return words


async def a_check_bears_a_wrong_ice_password(both: TwoNodes) -> str:
    rey, voss = both.two_phones()
    call = await voss.ring()
    await rey.wait_phase("ringing")
    answer = await rey.do("offer", call=call, sdp=rey.leg.offer())
    rey.leg.accept(re.sub(r"a=ice-pwd:\S+", "a=ice-pwd:" + "x" * 24, answer["sdp"]))
    await wait_audited(both.arcadia, "audit.media.bad-integrity")
    assert rey.leg.answered_checks == 0
    await voss.do("cancel", call=call)
    await rey.wait_past(call)
    return catalogue()["live.sound.lost"]  # what its page shows for as long as it lasts


async def end(phone: Phone, call: str) -> None:
    await phone.wait_phase("live")
    await phone.do("hang-up", call=call)
    await phone.wait_past(call)


# -- pages


async def a_page_of_another_site_asks(both: TwoNodes) -> str:
    async with served_pages(both.arcadia):
        host = f"arcadia.localhost:{both.arcadia.web_port}"
        return await posted(both.arcadia, Host=host, Origin="http://evil.example")


async def a_page_is_asked_for_under_another_name(both: TwoNodes) -> str:
    async with served_pages(both.arcadia):
        return await posted(both.arcadia, Host="evil.example", Origin="http://evil.example")


async def posted(node: Node, **headers: str) -> str:
    """Post a sign-in; return the words of the refusal."""

    def post() -> str:
        connection = http.client.HTTPConnection("127.0.0.1", node.web_port, timeout=10)
        connection.request("POST", "/sign-in", body="secret", headers=headers)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        assert 400 <= response.status < 500
        return text

    return await asyncio.to_thread(post)


async def the_microphone_is_refused(both: TwoNodes) -> str:
    async with served_pages(both.arcadia):
        host = f"arcadia.localhost:{both.arcadia.web_port}"
        token = await both.arcadia.sign_in.redeem(await both.arcadia.sign_in.make_link())
        async with connect(
            f"ws://{host}/live?page={'ab' * 16}",
            host="127.0.0.1",
            origin=f"http://{host}",  # type: ignore[arg-type]
            additional_headers={"Cookie": f"telcon-{both.arcadia.settings.name}={token}"},
        ) as page:
            ask = {"do": "microphone-refused", "why": "NotAllowedError", "ask": 1}
            await page.send(json.dumps(ask))
            while "answer" not in json.loads(await page.recv()):
                pass
    return catalogue()["microphone.text"] + catalogue()["microphone.steps"]


# -- starting


async def a_second_node_starts_on_the_folder(both: TwoNodes) -> str:
    return await started(both.arcadia.folder)


async def a_port_of_the_link_is_in_use(both: TwoNodes) -> str:
    await both.borealis.close()
    await both.arcadia.close()
    taken = both.borealis.settings.link.port
    file = both.arcadia.folder / "node.toml"
    return await with_taken(file, both.arcadia.settings.link.port, taken)


async def a_port_of_the_pages_is_in_use(both: TwoNodes) -> str:
    await both.arcadia.close()
    taken = both.arcadia.settings.web.port
    return await with_taken(both.arcadia.folder / "node.toml", taken, taken)


async def with_taken(file: Path, port: int, taken: int) -> str:
    """Start the node of a settings file with `taken` in place of `port`, while it is taken."""
    text = content(file)
    write(file, text.replace(f"port = {port}\n", f"port = {taken}\n"))
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", taken)
    try:
        return await started(file.parent)
    finally:
        server.close()
        await server.wait_closed()
        write(file, text)


def write(file: Path, text: str) -> None:
    file.write_text(text)


async def started(folder: Path) -> str:
    """Run a node as a process of its own; return what it says as it ends."""
    command = [sys.executable, "-m", "telcon.cli", "--data", str(folder), "node", "run"]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 2  # what happened, and what to do
    return str(done.stderr)


ROWS = [
    Row(an_unknown_key_dials, "refused our key.*Ask the operator", "peer.unknown-key"),
    Row(
        an_entry_over_the_limit_is_pushed,
        "an entry has .* to 16384 octets",
        "peer.entry-over-limit",
    ),
    Row(
        an_opening_over_the_limit_is_pushed,
        "an opening has at most 8192 octets",
        "peer.entry-over-limit",
    ),
    Row(a_malformed_frame_is_sent, "up again", "peer.malformed-frame"),
    Row(
        an_expired_invitation_is_accepted,
        "expired.*new invitation",
        "pairing.invitation-expired",
        paired=False,
    ),
    Row(
        an_invitation_is_accepted_twice,
        "used already.*new invitation",
        "pairing.invitation-reused",
        paired=False,
    ),
    Row(
        an_invented_invitation_is_accepted,
        "unknown.*new invitation",
        "pairing.invitation-unknown",
        paired=False,
    ),
    Row(
        an_invitation_too_old_for_the_own_clock_is_accepted,
        "expired at .*set the clock",
        "pairing.invitation-expired",
        paired=False,
    ),
    Row(
        a_file_that_is_no_invitation_is_accepted,
        "not an invitation.*arrived whole",
        "pairing.refused",
        paired=False,
    ),
    Row(
        another_certificate_is_offered_than_was_logged,
        "another certificate.*anew",
        "media.fingerprint-mismatch",
        in_call=True,
    ),
    Row(
        another_certificate_is_stated_than_was_offered,
        "another certificate.*Reload",
        "media.fingerprint-mismatch",
        in_call=True,
    ),
    Row(
        a_check_bears_a_wrong_ice_password,
        "looking for a new path",
        "media.bad-integrity",
        in_call=True,
    ),
    Row(
        a_page_of_another_site_asks,
        "Open http://arcadia.localhost:.*do it there",
        "web.wrong-origin",
    ),
    Row(
        a_page_is_asked_for_under_another_name,
        "Open http://arcadia.localhost:",
        "web.wrong-host",
    ),
    Row(the_microphone_is_refused, "nobody was rung.*allow", "web.microphone-refused"),
    Row(a_second_node_starts_on_the_folder, "another node.*Stop that node", "node.second"),
    Row(a_port_of_the_link_is_in_use, "listens on.*another port", "node.port-in-use"),
    Row(a_port_of_the_pages_is_in_use, "in use.*another port", "node.port-in-use"),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_bad_input_is_named_audited_and_leaves_nothing(row: Row, tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path, paired=row.paired) as both:
            folder = both.arcadia.folder
            before = await asyncio.to_thread(kept, folder, in_call=row.in_call)
            words = await row.do(both)
            assert re.search(row.words, words, re.DOTALL), words
            await wait_audited(both.arcadia, f"audit.{row.event}")
            assert await asyncio.to_thread(kept, folder, in_call=row.in_call) == before

    asyncio.run(run())


def kept(folder: Path, *, in_call: bool) -> object:
    """Return what a node keeps for good; a call around the bad input leaves lawful traces."""
    tables = ["line", "evidence"] + ([] if in_call else ["entry", "opening", "recording"])
    with sqlite3.connect(f"file:{folder / DATABASE}?mode=ro", uri=True) as database:
        counts = {
            table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in tables
        }
        half = database.execute(
            "SELECT count(*) FROM invitation"
            " WHERE (peer_card IS NULL) + (peer_statement IS NULL) + (words IS NULL) NOT IN (0, 3)"
        ).fetchone()[0]
    database.close()
    passing = ("telcon.db-", "control", "recordings")
    files = {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if not any(word in str(path.relative_to(folder)) for word in passing)
    }
    return counts, half, files

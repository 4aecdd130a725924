"""Commands to a node that runs: what its operator types and reads."""

import asyncio
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fakes.two_nodes import TwoNodes, line_of, on_two_nodes, pair, two_nodes, until, voice
from node.test_half_a_line import half_a_line
from node.test_house_link import cosigned, hour, pinned
from node.test_modes import recorders
from telcon.cli import main
from telcon.cli.proof import read_moment
from telcon.core import draft as drafts
from telcon.core.entry import SUPPORTED_TYPES
from telcon.core.events import LineIdentity
from telcon.core.house import STEP
from telcon.errors import IllegalActError, OperatorError
from telcon.node.assembly import Node
from telcon.node.audit import AuditEvent
from telcon.node.house_acts import acts_of
from telcon.node.noting import NOTED


async def telcon(node: Node, *arguments: str) -> int:
    return await asyncio.to_thread(main, ["--data", str(node.folder), *arguments])


def test_two_operators_pair_by_typing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path, paired=False) as both:
            file = str(tmp_path / "invitation")
            inviting = asyncio.create_task(telcon(both.arcadia, "line", "invite", "--out", file))
            await until(lambda: (tmp_path / "invitation").exists())
            assert await telcon(both.borealis, "line", "accept", file) == 0
            assert await inviting == 0
            shown = capfd.readouterr().out
            words = re.findall("^Words: (.*)$", shown, re.MULTILINE)
            assert len(words) == 2
            assert await telcon(both.arcadia, "line", "list") == 0
            assert f"borealis.example  waits to be confirmed: {words[0]}" in capfd.readouterr().out
            for node, other in (both.nodes, tuple(reversed(both.nodes))):
                name = other.settings.name
                assert await telcon(node, "line", "confirm", name, "--words", words[0]) == 0
            await both.up()
            capfd.readouterr()
            assert await telcon(both.arcadia, "line", "list") == 0
            assert re.search("^borealis.example  up since", capfd.readouterr().out)

    asyncio.run(run())


def test_a_line_is_tested_then_frozen_and_the_page_shows_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as both:
            page = both.phone(both.arcadia)
            assert await telcon(both.arcadia, "line", "test", "borealis.example") == 0
            assert "Answered and signed by borealis.example in" in capfd.readouterr().out
            freeze = ("line", "freeze", "borealis.example", "--reason", "keys were seen")
            assert await telcon(both.arcadia, *freeze) == 0
            assert page.shown["lines"][0]["frozen"]
            with pytest.raises(IllegalActError, match="line frozen"):
                await page.ring()
            assert await telcon(both.arcadia, *freeze) == 2
            assert await telcon(both.arcadia, "line", "test", "borealis.example") == 2
            assert await telcon(both.arcadia, "line", "list") == 0
            printed = capfd.readouterr()
            assert "frozen, link up" in printed.out
            assert "line frozen" in printed.err

    asyncio.run(run())


def test_two_operators_renew_the_keys_of_a_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as both:
            names = [node.settings.name for node in both.nodes]
            old = line_of(both.arcadia).identity.line
            assert await telcon(both.arcadia, "line", "test", names[1]) == 0
            capfd.readouterr()
            asking = asyncio.create_task(telcon(both.arcadia, "line", "renew", names[1]))
            await until(lambda: both.borealis.renewal(old).wanted_by == "theirs")
            assert await telcon(both.arcadia, "line", "list") == 0
            said = capfd.readouterr().out
            assert "waits for borealis.example to renew the keys too" in said
            assert await telcon(both.borealis, "line", "list") == 0
            wants = "arcadia.example wants to renew the keys: telcon line renew arcadia.example"
            assert wants in capfd.readouterr().out
            assert await telcon(both.borealis, "line", "renew", names[0]) == 0
            assert await asking == 0
            new = line_of(both.arcadia).identity.line
            said += capfd.readouterr().out
            assert "ten minutes to give: telcon line renew arcadia.example. Waiting" in said
            assert f"The line to borealis.example has new keys: line {new}." in said
            await both.up()
            assert await telcon(both.borealis, "line", "list") == 0
            listed = capfd.readouterr().out
            assert f"a newer line has taken its place: {new}" in listed
            assert "their log goes on from" in listed
            assert await telcon(both.arcadia, "line", "renew", old) == 2
            assert "frozen already" in capfd.readouterr().err

    asyncio.run(run())


def test_a_sign_in_link_is_for_the_principal_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as both:
            assert await telcon(both.arcadia, "link", "Adrian Rey") == 0
            link = capfd.readouterr().out.strip()
            session = await both.arcadia.sign_in.redeem(link.partition("#")[2])
            assert both.arcadia.sign_in.who(session)
            assert await telcon(both.arcadia, "link", "Elena Voss") == 2
            assert "The principal of this node is 'Adrian Rey'" in capfd.readouterr().err

    asyncio.run(run())


def test_a_node_without_that_line_says_where_to_look(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as both:
            for command in (("test",), ("freeze", "--reason", "x")):
                arguments = ("line", command[0], "cassiopeia.example", *command[1:])
                assert await telcon(both.arcadia, *arguments) == 2
                assert "See: telcon line list" in capfd.readouterr().err
            out = str(tmp_path / "no" / "card")
            assert await telcon(both.arcadia, "card", "borealis.example", "--out", out) == 2
            assert "cannot be written" in capfd.readouterr().err

    asyncio.run(run())


def test_a_call_is_exported_once_into_an_empty_folder(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as both:
            await a_call(both)
            out = str(tmp_path / "proof")
            assert await telcon(both.arcadia, "export", "--last", "--out", out) == 0
            assert "layer content" in capfd.readouterr().out
            before = sorted((tmp_path / "proof").rglob("*"))
            assert await telcon(both.arcadia, "export", "--last", "--out", out) == 2
            assert sorted((tmp_path / "proof").rglob("*")) == before
            (tmp_path / "file").touch()
            for taken in ("file", "file/x", "no/dir/x"):
                refused = ("export", "--last", "--out", str(tmp_path / taken))
                assert await telcon(both.arcadia, *refused) == 2
            advice = f"Make it first: mkdir -p {tmp_path}/no/dir"
            assert capfd.readouterr().err.splitlines()[-1].strip() == advice
            assert exported(both.arcadia) == [out], "what was refused is not in the house log"
            unknown = ("export", "--call", "0" * 32, "--out", str(tmp_path / "other"))
            assert await telcon(both.arcadia, *unknown) == 2
            assert "no call 0000" in capfd.readouterr().err
            assert not (tmp_path / "other").exists()

    asyncio.run(run())


async def a_call(both: TwoNodes) -> None:
    rey, voss, call = await both.call()
    said = voice("Rey", 5)
    await rey.say(said)
    await voss.hears(said)
    await rey.do("hang-up", call=call)
    await rey.wait_past(call)


@on_two_nodes
async def test_a_command_waits_for_nothing_when_the_node_ends(both: TwoNodes) -> None:
    file = str(both.folder / "another")
    known = both.arcadia.introductions._known
    assert known() == {"borealis.example"}
    inviting = asyncio.create_task(telcon(both.arcadia, "line", "invite", "--out", file))
    await until(lambda: (both.folder / "another").exists())
    await both.arcadia.close()
    assert await inviting == 2


def test_coverage_is_stated_held_and_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as both:
            out = str(tmp_path / "coverage")
            assert await telcon(both.arcadia, "coverage") == 0
            assert "arcadia.example has stated nothing" in capfd.readouterr().out
            assert await telcon(both.arcadia, "coverage", "--out", out) == 2
            assert exported(both.arcadia) == []
            stated = ("coverage", "set", "borealis.example", "--hours", "Mon-Fri 08:00-18:00")
            assert await telcon(both.arcadia, *stated, "--from", "2020-01-01") == 0
            said = capfd.readouterr().out
            assert "Stated as entry 2 of our log, held by borealis.example." in said
            assert "said afterwards" in said
            assert await telcon(both.arcadia, "coverage") == 0
            assert "entry 2 of arcadia.example, held by both" in capfd.readouterr().out
            assert await telcon(both.arcadia, *stated, "--to", "2020-01-01") == 2
            assert await telcon(both.arcadia, "coverage", "set", "corelia.example") == 2
            assert await telcon(both.arcadia, "line", "test", "borealis.example") == 0
            capfd.readouterr()
            assert await telcon(both.borealis, "coverage", "--line", "arcadia.example") == 0
            shown = capfd.readouterr().out
            assert "entry 2 of arcadia.example, held by both: its log of this line covers" in shown
            assert "from 2020-01-01 00:00:00.000000 UTC until it says otherwise" in shown
            assert await telcon(both.arcadia, "coverage", "--out", out) == 0
            assert await telcon(both.arcadia, "verify", out) == 3
            assert "“Adrian Rey”, “" in capfd.readouterr().out
            await both.borealis.close()
            await until(lambda: not line_of(both.arcadia).is_up)
            assert await telcon(both.arcadia, *stated) == 0
            assert "of our log, not yet held by borealis.example." in capfd.readouterr().out
            assert await telcon(both.arcadia, "coverage") == 0
            assert ", not yet held: its log of this line" in capfd.readouterr().out

    asyncio.run(run())


def test_that_there_was_no_call_is_attested_where_there_was_none(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as both:
            out = str(tmp_path / "none")
            none = ("attest", "--none", "--line", "borealis.example", "--out", out)
            began = datetime.now(UTC).isoformat()
            quiet = (*none, "--from", "2020-01-01", "--to", began)
            assert await telcon(both.arcadia, *none, "--from=2020-01-01", "--to=2020-01-02") == 2
            assert "it was not there to be called on" in capfd.readouterr().err
            await until_attested(both.arcadia, capfd, quiet)
            said = capfd.readouterr().out
            assert re.search(r"no call on the line \w{32} to borealis.example", said)
            assert "of before then this shows only that the line was not there" in said
            assert "borealis.example had not stated by then what its log covers" in said
            assert await telcon(both.arcadia, "verify", out) == 3
            said = capfd.readouterr().out
            assert "from 2020-01-01 00:00:00.000000 UTC to" in said
            assert "The line was opened at" in said
            none = (*none[:-1], f"{out}-other")
            await both.phone(both.arcadia).ring()
            over = datetime.now(UTC).isoformat()
            assert await telcon(both.arcadia, "line", "test", "borealis.example") == 0
            assert await telcon(both.arcadia, *none, "--from", over, "--to", "2100-01-01") == 2
            assert "does not reach beyond that time" in capfd.readouterr().err
            said = "does not reach beyond that time"
            while "does not reach" in said:  # a cosignature's time is in whole seconds
                assert await telcon(both.arcadia, "line", "test", "borealis.example") == 0
                assert await telcon(both.arcadia, *none, "--from", began, "--to", over) == 2
                said = capfd.readouterr().err
            assert "a call touches that time" in said
            assert await telcon(both.arcadia, *none, "--from", over, "--to", began) == 2
            assert await telcon(both.arcadia, *none, "--from", "noon", "--to", over) == 2
            assert "none-other" not in os.listdir(tmp_path)
            assert exported(both.arcadia) == [out], "what was refused is not in the house log"

    asyncio.run(run())


def test_a_slip_at_pairing_is_listed_as_that_and_stands_in_the_way_of_no_command(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path, paired=False) as both:
            began = datetime.now(UTC).isoformat()
            await half_a_line(both)
            capfd.readouterr()
            assert await telcon(both.arcadia, "line", "list") == 0
            assert "  not confirmed by them yet\n" in capfd.readouterr().out
            await pair(*both.nodes, tmp_path / "second")
            await both.up()
            await until(lambda: line_of(both.arcadia).machine.waiting == 0)
            assert await telcon(both.arcadia, "line", "list") == 0
            slip, alive = re.split(r"^(?=borealis)", capfd.readouterr().out, flags=re.M)[1:]
            assert "  never confirmed by them\n" in slip
            assert "confirmed" not in alive
            assert " 0 held by them; theirs 0\n" in slip
            over = datetime.now(UTC).isoformat()
            none = (
                "attest",
                "--none",
                "--line",
                "borealis.example",
                "--out",
                str(tmp_path / "none"),
            )
            await until_attested(both.arcadia, capfd, (*none, "--from", began, "--to", over))
            said = capfd.readouterr().out
            assert line_of(both.arcadia).identity.line in said

    asyncio.run(run())


async def until_attested(
    node: Node, capfd: pytest.CaptureFixture[str], attest: tuple[str, ...]
) -> None:
    """Attest once the line reaches beyond the time: a cosignature's time is in whole seconds."""
    while await telcon(node, *attest) != 0:
        assert "does not reach beyond that time" in capfd.readouterr().err
        assert await telcon(node, "line", "test", "borealis.example") == 0


def exported(node: Node) -> list[str]:
    """Return the folders of all exports that stand in the house log of a node, oldest first."""
    acts = reversed(list(acts_of(node.store)))
    return [str(act.details["folder"]) for act in acts if act.act == AuditEvent.EXPORT_MADE]


def test_one_message_of_three_is_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as both:
            out = str(tmp_path / "excerpt")
            excerpt = ("excerpt", "--line", "borealis.example")
            page = both.phone(both.arcadia)
            for n, text in enumerate(("one", "two\u202e", "three")):
                await page.do("message", line=page.line, text=text, tag=str(n), lang="en")
            assert await telcon(both.arcadia, "line", "test", "borealis.example") == 0
            capfd.readouterr()
            assert await telcon(both.arcadia, *excerpt) == 0
            listed = capfd.readouterr().out.splitlines()
            assert [line.rsplit("  ", 1)[1] for line in listed] == [
                "“one”",
                "“two\\u{202e}”",
                "“three”",
            ]
            place = listed[1].split()[0]
            assert await telcon(both.arcadia, *excerpt, "--message", place) == 2
            assert await telcon(both.arcadia, *excerpt, "--message", "two", "--out", out) == 2
            none = ("--message", "ours:0", "--out", out)
            assert await telcon(both.arcadia, *excerpt, *none) == 2
            assert exported(both.arcadia) == []
            assert await telcon(both.arcadia, *excerpt, "--message", place, "--out", out) == 0
            assert await telcon(both.arcadia, "verify", out) == 3
            assert "This is one message of 3 of this line, in no call" in capfd.readouterr().out

    asyncio.run(run())


def is_told(node: Node, call: str) -> bool:
    """Say whether a record is agreed on, and both sides have signed all that says so."""
    identity = line_of(node).identity
    origins = (identity.own_card.log.name, identity.peer_card.log.name)
    logs = [node.store.stored_log(origin) for origin in origins]
    is_signed = all(log.cosigned_note_over(log.size - 1) is not None for log in logs)
    return is_signed and line_of(node).machine.fold.calls[call].is_agreed


def noted(node: Node) -> list[str]:
    """Return which acts of commands stand in the house log of a node, oldest first."""
    return [one.act for one in reversed(list(acts_of(node.store))) if one.act in NOTED]


def test_a_part_of_a_recording_is_shown_by_whoever_can_open_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as both:
            key, out = str(tmp_path / "archive.key"), str(tmp_path / "seconds")
            assert await telcon(both.arcadia, "keeper", "new", "--out", key) == 0
            keep = ("keeper", "add", "borealis.example", f"{key}.pub")
            assert await telcon(both.arcadia, *keep) == 0
            rey, voss, call = await both.call()
            await asyncio.gather(rey.say(voice("Rey", 20)), voss.say(voice("Voss", 20)))
            await rey.do("hang-up", call=call)
            own = line_of(both.arcadia).identity.own_card.log.name
            fold = line_of(both.borealis).machine.fold
            await voss.wait(lambda _: own in fold.calls[call].sealed)
            await until(lambda: all(is_told(node, call) for node in both.nodes))
            capfd.readouterr()
            excerpt = ("excerpt", "--call", call)
            assert await telcon(both.arcadia, *excerpt) == 0
            names = ("arcadia.example", "borealis.example")
            listed = [f"{name}:1  20 packets, as its node logged them" for name in names]
            assert capfd.readouterr().out.splitlines() == listed
            span = ("--track", "borealis.example:1", "--from", "0.1", "--to", "0:00.3")
            assert await telcon(both.arcadia, *excerpt, *span) == 2
            assert await telcon(both.arcadia, *excerpt, *span, "--out", out) == 2
            assert "telcon record open --help" in capfd.readouterr().err
            for refused in (("--out", key), ("--out", out, "--from", "9")):
                assert await telcon(both.arcadia, *excerpt, *span, "--key", key, *refused) == 2
            assert noted(both.arcadia) == []
            made = (*excerpt, *span, "--out", out, "--key", key)
            assert await telcon(both.arcadia, *made) == 0
            printed = capfd.readouterr().out
            assert "packets 5 to 14 of borealis.example:1; 5 before and 5 after" in printed
            assert noted(both.arcadia) == ["audit.record.unsealed", "audit.record.exported"]
            assert "not shown: arcadia.example:1, 20 packets in that time" in printed
            assert await telcon(both.arcadia, "verify", out) == 3
            words = capfd.readouterr().out
            assert "Shown are 10 packets of track 1 of borealis.example" in words
            assert "Both sides state that they hold the same record of this call." in words
            everything = (*excerpt, *span, "--also", "all", "--out", str(tmp_path / "all"))
            assert await telcon(both.borealis, *everything) == 0
            assert await telcon(both.borealis, "verify", str(tmp_path / "all")) == 3
            assert await telcon(both.arcadia, "excerpt", "--line", "x", "--track", "x:1") == 2
            for wrong in ("--track=x:1", "--from=now", "--from=9", "--also=borealis.example"):
                assert await telcon(both.borealis, *everything, "--out", f"{out}-2", wrong) == 2

    asyncio.run(run())


@on_two_nodes
async def test_a_receipt_of_an_act_that_is_refused_is_not_said_to_be_made(both: TwoNodes) -> None:
    arcadia, borealis = both.nodes
    for node in both.nodes:
        await pinned(node)
    hour(arcadia)
    await cosigned(arcadia, borealis, STEP)
    taken, out = str(both.folder / "taken"), str(both.folder / "receipt")
    (both.folder / "taken").touch()
    for entry, place in ((0, taken), (0, f"{taken}/x"), (STEP * 9, out)):
        refused = ("house", "export", "--entry", str(entry), "--out", place)
        assert await telcon(arcadia, *refused) == 2
    assert noted(arcadia) == []
    assert await telcon(arcadia, "house", "export", "--entry", "0", "--out", out) == 0
    assert noted(arcadia) == ["audit.house.exported"]


def test_a_recorder_that_is_off_already_is_said_to_be_in_two_lines(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as both:
            rey, voss, call = await both.call()
            await recorders(True, rey, voss)
            off = ("record", "off", "borealis.example", "--reason", "asked for")
            assert await telcon(both.arcadia, *off) == 0
            capfd.readouterr()
            assert await telcon(both.arcadia, *off) == 2
            what, advice = capfd.readouterr().err.splitlines()
            assert what == "telcon: the recorder of this call is off already"
            assert "principal's page shows how both recorders stand" in advice
            await rey.do("hang-up", call=call)
            await rey.wait_past(call)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "ms"),
    [("65", 65_000), ("65.5", 65_500), ("1:05", 65_000), ("1:01:05.25", 3_665_250), ("0.001", 1)],
)
def test_a_moment_is_read_as_a_player_shows_it(text: str, ms: int) -> None:
    assert read_moment(text) == ms


@pytest.mark.parametrize("text", ["", "-1", "1:", ":5", "1.5:00", "1e3", "1.0001", "٣", "1:1:1:1"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(OperatorError, match="is no moment"):
        read_moment(text)


def test_a_node_of_a_newer_version_states_its_terms_anew(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        older = [one for one in SUPPORTED_TYPES if one[0] != "line.coverage"]
        stated = drafts.line_terms
        monkeypatch.setattr(drafts, "line_terms", lambda link_lost, **_: stated(link_lost, older))
        async with two_nodes(tmp_path) as both:
            name = both.borealis.settings.name
            assert await telcon(both.arcadia, "coverage", "set", name) == 2
            assert "does not take statements of coverage" in capfd.readouterr().err
            monkeypatch.undo()
            await both.restart(both.borealis)
            await both.up()
            arcadia = await both.restart(both.arcadia)
            await both.up()
            logs = [identity.own_card.log.name for identity in identities(both)]
            fold = line_of(arcadia).machine.fold
            await until(lambda: all("line.coverage" in fold.line.terms[o].types for o in logs))
            sizes = [fold.size(origin) for origin in logs]
            assert sizes == [3, 3], "opened, terms, terms"
            assert await telcon(arcadia, "coverage", "set", name) == 0

    asyncio.run(run())


def identities(both: TwoNodes) -> list[LineIdentity]:
    return [line_of(node).identity for node in both.nodes]

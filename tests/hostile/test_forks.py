"""A peer that signs two histories, and a key of ours that did: over a real link, to the last step.

Found, kept, shown, frozen by an entry, written for a stranger, taken note of, paired anew.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from fakes.two_nodes import audited, until, wait_audited
from hostile.peer import PAGE, HostilePeer, node_in, run
from stranger.evidence import check_evidence, evidence_name
from stranger.tlog import VerifierKey
from telcon.cli import main
from telcon.core import draft as drafts
from telcon.core import frames
from telcon.core.seal import Person, Text, format_text
from telcon.errors import IllegalActError, InvitationError, OperatorError
from telcon.ledger import (
    Checkpoint,
    SigningKey,
    format_key_card,
    format_vkey,
    root_at,
    sign_checkpoint,
)
from telcon.node.assembly import Node
from telcon.node.commands import Commands
from telcon.node.house_acts import acts_of

PEER = "borealis.example"
EVE = Person("en", "Eve", "", "")


def message(text: str) -> drafts.Draft:
    return drafts.message(EVE, EVE, Text("en", text))


async def ask(node: Node, do: str, **members: Any) -> Any:
    return await Commands(node).by_name()[do]({"peer": PEER, **members}, lambda step: None)


async def command(*words: object) -> int:
    return await asyncio.to_thread(main, [str(word) for word in words])


def shown(node: Node) -> dict[str, Any]:
    """Return the line as the page shows it, the newest last."""
    return dict(node.desk.snapshot(PAGE)["lines"][-1])


def written(log: Any) -> list[dict[str, Any]]:
    return [json.loads(entry) for entry in log.entries(0, 1_000_000)]


async def forks(eve: HostilePeer, more: int) -> None:
    """Let Eve say one thing, then another in its place and `more` after it."""
    await eve.act(message("one thing"))
    size = eve.log.size - 1
    eve.log = eve.log.copy(size)
    eve.write(message("another"), *[message("and more")] * more)
    eve._pushed = size
    eve.push()


@pytest.mark.parametrize("more", [0, 3], ids=["one size", "two sizes"])
def test_a_peer_that_signs_two_histories_is_kept_shown_stopped_and_noted(
    more: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "arcadia", tmp_path / "evidence"

    async def attack() -> None:
        async with node_in(folder) as node:
            eve = await HostilePeer(tmp_path, node).pair(tmp_path)
            await forks(eve, more)
            assert eve.log.origin in await wait_audited(node, "audit.line.fork-found")
            await eve.until(lambda: b'{"type":"line.frozen"' in eve.held.all_entries()[-1])
            line = shown(node)
            assert (line["forked"], line["noted"], line["frozen"]) == ("theirs", False, True)
            with pytest.raises(IllegalActError, match="line frozen"):
                await eve.victim.line.act(message("too late"))
            with pytest.raises(InvitationError, match="acknowledged"):
                await HostilePeer(tmp_path, node).pair(tmp_path)
            assert await command("--data", folder, "evidence", PEER, "--out", out) == 0
            card = tmp_path / "eve.card"
            card.write_bytes(format_key_card(eve.card(eve.line)))
            assert await command("verify", "--card", card, out) == 0
            assert await command("verify", out) == 3
            key = VerifierKey.parse(format_vkey(eve.card(eve.line).log))
            assert check_evidence(out, key) == (3, 3 + more)
        async with node_in(folder) as node:  # it is so after a restart too
            eve.node = node
            line = shown(node)
            assert (line["forked"], line["noted"], line["frozen"]) == ("theirs", False, True)
            with pytest.raises(InvitationError, match="acknowledged"):
                await HostilePeer(tmp_path, node).pair(tmp_path)
            eve.held = eve.held.copy(0)
            assert await command("--data", folder, "line", "list") == 0
            why = ("--reason", "their operator cannot say why")
            assert await command("--data", folder, "line", "acknowledge", PEER, *why) == 0
            assert shown(node)["noted"]
            own = node.store.stored_log(node.store.lines()[0].own_origin)
            noted = written(own)[-1]
            assert noted["type"] == "line.acknowledged"
            assert noted["evidence"] == evidence_name(out)
            assert [one["type"] for one in written(own)].count("line.frozen") == 1
            (opening,) = [one for _, one in own.openings(own.size - 1, 1)]
            assert b"their operator cannot say why" in opening.content
            assert audited(node, "audit.line.acknowledged")
            await node.noted()
            acts = [act.act for act in acts_of(node.store)]
            assert {"audit.line.evidence-exported", "audit.line.acknowledged"} <= set(acts)
            with pytest.raises(OperatorError, match="nothing to acknowledge"):
                await ask(node, "acknowledge", reason="again")
            again = await HostilePeer(tmp_path, node).pair(tmp_path)
            await again.until(lambda: again.held.size >= 2)
            new = [json.loads(entry) for entry in again.held.all_entries()]
            root = root_at(own.size, own.hash).hex()
            assert new[0]["previous"] == [own.origin, own.size, root]
            assert [one["type"] for one in new[:2]] == ["line.opened", "line.terms"]

    run(attack())
    said = capsys.readouterr().out
    assert "cannot both be true" in said
    assert "PROVEN under the keys you gave" in said
    assert "Then, to pair anew: telcon line acknowledge borealis.example" in said
    assert "stays frozen for ever; a new one can be paired now" in said


def test_two_histories_under_our_own_key_are_shown_stopped_and_noted_in_the_next_log(
    tmp_path: Path,
) -> None:
    folder, out = tmp_path / "arcadia", tmp_path / "evidence"

    async def attack() -> None:
        async with node_in(folder) as node:
            eve = await HostilePeer(tmp_path, node).pair(tmp_path)
            (record,) = node.store.lines()
            key = SigningKey(record.log_seed)  # as a copy of the node would have it
            root = root_at(2, eve.held.hash)
            pair = [Checkpoint(record.own_origin, 2, one) for one in (root, b"\1" * 32)]
            eve.send(frames.Evidence(*[sign_checkpoint(one, key) for one in pair]))
            await wait_audited(node, "audit.line.broken")
            line = shown(node)
            assert (line["forked"], line["noted"]) == ("ours", False)
            with pytest.raises(InvitationError, match="acknowledged"):
                await HostilePeer(tmp_path, node).pair(tmp_path)
            assert await command("--data", folder, "evidence", "--out", out) == 0
            vkey = format_vkey(eve.victim_card.log)
            assert check_evidence(out, VerifierKey.parse(vkey)) == (2, 2)
        async with node_in(folder) as node:
            assert shown(node)["forked"] == "ours"
            await ask(node, "acknowledge", reason="the copy is off, its keys are destroyed")
            again = await HostilePeer(tmp_path, node).pair(tmp_path)
            await again.until(lambda: again.held.size >= 3)
            new = [json.loads(entry) for entry in again.held.all_entries()]
            assert [one["type"] for one in new[:3]] == [
                "line.opened",
                "line.terms",
                "line.acknowledged",
            ]
            assert new[0]["previous"][0] == record.own_origin
            assert new[2]["evidence"] == evidence_name(out)

    run(attack())


async def noted_but_not_written(folder: Path, node: Node) -> HostilePeer:
    """Let Eve sign two histories, and the words on it come as far as the store: no entry yet."""
    eve = await HostilePeer(folder, node).pair(folder)
    await forks(eve, 0)
    await wait_audited(node, "audit.line.fork-found")
    await eve.until(lambda: b'{"type":"line.frozen"' in eve.held.all_entries()[-1])
    await node.store.acknowledge(eve.line, format_text(Text("en", "the first words")))
    return eve


def acknowledgements(node: Node) -> list[bytes]:
    """Return the words of each `line.acknowledged` in the log of the first line."""
    own = node.store.stored_log(node.store.lines()[0].own_origin)
    at = [index for index, one in enumerate(written(own)) if one["type"] == "line.acknowledged"]
    return [opening.content for index in at for _, opening in own.openings(index, 1)]


def test_words_on_a_fork_that_a_kill_kept_from_the_log_are_written_at_the_next_start(
    tmp_path: Path,
) -> None:
    async def look() -> None:
        folder = tmp_path / "arcadia"
        async with node_in(folder) as node:
            await noted_but_not_written(tmp_path, node)
            assert acknowledgements(node) == []
        for _ in range(2):  # and not again at the one after it
            async with node_in(folder) as node:
                await until(lambda: acknowledgements(node) != [])
                (words,) = acknowledgements(node)
                assert b"the first words" in words
                with pytest.raises(OperatorError, match="nothing to acknowledge"):
                    await ask(node, "acknowledge", reason="again")

    run(look())


def test_words_on_a_fork_whose_entry_was_refused_are_written_when_they_are_said_again(
    tmp_path: Path,
) -> None:
    async def look() -> None:
        async with node_in(tmp_path / "arcadia") as node:
            eve = await noted_but_not_written(tmp_path, node)
            eve.victim.evidence.read()
            await ask(node, "acknowledge", reason="the same again")
            (words,) = acknowledgements(node)
            assert b"the first words" in words

    run(look())


def test_where_there_is_no_evidence_the_commands_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "arcadia"

    async def look() -> None:
        async with node_in(folder) as node:
            await HostilePeer(tmp_path, node).pair(tmp_path)
            out = tmp_path / "evidence"
            assert await command("--data", folder, "evidence", "--out", out) == 2
            assert not out.exists()
            with pytest.raises(OperatorError, match="nothing to acknowledge"):
                await ask(node, "acknowledge", reason="none")

    run(look())
    assert "no evidence of two histories" in capsys.readouterr().err


# -- what a new log says it goes on from


async def paired_after(folder: Path, node: Node, previous: Any) -> HostilePeer:
    """Pair anew, after the line before was frozen, with a log that names `previous`."""
    eve = HostilePeer(folder, node)
    eve.previous = previous
    await eve.pair(folder)
    return eve


@pytest.mark.parametrize(
    ("how", "broken", "trouble"),
    [
        ("as held here", None, None),
        ("longer than held here", None, None),
        ("another root", "another history", "previous"),
        ("none", "unnamed", None),
        ("unheard of", "unknown", None),
    ],
)
def test_a_new_log_is_held_against_the_one_before(
    how: str, broken: str | None, trouble: str | None, tmp_path: Path
) -> None:
    async def look() -> None:
        folder = tmp_path / "arcadia"
        async with node_in(folder) as node:
            eve = await HostilePeer(tmp_path, node).pair(tmp_path)
            await eve.act(message("before"))
            await ask(node, "freeze", reason="keys are renewed")
            await eve.until(lambda: b'{"type":"line.frozen"' in eve.held.all_entries()[-1])
            root = root_at(3, eve.log.hash)
            claims = {
                "as held here": (eve.log.origin, 3, root),
                "longer than held here": (eve.log.origin, 5, b"\1" * 32),
                "another root": (eve.log.origin, 3, b"\1" * 32),
                "none": None,
                "unheard of": (f"{PEER}/line/{'0' * 32}", 3, root),
            }
            await paired_after(tmp_path, node, claims[how])
        async with node_in(folder) as node:  # and so for ever
            (found,) = (await ask(node, "lines"))["lines"][-1:]
            assert found["previous"]["broken"] == broken
            assert shown(node)["trouble"] == trouble
            assert bool(audited(node, "audit.line.wrong-previous")) == (broken is not None)
            assert (await ask(node, "lines"))["lines"][0]["previous"] is None

    run(look())


def test_after_a_fork_the_history_that_is_not_held_may_be_named(tmp_path: Path) -> None:
    async def look() -> None:
        folder = tmp_path / "arcadia"
        async with node_in(folder) as node:
            eve = await HostilePeer(tmp_path, node).pair(tmp_path)
            await forks(eve, 0)
            await wait_audited(node, "audit.line.fork-found")
            await ask(node, "acknowledge", reason="a copy ran")
            await paired_after(tmp_path, node, (eve.log.origin, 3, root_at(3, eve.log.hash)))
            (found,) = (await ask(node, "lines"))["lines"][-1:]
            assert found["previous"]["broken"] == "one of two histories"
            assert shown(node)["trouble"] is None

    run(look())
